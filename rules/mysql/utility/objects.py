"""Databases, views, stored programs, and what belongs to the server. MySQL 9 manual, 15.1 and 15.7."""

from __future__ import annotations

from dataclasses import replace

from rules.mysql.utility.forms import MARIADB, MYSQL, Form, Notes, admin, form, plain, rule
from rules.tree import Statement

# ---------------------------------------------------------------- databases

rule(
    "database_option",
    """<table_charset> | [DEFAULT] ENCRYPTION <equals> <string> | READ ONLY <equals> (DEFAULT | <number>)
    | COMMENT <equals> <string>""",
)
form(
    "create",
    "CREATE DATABASE",
    "CREATE [<replaces>] (DATABASE | SCHEMA) [<not_exists>] <identifier> {<database_option>}",
)
form("alter", "ALTER DATABASE", "ALTER (DATABASE | SCHEMA) <identifier> UPGRADE DATA DIRECTORY NAME", MARIADB)
form("alter", "ALTER DATABASE", "ALTER (DATABASE | SCHEMA) <database_option> {<database_option>}")
form("alter", "ALTER DATABASE", "ALTER (DATABASE | SCHEMA) <identifier> <database_option> {<database_option>}")
admin("DROP DATABASE", "DROP (DATABASE | SCHEMA) [<exists>] <identifier>")

# ---------------------------------------------------------------- views

rule("algorithm", 'ALGORITHM "=" (UNDEFINED | MERGE | TEMPTABLE)')
rule("definer", 'DEFINER "=" <account>')
rule("security", "SQL SECURITY (DEFINER | INVOKER)")
rule("check_clause", "WITH [CASCADED | LOCAL] CHECK OPTION")
rule("view_tail", "<table:CREATE> [<column_names>] AS <query> [<check_clause>]")


def _create_view(found: Notes, made: Form) -> Statement:
    """Planned, not run; but what the body reads becomes readable through the view."""
    statement = plain(found, made)
    return replace(
        statement, body=found.first("body"), executes=False, returns_body=False, creates=statement.touched[0].name
    )


form(
    "create",
    "CREATE VIEW",
    "CREATE [<replaces>] [<algorithm>] [<definer>] [<security>] VIEW [<not_exists>] <view_tail>",
    make=_create_view,
)
form(
    "alter", "ALTER VIEW", "ALTER [<algorithm>] [<definer>] [<security>] VIEW [<exists>] <view_tail>", make=_create_view
)
form("drop", "DROP VIEW", "DROP VIEW [<exists>] <table:DROP> ... [RESTRICT | CASCADE]")

# ---------------------------------------------------------------- stored programs

rule("direction", "IN OUT | INOUT | OUT | IN")
rule("argument", "[<direction>] <identifier> <type> {<type_charset>}")
rule("arguments", '"(" [<argument> ...] ")"')
rule(
    "characteristic_of_routine",
    """LANGUAGE (SQL | <identifier>) | [NOT] DETERMINISTIC | CONTAINS SQL | NO SQL | READS SQL DATA | MODIFIES SQL DATA
    | <security> | COMMENT <string>""",
)
rule("characteristics", "{<characteristic_of_routine>}")
form(
    "create", "CREATE PROCEDURE",
    "CREATE [<replaces>] [<definer>] PROCEDURE [<not_exists>] <qualified> <arguments> <characteristics> <inner>",
)  # fmt: skip
form(
    "create", "CREATE FUNCTION",
    """CREATE [<replaces>] [<definer>] [AGGREGATE] FUNCTION [<not_exists>] <qualified> <arguments>
    RETURNS <type> {<type_charset>} <characteristics> <inner>""",
)  # fmt: skip
#: a function of a shared library: the server's own process runs its code
admin(
    "CREATE FUNCTION",
    """CREATE [<replaces>] [AGGREGATE] FUNCTION [<not_exists>] <qualified> RETURNS (STRING | INTEGER | INT | REAL |
    DECIMAL) SONAME <string>""",
)
form("alter", "ALTER PROCEDURE", "ALTER PROCEDURE <qualified> <characteristics>")
form("alter", "ALTER FUNCTION", "ALTER FUNCTION <qualified> <characteristics>")
form("drop", "DROP PROCEDURE", "DROP PROCEDURE [<exists>] <qualified>")
form("drop", "DROP FUNCTION", "DROP FUNCTION [<exists>] <qualified>")
form("drop", "DROP LIBRARY", "DROP LIBRARY [<exists>] <qualified>", MYSQL)
form(
    "create", "CREATE TRIGGER",
    """CREATE [<replaces>] [<definer>] TRIGGER [<not_exists>] <qualified> (BEFORE | AFTER) (INSERT | UPDATE | DELETE)
    ON <table:CREATE> FOR EACH ROW [(FOLLOWS | PRECEDES) <qualified>] <inner>""",
)  # fmt: skip
form("drop", "DROP TRIGGER", "DROP TRIGGER [<exists>] <qualified>")

