"""How large a number can be, and how small: what shows that no computation with it can fail, whatever its value.

A result beyond its type's range is an error, and whether it comes tells the value (`salary * 50000`, `n::smallint`).
So each number carries the bounds that follow from its type: those of integers and numeric(p, s) hold for every value;
a stored value of the other types is taken to be moderate. Bounds are logarithms to base ten. The two values that are no
numbers, NaN and infinity, are left out of account.

PostgreSQL documentation, chapter "Data Types": ranges; "Functions and Operators": types of results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from functools import cache
from typing import Final, NamedTuple


class Kind(IntEnum):
    """Types of numbers and of times; of two numbers, the later one is the type of what is computed from both."""

    SMALL = 0
    INTEGER = 1
    BIG = 2
    NUMERIC = 3
    REAL = 4
    FLOAT = 5
    BOOLEAN = 6
    DATE = 7
    STAMP = 8
    SPAN = 9  # interval


class Number(NamedTuple):
    """`least`: of the values that are not zero. `most`: the largest there can be; of SPAN in seconds, of DATE and STAMP
    by how many seconds it may have been moved. `moderate`: the bounds are only those of an ordinary value, and a row
    that somebody put there on purpose may be beyond them."""

    kind: Kind
    least: float
    most: float
    moderate: bool = False


NUMBERS: Final = frozenset({Kind.SMALL, Kind.INTEGER, Kind.BIG, Kind.NUMERIC, Kind.REAL, Kind.FLOAT})
INTEGERS: Final = frozenset({Kind.SMALL, Kind.INTEGER, Kind.BIG})
MOMENTS: Final = frozenset({Kind.DATE, Kind.STAMP})

#: The largest results. NUMERIC has many more digits, but may become a FLOAT without being asked. A moment may be moved
#: by 1,500 years: year 1 is then still far from the beginning of the calendar.
LIMITS: Final = {
    Kind.SMALL: math.log10(32767),
    Kind.INTEGER: math.log10(2**31 - 1),
    Kind.BIG: math.log10(2**63 - 1024),
    Kind.NUMERIC: 250.0,
    Kind.REAL: 38.0,
    Kind.FLOAT: 280.0,
    Kind.BOOLEAN: 0.0,
    Kind.DATE: 10.7,
    Kind.STAMP: 10.7,
    Kind.SPAN: 15.0,
}
SMALLEST: Final = {Kind.REAL: -37.0, Kind.FLOAT: -290.0, Kind.NUMERIC: -290.0}
DAY: Final = math.log10(86400)

_STORED: Final = {
    "smallint": Number(Kind.SMALL, 0.0, math.log10(30000)),
    "integer": Number(Kind.INTEGER, 0.0, math.log10(2**31 - 10_000_000)),
    "bigint": Number(Kind.BIG, 0.0, math.log10(9.2e18)),
    "numeric": Number(Kind.NUMERIC, -30.0, 30.0, moderate=True),
    "real": Number(Kind.REAL, -28.0, 28.0, moderate=True),
    "double precision": Number(Kind.FLOAT, -35.0, 35.0, moderate=True),
    "boolean": Number(Kind.BOOLEAN, 0.0, 0.0),
    "date": Number(Kind.DATE, 0.0, 0.0),
    "timestamp without time zone": Number(Kind.STAMP, 0.0, 0.0),
    "timestamp with time zone": Number(Kind.STAMP, 0.0, 0.0),
    "interval": Number(Kind.SPAN, -6.0, 11.0),
}
BOOLEAN: Final = _STORED["boolean"]
NOW: Final = _STORED["date"], _STORED["timestamp with time zone"]


@cache
def of_type(name: str, modifier: int = -1) -> Number | None:
    """The bounds of a stored column. `name`: as format_type prints it; `modifier`: pg_attribute.atttypmod."""
    if name == "numeric" and modifier >= 4:
        precision, scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0x7FF
        return _decimal(precision, scale - 2048 if scale > 1023 else scale)
    return _STORED.get(name)


def _decimal(precision: int, scale: int) -> Number:
    return Number(Kind.NUMERIC, float(-scale), float(precision - scale))


def of_constant(text: str) -> Number | None:
    """A constant as it stands in the text; None for one that is no number, or none of this size."""
    try:
        size = abs(float(text))
    except ValueError:
        return None
    if not math.isfinite(size) or (size == 0 and any(c in "123456789" for c in text.lower().partition("e")[0])):
        return None
    whole = text.isdecimal()
    kind = Kind.NUMERIC if not whole else Kind.INTEGER if size < 2**31 else Kind.BIG if size < 2**63 else Kind.NUMERIC
    return Number(kind, log(size) if size else 0.0, log(size))


def length(weight: int) -> Number:
    """A length of a text that may be so many times as long as a stored one."""
    return Number(Kind.INTEGER, 0.0, 5 + math.log10(max(weight, 1)))


# ---------------------------------------------------------------- operators


def combined(operator: str, parts: Sequence[Number]) -> Number | None:
    """The result of an arithmetic operator; None where it may be beyond its type's range, or is not known."""
    if len(parts) == 1:
        return parts[0] if parts[0].kind in NUMBERS or parts[0].kind is Kind.SPAN else None
    left, right = parts
    if left.kind in NUMBERS and right.kind in NUMBERS:
        return within(_OPERATORS[operator](left, right, _kind(left, right)))
    handler = _TIMES.get((operator, _group(left), _group(right)))
    return within(handler(left, right)) if handler else None


