"""What an expression tells about a column without returning it: by failing, or by the number of rows."""

from __future__ import annotations

import pytest

from rules.facts import Use
from rules.lineage import facts
from rules.postgres import read
from rules.postgres.ddl import catalog_from_ddl
from rules.tree import Unparsable

CATALOG = catalog_from_ddl(
    "CREATE TABLE t (id int, s text, n numeric, i int, j jsonb, d date, at timestamptz, a text[], f float8,"
    "  r real, p numeric(8,2), k smallint);"
    "CREATE FUNCTION lower(t) RETURNS text LANGUAGE sql AS 'SELECT 1';"
)


def computes(sql: str) -> bool:
    found = read(sql)
    assert not isinstance(found, Unparsable), found
    known = facts(found[0], CATALOG, ("pg_catalog", "public"))
    assert known.problem is None, known.problem
    return any(use.use is Use.COMPUTE for use in known.uses)


@pytest.mark.parametrize(
    "expression",
    [
        "1 / n",
        "n / 0",
        "n % 0",
        "n / 0.0",
        "1 / (n - 43000)",
        "s::int",
        "p::smallint",
        "p::numeric(7,2)",
        "p::numeric(7,1)",
        "n::int",
        "n::bigint",
        "n::numeric(20,2)",
        "i::smallint",
        "f::bigint",
        "sum(p)::int",
        "(p * 10000)::int",
        "length(s) * 50000",
        "ascii(n::text) * 1000000 * 40",
        "f * 1e-200 * 1e-200",
        "r * 1e-20",
        "i * 12",
        "i * i",
        "k * k",
        "n * 1e300",
        "f * (1e200)::float8 * (1e200)::float8",
        "n / i",
        "n / nullif(i, 1)",
        "nullif(n, 43000) / 0",
        "100 * n / sum(n) OVER ()",
        "at + interval '292000 years'",
        "d - 2000000",
        "d + i",
        "at - interval '5000 years' - interval '1 day'",
        "replace(at::text, '2024', 'x')::date",
        "('{' || s || '}')::text[]",
        "s::bytea",
        "s::jsonb",
        "j - 'k'",
        "jsonb_path_exists(j, '$.a + 1')",
        "unnest(string_to_array(s, ','))",
        "mod(n, 0)",
        "mod(n, i)",
        "stddev(f * f * f * f)",
        "sum(r * 1000000)",
        "s::date",
        "n::numeric(3,1)",
        "sqrt(n)",
        "ln(n)",
        "n ^ 2",
        "i * 2000",
        "i + 2000000000",
        "(i + 1) * 5",
        "(n - 1) / 2 / 0",
        "chr(i)",
        "left(s, n::int)",
        "repeat('x', i)",
        "substring(s, 1, i)",
        "'a' LIKE s",
        "'a' ~ s",
        "to_number(s, '9')",
        "to_date(s, 'YYYY')",
        "(j->>'x')::int",
        "json_array_length(j::json)",
        "jsonb_object_keys(j)",
        "generate_series(1, i)",
        "unnest(a)",
        "format(s, 'x')",
        "regexp_split_to_table(s, '')",
        "i + i",
        "f / 1e-300",
        "r * 1000000 * 1000000",
        "f * f * f * f * f * f * f * f * f",
        "format('%I', s)",
        "format('%2$*1$s', i, s)",
        "repeat(s, 1000000)",
        "repeat(repeat(s, 1000), 1000)",
        "lpad(s, 100000000)",
        "s || repeat('x', 1073741800)",
        "s || (SELECT string_agg('x', '') FROM generate_series(1, 1000000000))",
        "replace(replace(s, 'a', repeat('x', 1000000)), 'x', 'yy')",
        "repeat(s, $1)",
        "json_build_object(s, 1)",
        "json_object_agg(s, i)",
        "percentile_disc(n) WITHIN GROUP (ORDER BY s)",
        "string_to_array(s, '1')",
        "array_agg(string_to_array(s, '1'))",
        "lower(s)",
        "current_setting(s)",
        "nextval(s)",
        "to_regclass(s)",
        "pg_input_is_valid(s, 'int4')",
        "width_bucket(n, 1, 2, 3)",
        "mod(i, i)",
        "convert_to(s, 'LATIN1')",
        "decode(s, 'hex')",
        "lpad(s, i)",
        "n / $1",
        "i + $1",
        "XMLPARSE(CONTENT s)",
    ],
)
def test_what_can_fail_or_multiply_tells(expression: str) -> None:
    assert computes(f"SELECT {expression} FROM t")


