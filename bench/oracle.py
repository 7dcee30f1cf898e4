"""What libpg_query says of a text: the oracle of the scoreboard.

Written apart from `rules.postgres` on purpose: it walks the parser's JSON by itself, so that a mistake of the product's
readers is not made here as well. Both sides end as `Reading` values, which must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson
from postgast import native

Node: TypeAlias = dict[str, Any]
Name: TypeAlias = tuple[str, ...]
LONGEST: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Reading:
    """One statement. `root`: libpg_query's node. `kind`: the word of the rule file's taxonomy. `read`, `written`:
    relations as the text names them, CTEs left out; `functions`: calls by name. `common`: the CTEs' names."""

    root: str
    kind: str
    read: frozenset[Name] = frozenset()
    written: frozenset[Name] = frozenset()
    functions: frozenset[Name] = frozenset()
    common: frozenset[Name] = frozenset()


class NotSql(Exception):  # noqa: N818 - it is an answer: the server's grammar does not take the text
    pass


def readings(text: str) -> tuple[Reading, ...]:
    """Each statement of the text. Raises NotSql with the grammar's own words."""
    return tuple(_reading(node["stmt"]) for node in _parse(text))


def _parse(text: str) -> list[Node]:
    raw = text.encode("utf-8", "replace")
    if len(raw) > LONGEST or b"\0" in raw:
        raise NotSql("the text is too long or holds a NUL")
    result = native.lib.pg_query_parse(raw)
    try:
        if result.error:
            raise NotSql(result.error.contents.message.decode("utf-8", "replace"))
        found: list[Node] = orjson.loads(result.parse_tree)["stmts"]
    except orjson.JSONDecodeError as deep:
        raise NotSql("the tree is too deep for the oracle") from deep
    finally:
        native.lib.pg_query_free_parse_result(result)
    return found


def _reading(statement: Node) -> Reading:
    ((root, body),) = statement.items()
    found = _Walk()
    found.named(root, body)
    found.node(statement, frozenset())
    return Reading(root, kind_of(root, body), *map(frozenset, (found.read, found.written, found.functions, found.ctes)))


# ---------------------------------------------------------------- the walk

_WRITES: Final = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
#: node -> its field with the relations that it writes
_TARGETS: Final = {**dict.fromkeys(_WRITES, "relation"), "TruncateStmt": "relations", "ViewStmt": "view"}


@dataclass(slots=True)
class _Walk:
    """Collects names. `runs`: the statement runs its query; in DDL all relations are only named."""

    read: set[Name] = field(default_factory=set)
    written: set[Name] = field(default_factory=set)
    functions: set[Name] = field(default_factory=set)
    ctes: set[Name] = field(default_factory=set)
    runs: bool = True

    def node(self, value: Any, visible: frozenset[str]) -> None:
        if isinstance(value, list):
            for member in value:
                self.node(member, visible)
        elif isinstance(value, dict):
            if len(value) == 1 and (key := next(iter(value)))[0].isupper():
                self.typed(key, value[key], visible)
            else:
                self.fields(value, visible)

    def typed(self, kind: str, body: Any, visible: frozenset[str]) -> None:
        """A node that says its type."""
        if kind in _CALLS:
            self.functions.add(_CALLS[kind](body))
        field_name = _target_field(kind, body)
        if field_name in body:
            for target in body[field_name] if isinstance(body[field_name], list) else [body[field_name]]:
                self.target(target.get("RangeVar", target))
            body = {key: value for key, value in body.items() if key != field_name}
        self.fields(body, visible)

    def fields(self, body: Any, visible: frozenset[str]) -> None:
        if not isinstance(body, dict):
            return
        if "relname" in body:
            self.relation(body, visible)
            return
        inner = self.with_clause(body.get("withClause"), visible)
        for key, value in body.items():
            if key in _INTO and "rel" in value:
                self.target(value["rel"])
            elif key == "funccall":  # CALL holds the bare fields of its FuncCall
                self.typed("FuncCall", value, inner)
            elif key not in _NO_RELATIONS:
                self.node(value, inner)

    def with_clause(self, clause: Node | None, visible: frozenset[str]) -> frozenset[str]:
        """The CTE names in sight of the statement that the clause belongs to; a CTE sees those before it, or all of
        them in WITH RECURSIVE."""
        tables = [node["CommonTableExpr"] for node in (clause or {}).get("ctes", [])]
        if clause and clause.get("recursive"):
            visible |= {table["ctename"] for table in tables}
        for table in tables:
            self.node({key: value for key, value in table.items() if key != "aliascolnames"}, visible)
            visible |= {table["ctename"]}
            self.ctes.add((table["ctename"],))
        return visible

    def relation(self, body: Node, visible: frozenset[str]) -> None:
        name = _name(body)
        if len(name) > 1 or name[0] not in visible:
            self.read.add(name)

    def target(self, body: Node) -> None:
        """What is written is never a CTE."""
        (self.written if self.runs else self.read).add(_name(body))

    # ------------------------------------------------------------ names that are no RangeVars

    def named(self, root: str, body: Node) -> None:
        """DROP and COMMENT name their objects by lists of words. Statements that run no query only name relations."""
        self.runs = root in _RUNNING
        if root == "ConstraintsSetStmt":
            body.clear()
        elif root == "DropStmt":
            self.read.update(name for node in body["objects"] for name in _object_names(body["removeType"], node))
        elif root == "CommentStmt":
            self.read.update(_object_names(body["objtype"], body["object"]))


