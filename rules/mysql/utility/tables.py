"""CREATE, ALTER, DROP and RENAME of tables, indexes and sequences. MySQL 9 manual, 15.1."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rules.mysql.refusal import Refused
from rules.mysql.utility import columns
from rules.mysql.utility.forms import MARIADB, Form, Notes, form, plain, rule
from rules.mysql.utility.reading import Reading
from rules.mysql.utility.terminals import terminal
from rules.tree import Access, Statement, Touched

_REGISTERED: Final = (columns,)

# ---------------------------------------------------------------- what a table option may be

#: engines that keep a table's rows in this server. Others read files, other servers or other tables.
ENGINES: Final = frozenset(
    [
        "innodb",
        "myisam",
        "memory",
        "heap",
        "aria",
        "archive",
        "blackhole",
        "ndb",
        "ndbcluster",
        "rocksdb",
        "tokudb",
        "sequence",
    ]
) - {"sequence"}


@terminal
def engine(reading: Reading, key: str) -> bool:
    """An engine's name. Raises Refused for one whose rows are elsewhere."""
    parser, at = reading.parser, reading.parser.start
    name = reading.attempt(lambda: parser.string() if reading.kind is reading.kind.STRING else parser.name("an engine"))
    if name is None:
        return False
    if name.lower() not in ENGINES:
        raise Refused("engine", f"a table of engine {name} reads other tables, files or servers", "use InnoDB", at)
    return True


@terminal
def elsewhere(reading: Reading, key: str) -> bool:
    """Options that make a table of other tables or servers."""
    if reading.word() not in _ELSEWHERE or reading.parser.peek() not in _AFTER_ELSEWHERE:
        return reading.fails()
    what = reading.word().upper()
    raise Refused("engine", f"{what} makes a table of other tables or servers", "leave it out", reading.parser.start)


_ELSEWHERE: Final = frozenset({"connection", "union"})
_AFTER_ELSEWHERE: Final = frozenset({"=", "", "("})


rule("choice", "DEFAULT | <literal> | <word> | <identifier>")
rule(
    "table_charset",
    """[DEFAULT] (CHARACTER SET | CHARSET | CHAR SET) <equals> <charset_default> | [DEFAULT] COLLATE <equals>
    <charset_default>""",
)
rule("charset_default", "DEFAULT | <charset_value>")
rule("directory", "(DATA | INDEX) DIRECTORY <equals> <string> <kind:file_io>")
rule("storage_engine", '[STORAGE] ENGINE <equals> <engine> | TYPE "=" <engine>')
rule(
    "valued_option",
    """(AUTOEXTEND_SIZE | AUTO_INCREMENT | AVG_ROW_LENGTH | CHECKSUM | TABLE_CHECKSUM | COMMENT | COMPRESSION |
    DELAY_KEY_WRITE | ENCRYPTION | ENGINE_ATTRIBUTE | SECONDARY_ENGINE_ATTRIBUTE | INSERT_METHOD | KEY_BLOCK_SIZE |
    MAX_ROWS | MIN_ROWS | PACK_KEYS | PASSWORD | ROW_FORMAT | STATS_AUTO_RECALC | STATS_PERSISTENT |
    STATS_SAMPLE_PAGES | SECONDARY_ENGINE | PAGE_CHECKSUM | TRANSACTIONAL | ENCRYPTED | ENCRYPTION_KEY_ID |
    PAGE_COMPRESSED | PAGE_COMPRESSION_LEVEL | IETF_QUOTES | SEQUENCE | NODEGROUP) <equals> <choice>""",
)
rule(
    "table_option",
    """<elsewhere> | <table_charset> | <directory> | <storage_engine> | <valued_option>
    | TABLESPACE <equals> <identifier> [STORAGE (DISK | MEMORY | DEFAULT)] | STORAGE (DISK | MEMORY)
    | WITH SYSTEM VERSIONING | START TRANSACTION""",
)
rule("table_options", '{[","] <table_option>}')

# ---------------------------------------------------------------- partitions