@pytest.mark.parametrize(
    "source", ["generate_series(1, t.i)", "unnest(t.a)", "jsonb_each(t.j)", "jsonb_array_elements(t.j)", "upper(t.s)"]
)
def test_functions_in_from_tell_by_their_rows(source: str) -> None:
    assert computes(f"SELECT count(*) FROM t, {source} x")


def test_the_size_of_a_sample_tells() -> None:
    assert computes("SELECT x.* FROM t, LATERAL (SELECT count(*) FROM t u TABLESAMPLE bernoulli (t.i)) x")
    assert not computes("SELECT x.* FROM t, LATERAL (SELECT count(*) FROM orders TABLESAMPLE bernoulli (2 * 5)) x")


@pytest.mark.parametrize(
    "expression",
    [
        "s",
        "upper(s)",
        "s || 'x'",
        "length(s)",
        "left(s, 2)",
        "substring(s, 1, 3)",
        "coalesce(s, '-')",
        "s::text",
        "left(s, i)",
        "substring(s from position('@' in s) + 1)",
        "p::int",
        "p::bigint",
        "p::numeric(8,2)",
        "p::numeric(10,1)",
        "p::numeric",
        "p::float8",
        "p::real",
        "n::float8",
        "n::real",
        "n::numeric",
        "i::bigint",
        "i::numeric * 12",
        "i * 12.0",
        "avg(p)::numeric(8,2)",
        "round(avg(p), 2)",
        "round(p)::int",
        "sum(p)::bigint",
        "length(s) * 2",
        "avg(length(s))",
        "(s IS NULL)::int",
        "sum((s IS NULL)::int)",
        "k + 1",
        "n / nullif(i, 0)",
        "100.0 * n / nullif(sum(n) OVER (), 0)",
        "sum(n) / count(*)",
        "sum(n) / greatest(count(*), 1)",
        "p * (1 + p / 100.0)",
        "mod(n, 10)",
        "at + interval '1 year 2 months'",
        "d + 30",
        "current_date - d",
        "now() - at",
        "extract(year FROM age(at))::int",
        "extract(year FROM now()) - extract(year FROM at)",
        "date_part('year', at)::int",
        "at::timestamptz",
        "at::time",
        "a::text[]",
        "a[1]",
        "unnest(ARRAY[s, 'x'])",
        "regexp_match(s, 'a(.)')",
        "convert_to(s, 'UTF8')",
        "jsonb_path_query_first(j, '$.a[0].b')",
        "CASE WHEN s IS NULL THEN 0 ELSE n END * 2",
        "coalesce(n, 0) * 12",
        "greatest(p, 0)::int",
        "j->>'x'",
        "n * 12",
        "n * 1.1",
        "n + 5",
        "i - 1",
        "n / 12",
        "i % 10",
        "-n",
        "round(n)",
        "sum(n) / 12",
        "max(n) - min(n)",
        "avg(i)",
        "to_char(at, 'YYYY')",
        "extract(year FROM at)",
        "date_trunc('month', at)",
        "at::date",
        "at AT TIME ZONE 'UTC'",
        "md5(s)",
        "s = 'x'",
        "s LIKE 'a%'",
        "s ~ '^a'",
        "s IS NULL",
        "nullif(s, 'x')",
        "greatest(n, 1)",
        "format('%s', s)",
        "to_jsonb(t)",
        "row_to_json(t)",
        "json_agg(t)",
        "array_agg(s)",
        "string_agg(s, ',')",
        "replace(s, 'a', 'b')",
        "count(s)",
        "lag(s) OVER ()",
        "json_build_array(s)",
        "concat(s, n)",
        "1 / 2",
        "sqrt(4)",
        "'5'::int",
        "ARRAY[s]",
        "ROW(s, n)",
        "pg_catalog.lower(s)",
        "json_build_object('k', s, 'l', n)",
        "jsonb_object_agg('k', s)",
        "percentile_cont(0.5) WITHIN GROUP (ORDER BY n)",
        "mode() WITHIN GROUP (ORDER BY s)",
        "format('%s <%s>', s, n)",
        "repeat(s, 3)",
        "lpad(s, 20)",
        "replace(s, '@', ' at ')",
        "n * 12 * 1.05",
        "n - avg(n)",
    ],
)
def test_what_takes_any_value_does_not_tell(expression: str) -> None:
    assert not computes(f"SELECT {expression} FROM t")


