"""What holds for every text."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.postgres import read
from rules.tree import Statement, Unparsable
from tests.rules.postgres.corpora import Case, cases, tables

CASES = cases()
QUERIES = [case for case in CASES if case.kind == "select" and case.sql.lower().startswith(("select ", "with "))]
WORDS = """
select from where ( ) , ; * t a . 1 'x' \" ' $1 $$ -- /* */ union insert into values with as :: [ ] = || E' U&\"
case when then end update set delete join on lateral explain copy stdin begin é \\
"""
FRAGMENTS = st.sampled_from([*WORDS.split(), "\n"])


def shape(value: object) -> Any:
    """A tree without its offsets."""
    if isinstance(value, tuple):
        return tuple(shape(member) for member in value)
    if is_dataclass(value) and not isinstance(value, type):
        named = {f.name: shape(getattr(value, f.name)) for f in fields(value) if f.name not in ("at", "start", "end")}
        return (type(value).__name__, tuple(named.items()))
    return value


def statements(sql: str) -> tuple[Statement, ...]:
    found = read(sql)
    assert isinstance(found, tuple), (sql, found)
    return found


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=200))
def test_garbage_never_raises(text: str) -> None:
    assert isinstance(read(text), tuple | Unparsable)


@settings(max_examples=100, deadline=None)
@given(st.lists(FRAGMENTS, max_size=25).map(" ".join))
def test_near_sql_never_raises(text: str) -> None:
    assert isinstance(read(text), tuple | Unparsable)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(CASES), st.integers(0, 400), st.sampled_from(["", "'", "(", "*/", "\\", ";", '"', "select"]))
def test_damaged_statements_never_raise(case: Case, at: int, damage: str) -> None:
    assert isinstance(read(case.sql[:at] + damage + case.sql[at + 1 :]), tuple | Unparsable)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(QUERIES))
def test_a_query_keeps_its_tables_inside_another(case: Case) -> None:
    (plain,) = statements(case.sql)
    for wrapped in (
        f"with zz as (\n{case.sql}\n) select * from zz",
        f"explain select * from (\n{case.sql}\n) zz",
        f"create view zz as\n{case.sql}",
    ):
        found = read(wrapped)
        if isinstance(found, tuple):  # not all queries may stand everywhere
            assert tables(found[0]) - {"zz"} == tables(plain)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(CASES), st.sampled_from([" ", "\n", "\t\r\n", " -- note '\n", " /* a /* b */ ' */ ", "\f"]))
def test_surroundings_change_nothing(case: Case, gap: str) -> None:
    assert shape(statements(gap + case.sql + gap)) == shape(statements(case.sql))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(CASES), min_size=2, max_size=5))
def test_a_text_of_several_statements_is_their_concatenation(chosen: list[Case]) -> None:
    text = "\n;".join(case.sql for case in chosen)
    found = statements(text)
    assert shape(found) == shape(tuple(s for case in chosen for s in statements(case.sql)))
    raw = text.encode()
    for statement in found:
        assert shape(statements(raw[statement.start : statement.end].decode())) == shape((statement,))


PLAIN = [c for c in CASES if not set(c.sql) & set("'\"$\\") and c.sql.isascii() and "0x" not in c.sql]


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(PLAIN))
def test_upper_and_lower_case_are_one(case: Case) -> None:
    assert shape(statements(case.sql.upper())) == shape(statements(case.sql.lower()))