#: names of aliases (FOR UPDATE OF a), of constraints, and what was read before
_NO_RELATIONS: Final = frozenset({"withClause", "lockedRels"})
_INTO: Final = frozenset({"intoClause", "into"})
_RUNNING: Final = _WRITES | frozenset(
    "SelectStmt ExplainStmt PrepareStmt DeclareCursorStmt CopyStmt CreateTableAsStmt ViewStmt TruncateStmt".split()  # noqa: SIM905
)


def _target_field(kind: str, body: Any) -> str:
    if kind == "CopyStmt":
        return "relation" if body.get("is_from") else ""
    return _TARGETS.get(kind, "")


def _name(body: Node) -> Name:
    return tuple(body[part] for part in ("catalogname", "schemaname", "relname") if body.get(part))


def _words(nodes: list[Node]) -> Name:
    return tuple(node["String"].get("sval", "") for node in nodes)


_CALLS: Final[dict[str, Callable[[Node], Name]]] = {
    "FuncCall": lambda body: _words(body["funcname"]),
    "SQLValueFunction": lambda body: ("pg_catalog", body["op"].removeprefix("SVFOP_").removesuffix("_N").lower()),
    "MergeSupportFunc": lambda body: ("pg_catalog", "merge_action"),
}
_RELATIONS: Final = frozenset(
    f"OBJECT_{word}" for word in ("TABLE", "VIEW", "MATVIEW", "FOREIGN_TABLE", "INDEX", "SEQUENCE")
)
_PARTS: Final = frozenset(f"OBJECT_{word}" for word in ("TRIGGER", "POLICY", "RULE", "TABCONSTRAINT", "COLUMN"))


def _object_names(object_type: str, node: Node) -> Iterator[Name]:
    """The relation that an object's name speaks of; of `t.c` or `trigger ON t` its table."""
    if object_type in _RELATIONS:
        yield _words(node["List"]["items"])
    elif object_type in _PARTS:
        yield _words(node["List"]["items"])[:-1]


# ---------------------------------------------------------------- kinds

_SERVER_OBJECTS: Final = frozenset(
    f"OBJECT_{word}"
    for word in (
        "ACCESS_METHOD", "CAST", "DATABASE", "EVENT_TRIGGER", "EXTENSION", "FDW", "FOREIGN_SERVER", "LANGUAGE",
        "LARGEOBJECT", "PARAMETER_ACL", "PUBLICATION", "ROLE", "SUBSCRIPTION", "TABLESPACE", "TRANSFORM",
        "USER_MAPPING",
    )
)  # fmt: skip
_RIGHTS: Final = frozenset(
    f"AT_{word}"
    for word in (
        "ChangeOwner",
        "EnableRowSecurity",
        "DisableRowSecurity",
        "ForceRowSecurity",
        "NoForceRowSecurity",
    )
)


