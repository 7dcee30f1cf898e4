"""Looking after tables, rows in bulk, files, and what reaches out of the database. MySQL 9 manual, 15.2, 15.7.3-8."""

from __future__ import annotations

from rules.mysql.refusal import Refused
from rules.mysql.utility.forms import MARIADB, MYSQL, Form, Notes, admin, form, rule
from rules.tree import Statement

# ---------------------------------------------------------------- tables

rule("unlogged", "NO_WRITE_TO_BINLOG | LOCAL")
rule("tables_word", "TABLES | TABLE")
rule("upkept", "<table:OTHER>")
rule("histogram_update", "UPDATE HISTOGRAM ON <identifier> ... [<buckets>]")
rule("buckets", "WITH <number> BUCKETS [(MANUAL | AUTO) UPDATE] | (MANUAL | AUTO) UPDATE | USING DATA <string>")
rule("persistent", "PERSISTENT FOR (ALL | COLUMNS <names> INDEXES <names>)")
rule("names", 'ALL | "(" [<identifier> ...] ")"')
rule("check_option", "FOR UPGRADE | QUICK | FAST | MEDIUM | EXTENDED | CHANGED")
rule("repair_option", "QUICK | EXTENDED | USE_FRM | FORCE")

_KEPT = "maintenance"
form("truncate", "TRUNCATE", "TRUNCATE [TABLE] <table:TRUNCATE> [<wait>]")
form(
    _KEPT,
    "ANALYZE TABLE",
    "ANALYZE [<unlogged>] <tables_word> <upkept> (<histogram_update> | DROP HISTOGRAM ON <identifier> ...)",
)
form(_KEPT, "ANALYZE TABLE", "ANALYZE [<unlogged>] <tables_word> (<upkept> [<persistent>]) ...")
form(_KEPT, "CHECK TABLE", "CHECK <tables_word> <upkept> ... {<check_option>}")
form(_KEPT, "CHECK VIEW", "CHECK VIEW <upkept> ... [FOR UPGRADE]", MARIADB)
form(_KEPT, "CHECKSUM TABLE", "CHECKSUM <tables_word> <table:SELECT> ... [QUICK | EXTENDED]")
form(_KEPT, "OPTIMIZE TABLE", "OPTIMIZE [<unlogged>] <tables_word> <upkept> ... [<wait>]")
form(_KEPT, "REPAIR TABLE", "REPAIR [<unlogged>] <tables_word> <upkept> ... {<repair_option>}")
form(_KEPT, "REPAIR VIEW", "REPAIR [<unlogged>] VIEW <upkept> ... [FROM MYSQL]", MARIADB)
rule("index_list", '(INDEX | KEY) "(" [<index_name> ...] ")"')
rule("index_name", "PRIMARY | <identifier>")
rule("cached", '<upkept> [PARTITION "(" (ALL | <identifier> ...) ")"] [<index_list>]')
form(_KEPT, "CACHE INDEX", "CACHE INDEX <cached> ... IN (DEFAULT | <identifier>)")
form(_KEPT, "LOAD INDEX INTO CACHE", "LOAD INDEX INTO CACHE (<cached> [IGNORE LEAVES]) ...")

# ---------------------------------------------------------------- rows past the masks

#: HANDLER reads a table's rows as they are stored, by a name given in another statement
admin("HANDLER OPEN", "HANDLER <table:SELECT> OPEN [[AS] <identifier>]")
rule("seek", '("=" | "<=" | ">=" | "<" | ">") "(" <expression> ... ")" | FIRST | NEXT | PREV | LAST')
rule("handler_rest", "[WHERE <expression>] [<limit>]")
admin("HANDLER READ", "HANDLER <table:SELECT> READ ((FIRST | NEXT) | <index_name> <seek>) <handler_rest>")
admin("HANDLER CLOSE", "HANDLER <table:SELECT> CLOSE")

# ---------------------------------------------------------------- files

rule("charset", "DEFAULT | BINARY | <identifier> | <string>")
rule("character_set", "CHARACTER SET | CHARSET")
rule("field_option", "TERMINATED BY <bytes> | [OPTIONALLY] ENCLOSED BY <bytes> | ESCAPED BY <bytes>")
rule("line_option", "TERMINATED BY <bytes> | STARTING BY <bytes>")
rule("load_target", "<uservar> | <column>")
rule("load_set", 'SET (<column> "=" (DEFAULT | <expression>)) ...')
rule("partitions", 'PARTITION "(" <identifier> ... ")"')
rule(
    "load_rest",
    """INFILE <string> [REPLACE | IGNORE] INTO TABLE <table:INSERT> [<partitions>] [<character_set> <charset>] [ROWS
    IDENTIFIED BY <bytes>] [(FIELDS | COLUMNS) <field_option> {<field_option>}] [LINES <line_option>
    {<line_option>}] [IGNORE <number> (LINES | ROWS)] ["(" [<load_target> ...] ")"] [<load_set>]""",
)


def _local(found: Notes, made: Form) -> Statement:
    """The server would ask the client for the file; the gate offers no such thing on either side."""
    raise Refused("local-infile", "LOAD DATA LOCAL has the server fetch a file from the client, which dbgate "
                  "never lets it do", "send the rows with INSERT")  # fmt: skip


