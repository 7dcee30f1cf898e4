"""Rights, maintenance, locks, messages, code blocks and administration."""

from __future__ import annotations

from typing import Final

from rules.postgres.nodes import EXPRESSIONS, STATEMENTS, Node, Reader, strings
from rules.postgres.sources import relation_name
from rules.postgres.statements import options, settings_of
from rules.postgres.survey import ADMIN_OBJECTS, flags, object_words, plain, survey, touched
from rules.tree import Access, Call, Statement

# ---------------------------------------------------------------- rows and locks

plain("TruncateStmt", "truncate", "TRUNCATE", "relations restart_seqs behavior", Access.TRUNCATE, "relations")
plain("LockStmt", "lock", "LOCK", "relations mode nowait", Access.LOCK, "relations")

# ---------------------------------------------------------------- messages

plain("ListenStmt", "listen", "LISTEN", "conditionname")
plain("UnlistenStmt", "listen", "UNLISTEN", "conditionname")
plain("NotifyStmt", "notify", "NOTIFY", "conditionname payload")

# ---------------------------------------------------------------- code

plain("DoStmt", "do", "DO", "args")
plain("LoadStmt", "file_io", "LOAD", "filename")


@STATEMENTS.node("CallStmt", "funccall")
def call(read: Reader, body: Node) -> Statement:
    """The procedure's own call comes first in `calls`, then the calls inside its arguments."""
    made = EXPRESSIONS.read_body(read, "FuncCall", body["funccall"])
    inner = [c for c in read.calls if c is not made]
    calls = ((made,) if isinstance(made, Call) else ()) + tuple(inner)
    return Statement("call", touched=touched(read, others=Access.SELECT), calls=calls, detail="CALL")


# ---------------------------------------------------------------- maintenance


@STATEMENTS.node("VacuumStmt", "options rels is_vacuumcmd")
def vacuum(read: Reader, body: Node) -> Statement:
    survey(read, body.get("options", []))
    targets = [node["VacuumRelation"] for node in body.get("rels", [])]
    named = [(relation_name(target["relation"]), Access.OTHER) for target in targets]
    columns = [
        (name, column)
        for target, (name, _) in zip(targets, named, strict=True)
        for column in strings(target.get("va_cols", []))
    ]
    return Statement(
        "maintenance",
        touched=touched(read, *named),
        columns=tuple(columns),
        detail="VACUUM" if "is_vacuumcmd" in body else "ANALYZE",
        options=options(body),
    )


plain("ClusterStmt", "maintenance", "CLUSTER", "relation indexname params")
plain("ReindexStmt", "maintenance", "REINDEX", "kind relation name params")
plain("RefreshMatViewStmt", "maintenance", "REFRESH MATERIALIZED VIEW", "concurrent skipData relation")
plain("CheckPointStmt", "maintenance", "CHECKPOINT", "")

# ---------------------------------------------------------------- rights


def _grant_word(body: Node) -> str:
    return "GRANT" if "is_grant" in body else "REVOKE"


plain(
    "GrantStmt",
    lambda body: "admin" if body["objtype"] in ADMIN_OBJECTS else "grant",
    _grant_word,
    "is_grant targtype objtype objects privileges grantees grant_option grantor behavior",
    at="objects",
)
plain("GrantRoleStmt", "admin", _grant_word, "granted_roles grantee_roles is_grant opt grantor behavior")
plain("AlterDefaultPrivilegesStmt", "grant", "ALTER DEFAULT PRIVILEGES", "options action")
plain(
    "AlterOwnerStmt",
    lambda body: "admin" if body["objectType"] in ADMIN_OBJECTS else "grant",
    lambda body: f"ALTER {object_words(body['objectType'])} OWNER",
    "objectType relation object newowner",
    Access.ALTER,
)
plain(
    "CreatePolicyStmt",
    "grant",
    "CREATE POLICY",
    "policy_name table cmd_name permissive roles qual with_check",
    Access.CREATE,
    "table",
)
plain("AlterPolicyStmt", "grant", "ALTER POLICY", "policy_name table roles qual with_check", Access.ALTER, "table")
plain("SecLabelStmt", "admin", "SECURITY LABEL", "objtype object provider label")

# ---------------------------------------------------------------- administration


@STATEMENTS.node("AlterSystemStmt", "setstmt")
def alter_system(_read: Reader, body: Node) -> Statement:
    return Statement("admin", settings=settings_of(body["setstmt"]), detail="ALTER SYSTEM")


