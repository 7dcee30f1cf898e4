"""The proof that a spliced text is the client's own with nothing added but the filters, and with every one of them.

As `rules.filters.proof`, on MySQL's trees: a filtered table that is read has become a sub-select of just its rows, one
that is written or locked has its filter in the WHERE, and all else is equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rules.catalog import Relation as Stored
from rules.filters.proof import PLACES, UnprovenError, alike, conjuncts
from rules.lineage.reader import Reader
from rules.mysql.filters.references import is_written, stands_alone, stored
from rules.mysql.filters.splicing import ALL_ROWS
from rules.tree import (
    Column,
    Delete,
    Derived,
    Expression,
    Insert,
    Join,
    JoinedDelete,
    JoinedUpdate,
    JoinKind,
    Literal,
    Operation,
    Output,
    Relation,
    Select,
    SetOperation,
    Star,
    Statement,
    Update,
    Values,
)


@dataclass(frozen=True, slots=True)
class Needs:
    """`filters(stored, called)`: the conditions that a table's rows must meet, its columns under the name that it goes
    by. `renamed`: tables whose columns may have lost the database before their name."""

    filters: Callable[[Stored, str], list[Expression]]
    renamed: frozenset[tuple[str, ...]]


class Proof:
    """Compares two statements. `early`: expressions may fail on rows that are hidden."""

    def __init__(self, reader: Reader, needs: Needs, early: bool) -> None:
        self.reader = reader
        self.needs = needs
        self.early = early

    def statements(self, old: Statement, new: Statement) -> None:
        """Raises UnprovenError."""
        for name in Statement.__slots__:
            if name not in ("body", "start", "end"):
                self._equal(getattr(old, name), getattr(new, name))
        self.same(old.body, new.body, frozenset())

    # ------------------------------------------------------------ the walk

    def same(self, old: Any, new: Any, common: frozenset[str]) -> None:
        if type(old) is not type(new):
            raise UnprovenError(f"{type(old).__name__} became {type(new).__name__}")
        handler = _HANDLERS.get(type(old))
        if handler is not None:
            handler(self, old, new, common)
        elif isinstance(old, tuple):
            if len(old) != len(new):
                raise UnprovenError("a list has another length")
            for one, other in zip(old, new, strict=True):
                self.same(one, other, common)
        elif hasattr(old, "__dataclass_fields__"):
            self.fields(old, new, common)
        else:
            self._equal(old, new)

    def fields(self, old: Any, new: Any, common: frozenset[str], without: tuple[str, ...] = ()) -> None:
        for name in old.__slots__:
            if name not in PLACES and name not in without:
                self.same(getattr(old, name), getattr(new, name), common)

    def _equal(self, old: Any, new: Any) -> None:
        if not alike(old, new):
            raise UnprovenError("something else was changed")

    def scope(self, old: Any, new: Any, common: frozenset[str]) -> frozenset[str]:
        """The CTEs in sight inside, the tables of WITH compared."""
        names = frozenset(entry.name for entry in old.common_tables)
        seen = common | names if old.recursive else common
        if len(old.common_tables) != len(new.common_tables):
            raise UnprovenError("a WITH query is missing")
        for one, other in zip(old.common_tables, new.common_tables, strict=True):
            self.fields(one, other, seen)
            seen |= {one.name}
        return common | names

    # ------------------------------------------------------------ queries and writes

    def select(self, old: Select, new: Select, common: frozenset[str]) -> None:
        inside = self.scope(old, new, common)
        wanted = self.sources(old, new, inside)
        self.condition(old, new, wanted, inside, stands_alone(old))
        self.fields(old, new, inside, ("sources", "where", "common_tables"))

    def other_query(self, old: Values | SetOperation, new: Any, common: frozenset[str]) -> None:
        self.fields(old, new, self.scope(old, new, common), ("common_tables",))

    def write(self, old: Update | Delete, new: Any, common: frozenset[str]) -> None:
        inside = self.scope(old, new, common)
        self.fields(old.target, new.target, inside)
        wanted = self._wanted(old.target)
        if old.sources or new.sources:
            raise UnprovenError("a write has other tables beside it")
        self.condition(old, new, wanted, inside, alone=True)
        self.fields(old, new, inside, ("target", "where", "common_tables"))

    def joined(self, old: JoinedUpdate | JoinedDelete, new: Any, common: frozenset[str]) -> None:
        inside = self.scope(old, new, common)
        wanted = self.sources(old, new, inside)
        self.condition(old, new, wanted, inside, alone=False)
        targets = ("targets",) if isinstance(old, JoinedDelete) else ()
        for name in targets:
            self._equal(getattr(old, name), getattr(new, name))
        self.fields(old, new, inside, ("sources", "where", "common_tables", *targets))

    def insert(self, old: Insert, new: Insert, common: frozenset[str]) -> None:
        inside = self.scope(old, new, common)
        self._equal(old.target, new.target)
        self.fields(old, new, inside, ("target", "common_tables"))

    # ------------------------------------------------------------ FROM

    def sources(self, old: Any, new: Any, common: frozenset[str]) -> list[Expression]:
        if len(old.sources) != len(new.sources):
            raise UnprovenError("FROM has another length")
        pairs = zip(old.sources, new.sources, strict=True)
        return [wanted for one, other in pairs for wanted in self.source(old, one, other, common)]

    def source(self, over: Any, old: Any, new: Any, common: frozenset[str]) -> list[Expression]:
        """Compares two FROM items. Returns the filters that the WHERE above them must hold."""
        if isinstance(old, Relation):
            return self.relation(over, old, new, common)
        if isinstance(old, Join) and isinstance(new, Join):
            return self.join(over, old, new, common)
        self.same(old, new, common)
        return []

    def join(self, over: Any, old: Join, new: Join, common: frozenset[str]) -> list[Expression]:
        left = self.source(over, old.left, new.left, common)
        right = self.source(over, old.right, new.right, common)
        if (left and old.kind in _NULLABLE_LEFT) or (right and old.kind in _NULLABLE_RIGHT):
            raise UnprovenError("an outer join stands over a table that is written or locked")
        self.fields(old, new, common, ("left", "right"))
        return left + right

    def relation(self, over: Any, old: Relation, new: Any, common: frozenset[str]) -> list[Expression]:
        if len(old.name) == 1 and old.name[0] in common:
            self._equal(old, new)
            return []
        if isinstance(new, Relation):
            self.fields(old, new, common)
            wanted = self._wanted(old)
            if wanted and not self._held(over, old):
                raise UnprovenError("a table is read without its filter")
            return wanted
        self._fenced(old, new)
        return []

    def _held(self, over: Any, node: Relation) -> bool:
        if isinstance(over, JoinedUpdate | JoinedDelete):
            return is_written(over, node, stored(self.reader, node))
        return bool(over.locks)

    def _wanted(self, node: Relation) -> list[Expression]:
        found = stored(self.reader, node)
        return self.needs.filters(found, node.alias or found.name)

    def _fenced(self, old: Relation, new: Any) -> None:
        """`(SELECT * FROM the table WHERE filters [LIMIT all rows]) AS its name`."""
        called = old.alias or stored(self.reader, old).name
        if not isinstance(new, Derived) or not alike(new, Derived(new.query, called)):
            raise UnprovenError("a table became something else")
        wanted, inner = self._wanted(old), new.query
        if not wanted or not isinstance(inner, Select):
            raise UnprovenError("a table became a sub-select that it should not be")
        limit = Literal(ALL_ROWS) if self.early else None
        if not alike(inner, Select(_STAR, (old,), inner.where, limit=limit)):
            raise UnprovenError("a fence does more, or less, than it should")
        self._conjuncts(None, inner.where, wanted, frozenset())

    # ------------------------------------------------------------ conditions

    def condition(self, old: Any, new: Any, wanted: list[Expression], common: frozenset[str], alone: bool) -> None:
        """The new WHERE is the filters and the old one, joined by AND; or a CASE that asks the filters first."""
        if not wanted:
            self.same(old.where, new.where, common)
        elif not self.early:
            self._conjuncts(old.where, new.where, wanted, common)
        elif not alone:
            raise UnprovenError("a condition may be asked before the filter")
        elif old.where is None:
            self._conjuncts(None, new.where, wanted, common)
        else:
            if not (isinstance(new.where, Operation) and new.where.operator == "case" and len(new.where.operands) == 2):
                raise UnprovenError("a condition may be asked before the filter")
            test, then = new.where.operands
            self._conjuncts(None, test, wanted, common)
            self.same(old.where, then, common)

    def _conjuncts(self, old: Any, new: Any, wanted: list[Expression], common: frozenset[str]) -> None:
        found, left = list(conjuncts(new)), list(conjuncts(old))
        for expected in (part for each in wanted for part in conjuncts(each)):
            at = next((n for n, part in enumerate(found) if alike(part, expected)), None)
            if at is None:
                raise UnprovenError("a filter is not where it should be")
            found.pop(at)
        if len(found) != len(left):
            raise UnprovenError("a condition was changed")
        for one, other in zip(left, found, strict=True):
            self.same(one, other, common)


_NULLABLE_LEFT: Final = frozenset({JoinKind.RIGHT, JoinKind.FULL})
_NULLABLE_RIGHT: Final = frozenset({JoinKind.LEFT, JoinKind.FULL})
_STAR: Final = (Output(Star()),)


def _column(proof: Proof, old: Column, new: Column, common: frozenset[str]) -> None:
    if old.path != new.path and (old.path[:-1] not in proof.needs.renamed or old.path[-2:] != new.path):
        raise UnprovenError("a column was changed")


def _star(proof: Proof, old: Star, new: Star, common: frozenset[str]) -> None:
    shortened = old.qualifier in proof.needs.renamed and old.qualifier[-1:] == new.qualifier
    if old.qualifier != new.qualifier and not shortened:
        raise UnprovenError("a star was changed")


_HANDLERS: Final[dict[type, Callable[..., None]]] = {
    Column: _column,
    Star: _star,
    Select: Proof.select,
    Values: Proof.other_query,
    SetOperation: Proof.other_query,
    Insert: Proof.insert,
    Update: Proof.write,
    Delete: Proof.write,
    JoinedUpdate: Proof.joined,
    JoinedDelete: Proof.joined,
}
