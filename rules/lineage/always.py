"""Conditions that hold for every row, for certain: `true`, `1 = 1`, `id = id`, `x IS NULL OR x IS NOT NULL`.

A rule that asks for a WHERE means one that chooses rows. NULLs are left out of account: `id = id` counts as true.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from rules.tree import Call, Cast, Column, Expression, Literal, Operation, Select, Subquery

_TRUE: Final = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "off", "0"})
_COMPARED: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
}
#: operators of which a value stands in the relation to itself
_REFLEXIVE: Final = frozenset({"=", "<=", ">=", "is_not_distinct", "like", "ilike", "between", "in"})
_IRREFLEXIVE: Final = frozenset({"<>", "!=", "<", ">", "is_distinct"})
_OPPOSITES: Final = {
    "=": "<>", "<": ">=", ">": "<=", "is_null": "is_not_null", "in": "not_in", "like": "not_like",
    "ilike": "not_ilike", "between": "not_between", "is_distinct": "is_not_distinct", "is_true": "is_not_true",
    "is_false": "is_not_false",
}  # fmt: skip
#: patterns that every text matches
_ANYTHING: Final[dict[str, frozenset[str]]] = {
    "like": frozenset({"%", "%%"}),
    "ilike": frozenset({"%", "%%"}),
    "~": frozenset({"", ".*", "^", "$", "^.*$"}),
    "~*": frozenset({"", ".*", "^", "$", "^.*$"}),
}
_MOST_OPERANDS: Final = 100  # of an OR, looked at for opposites


def truth(e: Expression) -> bool | None:
    """True or False for a condition that is so for every row, None for any other."""
    if isinstance(e, Literal):
        word = (e.value or "").lower()
        return True if word in _TRUE else False if word in _FALSE else None
    if isinstance(e, Cast):
        return truth(e.operand) if e.type_name[-1] in ("bool", "boolean") else None
    if isinstance(e, Subquery):
        return True if e.form == "exists" and _one_row(e.query) else None
    return _operation(e) if isinstance(e, Operation) and not e.qualifier else None


def _one_row(query: object) -> bool:
    """SELECT without FROM, WHERE and the like."""
    return isinstance(query, Select) and query == Select(outputs=query.outputs)


def _operation(e: Operation) -> bool | None:
    handler = _HANDLERS.get(e.operator)
    if handler is not None:
        return handler(e)
    return _compared(e) if e.operands else None


def _and(e: Operation) -> bool | None:
    found = [truth(o) for o in e.operands]
    return False if False in found else True if None not in found else None


def _or(e: Operation) -> bool | None:
    found = [truth(o) for o in e.operands]
    if True in found or _opposites(e.operands[:_MOST_OPERANDS]):
        return True
    return False if None not in found else None


def _not(e: Operation) -> bool | None:
    found = truth(e.operands[0])
    return None if found is None else not found


def _coalesce(e: Operation) -> bool | None:
    return truth(e.operands[0])


def _is_true(e: Operation) -> bool | None:
    return truth(e.operands[0])


def _is_not_null(e: Operation) -> bool | None:
    operand = e.operands[0]
    return operand.value is not None if isinstance(operand, Literal) else None


_HANDLERS: Final[dict[str, Callable[[Operation], bool | None]]] = {
    "and": _and,
    "or": _or,
    "not": _not,
    "is_true": _is_true,
    "is_not_false": _is_true,
    "is_false": _not,
    "is_not_true": _not,
    "coalesce": _coalesce,
    "is_not_null": _is_not_null,
}


def _compared(e: Operation) -> bool | None:
    first, rest = e.operands[0], e.operands[1:]
    enough = any if e.operator == "in" else all
    if rest and enough(same(first, other) for other in rest) and _stable(first):
        return True if e.operator in _REFLEXIVE else False if e.operator in _IRREFLEXIVE else None
    if len(rest) != 1:
        return None
    second = rest[0]
    if not isinstance(second, Literal) or second.value is None:
        return None
    if second.value in _ANYTHING.get(e.operator, ()):
        return True
    test = _COMPARED.get(e.operator)
    return _literals(first, second.value, test) if test and isinstance(first, Literal) else None


def _literals(first: Literal, second: str, test: Callable[[Any, Any], bool]) -> bool | None:
    if first.value is None:
        return None
    try:
        return test(Decimal(first.value), Decimal(second))
    except InvalidOperation:
        return test(first.value, second)


def _opposites(operands: tuple[Expression, ...]) -> bool:
    """Two of them cannot both be false."""
    named = [o for o in operands if isinstance(o, Operation)]
    return any(
        one.operator in _OPPOSITES
        and other.operator == _OPPOSITES[one.operator]
        and _stable(one)
        and _all_same(one.operands, other.operands)
        for one in named
        for other in named
    ) or any(n.operator == "not" and same(n.operands[0], o) and _stable(o) for n in named for o in operands)


def _stable(e: Expression) -> bool:
    """It has one value for a row: no call (random() differs from random()) and no subquery in it."""
    if isinstance(e, Call | Subquery):
        return False
    if isinstance(e, Cast):
        return _stable(e.operand)
    return all(map(_stable, e.operands)) if isinstance(e, Operation) else True


def same(one: Expression, other: Expression) -> bool:
    """The same expression, wherever it stands."""
    if isinstance(one, Column) and isinstance(other, Column):
        return one.path[-1] == other.path[-1] and (len(one.path) != len(other.path) or one.path == other.path)
    if isinstance(one, Literal) and isinstance(other, Literal):
        return one.value == other.value
    if isinstance(one, Cast) and isinstance(other, Cast):
        return one.type_name == other.type_name and same(one.operand, other.operand)
    if isinstance(one, Operation) and isinstance(other, Operation):
        return one.operator == other.operator and _all_same(one.operands, other.operands)
    return False


def _all_same(ones: tuple[Expression, ...], others: tuple[Expression, ...]) -> bool:
    return len(ones) == len(others) and all(map(same, ones, others))
