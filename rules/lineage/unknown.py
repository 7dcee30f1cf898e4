"""Three-valued logic: whether a condition is NULL may tell more than which of its columns are NULL.

`ssn = '1' OR NULL` is NULL for every value but one; so are `ssn IN ('1', NULL)` and `(ssn, 1) = ('1', NULL)`. A mask
leaves a NULL as it is, so such a result is hollow (see `Item.hollow`)."""

from __future__ import annotations

from typing import Final

from rules.lineage.values import Item
from rules.tree import Cast, Expression, Literal, Operation, Subquery

#: Conditions that go on when one of their parts is NULL.
_PARTS: Final = frozenset({
    "and", "or", "in", "not_in", "between", "not_between", "between_symmetric", "not_between_symmetric",
})  # fmt: skip
#: What is true or false, whatever it is asked of.
_NEVER_NULL: Final = frozenset({
    "is_null", "is_not_null", "is_true", "is_not_true", "is_false", "is_not_false", "is_unknown", "is_not_unknown",
    "is_distinct", "is_not_distinct",
})  # fmt: skip
_COMPARISONS: Final = frozenset({"=", "<>", "!=", "<", ">", "<=", ">="})


def tells_by_null(e: Operation, operands: list[Item]) -> bool:
    """Whether it is NULL says something of the values of its operands."""
    if e.operator in _COMPARISONS:
        return any(isinstance(o, Operation) and o.operator == "row" for o in e.operands)
    if e.operator.endswith((" any", " all")):
        return not _is_known_list(e.operands[-1]) or bool(operands[-1].sources)
    return e.operator in _PARTS and not _one_may_be_null(e, operands)


def _one_may_be_null(e: Operation, operands: list[Item]) -> bool:
    """At most one: no other operand is NULL, and none of the others comes from a column. Then it is NULL as that is."""
    others = [item for part, item in zip(e.operands, operands, strict=True) if never_null(part)]
    left = len(operands) - len(others)
    return not left or (left == 1 and not any(item.sources for item in others))


def never_null(e: Expression) -> bool:
    if isinstance(e, Literal):
        return e.value is not None
    if isinstance(e, Cast):
        return isinstance(e.operand, Literal) and e.operand.value is not None
    if isinstance(e, Operation):
        return e.operator in _NEVER_NULL or (e.operator in ("and", "or", "not") and all(map(never_null, e.operands)))
    return isinstance(e, Subquery) and e.form == "exists"


def _is_known_list(e: Expression) -> bool:
    """`ARRAY['1', '2']` or `'{1,2}'`, no element of which is NULL."""
    while isinstance(e, Cast):
        e = e.operand
    if isinstance(e, Literal):
        return e.value is not None and "null" not in e.value.lower()
    return isinstance(e, Operation) and e.operator == "array" and all(map(never_null, e.operands))
