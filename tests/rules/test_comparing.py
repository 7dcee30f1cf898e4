"""The same statement under two rulebooks: what changes is told, what does not is not."""

from __future__ import annotations

import pytest

from rules.comparing import Aspect, compare, compare_limits
from rules.policy import Policy, PolicyContext
from tests.rules.test_policy import CATALOG
from tests.rules.worlds import book

READS = '{id: reads, allow: {statements: [select, update], tables: ["*"]}}'


def context(*rules: str) -> PolicyContext:
    rulebook = book("rules:\n" + "".join(f"  - {rule}\n" for rule in rules))
    return Policy(rulebook, CATALOG, b"key").context("agent", "shop", "bot", ("public",))


def changes(sql: str, old: PolicyContext, new: PolicyContext) -> list[str]:
    (found,) = compare(old, new, sql)
    return [] if found is None else [str(change) for change in found.changes]


OPEN = context(READS)
MASKED = context(READS, "{id: mail, mask: {columns: [customers.email], with: {keep_last: 4}}}")


@pytest.mark.parametrize(
    ("sql", "new", "expected"),
    [
        ("SELECT id FROM customers", MASKED, []),
        ("SELECT id, email AS x FROM customers", MASKED, ["mask x: - -> {keep_last: 4} by mail"]),
        (
            "SELECT id FROM customers WHERE email LIKE 'a%'",
            MASKED,
            ["refused: allowed -> refused by mail"],
        ),
        (
            "SELECT id FROM customers",
            context(READS, "{id: shut, deny: {tables: [customers]}}"),
            ["refused: allowed -> refused by shut"],
        ),
        (
            "UPDATE orders SET total = 1",
            context(READS, "{id: dry, mode: observe, deny: {statements: [update], without: where}}"),
            ["observed: - -> dry"],
        ),
        ("SELECT 1 FROM FROM", MASKED, []),
        (
            "SELECT id, total FROM orders",
            context(READS, '{id: big, filter: {table: orders, where: "total < 10"}}'),
            None,
        ),
    ],
)
def test_what_a_new_rule_does(sql: str, new: PolicyContext, expected: list[str] | None) -> None:
    found = changes(sql, OPEN, new)
    if expected is None:
        (only,) = found
        assert only.startswith("filter: - -> ")
        assert "big" in only
        assert '"total" < 10' in only
    else:
        assert found == expected
    back = changes(sql, new, OPEN)
    assert len(back) == len(found)
    assert changes(sql, new, new) == []


def test_a_mask_that_changes_is_told_whichever_rule_says_it() -> None:
    other = context(READS, "{id: other, mask: {columns: [customers.email], with: {keep_last: 4}}}")
    stronger = context(READS, '{id: mail, mask: {columns: [customers.email], with: "null"}}')
    assert changes("SELECT email FROM customers", MASKED, other) == []
    assert changes("SELECT email FROM customers", MASKED, stronger) == [
        "mask email: {keep_last: 4} by mail -> null by mail"
    ]


def test_another_reason_for_a_refusal() -> None:
    one = context("{id: a, deny: {tables: [customers]}, instead: ask}")
    two = context("{id: b, deny: {tables: [customers]}, instead: ask}")
    said = context("{id: a, deny: {tables: [customers]}, instead: do not}")
    assert changes("SELECT 1 FROM customers", one, two) == ["reason: refused by a (ask) -> refused by b (ask)"]
    assert changes("SELECT 1 FROM customers", one, said) == ["reason: refused by a (ask) -> refused by a (do not)"]
    assert changes("SELECT 1 FROM customers", one, OPEN) == ["allowed: refused by a -> allowed"]


def test_each_statement_of_a_text() -> None:
    found = compare(OPEN, MASKED, "SELECT 1; SELECT email FROM customers")
    assert found[0] is None
    assert found[1] is not None
    assert found[1].statement == "SELECT email FROM customers"


def test_limits() -> None:
    one = context(READS, "{id: l, limit: {rows_per_statement: 10, statements_per_minute: 5}}")
    two = context(READS, "{id: m, limit: {rows_per_statement: 20, statements_per_minute: 5}}")
    assert compare_limits(one, one) == ()
    assert [str(change) for change in compare_limits(one, two)] == [
        "limit: rows_per_statement: 10 by l -> rows_per_statement: 20 by m"
    ]
    assert [change.aspect for change in compare_limits(OPEN, one)] == [Aspect.LIMIT, Aspect.LIMIT]
