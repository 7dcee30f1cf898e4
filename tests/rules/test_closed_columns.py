"""Columns of readable system catalogs that are closed: secrets, and counters of rows that filters hide."""

from __future__ import annotations

from dataclasses import replace

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
  - {id: named, roles: [auditor], allow: {statements: [select], tables: [pg_catalog.pg_subscription]}}
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


SECRETS = [
    "SELECT subconninfo FROM pg_subscription",
    "SELECT * FROM pg_subscription",
    "SELECT s::text FROM pg_subscription s",
    "SELECT count(*) FROM pg_subscription WHERE subconninfo LIKE '%password=a%'",
]
OPTIONS = [
    "SELECT srvoptions FROM pg_foreign_server",
    "SELECT ARRAY(SELECT o.option_value FROM pg_options_to_table(srvoptions) o) FROM pg_foreign_server",
    "SELECT s FROM pg_foreign_server s",
    "SELECT o.* FROM pg_foreign_server s, pg_options_to_table(s.srvoptions) o",
]


@pytest.mark.parametrize("role", ["agent", "other"])
@pytest.mark.parametrize("sql", [*SECRETS, *OPTIONS])
def test_secrets_are_closed(catalog: Catalog, sql: str, role: str) -> None:
    found = refusal(catalog, sql, role)
    assert found is not None
    assert found.rule == "dbgate:system-catalog"


def test_without_foreign_servers_there_are_no_options(catalog: Catalog) -> None:
    for sql in OPTIONS:
        assert refusal(replace(catalog, foreign_servers=False), sql, "other") is None


def test_a_rule_that_names_the_catalog_opens_it(catalog: Catalog) -> None:
    for sql in SECRETS:
        assert refusal(catalog, sql, "auditor") is None


def test_the_rest_of_these_catalogs_is_open(catalog: Catalog) -> None:
    for sql in (
        "SELECT count(*) FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = 'x')",
        "SELECT srvname, srvacl FROM pg_foreign_server",
        "SELECT oid, lomowner, lomacl FROM pg_largeobject_metadata",
    ):
        assert refusal(catalog, sql) is None