def nested(expression: str, levels: int, start: str) -> str:
    """`expression` of x over itself, in one derived table for each level."""
    inner = f"SELECT {start} AS x FROM t"
    for _ in range(levels):
        inner = f"SELECT {expression} AS x FROM ({inner}) s"
    return inner


@pytest.mark.parametrize(
    ("expression", "start", "harmless"),
    [
        ("x || x", "s", 5),
        ("concat(x, x, x, x)", "s", 3),
        ("x * 1000000", "r", 1),
        ("x * x", "f", 3),
        ("x * x", "n", 3),
        ("x + 1000000", "i", 5),
        ("x * 1000000000000000000", "f", 5),
    ],
)
def test_what_grows_without_bound_tells(expression: str, start: str, harmless: int) -> None:
    assert not computes(nested(expression, harmless, start))
    assert computes(nested(expression, 16, start))


@pytest.mark.parametrize("step", ["x || x", "x || 'a'", "concat(x, x)"])
def test_what_grows_in_a_recursion_tells(step: str) -> None:
    first = "SELECT 1 AS n, s AS x FROM t"
    assert computes(f"WITH RECURSIVE r AS ({first} UNION ALL SELECT n + 1, {step} FROM r WHERE n < 30) SELECT x FROM r")
    assert not computes(f"WITH RECURSIVE r AS ({first} UNION ALL SELECT n + 1, x FROM r WHERE n < 30) SELECT x FROM r")


@pytest.mark.parametrize(
    ("expression", "hollow"),
    [
        ("s", False),
        ("upper(s)", False),
        ("nullif(s, 'x')", True),
        ("upper(nullif(s, 'x'))", True),
        ("nullif(s, 'x') || 'a'", True),
        ("nullif(s, 'x')::varchar", True),
        ("coalesce(nullif(s, 'x'), 'none')", False),
        ("coalesce(nullif(s, 'x'), s)", True),
        ("(SELECT nullif(s, 'x'))", True),
        ("substring(s from '^1')", True),
        ("substr(s, 1, 3)", False),
        ("array_position(ARRAY['1'], s)", True),
        ("j ->> 'k'", True),
        ("max(nullif(s, 'x'))", True),
        ("x FROM (SELECT nullif(s, 'x') AS x FROM t) y", True),
        ("s FROM t UNION ALL SELECT nullif(s, 'x')", True),
    ],
)
def test_values_that_may_be_null_for_what_they_are(expression: str, hollow: bool) -> None:
    found = read(f"SELECT {expression}" + ("" if expression.endswith("y") else " FROM t"))
    assert not isinstance(found, Unparsable), found
    known = facts(found[0], CATALOG, ("pg_catalog", "public"))
    assert known.outputs is not None, known.problem
    assert [output.hollow for output in known.outputs] == [hollow]


@pytest.mark.parametrize(
    "expression",
    [
        "s = 'x' AND 1 / (id - id) > 0",
        "s = 'x' OR nextval('q') > 0",
        "s IN ('x', (1 / (id - id))::text)",
        "s BETWEEN 'a' AND (1 / (id - id))::text",
        "(s, 1 / (id - id)) = ('x', 1)",
        "s = 'x' AND EXISTS (SELECT 1 FROM t u WHERE 1 / (u.id - u.id) = 1)",
        "s = 'x' AND (SELECT u.id FROM t u) > 0",
        "coalesce(nullif(s, 'x'), nextval('q')::text)",
        "coalesce(nullif(s, 'x'), current_setting('no.such'))",
        "(SELECT v.s = 'x' AND v.b FROM (SELECT t.s, 1 / (t.id - t.id) > 0 AS b) v)",
    ],
)
def test_what_is_worked_out_only_if_a_value_lets_it_tells_the_value(expression: str) -> None:
    assert computes(f"SELECT {expression} FROM t")


