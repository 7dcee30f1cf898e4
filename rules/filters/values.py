"""Values that a statement writes: which of a row's columns get which, and whether a value may be written twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rules.catalog import Relation as Stored
from rules.postgres.predicates import FUNCTIONS
from rules.postgres.types import BUILT_IN_TYPES
from rules.tree import (
    Assignment,
    Call,
    Cast,
    Column,
    Expression,
    Insert,
    Literal,
    MergeAction,
    Operation,
    Parameter,
    Select,
    Subquery,
    Values,
)

#: type names that mean another type when they are written without a length
_BARE: Final = {"character": 'pg_catalog."bpchar"', "bit": 'pg_catalog."bit"'}
_PLAIN_TYPES: Final = frozenset(known.name for known in BUILT_IN_TYPES)
_KEYWORDS: Final = frozenset({"char", "interval", "numeric", "time", "timestamp"})


def type_of(stored: Stored, name: str) -> str:
    """The column's type without its modifiers, as SQL writes it whatever the search path is."""
    found = stored.column(name)
    written = "text" if found is None else found.type
    base, brackets = written.removesuffix("[]"), "[]" if written.endswith("[]") else ""
    if base in _BARE:
        return _BARE[base] + brackets
    qualified = base in _PLAIN_TYPES and base not in _KEYWORDS
    return ("pg_catalog." if qualified else "") + base + brackets


@dataclass(frozen=True, slots=True)
class Written:
    """One row or rows that are written alike. `values`: each assigned column's value, from every row that is not made
    of constants alone. `kind`: set (an assignment list), values (rows) or select. `whole`: an INSERT, which gives
    every column a value."""

    kind: str
    values: dict[str, tuple[Expression, ...]]
    positions: dict[str, int]
    whole: bool


def assigned(assignments: Sequence[Assignment]) -> Written | None:
    """None when a list of columns shares one value."""
    if any(len(a.columns) != 1 for a in assignments):
        return None
    values: dict[str, tuple[Expression, ...]] = {}
    for a in assignments:
        values[a.columns[0]] = (*values.get(a.columns[0], ()), a.value)
    return Written("set", values, {a.columns[0]: n for n, a in enumerate(assignments)}, whole=False)


def inserted(write: Insert, stored: Stored) -> Written | None:
    """None when it is not certain which value goes where."""
    names = write.columns or tuple(c.name for c in stored.columns)
    source = write.source
    if isinstance(source, Values) and not (source.order_by or source.limit or source.offset or source.common_tables):
        return _rows("values", names, source.rows)
    if isinstance(source, Select) and all(type(o.expression) in _VALUE_TYPES for o in source.outputs):
        return _rows("select", names, (tuple(o.expression for o in source.outputs),))
    return None


def merged(action: MergeAction, stored: Stored) -> Written | None:
    names = action.columns or tuple(c.name for c in stored.columns)
    return _rows("values", names, (action.values,)) if action.values else None


def _rows(kind: str, names: Sequence[str], rows: Sequence[tuple[Expression, ...]]) -> Written | None:
    width = len(rows[0])
    if any(len(row) != width for row in rows) or width > len(names):
        return None
    values = {name: tuple(row[n] for row in rows) for n, name in enumerate(names[:width])}
    return Written(kind, values, {name: n for n, name in enumerate(names[:width])}, whole=True)


_VALUE_TYPES: Final = frozenset({Literal, Parameter, Column, Cast, Operation, Call, Subquery})


def repeatable(e: Expression) -> bool:
    """It may be written twice: it reads no table, and has the same value each time."""
    if isinstance(e, Literal | Parameter | Column):
        return True
    if isinstance(e, Cast):
        return repeatable(e.operand)
    if isinstance(e, Call):
        return e.name[-1] in FUNCTIONS and not e.conditions and all(map(repeatable, e.arguments))
    return isinstance(e, Operation) and e.operator != "default" and all(map(repeatable, e.operands))


def readable_once(e: Expression) -> bool:
    """It may be evaluated in a sub-select of its own: nothing in it but subqueries and what is repeatable."""
    if isinstance(e, Subquery):
        return e.test is None or readable_once(e.test)
    parts: tuple[Any, ...] = ()
    if isinstance(e, Cast):
        parts = (e.operand,)
    elif isinstance(e, Call):
        parts = e.arguments if e.name[-1] in FUNCTIONS and not e.conditions else (None,)
    elif isinstance(e, Operation):
        parts = e.operands if e.operator != "default" else (None,)
    return isinstance(e, Literal | Parameter | Column) or (bool(parts) and all(p and readable_once(p) for p in parts))