def _leftmost(body: Node) -> Node:
    while "larg" in body:
        body = body["larg"]
    return body


def _copied(body: Node) -> str:
    if body.get("filename") or body.get("is_program"):
        return "file_io"
    return "copy_in" if body.get("is_from") else "copy_out"


def _set(body: Node) -> str:
    if body.get("name") in ("role", "session_authorization"):
        return "admin"
    return "transaction" if body.get("name") in ("TRANSACTION", "TRANSACTION SNAPSHOT") else "session"


def _altered(body: Node) -> str:
    return "grant" if {node["AlterTableCmd"]["subtype"] for node in body["cmds"]} & _RIGHTS else "alter"


def _by_object(field_name: str, word: str) -> Callable[[Node], str]:
    return lambda body: "admin" if body[field_name] in _SERVER_OBJECTS else word


def _inner(body: Node) -> str:
    ((root, inner),) = body["query"].items()
    return kind_of(root, inner)


_KINDS: Final[dict[str, str | Callable[[Node], str]]] = {
    "SelectStmt": lambda body: "create" if "intoClause" in _leftmost(body) else "select",
    "InsertStmt": "insert",
    "UpdateStmt": "update",
    "DeleteStmt": "delete",
    "MergeStmt": "merge",
    "ExplainStmt": "explain",
    "PrepareStmt": _inner,
    "ExecuteStmt": "prepared",
    "DeallocateStmt": "prepared",
    "DeclareCursorStmt": "select",
    "FetchStmt": "cursor",
    "ClosePortalStmt": "cursor",
    "CopyStmt": _copied,
    "CallStmt": "call",
    "DoStmt": "do",
    "LoadStmt": "file_io",
    "LockStmt": "lock",
    "TruncateStmt": "truncate",
    "ListenStmt": "listen",
    "UnlistenStmt": "listen",
    "NotifyStmt": "notify",
    "TransactionStmt": lambda body: "two_phase" if "PREPARE" in body["kind"] else "transaction",
    "ConstraintsSetStmt": "transaction",
    "VariableSetStmt": _set,
    "VariableShowStmt": "show",
    "DiscardStmt": "session",
    "GrantStmt": _by_object("objtype", "grant"),
    "AlterDefaultPrivilegesStmt": "grant",
    "AlterOwnerStmt": _by_object("objectType", "grant"),
    "CreatePolicyStmt": "grant",
    "AlterPolicyStmt": "grant",
    "CommentStmt": "comment",
    "DropStmt": _by_object("removeType", "drop"),
    "RenameStmt": _by_object("renameType", "alter"),
    "AlterObjectSchemaStmt": _by_object("objectType", "alter"),
    "AlterTableStmt": _altered,
    "RuleStmt": "create",
    "ViewStmt": "create",
    "IndexStmt": "create",
    "DefineStmt": "create",
    "CompositeTypeStmt": "create",
    **dict.fromkeys(
        ("VacuumStmt", "ClusterStmt", "ReindexStmt", "RefreshMatViewStmt", "CheckPointStmt"), "maintenance"
    ),
    **{
        f"Create{word}Stmt": "create"
        for word in (
            "", "TableAs", "Seq", "Trig", "Stats", "Schema", "Enum", "Range", "Domain", "Function", "OpClass",
            "OpFamily", "Conversion",
        )
    },
    **{
        f"Alter{word}Stmt": "alter"
        for word in (
            "ObjectDepends", "Domain", "Seq", "Enum", "Type", "Function", "Operator", "OpFamily", "Collation", "Stats",
            "TSDictionary", "TSConfiguration",
        )
    },
}  # fmt: skip


def kind_of(root: str, body: Node) -> str:
    """The taxonomy's word for a root node; what is not in the table is the server's administration."""
    word = _KINDS.get(root, "admin")
    return word if isinstance(word, str) else word(body)
