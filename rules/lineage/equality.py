"""What compares for equality and does no more: columns with constants, with each other, and tests for NULL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rules.facts import Use
from rules.lineage.reader import Reader
from rules.lineage.values import Item
from rules.tree import Cast, Column, Expression, Literal, Operation, Parameter

#: what tells whether values are equal, or are not: the one is as much as the other
EQUALITY: Final = frozenset({"=", "<>", "!=", "is_distinct", "is_not_distinct"})
MEMBERSHIP: Final = frozenset({"in", "not_in", "= any", "<> all"})
NULLNESS: Final = frozenset({"is_null", "is_not_null"})
_LISTS: Final = frozenset({"array", "list", "row"})
_SIGNS: Final = frozenset({"-", "+"})


def is_constant(e: Expression) -> bool:
    """One fixed value for the whole statement."""
    if isinstance(e, Literal | Parameter):
        return True
    if isinstance(e, Cast):
        return is_constant(e.operand)
    return isinstance(e, Operation) and e.operator in _SIGNS | _LISTS and all(map(is_constant, e.operands))


def bare(e: Expression, wrapper: str) -> Expression:
    """The column in `coalesce(column, constant)` or `nullif(column, constant)`."""
    if not isinstance(e, Operation) or e.operator != wrapper or not e.operands:
        return e
    first, rest = e.operands[0], e.operands[1:]
    return first if isinstance(first, Column) and all(map(is_constant, rest)) else e


def certain(item: Item) -> bool:
    """A stored column's own value. A value without sources (generate_series) could be used to read by guessing."""
    return item.direct and bool(item.sources) and item.row is None


def plain(e: Expression, item: Item) -> bool:
    return isinstance(e, Column) and certain(item)


def _from_list(e: Expression, item: Item) -> bool:
    return isinstance(e, Column) and item.listed


def use_of(left: Expression, a: Item, right: Expression, b: Item, join: bool) -> Use:
    """What `left = right` tells of the columns in it."""
    if plain(left, a) and plain(right, b):
        return Use.JOIN if join else Use.EQUALITY
    if (plain(left, a) and _from_list(right, b)) or (plain(right, b) and _from_list(left, a)):
        return Use.EQUALITY
    if (_testable(left, a) and is_constant(right)) or (_testable(right, b) and is_constant(left)):
        return Use.EQUALITY
    return Use.FILTER


def _testable(e: Expression, item: Item) -> bool:
    return plain(e, item) or item.tested


def is_tested(reader: Reader, e: Operation, operands: Sequence[Item]) -> bool:
    """Whether the value follows from comparisons for equality alone."""
    if e.qualifier:
        return False
    if all(item.tested for item in operands if item.sources):
        return True
    if e.operator in NULLNESS:
        return certain(operands[0]) and isinstance(e.operands[0], Column)
    if e.operator in EQUALITY and len(operands) == 2:
        alike = reader.dialect.alike(reader, e.operands[0], operands[0], e.operands[1], operands[1])
        return alike and use_of(e.operands[0], operands[0], e.operands[1], operands[1], join=False) is Use.EQUALITY
    if e.operator not in MEMBERSHIP or not plain(e.operands[0], operands[0]):
        return False
    rest = zip(e.operands[1:], operands[1:], strict=True)
    return all(is_constant(o) and reader.dialect.alike(reader, e.operands[0], operands[0], o, i) for o, i in rest)
