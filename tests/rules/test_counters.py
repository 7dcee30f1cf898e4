"""Counters of rows read tell how many hidden rows a condition met."""

from __future__ import annotations

import pytest

from rules.book import load
from rules.catalog import Catalog
from rules.decision import Refusal
from rules.policy import Policy
from rules.postgres.ddl import catalog_from_ddl

BOOK = """
version: 1
rules:
  - {id: reads, allow: {statements: [select, copy_out], tables: ["*"]}}
  - {id: us, roles: [agent], filter: {table: customers, where: "country = 'US'"}}
"""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    made = catalog_from_ddl("CREATE TABLE customers (id int, country text)")
    assert isinstance(made, Catalog)
    return made


def refusal(catalog: Catalog, sql: str, role: str = "agent") -> Refusal | None:
    book = load({"book.yaml": BOOK}).rulebook
    assert book is not None
    (decision,) = Policy(book, catalog).context(role, "db", "u", ("public",)).decide(sql.encode())
    return decision.refusal


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT idx_tup_fetch FROM pg_stat_user_tables",
        "SELECT * FROM pg_stat_user_indexes",
        "TABLE pg_catalog.pg_stat_all_tables",
        "SELECT s FROM pg_statio_user_tables s",
        "SELECT relname FROM pg_stat_user_tables ORDER BY seq_tup_read",
        "SELECT relname FROM pg_stat_user_tables WHERE idx_tup_fetch > 5",
        "SELECT tup_fetched - 1 FROM pg_stat_database",
        "WITH s AS (SELECT idx_tup_read AS n FROM pg_stat_user_indexes) SELECT sum(n) FROM s",
    ],
)
def test_refused_to_roles_with_filters(catalog: Catalog, sql: str) -> None:
    found = refusal(catalog, sql)
    assert found is not None
    assert (found.rule, '"us"' in found.detail) == ("dbgate:filter", True)
    assert refusal(catalog, sql, "other") is None


def test_other_statistics_stay_open(catalog: Catalog) -> None:
    assert refusal(catalog, "SELECT relname, n_live_tup, last_analyze FROM pg_stat_user_tables") is None
    assert refusal(catalog, "SELECT datname, xact_commit FROM pg_stat_database") is None