def within(found: Number) -> Number | None:
    if found.most > LIMITS[found.kind] or found.least < SMALLEST.get(found.kind, -math.inf):
        return None
    return found


def _kind(left: Number, right: Number) -> Kind:
    """numeric with real becomes double precision; the narrower range of both is the safe one."""
    return max(left.kind, right.kind)


def log(size: float) -> float:
    return math.log10(size) if size > 0 else -300.0


def plus(a: float, b: float) -> float:
    low, high = sorted((a, b))
    return high + math.log10(1 + 10 ** max(low - high, -300.0))


def _sum(a: Number, b: Number, kind: Kind) -> Number:
    least = 0.0 if kind in INTEGERS else min(a.least, b.least) - (0 if kind is Kind.NUMERIC else 20)
    return Number(kind, least, plus(a.most, b.most), a.moderate or b.moderate)


def _product(a: Number, b: Number, kind: Kind) -> Number:
    return Number(kind, a.least + b.least, a.most + b.most, a.moderate or b.moderate)


def _quotient(a: Number, b: Number, kind: Kind) -> Number:
    if kind in INTEGERS:
        return Number(kind, 0.0, a.most)
    return Number(kind, a.least - b.most, a.most - b.least, a.moderate or b.moderate)


def _rest(a: Number, b: Number, kind: Kind) -> Number:
    return Number(kind, min(a.least, b.least), min(a.most, b.most), a.moderate or b.moderate)


_OPERATORS: Final = {"+": _sum, "-": _sum, "*": _product, "/": _quotient, "%": _rest}


def _group(n: Number) -> str:
    return "n" if n.kind in NUMBERS else "m" if n.kind in MOMENTS else "s" if n.kind is Kind.SPAN else ""


def _moved(a: Number, b: Number) -> Number:
    moment, by = (a, b) if a.kind in MOMENTS else (b, a)
    if by.kind is not Kind.SPAN:  # date + integer counts days
        days = by.most + DAY if moment.kind is Kind.DATE and by.kind <= Kind.INTEGER else math.inf
        return Number(Kind.DATE, 0.0, plus(moment.most, days))
    return Number(Kind.STAMP, 0.0, plus(moment.most, by.most))


def _between(a: Number, b: Number) -> Number:
    """The days between two dates, the time between two other moments."""
    if a.kind is b.kind is Kind.DATE:
        return Number(Kind.INTEGER, 0.0, 7.0)
    return Number(Kind.SPAN, -6.0, 12.0)


def _scaled(a: Number, b: Number) -> Number:
    return Number(Kind.SPAN, -6.0, a.most + b.most)


def _shared(a: Number, b: Number) -> Number:
    return Number(Kind.SPAN, -6.0, a.most - b.least)


