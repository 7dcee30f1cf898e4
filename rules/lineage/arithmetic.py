"""Arithmetic and casts: can they fail, and on whose value would that depend?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rules.facts import Use
from rules.lineage import numbers
from rules.lineage.numbers import Kind, Number
from rules.lineage.reader import Reader
from rules.lineage.values import Item, Sources, united
from rules.postgres import total_functions as total
from rules.tree import Call, Cast, Expression, Literal, Operation

OPERATORS: Final = frozenset({"+", "-", "*", "/", "%"})
_DIVISIONS: Final = frozenset({"/", "%"})
_SCALING: Final = frozenset({"*", "/"})
_CHOICES: Final = frozenset({"coalesce", "greatest", "least"})
#: Operations whose result is a condition, so that a CASE without a test can be told from one with it.
_CONDITION_WORDS: Final = (
    "and or not = <> != < > <= >= in not_in like not_like ilike not_ilike similar not_similar between not_between "
    "between_symmetric not_between_symmetric is_null is_not_null is_true is_not_true is_false is_not_false is_unknown "
    "is_not_unknown is_distinct is_not_distinct ~ ~* !~ !~* ~~ ~~* !~~ !~~* @> <@ && ? ?| ?& @@"
)
CONDITIONS: Final = frozenset(_CONDITION_WORDS.split())
_CLOCKS: Final = {"current_date": numbers.NOW[0], "current_timestamp": numbers.NOW[1], "localtimestamp": numbers.NOW[1]}


def number_of(e: Expression, item: Item) -> Number | None:
    """What is known of a value's size; constants are read here, since all of them share one Item."""
    if item.number is not None:
        return item.number
    if isinstance(e, Literal):
        return numbers.of_constant(e.value) if e.value is not None else None
    if isinstance(e, Operation) and e.operator in ("-", "+") and len(e.operands) == 1:
        return number_of(e.operands[0], item) if isinstance(e.operands[0], Literal) else None
    return None


def of_operator(reader: Reader, e: Operation, operands: Sequence[Item]) -> Number | None:
    """The result of + - * / %; None when it may be beyond its type's range. Another value than the protected one may
    have been put into its row to make it so: whoever can write there is told of as if both could fail."""
    if e.operator in reader.catalog.user_operators or len(operands) > 2:
        return None
    known = [number_of(o, item) for o, item in zip(e.operands, operands, strict=True)]
    parts = [n for n in known if n is not None]
    if len(parts) < len(known):
        return None
    if e.operator in _SCALING and len(parts) == 2:
        _scaled(reader, operands[0], operands[1], parts[1])
        _scaled(reader, operands[1], operands[0], parts[0])
    return numbers.combined(e.operator, parts)


def _scaled(reader: Reader, item: Item, other: Item, by: Number) -> None:
    if by.moderate and item.sources and other.sources:
        reader.use(Use.SCALE, item.sources)
        reader.use(Use.SCALER, other.sources)


def divisor(e: Operation, operands: Sequence[Item]) -> Sources | None:
    """The columns that decide whether a division is one by zero; None where it never is. Where it is, a NULL that is
    divided makes it none, which tells something if that NULL does."""
    if e.operator not in _DIVISIONS or len(operands) != 2 or _not_zero(e.operands[1]):
        return None
    constant = isinstance(e.operands[1], Literal)
    return united(operands) if constant or operands[0].hollow else operands[1].sources


def _not_zero(e: Expression) -> bool:
    if isinstance(e, Literal):
        return e.value is None or _size(e) > 0
    if isinstance(e, Cast):
        return isinstance(e.operand, Literal) and e.type_name[-1] in ("numeric", "float8") and _not_zero(e.operand)
    if not isinstance(e, Operation):
        return False
    if e.operator == "nullif":
        return isinstance(e.operands[1], Literal) and _size(e.operands[1]) == 0
    if e.operator == "greatest":
        return any(isinstance(o, Literal) and _size(o) > 0 for o in e.operands)
    if e.operator == "coalesce":
        return all(map(_not_zero, e.operands))
    return e.operator == "-" and len(e.operands) == 1 and _not_zero(e.operands[0])


def _size(e: Literal) -> float:
    """Of a constant above zero, else 0 for zero and -1 for anything else."""
    known = numbers.of_constant(e.value) if e.value is not None else None
    if known is None:
        return -1
    return 1 if known.most > -300 else 0


# ---------------------------------------------------------------- results


