"""What other statements carry: PREPARE, EXECUTE, CALL, DO; plans; tables filled from queries."""

from __future__ import annotations

import pytest

from rules.tree import Call, CarrierKind, Parameter, Relation, Select
from tests.rules.mysql.utility.reading import refusal, statement


def test_prepare_reads_the_string() -> None:
    made = statement("PREPARE Stm FROM 'SELECT a FROM t WHERE a = ?'")
    assert made.kind == "select"
    assert made.defines is not None
    assert (made.defines.kind, made.defines.name) == (CarrierKind.STATEMENT, "stm")
    assert not made.executes
    assert not made.returns_body


def test_what_was_in_a_string_has_no_place_in_the_text() -> None:
    made = statement("PREPARE s FROM 'SELECT a FROM t WHERE a = ?'")
    assert isinstance(made.body, Select)
    (source,) = made.body.sources
    assert isinstance(source, Relation)
    assert (source.start, source.end) == (-1, -1)
    assert made.body.where is not None
    assert made.body.where.operands[1] == Parameter(1)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    ["@text", "CONCAT('a', 'b')", "'SELECT 1; SELECT 2'", "'SET x = 1'", "'USE shop'", "'DROP TABLE t'", "''",
     "'PREPARE t FROM ''SELECT 1'''", "'SELECT'", "'BEGIN'"],
)  # fmt: skip
def test_what_is_not_prepared(text: str) -> None:
    assert refusal(f"PREPARE s FROM {text}").code in ("prepared-text", "syntax", "unknown-node")


def test_execute_immediate_is_the_statement_itself() -> None:
    made = statement("EXECUTE IMMEDIATE 'CREATE PROCEDURE p() SELECT 1'", "mariadb")
    assert (made.kind, made.detail) == ("create", "CREATE PROCEDURE")
    assert refusal("EXECUTE IMMEDIATE @x", "mariadb").code == "prepared-text"
    assert refusal("EXECUTE IMMEDIATE 'SELECT 1'", "mysql").code == "syntax"


def test_call_names_its_procedure() -> None:
    (call,) = statement("CALL Shop.P(1, f(2))").calls
    assert call.name == ("Shop", "P")
    assert isinstance(call.arguments[1], Call)


def test_do_is_a_query_whose_rows_nobody_gets() -> None:
    made = statement("DO SLEEP(1), (SELECT max(a) FROM t)")
    assert isinstance(made.body, Select)
    assert len(made.body.outputs) == 2
    assert not made.returns_body


@pytest.mark.parametrize(("text", "runs"), [("EXPLAIN SELECT 1", False), ("EXPLAIN ANALYZE SELECT 1", True)])
def test_explain_holds_its_statement(text: str, runs: bool) -> None:
    made = statement(text)
    assert isinstance(made.body, Select)
    assert (made.executes, made.returns_body) == (runs, False)


def test_explain_of_another_database_is_refused() -> None:
    assert refusal("EXPLAIN FORMAT=TREE FOR SCHEMA hr SELECT * FROM people").code == "syntax"


@pytest.mark.parametrize("text", ["CREATE TABLE x SELECT a FROM t", "CREATE OR REPLACE VIEW x AS SELECT a FROM t"])
def test_what_is_filled_from_a_query(text: str) -> None:
    made = statement(text)
    assert made.creates == ("x",)
    assert isinstance(made.body, Select)
    assert not made.returns_body


@pytest.mark.parametrize(
    "text",
    ["SHOW TABLES WHERE (SELECT 1 FROM people) = 1", "SHOW COLUMNS FROM t WHERE Field IN (SELECT ssn FROM people)",
     "CREATE TABLE x (a INT, CHECK (a > (SELECT 1)))", "PURGE BINARY LOGS BEFORE (SELECT 1)",
     "LOAD DATA INFILE 'x' INTO TABLE t (a) SET b = (SELECT ssn FROM people)"],
)  # fmt: skip
def test_queries_where_nothing_accounts_for_them(text: str) -> None:
    assert refusal(text).code == "syntax"


def test_calls_in_a_show_are_seen() -> None:
    assert [call.name for call in statement("SHOW TABLES WHERE sleep(upper('a')) = 1").calls] == [
        ("sleep",),
        ("upper",),
    ]


@pytest.mark.parametrize(
    ("text", "code"),
    [("CREATE TABLE x (a INT) ENGINE=FEDERATED", "engine"),
     ("CREATE TABLE x (a INT) CONNECTION='mysql://h/d/t'", "engine"),
     ("ALTER TABLE x ENGINE = MRG_MYISAM UNION=(a, b)", "engine"), ("ALTER TABLE x UNION=(a, b)", "engine"),
     ("CREATE TABLE x (a INT) ENGINE = CSV", "engine"),
     ("LOAD DATA LOCAL INFILE 'x' INTO TABLE t", "local-infile")],
)  # fmt: skip
def test_what_reaches_out_of_the_server(text: str, code: str) -> None:
    found = refusal(text)
    assert found.code == code
    assert found.mend


@pytest.mark.parametrize("text", ["KILL @x", "KILL CONNECTION_ID()", "KILL (SELECT 1)", "KILL '5'", "KILL QUERY -1"])
def test_kill_takes_a_number_alone(text: str) -> None:
    assert refusal(text).code == "syntax"