_TIMES: Final[dict[tuple[str, str, str], Callable[[Number, Number], Number]]] = {
    ("+", "m", "s"): _moved,
    ("+", "s", "m"): _moved,
    ("-", "m", "s"): _moved,
    ("+", "m", "n"): _moved,
    ("+", "n", "m"): _moved,
    ("-", "m", "n"): _moved,
    ("-", "m", "m"): _between,
    ("*", "s", "n"): _scaled,
    ("*", "n", "s"): _scaled,
    ("/", "s", "n"): _shared,
}


def merged(parts: Iterable[Number | None]) -> Number | None:
    """One of these (CASE, coalesce, UNION). None where one is not known, or numbers are mixed with times."""
    found: Number | None = None
    for part in parts:
        if part is None:
            return None
        if found is None or part == found:
            found = part
        elif found.kind in NUMBERS and part.kind in NUMBERS:
            ends = min(found.least, part.least), max(found.most, part.most)
            found = Number(max(found.kind, part.kind), *ends, found.moderate or part.moderate)
        elif found.kind is part.kind:
            found = Number(found.kind, min(found.least, part.least), max(found.most, part.most))
        else:
            return None
    return found


# ---------------------------------------------------------------- casts

_TARGETS: Final = {
    "int2": Kind.SMALL,
    "int4": Kind.INTEGER,
    "int8": Kind.BIG,
    "numeric": Kind.NUMERIC,
    "float4": Kind.REAL,
    "float8": Kind.FLOAT,
    "bool": Kind.BOOLEAN,
    "date": Kind.DATE,
    "timestamp": Kind.STAMP,
    "timestamptz": Kind.STAMP,
    "interval": Kind.SPAN,
}
_FROM_WHOLE: Final = frozenset({Kind.INTEGER, Kind.BOOLEAN})


def cast(n: Number, target: str, modifiers: Sequence[int] | None) -> Number | None:
    """The number as another type; None where it may not fit. `target`: the type's own name (int4); `modifiers`: of
    numeric(p, s), None when they are not known."""
    kind = _TARGETS.get(target)
    if kind is None or modifiers is None:
        return None
    if kind in NUMBERS:
        return _to_number(n, kind, modifiers)
    if kind is Kind.BOOLEAN:
        return BOOLEAN if n.kind in _FROM_WHOLE else None
    same = n.kind is kind or (kind in MOMENTS and n.kind in MOMENTS)
    return Number(kind, n.least, n.most) if same else None


def _to_number(n: Number, kind: Kind, modifiers: Sequence[int]) -> Number | None:
    if n.kind is Kind.BOOLEAN:
        return Number(kind, 0.0, 0.0) if kind is Kind.INTEGER else None
    if n.kind not in NUMBERS:
        return None
    if kind is Kind.NUMERIC and modifiers:
        return _to_decimal(n, modifiers[0], modifiers[1] if len(modifiers) > 1 else 0)
    if kind in INTEGERS:
        return within(Number(kind, 0.0, max(n.most, 0.0), n.moderate))
    return within(Number(kind, n.least, n.most, n.moderate))


def _to_decimal(n: Number, precision: int, scale: int) -> Number | None:
    """Rounding may carry a value over the end, unless it has no more decimals than are kept."""
    exact = scale >= -n.least and n.kind <= Kind.NUMERIC
    room = 0.0 if exact else 0.31
    return _decimal(precision, scale) if n.most + room <= precision - scale else None


# ---------------------------------------------------------------- functions


def _first(parts: Sequence[Number | None]) -> Number | None:
    return parts[0] if parts else None


def _last(parts: Sequence[Number | None]) -> Number | None:
    return parts[-1] if parts else None


def _rounded(parts: Sequence[Number | None]) -> Number | None:
    n = parts[0]
    if n is None or n.kind not in NUMBERS:
        return None
    kind = Kind.NUMERIC if len(parts) > 1 or n.kind is Kind.NUMERIC else Kind.FLOAT
    return Number(kind, min(n.least, 0.0), max(n.most, 0.0) + 0.31, n.moderate)


