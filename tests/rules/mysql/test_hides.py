"""Whose errors pass in the server's own words, which statements have no rows, and odd texts that pass."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.decision import Decision
from tests.rules.mysql.shop import CATALOG, context


def decided(text: str, triggers: bool = False) -> Decision:
    relations = tuple(replace(r, triggers=triggers) for r in CATALOG.relations)
    (found,) = context(catalog=replace(CATALOG, relations=relations)).decide(text.encode())
    assert found.refusal is None, found.refusal
    return found


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO orders (id) VALUES (1)",
        "INSERT INTO orders SET id = 1",
        "INSERT IGNORE INTO orders (id) VALUES (1), (2)",
        "INSERT INTO orders (id) SELECT id FROM other.Notes",
    ],
)
def test_errors_of_added_rows_are_the_servers_own(text: str) -> None:
    assert not decided(text).hides
    assert decided(text, triggers=True).hides


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO customers (id) VALUES (1)",
        "INSERT INTO orders (id) SELECT id FROM customers",
        "INSERT INTO vip (id) VALUES (1)",
        "INSERT INTO orders (id) VALUES (1) ON DUPLICATE KEY UPDATE id = 2",
        "REPLACE INTO orders (id) VALUES (1)",
        "UPDATE orders SET id = 1",
        "DELETE FROM orders",
    ],
)
def test_errors_that_could_tell_of_hidden_rows_are_withheld(text: str) -> None:
    assert decided(text).hides


@pytest.mark.parametrize("text", ["DO 1", "DO (SELECT id FROM orders)", "SELECT id INTO @a FROM orders"])
def test_what_returns_no_rows_has_no_columns(text: str) -> None:
    assert decided(text).width == 0


def test_what_is_prepared_has_the_columns_of_its_execution() -> None:
    assert decided("PREPARE s FROM 'SELECT id, total FROM orders'").width == 2


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO orders (id) VALUES (_binary'a\0b')",
        "INSERT INTO orders (id, total) VALUES ('\0', 1), ('\\\0', 2)",
        'SELECT id FROM orders WHERE id = "\0"',
    ],
)
def test_a_nul_may_stand_in_a_string(text: str) -> None:
    assert "\0" in text
    assert decided(text).tables == ("shop.orders",)


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("DELETE QUICK FROM orders", ("shop.orders",)),
        ("DELETE LOW_PRIORITY QUICK IGNORE FROM orders WHERE id = 1", ("shop.orders",)),
        ("DELETE QUICK customers FROM orders, customers", ("shop.customers", "shop.orders")),
        ("DELETE quick, c FROM orders quick, customers c", ("shop.customers", "shop.orders")),
    ],
)
def test_options_of_delete_are_no_tables(text: str, tables: tuple[str, ...]) -> None:
    assert decided(text).tables == tables
