"""MySQL's and MariaDB's DDL -> Catalog."""

from __future__ import annotations

import pytest

from rules.catalog import Catalog, Relation
from rules.ddl import DdlError
from rules.mysql.ddl import catalog_from_ddl

VERSIONS = {"mysql": 90704, "mariadb": 101119}


def made(sql: str, brand: str = "mysql", database: str = "") -> Catalog:
    return catalog_from_ddl(sql, brand, VERSIONS[brand], database)


def one(sql: str, brand: str = "mysql") -> Relation:
    """The relation made last."""
    return made(sql, brand).relations[-1]


def columns(relation: Relation) -> str:
    return ", ".join(f"{c.name} {c.type}" for c in relation.columns)


def names(catalog: Catalog) -> list[str]:
    return sorted(".".join(r.qualified) for r in catalog.relations)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY", "int"),
        ("INTEGER UNSIGNED", "int unsigned"),
        ("int ZEROFILL", "int unsigned"),
        ("bool DEFAULT true", "tinyint"),
        ("serial", "bigint unsigned"),
        ("double precision", "double"),
        ("float(30)", "double"),
        ("float(7, 4)", "float"),
        ("dec(10,2)", "decimal"),
        ("national varchar(10)", "varchar"),
        ("character varying(10)", "varchar"),
        ("char(3) CHARACTER SET latin1", "char"),
        ("varchar(3) CHARACTER SET binary", "varbinary"),
        ("char byte", "binary"),
        ("long varbinary", "mediumblob"),
        ("long", "mediumtext"),
        ("enum('a', 'b,(') DEFAULT 'a' COMMENT ', invisible'", "enum"),
        ("set('a')", "set"),
        ("datetime(3) DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3)", "datetime"),
        ("bit(3)", "bit"),
        ("year", "year"),
        ("point SRID 4326", "point"),
        ("mediumblob", "mediumblob"),
        ("json DEFAULT (json_array(1, 2))", "json"),
    ],
)
def test_types(written: str, expected: str) -> None:
    relation = one(f"CREATE TABLE t (a {written}, z int)")
    assert columns(relation) == f"a {expected}, z int"
    assert not any(c.invisible or c.generated for c in relation.columns)


def test_types_of_mariadb() -> None:
    relation = one("CREATE TABLE t (a json, b uuid, c inet6)", "mariadb")
    assert columns(relation) == "a longtext, b uuid, c inet6"


def test_decimals_have_their_size() -> None:
    relation = one("CREATE TABLE t (a decimal(8,2), b decimal(5), c numeric, d int(3))")
    assert [c.modifier for c in relation.columns] == [(8 << 16 | 2) + 4, (5 << 16) + 4, (10 << 16) + 4, -1]


def test_generated_and_invisible_columns() -> None:
    relation = one(
        "CREATE TABLE t (a int, `b c` text, d int AS (a + length(`b c`)) STORED, e int INVISIBLE,"
        " f text GENERATED ALWAYS AS (upper(`b c`)) VIRTUAL INVISIBLE, KEY invisible (a))"
    )
    assert [(c.name, c.generated_from, c.generated, c.invisible) for c in relation.columns] == [
        ("a", (), False, False),
        ("b c", (), False, False),
        ("d", (1, 2), True, False),
        ("e", (), False, True),
        ("f", (2,), True, True),
    ]


@pytest.mark.parametrize(
    ("sql", "kind", "expected"),
    [
        ("CREATE TABLE t (A int, PRIMARY KEY (a), UNIQUE u (a), CONSTRAINT c CHECK (a > 1), CHECK (a IN (1, 2)))", "r",
         "a int"),
        ("CREATE TABLE t (`key` int, `check` text) ENGINE=InnoDB COMMENT='(' PARTITION BY HASH (`key`) PARTITIONS 2",
         "r", "key int, check text"),
        ("CREATE TABLE s (a int, b text); CREATE TABLE t LIKE s", "r", "a int, b text"),
        ("CREATE TABLE s (a int, b text); CREATE TABLE t (LIKE s)", "r", "a int, b text"),
        ("CREATE TABLE s (a int, b text); CREATE TABLE t AS SELECT b, a + 1 AS c FROM s", "r", "b text, c text"),
        ("CREATE TABLE s (a int, b text); CREATE TABLE t (SELECT b FROM s)", "r", "b text"),
        ("CREATE TABLE s (a int); CREATE TABLE t (a bigint, z int) ENGINE=InnoDB SELECT a, a AS b FROM s", "r",
         "a bigint, z int, b int"),
        ("CREATE TABLE t (a int); CREATE TABLE IF NOT EXISTS t (b int)", "r", "a int"),
        ("CREATE TABLE t (a int); CREATE VIEW v AS SELECT a AS B, concat(a) FROM t", "v", "b int, concat(a) text"),
        ("CREATE TABLE t (a int); CREATE VIEW v (x) AS SELECT a FROM t WITH CHECK OPTION", "v", "x int"),
        ("CREATE TABLE t (a int); CREATE VIEW v AS SELECT 1; CREATE OR REPLACE VIEW v AS SELECT a FROM t", "v",
         "a int"),
        ("CREATE TABLE t (a int); CREATE VIEW v AS SELECT 1; ALTER VIEW v AS SELECT a FROM t", "v", "a int"),
    ],
)  # fmt: skip
def test_relations(sql: str, kind: str, expected: str) -> None:
    relation = one(sql)
    assert (relation.kind, columns(relation)) == (kind, expected)


