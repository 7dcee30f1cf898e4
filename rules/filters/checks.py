"""Rows that are written must be rows that the role may see: INSERT, and UPDATE of a column that a filter reads.

The check is spliced into the value of one such column: `CASE WHEN filter THEN value ELSE error END`, where the filter
reads the values that are being written in place of the columns. The error is one that no statement makes by accident
(SQLSTATE decision.ROW_CHECK_FAILED), and depends on now(), so that the planner does not evaluate it beforehand. A NULL
result of a filter is out of sight, as in a WHERE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rules.book.model import Rule
from rules.catalog import Relation as Stored
from rules.filters.edits import Edits
from rules.filters.refusals import NotSpliced
from rules.filters.values import Written, readable_once, repeatable, type_of
from rules.postgres.outline import Outline
from rules.postgres.predicates import quoted
from rules.predicate import Predicate
from rules.tree import Operation

ERROR: Final = "pg_catalog.substr(pg_catalog.now()::pg_catalog.text, 1, -1)"
ROW: Final = "dbgate_row"
VALUE: Final = "dbgate_value"
Cell = tuple[int, int]
Found = list[tuple[Rule, Predicate]]


@dataclass(frozen=True, slots=True)
class Check:
    """`column`: the one whose value carries the check. `qualifier`: what the row's other columns are called by."""

    column: str
    stored: Stored
    found: Found
    written: Written
    qualifier: str


def planned(found: Found, stored: Stored, written: Written | None, qualifier: str) -> Check | None:
    """The check that a write needs, None when it cannot move a row out of sight. Raises NotSpliced."""
    rule = found[0][0]
    read = list(dict.fromkeys(name for _, predicate in found for name in predicate.columns))
    if written is None:
        mend = f"give each column its own value, {', '.join(read)} above all"
        raise NotSpliced(rule, f"it is not certain which rows would be written to {stored.name}", mend)
    _not_generated(rule, stored, written, read)
    touched = [name for name in read if name in written.values]
    if written.whole and len(touched) < len(read):
        name = next(n for n in read if n not in written.values)
        why = f"a row's default {name} may be out of this role's sight"
        raise NotSpliced(rule, why, f"name the column {name} and give it a value")
    if not touched:
        return None
    for name in touched:
        _checkable(rule, name, written)
    column = next((n for n in touched if not all(map(repeatable, written.values[n]))), touched[0])
    other = next((n for n in touched if n != column and not all(map(repeatable, written.values[n]))), None)
    if other is not None:
        raise NotSpliced(rule, f"the values of {column} and {other} cannot be checked together", "use plain values")
    return Check(column, stored, found, written, qualifier)


def _not_generated(rule: Rule, stored: Stored, written: Written, read: list[str]) -> None:
    """A generated column's new value stands nowhere in the text."""
    names = {c.number: c.name for c in stored.columns}
    for column in stored.columns:
        bases = {names.get(number) for number in column.generated_from}
        known = bases or column.generated
        if column.name in read and known and (written.whole or not bases or bases & written.values.keys()):
            why = f"the filter reads the generated column {column.name}, whose new value is not known"
            raise NotSpliced(rule, why, "ask a database administrator to filter by the columns that it is made of")


def _checkable(rule: Rule, name: str, written: Written) -> None:
    for value in written.values[name]:
        if isinstance(value, Operation) and value.operator == "default":
            raise NotSpliced(
                rule, f"the default of {name} may be out of this role's sight", f"write the value of {name}"
            )
        if not (repeatable(value) or readable_once(value)):
            why = f"the new value of {name} is computed in a way that cannot be checked against the filter"
            raise NotSpliced(rule, why, "write it as a constant, a parameter or a column")


# ---------------------------------------------------------------- into the text


class CheckSplicer:
    """Writes checks into the values of one statement."""

    def __init__(self, outline: Outline, edits: Edits) -> None:
        self.outline = outline
        self.edits = edits

    def cells(self, check: Check, cells: dict[str, Cell]) -> None:
        """One row: where the values of its assigned columns stand."""
        lexemes = self.outline.lexemes
        first, last = cells[check.column]
        apart = b"select" in lexemes.words[first : last + 1]
        apart = apart and not all(map(repeatable, check.written.values[check.column]))
        before, after = self._around(check, cells, apart)
        self.edits.insert(lexemes.starts[first], before)
        self.edits.insert(lexemes.ends[last], after)

    def _around(self, check: Check, cells: dict[str, Cell], apart: bool) -> tuple[str, str]:
        of_type = type_of(check.stored, check.column)
        value = f"{quoted(ROW)}.{quoted(VALUE)}"
        condition = self._condition(check, cells, value if apart else None)
        failed = f"ELSE {ERROR}::{of_type} END"
        if not apart:
            return f"CASE WHEN {condition} THEN (", f")::{of_type} {failed}"
        head = f"(SELECT CASE WHEN {condition} THEN {value} {failed} FROM (SELECT ("  # noqa: S608 - what it is spliced from is quoted, and the result is read again
        return head, f")::{of_type} OFFSET 0) AS {quoted(ROW)}({quoted(VALUE)}))"

    def _condition(self, check: Check, cells: dict[str, Cell], value: str | None) -> str:
        name_of = self._column(check, cells, value)
        return " AND ".join(f"({predicate.render(name_of)})" for _, predicate in check.found)

    def _column(self, check: Check, cells: dict[str, Cell], value: str | None) -> Callable[[str], str]:
        def written(name: str) -> str:
            if name == check.column and value is not None:
                return value
            if name in cells:
                return f"({self.outline.lexemes.slice(*cells[name])})::{type_of(check.stored, name)}"
            return f"{check.qualifier}.{quoted(name)}"

        return written
