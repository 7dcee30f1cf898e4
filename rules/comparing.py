"""What becomes of the same statement under two rulebooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from rules.book.checking import show_mask
from rules.decision import Mask, Verdict
from rules.explain import Explanation, explain, mask_at
from rules.limits import Bound
from rules.policy import PolicyContext


class Aspect(Enum):
    """What can change, the gravest first."""

    REFUSED = "refused"  # allowed before
    ALLOWED = "allowed"  # refused before
    REASON = "reason"  # refused by another rule, or for another reason
    MASK = "mask"
    FILTER = "filter"
    LIMIT = "limit"
    OBSERVED = "observed"  # by rules in mode observe


@dataclass(frozen=True, slots=True)
class Change:
    """`name`: the output column of a mask, else empty. `before`, `after`: empty for nothing."""

    aspect: Aspect
    before: str
    after: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.aspect.value}{f' {self.name}' if self.name else ''}: {self.before or '-'} -> {self.after or '-'}"


@dataclass(frozen=True, slots=True)
class Difference:
    """One statement whose decision is not the same."""

    role: str
    statement: str
    changes: tuple[Change, ...]


def compare(old: PolicyContext, new: PolicyContext, text: str) -> tuple[Difference | None, ...]:
    """One entry for each statement of the text, None where nothing changes. The contexts stand for the same role,
    search path and catalog."""
    pairs = zip(explain(old, text), explain(new, text), strict=True)
    return tuple(_difference(before, after) for before, after in pairs)


def _difference(before: Explanation, after: Explanation) -> Difference | None:
    changes = tuple(_changes(before, after))
    return Difference(after.role, after.text, changes) if changes else None


def _changes(before: Explanation, after: Explanation) -> Iterator[Change]:
    was, became = (each.decision.verdict is Verdict.ALLOW for each in (before, after))
    if was and became:
        yield from _among_allowed(before, after)
    elif was or became:
        aspect = Aspect.ALLOWED if became else Aspect.REFUSED
        yield Change(aspect, _outcome(before), _outcome(after))
    elif _reason(before) != _reason(after):
        yield Change(Aspect.REASON, *(f"{_outcome(each)} ({_reason(each)[1]})" for each in (before, after)))
    yield from _texts(Aspect.OBSERVED, before.decision.observed, after.decision.observed)


def _among_allowed(before: Explanation, after: Explanation) -> Iterator[Change]:
    yield from _masks(before, after)
    yield from _texts(Aspect.FILTER, _filters(before), _filters(after))


def _masks(before: Explanation, after: Explanation) -> Iterator[Change]:
    """By position: the statement is the same, so the columns are."""
    for number, output in enumerate(after.facts.outputs or ()):
        was, became = mask_at(before.decision, number), mask_at(after.decision, number)
        if (was and replace(was, rule="")) != (became and replace(became, rule="")):  # whichever rule says it
            yield Change(Aspect.MASK, _shown(was), _shown(became), output.name)


def _texts(aspect: Aspect, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[Change]:
    if sorted(before) != sorted(after):
        yield Change(aspect, ", ".join(sorted(before)), ", ".join(sorted(after)))


def _shown(mask: Mask | None) -> str:
    return "" if mask is None else f"{show_mask(mask)} by {mask.rule}"


def _filters(explanation: Explanation) -> tuple[str, ...]:
    """The filters' rules, each with what it splices in."""
    rewrite = explanation.decision.rewrite
    if rewrite is None:
        return ()
    return (*rewrite.rules, *dict.fromkeys(" ".join(edit.instead.decode().split()) for edit in rewrite.edits))


def _outcome(explanation: Explanation) -> str:
    refusal = explanation.decision.refusal
    return "allowed" if refusal is None else f"refused by {refusal.rule}"


def _reason(explanation: Explanation) -> tuple[str, str]:
    refusal = explanation.decision.refusal
    return ("", "") if refusal is None else (refusal.rule, refusal.hint)


def compare_limits(old: PolicyContext, new: PolicyContext) -> tuple[Change, ...]:
    """What a role may use up, which holds for whatever it sends."""
    before, after = _limits(old), _limits(new)
    pairs = ((before.get(key), after.get(key)) for key in {**before, **after})
    return tuple(
        Change(Aspect.LIMIT, _bound(was), _bound(became))
        for was, became in pairs
        if was is None or became is None or was.amount != became.amount
    )


def _limits(context: PolicyContext) -> dict[tuple[str, int], Bound]:
    limits = context.view.limits
    return {} if limits is None else {(bound.figure.value, bound.window): bound for bound in limits.bounds}


def _bound(bound: Bound | None) -> str:
    return "" if bound is None else f"{bound.shown} by {bound.rule.id}"
