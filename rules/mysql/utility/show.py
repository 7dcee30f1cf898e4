"""SHOW, HELP and USE.

What a table looks like is shown to whoever may reach the table: it is `Touched` with Access.OTHER. What shows other
sessions, accounts or the server's inside is kind `admin`. MySQL 9 manual, 15.7.7; MariaDB knowledge base, "SHOW".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rules.mysql.utility.forms import MARIADB, MYSQL, Form, Notes, admin, form, plain, rule
from rules.tree import Setting, Statement

#: `hold` words that a law for roles with hidden data looks for in `Facts.detail`
COUNTERS: Final = "SHOW STATUS COUNTERS"

rule("in_database", "(FROM | IN) <identifier>")
rule("of_table", "(FROM | IN) <table:OTHER> [(FROM | IN) <database>]")
rule("like", "LIKE <string:like> | WHERE <expression>")
rule("limit", 'LIMIT <row_count> ["," <row_count> | OFFSET <row_count>]')
rule("row_count", "<number> | <parameter>")
rule("scope", "GLOBAL | SESSION | LOCAL")
rule("channel", "FOR CHANNEL <string>")
rule("routine", '<identifier> ["." <identifier>]')


def show(detail: str, pattern: str, brand: str = "") -> None:
    form("show", detail, "SHOW " + pattern, brand)


# ---------------------------------------------------------------- structure

show("SHOW DATABASES", "(DATABASES | SCHEMAS) [<like>]")
show("SHOW TABLES", "[EXTENDED] [FULL] TABLES [<in_database>] [<like>]")
show("SHOW COLUMNS", "[EXTENDED] [FULL] (COLUMNS | FIELDS) <of_table> [<like>]")
show("SHOW INDEX", "[EXTENDED] (INDEX | INDEXES | KEYS) <of_table> [WHERE <expression>]")
show("SHOW TABLE STATUS", "TABLE STATUS [<in_database>] [<like>]")
show("SHOW OPEN TABLES", "OPEN TABLES [<in_database>] [<like>]")
show("SHOW TRIGGERS", "[FULL] TRIGGERS [<in_database>] [<like>]")
show("SHOW EVENTS", "EVENTS [<in_database>] [<like>]")
show("SHOW ROUTINE STATUS", "(PROCEDURE | FUNCTION) STATUS [<like>]")
show("SHOW LIBRARY STATUS", "LIBRARY STATUS [<like>]", MYSQL)
show("SHOW PACKAGE STATUS", "PACKAGE [BODY] STATUS [<like>]", MARIADB)
show("SHOW CREATE TABLE", "CREATE TABLE <table:OTHER>")
show("SHOW CREATE VIEW", "CREATE VIEW <table:OTHER>")
show("SHOW CREATE SEQUENCE", "CREATE SEQUENCE <table:OTHER>", MARIADB)
show("SHOW CREATE DATABASE", "CREATE (DATABASE | SCHEMA) [IF NOT EXISTS] <identifier>")
show("SHOW CREATE ROUTINE", "CREATE (PROCEDURE | FUNCTION | TRIGGER | EVENT) <routine>")
show("SHOW CREATE LIBRARY", "CREATE LIBRARY <routine>", MYSQL)
show("SHOW CREATE PACKAGE", "CREATE PACKAGE [BODY] <routine>", MARIADB)

# ---------------------------------------------------------------- the server and the session

show("SHOW CHARACTER SET", "(CHARACTER SET | CHARSET) [<like>]")
show("SHOW COLLATION", "COLLATION [<like>]")
show("SHOW ENGINES", "[STORAGE] ENGINES")
show("SHOW PLUGINS", "PLUGINS")
show("SHOW PLUGINS", "PLUGINS SONAME (<string> | <like>)", MARIADB)
show("SHOW PRIVILEGES", "PRIVILEGES")
show("SHOW VARIABLES", "[<scope>] VARIABLES [<like>]")
show("SHOW WARNINGS", "WARNINGS [<limit>]")
show("SHOW ERRORS", "ERRORS [<limit>]")
show("SHOW COUNT(*)", 'COUNT "(" "*" ")" (WARNINGS | ERRORS)')
show("SHOW AUTHORS", "AUTHORS", MARIADB)
show("SHOW CONTRIBUTORS", "CONTRIBUTORS", MARIADB)
show("SHOW LOCALES", "LOCALES", MARIADB)
#: MariaDB's grants show the password's hash of the account that all sessions of the gate share
show("SHOW GRANTS", 'GRANTS [FOR (CURRENT_USER ["(" ")"])]', MYSQL)
admin("SHOW GRANTS", "SHOW GRANTS FOR <account> [USING <account> ...]", MYSQL)
admin("SHOW GRANTS", "SHOW GRANTS [FOR <account>]", MARIADB)
form("show", "HELP", "HELP (<string> | <identifier>)")

# ---------------------------------------------------------------- status counters

#: What begins with these tells of the connection and the server, not of rows that were read. Bytes_sent is not among
#: them: it grows by the length of a value before the gate masks it.
_HARMLESS_STATUS: Final = (
    "ssl", "tls", "current_tls", "threads", "uptime", "compression", "binlog_snapshot", "max_used", "open_",
    "connections", "aborted", "caching_sha2", "rsa", "authentication", "queries", "questions", "com_",
    "server_uid", "rpl_semi", "group_replication", "prepared_stmt_count", "wsrep_ready", "wsrep_cluster",
    "wsrep_connected", "wsrep_local_state", "wsrep_provider_name",
)  # fmt: skip


def _status(found: Notes, made: Form) -> Statement:
    """SHOW STATUS LIKE 'Ssl_cipher' is what drivers ask. Counters of rows read are an oracle on hidden rows."""
    pattern = found.first("like")
    harmless = isinstance(pattern, str) and fixed_start(pattern).startswith(_HARMLESS_STATUS)
    statement = plain(found, made)
    return statement if harmless else replace(statement, detail=COUNTERS)


def fixed_start(pattern: str) -> str:
    """What every name begins with that a LIKE pattern matches, in lower case. No name differs from another by what
    stands at the place of an underscore, which is therefore read as one."""
    return pattern.replace("\\_", "_").partition("%")[0].partition("\\")[0].lower()


form("show", "SHOW STATUS", "SHOW [<scope>] STATUS [<like>]", make=_status)

# ---------------------------------------------------------------- other sessions, accounts, the server's inside

#: words -> pattern after SHOW
_INSIDE: Final = {
    "SHOW PROCESSLIST": "[FULL] PROCESSLIST",
    "SHOW ENGINE": "ENGINE (ALL | <identifier> | <string>) (STATUS | MUTEX | LOGS)",
    "SHOW BINARY LOGS": "(BINARY | MASTER) LOGS",
    "SHOW BINARY LOG STATUS": "(BINARY LOG | MASTER | BINLOG) STATUS",
    "SHOW BINLOG EVENTS": "BINLOG EVENTS [IN <string>] [FROM <number>] [<limit>] [<channel>]",
    "SHOW RELAYLOG EVENTS": "RELAYLOG [<string>] EVENTS [IN <string>] [FROM <number>] [<limit>] [<channel>]",
    "SHOW REPLICAS": "(REPLICAS | (SLAVE | REPLICA) HOSTS)",
    "SHOW REPLICA STATUS": "((REPLICA | SLAVE) [<string>] STATUS [NONBLOCKING] [<channel>] | ALL <replicas> STATUS)",
    "SHOW PARSE_TREE": "PARSE_TREE <explained>",
    "SHOW PROFILES": "PROFILES",
    "SHOW PROFILE": "PROFILE [<profile> ...] [FOR QUERY <number>] [<limit>]",
    "SHOW ROUTINE CODE": "(PROCEDURE | FUNCTION | PACKAGE BODY) CODE <routine>",
    "SHOW CREATE USER": "CREATE USER [<account>]",
    "SHOW EXPLAIN": '(EXPLAIN | ANALYZE) [FORMAT "=" <word>] FOR <number>',
    "SHOW STATISTICS": "(CLIENT_STATISTICS | USER_STATISTICS | INDEX_STATISTICS | TABLE_STATISTICS) [<like>]",
    "SHOW QUERY_RESPONSE_TIME": "QUERY_RESPONSE_TIME",
    "SHOW WSREP": "(WSREP_MEMBERSHIP | WSREP_STATUS)",
}
rule("profile", "ALL | BLOCK IO | CONTEXT SWITCHES | CPU | IPC | MEMORY | PAGE FAULTS | SOURCE | SWAPS")
for _detail, _pattern in _INSIDE.items():
    admin(_detail, "SHOW " + _pattern)

# ---------------------------------------------------------------- USE


def _use(found: Notes, made: Form) -> Statement:
    return Statement("session", detail="USE", settings=(Setting("database", (str(found.first("database")),)),))


form("session", "USE", "USE <identifier:database>", make=_use)
