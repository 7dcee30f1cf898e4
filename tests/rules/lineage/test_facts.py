"""What the cases of cases.txt cannot spell: flags, search paths, views that break, odd trees."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.catalog import Catalog, Column, Relation
from rules.facts import Facts
from rules.lineage import facts
from rules.postgres import read
from rules.postgres.ddl import catalog_from_ddl
from tests.rules.lineage import shop


@pytest.mark.parametrize(
    ("sql", "has_where"),
    [
        ("DELETE FROM orders", False),
        ("DELETE FROM orders WHERE id = 1", True),
        ("DELETE FROM orders WHERE true", False),
        ("DELETE FROM orders WHERE 1 = 1", False),
        ("DELETE FROM orders WHERE now() > '2000-01-01'", False),
        ("DELETE FROM orders WHERE 1 = 1 AND id > 3", True),
        ("DELETE FROM orders WHERE CURRENT OF c", True),
        ("DELETE FROM orders WHERE EXISTS (SELECT 1 FROM customers)", True),
        ("DELETE FROM orders WHERE ctid = '(0,1)'", True),
        ("UPDATE orders SET note = 'x'", False),
        ("UPDATE orders SET note = 'x' WHERE $1", False),
        ("WITH d AS (DELETE FROM orders) SELECT 1", False),
        ("EXPLAIN DELETE FROM orders", False),
        ("SELECT * FROM orders", True),
        ("INSERT INTO orders (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET note = 'x'", True),
    ],
)
def test_has_where(sql: str, has_where: bool) -> None:
    assert shop.found(sql).has_where is has_where


@pytest.mark.parametrize(
    ("sql", "has_limit"),
    [
        ("SELECT 1 LIMIT 1", True),
        ("SELECT 1", False),
        ("SELECT 1 UNION SELECT 2 LIMIT 3", True),
        ("TABLE orders", False),
    ],
)
def test_has_limit(sql: str, has_limit: bool) -> None:
    assert shop.found(sql).has_limit is has_limit


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (("public",), "public"),
        (("hr", "public"), "hr"),
        (("pg_temp_3", "hr", "public"), "pg_temp_3"),
        (("hr", "pg_temp_3", "public"), "hr"),
        (("pg_catalog", "hr"), "hr"),
    ],
)
def test_search_path(path: tuple[str, ...], expected: str) -> None:
    catalog = _holding("public.t", "hr.t", "pg_temp_3.t")
    assert _schemas("SELECT x FROM t", catalog, path) == {expected}


def test_system_catalogs_come_first_unless_listed() -> None:
    catalog = _holding("pg_catalog.pg_class", "public.pg_class")
    assert _schemas("SELECT x FROM pg_class", catalog, ("public",)) == {"pg_catalog"}
    assert _schemas("SELECT x FROM pg_class", catalog, ("public", "pg_catalog")) == {"public"}


def test_pg_temp_is_the_session_s_own() -> None:
    catalog = _holding("pg_temp_3.t", "public.t")
    assert _schemas("SELECT x FROM pg_temp.t", catalog, ("pg_temp_3", "public")) == {"pg_temp_3"}
    assert _facts("SELECT x FROM pg_temp.t", catalog, ("public",)).missing == (("pg_temp", "t"),)


@pytest.mark.parametrize(
    "definition",
    [
        None,
        "not sql at all",
        "DELETE FROM t",
        "SELECT x, 1 FROM t",
        "SELECT x FROM gone",
        "SELECT x FROM public.v",
        "SELECT y FROM t",
    ],
)
def test_a_view_that_is_not_understood_is_not_read(definition: str | None) -> None:
    view = Relation(9, "public", "v", "v", (Column("x", 1, "text"),), definition)
    catalog = Catalog("1", (*_holding("public.t").relations, view))
    for _ in range(2):  # the second answer comes from memory
        problem = _facts("SELECT count(*) FROM v", catalog, ("public",)).problem
        assert problem is not None
        assert problem.code == "view"


def test_a_view_that_calls_a_risky_function_passes_the_risk_on() -> None:
    catalog = catalog_from_ddl("CREATE VIEW v AS SELECT pg_read_file('x') AS x, upper('y') AS y")
    assert {f.name for f in _facts("SELECT y FROM v", catalog, ("public",)).functions} == {"pg_read_file"}


def test_long_chains_are_refused_not_raised() -> None:
    sql = "SELECT " + "+".join(["id"] * 900) + " FROM orders"
    statements = read(sql)
    if isinstance(statements, tuple):
        found = facts(statements[0], shop.catalog(), ("public",))
        assert found.problem is not None or found.outputs is not None


def test_made_up_function_names_do_not_fill_the_memory() -> None:
    before = len(shop.catalog().derived)
    for i in range(50):
        shop.found(f"SELECT made_up_{i}()")
    assert len(shop.catalog().derived) == before


TEXT = (
    "SELECT email id FROM customers orders c o , ( ) * . JOIN ON USING = WHERE AND x AS WITH t UNION GROUP BY ORDER 1 "
    "LATERAL count INSERT INTO UPDATE SET note DELETE RETURNING VALUES contacts 'a' $1 LIMIT DISTINCT CASE WHEN END"
)
WORDS = st.sampled_from(TEXT.split())


@given(st.lists(WORDS, max_size=14).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_whatever_parses_gives_facts(sql: str) -> None:
    statements = read(sql)
    for statement in statements if isinstance(statements, tuple) else ():
        assert isinstance(facts(statement, shop.catalog(), ("public",)), Facts)


def _holding(*names: str) -> Catalog:
    """Tables of one column x, by qualified name."""
    split = [name.split(".") for name in names]
    relations = [Relation(i, schema, t, "r", (Column("x", 1, "text"),)) for i, (schema, t) in enumerate(split, 1)]
    return Catalog("1", tuple(relations))


def _facts(sql: str, catalog: Catalog, path: tuple[str, ...]) -> Facts:
    statements = read(sql)
    assert isinstance(statements, tuple)
    return facts(statements[0], catalog, path)


def _schemas(sql: str, catalog: Catalog, path: tuple[str, ...]) -> set[str]:
    return {use.table[0] for use in _facts(sql, catalog, path).tables}


@pytest.mark.parametrize(
    ("sql", "has_where"),
    [
        ("DELETE FROM orders WHERE id = id", False),
        ("UPDATE orders SET note = 'x' WHERE id IS NOT NULL OR true", False),
        ("WITH x AS (DELETE FROM orders WHERE 'a' = 'a' RETURNING id) SELECT * FROM x", False),
        ("DELETE FROM orders WHERE id = 1", True),
        ("MERGE INTO orders o USING customers c ON true WHEN MATCHED THEN DELETE", False),
        ("MERGE INTO orders o USING customers c ON true WHEN MATCHED AND o.id = 1 THEN DELETE", True),
        ("MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED THEN DELETE", True),
    ],
)
def test_a_where_that_chooses_no_rows_is_none(sql: str, has_where: bool) -> None:
    assert shop.found(sql).has_where is has_where