def _total(parts: Sequence[Number | None]) -> Number | None:
    """Over no more than a thousand million rows."""
    n = parts[0]
    if n is None or n.kind in MOMENTS or n.kind is Kind.BOOLEAN:
        return None
    kind = Kind.BIG if n.kind <= Kind.INTEGER else Kind.NUMERIC if n.kind is Kind.BIG else n.kind
    return within(n._replace(kind=kind, most=n.most + 9))


def _mean(parts: Sequence[Number | None]) -> Number | None:
    """No larger than the largest value, and rounded to as many decimals no larger either. The server adds up the
    squares of floats, too."""
    n = parts[0]
    if n is None or (n.kind not in NUMBERS and n.kind is not Kind.SPAN):
        return None
    if n.kind in (Kind.REAL, Kind.FLOAT):
        return Number(Kind.FLOAT, n.least - 9, n.most, n.moderate) if n.most * 2 + 18 < LIMITS[Kind.FLOAT] else None
    return n._replace(kind=max(n.kind, Kind.NUMERIC))


def _spread(parts: Sequence[Number | None]) -> Number | None:
    n = _mean(parts)
    return None if n is None else Number(n.kind, -100.0, n.most * 2 + 9, n.moderate)


def _median(parts: Sequence[Number | None]) -> Number | None:
    n = parts[-1]
    if n is None or n.kind not in NUMBERS:
        return n if n is not None and n.kind is Kind.SPAN else None
    return Number(Kind.FLOAT, -100.0, n.most + 0.31, n.moderate)


def _exactly(n: Number) -> Callable[[Sequence[Number | None]], Number | None]:
    return lambda parts: n


_Result = Callable[[Sequence["Number | None"]], "Number | None"]
_WORDS: Final[tuple[tuple[str, _Result], ...]] = (
    ("min max lag lead first_value last_value any_value abs", _first),
    ("mode percentile_disc date_trunc", _last),
    ("nth_value", _first),
    ("round ceil ceiling floor trunc", _rounded),
    ("sum", _total),
    ("avg", _mean),
    ("stddev stddev_pop stddev_samp variance var_pop var_samp", _spread),
    ("percentile_cont", _median),
    ("sign", _exactly(Number(Kind.FLOAT, 0.0, 0.0))),
    ("ascii", _exactly(Number(Kind.INTEGER, 0.0, 6.1))),
    ("array_length array_lower array_upper array_ndims cardinality num_nulls num_nonnulls",
     _exactly(Number(Kind.INTEGER, 0.0, 8.2))),
    ("count row_number rank dense_rank", _exactly(Number(Kind.BIG, 0.0, 14.0))),
    ("cume_dist percent_rank random", _exactly(Number(Kind.FLOAT, -17.0, 0.0))),
    ("age", _exactly(Number(Kind.SPAN, -6.0, 12.0))),
    ("current_date", _exactly(NOW[0])),
    ("now transaction_timestamp statement_timestamp clock_timestamp current_timestamp localtimestamp",
     _exactly(NOW[1])),
)  # fmt: skip
RESULTS: Final[dict[str, _Result]] = {name: result for names, result in _WORDS for name in names.split()}
#: those that fail where their result would be beyond its type's range, so that it must be known
BOUNDED: Final = frozenset(
    "sum avg stddev stddev_pop stddev_samp variance var_pop var_samp percentile_cont".split()  # noqa: SIM905
)
LENGTHS: Final = frozenset(
    "length char_length character_length octet_length bit_length position strpos pg_column_size".split()  # noqa: SIM905
)
_FIELDS: Final = frozenset(
    """
    year month day dow isodow doy week quarter hour minute isoyear century decade millennium timezone_hour
    timezone_minute
    """.split()  # noqa: SIM905
)


def field(function: str, name: str) -> Number:
    """`extract(name FROM ...)`, date_part: within the calendar's range, or in seconds and their parts."""
    kind = Kind.NUMERIC if function == "extract" else Kind.FLOAT
    return Number(kind, 0.0, 6.0) if name.lower() in _FIELDS else Number(kind, -6.0, 20.0)
