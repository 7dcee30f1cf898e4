"""What a role may use up: figures for one statement, for one minute, and for one job within a window of time.

A rule's figures become `Bound`s, each of which knows its rule, so that a refusal can teach. Of several rules the
strictest figure holds; budgets of jobs are kept apart by their window, since each has a sum of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from rules.decision import Refusal
from rules.tree import Setting

if TYPE_CHECKING:  # rule files are checked with the help of roles, which have limits
    from rules.book.model import Limiting, Rule


class Figure(Enum):
    """The keys of a limit rule that hold a figure."""

    ROWS_PER_STATEMENT = "rows_per_statement"
    BYTES_PER_STATEMENT = "bytes_per_statement"
    STATEMENT_TIME = "statement_time"
    STATEMENTS_PER_MINUTE = "statements_per_minute"
    ROWS_PER_JOB = "rows_per_job"
    BYTES_PER_JOB = "bytes_per_job"
    SENSITIVE_CELLS_PER_JOB = "sensitive_cells_per_job"


#: the budgets' figures, in the order of `Used`
JOB_FIGURES: Final = (Figure.ROWS_PER_JOB, Figure.BYTES_PER_JOB, Figure.SENSITIVE_CELLS_PER_JOB)
#: what each figure counts, in words
COUNTED: Final = {
    Figure.ROWS_PER_STATEMENT: "rows",
    Figure.BYTES_PER_STATEMENT: "bytes",
    Figure.STATEMENTS_PER_MINUTE: "statements",
    Figure.ROWS_PER_JOB: "rows",
    Figure.BYTES_PER_JOB: "bytes",
    Figure.SENSITIVE_CELLS_PER_JOB: "sensitive cells",
}

TOO_BIG: Final = "54000"  # program_limit_exceeded: the statement itself asks for too much
USED_UP: Final = "53400"  # configuration_limit_exceeded: the share is used up for now
CANCELED: Final = "57014"  # query_canceled, as the server's own statement_timeout

REFUSED: Final = "dbgate refused this statement: a limit is reached"
ENDED: Final = "dbgate ended this statement: a limit is reached"
TIMEOUT: Final = "statement_timeout"


@dataclass(frozen=True, slots=True)
class Bound:
    """One figure of one rule. `amount`: rows, bytes, cells, statements, or milliseconds. `window`: seconds, for the
    figures of jobs; 0 for the others."""

    figure: Figure
    amount: int
    rule: Rule
    window: int = 0

    @property
    def shown(self) -> str:
        """`rows_per_job: 1000 a day`."""
        amount = show_time(self.amount) if self.figure is Figure.STATEMENT_TIME else str(self.amount)
        return f"{self.figure.value}: {amount}" + (f" per {show_window(self.window)}" if self.window else "")


@dataclass(frozen=True, slots=True)
class Limits:
    """The strictest figures of a role; None where no rule speaks of it. `budgets`: at most one for each figure and
    window."""

    rows: Bound | None = None
    size: Bound | None = None
    time: Bound | None = None
    rate: Bound | None = None
    budgets: tuple[Bound, ...] = ()

    @property
    def bounds(self) -> tuple[Bound, ...]:
        return tuple(b for b in (self.rows, self.size, self.time, self.rate, *self.budgets) if b is not None)

    @property
    def measures(self) -> bool:
        """Results must be counted while they come."""
        return bool(self.rows or self.size or self.budgets)


NO_LIMITS: Final = Limits()


def bounds_of(rule: Rule, verb: Limiting) -> tuple[Bound, ...]:
    """Every figure that a rule names."""
    given = ((figure, getattr(verb, figure.value)) for figure in Figure)
    return tuple(
        Bound(figure, amount, rule, verb.per if figure in JOB_FIGURES else 0)
        for figure, amount in given
        if amount is not None
    )


def strictest(rules: Iterable[tuple[Rule, Limiting]]) -> Limits | None:
    """Of each figure (and window) the smallest amount, of equal ones the rule whose id comes first; None for none."""
    found: dict[tuple[Figure, int], Bound] = {}
    for bound in sorted((b for r, v in rules for b in bounds_of(r, v)), key=lambda b: (b.amount, b.rule.id)):
        found.setdefault((bound.figure, bound.window), bound)
    if not found:
        return None
    single = {figure: bound for (figure, _), bound in found.items() if figure not in JOB_FIGURES}
    return Limits(
        rows=single.get(Figure.ROWS_PER_STATEMENT),
        size=single.get(Figure.BYTES_PER_STATEMENT),
        time=single.get(Figure.STATEMENT_TIME),
        rate=single.get(Figure.STATEMENTS_PER_MINUTE),
        budgets=tuple(bound for (figure, _), bound in sorted(found.items(), key=_order) if figure in JOB_FIGURES),
    )


def _order(item: tuple[tuple[Figure, int], Bound]) -> tuple[int, int]:
    (figure, window), _ = item
    return window, list(Figure).index(figure)


# ---------------------------------------------------------------- words


WINDOWS: Final = {3600: "hour", 86400: "day"}
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def show_window(seconds: int) -> str:
    """`hour`, `day`, `90m`."""
    return WINDOWS.get(seconds) or _in_units(seconds)


def show_time(milliseconds: int) -> str:
    """`30s`, `90m`, `250ms`."""
    return f"{milliseconds}ms" if milliseconds % 1000 else _in_units(milliseconds // 1000)


def _in_units(seconds: int) -> str:
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"{seconds // size}{unit}"


def _counted(figure: Figure, number: int) -> str:
    """`1 row`, `2 rows`."""
    return f"{number} {COUNTED[figure].removesuffix('s') if number == 1 else COUNTED[figure]}"


def _detail(bound: Bound, told: str) -> str:
    rule = bound.rule
    said = f"; {rule.message}" if rule.message else ""
    return f'rule "{rule.id}" ({rule.place.for_clients}): {bound.shown}; {told}{said}'


_MENDS: Final = {
    Figure.ROWS_PER_STATEMENT: "add LIMIT {amount} or less, a narrower WHERE, or aggregate in the database",
    Figure.BYTES_PER_STATEMENT: "ask for fewer columns or rows: a narrower WHERE, a LIMIT, or an aggregate",
    Figure.STATEMENT_TIME: "ask for less: a narrower WHERE, a condition on an indexed column, or a smaller join",
}


def too_big(bound: Bound, sent: int) -> Refusal:
    """The end of a result that is larger than one statement's may be. `sent`: what the client has got of it."""
    told = f"the result has more, and {_counted(bound.figure, sent)} of it went to the client"
    hint = bound.rule.instead or _MENDS[bound.figure].format(amount=bound.amount)
    return Refusal(bound.rule.id, ENDED, _detail(bound, told), hint, TOO_BIG)


