"""Columns, indexes and constraints, as CREATE TABLE and ALTER TABLE have them. MySQL 9 manual, 15.1."""

from __future__ import annotations

from rules.mysql.utility.forms import rule
from rules.mysql.utility.reading import Reading
from rules.mysql.utility.terminals import terminal


@terminal
def introducer(reading: Reading, key: str) -> bool:
    """`_utf8mb4` before a string."""
    if not reading.word().startswith("_"):
        return reading.fails()
    reading.parser.advance()
    return True


@terminal
def call_ahead(reading: Reading, key: str) -> bool:
    """Nothing is read: does a function's call come next?"""
    words, at = reading.parser.words, reading.at
    called = words[at + 1] == "(" or (words[at + 1] == "." and reading.parser.peek(3) == "(")
    return (called and words[at] != "(") or reading.fails()


# ---------------------------------------------------------------- types

rule("size", '"(" <number> ")"')
rule("precision", '"(" <number> ["," <number>] ")"')
rule("charset_value", "BINARY | <word_or_string>")
rule(
    "type_charset",
    "(CHARACTER SET | CHAR SET | CHARSET) <charset_value> | COLLATE <charset_value> | ASCII | UNICODE | BYTE | BINARY",
)
rule(
    "whole_type",
    "TINYINT | SMALLINT | MEDIUMINT | MIDDLEINT | BIGINT | INTEGER | INT | INT1 | INT2 | INT3 | INT4 | INT8 | YEAR",
)
rule("real_type", "REAL | DOUBLE [PRECISION] | FLOAT4 | FLOAT8 | FLOAT | DECIMAL | DEC | NUMERIC | FIXED | NUMBER")
rule("signs", "{UNSIGNED | SIGNED | ZEROFILL}")
rule("text_type", "TINYTEXT | MEDIUMTEXT | LONGTEXT | TEXT | CLOB")
rule(
    "char_type",
    """[NATIONAL] (CHARACTER | CHAR) VARYING | [NATIONAL] (VARCHARACTER | VARCHAR) | NATIONAL (CHARACTER | CHAR)
    | NCHAR VARYING | NCHAR VARCHAR | NCHAR | NVARCHAR | VARCHAR2 | CHARACTER | CHAR""",
)
rule("long_type", "LONG [VARBINARY | VARCHAR | CHAR VARYING]")
rule("binary_type", "CHAR BYTE | BINARY | VARBINARY | TINYBLOB | MEDIUMBLOB | LONGBLOB | BLOB | RAW")
rule(
    "plain_type",
    """DATE | JSON | BOOLEAN | BOOL | SERIAL | UUID | INET4 | INET6 | GEOMETRYCOLLECTION | GEOMCOLLECTION | GEOMETRY
    | POINT | LINESTRING | POLYGON | MULTIPOINT | MULTILINESTRING | MULTIPOLYGON""",
)
rule("fraction_type", "DATETIME | TIMESTAMP | TIME | BIT | VECTOR")
rule("chosen_type", '(ENUM | SET) "(" (<bytes> | <national>) ... ")"')
rule(
    "type",
    """<whole_type> [<size>] <signs> | <real_type> [<precision>] <signs> | <chosen_type> {<type_charset>}
    | <binary_type> [<size>] | <char_type> [<size>] {<type_charset>} | <text_type> [<size>] {<type_charset>}
    | <long_type> {<type_charset>} | <fraction_type> [<size>] | <plain_type>""",
)

# ---------------------------------------------------------------- column options

rule(
    "now",
    """(CURRENT_TIMESTAMP | LOCALTIMESTAMP | LOCALTIME | NOW | CURRENT_DATE | CURRENT_TIME | CURDATE | CURTIME) ["("
    [<number>] ")"]""",
)
rule("default_call", "<call_ahead> <expression>")
rule(
    "default",
    """"(" <expression> ")" | <now> | <literal> | <introducer> <literal> | <default_call> | <mariadb> NEXT VALUE FOR
    <qualified>""",
)
rule("equals", '["="]')
rule("attribute", "(ENGINE_ATTRIBUTE | SECONDARY_ENGINE_ATTRIBUTE) <equals> <string>")
rule("enforced", "[NOT] ENFORCED")
rule("check", 'CHECK "(" <expression> ")" [<enforced>]')
rule("on_change", "ON (DELETE | UPDATE) (RESTRICT | CASCADE | SET NULL | SET DEFAULT | NO ACTION)")
rule(
    "references", 'REFERENCES <table:OTHER> ["(" <identifier> ... ")"] [MATCH (FULL | PARTIAL | SIMPLE)] {<on_change>}'
)
rule(
    "generated",
    """[GENERATED ALWAYS] AS "(" <expression> ")" [VIRTUAL | STORED | PERSISTENT] | GENERATED ALWAYS AS ROW (START |
    END)""",
)
rule("key_option", "[UNIQUE | PRIMARY] KEY | UNIQUE")
rule(
    "column_option",
    """NOT NULL | NULL | DEFAULT <default> | ON UPDATE <now> | AUTO_INCREMENT | SERIAL DEFAULT VALUE | <key_option> |
    COMMENT <string> | <type_charset> | COLUMN_FORMAT (FIXED | DYNAMIC | DEFAULT) | STORAGE (DISK | MEMORY |
    DEFAULT) | <attribute> | VISIBLE | INVISIBLE | <generated> | <references> | [CONSTRAINT [<identifier>]] <check>
    | SRID <number> | REF_SYSTEM_ID "=" <number> | NOT SECONDARY | COMPRESSED ["=" <identifier>] | (WITH | WITHOUT)
    SYSTEM VERSIONING""",
)
rule("column_definition", "<type> {<column_option>}")
rule("not_exists", "IF NOT EXISTS <note:if_not_exists>")
rule("exists", "IF EXISTS <note:if_exists>")

# ---------------------------------------------------------------- indexes and constraints

rule("index_type", "USING (BTREE | HASH | RTREE) | TYPE (BTREE | HASH | RTREE)")
rule("key_part", '(<identifier> [<size>] | "(" <expression> ")") [ASC | DESC]')
rule("key_parts", '"(" <key_part> ... ["," <identifier> WITHOUT OVERLAPS] ")"')
rule(
    "index_option",
    """KEY_BLOCK_SIZE <equals> <number> | <index_type> | WITH PARSER <identifier> | COMMENT <string> | VISIBLE |
    INVISIBLE | [NOT] IGNORED | CLUSTERING "=" (YES | NO) | <attribute>""",
)
rule("index_word", "INDEX | KEY")
rule("symbol", "CONSTRAINT [<symbol_name>]")
rule("symbol_name", "<identifier>")
rule("key_name", "[<identifier>] [<index_type>]")
rule(
    "table_constraint",
    """<index_word> [<not_exists>] <key_name> <key_parts> {<index_option>}
    | (FULLTEXT | SPATIAL) [<index_word>] [<not_exists>] [<identifier>] <key_parts> {<index_option>}
    | [<symbol>] PRIMARY KEY [<not_exists>] <key_name> <key_parts> {<index_option>}
    | [<symbol>] UNIQUE [<index_word>] [<not_exists>] <key_name> <key_parts> {<index_option>}
    | [<symbol>] FOREIGN KEY [<not_exists>] [<identifier>] "(" <identifier> ... ")" <references>
    | [<symbol>] <check> | PERIOD FOR <identifier> "(" <identifier> "," <identifier> ")" """,
)
