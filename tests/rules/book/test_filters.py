"""The verb filter when rule files are loaded, and against a catalog."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.book import check, load
from rules.book.model import RowFilter
from rules.postgres.ddl import catalog_from_ddl
from rules.postgres.predicates import read_predicate
from rules.predicate import BadPredicateError

SCHEMA = """
CREATE TABLE customers (id int, country text, total int, made timestamptz);
CREATE TABLE orders (id int, customer_id int);
CREATE TABLE animals (id int);
CREATE TABLE dogs (breed text) INHERITS (animals);
"""


def loaded(body: str) -> tuple[str, ...]:
    found = load({"r.yaml": f"version: 1\nrules:\n  - id: f\n    filter: {body}\n"})
    return tuple(map(str, found.problems))


def checked(body: str) -> list[str]:
    found = load({"r.yaml": f"version: 1\nrules:\n  - id: f\n    filter: {body}\n"})
    assert found.rulebook is not None, found.problems
    return list(map(str, check(found.rulebook, catalog_from_ddl(SCHEMA))))


def rendered(text: str) -> str:
    return read_predicate(text).render(lambda name: f"<{name}>")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("country = 'US'", "<country> = 'US'"),
        ("\"Country\" IN ('a', 'b') OR customers.active", "<Country> IN ('a', 'b') OR <active>"),
        ("lower(name) LIKE 'a%'", "pg_catalog.lower(<name>) LIKE 'a%'"),
        ("pg_catalog.lower(name) = 'a'", "pg_catalog.lower(<name>) = 'a'"),
        ("d > date '2020-01-01'", "<d> > pg_catalog.date '2020-01-01'"),
        ("x::text = 'a' AND y::int = 3", "<x>::pg_catalog.text = 'a' AND <y>::int = 3"),
        ("made > now() - interval '1 day'", "<made> > pg_catalog.now() - interval '1 day'"),
        ("d = CURRENT_DATE AND extract(year FROM d) > 3", "<d> = CURRENT_DATE AND extract(year FROM <d>) > 3"),
        ("mood = 'good'::public.mood", "<mood> = 'good'::public.mood"),
        ("a = 'x'' -- no comment'", "<a> = 'x'' -- no comment'"),
        ("true", "true"),
    ],
)
def test_conditions(text: str, expected: str) -> None:
    assert rendered(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a) OR (b", "is not a condition"),
        ("a = 1 GROUP BY b", "is not a condition"),
        ("a = 1 UNION SELECT", "is not a condition"),
        ("a = 1; DROP TABLE t", "a comment or a semicolon"),
        ("a = 1 -- more", "a comment or a semicolon"),
        ("a = 1 /* more */", "a comment or a semicolon"),
        ("a = (SELECT 1)", "holds a subquery"),
        ("EXISTS (SELECT 1)", "holds a subquery"),
        ("a = $1", "holds a parameter"),
        ("count(*) > 1", "over several rows"),
        ("row_number() OVER () = 1", "over several rows"),
        ("random() > 0.5", "where calls random"),
        ("is_mine(a)", "where calls is_mine"),
        ("public.lower(a) = 'a'", "where calls public.lower"),
        ("pg_sleep(1) IS NULL", "where calls pg_sleep"),
        ("current_setting('a.b') = b", "where calls current_setting"),
        ("a OPERATOR(public.=) b", "where uses ="),
        ("a @@@ b", "where uses @@@"),
        ("(a).b = 1", "a field of a composite value"),
        ("a::mood = 'good'", "where casts to mood"),
        ("a + 1", "does not yield true or false"),
        ("'text'", "does not yield true or false"),
        ("", "is empty"),
    ],
)
def test_what_is_no_filter(text: str, expected: str) -> None:
    (problem,) = loaded(f'{{table: customers, where: "{text}"}}')
    assert expected in problem
    assert problem.startswith("r.yaml:4:")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{}", 'filter of rule "f" is empty'),
        ("{table: t}", "has no condition"),
        ("{where: a}", "names no table"),
        ("{table: t, tables: [u], where: a}", "both table and tables"),
        ("{table: [t], where: a}", "must be a text"),
        ("{tables: t, where: a}", "must be a list"),
        ("{tables: [], where: a}", "is an empty list"),
        ("{table: t, when: a}", 'unknown key "when"'),
        ("{table: a.b.c, where: a}", "bad pattern"),
        ("[t]", "must be a mapping"),
    ],
)
def test_faulty_filters(body: str, expected: str) -> None:
    assert any(expected in problem for problem in loaded(body)), loaded(body)


def test_a_filter_as_a_value() -> None:
    found = load({"r.yaml": "version: 1\nrules: [{id: f, filter: {tables: [a, 'hr.*'], where: x}}]"})
    assert found.rulebook is not None
    verb = found.rulebook.rules[0].verb
    assert isinstance(verb, RowFilter)
    assert [t.text for t in verb.tables] == ["a", "hr.*"]
    assert found.rulebook.rules[0].word == "filter"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{table: customers, where: country = 'US'}", []),
        ("{table: customers, where: made > now() - interval '30 days'}", []),
        ("{table: custmers, where: country = 'US'}", ['no table matches "custmers"']),
        ("{table: customers, where: county = 'US'}", ['did you mean "country"?']),
        ("{tables: [customers, orders], where: country = 'US'}", ["public.orders has no such column"]),
        ("{tables: [customers], where: country::int = 1}", ["may fail on some rows of public.customers"]),
        ("{tables: [customers], where: 10 / total > 1}", ["may fail on some rows of public.customers"]),
        ("{table: dogs, where: breed <> 'wolf'}", ["public.animals shows the rows of public.dogs"]),
        ("{table: animals, where: id > 1}", []),
    ],
)
def test_filters_against_a_catalog(body: str, expected: list[str]) -> None:
    found = checked(body)
    assert len(found) == len(expected), found
    assert all(words in problem for words, problem in zip(expected, found, strict=True)), found


@given(st.text(max_size=60))
def test_any_text_gives_a_predicate_or_a_fault(text: str) -> None:
    try:
        found = read_predicate(text)
    except BadPredicateError:
        return
    assert len(found.pieces) == len(found.columns) + 1
