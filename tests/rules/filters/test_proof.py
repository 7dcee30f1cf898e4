"""A wrong splice is found: edits are left out, turned round or put elsewhere, and each time the text is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from rules.decision import Edit, Verdict
from rules.filters.edits import Edits
from tests.rules.filters.shop import context, splices

CASES = sorted(splices("inline") | splices("fenced") | splices("checked"))
HONEST = Edits.ordered
Change = Callable[[bytes], bytes]
CHANGES: dict[str, Change] = {
    "another constant": lambda text: text.replace(b"'US'", b"'DE'"),
    "or": lambda text: text.replace(b" AND (", b" OR (") if b" AND (" in text else text,
    "not": lambda text: text.replace(b'"."country"', b'"."country" IS NULL OR true OR "a"."country"', 1),
    "another column": lambda text: text.replace(b'"country"', b'"region"'),
    "no fence": lambda text: text.replace(b" OFFSET 0", b""),
    "fewer rows": lambda text: text.replace(b" OFFSET 0", b" OFFSET 1"),
    "another table": lambda text: text.replace(b'"public".customers', b'"hr".customers'),
    "no guard": lambda text: text.replace(b"CASE WHEN ", b"").replace(b" THEN (", b" AND (").replace(b") END", b")"),
    "no check": lambda text: text.replace(b" = 'US') THEN", b" = 'US' OR true) THEN"),
    "no error": lambda text: text.replace(b"pg_catalog.substr(pg_catalog.now()::pg_catalog.text, 1, -1)", b"NULL"),
    "another value": lambda text: text.replace(b"($1)", b"('US')"),
}


def refused(monkeypatch: pytest.MonkeyPatch, sql: str, edits: tuple[Edit, ...]) -> bool:
    """Whether the statement is refused when these edits are made instead."""
    monkeypatch.setattr(Edits, "ordered", lambda self: edits)
    decisions, _ = context("public").decide_anew(sql.encode())
    monkeypatch.undo()
    return any(d.verdict is Verdict.REFUSE and d.rules == ("dbgate:filter",) for d in decisions)


def made(sql: str) -> tuple[Edit, ...]:
    (decision,) = context("public").decide(sql.encode())
    return decision.rewrite.edits if decision.rewrite is not None else ()


@pytest.mark.parametrize("sql", CASES)
def test_a_missing_edit_is_found(monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    edits = made(sql)
    for number in range(len(edits) if "contacts" not in sql and "risky" not in sql else 0):
        assert refused(monkeypatch, sql, edits[:number] + edits[number + 1 :]), edits[number]


@pytest.mark.parametrize("sql", CASES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_edit_is_found(monkeypatch: pytest.MonkeyPatch, sql: str, change: str) -> None:
    edits = made(sql)
    changed = tuple(replace(edit, instead=CHANGES[change](edit.instead)) for edit in edits)
    if changed != edits:
        assert refused(monkeypatch, sql, changed), changed


@pytest.mark.parametrize("sql", CASES)
def test_an_edit_elsewhere_is_found(monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    edits = made(sql)
    for number, edit in enumerate(edits):
        for other in (e.start for e in edits if e.start != edit.start):
            moved = replace(edit, start=other, end=other + (edit.end - edit.start))
            rest = [e for n, e in enumerate(edits) if n != number]
            ordered = tuple(sorted([*rest, moved], key=lambda e: e.start))
            if all(a.end <= b.start for a, b in pairwise(ordered)):
                assert refused(monkeypatch, sql, ordered), ordered
