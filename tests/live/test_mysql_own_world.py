"""A session's temporary tables are to the gate what they are to the server, and never what a table of that name is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer

DATABASE = "ownworld"
COM_RESET_CONNECTION = 0x1F
WORLD = """
CREATE TABLE people (id INT PRIMARY KEY, name VARCHAR(50), ssn VARCHAR(20));
INSERT INTO people VALUES (1, 'Ada', '078-05-1120'), (2, 'Bob', '219-09-9999');
CREATE PROCEDURE make_people() BEGIN
  CREATE TEMPORARY TABLE people AS SELECT id, ssn AS name, name AS ssn FROM people; END;
CREATE FUNCTION made() RETURNS INT NOT DETERMINISTIC MODIFIES SQL DATA BEGIN
  CREATE TEMPORARY TABLE people AS SELECT id, ssn AS name, name AS ssn FROM people; RETURN 1; END;
CREATE TABLE plain (id INT);
CREATE VIEW shown AS SELECT id, name FROM people;
"""
MASKED = f"""
version: 1
rules:
  - id: everything
    allow: {{statements: ["*"], tables: ["{DATABASE}.*"], functions: ["*"]}}
  - id: programs
    allow: {{statements: [call, session, show], tables: ["*"]}}
  - id: mask
    mask: {{columns: [people.ssn], with: redact}}
"""
#: a role that may make and use tables of certain names only
LIMITED = f"""
version: 1
rules:
  - {{id: reads, allow: {{statements: [select], tables: [{DATABASE}.people]}}}}
  - {{id: own, allow: {{statements: ["*"], tables: ["{DATABASE}.tmp*"]}}}}
