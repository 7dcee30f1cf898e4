"""Two parsers must see the same tables and the same kind of statement."""

from __future__ import annotations

import pytest

from rules.postgres import keywords, read
from rules.postgres.nodes import Refused
from rules.postgres.second_opinion import check
from rules.tree import Query, Statement, Write


def body(sql: str) -> Query | Write:
    found = read(sql)
    assert isinstance(found, tuple)
    assert isinstance(found[0], Statement)
    assert found[0].body is not None
    return found[0].body


def test_a_table_that_only_the_second_parser_sees_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        check("select * from secrets", body("select * from t"), [("t",)])
    assert caught.value.unparsable.code == "parser-disagreement"
    assert "secrets" in caught.value.unparsable.reason


def test_another_kind_of_statement_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        check("delete from t", body("select * from t"), [("t",)])
    assert "DELETE" in caught.value.unparsable.reason


@pytest.mark.parametrize(
    "sql",
    [
        "select * from t",
        'select * from S."T" join "T" on true',
        "with t as (select 1) select * from t",
        "select * from f(1), current_date",
        "select * from a as x, b as y for update of x",
        "insert into t values (1) on conflict (a text_ops) do nothing",
        "select * from " + "a" * 80,
    ],
)
def test_agreement(sql: str) -> None:
    assert isinstance(read(sql), tuple)


def test_texts_that_the_second_parser_cannot_read_are_the_servers_to_judge() -> None:
    assert isinstance(read("select a from t where a operator(pg_catalog.=) any (array[1]) and b ^@ 'x'"), tuple)


@pytest.mark.parametrize("sql", ["select {# from secret #} 1", "select {{ a }}", "select @x := 1"])
def test_syntax_of_the_second_parser_alone_is_no_sql(sql: str) -> None:
    assert not isinstance(read(sql), tuple)


@pytest.mark.parametrize(("word", "node"), [(b"select", "DeleteStmt"), (b"", "SelectStmt"), (b"alter", "DropStmt")])
def test_the_leading_keyword_must_fit(word: bytes, node: str) -> None:
    with pytest.raises(Refused) as caught:
        keywords.check(word, node, 0)
    assert caught.value.unparsable.code == "keyword-disagreement"


LONG_ROWS = ", ".join(["(1, 'a', $1)"] * 5000)


def test_long_lists_are_cut_before_the_second_parser_reads_them() -> None:
    with pytest.raises(Refused):
        check(f"insert into secrets values {LONG_ROWS}", body("insert into t values (1, 'a', $1)"), [("t",)])


def test_what_stays_too_long_is_the_servers_to_judge() -> None:
    check("select * from secrets where " + " or ".join(["a = 1"] * 5000), body("select * from t"), [("t",)])
