"""What rules make of the other statements, for a role with a mask and for one that may do everything."""

from __future__ import annotations

from functools import cache

import pytest

from rules.catalog import Catalog, Column, Relation
from rules.decision import Decision, Verdict
from rules.policy import Policy, PolicyContext
from tests.rules.worlds import book


def relation(oid: int, schema: str, name: str, columns: str) -> Relation:
    made = [Column(each, number, "varchar") for number, each in enumerate(columns.split(), start=1)]
    return Relation(oid, schema, name, "r", tuple(made))


RULES = """
rules:
  - id: reads
    roles: [agent]
    allow: {statements: [select, insert, create, maintenance, admin, lock, explain], tables: ["shop.*"]}
  - id: admits
    roles: [agent]
    allow: {statements: [admin, file_io, create]}
  - id: hides
    roles: [agent]
    mask: {columns: [shop.people.ssn], with: redact}
  - id: secret
    roles: [agent]
    deny: {tables: [shop.secrets]}
  - id: some
    roles: [plain]
    allow: {statements: [select], tables: [shop.people]}
  - id: all
    roles: [dba]
    allow: {statements: ["*"], tables: ["*"], functions: ["*"]}
"""


@cache
def context(role: str, brand: str = "mysql") -> PolicyContext:
    catalog = Catalog(
        "1",
        relations=(
            relation(1, "shop", "people", "id name ssn"),
            relation(2, "shop", "orders", "id total"),
            relation(3, "shop", "secrets", "id token"),
        ),
        schemas=frozenset({"shop"}),
        dialect=brand,
        server_version=90704 if brand == "mysql" else 101119,
    )
    return Policy(book(RULES), catalog).context(role, "shop", role, ("shop",))


def decided(text: str, role: str = "agent", brand: str = "mysql") -> Decision:
    (found,) = context(role, brand).decide(text.encode())
    return found


def why(text: str, role: str = "agent", brand: str = "mysql") -> str:
    refusal = decided(text, role, brand).refusal
    assert refusal is not None, text
    return refusal.rule


@pytest.mark.parametrize("role", ["agent", "plain", "dba"])
@pytest.mark.parametrize(
    "text",
    [
        "SHOW TABLES",
        "SHOW VARIABLES LIKE 'sql_mode'",
        "SHOW STATUS LIKE 'Ssl_cipher'",
        "SHOW WARNINGS",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT a",
        "SET autocommit = 0",
        "SET NAMES utf8mb4",
        "USE shop",
        "SHOW COLUMNS FROM people",
        "DESC shop.people",
        "SHOW CREATE TABLE people",
        "SHOW FULL COLUMNS FROM `people` FROM `shop`",
        "SET @a = 1",
        "UNLOCK TABLES",
        "DO 1",
        "SHOW INDEX FROM people",
        "SHOW COLLATION",
        "ROLLBACK TO a",
        "DEALLOCATE PREPARE s",
        "SET @a = 1 + 1",
    ],
)
def test_what_drivers_need_passes(text: str, role: str) -> None:
    assert decided(text, role).verdict is Verdict.ALLOW, decided(text, role).refusal


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("SHOW COLUMNS FROM secrets", "secret"),
        ("SHOW CREATE TABLE shop.secrets", "secret"),
        ("DESCRIBE secrets", "secret"),
        ("SET @a = (SELECT ssn FROM people LIMIT 1)", "hides"),
        ("SET time_zone = (SELECT ssn FROM people LIMIT 1)", "hides"),
        ("SELECT ssn INTO @a FROM people", "hides"),
        ("DO @a := (SELECT ssn FROM people LIMIT 1)", "hides"),
        ("DO (SELECT token FROM secrets)", "secret"),
        ("SHOW STATUS LIKE 'Bytes_sent'", "dbgate:telling"),
        ("SET GLOBAL wait_timeout = (SELECT ssn FROM people)", "dbgate:setting"),
        ("SET @a = (SELECT token FROM secrets)", "secret"),
        ("CREATE TABLE x AS SELECT ssn FROM people", "hides"),
        ("CREATE TABLE x (a INT) SELECT ssn FROM people", "hides"),
        ("CREATE VIEW x AS SELECT ssn FROM people", "hides"),
        ("SHOW STATUS", "dbgate:telling"),
        ("SHOW STATUS LIKE 'Handler%'", "dbgate:telling"),
        ("CHECKSUM TABLE people", "dbgate:telling"),
        ("HANDLER people OPEN", "dbgate:telling"),
        ("SHOW PROCESSLIST", "dbgate:telling"),
        ("SHOW ENGINE INNODB STATUS", "dbgate:telling"),
        ("SELECT * FROM people INTO OUTFILE '/tmp/x'", "dbgate:telling"),
        ("EXPLAIN SELECT ssn FROM people", "dbgate:explain"),
        ("EXPLAIN ANALYZE SELECT name FROM people WHERE ssn = '1'", "hides"),
        ("CREATE PROCEDURE p() SELECT ssn FROM people", "dbgate:structure"),
        ("CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DO 1", "dbgate:structure"),
        ("CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.id = 1", "dbgate:structure"),
        ("CREATE INDEX i ON people (ssn)", "dbgate:structure"),
        ("SET sql_mode = 'ANSI_QUOTES'", "dbgate:setting"),
        ("SET GLOBAL sql_notes = 1", "dbgate:setting"),
        ("DROP TABLE people", "dbgate:default"),
    ],
)
def test_what_a_role_with_a_mask_is_refused(text: str, rule: str) -> None:
    assert why(text) == rule


