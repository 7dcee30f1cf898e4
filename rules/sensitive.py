"""Which columns are sensitive: those that any label or mask rule of the rulebook names, for whichever role.

A budget of sensitive cells counts what a job has seen of them, masked or not: a masked cell still tells that there is
one, and much of one kind of data is worth more than each of its cells.
"""

from __future__ import annotations

from collections.abc import Callable

from rules.book.model import Masking, Rulebook
from rules.facts import ColumnId, Facts


class Sensitive:
    """`names`: every name by which a rule may mean what a column shows."""

    __slots__ = ("_known", "_names", "_patterns")

    def __init__(self, rulebook: Rulebook, names: Callable[[ColumnId], tuple[ColumnId, ...]]) -> None:
        labelled = [pattern for patterns in rulebook.labels.values() for pattern in patterns]
        masked = [pattern for r in rulebook.rules if isinstance(r.verb, Masking) for pattern in r.verb.columns]
        self._patterns = tuple(dict.fromkeys((*labelled, *masked)))
        self._names = names
        self._known: dict[ColumnId, bool] = {}

    def column(self, column: ColumnId) -> bool:
        found = self._known.get(column)
        if found is None:
            found = any(p.matches(name) for name in self._names(column) for p in self._patterns)
            self._known[column] = found
        return found

    def width(self, facts: Facts) -> int:
        """How many of a statement's output columns derive from a sensitive one."""
        if not self._patterns or not facts.outputs:
            return 0
        return sum(any(self.column(source) for source in output.sources) for output in facts.outputs)
