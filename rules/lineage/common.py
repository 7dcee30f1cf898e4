"""Common table expressions while they are being resolved."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from rules.lineage.values import Item, Refused


class Stage(Enum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"


class Common:
    """One WITH entry. Its columns are worked out when first needed, so that a recursive WITH may refer forward.

    While the recursive term is read, `items` holds what is known so far."""

    __slots__ = ("_resolve", "items", "name", "stage")

    def __init__(self, name: str, resolve: Callable[[Common], tuple[Item, ...]]) -> None:
        self.name = name
        self.items: tuple[Item, ...] | None = None
        self.stage = Stage.WAITING
        self._resolve = resolve

    def columns(self) -> tuple[Item, ...]:
        """The CTE's columns. Raises Refused for a reference that PostgreSQL would not allow either."""
        if self.stage is Stage.WAITING:
            self.stage = Stage.RUNNING
            self.items = self._resolve(self)
            self.stage = Stage.DONE
        if self.items is None:
            raise Refused(
                "recursion",
                f'the common table "{self.name}" refers to itself where dbgate cannot follow it',
                "write it as: non-recursive query UNION [ALL] query that refers to it once",
            )
        return self.items