rule("schedule", "AT <expression> | EVERY <interval_amount> <word> [STARTS <expression>] [ENDS <expression>]")
rule("completion", "ON COMPLETION [NOT] PRESERVE")
rule("enabled", "ENABLE | DISABLE ON (SLAVE | REPLICA) | DISABLE")
form(
    "create",
    "CREATE EVENT",
    """CREATE [<replaces>] [<definer>] EVENT [<not_exists>] <qualified> ON SCHEDULE <schedule> [<completion>]
    [<enabled>] [COMMENT <string>] DO <inner>""",
)
form(
    "alter", "ALTER EVENT",
    """ALTER [<definer>] EVENT <qualified> [ON SCHEDULE <schedule>] [<completion>] [RENAME TO <qualified>] [<enabled>]
    [COMMENT <string>] [DO <inner>]""",
)  # fmt: skip
form("drop", "DROP EVENT", "DROP EVENT [<exists>] <qualified>")

# ---------------------------------------------------------------- the server's own

rule("server_option", "(HOST | DATABASE | USER | PASSWORD | SOCKET | OWNER | PORT | <identifier>) <literal>")
rule("server_options", 'OPTIONS "(" <server_option> ... ")"')
admin(
    "CREATE SERVER",
    "CREATE [<replaces>] SERVER [<not_exists>] <word_or_string> FOREIGN DATA WRAPPER <word_or_string> <server_options>",
)
admin("ALTER SERVER", "ALTER SERVER <word_or_string> <server_options>")
admin("DROP SERVER", "DROP SERVER [<exists>] <word_or_string>")

rule(
    "tablespace_option",
    """ADD DATAFILE <string> | DROP DATAFILE <string> | USE LOGFILE GROUP <identifier> | RENAME TO <identifier>
    | SET (ACTIVE | INACTIVE) | WAIT | NO_WAIT | ENGINE <equals> <word_or_string>
    | (AUTOEXTEND_SIZE | FILE_BLOCK_SIZE | ENCRYPTION | EXTENT_SIZE | INITIAL_SIZE | MAX_SIZE | UNDO_BUFFER_SIZE
    | REDO_BUFFER_SIZE | NODEGROUP | COMMENT | ENGINE_ATTRIBUTE) <equals> (<literal> | <word> | <identifier>)
    | ADD (UNDOFILE | REDOFILE) <string>""",
)
admin("CREATE TABLESPACE", 'CREATE [UNDO] TABLESPACE <identifier> {[","] <tablespace_option>}')
admin("ALTER TABLESPACE", 'ALTER [UNDO] TABLESPACE <identifier> {[","] <tablespace_option>}')
admin("DROP TABLESPACE", 'DROP [UNDO] TABLESPACE <identifier> {[","] <tablespace_option>}')
admin("LOGFILE GROUP", '(CREATE | ALTER | DROP) LOGFILE GROUP <identifier> {[","] <tablespace_option>}')

admin(
    "ALTER INSTANCE",
    """ALTER INSTANCE (ROTATE (INNODB | BINLOG) MASTER KEY | (ENABLE | DISABLE) INNODB REDO_LOG | RELOAD KEYRING
    | RELOAD TLS [FOR CHANNEL <identifier>] [NO ROLLBACK ON ERROR])""",
    MYSQL,
)
rule("cpus", '<number> ["-" <number>]')
rule(
    "group_option",
    "TYPE <equals> <word> | VCPU <equals> <cpus> ... | THREAD_PRIORITY <equals> <literal> | ENABLE | DISABLE | FORCE",
)
admin("RESOURCE GROUP", "(CREATE | ALTER | DROP) RESOURCE GROUP <identifier> {<group_option>}", MYSQL)
admin("SET RESOURCE GROUP", "SET RESOURCE GROUP <identifier> [FOR <number> ...]", MYSQL)
rule(
    "reference_option",
    "NAME <string> | DEFINITION <string> | ORGANIZATION <string> IDENTIFIED BY <number> | DESCRIPTION <string>",
)
admin(
    "CREATE SPATIAL REFERENCE SYSTEM",
    "CREATE [<replaces>] SPATIAL REFERENCE SYSTEM [<not_exists>] <number> {<reference_option>}",
    MYSQL,
)
admin("DROP SPATIAL REFERENCE SYSTEM", "DROP SPATIAL REFERENCE SYSTEM [<exists>] <number>", MYSQL)