@pytest.mark.parametrize(
    "text",
    [
        "SHOW GRANTS FOR root",
        "SHOW PROCESSLIST",
        "KILL USER root",
        "SHOW CREATE USER root",
        "DROP DATABASE shop",
        "SET ROLE a",
        "FLUSH PRIVILEGES",
        "CREATE USER a",
        "LOAD DATA INFILE 'x' INTO TABLE people",
        "TRUNCATE people",
        "CALL p()",
        "XA START 'a'",
        "LOCK TABLES people READ",
        "SHUTDOWN",
        "BINLOG 'x'",
        "RESET REPLICA",
        "OPTIMIZE TABLE people",
        "SHOW COLUMNS FROM orders",
        "DESCRIBE nothing",
        "PREPARE s FROM 'SELECT * FROM orders'",
        "CHANGE REPLICATION SOURCE TO GTID_ONLY = 1",
    ],
)
def test_what_needs_a_rule(text: str) -> None:
    brand = "mariadb" if text == "KILL USER root" else "mysql"
    assert decided(text, "plain", brand).verdict is Verdict.REFUSE
    assert decided(text, "plain", brand).refusal is not None


@pytest.mark.parametrize(
    "text",
    [
        "SHOW STATUS",
        "SHOW PROCESSLIST",
        "CHECKSUM TABLE people",
        "HANDLER people OPEN",
        "CREATE PROCEDURE p() SELECT 1",
        "SET GLOBAL wait_timeout = 5",
        "XA START 'a'",
        "LOCK TABLES people READ",
        "CREATE INDEX i ON people (ssn)",
        "DROP DATABASE shop",
        "EXPLAIN ANALYZE SELECT * FROM people",
        "SELECT * FROM people INTO OUTFILE '/tmp/x'",
        "GRANT SELECT ON people TO a",
    ],
)
def test_what_passes_for_who_may_do_everything(text: str) -> None:
    assert decided(text, "dba").verdict is Verdict.ALLOW, decided(text, "dba").refusal


def test_mariadb_shows_the_shared_account_in_its_grants() -> None:
    assert decided("SHOW GRANTS", "plain").verdict is Verdict.ALLOW
    assert decided("SHOW GRANTS", "plain", "mariadb").verdict is Verdict.REFUSE


def test_words_of_a_string_go_by_the_same_laws() -> None:
    assert why("PREPARE s FROM 'SELECT token FROM secrets'") == "secret"
    assert why("EXECUTE IMMEDIATE 'CREATE PROCEDURE p() SELECT ssn FROM people'", brand="mariadb") == "dbgate:structure"
    assert why("SET STATEMENT sql_mode='ORACLE' FOR SELECT 1", brand="mariadb") == "dbgate:setting"
    assert why("BEGIN NOT ATOMIC SELECT ssn FROM people; END", brand="mariadb") == "dbgate:structure"
