"""Functions and operators that fail by an array's dimensions, and those that an extension means otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.catalog import Catalog, Function
from rules.facts import FunctionRisk, Use
from rules.lineage import facts
from rules.postgres import read
from rules.postgres.ddl import catalog_from_ddl
from rules.tree import Unparsable

CATALOG = catalog_from_ddl(
    "CREATE DOMAIN places AS int[];"
    "CREATE TABLE t (id int, s text, i int, j jsonb, a int[], b int[], p places, words text[], n numeric(8,2));"
)
EXTENDED = replace(
    CATALOG,
    functions=(
        Function(1, "public", "max", computes=True, total=True),
        Function(2, "public", "split_part", computes=True, total=True),
        Function(3, "public", "sum", computes=True),
        Function(4, "public", "initcap", computes=True),
    ),
    failing_operators=frozenset({"@>", "->"}),
)


def computes(expression: str, catalog: Catalog = CATALOG) -> bool:
    found = read(f"SELECT {expression} FROM t")
    assert not isinstance(found, Unparsable), found
    known = facts(found[0], catalog, ("pg_catalog", "public"))
    assert known.problem is None, known.problem
    return any(use.use is Use.COMPUTE for use in known.uses)


@pytest.mark.parametrize(
    "expression",
    [
        "array_agg(a)",
        "array_agg(p)",
        "array_remove(a, 1)",
        "array_position(a, 1)",
        "array_append(a, 1)",
        "array_prepend(1, a)",
        "array_cat(a, b)",
        "a || b",
        "a || 1",
        "a || '{{1,2}}'",
        "p || 1",
        "coalesce(a, b) || 1",
        "a[1:2] || 1",
        "s::text[] || 'x'",
        "ARRAY[a, b]",
        "ARRAY[a, '{1,2}']",
        "unnest(ARRAY[a, b])",
        "(SELECT array_agg(x.r) FROM (SELECT array_replace(y.q, 'a', 'b') r FROM (SELECT ARRAY[s] AS q FROM t) y) x)",
        "lag(a) OVER () || 1",
        "(SELECT array_agg(x.a) FROM (SELECT a FROM t UNION SELECT b FROM t) x)",
        "ARRAY(SELECT a FROM t u)",
        "ARRAY[ARRAY(SELECT s FROM t u WHERE u.id = t.id)]",
    ],
)
def test_what_goes_by_dimensions_tells_them(expression: str) -> None:
    assert computes(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "a",
        "array_agg(s)",
        "array_agg(i)",
        "array_replace(a, 1, 2)",
        "array_position(ARRAY['a', 'b'], s)",
        "array_to_string(a, ',') || s",
        "array_length(a, 1)",
        "cardinality(a)",
        "a[1]",
        "coalesce(a, b)",
        "ARRAY[s, 'x']",
        "unnest(ARRAY[i, 1])",
        "ARRAY(SELECT s FROM t u)",
        "upper(s) || 'x' || i",
        "a::text || 'x'",
        "to_jsonb(a) || j",
        "a = b",
        "(a = b)::text || s",
        "i = ANY(a)",
        "json_agg(a)",
    ],
)
def test_what_bears_every_shape_does_not(expression: str) -> None:
    assert not computes(expression)


@pytest.mark.parametrize("expression", ["sum(s)", "initcap(s)", "a @> b", "j -> 1", "j -> i"])
def test_an_extension_may_mean_another_function_or_operator(expression: str) -> None:
    assert computes(expression, EXTENDED)


@pytest.mark.parametrize(
    "expression", ["sum(n)", "sum(i)", "max(s)", "split_part(s, '-', 1)", "pg_catalog.initcap(s)", "j -> 'k'", "j @> j"]
)
def test_what_an_extension_cannot_mean_or_bears_as_well(expression: str) -> None:
    assert not computes(expression, EXTENDED)


def test_a_part_that_an_extension_does_not_find_is_null() -> None:
    found = read("SELECT split_part(s, '-', 2) FROM t")
    assert not isinstance(found, Unparsable)
    plain, extended = (facts(found[0], c, ("pg_catalog", "public")).outputs for c in (CATALOG, EXTENDED))
    assert plain
    assert not plain[0].hollow
    assert extended
    assert extended[0].hollow


@pytest.mark.parametrize("call", ["lower(s)", "pg_catalog.lower(s)"])
def test_a_function_that_somebody_added_to_pg_catalog_is_a_users_code(call: str) -> None:
    """Only its OID tells it from the built-in one of the same name."""
    added = replace(CATALOG, functions=(Function(30000, "pg_catalog", "lower"),))
    found = read(f"SELECT {call} FROM t")
    assert not isinstance(found, Unparsable)
    risks = {f.risk for f in facts(found[0], added, ("public",)).functions}
    assert risks == {FunctionRisk.PURE, FunctionRisk.USER}
    assert computes(call, added)
    assert not computes(call)