DONE: Final = "; the statement itself had come to its end by then"


def after_all(refusal: Refusal) -> Refusal:
    """The same, told of a statement that could not be stopped any more: what it did outside a transaction stays."""
    return replace(refusal, detail=refusal.detail + DONE)


def too_long(bound: Bound) -> Refusal:
    """The end of a statement that ran longer than it may."""
    hint = bound.rule.instead or _MENDS[bound.figure]
    return Refusal(bound.rule.id, ENDED, _detail(bound, "it was still running then"), hint, CANCELED)


def used_up(bound: Bound, used: int, resets: str, *, began: bool) -> Refusal:
    """A job's budget. `used`: so far in this window; `resets`: UTC time; `began`: the statement was under way."""
    left = max(bound.amount - used, 0)
    told = f"{used} of {bound.amount} {COUNTED[bound.figure]} are used and {left} left; the budget resets at {resets}"
    hint = bound.rule.instead or (
        f"ask for at most {_counted(bound.figure, left)}, or go on after {resets}" if left else f"go on after {resets}"
    )
    message = ENDED if began else REFUSED
    return Refusal(bound.rule.id, message, _detail(bound, told), hint, USED_UP)


def too_often(bound: Bound, wait: float) -> Refusal:
    """`wait`: seconds until the next statement may come."""
    told = f"0 statements are left in this minute; the next may come in {wait:.0f} s"
    hint = bound.rule.instead or f"wait {wait:.0f} s, and ask for more in each statement"
    return Refusal(bound.rule.id, REFUSED, _detail(bound, told), hint, USED_UP)


def uncounted(bound: Bound) -> Refusal:
    """The store of the budgets takes nothing: what cannot be counted does not pass."""
    told = "the gate cannot read or write what was used so far"
    return Refusal(bound.rule.id, REFUSED, _detail(bound, told), "try again in a moment", "58030")


# ---------------------------------------------------------------- statement_timeout


#: the units of a time setting in milliseconds (manual 20.1.1)
_TIME_UNITS: Final = {"us": 0.001, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def milliseconds(text: str) -> float | None:
    """A time setting's value as the server reads it (`250`, `'30s'`, `'1.5 min'`); None when it is no plain one."""
    plain = text.strip()
    digits = plain.rstrip("usminhd")
    unit = plain[len(digits) :].strip() or "ms"
    number = digits.strip()
    if unit not in _TIME_UNITS or not number.isascii() or not number.replace(".", "", 1).isdigit():
        return None
    return float(number) * _TIME_UNITS[unit]


def time_objection(setting: Setting, bound: Bound) -> Refusal | None:
    """Why a SET of statement_timeout is refused: it would raise or lift the limit. RESET goes back to the session's
    beginning, where the gate has set the limit itself."""
    if setting.name.lower() != TIMEOUT or setting.value is None:
        return None
    value = milliseconds(setting.value[0]) if len(setting.value) == 1 else None
    if value is not None and 1 <= value <= bound.amount:
        return None
    return _unraised(bound, "statement_timeout may be set lower, but neither higher nor off")


def unread_setting(bound: Bound) -> Refusal:
    """The end of a statement that could set any parameter, statement_timeout too."""
    return _unraised(bound, "it could set any parameter, and statement_timeout may be set neither higher nor off")


def _unraised(bound: Bound, told: str) -> Refusal:
    hint = f"SET statement_timeout = {bound.amount}, or lower; other parameters with SET, or set_config with constants"
    return Refusal(bound.rule.id, "dbgate refused this statement", _detail(bound, told), hint)
