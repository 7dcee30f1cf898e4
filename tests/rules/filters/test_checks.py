"""Rows that are written must be in sight."""

from __future__ import annotations

import pytest

from rules.decision import ROW_CHECK_FAILED
from tests.rules.filters.shop import decided, refused, sent


def checked(value: str) -> str:
    return f"CASE WHEN (({value})::character varying = 'US') THEN ({value})::character varying ELSE ERROR::character varying END"


def apart(value: str) -> str:
    return (
        """(SELECT CASE WHEN ("dbgate_row"."dbgate_value" = 'US') THEN "dbgate_row"."dbgate_value" ELSE """
        f"""ERROR::character varying END FROM (SELECT ({value})::character varying OFFSET 0) AS """
        """"dbgate_row"("dbgate_value"))"""
    )


VISIBLE = "(COUNTRY = 'US')"
CHECKED = {
    "UPDATE customers SET country = $1, name = $2 WHERE id = $3": f"UPDATE customers SET country = {checked('$1')}, name = $2 WHERE {VISIBLE} AND (id = $3)",
    "UPDATE customers SET name = 'b', country = NULL": f"UPDATE customers SET name = 'b', country = {checked('NULL')} WHERE {VISIBLE}",
    "UPDATE customers SET name = 'b'": f"UPDATE customers SET name = 'b' WHERE {VISIBLE}",
    "UPDATE customers SET country = (SELECT country FROM customers LIMIT 1)": f"UPDATE customers SET country = {apart(f'(SELECT country FROM customers WHERE {VISIBLE} LIMIT 1)')} WHERE {VISIBLE}",
    "INSERT INTO customers (id, country) VALUES (1, 'US'), (2, $1)": f"INSERT INTO customers (id, country) VALUES (1, {checked(chr(39) + 'US' + chr(39))}), (2, {checked('$1')})",
    "INSERT INTO customers VALUES (1, 'a', $1)": f"INSERT INTO customers VALUES (1, 'a', {checked('$1')})",
    "INSERT INTO customers (country, id) SELECT note, id FROM orders": f"INSERT INTO customers (country, id) SELECT {checked('note')}, id FROM orders",
    "INSERT INTO customers (id, country) VALUES (1, $1) ON CONFLICT (id) WHERE x > 1 DO UPDATE SET country = excluded.country WHERE customers.x > 3": f"INSERT INTO customers (id, country) VALUES (1, {checked('$1')}) ON CONFLICT (id) WHERE x > 1 DO UPDATE SET country = {checked('excluded.country')} WHERE {VISIBLE} AND (customers.x > 3)",
    "INSERT INTO customers (id, country) VALUES (1, $1) ON CONFLICT DO NOTHING": f"INSERT INTO customers (id, country) VALUES (1, {checked('$1')}) ON CONFLICT DO NOTHING",
    "MERGE INTO customers USING orders o ON customers.id = o.id WHEN MATCHED AND o.id > 1 THEN UPDATE SET country = o.note WHEN NOT MATCHED THEN INSERT (id, country) VALUES (o.id, $1)": f"MERGE INTO customers USING orders o ON {VISIBLE} AND (customers.id = o.id) WHEN MATCHED AND o.id > 1 THEN UPDATE SET country = {checked('o.note')} WHEN NOT MATCHED THEN INSERT (id, country) VALUES (o.id, {checked('$1')})",
}  # fmt: skip
REFUSED = {
    "INSERT INTO customers (id) VALUES (1)": "name the column country and give it a value",
    "INSERT INTO customers DEFAULT VALUES": "give each column its own value, country above all",
    "INSERT INTO customers (id, country) VALUES (1, 'US'), (2, DEFAULT)": "write the value of country",
    "INSERT INTO customers (id, country) SELECT * FROM hr.customers": "give each column its own value, country above all",
    "UPDATE customers SET country = DEFAULT": "write the value of country",
    "UPDATE customers SET (country, name) = (SELECT note, note FROM orders LIMIT 1)": "give each column its own value, country above all",
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
