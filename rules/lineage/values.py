"""What flows through a query: values with their base columns, and range entries that hold them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from rules.catalog import Relation
from rules.facts import ColumnId
from rules.lineage.numbers import Number, merged
from rules.tree import Name, Unparsable

Sources: TypeAlias = frozenset[ColumnId]
NO_SOURCES: Final[Sources] = frozenset()


class Refused(Exception):  # noqa: N818 - it carries a refusal, it is no programming error
    """Raised inside the resolver where a name or construct is not certain; `facts` turns it into a value."""

    def __init__(
        self, code: str, reason: str, mend: str = "", at: int = -1, *, said: str = "", missing: Name = (),
        about: str = "",
    ) -> None:  # fmt: skip
        super().__init__(reason)
        self.problem = Unparsable(code, reason, mend, at, said, missing, about)

    def placed(self, at: int) -> Refused:
        """The same with its place in the text, unless it has one."""
        found = self.problem
        at = found.at if found.at >= 0 else at
        return Refused(
            found.code, found.reason, found.mend, at, said=found.said, missing=found.missing, about=found.about
        )


class MissingRelation(Exception):  # noqa: N818
    """Raised for a relation that the catalog does not know: a refresh may bring it."""

    def __init__(self, name: Name, at: int = -1) -> None:
        super().__init__(".".join(name))
        self.name = name
        self.at = at


class Item:
    """A value and where it comes from.

    `direct`: unchanged from one of `sources` (True also for a value without sources, which changes nothing in a
    union). `mixed`: its values come from different columns, or from constants too, so that comparing them with each
    other tells more than which are equal in one column. `type`: the qualified type name where it is known. `row`: the
    fields of a row value. `listed`: a column of constants that stand in the text (VALUES), or of a parameter. `weight`:
    how many times larger than what is stored it may be (characters, digits), see `rules.lineage.hazards`. `hollow`:
    whether it is NULL tells more than which of its columns are NULL. `fails`: working it out may fail, or do something
    besides (nextval), see `rules.lineage.lazily`. `number`: what is known of its size. `tested`: it is made of
    comparisons for equality and of nothing else, so that it tells no more than they do. `array`: it may be an array."""

    __slots__ = (
        "array", "direct", "fails", "hollow", "listed", "mixed", "name", "number", "row", "sources", "tested", "type",
        "weight",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        sources: Sources = NO_SOURCES,
        direct: bool = True,
        type: str | None = None,  # noqa: A002 - the vendor's word
        row: tuple[Item, ...] | None = None,
        mixed: bool = False,
        listed: bool = False,
        weight: int = 1,
        hollow: bool = False,
        fails: bool = False,
        number: Number | None = None,
        tested: bool = False,
        array: bool = False,
    ) -> None:
        self.name = name
        self.mixed = mixed
        self.listed = listed
        self.weight = weight
        self.hollow = hollow
        self.fails = fails
        self.number = number
        self.tested = tested
        self.array = array
        self.sources = sources
        self.direct = direct
        self.type = type
        self.row = row

    def named(self, name: str) -> Item:
        return self if name == self.name else self._as(name, self.fails)

    def failing(self) -> Item:
        """The same value where working it out may fail."""
        return self if self.fails else self._as(self.name, True)

    def traits(self) -> tuple[object, ...]:
        """What a set operation or a recursion may add to."""
        return (
            self.sources, self.direct, self.mixed, self.weight, self.hollow, self.fails, self.number, self.tested,
            self.array,
        )  # fmt: skip

    def part(self, name: str | None) -> Item:
        """A field of it, where its fields are not told apart."""
        return Item(name or "?column?", self.sources, not self.sources, weight=self.weight, hollow=self.hollow,
                    fails=self.fails, array=bool(self.sources))  # fmt: skip

    def _as(self, name: str, fails: bool) -> Item:
        return Item(
            name, self.sources, self.direct, self.type, self.row, self.mixed, self.listed, self.weight, self.hollow,
            fails, self.number, self.tested, self.array,
        )  # fmt: skip


CONSTANT: Final = Item("?column?")


def united(items: Iterable[Item]) -> Sources:
    """All base columns of several values."""
    found = [i.sources for i in items if i.sources]
    if len(found) < 2:
        return found[0] if found else NO_SOURCES
    return found[0].union(*found[1:])


def computed(sources: Sources, name: str = "?column?", of_type: str | None = None) -> Item:
    """A value computed from these columns."""
    return Item(name, sources, not sources, of_type)


def paired(left: Item, right: Item) -> Item:
    """What a set operation or a merged join column yields from two values."""
    if right is left:
        return left
    weight, hollow, fails = max(left.weight, right.weight), left.hollow or right.hollow, left.fails or right.fails
    if not (left.sources or right.sources):
        if left.listed is right.listed and left.traits() == right.traits():
            return left
        direct, number = left.direct and right.direct, merged((left.number, right.number))
        return Item(left.name, NO_SOURCES, direct, left.type, left.row, weight=weight, fails=fails, number=number)
    sources = left.sources | right.sources
    direct = left.direct and right.direct
    mixed = left.mixed or right.mixed or left.sources != right.sources
    number, tested = merged((left.number, right.number)), left.tested and right.tested
    array = left.array or right.array
    if (sources, direct, mixed, weight, hollow, fails, number, tested, array) == left.traits():
        return left
    of_type = left.type or right.type
    return Item(left.name, sources, direct, of_type, None, mixed, False, weight, hollow, fails, number, tested, array)


class Entry:
    """One entry of a scope: a table, subquery, function or join under the name it goes by.

    `rows` and `columns` tell whether the entry's own name and its unqualified columns are visible, as
    PostgreSQL's ParseNamespaceItem does for the two sides of a join."""

    __slots__ = ("by_name", "columns", "composite", "items", "name", "relation", "rows", "scalar", "system")

    def __init__(
        self,
        name: str | None,
        items: tuple[Item, ...],
        *,
        by_name: dict[str, Item | None] | None = None,
        relation: Relation | None = None,
        system: bool = False,
        scalar: bool = False,
        composite: str | None = None,
    ) -> None:
        self.name = name
        self.items = items
        self.by_name = by_name if by_name is not None else index(items)
        self.relation = relation
        self.system = system
        self.scalar = scalar
        self.composite = composite
        self.rows = name is not None
        self.columns = True


def index(items: Iterable[Item]) -> dict[str, Item | None]:
    """Columns by name; None marks a name that stands twice (ambiguous when it is referenced)."""
    found: dict[str, Item | None] = {}
    for item in items:
        found[item.name] = None if item.name in found else item
    return found


def whole_row(entry: Entry) -> Item:
    """The entry's whole row as one value; a function's single scalar column stands for itself."""
    if entry.scalar:
        return entry.items[0]
    found = Item(entry.name or "?column?", united(entry.items), False, entry.composite, entry.items)
    found.fails = any(item.fails for item in entry.items)
    return found
