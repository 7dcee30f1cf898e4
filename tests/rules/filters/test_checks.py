"""Rows that are written must be in sight."""

from __future__ import annotations

import pytest

from rules.decision import ROW_CHECK_FAILED
from tests.rules.filters.shop import decided, refused, sent, splices

CHECKED = splices("checked")
NAME_EACH = "give each column its own value, country above all"
REFUSED = {
    "INSERT INTO customers (id) VALUES (1)": "name the column country and give it a value",
    "INSERT INTO customers DEFAULT VALUES": NAME_EACH,
    "INSERT INTO customers (id, country) VALUES (1, 'US'), (2, DEFAULT)": "write the value of country",
    "INSERT INTO customers (id, country) SELECT * FROM hr.customers": NAME_EACH,
    "UPDATE customers SET country = DEFAULT": "write the value of country",
    "UPDATE customers SET (country, name) = (SELECT note, note FROM orders LIMIT 1)": NAME_EACH,
    "UPDATE customers SET country = gen_random_uuid()::text": "write it as a constant, a parameter or a column",
    "UPDATE deals SET high = 3": "ask a database administrator to filter by the columns that it is made of",
}  # fmt: skip


@pytest.mark.parametrize("sql", CHECKED)
def test_new_values_carry_the_filter(sql: str) -> None:
    assert sent(sql) == CHECKED[sql]


@pytest.mark.parametrize("sql", REFUSED)
def test_what_cannot_be_checked_is_refused(sql: str) -> None:
    refusal = decided(sql).refusal
    assert refusal is not None
    assert refusal.hint == REFUSED[sql]


def test_the_client_is_told_what_failed() -> None:
    rewrite = decided("UPDATE customers SET country = $1").rewrite
    assert rewrite is not None
    assert rewrite.check is not None
    assert rewrite.check.rule == "us"
    assert "rules.yaml:5" in rewrite.check.detail
    assert rewrite.check.sqlstate != ROW_CHECK_FAILED
    plain = decided("DELETE FROM customers").rewrite
    assert plain is not None
    assert plain.check is None


def test_a_value_list_in_a_bracket_is_refused() -> None:
    assert refused("INSERT INTO customers (id, country) (SELECT id, note FROM orders)") == "dbgate:filter"


@pytest.mark.parametrize("value", ["'us'", "'US '", "'DE'", "NULL", "3", "'US' || ''"])
def test_one_other_row_among_constants_is_checked(value: str) -> None:
    rows = f"INSERT INTO customers (id, country) VALUES (1, 'US'), (2, {value}), (3, 'US')"
    assert sent(rows).count("CASE") == 3
