"""A row filter's condition, ready to be put into a statement under whatever name its table goes by there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


class BadPredicateError(ValueError):
    """A condition that cannot be a row filter; `why` and `mend` go on where the message ends."""

    def __init__(self, what: str, why: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.why = why
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Predicate:
    """`text`: as the rule file has it. `pieces` and `columns` make it up in turn, one piece more than columns: between
    the pieces stand the table's columns, by name. Functions and types in the pieces are qualified with pg_catalog. A
    rule file has no dialect until it meets a catalog: MySQL's front end reads `text` anew."""

    text: str
    pieces: tuple[str, ...]
    columns: tuple[str, ...]
    #: whose grammar reads it: `postgres`, or `mysql` of what only MySQL and MariaDB read
    dialect: str = "postgres"

    def render(self, column: Callable[[str], str]) -> str:
        """The condition with each column written as `column(name)` says."""
        parts = [self.pieces[0]]
        for name, piece in zip(self.columns, self.pieces[1:], strict=True):
            parts += (column(name), piece)
        return "".join(parts)
