"""The proof that a spliced text is the client's own with nothing added but the filters, and with every one of them.

It walks the trees of both texts side by side, each read from its text by the parser, and knows nothing of how the
splicing was done. Where the old tree names a filtered table, the new one must have the filter: as conjuncts of the
WHERE or ON that decides about the table's rows, or in a sub-select in the table's place. Everything else must be equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from rules.filters.check_proof import Checked
from rules.filters.references import Reference
from rules.lineage.reader import Reader
from rules.lineage.views import query_of
from rules.postgres.predicates import quoted
from rules.tree import (
    Column,
    Delete,
    Derived,
    Expression,
    Insert,
    Join,
    JoinKind,
    Literal,
    Merge,
    Operation,
    Relation,
    Select,
    SetOperation,
    Star,
    Statement,
    Update,
    Values,
)

PLACES: Final = frozenset({"at", "start", "end"})


class UnprovenError(ValueError):
    """The new text is not what it should be."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What is to be found. `filters(reference, qualifier)`: the conditions that its rows must meet, as the parser reads
    them. `view(stored, early)`: the path in which the definition of an expanded view was read, and whether its tables
    must be fenced; None where it stays a name. `checks(reference)`: which written values carry a check."""

    filters: Callable[[Reference, str], list[Expression]]
    view: Callable[[Any, bool], tuple[tuple[str, ...], bool] | None]
    checks: Callable[[Reference], Checked]
    #: relations that are fenced: their columns may have lost the schema before their name
    renamed: frozenset[tuple[str, ...]] = frozenset()


class Proof:
    """Compares two statements. `old` and `new`: how names are looked up in each. `early`: expressions may fail on rows
    that are hidden, so that no filter may stand beside them."""

    def __init__(self, old: Reader, new: Reader, needs: Needs, early: bool) -> None:
        self.early = early
        self.old = old
        self.new = new
        self.needs = needs

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
            self._members(old, new, common)
        elif hasattr(old, "__dataclass_fields__"):
            self.fields(old, new, common)
        else:
            self._equal(old, new)

    def _members(self, old: tuple[Any, ...], new: tuple[Any, ...], common: frozenset[str]) -> None:
        if len(old) != len(new):
            raise UnprovenError("a list has another length")
        for one, other in zip(old, new, strict=True):
            self.same(one, other, common)

    def fields(self, old: Any, new: Any, common: frozenset[str], without: tuple[str, ...] = ()) -> None:
        for name in old.__slots__:
            if name not in PLACES and name not in without:
                self.same(getattr(old, name), getattr(new, name), common)

    def _equal(self, old: Any, new: Any) -> None:
        if not alike(old, new):
            raise UnprovenError("something else was changed")

    # ------------------------------------------------------------ queries

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

    def select(self, old: Select, new: Select, common: frozenset[str]) -> None:
        inside = self.scope(old, new, common)
        wanted = self.sources(old.sources, new.sources, inside)
        self.condition(old.where, new.where, wanted, inside)
        self.fields(old, new, inside, ("sources", "where", "common_tables"))

    def other_query(self, old: Values | SetOperation, new: Any, common: frozenset[str]) -> None:
        self.fields(old, new, self.scope(old, new, common), ("common_tables",))

    def sources(self, old: tuple[Any, ...], new: tuple[Any, ...], common: frozenset[str]) -> list[Expression]:
        if len(old) != len(new):
            raise UnprovenError("FROM has another length")
        pairs = zip(old, new, strict=True)
        return [wanted for one, other in pairs for wanted in self.source(one, other, common)]

    def source(self, old: Any, new: Any, common: frozenset[str]) -> list[Expression]:
        """Compares two FROM items. Returns the filters that a condition above them must hold."""
        if isinstance(old, Relation):
            return self.relation(old, new, common)
        if isinstance(old, Join) and isinstance(new, Join):
            return self.join(old, new, common)
        self.same(old, new, common)
        return []

    def join(self, old: Join, new: Join, common: frozenset[str]) -> list[Expression]:
        left, right = self.source(old.left, new.left, common), self.source(old.right, new.right, common)
        self.fields(old, new, common, ("left", "right", "on"))
        below = (right if old.kind is JoinKind.LEFT else []) + (left if old.kind is JoinKind.RIGHT else [])
        above = (left if old.kind is not JoinKind.RIGHT else []) + (right if old.kind is not JoinKind.LEFT else [])
        if old.kind is JoinKind.FULL and (left or right):
            raise UnprovenError("a FULL JOIN needs its filters below")
        if old.kind is JoinKind.INNER and old.on is not None and new.on is not None:
            longer = len(list(conjuncts(new.on))) > len(list(conjuncts(old.on)))
            here = [w for w in above if longer and holds(new.on, w)]
            below, above = here, [w for w in above if not any(w is h for h in here)]
        if old.alias is not None and above:
            raise UnprovenError("a join's alias hides the table")
        self.condition(old.on, new.on, below, common)
        return above

    def condition(self, old: Any, new: Any, wanted: list[Expression], common: frozenset[str]) -> None:
        """`new` is the filters and `old`, joined by AND; or a CASE that asks the filters first."""
        if not wanted:
            self.same(old, new, common)
        elif self.early and old is not None:
            if not _is_guard(new):
                raise UnprovenError("a condition may be asked before the filter")
            test, new = new.operands
            self._conjuncts(None, test, wanted, common)
            self.same(old, new, common)
        else:
            self._conjuncts(old, new, wanted, common)

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

    # ------------------------------------------------------------ tables

    def relation(self, old: Relation, new: Any, common: frozenset[str]) -> list[Expression]:
        if len(old.name) == 1 and old.name[0] in common:
            self._equal(old, new)
            return []
        reference = Reference(old, self._stored(self.old, old))
        expanded = self.needs.view(reference.stored, self.early)
        if expanded is not None:
            self._expanded(reference, new, *expanded)
            return []
        if isinstance(new, Relation):
            self._named(old, new, common)
            wanted = self.needs.filters(reference, _qualifier(reference))
            if wanted and self.early:
                raise UnprovenError("a table stands beside expressions that may fail on its hidden rows")
            return wanted
        self._fenced(reference, new)
        return []

    def _stored(self, reader: Reader, node: Relation) -> Any:
        found = reader.lookup(node.name)
        if found is None:
            raise UnprovenError("a name is not known")
        return found

    def _named(self, old: Relation, new: Relation, common: frozenset[str] = frozenset()) -> None:
        """The same relation, perhaps with its schema now."""
        if self._stored(self.old, old) is not self._stored(self.new, new):
            raise UnprovenError("another table is read")
        if (old.alias, old.column_aliases, old.only) != (new.alias, new.column_aliases, new.only):
            raise UnprovenError("another name is given to a table")
        self.same(old.sample, new.sample, common)

    def _fenced(self, reference: Reference, new: Any) -> None:
        inner = self._sub_select(reference, new)
        wanted = self.needs.filters(reference, _plain(reference))
        if not wanted or not isinstance(inner.sources[0], Relation) or (self.early and inner.offset is None):
            raise UnprovenError("a table became a sub-select that it should not be")
        self._named(Relation(reference.node.name, only=reference.node.only), inner.sources[0])
        self._conjuncts(None, inner.where, wanted, frozenset())

    def _sub_select(self, reference: Reference, new: Any) -> Select:
        """`(SELECT * FROM one ... [OFFSET 0]) AS name`."""
        node = reference.node
        named = isinstance(new, Derived) and not new.lateral and new.alias == (node.alias or reference.stored.name)
        if not named or new.column_aliases != node.column_aliases or not isinstance(new.query, Select):
            raise UnprovenError("a table became something else")
        inner: Select = new.query
        plain = Select(inner.outputs, inner.sources, inner.where, offset=inner.offset)
        star = len(inner.outputs) == 1 and alike(inner.outputs[0].expression, Star())
        if inner != plain or not star or len(inner.sources) != 1:
            raise UnprovenError("a fence does more than filter")
        if inner.offset is not None and not alike(inner.offset, Literal("0")):
            raise UnprovenError("a fence leaves out rows")
        return inner

    def _expanded(self, reference: Reference, new: Any, path: tuple[str, ...], early: bool) -> None:
        inner = self._sub_select(reference, new)
        definition, stored = inner.sources[0], reference.stored
        names = tuple(column.name for column in stored.columns)
        if not isinstance(definition, Derived) or (definition.alias, definition.column_aliases) != (stored.name, names):
            raise UnprovenError("a view's columns lost their names")
        wanted = self.needs.filters(reference, quoted(stored.name))
        if wanted and self.early and inner.offset is None:
            raise UnprovenError("a view stands beside expressions that may fail on its hidden rows")
        self._conjuncts(None, inner.where, wanted, frozenset())
        within = Proof(Reader(self.old.catalog, path), self.new, self.needs, early)
        within.same(query_of(stored.definition or ""), definition.query, frozenset())

    # ------------------------------------------------------------ writes

    def write(self, old: Any, new: Any, common: frozenset[str]) -> None:
        inside = self.scope(old, new, common)
        self._named(old.target, new.target)
        reference = Reference(old.target, self._stored(self.old, old.target), old)
        wanted = self.needs.filters(reference, _qualifier(reference))
        old, new = self.needs.checks(reference).taken_off(old, new)
        _WRITERS[type(old)](self, old, new, wanted, inside)

    def update(self, old: Update, new: Update, wanted: list[Expression], common: frozenset[str]) -> None:
        wanted = wanted + self.sources(old.sources, new.sources, common)
        self.condition(old.where, new.where, wanted, common)
        self.fields(old, new, common, ("target", "sources", "where", "common_tables"))

    def insert(self, old: Insert, new: Insert, wanted: list[Expression], common: frozenset[str]) -> None:
        self.condition(old.conflict_where, new.conflict_where, wanted if old.conflict_assignments else [], common)
        self.fields(old, new, common, ("target", "conflict_where", "common_tables"))

    def merge(self, old: Merge, new: Merge, wanted: list[Expression], common: frozenset[str]) -> None:
        above = self.source(old.source, new.source, common)
        self.condition(old.on, new.on, wanted, common)
        if above:
            raise UnprovenError("MERGE's source needs its filter below")
        self.fields(old, new, common, ("target", "source", "on", "common_tables"))


def _column(proof: Proof, old: Column, new: Column, common: frozenset[str]) -> None:
    if old.path != new.path and (old.path[:-1] not in proof.needs.renamed or old.path[-2:] != new.path):
        raise UnprovenError("a column was changed")


def _star(proof: Proof, old: Star, new: Star, common: frozenset[str]) -> None:
    if old.qualifier != new.qualifier and (
        old.qualifier not in proof.needs.renamed or old.qualifier[-1:] != new.qualifier
    ):
        raise UnprovenError("a star was changed")


_HANDLERS: Final[dict[type, Callable[..., None]]] = {
    Column: _column,
    Star: _star,
    Select: Proof.select,
    Values: Proof.other_query,
    SetOperation: Proof.other_query,
    Insert: Proof.write,
    Update: Proof.write,
    Delete: Proof.write,
    Merge: Proof.write,
}
_WRITERS: Final[dict[type, Callable[..., None]]] = {
    Insert: Proof.insert,
    Update: Proof.update,
    Delete: Proof.update,
    Merge: Proof.merge,
}


def alike(old: Any, new: Any) -> bool:
    """Equal, wherever they stand."""
    if type(old) is not type(new):
        return False
    if isinstance(old, tuple):
        return len(old) == len(new) and all(map(alike, old, new))
    if hasattr(old, "__dataclass_fields__"):
        return all(alike(getattr(old, n), getattr(new, n)) for n in old.__slots__ if n not in PLACES)
    return bool(old == new)


def conjuncts(e: Expression | None) -> Iterator[Expression]:
    if isinstance(e, Operation) and e.operator == "and":
        for operand in e.operands:
            yield from conjuncts(operand)
    elif e is not None:
        yield e


def holds(condition: Expression, wanted: Expression) -> bool:
    """Whether every conjunct of a filter is among the condition's."""
    found = list(conjuncts(condition))
    return all(any(alike(each, part) for each in found) for part in conjuncts(wanted))


def _is_guard(e: Any) -> bool:
    """CASE WHEN test THEN condition END."""
    return isinstance(e, Operation) and e.operator == "case" and len(e.operands) == 2


def _plain(reference: Reference) -> str:
    return ".".join(map(quoted, reference.stored.qualified))


def _qualifier(reference: Reference) -> str:
    return _plain(reference) if reference.node.alias is None else quoted(reference.node.alias)
