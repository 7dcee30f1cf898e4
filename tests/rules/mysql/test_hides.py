"""Whose errors pass in the server's own words, and which statements have no rows."""

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
