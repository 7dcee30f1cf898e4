"""Where filters go in a text."""

from __future__ import annotations

import pytest

from rules.book import load
from rules.policy import Policy
from tests.rules.filters.shop import catalog, context, decided, refused, sent, splices

SPLICES = splices("inline") | splices("fenced")
REFUSED = {
    "SELECT * FROM animals": "tame",
    "SELECT * FROM kept": "dbgate:filter",
    "TRUNCATE customers": "us",
    "DROP TABLE customers": "us",
    "COPY customers FROM STDIN": "us",
    "ALTER TABLE customers RENAME TO c": "dbgate:structure",
    "CREATE INDEX ON customers (id)": "dbgate:structure",
    "DO $$ BEGIN END $$": "dbgate:structure",
    "EXPLAIN SELECT * FROM customers": "dbgate:explain",
    "EXPLAIN SELECT * FROM contacts": "dbgate:explain",
    "CREATE MATERIALIZED VIEW v AS SELECT * FROM customers": "us",
    "DELETE FROM customers WHERE CURRENT OF d": "us",
    "EXECUTE p((SELECT count(*) FROM customers))": "us",
    "UPDATE contacts SET who = 'x'": "dbgate:filter",
    "SELECT ctid FROM customers WHERE 1 / x = 1": "dbgate:filter",
    "MERGE INTO customers c USING orders o ON c.id = o.id WHEN NOT MATCHED BY SOURCE THEN DELETE": "dbgate:filter",
    'SELECT * FROM U&"customers"': "dbgate:filter",
}


@pytest.mark.parametrize("sql", SPLICES)
def test_filters_are_spliced_into_the_text(sql: str) -> None:
    assert sent(sql) == SPLICES[sql]


@pytest.mark.parametrize("sql", REFUSED)
def test_what_cannot_be_filtered_is_refused(sql: str) -> None:
    assert refused(sql) == REFUSED[sql]


def test_operators_must_be_those_of_the_system() -> None:
    assert refused("SELECT * FROM customers", "public", "pg_catalog") == "dbgate:filter"
    assert (
        sent("SELECT * FROM customers c", "pg_catalog", "public")
        == """SELECT * FROM customers c WHERE ("c"."country" = 'US')"""
    )


def test_each_statement_of_a_text_has_its_own_edits() -> None:
    text = b"SELECT 1; SELECT * FROM customers c; DELETE FROM customers c -- x"
    one, two, three = context("public").decide(text)
    assert one.rewrite is None
    assert two.rewrite is not None
    assert three.rewrite is not None
    edits = (*two.rewrite.edits, *three.rewrite.edits)
    assert [text[: e.start].count(b";") for e in edits] == [1, 2]


def test_a_filtered_table_hides_data() -> None:
    made = context("public")
    assert not made.view.unrestricted
    assert made.view.hides_in(("public", "customers"))
    assert made.view.hides_in(("public", "animals"))
    assert not made.view.hides_in(("public", "orders"))
    decision = decided("SELECT * FROM customers")
    assert decision.hides
    assert decision.rules == ("all", "us")
    assert decided("SELECT * FROM orders").observed == ("seen",)


def test_a_temporary_table_of_the_name_is_the_sessions_own() -> None:
    view = context("public").view
    assert view.filtering(("pg_temp_3", "dogs")) == ()
    assert view.filtering(("public", "dogs"))


def test_a_view_may_show_a_table_that_no_rule_allows() -> None:
    rules = """
version: 1
rules:
  - {id: views, allow: {statements: [select], tables: [contacts]}}
  - {id: us, filter: {table: customers, where: "country = 'US'"}}
"""
    loaded = load({"r.yaml": rules})
    assert loaded.rulebook is not None
    made = Policy(loaded.rulebook, catalog()).context("agent", "shop", "agent", ("public",))
    (read,) = made.decide(b"SELECT who FROM contacts")
    assert read.rewrite is not None
    (refused_table,) = made.decide(b"SELECT name FROM customers")
    assert refused_table.refusal is not None
    oids = {r.qualified: r.oid for r in catalog().relations}
    assert made.origin_denied(oids["public", "customers"], 2) is None
    assert made.origin_denied(oids["public", "orders"], 1) == "dbgate:default"


def test_a_parameter_that_prepare_declares_may_be_cast_with_the_rows() -> None:
    query = "SELECT * FROM customers WHERE $1::int = 1"
    assert "OFFSET 0" not in sent(query)
    assert "OFFSET 0" in sent(f"PREPARE p (text) AS {query}")