rule("linear", "[LINEAR]")
rule("algorithm_number", 'ALGORITHM "=" <number>')
rule("column_names", '"(" [<identifier> ...] ")"')
rule("hashed", '<linear> HASH "(" <expression> ")" | <linear> KEY [<algorithm_number>] <column_names>')
rule("interval_unit", "INTERVAL <interval_amount> <word>")
rule("interval_amount", '<literal> | "(" <expression> ")"')
rule(
    "partition_by",
    """PARTITION BY (<hashed> | (RANGE | LIST) (COLUMNS <column_names> | "(" <expression> ")")
    | SYSTEM_TIME [<interval_unit> [STARTS <literal>] | LIMIT <number>] [AUTO])
    [PARTITIONS <number>] [SUBPARTITION BY <hashed> [SUBPARTITIONS <number>]] ["(" <partition> ... ")"]""",
)
rule("partition_value", "MAXVALUE | <expression>")
rule("partition_values", '"(" (<partition_values> | <partition_value>) ... ")"')
rule("partition_bound", "LESS THAN (MAXVALUE | <partition_values>) | IN (DEFAULT | <partition_values>)")
rule(
    "partition_option",
    """<storage_engine> | COMMENT <equals> <string> | <directory> | MAX_ROWS <equals> <number> | MIN_ROWS <equals>
    <number> | TABLESPACE <equals> <identifier> | NODEGROUP <equals> <number>""",
)
rule("subpartition", "SUBPARTITION <word_or_string> {<partition_option>}")
rule(
    "partition",
    """PARTITION <identifier> [VALUES <partition_bound> | HISTORY | CURRENT | DEFAULT] {<partition_option>}
    ["(" <subpartition> ... ")"]""",
)

# ---------------------------------------------------------------- CREATE TABLE

rule("definition", "<table_constraint> | <identifier> <column_definition>")
rule("definitions", '"(" <definition> ... ")"')
rule("replaces", "OR REPLACE <note:or_replace>")
rule("temporary", "TEMPORARY <note:temporary>")
rule("filled", "[IGNORE | REPLACE] [AS] <query>")
rule("like_table", 'LIKE <table:OTHER> | "(" LIKE <table:OTHER> ")"')
rule(
    "table_content",
    """<like_table> | <definitions> <table_options> [<partition_by>] [<filled>] | <table_options> [<partition_by>]
    <filled>""",
)


def _create_table(found: Notes, made: Form) -> Statement:
    """CREATE TABLE ... SELECT fills it from the body."""
    statement = plain(found, made)
    body, name = found.first("body"), statement.touched[0].name
    words = "CREATE TABLE"
    if "or_replace" in statement.options:  # MariaDB: the one that is there goes
        words = "CREATE OR REPLACE TABLE"
        statement = replace(statement, touched=(*statement.touched, Touched(name, Access.DROP)), detail=words)
    if body is None:
        return statement
    return replace(statement, body=body, creates=name, returns_body=False, detail=f"{words} AS")


form(
    "create",
    "CREATE TABLE",
    "CREATE [<replaces>] [<temporary>] TABLE [<not_exists>] <table:CREATE> <table_content>",
    make=_create_table,
)

# ---------------------------------------------------------------- ALTER TABLE

