"""SET: which variables, in which scope, with which values."""

from __future__ import annotations

import pytest

from rules.tree import Literal, Operation, Select, Subquery
from tests.rules.mysql.utility.reading import refusal, settings, statement


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SET autocommit = 0", {"autocommit": ("0",)}),
        ("SET AutoCommit := ON", {"autocommit": ("on",)}),
        ("SET @@SESSION.`Time_Zone` = '+00:00'", {"time_zone": ("+00:00",)}),
        ("SET @@local.x = system", {"x": ("system",)}),
        ("SET x = -5", {"x": ("-5",)}),
        ("SET x = DEFAULT, y = NULL", {"x": None, "y": ("null",)}),
        ("SET character_set_results = NULL", {"character_set_results": ("null",)}),
        ("SET x = 1 + 1", {"x": ()}),
        ("SET x = ?", {"x": ()}),
        ("SET x = @y", {"x": ("@y",)}),
        ("SET x = @`a b`, @@global.z = @y, @c = @d", {"x": ("@a b",), "global.z": (), "@c": ()}),
        ("SET @a = @@x, @b = @@session.y, @c = @@global.z", {"@a": ("@@x",), "@b": ("@@y",), "@c": ()}),
        ("SET @A = 5, @`b` = 'x'", {"@a": ("5",), "@b": ("x",)}),
        ("SET NAMES UTF8MB4", {"names": ("utf8mb4",)}),
        ("SET NAMES 'latin1' COLLATE 'latin1_bin'", {"names": ("latin1", "latin1_bin")}),
        ("SET NAMES binary", {"names": ("binary",)}),
        ("SET NAMES DEFAULT", {"names": None}),
        ("SET CHARACTER SET gbk", {"character set": ("gbk",)}),
        ("SET GLOBAL a = 1, b = 2, @@c = 3, SESSION d = 4, e = 5",
         {"global.a": ("1",), "global.b": ("2",), "c": ("3",), "d": ("4",), "e": ("5",)}),
        ("SET @@global.a = 1, b = 2", {"global.a": ("1",), "b": ("2",)}),
        ("SET PERSIST a = 1", {"persist.a": ("1",)}),
        ("SET @@persist_only.a = 1", {"persist_only.a": ("1",)}),
        ("SET hot.key_buffer_size = 1", {"hot.key_buffer_size": ("1",)}),
        ("USE shop", {"database": ("shop",)}),
        ("KILL 7", {"kill": ("connection", "7")}),
        ("KILL QUERY 7", {"kill": ("query", "7")}),
    ],
)  # fmt: skip
def test_settings(text: str, expected: dict[str, tuple[str, ...] | None]) -> None:
    assert settings(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'ANSI'", ("ANSI",)),
        ("ansi", ("ansi",)),
        ("CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')", ("@@sql_mode,STRICT_ALL_TABLES",)),
        ("CONCAT(CONCAT(@@session.sql_mode, ',A'), ',B')", ("@@sql_mode,A,B",)),
        ("CONCAT_WS(',', @@sql_mode, 'A')", ("@@sql_mode,A",)),
        ("(SELECT REPLACE(@@sql_mode, 'ONLY_FULL_GROUP_BY', ''))", ("@@sql_mode",)),
        ("REPLACE(REPLACE(@@sql_mode, 'NO_ZERO_DATE,', ''), 'STRICT_ALL_TABLES', '')", ("@@sql_mode",)),
        ("@@sql_mode", ("@@sql_mode",)),
        # what may make a mode that the gate cannot read by
        ("CONCAT(@@sql_mode, 'ANSI')", ()),
        ("CONCAT('x', @@sql_mode)", ()),
        ("@@global.sql_mode", ()),
        ("@mode", ("@mode",)),  # for the session to know
        ("REPLACE(@@sql_mode, 'STRICT_TRANS_TABLES', 'ANSI_QUOTES')", ()),
        ("REPLACE(@@sql_mode, 'S', '')", ()),
        ("REPLACE(@@sql_mode, ',', '')", ()),
        ("LEFT(@@sql_mode, 4)", ()),
        ("(SELECT CONCAT(@@sql_mode, ',A') FROM t)", ()),
        ("?", ()),
    ],
)
def test_modes(value: str, expected: tuple[str, ...]) -> None:
    assert settings(f"SET sql_mode = {value}") == {"sql_mode": expected}


def test_what_reads_tables_is_a_body_that_assigns() -> None:
    made = statement("SET @a = (SELECT ssn FROM people), time_zone = 'x', names = 5")
    assert isinstance(made.body, Select)
    assert not made.returns_body
    (output,) = made.body.outputs
    assert isinstance(output.expression, Operation)
    assert output.expression.operator == "assign_variable"
    assert output.expression.operands[0] == Literal("@a")
    assert isinstance(output.expression.operands[1], Subquery)


def test_a_variable_of_the_server_can_carry_values_too() -> None:
    made = statement("SET time_zone = (SELECT ssn FROM people)")
    assert isinstance(made.body, Select)


@pytest.mark.parametrize(
    "text",
    ["SET", "SET x", "SET x =", "SET x = 1,", "SET @@x", "SET GLOBAL", "SET NAMES", "SET x = 1 y = 2", "SET (x) = 1",
     "SET @a, @b = 1", "SET TRANSACTION", "SET x = SELECT 1"],
)  # fmt: skip
def test_what_is_no_set(text: str) -> None:
    assert refusal(text).code == "syntax"


def test_set_statement_is_the_statement_with_settings_of_its_own() -> None:
    made = statement("SET STATEMENT sql_mode='ANSI_QUOTES', x=5 FOR DELETE FROM t", "mariadb")
    assert made.kind == "delete"
    assert [(s.name, s.value, s.local) for s in made.settings] == [
        ("sql_mode", ("ANSI_QUOTES",), True),
        ("x", ("5",), True),
    ]
    assert refusal("SET STATEMENT x = 1 + 1 FOR SELECT 1", "mariadb").code == "setting"
    assert refusal("SET STATEMENT x = 1 FOR SELECT 1", "mysql").code == "syntax"