@STATEMENTS.node("AlterRoleSetStmt", "role database setstmt")
def alter_role_set(_read: Reader, body: Node) -> Statement:
    return Statement("admin", settings=settings_of(body["setstmt"]), detail="ALTER ROLE SET")


@STATEMENTS.node("AlterDatabaseSetStmt", "dbname setstmt")
def alter_database_set(_read: Reader, body: Node) -> Statement:
    return Statement("admin", settings=settings_of(body["setstmt"]), detail="ALTER DATABASE SET", options=flags(body))


#: node -> (words, fields): everything that only an administrator does
_ADMIN: Final = {
    "CreateRoleStmt": ("CREATE ROLE", "stmt_type role options"),
    "AlterRoleStmt": ("ALTER ROLE", "role options action"),
    "DropRoleStmt": ("DROP ROLE", "roles missing_ok"),
    "DropOwnedStmt": ("DROP OWNED", "roles behavior"),
    "ReassignOwnedStmt": ("REASSIGN OWNED", "roles newrole"),
    "CreatedbStmt": ("CREATE DATABASE", "dbname options"),
    "AlterDatabaseStmt": ("ALTER DATABASE", "dbname options"),
    "AlterDatabaseRefreshCollStmt": ("ALTER DATABASE", "dbname"),
    "DropdbStmt": ("DROP DATABASE", "dbname missing_ok options"),
    "CreateTableSpaceStmt": ("CREATE TABLESPACE", "tablespacename owner location options"),
    "DropTableSpaceStmt": ("DROP TABLESPACE", "tablespacename missing_ok"),
    "AlterTableSpaceOptionsStmt": ("ALTER TABLESPACE", "tablespacename options isReset"),
    "AlterTableMoveAllStmt": ("ALTER TABLE ALL", "orig_tablespacename objtype roles new_tablespacename nowait"),
    "CreateExtensionStmt": ("CREATE EXTENSION", "extname if_not_exists options"),
    "AlterExtensionStmt": ("ALTER EXTENSION", "extname options"),
    "AlterExtensionContentsStmt": ("ALTER EXTENSION", "extname action objtype object"),
    "CreateFdwStmt": ("CREATE FOREIGN DATA WRAPPER", "fdwname func_options options"),
    "AlterFdwStmt": ("ALTER FOREIGN DATA WRAPPER", "fdwname func_options options"),
    "CreateForeignServerStmt": ("CREATE SERVER", "servername servertype version fdwname if_not_exists options"),
    "AlterForeignServerStmt": ("ALTER SERVER", "servername version options has_version"),
    "CreateUserMappingStmt": ("CREATE USER MAPPING", "user servername if_not_exists options"),
    "AlterUserMappingStmt": ("ALTER USER MAPPING", "user servername options"),
    "DropUserMappingStmt": ("DROP USER MAPPING", "user servername missing_ok"),
    "ImportForeignSchemaStmt": (
        "IMPORT FOREIGN SCHEMA",
        "server_name remote_schema local_schema list_type table_list options",
    ),
    "CreateAmStmt": ("CREATE ACCESS METHOD", "amname handler_name amtype"),
    "CreateEventTrigStmt": ("CREATE EVENT TRIGGER", "trigname eventname whenclause funcname"),
    "AlterEventTrigStmt": ("ALTER EVENT TRIGGER", "trigname tgenabled"),
    "CreatePLangStmt": ("CREATE LANGUAGE", "replace plname plhandler plinline plvalidator pltrusted"),
    "CreateCastStmt": ("CREATE CAST", "sourcetype targettype func context inout"),
    "CreateTransformStmt": ("CREATE TRANSFORM", "replace type_name lang fromsql tosql"),
    "CreatePublicationStmt": ("CREATE PUBLICATION", "pubname options pubobjects for_all_tables"),
    "AlterPublicationStmt": ("ALTER PUBLICATION", "pubname options pubobjects for_all_tables action"),
    "CreateSubscriptionStmt": ("CREATE SUBSCRIPTION", "subname conninfo publication options"),
    "AlterSubscriptionStmt": ("ALTER SUBSCRIPTION", "kind subname conninfo publication options"),
    "DropSubscriptionStmt": ("DROP SUBSCRIPTION", "subname missing_ok behavior"),
}
for _name, (_words, _fields) in _ADMIN.items():
    plain(_name, "admin", _words, _fields)