def test_a_sequence_of_mariadb() -> None:
    assert one("CREATE SEQUENCE s START WITH 3", "mariadb").kind == "S"


def test_views_keep_their_query_and_where_its_names_are_looked_up() -> None:
    view = one(
        "USE a; CREATE TABLE t (x int);\n/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`r`@`%` SQL SECURITY"
        " DEFINER */\n/*!50001 VIEW `v` AS select `t`.`x` AS `x` from `t` WITH LOCAL CHECK OPTION */;"
    )
    assert (view.qualified, view.definition, view.path) == (("a", "v"), "select `t`.`x` AS `x` from `t`", ("a",))


TABLE = "CREATE TABLE t (a int, b text, c int AS (a + 1));"


@pytest.mark.parametrize(
    ("alteration", "expected"),
    [
        ("ADD d int", "a int, b text, c int, d int"),
        ("ADD COLUMN d int FIRST, ADD e int AFTER a", "d int, a int, e int, b text, c int"),
        ("ADD (d int, e decimal(5,2), KEY (a)), ADD INDEX (b(3)), ADD CONSTRAINT k CHECK (a > 1)",
         "a int, b text, c int, d int, e decimal"),
        ("DROP b, DROP COLUMN c", "a int"),
        ("DROP KEY k, DROP PRIMARY KEY, DROP CONSTRAINT x", "a int, b text, c int"),
        ("CHANGE a z bigint unsigned AFTER b", "b text, z bigint unsigned, c int"),
        ("MODIFY COLUMN b varchar(9) NOT NULL FIRST", "b varchar, a int, c int"),
        ("RENAME COLUMN a TO z, RENAME INDEX i TO j", "z int, b text, c int"),
        ("ORDER BY a, b", "a int, b text, c int"),
        ("ENGINE=MyISAM, CONVERT TO CHARACTER SET utf8mb4, ALGORITHM=COPY", "a int, b text, c int"),
        ("ALTER a SET DEFAULT 3, DISABLE KEYS", "a int, b text, c int"),
        ("RENAME TO u", "a int, b text, c int"),
    ],
)  # fmt: skip
def test_alter_table(alteration: str, expected: str) -> None:
    assert columns(one(f"{TABLE} ALTER TABLE t {alteration}")) == expected


def test_alter_table_of_mariadb() -> None:
    relation = one(f"{TABLE} ALTER TABLE t ADD COLUMN IF NOT EXISTS a text, DROP COLUMN IF EXISTS z", "mariadb")
    assert columns(relation) == "a int, b text, c int"


def test_a_column_with_another_name_or_place_stays_what_others_are_made_of() -> None:
    relation = one(f"{TABLE} ALTER TABLE t RENAME COLUMN a TO z; ALTER TABLE t MODIFY z int AFTER b")
    assert columns(relation) == "b text, z int, c int"
    assert relation.columns[2].generated_from == (2,)


def test_columns_are_hidden_and_shown() -> None:
    relation = one("CREATE TABLE t (a int, b int INVISIBLE); ALTER TABLE t ALTER a SET INVISIBLE, ALTER b SET VISIBLE")
    assert [c.invisible for c in relation.columns] == [True, False]


def test_databases() -> None:
    catalog = made("CREATE TABLE t (a int); CREATE DATABASE IF NOT EXISTS b; USE a; CREATE TABLE hr.u (x int);"
                   "USE b; CREATE TABLE v (x int); RENAME TABLE v TO a.w, hr.u TO z")  # fmt: skip
    assert names(catalog) == ["a.t", "a.w", "b.z"]
    assert catalog.default_schema == "a"
    assert {"a", "b", "hr"} < catalog.schemas


