"""Conditions: what each tells about the columns in it."""

from __future__ import annotations

from collections.abc import Sequence

from rules.facts import Use
from rules.lineage.equality import EQUALITY, MEMBERSHIP, NULLNESS, bare, certain, is_constant, plain, use_of
from rules.lineage.expressions import value
from rules.lineage.reader import Reader
from rules.lineage.scope import Scope
from rules.lineage.values import Item, united
from rules.tree import Call, Cast, Column, Expression, Field, Literal, Operation, Parameter, Subquery

_LOGIC = frozenset({"and", "or", "not", "is_true", "is_not_true", "is_false", "is_not_false"})
#: with a constant, they make a comparison with one more constant
_WRAPPERS = frozenset({"coalesce", "nullif"})
_LISTS = frozenset({"array", "list", "row"})
_SIMPLE = _LOGIC | EQUALITY | MEMBERSHIP | NULLNESS | _LISTS | _WRAPPERS


def condition(reader: Reader, e: Expression, scope: Scope, join: bool = False) -> bool:
    """Notes the uses of a WHERE, HAVING or ON condition. True when it looks at any column or subquery."""
    if isinstance(e, Operation) and not e.qualifier:
        if e.operator in _LOGIC:
            return sum(condition(reader, o, scope, join) for o in e.operands) > 0  # every one is noted
        if e.operator in EQUALITY and len(e.operands) == 2:
            return _equal(reader, e.operands[0], e.operands[1], scope, join)
        if e.operator in MEMBERSHIP and _among(reader, e, scope):
            return True
        if e.operator in NULLNESS and isinstance(tested := bare(e.operands[0], "nullif"), Column):
            return _null_test(reader, tested, scope)
    if isinstance(e, Subquery) and e.form in ("in", "any") and e.operator in ("", "=") and e.test is not None:
        return _in_query(reader, e, scope)
    return _filtered(reader, e, scope)


def is_simple(e: Expression) -> bool:
    """A condition of names and constants alone, which is cheap to read again."""
    if isinstance(e, Cast):
        return is_simple(e.operand)
    if isinstance(e, Operation):
        return e.operator in _SIMPLE and all(map(is_simple, e.operands))
    return isinstance(e, Column | Literal | Parameter)


def _null_test(reader: Reader, e: Column, scope: Scope) -> bool:
    """No more than what equality tells, and masks leave NULL as it is."""
    item = value(reader, e, scope)
    reader.use(Use.EQUALITY if certain(item) else Use.FILTER, item.sources)
    return True


def _filtered(reader: Reader, e: Expression, scope: Scope) -> bool:
    item = value(reader, e, scope)
    reader.use(Use.EQUALITY if item.tested else Use.FILTER, item.sources)
    return bool(item.sources) or _looks(e)


def _looks(e: Expression) -> bool:
    """The expression looks at a column or subquery, if only at one without sources (EXISTS, ctid)."""
    if isinstance(e, Column | Subquery):
        return True
    if isinstance(e, Operation):
        return e.operator == "current_of" or any(map(_looks, e.operands))
    if isinstance(e, Cast | Field):
        return _looks(e.operand)
    return isinstance(e, Call) and any(map(_looks, e.arguments))


def _equal(reader: Reader, left: Expression, right: Expression, scope: Scope, join: bool) -> bool:
    if _is_row(left) and _is_row(right):
        pairs = zip(left.operands, right.operands, strict=False)  # type: ignore[union-attr]
        return sum(_equal(reader, a, b, scope, join) for a, b in pairs) > 0
    left, right = bare(left, "coalesce"), bare(right, "coalesce")
    a, b = value(reader, left, scope), value(reader, right, scope)
    use = use_of(left, a, right, b, join)
    compared(reader, a, b, use if reader.dialect.alike(reader, left, a, right, b) else Use.FILTER)
    return bool(a.sources or b.sources) or _looks(left) or _looks(right)


def _is_row(e: Expression) -> bool:
    return isinstance(e, Operation) and e.operator == "row"


def compared(reader: Reader, a: Item, b: Item, use: Use) -> None:
    reader.use(use, a.sources)
    reader.use(use, b.sources)


def merged(reader: Reader, a: Item, b: Item) -> None:
    """USING and NATURAL compare by equality; a computed side makes it a filter on what it is computed from."""
    if not reader.dialect.alike(reader, None, a, None, b):
        return compared(reader, a, b, Use.FILTER)
    if (certain(a) and b.listed) or (certain(b) and a.listed):
        return compared(reader, a, b, Use.EQUALITY)
    return compared(reader, a, b, Use.JOIN if certain(a) and certain(b) else Use.FILTER)


def _among(reader: Reader, e: Operation, scope: Scope) -> bool:
    """`column IN (constants)`, `column = ANY (constant)`: equality. False when it is anything else."""
    if not e.operands:
        return False
    first, rest = e.operands[0], e.operands[1:]
    tests = first.operands if _is_row(first) else (bare(first, "coalesce"),)  # type: ignore[union-attr]
    if not all(map(is_constant, rest)):
        return False
    items = [value(reader, t, scope) for t in tests]
    if not all(plain(t, i) for t, i in zip(tests, items, strict=True)):
        return False
    pairs = (pair for r in rest for pair in zip(tests, items, _cells(r, tests), strict=False))
    alike = all(reader.dialect.alike(reader, test, item, cell, None) for test, item, cell in pairs)
    reader.use(Use.EQUALITY if alike else Use.FILTER, united(items))
    return True


def _cells(e: Expression, tests: Sequence[Expression]) -> Sequence[Expression]:
    """What each of the tests is compared with in one member of the list."""
    return e.operands if _is_row(e) and len(tests) > 1 else (e,) * len(tests)  # type: ignore[union-attr]


def _in_query(reader: Reader, e: Subquery, scope: Scope) -> bool:
    from rules.lineage.queries import query  # queries hold conditions and the other way round

    items = query(reader, e.query, scope)
    test = e.test
    tests = test.operands if isinstance(test, Operation) and test.operator == "row" else (test,)
    given = [value(reader, t, scope) for t in tests if t is not None]
    plain = all(isinstance(t, Column) for t in tests) and all(certain(i) or i.listed for i in (*given, *items))
    pairs = zip(given, items, strict=False)
    plain = plain and all(reader.dialect.alike(reader, None, one, None, other) for one, other in pairs)
    use = Use.EQUALITY if plain else Use.FILTER
    reader.use(use, united((*given, *items)))
    return True
