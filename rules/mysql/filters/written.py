"""Rows that are written must be rows that the role may see.

A value that a filter reads must be written as one of the constants that the filter itself names (`country = 'US'`,
`region IN (1, 2)`): whatever collation or conversion there is, it then holds. Every row is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from rules.book.model import Rule
from rules.catalog import Relation as Stored
from rules.filters.refusals import NotSpliced
from rules.tree import Column, Expression, Insert, JoinedUpdate, Literal, Operation, Select, Update, Values, Write

#: types that store what is written
_EXACT: Final = frozenset({
    "char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum",
    "tinyint", "smallint", "mediumint", "int", "bigint",
})  # fmt: skip
Constants = frozenset[tuple[str, bool]]
Filter = tuple[Rule, Expression]


def check_written(write: Write, stored: Stored, found: Sequence[Filter]) -> None:
    """`found`: the filters of the table, as the parser reads them. Raises NotSpliced."""
    if isinstance(write, Insert):
        _check_insert(write, stored, found)
    elif isinstance(write, Update):
        _check_set([(a.columns[0], a.value) for a in write.assignments], stored, found)
    elif isinstance(write, JoinedUpdate):
        own = [(a.column.path[-1], a.value) for a in write.assignments]
        _check_set([(name, value) for name, value in own if stored.column(name)], stored, found)


def _check_insert(write: Insert, stored: Stored, found: Sequence[Filter]) -> None:
    rule = found[0][0]
    if write.replaces:
        why = f"REPLACE deletes rows of {stored.name} that are in the way, hidden ones too"
        raise NotSpliced(rule, why, "use INSERT, or UPDATE of the row that is there")
    if write.conflict_assignments:
        why = f"ON DUPLICATE KEY UPDATE would reach rows of {stored.name} that are hidden"
        raise NotSpliced(rule, why, "INSERT alone, and UPDATE in a statement of its own")
    names = write.columns or tuple(c.name for c in stored.columns if not c.invisible)
    for filtered_by, condition in found:
        for column in sorted(_columns(condition)):
            _not_generated(filtered_by, stored, column, None)
            allowed = _allowed(filtered_by, condition, stored, column)
            if column not in names:
                why = f"a row's default {column} may be out of this role's sight"
                raise NotSpliced(filtered_by, why, f"name the column {column} and give it a value")
            for row in _rows(filtered_by, write, stored, len(names)):
                _check_value(filtered_by, column, row[names.index(column)], allowed)


def _rows(rule: Rule, write: Insert, stored: Stored, width: int) -> Iterator[tuple[Expression, ...]]:
    source = write.source
    rows: tuple[tuple[Expression, ...], ...] = ()
    if isinstance(source, Values):
        rows = source.rows
    elif isinstance(source, Select):
        rows = (tuple(o.expression for o in source.outputs),)
    if not rows or any(len(row) != width for row in rows):
        why = f"it is not certain which rows would be written to {stored.name}"
        raise NotSpliced(rule, why, "name the columns, and give each its own value in VALUES or one SELECT")
    yield from rows


def _check_set(assigned: Sequence[tuple[str, Expression]], stored: Stored, found: Sequence[Filter]) -> None:
    names = {name for name, _ in assigned}
    for rule, condition in found:
        for column in _columns(condition):
            _not_generated(rule, stored, column, names)
        for name, value in assigned:
            if name in _columns(condition):
                _check_value(rule, name, value, _allowed(rule, condition, stored, name))


def _check_value(rule: Rule, column: str, value: Expression, allowed: Constants) -> None:
    if not (isinstance(value, Literal) and value.value is not None and (value.value, value.text) in allowed):
        shown = " or ".join(repr(text) if is_text else text for text, is_text in sorted(allowed)) or "a known constant"
        why = f"the new value of {column} may be out of this role's sight"
        raise NotSpliced(rule, why, f"write {column} as the constant {shown}")


def _not_generated(rule: Rule, stored: Stored, name: str, assigned: set[str] | None) -> None:
    """A generated column's new value stands nowhere in the text. `assigned` None: all columns are."""
    column = stored.column(name)
    if column is None or not (column.generated or column.generated_from):
        return
    bases = {c.name for c in stored.columns if c.number in column.generated_from}
    if assigned is None or not bases or bases & assigned:
        why = f"the filter reads the generated column {name}, whose new value is not known"
        raise NotSpliced(rule, why, "ask a database administrator to filter by the columns that it is made of")


def _columns(e: Expression) -> frozenset[str]:
    if isinstance(e, Column):
        return frozenset({e.path[-1]})
    parts = getattr(e, "operands", getattr(e, "arguments", ()))
    return frozenset().union(*map(_columns, parts))


def _allowed(rule: Rule, condition: Expression, stored: Stored, name: str) -> Constants:
    """The constants for which the parts of the filter that read the column hold. Raises NotSpliced."""
    made: Constants | None = None
    for part in _conjuncts(condition):
        if name in _columns(part):
            found = _comparison(part, name)
            made = found if made is None or found is None else made & found
            if found is None:
                break
    column = stored.column(name)
    if not made or column is None or column.type.split("(")[0].split()[0] not in _EXACT:
        why = f"no value of {name} is known for certain to be within the filter"
        raise NotSpliced(rule, why, f"leave {name} as it is, or ask for a filter of the form {name} = constant")
    return made


def _conjuncts(e: Expression) -> Iterator[Expression]:
    if isinstance(e, Operation) and e.operator == "and":
        for operand in e.operands:
            yield from _conjuncts(operand)
    else:
        yield e


def _comparison(e: Expression, name: str) -> Constants | None:
    """`column = constant`, `column IN (constants)`."""
    if not isinstance(e, Operation) or e.operator not in ("=", "in") or not isinstance(e.operands[0], Column):
        return None
    listed = [o for each in e.operands[1:] for o in _listed(each)]
    constants = [(o.value, o.text) for o in listed if isinstance(o, Literal) and o.value is not None]
    return frozenset(c for c in constants if c[0] == c[0].rstrip()) if len(constants) == len(listed) else None


def _listed(e: Expression) -> tuple[Expression, ...]:
    return e.operands if isinstance(e, Operation) and e.operator == "list" else (e,)
