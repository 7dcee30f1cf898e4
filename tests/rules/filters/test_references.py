"""Every place where a table can be named is found, whatever our own tree makes of it."""

from __future__ import annotations

import re

import pytest

from rules.filters.expansion import refuse_unseen
from rules.filters.references import all_named, named, references
from rules.filters.refusals import NotSpliced
from rules.lineage.reader import Reader
from rules.postgres import read
from rules.postgres.grammar import parse_tree
from rules.tree import Select, Statement
from tests.rules.filters.shop import catalog, context

TEXTS = [
    "SELECT * FROM customers c, LATERAL (SELECT * FROM orders WHERE id IN (TABLE events)) x",
    "SELECT array_agg(id ORDER BY (SELECT 1 FROM customers)) FILTER (WHERE EXISTS (SELECT FROM orders)) FROM events",
    "SELECT sum(id) OVER (ORDER BY (SELECT 1 FROM customers) ROWS (SELECT 2 FROM orders)::int PRECEDING) FROM events",
    "SELECT 1 FROM events LIMIT (SELECT 1 FROM customers) OFFSET (SELECT 1 FROM orders)",
    "SELECT 1 FROM events TABLESAMPLE system ((SELECT 1 FROM customers)) REPEATABLE ((SELECT 2 FROM orders))",
    "WITH RECURSIVE r(a) AS (TABLE customers UNION TABLE orders) SEARCH DEPTH FIRST BY a SET o"
    " CYCLE a SET c USING p TABLE r",
    "INSERT INTO orders AS o SELECT * FROM customers ON CONFLICT (id) WHERE id > (SELECT 1 FROM events) DO UPDATE"
    " SET id = (SELECT 1 FROM dogs) WHERE EXISTS (SELECT FROM animals) RETURNING (SELECT 1 FROM deals)",
    "UPDATE orders SET note = (SELECT 1 FROM customers) FROM events WHERE id IN (TABLE dogs)"
    " RETURNING (SELECT 1 FROM deals)",
    "MERGE INTO orders o USING (TABLE customers) c ON EXISTS (SELECT FROM events) WHEN MATCHED"
    " AND (SELECT true FROM dogs) THEN UPDATE SET note = (SELECT 1 FROM deals)"
    " WHEN NOT MATCHED THEN INSERT VALUES ((SELECT 1 FROM animals))",
    "SELECT * FROM xmltable('/a' PASSING (SELECT 1::text::xml FROM customers)"
    " COLUMNS a text DEFAULT (SELECT 'x' FROM orders))",
    "SELECT json_object('a': (SELECT 1 FROM customers)), CASE (SELECT 1 FROM orders) WHEN 1"
    " THEN (SELECT 2 FROM events) END",
    "SELECT 1 GROUP BY ROLLUP ((SELECT 1 FROM customers)), GROUPING SETS (((SELECT 1 FROM orders)), ())",
    "DECLARE c CURSOR FOR VALUES ((SELECT 1 FROM customers)), ((SELECT 1 FROM orders))",
]  # fmt: skip


def statement(text: str) -> Statement:
    found = read(text)
    assert isinstance(found, tuple), found
    return found[0]


@pytest.mark.parametrize("text", TEXTS)
def test_nothing_is_left_out(text: str) -> None:
    made = statement(text)
    assert {at for at, _ in all_named(parse_tree(text.encode()))} == set(named(made.body))
    stored = {r.stored.name for r in references(Reader(catalog(), ("public",)), made)}
    words = set(re.findall(r"\w+", text))
    assert stored == {r.name for r in catalog().relations if r.name in words}


def test_what_our_tree_leaves_out_is_refused() -> None:
    text = "SELECT 1 FROM orders WHERE id IN (TABLE customers)"
    blind = Statement("select", Select(()), end=len(text))
    reader, view = Reader(catalog(), ("public",)), context("public").view
    refuse_unseen(reader, statement(text), text.encode(), view)
    with pytest.raises(NotSpliced, match="customers is named where no filter can follow"):
        refuse_unseen(reader, blind, text.encode(), view)