form("file_io", "LOAD DATA", "LOAD (DATA | XML) [LOW_PRIORITY | CONCURRENT] <load_rest>")
form("copy_in", "LOAD DATA LOCAL", "LOAD (DATA | XML) [LOW_PRIORITY | CONCURRENT] LOCAL <load_rest>", make=_local)
form("file_io", "IMPORT TABLE", "IMPORT TABLE FROM <string> ...", MYSQL)
admin("CLONE", 'CLONE LOCAL DATA DIRECTORY ["="] <string>', MYSQL)
admin(
    "CLONE",
    """CLONE INSTANCE FROM <account> ":" <number> IDENTIFIED BY <string> [DATA DIRECTORY ["="] <string>] [REQUIRE [NO]
    SSL]""",
    MYSQL,
)

# ---------------------------------------------------------------- FLUSH

rule(
    "flush_logs",
    "BINARY LOGS | ENGINE LOGS | ERROR LOGS | GENERAL LOGS | SLOW LOGS | RELAY LOGS [<string>] [<channel>] | LOGS",
)
rule("flush_caches", "HOSTS | PRIVILEGES | OPTIMIZER_COSTS | STATUS | USER_RESOURCES | QUERY CACHE | DES_KEY_FILE")
rule(
    "flush_mariadb",
    """MASTER | (REPLICA | SLAVE) [<string>] [<channel>] | SSL | USER_STATISTICS | TABLE_STATISTICS | INDEX_STATISTICS
    | CLIENT_STATISTICS | USER_VARIABLES | QUERY_RESPONSE_TIME""",
)
rule("flushed", "<flush_logs> | <flush_caches> | <flush_mariadb>")
rule("flush_lock", "WITH READ LOCK [AND DISABLE CHECKPOINT] | FOR EXPORT")

form("lock", "FLUSH TABLES WITH READ LOCK", "FLUSH [<unlogged>] <tables_word> <table:LOCK> ... <flush_lock>")
admin("FLUSH TABLES WITH READ LOCK", "FLUSH [<unlogged>] <tables_word> <flush_lock>")
form(_KEPT, "FLUSH TABLES", "FLUSH [<unlogged>] <tables_word> [<upkept> ...]")
admin("FLUSH", "FLUSH [<unlogged>] <flushed> ...")

# ---------------------------------------------------------------- the server

admin("SHUTDOWN", "SHUTDOWN [WAIT FOR ALL (SLAVES | REPLICAS)]")
admin("RESTART", "RESTART", MYSQL)
admin("PURGE BINARY LOGS", "PURGE (BINARY | MASTER) LOGS (TO <string> | BEFORE <expression>)")
admin("BINLOG", "BINLOG <string>")
admin("INSTALL PLUGIN", "INSTALL PLUGIN [IF NOT EXISTS] <identifier> SONAME <string>")
admin("INSTALL SONAME", "INSTALL SONAME <string>", MARIADB)
rule("component_setting", '[GLOBAL | PERSIST] <identifier> ["." <identifier>] ("=" | ":=") (ON | <expression>)')
admin("INSTALL COMPONENT", "INSTALL COMPONENT <string> ... [SET <component_setting> ...]", MYSQL)
admin("UNINSTALL PLUGIN", "UNINSTALL PLUGIN [IF EXISTS] <identifier>")
admin("UNINSTALL SONAME", "UNINSTALL SONAME [IF EXISTS] <string>", MARIADB)
admin("UNINSTALL COMPONENT", "UNINSTALL COMPONENT <string> ...", MYSQL)

# ---------------------------------------------------------------- replication


def replication(detail: str, pattern: str, brand: str = "") -> None:
    form("replication", detail, pattern, brand)


rule("replica", "REPLICA | SLAVE")
rule("replicas", "REPLICAS | SLAVES")
rule("threads", "(IO_THREAD | SQL_THREAD | RELAY_THREAD) ...")
rule("option_name", "<word>")
rule("option_value", '"(" [<option_value> ...] ")" | <literal> | <account> | <word>')
rule("option_pair", '<option_name> "=" <option_value>')
rule("filter_value", '<string> | <qualified> | "(" [<filter_value> ...] ")"')
rule("filter", '<word> "=" "(" [<filter_value> ...] ")"')
rule("until", "UNTIL (SQL_AFTER_MTS_GAPS | <option_pair> ...)")
rule("credentials", 'USER "=" <string> | PASSWORD "=" <string> | DEFAULT_AUTH "=" <string> | PLUGIN_DIR "=" <string>')

replication("CHANGE REPLICATION SOURCE", "CHANGE REPLICATION SOURCE TO <option_pair> ... [<channel>]", MYSQL)
replication("CHANGE REPLICATION FILTER", "CHANGE REPLICATION FILTER <filter> ... [<channel>]", MYSQL)
replication("CHANGE MASTER", "CHANGE MASTER [<string>] TO <option_pair> ... [<channel>]", MARIADB)
replication("START REPLICA", "START <replica> [<string>] [<threads>] [<until>] {<credentials>} [<channel>]")
replication("START REPLICA", "START ALL <replicas> [<threads>]", MARIADB)
replication("STOP REPLICA", "STOP <replica> [<string>] [<threads>] [<channel>]")
replication("STOP REPLICA", "STOP ALL <replicas> [<threads>]", MARIADB)
replication("GROUP_REPLICATION", "(START | STOP) GROUP_REPLICATION [<credentials> ...]", MYSQL)
rule(
    "reset",
    "BINARY LOGS AND GTIDS [TO <number>] | MASTER [TO <number>] | <replica> [<string>] [ALL] [<channel>] | QUERY CACHE",
)
replication("RESET", "RESET <reset> ...")
admin("RESET PERSIST", 'RESET PERSIST [[IF EXISTS] <identifier> ["." <identifier>]]', MYSQL)
