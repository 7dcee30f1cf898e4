"""What the rest of a utility statement holds: calls and relations in defaults, checks, index expressions, options.

DDL has too many shapes to model. Instead its fields are walked: every node type met must be on a list, every
expression and sub-select is read by the ordinary readers, so that its calls and tables are noted.
"""

from __future__ import annotations

from typing import Any, Final

from rules.postgres.nodes import EXPRESSIONS, QUERIES, STATEMENTS, WRITES, Node, Reader, unknown
from rules.postgres.sources import relation_name
from rules.tree import Access, Name, Touched

_PARTS: Final = frozenset(
    """
    ColumnDef Constraint DefElem TypeName IndexElem StatsElem PartitionElem PartitionSpec PartitionBoundSpec
    PartitionRangeDatum PartitionCmd TableLikeClause List String Integer Float Boolean BitString RoleSpec AccessPriv
    ObjectWithArgs FunctionParameter ReturnStmt AlterTableCmd ATAlterConstraint ReplicaIdentityStmt CreateOpClassItem
    PublicationObjSpec PublicationTable TriggerTransition VacuumRelation VariableSetStmt RangeVar A_Star
    """.split()
)


def survey(read: Reader, value: Any) -> None:
    """Walk a statement's fields; notes go to `read`. Raises Refused for a node type that is not known."""
    if isinstance(value, list):
        for member in value:
            survey(read, member)
    elif isinstance(value, dict):
        _survey_node(read, value)


def _survey_node(read: Reader, node: Node) -> None:
    if "relname" in node:
        read.relations.append(relation_name(node))
        return
    for key, value in node.items():
        if key[0].isupper() and len(node) == 1:
            _survey_kind(read, key, value)
        else:
            survey(read, value)


def _survey_kind(read: Reader, kind: str, body: Node) -> None:
    if kind in _PARTS:
        survey(read, body)
    elif kind in EXPRESSIONS.makers:
        EXPRESSIONS.read_body(read, kind, body)
    elif kind in QUERIES.makers:
        QUERIES.read_body(read, kind, body)
    elif kind in WRITES.makers:
        WRITES.read_body(read, kind, body)
    elif kind in STATEMENTS.makers:
        STATEMENTS.read_body(read, kind, body)
    else:
        raise unknown(kind, body.get("location", -1))


def touched(read: Reader, *main: tuple[Name, Access], others: Access = Access.OTHER) -> tuple[Touched, ...]:
    """`main` first, then every other relation that reading or surveying has noted."""
    named = {name for name, _ in main}
    rest = dict.fromkeys(name for name in read.relations if name not in named)
    return tuple(Touched(name, access) for name, access in main) + tuple(Touched(name, others) for name in rest)
