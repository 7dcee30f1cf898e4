"""Generated columns show what they are computed from, so they are hidden with it."""

from __future__ import annotations

import pytest

from rules.catalog import Catalog, Column, Relation
from rules.decision import MaskKind, Verdict
from rules.facts import ColumnId
from rules.policy import Policy
from rules.roles import RoleView
from tests.rules.worlds import book

COLUMNS = (
    Column("id", 1, "integer", 23),
    Column("ssn", 2, "text", 25),
    Column("email", 4, "text", 25),
    Column("plain", 5, "text", 25),
    Column("shown", 6, "text", 25, (2, 4)),
    Column("harmless", 7, "text", 25, (1, 5)),
)
CATALOG = Catalog(
    "1",
    (
        Relation(20001, "public", "people", "p", COLUMNS),
        Relation(20002, "public", "people_1", "r", COLUMNS, parents=(20001,)),
    ),
)
WHO = ("agent", "shop", "anna", ("pg_catalog", "public"))
ALLOW = "rules:\n  - id: all\n    allow: {statements: [select], tables: ['public.*']}\n"
MASK = ALLOW + "  - id: m\n    mask: {columns: [people.email], with: {keep_last: 4}, predicates: PREDICATES}\n"
DENY = ALLOW + "  - id: d\n    deny: {columns: [people.ssn]}\n"


def view(rules: str, predicates: str = "equality") -> RoleView:
    return RoleView(book(rules.replace("PREDICATES", predicates)), "agent", CATALOG)


@pytest.mark.parametrize("table", ["people", "people_1"])
def test_no_part_of_what_is_computed_from_a_masked_column_shows(table: str) -> None:
    found = view(MASK).mask_of(ColumnId("public", table, "shown"))
    assert found is not None
    assert (found.kind, found.keep, found.rule) == (MaskKind.REDACT, 0, "m")
    assert view(MASK).mask_of(ColumnId("public", table, "harmless")) is None


@pytest.mark.parametrize("table", ["people", "people_1"])
def test_what_is_computed_from_a_denied_column_is_denied(table: str) -> None:
    rule = view(DENY).denied_column(ColumnId("public", table, "shown"))
    assert rule is not None
    assert rule.id == "d"
    assert view(DENY).denied_column(ColumnId("public", table, "harmless")) is None


@pytest.mark.parametrize(
    ("sql", "rules", "predicates", "verdict"),
    [
        ("SELECT harmless FROM people WHERE harmless = 'a'", MASK, "none", Verdict.ALLOW),
        ("SELECT id FROM people WHERE shown = 'a'", MASK, "none", Verdict.REFUSE),
        ("SELECT id FROM people WHERE shown = 'a'", MASK, "equality", Verdict.REFUSE),
        ("SELECT id FROM people WHERE shown = 'a'", MASK, "any", Verdict.ALLOW),
        ("SELECT harmless FROM people", DENY, "", Verdict.ALLOW),
        ("SELECT shown FROM people", DENY, "", Verdict.REFUSE),
    ],
)
def test_decisions(sql: str, rules: str, predicates: str, verdict: Verdict) -> None:
    context = Policy(book(rules.replace("PREDICATES", predicates)), CATALOG, b"k" * 32).context(*WHO)
    assert [decision.verdict for decision in context.decide(sql.encode())] == [verdict]


def test_the_witness_masks_it_too() -> None:
    context = Policy(book(MASK.replace("PREDICATES", "any")), CATALOG, b"k" * 32).context(*WHO)
    (decision,) = context.decide(b"SELECT shown, email, harmless FROM people_1")
    assert decision.masks is not None
    assert [mask and mask.kind for mask in decision.masks] == [MaskKind.REDACT, MaskKind.KEEP_LAST, None]
    found = context.origin_mask(20002, 6)
    assert found is not None
    assert found.kind is MaskKind.REDACT
