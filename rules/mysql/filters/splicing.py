"""Where each filter goes in the statement's own text.

A table that is read becomes `(SELECT * FROM t ... WHERE filter) AS t`, with the client's own words for the table, its
partitions, alias and index hints left inside. Both servers merge such a table into the query around it, so that plans
stay what they are; with LIMIT, which neither looks through (nor pushes conditions below), it is a fence. Where rows are
written or locked the filter joins the WHERE, for a derived table can be neither.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rules.filters.edits import Edits
from rules.filters.refusals import NotSpliced
from rules.mysql.filters.references import Reference
from rules.mysql.lexemes import Lexemes
from rules.mysql.places import Block, Places
from rules.mysql.predicates import quoted
from rules.tree import Column, Relation, Star

ALL_ROWS: Final = "18446744073709551615"
FENCE: Final = f" LIMIT {ALL_ROWS}"
_BEFORE: Final = -1
_AFTER: Final = 1
_NAMED: Final = 2
SIMPLER: Final = "write the statement simpler"


class Splicer:
    """Collects the edits of one statement. `early`: keep its expressions away from hidden rows."""

    def __init__(self, places: Places, early: bool) -> None:
        self.places = places
        self.early = early
        self.edits = Edits()
        self.renamed: set[tuple[str, ...]] = set()
        self._wheres: dict[Block, list[str]] = {}
        self._guarded: set[Block] = set()

    def read(self, reference: Reference, conditions: list[str]) -> None:
        """`conditions`: the filters, their columns under the name that the table goes by."""
        at, fence = reference.node.start, FENCE if self.early else ""
        word = self.places.table_words.get(at)
        end = self.places.factors.get(at) if word is None else reference.node.end
        if word is not None:  # TABLE t
            self.edits.cut(word, word + len("TABLE"))
            self.edits.insert(word, "SELECT * FROM", _BEFORE)
        if end is None:
            raise NotSpliced(None, f"{reference.stored.name} is named where no filter can follow", SIMPLER)
        self.edits.insert(at, "(SELECT * FROM ", _BEFORE)
        self.edits.insert(end, f" WHERE {together(conditions)}{fence}) AS {quoted(reference.called)}", _AFTER)
        if reference.node.alias is None:
            self.renamed.add(reference.stored.qualified)

    def hold(self, reference: Reference, conditions: list[str]) -> None:
        block = self.places.block_of(reference.node.start)
        name = reference.stored.name
        if block is None:
            raise NotSpliced(None, f"it is not certain where the WHERE for {name} stands", SIMPLER)
        if reference.nullable:
            why = f"rows of {name} behind an outer join cannot be locked or written"
            raise NotSpliced(None, why, "use an inner join, or a statement of its own for the table")
        if self.early and not reference.alone:
            why = f"conditions that may fail stand beside {name}, and would meet hidden rows"
            raise NotSpliced(None, why, "compare columns with constants of their own kind, or lock and write alone")
        self._wheres.setdefault(block, []).extend(conditions)
        if self.early:
            self._guarded.add(block)

    def finish(self, body: Any, raw: Lexemes) -> None:
        """Writes what was gathered for each WHERE, and keeps the names that the filters would change."""
        for block, found in self._wheres.items():
            self._where(block, together(found), block in self._guarded)
        self._shorten(body, raw)
        for output in dict.fromkeys(self.places.outputs):
            if self.edits.between(output.first, output.last):
                self.edits.insert(output.last, f" AS {quoted(output.name)}", _NAMED)

    def _where(self, block: Block, condition: str, guarded: bool) -> None:
        if block.condition_first < 0:
            self.edits.insert(block.open, f" WHERE {condition}", _AFTER)
            return
        before, after = (f"CASE WHEN {condition} THEN (", ") END") if guarded else (f"{condition} AND (", ")")
        self.edits.insert(block.condition_first, f" {before}", _BEFORE - 1)
        self.edits.insert(block.condition_last, after, _NAMED + 1)

    def _shorten(self, body: Any, lexemes: Lexemes) -> None:
        """What called a table by database and name must call it by its name alone."""
        if not self.renamed:
            return
        tokens = {start: n for n, start in enumerate(lexemes.starts)}
        for column in _qualified(body):
            owner = column.qualifier if isinstance(column, Star) else column.path[:-1]
            if owner not in self.renamed or column.at not in tokens:
                continue
            self.edits.cut(column.at, lexemes.starts[tokens[column.at] + 2])


def together(conditions: list[str]) -> str:
    return " AND ".join(f"({condition})" for condition in conditions)


def _qualified(node: Any) -> Iterator[Column | Star]:
    """Columns and stars with a database."""
    if isinstance(node, tuple):
        for each in node:
            yield from _qualified(each)
    elif isinstance(node, Column | Star):
        if len(node.path if isinstance(node, Column) else (*node.qualifier, "*")) == 3:
            yield node
    elif hasattr(node, "__dataclass_fields__") and not isinstance(node, Relation):
        for name in node.__slots__:
            yield from _qualified(getattr(node, name))