rule("place", "FIRST | AFTER <identifier>")
rule("validation", "(WITH | WITHOUT) VALIDATION")
rule("partition_names", "ALL | <identifier> ...")
rule("to_charset", "CONVERT TO (CHARACTER SET | CHARSET | CHAR SET) <charset_default> [COLLATE <charset_value>]")
rule("column_word", "[COLUMN]")
rule(
    "alter_partition",
    """ADD PARTITION [<not_exists>] [<unlogged>] ("(" <partition> ... ")" | PARTITIONS <number>) | DROP PARTITION
    [<exists>] <identifier> ... | (DISCARD | IMPORT) PARTITION <partition_names> TABLESPACE | TRUNCATE PARTITION
    <partition_names> | COALESCE PARTITION [<unlogged>] <number> | REORGANIZE PARTITION [<unlogged>] [<identifier>
    ... INTO "(" <partition> ... ")"] | EXCHANGE PARTITION <identifier> WITH TABLE <table:ALTER> [<validation>] |
    (ANALYZE | OPTIMIZE | REBUILD) PARTITION [<unlogged>] <partition_names> | CHECK PARTITION <partition_names>
    {<check_option>} | REPAIR PARTITION [<unlogged>] <partition_names> {<repair_option>} | (SECONDARY_LOAD |
    SECONDARY_UNLOAD) | REMOVE PARTITIONING | CONVERT TABLE <table:ALTER> TO <partition> [<validation>] | CONVERT
    PARTITION <identifier> TO TABLE <table:CREATE>""",
)
rule(
    "add",
    """ADD (PERIOD FOR <identifier> "(" <identifier> "," <identifier> ")" | SYSTEM VERSIONING | <table_constraint>
    | <column_word> [<not_exists>] (<definitions> | <identifier> <column_definition> [<place>]))""",
)
rule(
    "drop",
    """DROP ((CHECK | CONSTRAINT) [<exists>] <identifier> | PRIMARY KEY | FOREIGN KEY [<exists>] <identifier>
    | <index_word> [<exists>] <index_name> | SYSTEM VERSIONING | PERIOD FOR <identifier>
    | <column_word> [<exists>] <identifier> [RESTRICT | CASCADE])""",
)
rule("set_default", "SET DEFAULT <default> | DROP DEFAULT | SET (VISIBLE | INVISIBLE)")
rule(
    "alter",
    """ALTER ((CHECK | CONSTRAINT) <identifier> <enforced> | <index_word> [<exists>] <index_name>
    (VISIBLE | INVISIBLE | [NOT] IGNORED) | <column_word> [<exists>] <identifier> <set_default>)""",
)
rule(
    "rename",
    """RENAME (COLUMN [<exists>] <identifier> TO <identifier> | <index_word> [<exists>] <identifier> TO <identifier>
    | [TO | AS | "="] <table:CREATE>)""",
)
rule(
    "alteration",
    """<add> | <drop> | <alter> | <rename> | CHANGE <column_word> [<exists>] <identifier> <identifier>
    <column_definition> [<place>] | MODIFY <column_word> [<exists>] <identifier> <column_definition> [<place>] |
    ALGORITHM <equals> (DEFAULT | <identifier>) | LOCK <equals> (DEFAULT | <identifier>) | (DISABLE | ENABLE) KEYS |
    (DISCARD | IMPORT) TABLESPACE | FORCE | <to_charset> | ORDER BY (<column> [ASC | DESC]) ... | <validation> |
    <table_option> {<table_option>}""",
)
rule("alterations", "<alter_partition> | <alteration> ... [<partition_by> | REMOVE PARTITIONING] | <partition_by>")

form(
    "alter", "ALTER TABLE",
    "ALTER [ONLINE] [IGNORE] TABLE [<exists>] <table:ALTER> [<wait> [<alterations>] | <alterations>]",
)  # fmt: skip

# ---------------------------------------------------------------- DROP and RENAME

form(
    "drop",
    "DROP TABLE",
    "DROP [<temporary>] (TABLE | TABLES) [<exists>] <table:DROP> ... [<wait>] [RESTRICT | CASCADE]",
)
rule("renamed", "<table:ALTER> [<wait>] TO <table:CREATE>")
form("alter", "RENAME TABLE", "RENAME (TABLE | TABLES) [<exists>] <renamed> ...")

# ---------------------------------------------------------------- indexes

rule("lock_or_algorithm", "(ALGORITHM | LOCK) <equals> (DEFAULT | <identifier>)")
form(
    "create",
    "CREATE INDEX",
    """CREATE [<replaces>] [UNIQUE | FULLTEXT | SPATIAL] INDEX [<not_exists>] <identifier> [<index_type>] ON
    <table:CREATE> <key_parts> [<wait>] {<index_option> | <lock_or_algorithm>}""",
)
form("drop", "DROP INDEX", "DROP INDEX [<exists>] <index_name> ON <table:ALTER> [<wait>] {<lock_or_algorithm>}")

# ---------------------------------------------------------------- sequences

rule(
    "sequence_option",
    """INCREMENT [BY | "="] <literal> | MINVALUE <equals> <literal> | NO MINVALUE | NOMINVALUE | MAXVALUE <equals>
    <literal> | NO MAXVALUE | NOMAXVALUE | START [WITH | "="] <literal> | CACHE <equals> <number> | NOCACHE | CYCLE
    | NOCYCLE | RESTART [[WITH | "="] <literal>] | <table_option>""",
)
form(
    "create",
    "CREATE SEQUENCE",
    'CREATE [<replaces>] [<temporary>] SEQUENCE [<not_exists>] <table:CREATE> {[","] <sequence_option>}',
    MARIADB,
)
form(
    "alter", "ALTER SEQUENCE", "ALTER SEQUENCE [<exists>] <table:ALTER> <sequence_option> {<sequence_option>}", MARIADB
)
form("drop", "DROP SEQUENCE", "DROP [<temporary>] SEQUENCE [<exists>] <table:DROP> ...", MARIADB)