@pytest.mark.parametrize(
    "expression",
    [
        "s = 'x' AND id > 0",
        "coalesce(s, id::text)",
        "coalesce(s, (1 / id)::text)",
        "coalesce(nullif(s, 'x'), 'none')",
        "coalesce(nullif(s, 'x'), (SELECT max(u.s) FROM t u))",
        "s IN ('x', 'y')",
        "(s, id) = ('x', 1)",
    ],
)
def test_what_cannot_fail_may_follow(expression: str) -> None:
    found = read(f"SELECT {expression} FROM t")
    assert not isinstance(found, Unparsable)
    known = facts(found[0], CATALOG, ("pg_catalog", "public"))
    assert not [u for u in known.uses if u.use is Use.COMPUTE and u.column.column == "s"]


@pytest.mark.parametrize(
    "expression",
    [
        "s LIKE 'kx1\\'",
        "s LIKE $1",
        "s LIKE 'kx1#' ESCAPE '#'",
        "s LIKE ANY (ARRAY['a', 'kx1\\'])",
        "nullif(s, 'x') ~ '('",
        "regexp_replace(nullif(s, 'x'), '(', '')",
        "split_part(nullif(s, 'x'), ',', 0)",
        "substr(nullif(s, 'x'), 1, -1)",
        "encode(nullif(s, 'x'), 'no such')",
        "array_position(ARRAY['a'], 'a', ascii(nullif(s, 'x')))",
        "to_jsonb(nullif(s, 'x')) - 0",
        "to_char(length(nullif(s, 'x')), '9.9.9')",
        "s = 'x' AND to_char(id, '9.9.9') = '1'",
        "s::text[]",
        "s::public.text",
        "JSON_OBJECT(s VALUE 1)",
        "JSON_OBJECT('a' VALUE 1, s VALUE 2 WITH UNIQUE KEYS)",
        "JSON_ARRAY(s FORMAT JSON)",
    ],
)
def test_constants_that_fail_for_some_values_tell_which(expression: str) -> None:
    assert computes(f"SELECT {expression} FROM t")


@pytest.mark.parametrize(
    "expression",
    ["s LIKE 'kx1%'", "s LIKE ANY (ARRAY['a%', 'b'])", "s ~ '('", "left(nullif(s, 'x'), 3)", "length(s) - 1",
     "JSON_OBJECT('a' VALUE s)", "JSON_ARRAY(s)", "s::varchar(3)"],
)  # fmt: skip
def test_constants_that_every_value_bears(expression: str) -> None:
    assert not computes(f"SELECT {expression} FROM t")


@pytest.mark.parametrize(
    "expression",
    [
        "(ROW(nullif(s, 'x'))).f1",
        "(SELECT (v.r).f1 FROM (SELECT ROW(nullif(t.s, 'x')) AS r) v)",
        "lag(id, ascii(s)) OVER ()",
    ],
)
def test_a_part_or_an_offset_that_is_not_there_tells_the_value(expression: str) -> None:
    found = read(f"SELECT {expression} FROM t")
    assert not isinstance(found, Unparsable)
    known = facts(found[0], CATALOG, ("pg_catalog", "public"))
    assert known.outputs is not None
    assert known.outputs[0].hollow


def test_a_view_hides_nothing_of_that() -> None:
    catalog = catalog_from_ddl(
        "CREATE TABLE t (id int, s text); CREATE VIEW v AS SELECT id, nullif(left(s, 1), '5') AS h,"
        " 1 / (id - id) > 0 AS f FROM t; CREATE VIEW w AS SELECT s AS x FROM t UNION ALL SELECT 'known'"
    )
    found = read("SELECT h FROM v; SELECT h = 'x' AND f FROM v; SELECT DISTINCT x FROM w")
    assert not isinstance(found, Unparsable)
    hollow, lazy, mixed = (facts(statement, catalog, ("pg_catalog", "public")) for statement in found)
    assert hollow.outputs is not None
    assert hollow.outputs[0].hollow
    assert {u.column.column for u in lazy.uses if u.use is Use.COMPUTE} >= {"s", "h"}
    assert {u.column.column for u in mixed.uses if u.use is Use.FILTER} == {"s", "x"}
