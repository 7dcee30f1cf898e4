"""Whether a deny rule matches: one predicate for each key of the rule file. All of a rule's keys must match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from rules.book.model import Deny, Rule
from rules.decision import Refusal
from rules.facts import ColumnId, Facts
from rules.roles import RoleView
from rules.touching import read_columns, show_table, statement_words, use_words

REFUSED: Final = "dbgate refused this statement"

Condition: TypeAlias = Callable[[Deny, Facts, RoleView], str | None]
"""What was matched, in words; None when the condition does not hold."""


def _statements(deny: Deny, facts: Facts, view: RoleView) -> str | None:
    found = sorted(statement_words(facts) & (deny.statements or frozenset()))
    return ", ".join(word.upper().replace("_", " ") for word in found) or None


def _tables(deny: Deny, facts: Facts, view: RoleView) -> str | None:
    """With `statements` in the same rule, only tables that are used in one of these ways count."""
    found = {
        use.table
        for use in facts.tables
        if (deny.statements is None or use_words(use, facts.kind) & deny.statements)
        and any(p.matches_table(name) for name in view.table_ancestry(use.table) for p in deny.tables or ())
    }
    return _listed("table", [show_table(table) for table in sorted(found)])


def denied_columns(deny: Deny, facts: Facts, view: RoleView) -> list[ColumnId]:
    patterns = deny.columns or ()
    return sorted(c for c in read_columns(facts) if any(p.matches(n) for n in view.shown_by(c) for p in patterns))


def _columns(deny: Deny, facts: Facts, view: RoleView) -> str | None:
    return _listed("column", [str(column) for column in denied_columns(deny, facts, view)])


def _functions(deny: Deny, facts: Facts, view: RoleView) -> str | None:
    found = {f for f in facts.functions if any(p.matches_function(f) for p in deny.functions or ())}
    return _listed("function", sorted(f"{f.schema}.{f.name.removeprefix(f.schema + '.')}" for f in found))


def _without(deny: Deny, facts: Facts, view: RoleView) -> str | None:
    return None if facts.has_where else "no WHERE clause"


#: YAML key (and field of Deny) -> its predicate
CONDITIONS: Final[dict[str, Condition]] = {
    "statements": _statements,
    "tables": _tables,
    "columns": _columns,
    "functions": _functions,
    "without": _without,
}


def _listed(noun: str, names: list[str]) -> str | None:
    return f"{noun}{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else None


def matched_conditions(deny: Deny, facts: Facts, view: RoleView) -> dict[str, str | None]:
    """Every condition that the rule has -> what it matched, or None."""
    given = {key: test for key, test in CONDITIONS.items() if getattr(deny, key) is not None}
    return {key: test(deny, facts, view) for key, test in given.items()}


def deny_match(deny: Deny, facts: Facts, view: RoleView) -> str | None:
    """What the rule matched, in words; None when it does not match."""
    found = matched_conditions(deny, facts, view)
    words = [word for word in found.values() if word is not None]
    return "; ".join(words) if found and len(words) == len(found) else None


def deny_refusal(rule: Rule, deny: Deny, touched: str, facts: Facts, view: RoleView) -> Refusal:
    detail = f'rule "{rule.id}" ({rule.place.for_clients}): {touched}'
    return Refusal(rule.id, REFUSED, f"{detail}; {rule.message}" if rule.message else detail,
                   rule.instead or _mend(deny, facts, view))  # fmt: skip


def _mend(deny: Deny, facts: Facts, view: RoleView) -> str:
    if deny.without is not None and not facts.has_where:
        return "add a WHERE clause"
    if deny.columns is not None:
        return f"leave out {', '.join(str(c) for c in denied_columns(deny, facts, view))}"
    if deny.tables is not None:
        return "use other tables"
    if deny.functions is not None:
        return "do without this function"
    return "this kind of statement is not for this role"
