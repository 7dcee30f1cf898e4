"""The limits of a session's role: may a statement start, and how much of its rows may pass?

Limits are asked before a statement is sent (`Limiter.objection`) and while its rows come (`Meter`). What is refused
before the start is substituted like any other refusal; what goes beyond a limit on its way is ended by `cutting`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from dbgate.session.accounts import UNBOUNDED, Account, AccountUnavailable, Share, Usage
from dbgate.session.runs import Run, Tally
from rules.decision import Decision, Refusal
from rules.limits import JOB_FIGURES, NO_LIMITS, Bound, Figure, Limits, too_big, too_often, uncounted, used_up

#: Kinds whose statements bring no rows, whatever happens.
ROWLESS: Final = frozenset(
    {
        *("transaction", "session", "empty", "copy_in", "truncate", "create", "alter", "drop", "comment", "grant"),
        *("do", "lock", "listen", "notify", "two_phase"),
    }
)
WRITES: Final = frozenset({"insert", "update", "delete", "merge"})
#: They neither count as statements nor are they refused: a transaction can always be ended.
UNCOUNTED: Final = frozenset({"transaction", "empty"})
ENFORCED, OBSERVED = "enforced", "observed"


def brings_rows(decision: Decision) -> bool:
    """May rows come back? When in doubt, yes."""
    if decision.kind in ROWLESS or decision.defines is not None:
        return False
    if decision.kind in WRITES:
        return decision.width is not None
    return decision.kind not in ("cursor", "prepared") or decision.runs is not None


@dataclass(slots=True)
class Limiter:
    """`last`: the last run that may bring rows; nothing is sent behind it before its end. `batch`: the number of the
    ledger's batch in which a statement was run last; `alone`: `last` was the first of its batch and only reads."""

    limits: Limits
    observed: Limits
    account: Account
    shares: tuple[Share, ...] = ()
    last: Run | None = None
    batch: int = -1
    alone: bool = False
    windows: tuple[int, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.shares = shares_of(self.limits, self.observed)
        self.windows = tuple(share.window for share in self.shares)

    @property
    def measures(self) -> bool:
        return self.limits.measures or self.observed.measures

    @property
    def waits(self) -> bool:
        """Must what follows a statement in its batch wait for its end?"""
        return self.limits.measures and self.last is not None and not self.last.finished

    # ------------------------------------------------------------ before a statement starts

    def objection(self, decisions: Iterable[Decision]) -> Refusal | None:
        """Why these statements may not start now. When there is none they have been counted."""
        found = [d for d in decisions if d.kind not in UNCOUNTED]
        try:
            return self._nothing_left(self.limits, found) or self._too_often(self.limits, len(found), ENFORCED)
        except AccountUnavailable:
            return uncounted(self.limits.bounds[0]) if self.limits.bounds else None

    def observation(self, decisions: Iterable[Decision]) -> tuple[str, ...]:
        """The rules in mode observe that would have refused to start them."""
        if self.observed is NO_LIMITS:
            return ()
        found = [d for d in decisions if d.kind not in UNCOUNTED]
        try:
            refusals = (self._nothing_left(self.observed, found), self._too_often(self.observed, len(found), OBSERVED))
        except AccountUnavailable:
            return ()
        return tuple(sorted({refusal.rule for refusal in refusals if refusal is not None}))

    def _nothing_left(self, limits: Limits, decisions: list[Decision]) -> Refusal | None:
        if not limits.budgets:
            return None
        bringing = [decision for decision in decisions if brings_rows(decision)]
        sensitive = any(decision.sensitive for decision in bringing)
        for bound in limits.budgets if bringing else ():
            if bound.figure is Figure.SENSITIVE_CELLS_PER_JOB and not sensitive:
                continue
            usage = self.account.usage(bound.window)
            if (used := used_of(bound, usage)) >= bound.amount:
                return used_up(bound, used, usage.resets, began=False)
        return None

    def _too_often(self, limits: Limits, count: int, purpose: str) -> Refusal | None:
        if limits.rate is None or not count:
            return None
        wait = self.account.statements(count, limits.rate.amount, purpose)
        return too_often(limits.rate, wait) if wait else None

    # ------------------------------------------------------------ while rows come

    def may_pass(self, tally: Tally, rows: int, size: int, cells: int) -> bool:
        """Counts this much more of a result, if all of it fits."""
        if not self.fits_statement(tally.rows + rows, tally.bytes + size):
            return False
        if self.shares and not self._spend(rows, size, cells):
            return False
        tally.rows += rows
        tally.bytes += size
        return True

    def fits_statement(self, rows: int, size: int) -> bool:
        limits = self.limits
        if limits.rows is not None and rows > limits.rows.amount:
            return False
        return limits.size is None or size <= limits.size.amount

    def _spend(self, rows: int, size: int, cells: int) -> bool:
        try:
            return self.account.spend(self.shares, rows, size, cells)
        except AccountUnavailable:
            return not self.limits.budgets

    def room(self, tally: Tally, cells_a_row: int) -> tuple[int, int]:
        """(rows, bytes) that may still pass at this moment."""
        rows = UNBOUNDED if self.limits.rows is None else self.limits.rows.amount - tally.rows
        size = UNBOUNDED if self.limits.size is None else self.limits.size.amount - tally.bytes
        try:
            left = [self._left(bound) for bound in self.limits.budgets]
        except AccountUnavailable:
            return 0, 0
        for bound, amount in left:
            if bound.figure is Figure.BYTES_PER_JOB:
                size = min(size, amount)
            elif bound.figure is Figure.ROWS_PER_JOB:
                rows = min(rows, amount)
            elif cells_a_row:
                rows = min(rows, amount // cells_a_row)
        return max(rows, 0), max(size, 0)

    def _left(self, bound: Bound) -> tuple[Bound, int]:
        return bound, bound.amount - used_of(bound, self.account.usage(bound.window))

    def broken(self, tally: Tally, rows: int, size: int, cells: int) -> Refusal:
        """The limit that this much more would go beyond."""
        limits = self.limits
        if limits.rows is not None and tally.rows + rows > limits.rows.amount:
            return too_big(limits.rows, tally.rows)
        if limits.size is not None and tally.bytes + size > limits.size.amount:
            return too_big(limits.size, tally.bytes)
        try:
            return self._broken_budget(dict(zip(JOB_FIGURES, (rows, size, cells), strict=True)))
        except AccountUnavailable:
            return uncounted(limits.budgets[0])

    def _broken_budget(self, more: dict[Figure, int]) -> Refusal:
        told = [(bound, self.account.usage(bound.window)) for bound in self.limits.budgets]
        over = [(b, usage) for b, usage in told if used_of(b, usage) + more[b.figure] > b.amount]
        bound, usage = (over or told)[0]  # none is over any more when the window has just ended
        return used_up(bound, used_of(bound, usage), usage.resets, began=True)

    def exceeded(self, tally: Tally) -> tuple[str, ...]:
        """The rules in mode observe that would have ended a result that is through now."""
        observed, found = self.observed, set[str]()
        if observed is NO_LIMITS:
            return ()
        if observed.rows is not None and tally.rows > observed.rows.amount:
            found.add(observed.rows.rule.id)
        if observed.size is not None and tally.bytes > observed.size.amount:
            found.add(observed.size.rule.id)
        with suppress(AccountUnavailable):
            found |= {b.rule.id for b in observed.budgets if used_of(b, self.account.usage(b.window)) > b.amount}
        return tuple(sorted(found))


def shares_of(limits: Limits, observed: Limits) -> tuple[Share, ...]:
    """One for each window that some budget speaks of; what is only observed has no end."""
    windows = sorted({bound.window for bound in (*limits.budgets, *observed.budgets)})
    return tuple(
        Share(window, *(_most(limits.budgets, figure, window) for figure in JOB_FIGURES)) for window in windows
    )


def _most(budgets: Iterable[Bound], figure: Figure, window: int) -> int:
    return next((b.amount for b in budgets if b.figure is figure and b.window == window), UNBOUNDED)


def used_of(bound: Bound, usage: Usage) -> int:
    if bound.figure is Figure.ROWS_PER_JOB:
        return usage.rows
    return usage.bytes if bound.figure is Figure.BYTES_PER_JOB else usage.cells


def limiter_of(limits: Limits | None, observed: Limits | None, account: Account) -> Limiter | None:
    """None for a role without any."""
    if limits is None and observed is None:
        return None
    return Limiter(limits or NO_LIMITS, observed or NO_LIMITS, account)


@dataclass(slots=True)
class Meter:
    """Counts the rows of one result. `cells`: sensitive ones in each row. `tally`: of the whole result, which may be
    read in parts."""

    limiter: Limiter
    tally: Tally
    cells: int

    def may_pass(self, rows: int, size: int) -> bool:
        return self.limiter.may_pass(self.tally, rows, size, rows * self.cells)

    def room(self) -> tuple[int, int]:
        return self.limiter.room(self.tally, self.cells)

    def broken(self, rows: int, size: int) -> Refusal:
        return self.limiter.broken(self.tally, rows, size, rows * self.cells)
