"""The proof that each written row carries its check: the filter over exactly the values that are written.

Works on the trees alone. What it has verified it takes off, so that the rest can be compared with the old statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rules.filters.checks import ROW, VALUE, Check
from rules.tree import (
    Assignment,
    Call,
    Cast,
    Column,
    Derived,
    Expression,
    Insert,
    Literal,
    Merge,
    MergeAction,
    Operation,
    Output,
    Parameter,
    Relation,
    Select,
    Subquery,
    Update,
    Values,
)

HOLE = "dbgate_hole"
Alike = Callable[[Any, Any], bool]
Hole = Callable[[str, Any], bool]
_PLACES = frozenset({"at", "start", "end"})


class Unchecked(ValueError):  # noqa: N818 - caught as an unproven text
    """A written value lacks its check."""


class Checked:
    """The checks of one write. `find(part)`: the check that an INSERT's rows (part None), or a list of assignments or
    a MERGE action, needs. `templates`: the filters with a hole for each column."""

    def __init__(self, target: Relation, find: Callable[[Any], Check | None], templates: list[Expression],
                 alike: Alike) -> None:  # fmt: skip
        self.target = target
        self.find = find
        self.templates = templates
        self.alike = alike

    def taken_off(self, old: Any, new: Any) -> tuple[Any, Any]:
        """Both without checks. Raises Unchecked."""
        if not self.templates:
            return old, new
        if isinstance(old, Insert) and isinstance(new, Insert):
            new = self._assigned(old.conflict_assignments, new, "conflict_assignments")
            check = self.find(None)
            return (old, new) if check is None else (old, replace(new, source=self._source(check, new.source)))
        if isinstance(old, Update) and isinstance(new, Update):
            return old, self._assigned(old.assignments, new, "assignments")
        if isinstance(old, Merge) and isinstance(new, Merge) and len(old.actions) == len(new.actions):
            return old, replace(new, actions=tuple(map(self._action, old.actions, new.actions)))
        return old, new

    def _assigned(self, old: tuple[Assignment, ...], new: Any, field: str) -> Any:
        check = self.find(old) if old else None
        return new if check is None else replace(new, **{field: self._assignments(check, getattr(new, field))})

    def _action(self, old: MergeAction, new: MergeAction) -> MergeAction:
        check = self.find(old)
        if check is None:
            return new
        if old.assignments:
            return replace(new, assignments=self._assignments(check, new.assignments))
        return replace(new, values=self._row(check, new.values))

    def _assignments(self, check: Check, new: tuple[Assignment, ...]) -> tuple[Assignment, ...]:
        values = {a.columns[0]: a.value for a in new if len(a.columns) == 1}
        found = [self._bare(check, a.value, values) if a.columns == (check.column,) else a.value for a in new]
        if all(value is a.value for value, a in zip(found, new, strict=True)):
            raise Unchecked("no assigned value is checked")
        return tuple(replace(a, value=value) for a, value in zip(new, found, strict=True))

    def _source(self, check: Check, source: Any) -> Any:
        if isinstance(source, Values):
            return replace(source, rows=collapsed([self._row(check, row) for row in source.rows]))
        if not isinstance(source, Select):
            raise Unchecked("the rows come from elsewhere")
        bare = self._row(check, tuple(output.expression for output in source.outputs))
        made = (Output(e, o.name) for e, o in zip(bare, source.outputs, strict=True))
        return replace(source, outputs=tuple(made))

    def _row(self, check: Check, row: tuple[Expression, ...]) -> tuple[Expression, ...]:
        at = check.written.positions[check.column]
        values = {name: row[n] for name, n in check.written.positions.items()}
        return (*row[:at], self._bare(check, row[at], values), *row[at + 1 :])

    # ------------------------------------------------------------ one value

    def _bare(self, check: Check, e: Expression, values: dict[str, Expression]) -> Expression:
        """The value inside its check."""
        if isinstance(e, Subquery):
            return self._apart(check, e, values)
        test, then = self._cased(e)
        if not isinstance(then, Cast):
            raise Unchecked("a check does not yield its value")
        self._verify(test, lambda actual: self._is_cast_of(actual, then.operand), check, values)
        return then.operand

    def _apart(self, check: Check, e: Subquery, values: dict[str, Expression]) -> Expression:
        """(SELECT CASE ... END FROM (SELECT (value)::type OFFSET 0) AS row(value))"""
        match e.query:
            case Select(outputs=(Output(expression=cased),), sources=(Derived(query=Select() as inner) as row,)) if (
                self.alike(e.query, Select((Output(cased),), (row,)))
                and (row.alias, row.column_aliases, row.lateral) == (ROW, (VALUE,), False)
                and self.alike(inner, Select(inner.outputs, offset=Literal("0")))
            ):
                test, then = self._cased(cased)
                cast = inner.outputs[0].expression
                if self.alike(then, Column((ROW, VALUE))) and isinstance(cast, Cast):
                    self._verify(test, lambda actual: self.alike(actual, then), check, values)
                    return cast.operand
        raise Unchecked("a check is not what it should be")

    def _cased(self, e: Expression) -> tuple[Expression, Expression]:
        if isinstance(e, Operation) and e.operator == "case" and len(e.operands) == 3:
            test, then, failed = e.operands
            if isinstance(failed, Cast) and isinstance(failed.operand, Call):
                return test, then
        raise Unchecked("a value is not checked")

    def _is_cast_of(self, actual: Any, value: Expression) -> bool:
        return isinstance(actual, Cast) and self.alike(actual.operand, value)

    def _verify(self, test: Expression, is_value: Callable[[Any], bool], check: Check, values: dict[str, Any]) -> None:
        def hole(name: str, actual: Any) -> bool:
            if name == check.column:
                return is_value(actual)
            if name in values:
                return self._is_cast_of(actual, values[name])
            own = (self.target.alias, name) if self.target.alias else (*check.stored.qualified, name)
            return isinstance(actual, Column) and actual.path == own

        wanted = [part for each in self.templates for part in _conjuncts(each)]
        found = list(_conjuncts(test))
        if len(found) != len(wanted) or not all(fits(t, f, hole) for t, f in zip(wanted, found, strict=True)):
            raise Unchecked("a check does not ask the filter")


def _conjuncts(e: Expression) -> list[Expression]:
    if isinstance(e, Operation) and e.operator == "and":
        return [part for operand in e.operands for part in _conjuncts(operand)]
    return [e]


def fits(template: Any, actual: Any, hole: Hole) -> bool:
    """Whether `actual` is the template with its holes filled."""
    if isinstance(template, Column) and template.path[0] == HOLE:
        return hole(template.path[1], actual)
    if type(template) is not type(actual):
        return False
    if isinstance(template, tuple):
        pairs = zip(template, actual, strict=False)
        return len(template) == len(actual) and all(fits(t, a, hole) for t, a in pairs)
    if hasattr(template, "__dataclass_fields__"):
        names = (n for n in template.__slots__ if n not in _PLACES)
        return all(fits(getattr(template, n), getattr(actual, n), hole) for n in names)
    return bool(template == actual)


def collapsed(rows: Sequence[tuple[Expression, ...]]) -> tuple[tuple[Expression, ...], ...]:
    """As the reading of VALUES does it: of the rows of constants alone the first of each width stands for all."""
    kept: list[tuple[Expression, ...]] = []
    widths: set[int] = set()
    for row in rows:
        if all(isinstance(cell, Literal | Parameter) for cell in row):
            if len(row) in widths:
                continue
            widths.add(len(row))
        kept.append(row)
    return tuple(kept)
