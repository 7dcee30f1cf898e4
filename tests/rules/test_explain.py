from __future__ import annotations

import json

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
