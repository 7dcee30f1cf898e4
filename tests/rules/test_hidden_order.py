"""The order in which rows come or lie tells the values they are sorted by."""

from __future__ import annotations

import pytest

from rules.decision import Verdict
from rules.policy import Policy
from rules.postgres.ddl import catalog_from_ddl
from tests.rules.worlds import book

CATALOG = catalog_from_ddl("CREATE TABLE people (id int, email text); CREATE TABLE open (id int, name text);")
RULES = """
rules:
  - {id: all, allow: {statements: ["*"], tables: ["*"]}}
  - {id: mail, roles: [agent], mask: {columns: [people.email], with: hash, predicates: PREDICATES}}
"""


def verdict(sql: str, role: str = "agent", predicates: str = "equality") -> Verdict:
    policy = Policy(book(RULES.replace("PREDICATES", predicates)), CATALOG, b"k" * 32)
    (decision,) = policy.context(role, "shop", "anna", ("pg_catalog", "public")).decide(sql.encode())
    return decision.verdict


@pytest.mark.parametrize("sql", ["CLUSTER people USING people_email", "CLUSTER (VERBOSE) people", "CLUSTER"])
def test_rows_are_not_sorted_on_disk_by_what_is_hidden(sql: str) -> None:
    assert verdict(sql) is Verdict.REFUSE
    assert verdict(sql, predicates="any") is Verdict.REFUSE
    assert verdict(sql, role="dba") is Verdict.ALLOW


def test_open_tables_may_be_clustered() -> None:
    assert verdict("CLUSTER open USING open_name") is Verdict.ALLOW


def test_distinct_on_sorts() -> None:
    assert verdict("SELECT DISTINCT ON (email) id FROM people") is Verdict.REFUSE
    assert verdict("SELECT DISTINCT ON (email) id FROM people", predicates="any") is Verdict.ALLOW
    assert verdict("SELECT DISTINCT email FROM people") is Verdict.ALLOW
