"""What a refusal tells to do next must be something that helps."""

from __future__ import annotations

import pytest

from rules.decision import Refusal
from tests.rules.test_policy import context

RULES = """
rules:
  - {id: lists, allow: {statements: [select, create], tables: [customers], functions: ["*"]}}
"""


def refusal(sql: str) -> Refusal:
    (decision,) = context(RULES, "agent").decide(sql.encode())
    assert decision.refusal is not None
    return decision.refusal


@pytest.mark.parametrize("name", ["pg_sleep", "pg_terminate_backend", "pg_notify"])
def test_a_star_lends_no_risky_function(name: str) -> None:
    arguments = "'a', 'b'" if name == "pg_notify" else "1"
    told = refusal(f"SELECT {name}({arguments})")
    assert told.hint.endswith(f"for a rule that names it: functions: [pg_catalog.{name}]")
    assert "*" not in told.hint


def test_a_kind_that_is_allowed_for_listed_tables_only() -> None:
    told = refusal("CREATE SCHEMA s")
    assert "whose rules list tables" in told.detail
    assert told.hint == "ask a database administrator for a rule that allows create without listing tables"


def test_a_kind_that_no_rule_allows() -> None:
    assert refusal("VACUUM").hint == "this role may use: create, select"
