"""Why a text is decided as it is: its facts, and every rule's part in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from rules.book.checking import show_mask
from rules.book.model import Allow, Deny, Limiting, Masking, RowFilter, Rule, Verb
from rules.decide import allow_concerns, decide, filtered_tables, touched_columns, touched_tables
from rules.decision import Decision, Mask, Refusal
from rules.denying import matched_conditions
from rules.facts import ColumnId, Facts, FunctionUse, TableUse, problem_facts
from rules.limits import Bound, Limits, bounds_of
from rules.policy import PolicyContext
from rules.roles import RoleView, covering
from rules.touching import read_columns, show_table, statement_words
from rules.tree import Carrier, Setting, Statement, Unparsable


@dataclass(frozen=True, slots=True)
class RuleNote:
    """`matched`: the rule speaks of this statement and role. A rule in mode observe matches without effect."""

    rule: Rule
    matched: bool
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """`text`: the statement's own part of the text. `limits`: the role's own, the same for every statement.
    `rewritten`: what the server reads in its place, None when it reads the statement as it is."""

    text: str
    role: str
    facts: Facts
    decision: Decision
    notes: tuple[RuleNote, ...]
    limits: Limits | None = None
    rewritten: str | None = None


def explain(context: PolicyContext, text: str) -> tuple[Explanation, ...]:
    """One for each statement; one of kind `unknown` when the text is refused as a whole."""
    found = context.policy.front_end.read(text)
    if isinstance(found, Unparsable):
        facts = problem_facts(found)
        return (_explained(context, text, facts, decide(facts, context.view)),)
    raw = text.encode()
    return tuple(_of_statement(context, raw, each) for each in found)


def _of_statement(context: PolicyContext, text: bytes, statement: Statement) -> Explanation:
    facts = context.facts(statement)
    decision = context.decision(text, statement, facts)
    own = text[statement.start : statement.end].decode()
    return _explained(context, own, facts, decision, rewritten(text, statement, decision))


def rewritten(text: bytes, statement: Statement, decision: Decision) -> str | None:
    """What the server reads in place of the statement; None when it reads the statement."""
    if decision.rewrite is None:
        return None
    whole = decision.rewrite.apply(text)
    return whole[statement.start : len(whole) - (len(text) - statement.end)].decode()


def _explained(
    context: PolicyContext, text: str, facts: Facts, decision: Decision, sent: str | None = None
) -> Explanation:
    view = context.view
    notes = tuple(_note(rule, facts, view) for rule in context.policy.rulebook.rules)
    return Explanation(text, view.role, facts, decision, notes, view.limits, sent)


# ---------------------------------------------------------------- each rule


def _note(rule: Rule, facts: Facts, view: RoleView) -> RuleNote:
    if not rule.applies_to(view.role):
        return RuleNote(rule, False, f"it is for {', '.join(sorted(rule.roles))}")
    if facts.problem is not None:
        return RuleNote(rule, False, "the statement was not understood")
    matched, why = _NOTES[type(rule.verb)](rule, rule.verb, facts, view)
    return RuleNote(rule, matched, f"{why} (observed only, without effect)" if rule.observe and matched else why)


def _allow_note(rule: Rule, verb: Allow, facts: Facts, view: RoleView) -> tuple[bool, str]:
    if allow_concerns(verb, facts, view):
        return True, "it allows " + (", ".join(sorted(statement_words(facts) & verb.statements)) or "a function")
    if not statement_words(facts) & verb.statements:
        return False, f"it speaks of {', '.join(sorted(verb.statements)) or 'functions only'}"
    return False, f"its tables are {', '.join(p.text for p in verb.tables or ())}"


def _deny_note(rule: Rule, verb: Deny, facts: Facts, view: RoleView) -> tuple[bool, str]:
    found = matched_conditions(verb, facts, view)
    missed = [key for key, words in found.items() if words is None]
    if missed:
        return False, f"its {' and '.join(missed)} did not match"
    return True, "; ".join(words for words in found.values() if words)


def _mask_note(rule: Rule, verb: Masking, facts: Facts, view: RoleView) -> tuple[bool, str]:
    columns = sorted(c for c in read_columns(facts) if covering([(rule, verb)], view.ancestry(c)))
    if not columns:
        return False, "none of its columns is used"
    return True, f"{show_mask(verb.mask)}, predicates: {verb.predicates.value}: {', '.join(map(str, columns))}"


def _filter_note(rule: Rule, verb: RowFilter, facts: Facts, view: RoleView) -> tuple[bool, str]:
    tables = filtered_tables(verb, facts, view)
    if not tables:
        return False, f"its tables are {', '.join(p.text for p in verb.tables)}"
    return True, f"of {', '.join(map(show_table, tables))} only rows with: {verb.where.text}"


def _limit_note(rule: Rule, verb: Limiting, facts: Facts, view: RoleView) -> tuple[bool, str]:
    return True, ", ".join(bound.shown for bound in bounds_of(rule, verb))


_NOTES: Final[dict[type[Verb], Callable[[Rule, Any, Facts, RoleView], tuple[bool, str]]]] = {
    Allow: _allow_note,
    Deny: _deny_note,
    Masking: _mask_note,
    Limiting: _limit_note,
    RowFilter: _filter_note,
}


# ---------------------------------------------------------------- for people


def lines(explanation: Explanation) -> Iterator[str]:
    """The explanation as plain text."""
    facts, decision = explanation.facts, explanation.decision
    yield f"statement  {' '.join(explanation.text.split())}"
    yield f"kind       {facts.kind}" + (f" ({facts.detail})" if facts.detail else "")
    yield f"role       {explanation.role}"
    yield from _labelled("tables", [table_line(use) for use in _table_uses(facts)])
    yield from _labelled("settings", [setting_line(setting) for setting in facts.settings])
    yield from _labelled("carries", [carrier_line(word, carrier) for word, carrier in _carriers(facts)])
    yield from () if facts.has_where else ("where      none that chooses rows",)
    yield from _labelled("uses", [f"{u.column}: {u.use.value}" for u in sorted(facts.uses, key=str)])
    yield from _labelled("copies", [copy_line(*copy) for copy in facts.copies])
    yield from _labelled("functions", sorted(f"{f.name}: {f.risk.value}" for f in facts.functions))
    yield from _labelled("output", [output_line(explanation, n) for n in range(len(facts.outputs or ()))])
    yield from _labelled("rules", [note_line(note) for note in explanation.notes])
    yield from _labelled("limits", limit_lines(explanation))
    yield from () if explanation.rewritten is None else (f"rewritten  {' '.join(explanation.rewritten.split())}",)
    yield f"verdict    {decision.verdict.value}  by {', '.join(decision.rules)}"
    yield from _labelled("observed", decision.observed)
    yield from ("texts      the server's errors are rebuilt without values",) if decision.hides else ()
    yield from () if decision.refusal is None else client_lines(decision.refusal)


def _labelled(label: str, items: tuple[str, ...] | list[str]) -> Iterator[str]:
    for number, item in enumerate(items):
        yield f"{label if not number else '':<10} {item}"


def _table_uses(facts: Facts) -> list[TableUse]:
    return sorted(facts.tables, key=lambda use: (use.table, use.access.value, use.through or ()))


def table_line(use: TableUse) -> str:
    """`public.customers: select through public.contacts`."""
    through = "" if use.through is None else f" through {show_table(use.through)}"
    return f"{show_table(use.table)}: {use.access.value}{through}"


def setting_line(setting: Setting) -> str:
    value = "its default" if setting.value is None else ", ".join(setting.value)
    return f"{setting.name} = {value}" + (" until the transaction ends" if setting.local else "")


def _carriers(facts: Facts) -> list[tuple[str, Carrier]]:
    """What the statement makes, runs or drops of prepared statements and cursors."""
    found = (("makes", facts.defines), ("runs", facts.runs), ("drops", facts.drops))
    return [(word, carrier) for word, carrier in found if carrier is not None]


def carrier_line(word: str, carrier: Carrier) -> str:
    return f"{word} {'every' if carrier.name is None else 'the'} {carrier.kind.value} {carrier.name or ''}".rstrip()


def copy_line(written: ColumnId | None, sources: frozenset[ColumnId]) -> str:
    """A value that flows into what is stored."""
    return f"{written or 'a new table'} from {', '.join(map(str, sorted(sources))) or 'no column'}"


def output_line(explanation: Explanation, number: int) -> str:
    output = (explanation.facts.outputs or ())[number]
    sources = ", ".join(map(str, sorted(output.sources))) or "no column"
    how = "is" if output.direct else "comes from"
    mask = mask_at(explanation.decision, number)
    return f"{output.name} {how} {sources}" + ("" if mask is None else f"  -> {show_mask(mask)} by {mask.rule}")


def limit_lines(explanation: Explanation) -> list[str]:
    """What the role may use up, and how much of its budget of sensitive cells each row takes."""
    if explanation.limits is None:
        return []
    found = [f"{bound.shown}  by {bound.rule.id}" for bound in explanation.limits.bounds]
    return [*found, f"sensitive cells in each row: {explanation.decision.sensitive}"]


def mask_at(decision: Decision, number: int) -> Mask | None:
    return None if decision.masks is None else decision.masks[number]


def note_line(note: RuleNote) -> str:
    return f"{'+' if note.matched else '-'} {note.rule.id} ({note.rule.word}, {note.rule.place}): {note.why}"


def client_lines(refusal: Refusal) -> Iterator[str]:
    """The refusal as a PostgreSQL client prints it."""
    yield f"ERROR:  {refusal.sqlstate}: {refusal.message}"
    yield f"DETAIL:  {refusal.detail}"
    yield f"HINT:  {refusal.hint}"


# ---------------------------------------------------------------- for programs


def as_data(explanation: Explanation) -> dict[str, Any]:
    """The explanation as plain data for JSON."""
    facts, decision = explanation.facts, explanation.decision
    refusal = decision.refusal
    return {
        "statement": explanation.text,
        "role": explanation.role,
        "kind": facts.kind,
        "detail": facts.detail,
        "verdict": decision.verdict.value,
        "rules": list(decision.rules),
        "rewritten": explanation.rewritten,
        "observed": list(decision.observed),
        "tables": list(touched_tables(facts)),
        "table_uses": [_table_data(use) for use in _table_uses(facts)],
        "settings": [{"name": s.name, "value": s.value, "local": s.local} for s in facts.settings],
        "carriers": [{"does": word, "kind": c.kind.value, "name": c.name} for word, c in _carriers(facts)],
        "has_where": facts.has_where,
        "copies": [{"to": w and str(w), "from": [str(s) for s in sorted(sources)]} for w, sources in facts.copies],
        "hides": decision.hides,
        "columns": list(touched_columns(facts)),
        "masked_columns": list(decision.masked_columns),
        "uses": [{"column": str(u.column), "use": u.use.value} for u in sorted(facts.uses, key=str)],
        "functions": [_function_data(f) for f in sorted(facts.functions, key=str)],
        "outputs": [_output_data(explanation, number) for number in range(len(facts.outputs or ()))],
        "sensitive": decision.sensitive,
        "limits": [_limit_data(bound) for bound in (explanation.limits.bounds if explanation.limits else ())],
        "notes": [_note_data(note) for note in explanation.notes],
        "refusal": None if refusal is None else _refusal_data(refusal),
    }  # fmt: skip


def _table_data(use: TableUse) -> dict[str, str | None]:
    through = None if use.through is None else show_table(use.through)
    return {"table": show_table(use.table), "access": use.access.value, "through": through}


def _function_data(function: FunctionUse) -> dict[str, str]:
    return {"name": function.name, "schema": function.schema, "risk": function.risk.value}


def _output_data(explanation: Explanation, number: int) -> dict[str, Any]:
    output = (explanation.facts.outputs or ())[number]
    mask = mask_at(explanation.decision, number)
    return {
        "name": output.name,
        "sources": [str(source) for source in sorted(output.sources)],
        "direct": output.direct,
        "mask": None if mask is None else _mask_data(mask),
    }


def _limit_data(bound: Bound) -> dict[str, Any]:
    return {"figure": bound.figure.value, "amount": bound.amount, "window": bound.window, "rule": bound.rule.id}


def _mask_data(mask: Mask) -> dict[str, str | int]:
    number: dict[str, str | int] = {"step": mask.step} if mask.step else {"keep": mask.keep}
    return {"kind": mask.kind.value, **number, "rule": mask.rule}


def _note_data(note: RuleNote) -> dict[str, Any]:
    rule = note.rule
    return {"rule": rule.id, "verb": rule.word, "place": str(rule.place), "observe": rule.observe,
            "matched": note.matched, "why": note.why}  # fmt: skip


def _refusal_data(refusal: Refusal) -> dict[str, str]:
    return {
        "rule": refusal.rule,
        "sqlstate": refusal.sqlstate,
        "message": refusal.message,
        "detail": refusal.detail,
        "hint": refusal.hint,
    }