"""


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: brand.value)
def server(request: pytest.FixtureRequest) -> Iterator[MysqlServer]:
    with needed_mysql(request.param) as started:
        started.create_database(DATABASE)
        started.run(WORLD, DATABASE)
        yield started


@pytest.fixture(scope="module")
def gate(server: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    books = {"masked": MASKED, "limited": LIMITED}
    databases = {name: Upstream(DATABASE, name) for name in books}
    started = Gate(tmp_path_factory.mktemp("gate"), server, databases, rulebooks=books)
    yield started
    started.stop()


@pytest.fixture
def masked(gate: Gate) -> Iterator[Any]:
    with connect(gate, "masked") as connection:
        yield connection


def connect(gate: Gate, database: str, **options: Any) -> Any:
    return pymysql.connect(
        host="127.0.0.1", port=gate.mysql_ports[""], user="agent", password=CLIENT_PASSWORD, database=database,
        charset="utf8mb4", autocommit=True, read_timeout=30, **options,
    )  # fmt: skip


def ask(connection: Any, text: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def refusal(connection: Any, text: str) -> str:
    with pytest.raises(pymysql.MySQLError) as caught:
        ask(connection, text)
    return str(caught.value.args[1])


@pytest.mark.parametrize("role", ["masked", "limited"])
def test_the_life_of_a_temporary_table(gate: Gate, role: str) -> None:
    with connect(gate, role) as own:
        ask(own, "CREATE TEMPORARY TABLE tmp1 (a INT UNSIGNED, d DECIMAL(10,2), g INT AS (a + 1) VIRTUAL)")
        ask(own, "INSERT INTO tmp1 (a, d) VALUES (1, 2.5), (2, 3.5)")
        assert ask(own, "SELECT a, g FROM tmp1 ORDER BY a") == ((1, 2), (2, 3))
        ask(own, "ALTER TABLE tmp1 ADD COLUMN word VARCHAR(10) DEFAULT 'x', DROP COLUMN g")
        assert ask(own, "SELECT * FROM tmp1 WHERE a = 1")[0][0::2] == (1, "x")
        ask(own, "UPDATE tmp1 SET word = 'y' WHERE a = 1")
        ask(own, "ALTER TABLE tmp1 RENAME TO tmp2")
        assert "tmp1" in refusal(own, "SELECT * FROM tmp1")
        assert ask(own, "SELECT word FROM tmp2 ORDER BY a") == (("y",), ("x",))
        ask(own, "DROP TEMPORARY TABLE tmp2")
        assert "tmp2" in refusal(own, "SELECT * FROM tmp2")
        with connect(gate, role) as other:
            ask(own, "CREATE TEMPORARY TABLE tmp3 AS SELECT id, name FROM people")
            assert ask(own, "SELECT count(*) FROM tmp3") == ((2,),)
            assert "tmp3" in refusal(other, "SELECT * FROM tmp3")


def test_what_is_masked_is_not_copied(masked: Any) -> None:
    assert "mask" in refusal(masked, "CREATE TEMPORARY TABLE tmp AS SELECT ssn AS x FROM people")
    ask(masked, "CREATE TEMPORARY TABLE tmp (x VARCHAR(20))")
    assert "mask" in refusal(masked, "INSERT INTO tmp SELECT ssn FROM people")
    assert ask(masked, "SELECT * FROM tmp") == ()


def test_no_temporary_table_stands_in_front_of_another(masked: Any, server: MysqlServer) -> None:
    assert "dbgate:temporary" in refusal(masked, "CREATE TEMPORARY TABLE people (id INT, name VARCHAR(20))")
    ask(masked, "CREATE TEMPORARY TABLE tmp (ssn VARCHAR(20), name VARCHAR(20))")
    assert "hidden" in refusal(masked, "ALTER TABLE tmp RENAME TO people")
    assert "dbgate:temporary" in refusal(masked, "ALTER TABLE tmp RENAME TO plain")
    assert {row[2] for row in ask(masked, "SELECT * FROM people")}.isdisjoint({"078-05-1120", "219-09-9999"})


def test_a_table_that_others_make_later_is_not_taken_for_it(masked: Any, server: MysqlServer) -> None:
    ask(masked, "CREATE TEMPORARY TABLE later (a INT)")
    ask(masked, "INSERT INTO later VALUES (1)")
    server.run("CREATE TABLE later (b INT)", DATABASE)
    try:
        ask(masked, "CREATE TABLE another (a INT)")  # the catalog is read again
        assert "dbgate:temporary" in refusal(masked, "SELECT * FROM later")
        ask(masked, "DROP TEMPORARY TABLE later")
        assert ask(masked, "SELECT b FROM later") == ()
    finally:
        server.run("DROP TABLE IF EXISTS later, another", DATABASE)


@pytest.mark.parametrize("making", ["CALL make_people()", "SELECT made()"])
def test_unread_code_that_makes_tables(masked: Any, making: str) -> None:
    """Its table stands in front of one that is known, with the columns the other way round."""
    try:
        ask(masked, making)
    except pymysql.MySQLError:
        return  # refused, or the server does not let it: nothing was made
    for _ in range(2):
        assert "dbgate:temporary" in refusal(masked, "SELECT id, name FROM people")
    assert "dbgate:temporary" in refusal(masked, "SELECT name FROM shown")
    ask(masked, "DROP TEMPORARY TABLE people")
    assert ask(masked, "SELECT name FROM people ORDER BY id") == (("Ada",), ("Bob",))


def test_prepared_statements_see_the_table_that_there_is(gate: Gate) -> None:
    with connect(gate, "limited") as own:
        ask(own, "CREATE TEMPORARY TABLE tmp (a INT)")
        ask(own, "PREPARE s FROM 'SELECT * FROM tmp'")
        ask(own, "INSERT INTO tmp VALUES (7)")
        assert ask(own, "EXECUTE s") == ((7,),)
        ask(own, "DROP TABLE tmp")
        assert "tmp" in refusal(own, "EXECUTE s")


def test_a_reset_drops_them(gate: Gate) -> None:
    with connect(gate, "limited") as own:
        ask(own, "CREATE TEMPORARY TABLE tmp (a INT)")
        assert ask(own, "SELECT * FROM tmp") == ()
        own._execute_command(COM_RESET_CONNECTION, b"")
        assert own._read_packet().is_ok_packet()
        assert "tmp" in refusal(own, "SELECT * FROM tmp")


def test_questions_leave_no_trace_in_the_diagnostics(gate: Gate, masked: Any) -> None:
    with connect(gate, "limited") as own:
        for _ in range(2):
            ask(own, "CREATE TEMPORARY TABLE IF NOT EXISTS tmp (a INT)")
        assert "exists" in ask(own, "SHOW WARNINGS")[0][2]
    ask(masked, "CREATE TEMPORARY TABLE tmp (a TINYINT)")
    with masked.cursor() as cursor:
        assert cursor.execute("INSERT INTO tmp VALUES (1), (2)") == 2
    assert ask(masked, "SELECT ROW_COUNT()") == ((2,),)
    ask(masked, "ALTER TABLE tmp ADD COLUMN b INT AUTO_INCREMENT PRIMARY KEY")
    ask(masked, "INSERT INTO tmp (a) VALUES (9)")
    assert ask(masked, "SELECT LAST_INSERT_ID()") == ((3,),)


def test_what_a_session_creates_it_sees_at_once(masked: Any, server: MysqlServer) -> None:
    try:
        ask(masked, "CREATE TABLE fresh (a INT)")
        assert ask(masked, "SELECT * FROM fresh") == ()
        ask(masked, "ALTER TABLE fresh ADD COLUMN b INT DEFAULT 4")
        ask(masked, "INSERT INTO fresh (a) VALUES (1)")
        assert ask(masked, "SELECT b FROM fresh") == ((4,),)
        server.run("ALTER TABLE fresh ADD COLUMN c INT DEFAULT 5", DATABASE)
        assert ask(masked, "SELECT c FROM fresh") == ((5,),)
    finally:
        server.run("DROP TABLE IF EXISTS fresh", DATABASE)
