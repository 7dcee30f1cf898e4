"""The leading keyword must fit what the grammar made of the statement."""

from __future__ import annotations

from typing import Final

from rules.postgres.nodes import Refused

_BY_WORD: Final = {
    "select": "SelectStmt CreateTableAsStmt",
    "values": "SelectStmt",
    "table": "SelectStmt",
    "with": "SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt",
    "insert": "InsertStmt",
    "update": "UpdateStmt",
    "delete": "DeleteStmt",
    "merge": "MergeStmt",
    "begin": "TransactionStmt",
    "start": "TransactionStmt",
    "commit": "TransactionStmt",
    "end": "TransactionStmt",
    "rollback": "TransactionStmt",
    "abort": "TransactionStmt",
    "savepoint": "TransactionStmt",
    "release": "TransactionStmt",
    "prepare": "TransactionStmt PrepareStmt",
    "execute": "ExecuteStmt",
    "deallocate": "DeallocateStmt",
    "set": "VariableSetStmt ConstraintsSetStmt",
    "reset": "VariableSetStmt",
    "show": "VariableShowStmt",
    "discard": "DiscardStmt",
    "explain": "ExplainStmt",
    "declare": "DeclareCursorStmt",
    "fetch": "FetchStmt",
    "move": "FetchStmt",
    "close": "ClosePortalStmt",
    "copy": "CopyStmt",
    "listen": "ListenStmt",
    "unlisten": "UnlistenStmt",
    "notify": "NotifyStmt",
    "lock": "LockStmt",
    "truncate": "TruncateStmt",
    "comment": "CommentStmt",
    "security": "SecLabelStmt",
    "grant": "GrantStmt GrantRoleStmt",
    "revoke": "GrantStmt GrantRoleStmt",
    "reassign": "ReassignOwnedStmt",
    "call": "CallStmt",
    "do": "DoStmt",
    "load": "LoadStmt",
    "vacuum": "VacuumStmt",
    "analyze": "VacuumStmt",
    "analyse": "VacuumStmt",
    "cluster": "ClusterStmt",
    "reindex": "ReindexStmt",
    "refresh": "RefreshMatViewStmt",
    "checkpoint": "CheckPointStmt",
    "import": "ImportForeignSchemaStmt",
    "create": "CreateStmt CreateTableAsStmt ViewStmt IndexStmt RuleStmt CompositeTypeStmt DefineStmt",
    "alter": "RenameStmt GrantStmt",
    "drop": "DropdbStmt",
}
_NODES: Final = {word.encode(): frozenset(nodes.split()) for word, nodes in _BY_WORD.items()}
_FAMILIES: Final = {b"create": "Create", b"alter": "Alter", b"drop": "Drop"}


def check(word: bytes, node: str, at: int) -> None:
    """Raise Refused (`keyword-disagreement`) when a statement that starts with `word` was read as `node`."""
    if node in _NODES.get(word, ()):
        return
    family = _FAMILIES.get(word)
    if family and node.startswith(family):
        return
    raise Refused(
        "keyword-disagreement",
        f"it starts with {word.decode('utf-8', 'replace').upper() or 'no keyword'} but reads as {node}",
        "write the statement in plainer SQL",
        at,
    )