def chosen(e: Operation, operands: Sequence[Item]) -> Number | None:
    """What is known of the value of any other operator."""
    if e.operator in _CHOICES:
        return numbers.merged(number_of(o, i) for o, i in zip(e.operands, operands, strict=True) if not _is_null(o))
    if e.operator == "nullif":
        return operands[0].number
    return numbers.BOOLEAN if e.operator in CONDITIONS else _CLOCKS.get(e.operator)


def _is_null(e: Expression) -> bool:
    return isinstance(e, Literal) and e.value is None


def of_case(e: Operation, operands: Sequence[Item], decisive: frozenset[int]) -> Number | None:
    """A CASE is one of its results; `decisive`: the positions of the other operands."""
    results = [(o, i) for p, (o, i) in enumerate(zip(e.operands, operands, strict=True)) if p not in decisive]
    return numbers.merged(number_of(o, i) for o, i in results if not _is_null(o))


def of_call(e: Call, arguments: Sequence[Item]) -> Number | None:
    """The result of a built-in function; None when its size is not known, or beyond its type's range."""
    name = e.name[-1]
    if name in numbers.LENGTHS:
        return numbers.length(max((item.weight for item in arguments), default=1) * (8 if name == "bit_length" else 1))
    if name in ("extract", "date_part"):
        first = e.arguments[0] if e.arguments else None
        return numbers.field(name, first.value or "") if isinstance(first, Literal) else None
    result = numbers.RESULTS.get(name)
    if result is None and name != "mod":
        return None
    known = [number_of(a, item) for a, item in zip(e.arguments, arguments, strict=True)]
    return result(known) if result is not None else _remainder(e, known)


def _remainder(e: Call, known: Sequence[Number | None]) -> Number | None:
    parts = [n for n in known if n is not None and n.kind in numbers.NUMBERS]
    return numbers.combined("%", parts) if len(parts) == len(known) == 2 and _not_zero(e.arguments[1]) else None


def is_bounded(e: Call, arguments: Sequence[Item], made: Number | None) -> bool:
    """Whether an aggregate's result stays within its type. What it gathers must be a number of known size."""
    return e.name[-1] not in numbers.BOUNDED or made is not None or not any(item.sources for item in arguments)


# ---------------------------------------------------------------- casts


def of_cast(reader: Reader, e: Cast, item: Item) -> tuple[bool, Number | None]:
    """Whether the cast takes every value, and what is known of the result."""
    if not _is_built_in(reader, e):
        return False, None
    target = e.type_name[-1]
    if e.is_array:
        return target in total.TEXTS and (item.type or "").endswith("[]"), None
    if target == "interval" and isinstance(e.operand, Literal):
        return False, _span(e.operand)
    if target in total.TEXTS:
        return True, None
    known = number_of(e.operand, item)
    made = numbers.cast(known, target, e.modifiers) if known is not None else None
    return made is not None or (known is not None and target in _OF_TIMES and known.kind is Kind.STAMP), made


_OF_TIMES: Final = frozenset({"time"})


_SYSTEM: Final = frozenset({"pg_catalog", "information_schema"})


def _is_built_in(reader: Reader, e: Cast) -> bool:
    """Not a user's type of the same name, with checks of its own."""
    name = e.type_name
    if len(name) > 1:
        return name[-2] == "pg_catalog"
    memory = reader.catalog.derived
    own = memory.get("names of own types")
    if not isinstance(own, frozenset):
        own = frozenset(t.name for t in reader.catalog.types if t.schema not in _SYSTEM)
        memory["names of own types"] = own
    return name[0] not in own


_UNITS: Final = {
    "year": 31_622_400, "yr": 31_622_400, "mon": 2_678_400, "month": 2_678_400, "week": 604_800, "day": 86_400,
    "hour": 3600, "hr": 3600, "min": 60, "minute": 60, "sec": 1, "second": 1,
}  # fmt: skip


def _span(e: Literal) -> Number | None:
    """A constant like `1 year 2 months`."""
    words = (e.value or "").lower().split()
    if not words or len(words) % 2:
        return None
    seconds = 0
    for count, unit in zip(words[::2], words[1::2], strict=True):
        size = _UNITS.get(unit.removesuffix("s"))
        if size is None or not count.lstrip("+-").isdecimal() or len(count) > 9:
            return None
        seconds += abs(int(count)) * size
    return Number(Kind.SPAN, 0.0, numbers.plus(0.0, numbers.log(seconds)))
