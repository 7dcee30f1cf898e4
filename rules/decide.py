"""Facts + one role's rules -> a decision. Pure; the order of rules never matters.

Refuse beats allow; the strongest mask wins; what no rule allows is refused. LAWS is asked in order only so that the
most telling of several refusals is the one that the client reads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from rules import mysql_settings
from rules.book.model import Allow, Deny, Limiting, RowFilter, Rule
from rules.closed_columns import closed_columns
from rules.copying import copy_out, unmaskable_copy
from rules.decision import Decision, Refusal, Verdict
from rules.denying import REFUSED, deny_match, deny_refusal
from rules.facts import Facts, FunctionRisk, TableId
from rules.granting import FUNCTION, covers_table, grants, grants_everywhere, needed_words, readable_tables, ungranted
from rules.hiding import (
    hides,
    masked_sources,
    misused_mask,
    output_masks,
    reshaping,
    unseen_run,
)
from rules.naming import POSTGRES
from rules.plans import revealing_plan
from rules.roles import RoleView, covering
from rules.settings_policy import objection
from rules.spelling import did_you_mean
from rules.telling import telling
from rules.time_limit import raised_time
from rules.touching import changes_own, direct_tables, read_columns, show_table, statement_words, use_words
from rules.tree import Access, Unparsable

Law = Callable[[Facts, RoleView], Refusal | None]

UNKNOWN_RELATION: Final = "dbgate:unknown-relation"
SETTING: Final = "dbgate:setting"
UNREAD: Final = "unknown"
LOOKED: Final = "; it was the gate that looked, and the server was not asked"
#: Functions whose body the gate has not read, or that run SQL given as text.
OPAQUE: Final = frozenset({FunctionRisk.USER, FunctionRisk.UNKNOWN, FunctionRisk.QUERY})
CALLING_KINDS: Final = frozenset({"call", "do"})
CATALOG_KINDS: Final = frozenset({"create", "alter", "drop", "do", "call", "two_phase"})
#: codes whose SQLSTATE clients know from the server
SQLSTATES: Final = {
    "syntax": "42601",
    "column": "42703",
    "from-entry": "42P01",
    "delete-table": "42P01",
    "database": "3D000",
    "ambiguous": "42702",
    "length": "54000",
    "too-long": "54000",
    "too-complex": "54001",
    "too-deep": "54001",
    "encoding": "22021",
    "nul": "22021",
    "internal": "XX000",
}


def decide(facts: Facts, view: RoleView) -> Decision:
    """What happens to one statement of this role."""
    refusal = next((found for law in LAWS if (found := law(facts, view)) is not None), None)
    if refusal is not None:
        return refuse(facts, view, refusal)
    masks = output_masks(facts, view)
    masked = masked_sources(facts, view) if masks else ()
    applied = {rule.id for column in masked for rule, _ in view.maskings(column)}
    own = changes_own(facts)
    return Decision(
        verdict=Verdict.ALLOW,
        kind=facts.kind,
        detail=facts.detail,
        rules=(*grants(facts, view), *sorted(applied)),
        observed=observed(facts, view),
        masks=masks,
        width=_width(facts),
        hides=hides(facts, view),
        tables=touched_tables(facts),
        columns=touched_columns(facts),
        masked_columns=tuple(str(column) for column in masked),
        settings=facts.settings if facts.kind != "show" else (),
        defines=facts.defines,
        runs=facts.runs,
        drops=facts.drops,
        changes_catalog=facts.kind in CATALOG_KINDS and not own,
        changes_own=own,
        makes=tuple(sorted(show_table(use.table) for use in facts.tables if use.access is Access.CREATE)),
        calls_user=calls_user(facts, view),
        sensitive=view.sensitive.width(facts),
        writes=any(use.access is not Access.SELECT for use in facts.tables),
        copy=copy_out(facts, masks, view),
        start=facts.start,
        end=facts.end,
    )


def _width(facts: Facts) -> int | None:
    """How many columns the rows have; 0 for a query whose rows go nowhere (MySQL's DO, SELECT ... INTO)."""
    if facts.outputs is not None:
        return len(facts.outputs)
    return 0 if facts.kind == "select" and not facts.returns_body and facts.problem is None else None


def refuse(facts: Facts, view: RoleView, refusal: Refusal) -> Decision:
    """The decision that refuses the statement."""
    return Decision(
        verdict=Verdict.REFUSE,
        kind=facts.kind,
        detail=facts.detail,
        refusal=refusal,
        rules=(refusal.rule,),
        observed=observed(facts, view),
        hides=view.hides_data,
        tables=touched_tables(facts),
        columns=touched_columns(facts),
        missing=_unknown_names(facts, refusal),
        start=facts.start,
        end=facts.end,
    )


def _unknown_names(facts: Facts, refusal: Refusal) -> tuple[tuple[str, ...], ...]:
    """The names for which the statement is refused; a fresh catalog may know them."""
    if refusal.rule == UNKNOWN_RELATION:
        return facts.missing
    if refusal.rule == FUNCTION:
        return tuple(sorted((f.name,) for f in facts.functions if f.risk is FunctionRisk.UNKNOWN))
    problem = facts.problem
    return (problem.missing,) if problem is not None and problem.missing else ()


def calls_user(facts: Facts, view: RoleView) -> bool:
    """By name, by CALL and DO, or by a trigger of a table that is written."""
    if facts.kind in CALLING_KINDS or any(function.risk in OPAQUE for function in facts.functions):
        return True
    written = (use.table for use in facts.tables if use.access is not Access.SELECT)
    return any((relation := view.catalog.by_name.get(table)) is not None and relation.triggers for table in written)


def touched_tables(facts: Facts) -> tuple[str, ...]:
    return tuple(sorted({show_table(use.table) for use in facts.tables}))


def touched_columns(facts: Facts) -> tuple[str, ...]:
    return tuple(str(column) for column in sorted(read_columns(facts)))


# ---------------------------------------------------------------- laws


def _problem(facts: Facts, view: RoleView) -> Refusal | None:
    """A text that cannot be read is refused for everybody. What was read but means nothing certain to the gate (an
    unknown column, a view that is not understood) is the server's to judge, where nothing is hidden or forbidden."""
    if facts.problem is None or (view.may_do_everything and facts.kind != UNREAD):
        return None
    return problem_refusal(facts.problem)


def problem_refusal(problem: Unparsable) -> Refusal:
    """The refusal of a text that the gate will not vouch for, in the server's own words where it has some.

    `position` is that of the byte, from 1: `in_characters` makes it the client's."""
    hint = problem.mend or "write the statement another way"
    rule = f"dbgate:{problem.code}"
    detail = f"{rule}: {problem.reason}" + (LOOKED if problem.said else "")
    sqlstate = SQLSTATES.get(problem.code, "42501")
    return Refusal(rule, problem.said or REFUSED, detail, hint, sqlstate, problem.at + 1, problem.about)


def in_characters(refusal: Refusal, text: str) -> Refusal:
    """The refusal with its position counted in characters of the text, as the server counts."""
    if refusal.position <= 1 or text.isascii():
        return refusal
    before = text.encode("utf-8", "surrogateescape")[: refusal.position - 1]
    return replace(refusal, position=len(before.decode("utf-8", "ignore")) + 1)


def _denied(facts: Facts, view: RoleView) -> Refusal | None:
    matched = ((rule, deny, deny_match(deny, facts, view)) for rule, deny in view.denies)
    found = [(rule, deny, touched) for rule, deny, touched in matched if touched is not None]
    if not found:
        return None
    rule, deny, touched = min(found, key=lambda match: match[0].id)
    return deny_refusal(rule, deny, touched, facts, view)


def _setting(facts: Facts, view: RoleView) -> Refusal | None:
    if facts.kind == "show":
        return None
    if view.limits is not None and view.limits.time is not None:
        raised = raised_time(facts, view.limits.time)
        if raised is not None:
            return raised
    object_to = objection if view.catalog.dialect == POSTGRES else mysql_settings.objection
    reasons = (object_to(setting, unrestricted=view.unrestricted) for setting in facts.settings)
    reason = next((r for r in reasons if r is not None), None)
    return None if reason is None else Refusal(SETTING, REFUSED, f"{SETTING}: {reason}", "go on without this SET")


def _unknown_relation(facts: Facts, view: RoleView) -> Refusal | None:
    """An unrestricted role with a rule for all tables may name what the catalog does not show: the server will say."""
    if not facts.missing or _server_judges(facts, view):
        return None
    names = ", ".join(f'"{".".join(name)}"' for name in facts.missing)
    name = ".".join(facts.missing[0])
    said = f'relation "{name}" does not exist'
    detail = f"{UNKNOWN_RELATION}: {names} is not known to the gate{LOOKED}"
    near = did_you_mean(facts.missing[0][-1], readable_tables(view))
    hint = near or f"check the name, or qualify it with its {view.namespace}"
    return Refusal(UNKNOWN_RELATION, said, detail, hint, "42P01", facts.at + 1, name)


def _server_judges(facts: Facts, view: RoleView) -> bool:
    """Nothing is hidden from the role, and it may do on every table what the statement does on the unknown one."""
    if view.may_do_everything:
        return True
    words = {facts.kind, *(word for use in facts.tables for word in needed_words(use, facts.kind))}
    return view.unrestricted and all(grants_everywhere(word, view) for word in words)


LAWS: Final[tuple[Law, ...]] = (
    _problem,
    _denied,
    _setting,
    reshaping,
    unmaskable_copy,
    unseen_run,
    misused_mask,
    _unknown_relation,
    ungranted,
    revealing_plan,
    closed_columns,
    telling,
)


# ---------------------------------------------------------------- observed rules


def observed(facts: Facts, view: RoleView) -> tuple[str, ...]:
    """The rules in mode observe that would have taken part."""
    return tuple(sorted(rule.id for rule in view.observed if would_match(rule, facts, view)))


def would_match(rule: Rule, facts: Facts, view: RoleView) -> bool:
    verb = rule.verb
    if facts.problem is not None:
        return False
    if isinstance(verb, Deny):
        return deny_match(verb, facts, view) is not None
    if isinstance(verb, Allow):
        return allow_concerns(verb, facts, view)
    if isinstance(verb, Limiting):
        return False  # what it would have ended shows when the statement runs
    if isinstance(verb, RowFilter):
        return bool(filtered_tables(verb, facts, view))
    return any(covering([(rule, verb)], view.ancestry(column)) for column in read_columns(facts))


def filtered_tables(verb: RowFilter, facts: Facts, view: RoleView) -> list[TableId]:
    """The tables that the statement uses and the filter is for."""
    found = {use.table for use in facts.tables}
    return sorted(t for t in found if any(p.matches_table(n) for p in verb.tables for n in view.table_ancestry(t)))


def allow_concerns(allow: Allow, facts: Facts, view: RoleView) -> bool:
    """Whether an allow rule speaks of the statement: of one of its table uses, of its kind, or of a function."""
    uses = direct_tables(facts)
    if any(use_words(u, facts.kind) & allow.statements and covers_table(allow, u.table, view) for u in uses):
        return True
    if any(pattern.matches_function(f) for f in facts.functions for pattern in allow.functions):
        return True
    return not uses and bool(statement_words(facts) & allow.statements)
