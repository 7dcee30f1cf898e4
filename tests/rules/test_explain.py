from __future__ import annotations

import json

import pytest

from rules.explain import Explanation, as_data, explain, lines
from tests.rules.test_policy import RULES, context

MORE = (
    RULES
    + "  - {id: dry, mode: observe, deny: {tables: [customers]}}\n"
    + "  - {id: where, deny: {statements: [delete], without: where}}\n"
)


def explained(sql: str, role: str = "agent") -> Explanation:
    (found,) = explain(context(MORE, role), sql)
    return found


def test_every_rule_says_why() -> None:
    notes = {
        note.rule.id: (note.matched, note.why) for note in explained("SELECT email, upper(ssn) FROM customers").notes
    }
    assert notes == {
        "reads": (True, "it allows select"),
        "keys": (False, "its tables did not match"),
        "salary": (False, "its columns did not match"),
        "mail": (True, "{keep_last: 4}, predicates: none: public.customers.email"),
        "ssn": (True, "redact, predicates: none: public.customers.ssn"),
        "totals": (False, "none of its columns is used"),
        "all": (False, "it is for dba"),
        "dry": (True, "table public.customers (observed only, without effect)"),
        "where": (False, "its statements and without did not match"),
    }


def test_allow_rules_that_do_not_match() -> None:
    (note, *_) = explained("TRUNCATE orders").notes
    assert (note.matched, note.why) == (False, "it speaks of select")


def test_for_people() -> None:
    text = "\n".join(lines(explained("SELECT email, id FROM customers")))
    assert "kind       select" in text
    assert "email is public.customers.email  -> {keep_last: 4} by mail" in text
    assert "id is public.customers.id\n" in text
    assert "+ mail (mask, rules.yaml:" in text
    assert "verdict    allow  by reads, mail" in text


def test_a_refusal_is_shown_as_the_client_sees_it() -> None:
    text = "\n".join(lines(explained("SELECT * FROM api_keys")))
    assert "ERROR:  42501: dbgate refused this statement" in text
    assert 'DETAIL:  rule "keys" (rules.yaml:5): table public.api_keys' in text
    assert "HINT:  " in text


def test_a_text_that_is_not_understood() -> None:
    found = explained("SELECT FROM FROM")
    assert found.facts.kind == "unknown"
    assert found.decision.refusal is not None
    assert all(note.why for note in found.notes)


def test_each_statement_by_itself() -> None:
    one, two = explain(context(MORE), "SELECT 'ä' ; SELECT email FROM customers")
    assert one.text == "SELECT 'ä'"
    assert two.text == "SELECT email FROM customers"


def test_for_programs() -> None:
    for sql in ("SELECT email, order_total(id) FROM customers WHERE id = 1", "DROP TABLE x", "nonsense"):
        data = json.loads(json.dumps(as_data(explained(sql))))
        assert data["statement"] == sql
        assert len(data["notes"]) == 9
    data = as_data(explained("SELECT email FROM customers"))
    assert data["outputs"] == [
        {
            "name": "email",
            "sources": ["public.customers.email"],
            "direct": True,
            "mask": {"kind": "keep_last", "keep": 4, "rule": "mail"},
        }
    ]
    assert data["refusal"] is None


def text(sql: str, role: str = "agent") -> str:
    return "\n".join(lines(explained(sql, role)))


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        (
            "SELECT address FROM contacts",
            "tables     public.contacts: select\n           public.customers: select thr",
        ),
        ("UPDATE orders SET total = 1", "tables     public.orders: update\n"),
        ("UPDATE orders SET total = 1", "where      none that chooses rows\n"),
        ("SET LOCAL search_path TO hr, public", "settings   search_path = hr, public until the transaction ends\n"),
        ("RESET TimeZone", "settings   timezone = its default\n"),
        ("DECLARE c CURSOR FOR SELECT 1", "carries    makes the cursor c\n"),
        ("EXECUTE p (1)", "carries    runs the statement p\n"),
        ("CLOSE ALL", "carries    drops every cursor\n"),
        ("INSERT INTO orders (id) SELECT id FROM customers", "copies     public.orders.id from public.customers.id\n"),
        ("CREATE TABLE x AS SELECT id FROM customers", "copies     a new table from public.customers.id\n"),
        ("SELECT ssn FROM customers", "texts      the server's errors are rebuilt without values"),
    ],
)
def test_every_part_of_a_statement_is_told(sql: str, line: str) -> None:
    assert line in text(sql) + "\n"


def test_programs_are_told_the_same() -> None:
    data = as_data(explained("INSERT INTO orders (id) SELECT id FROM customers"))
    assert data["table_uses"] == [
        {"table": "public.customers", "access": "select", "through": None},
        {"table": "public.orders", "access": "insert", "through": None},
        {"table": "public.orders_1", "access": "insert", "through": "public.orders"},
    ]
    assert data["copies"][0] == {"to": "public.orders.id", "from": ["public.customers.id"]}
    data = as_data(explained("PREPARE p AS SELECT address FROM contacts"))
    assert data["carriers"] == [{"does": "makes", "kind": "statement", "name": "p"}]
    assert {"table": "public.customers", "access": "select", "through": "public.contacts"} in data["table_uses"]
    assert as_data(explained("SET TimeZone TO 'UTC'"))["settings"] == [
        {"name": "timezone", "value": ("UTC",), "local": False}
    ]
    assert as_data(explained("DELETE FROM orders"))["has_where"] is False
    assert as_data(explained("SELECT ssn FROM customers"))["hides"] is True