def test_the_database_that_is_named_comes_before_the_one_that_is_used() -> None:
    catalog = made("CREATE TABLE t (a int); USE a; CREATE TABLE u (a int)", database="shop")
    assert (catalog.default_schema, names(catalog)) == ("shop", ["a.u", "shop.t"])


def test_what_is_dropped_is_gone() -> None:
    catalog = made("CREATE TABLE a.t (a int); CREATE VIEW v AS SELECT 1; CREATE TABLE u (a int); DROP DATABASE a;"
                   "DROP TABLE IF EXISTS u, w; DROP VIEW v; CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1;"
                   "DROP FUNCTION f; DROP PROCEDURE IF EXISTS p")  # fmt: skip
    assert (names(catalog), catalog.functions, "a" in catalog.schemas) == ([], (), False)


def test_routines_and_triggers() -> None:
    catalog = made(
        "CREATE TABLE t (a int); CREATE PROCEDURE hr.Pay(IN a int) BEGIN SELECT 1; INSERT INTO t VALUES (a); END;"
        "CREATE DEFINER=`x`@`%` FUNCTION IF NOT EXISTS F(a int) RETURNS int DETERMINISTIC RETURN (SELECT 1);"
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.a = 1; SET NEW.a = 2; END;"
    )
    assert [(f.schema, f.name, f.kind) for f in catalog.functions] == [("hr", "pay", "p"), ("test", "f", "f")]
    assert [r.triggers for r in catalog.relations] == [True]


def test_what_makes_no_structure_is_passed_over() -> None:
    catalog = made(
        "/*!40101 SET NAMES utf8mb4 */; SET FOREIGN_KEY_CHECKS = 0; CREATE TABLE t (a int); LOCK TABLES t WRITE;"
        "INSERT INTO t VALUES (1), (2), (3); UNLOCK TABLES; CREATE INDEX i ON t (a); GRANT SELECT ON t TO bob; COMMIT"
    )
    assert names(catalog) == ["test.t"]


@pytest.mark.parametrize(
    ("sql", "line", "what"),
    [
        ("CREATE TABLE t (a int);\n\n CREATE TABLE t (a int)", 3, "is created twice; leave one out"),
        ("CREATE TABLE t (a int, A text)", 1, 'has two columns named "a"'),
        ("SELECT 1;\nCREATE TABLE t (a int)", 1, "SELECT is not understood in a test's schema; leave it out"),
        ("\nCREATE TABLE t (a nonsense)", 2, "it stops at"),
        ("SELECT 'é';\nCREATE TABLE t (", 2, "it stops at"),
        ("CREATE TABLE t (a int) ENGINE=FEDERATED", 1, "use InnoDB"),
        ("CREATE TEMPORARY TABLE t (a int)", 1, "leave it out of a test's schema"),
        ("CREATE VIEW v AS\nSELECT * FROM t", 1, 'relation "t" does not exist; create it first'),
        ("CREATE TABLE t (a int); CREATE VIEW v (a, b) AS SELECT a FROM t", 1, "names 2 columns, its query has 1"),
        ("CREATE TABLE t LIKE u", 1, 'table "u" does not exist; create it first'),
        ("CREATE VIEW v AS SELECT 1; CREATE TABLE t LIKE v", 1, "needs a table"),
        ("ALTER TABLE t ADD a int", 1, 'table "test.t" does not exist'),
        (f"{TABLE} ALTER TABLE t ADD a int", 1, 'has a column "a" already'),
        (f"{TABLE} ALTER TABLE t DROP z", 1, 'has no column "z"'),
        (f"{TABLE} ALTER TABLE t ADD d int AFTER z", 1, 'has no column "z"'),
        ("DROP TABLE t", 1, 'table "t" does not exist'),
        ("DROP FUNCTION f", 1, '"f" does not exist'),
        (
            "CREATE TABLE t (a int);\nDELIMITER //\nCREATE PROCEDURE p() SELECT 1//",
            2,
            "is a command of the mysql client",
        ),
        ("CREATE TABLESPACE s ADD DATAFILE 'x'", 1, "CREATE TABLESPACE is not understood"),
    ],
)
def test_what_it_does_not_understand_it_says(sql: str, line: int, what: str) -> None:
    with pytest.raises(DdlError) as caught:
        made(sql)
    assert caught.value.line == line
    assert what in caught.value.what


def test_a_column_may_be_named_delimiter() -> None:
    assert columns(one("CREATE TABLE t (\n  delimiter char(1)\n)")) == "delimiter char"


def test_the_version_tells_texts_apart() -> None:
    assert made("CREATE TABLE t (a int)").version != made("CREATE TABLE t (b int)").version
