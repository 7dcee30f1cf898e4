"""CREATE, ALTER, DROP, COMMENT: statements that change what the database holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from rules.postgres.nodes import STATEMENTS, Node, Reader, items, strings, words
from rules.postgres.sources import relation_name
from rules.postgres.survey import ADMIN_OBJECTS, flags, object_words, plain, survey, touched
from rules.tree import Access, Name, Statement

# ---------------------------------------------------------------- CREATE

_CREATE: Final = Access.CREATE

plain(
    "CreateStmt",
    "create",
    "CREATE TABLE",
    "relation tableElts inhRelations partbound partspec ofTypename constraints nnconstraints options oncommit "
    "tablespacename accessMethod if_not_exists",
    _CREATE,
)
plain(
    "IndexStmt",
    "create",
    "CREATE INDEX",
    "idxname relation accessMethod tableSpace indexParams indexIncludingParams options whereClause unique "
    "nulls_not_distinct concurrent if_not_exists",
    _CREATE,
)
plain("CreateSeqStmt", "create", "CREATE SEQUENCE", "sequence options if_not_exists", _CREATE, "sequence")
plain(
    "CreateTrigStmt",
    "create",
    "CREATE TRIGGER",
    "replace isconstraint trigname relation funcname args row timing events columns whenClause transitionRels "
    "deferrable initdeferred constrrel",
    _CREATE,
)
plain("RuleStmt", "create", "CREATE RULE", "relation rulename whereClause event instead actions replace", _CREATE)
plain(
    "CreateStatsStmt", "create", "CREATE STATISTICS", "defnames stat_types exprs relations if_not_exists",
    _CREATE, "relations",
)  # fmt: skip
plain("CreateSchemaStmt", "create", "CREATE SCHEMA", "schemaname authrole schemaElts if_not_exists")
plain("CompositeTypeStmt", "create", "CREATE TYPE", "typevar coldeflist", _CREATE, "typevar")
plain("CreateEnumStmt", "create", "CREATE TYPE", "typeName vals")
plain("CreateRangeStmt", "create", "CREATE TYPE", "typeName params")
plain("CreateDomainStmt", "create", "CREATE DOMAIN", "domainname typeName collClause constraints")
plain(
    "CreateFunctionStmt",
    "create",
    lambda body: "CREATE PROCEDURE" if "is_procedure" in body else "CREATE FUNCTION",
    "is_procedure replace funcname parameters returnType options sql_body",
)
plain(
    "DefineStmt",
    "create",
    lambda body: "CREATE " + object_words(body["kind"]),
    "kind oldstyle defnames args definition if_not_exists replace",
)
plain(
    "CreateOpClassStmt", "create", "CREATE OPERATOR CLASS", "opclassname opfamilyname amname datatype items isDefault"
)
plain("CreateOpFamilyStmt", "create", "CREATE OPERATOR FAMILY", "opfamilyname amname")
plain(
    "CreateConversionStmt",
    "create",
    "CREATE CONVERSION",
    "conversion_name for_encoding_name to_encoding_name func_name def",
)
plain(
    "CreateForeignTableStmt", "admin", "CREATE FOREIGN TABLE", "base servername options", _CREATE, "base"
)  # fmt: skip


@STATEMENTS.node("ViewStmt", "view aliases query replace options withCheckOption")
def create_view(read: Reader, body: Node) -> Statement:
    """Planned, not run; but what the body reads becomes readable through the view."""
    name = relation_name(body["view"])
    read.relations.append(name)
    return Statement(
        "create",
        read.query(body["query"]),
        touched=touched(read, (name, _CREATE))[:1],
        columns=tuple((name, column) for column in strings(body.get("aliases", []))),
        executes=False,
        returns_body=False,
        creates=name,
        detail="CREATE VIEW",
        options=flags(body),
    )


# ---------------------------------------------------------------- ALTER

_ALTER: Final = Access.ALTER

#: ALTER TABLE commands that change who may do what
_RIGHTS: Final = words(
    "AT_ChangeOwner AT_EnableRowSecurity AT_DisableRowSecurity AT_ForceRowSecurity AT_NoForceRowSecurity"
)


def _alter_table_kind(body: Node) -> str:
    commands = {node["AlterTableCmd"]["subtype"] for node in body["cmds"]}
    return "grant" if commands & _RIGHTS else "alter"


def _altered(field: str) -> Callable[[Node], str]:
    return lambda body: "ALTER " + object_words(body[field])


def _object_kind(kind: str, field: str) -> Callable[[Node], str]:
    return lambda body: "admin" if body[field] in ADMIN_OBJECTS else kind


plain("AlterTableStmt", _alter_table_kind, _altered("objtype"), "relation cmds objtype missing_ok", _ALTER)
plain(
    "RenameStmt",
    _object_kind("alter", "renameType"),
    lambda body: f"ALTER {object_words(body['renameType'])} RENAME",
    "renameType relationType relation object subname newname behavior missing_ok",
    _ALTER,
)
plain(
    "AlterObjectSchemaStmt",
    _object_kind("alter", "objectType"),
    lambda body: f"ALTER {object_words(body['objectType'])} SET SCHEMA",
    "objectType relation object newschema missing_ok",
    _ALTER,
)
plain("AlterObjectDependsStmt", "alter", _altered("objectType"), "objectType relation object extname remove", _ALTER)
plain("AlterDomainStmt", "alter", "ALTER DOMAIN", "subtype typeName name def behavior missing_ok")
plain("AlterSeqStmt", "alter", "ALTER SEQUENCE", "sequence options for_identity missing_ok", _ALTER, "sequence")
plain("AlterEnumStmt", "alter", "ALTER TYPE", "typeName oldVal newVal newValNeighbor newValIsAfter skipIfNewValExists")
plain("AlterTypeStmt", "alter", "ALTER TYPE", "typeName options")
plain("AlterFunctionStmt", "alter", _altered("objtype"), "objtype func actions")
plain("AlterOperatorStmt", "alter", "ALTER OPERATOR", "opername options")
plain("AlterOpFamilyStmt", "alter", "ALTER OPERATOR FAMILY", "opfamilyname amname isDrop items")
plain("AlterCollationStmt", "alter", "ALTER COLLATION", "collname")
plain("AlterStatsStmt", "alter", "ALTER STATISTICS", "defnames stxstattarget missing_ok")
plain("AlterTSDictionaryStmt", "alter", "ALTER TEXT SEARCH DICTIONARY", "dictname options")
plain(
    "AlterTSConfigurationStmt",
    "alter",
    "ALTER TEXT SEARCH CONFIGURATION",
    "kind cfgname tokentype dicts override replace missing_ok",
)

# ---------------------------------------------------------------- DROP and COMMENT

_RELATIONS: Final = frozenset("OBJECT_" + name for name in words("TABLE VIEW MATVIEW FOREIGN_TABLE INDEX SEQUENCE"))
#: objects that are named as a part of a relation: the last identifier is theirs
_OF_RELATIONS: Final = frozenset("OBJECT_" + name for name in words("TRIGGER POLICY RULE TABCONSTRAINT COLUMN"))


def _object_relation(object_type: str, node: Node, access: Access, parent: Access) -> Iterator[tuple[Name, Access]]:
    """The relation that an object's name speaks of."""
    if object_type in _RELATIONS:
        yield strings(items(node)), access
    elif object_type in _OF_RELATIONS:
        yield strings(items(node))[:-1], parent


@STATEMENTS.node("DropStmt", "objects removeType behavior missing_ok concurrent")
def drop(read: Reader, body: Node) -> Statement:
    kind = body["removeType"]
    survey(read, body["objects"])
    named = [pair for node in body["objects"] for pair in _object_relation(kind, node, Access.DROP, Access.ALTER)]
    return Statement(
        "admin" if kind in ADMIN_OBJECTS else "drop",
        touched=touched(read, *named),
        detail="DROP " + object_words(kind),
        options=flags(body),
    )


@STATEMENTS.node("CommentStmt", "objtype object comment")
def comment(read: Reader, body: Node) -> Statement:
    kind = body["objtype"]
    survey(read, body["object"])
    named = tuple(_object_relation(kind, body["object"], Access.OTHER, Access.OTHER))
    column = strings(items(body["object"]))[-1:] if kind == "OBJECT_COLUMN" else ()
    return Statement(
        "comment",
        touched=touched(read, *named),
        columns=tuple((named[0][0], name) for name in column),
        detail="COMMENT ON " + object_words(kind),
    )
