"""What the rest of a utility statement holds: calls and relations in defaults, checks, index expressions, options.

DDL has too many shapes to model. Instead its fields are walked: every node type met must be on a list, every
expression and sub-select is read by the ordinary readers, so that its calls and tables are noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from rules.postgres.nodes import EXPRESSIONS, QUERIES, SOURCES, STATEMENTS, WRITES, Node, Reader, unknown, words
from rules.postgres.sources import relation_name
from rules.tree import Access, Name, Statement, Touched

_PARTS: Final = words("""
    ColumnDef Constraint DefElem TypeName IndexElem StatsElem PartitionElem PartitionSpec PartitionBoundSpec
    PartitionRangeDatum PartitionCmd TableLikeClause List String Integer Float Boolean BitString RoleSpec AccessPriv
    ObjectWithArgs FunctionParameter ReturnStmt AlterTableCmd ATAlterConstraint ReplicaIdentityStmt CreateOpClassItem
    PublicationObjSpec PublicationTable TriggerTransition VacuumRelation VariableSetStmt RangeVar A_Star
    """)


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
    elif kind in SOURCES.makers:
        SOURCES.read_body(read, kind, body)
    elif kind in STATEMENTS.makers:
        STATEMENTS.read_body(read, kind, body)
    else:
        raise unknown(kind, body.get("location", -1))


def touched(read: Reader, *main: tuple[Name, Access], others: Access = Access.OTHER) -> tuple[Touched, ...]:
    """`main` first, then every other relation that reading or surveying has noted."""
    named = {name for name, _ in main}
    rest = dict.fromkeys(name for name in read.relations if name not in named)
    return tuple(Touched(name, access) for name, access in main) + tuple(Touched(name, others) for name in rest)


# ---------------------------------------------------------------- plain statements

_FLAGS: Final = {
    "missing_ok": "if_exists",
    "if_not_exists": "if_not_exists",
    "replace": "or_replace",
    "concurrent": "concurrently",
}
_PERSISTENCE: Final = {"t": "temporary", "u": "unlogged"}
Word: TypeAlias = "str | Callable[[Node], str]"


def flags(body: Node) -> tuple[str, ...]:
    """A statement's remarks for rules: if_exists, or_replace, concurrently, cascade, temporary ..."""
    return tuple(_flags(body))


def _flags(body: Node) -> Iterator[str]:
    yield from (word for field, word in _FLAGS.items() if field in body)
    if body.get("behavior") == "DROP_CASCADE":
        yield "cascade"
    for field in ("relation", "view", "sequence"):
        persistence = body.get(field, {}).get("relpersistence")
        if persistence in _PERSISTENCE:
            yield _PERSISTENCE[persistence]


def plain(
    node: str,
    kind: Word,
    detail: Word,
    fields: str,
    access: Access = Access.OTHER,
    at: str = "relation",
    others: Access = Access.OTHER,
) -> None:
    """Register a statement that is only classified: its kind, the relation in field `at` (one or a list), and whatever
    `survey` finds in the rest. `kind` and `detail` may be functions of the fields."""

    def make(read: Reader, body: Node) -> Statement:
        survey(read, body)
        return Statement(
            kind if isinstance(kind, str) else kind(body),
            touched=touched(read, *((name, access) for name in _named(body.get(at))), others=others),
            calls=tuple(read.calls),
            detail=detail if isinstance(detail, str) else detail(body),
            options=flags(body),
        )

    STATEMENTS.node(node, fields)(make)


def _named(value: Any) -> Iterator[Name]:
    for node in value if isinstance(value, list) else [value] if value else []:
        body = node.get("RangeVar", node)
        body = body.get("relation", body)  # CREATE FOREIGN TABLE holds a whole CREATE TABLE
        if "relname" in body:
            yield relation_name(body)


def object_words(object_type: str) -> str:
    """OBJECT_FOREIGN_TABLE -> FOREIGN TABLE."""
    words = object_type.removeprefix("OBJECT_")
    return _OBJECT_WORDS.get(words, words.replace("_", " "))


_OBJECT_WORDS: Final = {
    "MATVIEW": "MATERIALIZED VIEW",
    "FDW": "FOREIGN DATA WRAPPER",
    "FOREIGN_SERVER": "SERVER",
    "TABCONSTRAINT": "CONSTRAINT",
    "DOMCONSTRAINT": "DOMAIN CONSTRAINT",
    "OPCLASS": "OPERATOR CLASS",
    "OPFAMILY": "OPERATOR FAMILY",
    "STATISTIC_EXT": "STATISTICS",
    "TSCONFIGURATION": "TEXT SEARCH CONFIGURATION",
    "TSDICTIONARY": "TEXT SEARCH DICTIONARY",
    "TSPARSER": "TEXT SEARCH PARSER",
    "TSTEMPLATE": "TEXT SEARCH TEMPLATE",
    "LARGEOBJECT": "LARGE OBJECT",
    "PARAMETER_ACL": "PARAMETER",
}

#: Objects of the server or of other systems rather than of a schema: touching them is kind `admin`.
ADMIN_OBJECTS: Final = frozenset(
    "OBJECT_" + name
    for name in words(
        "ACCESS_METHOD CAST DATABASE EVENT_TRIGGER EXTENSION FDW FOREIGN_SERVER LANGUAGE PARAMETER_ACL PUBLICATION "
        "PUBLICATION_NAMESPACE PUBLICATION_REL ROLE SUBSCRIPTION TABLESPACE TRANSFORM USER_MAPPING LARGEOBJECT"
    )
)
