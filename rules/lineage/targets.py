"""What a write assigns: its relation, the columns, and where their values come from."""

from __future__ import annotations

from collections.abc import Sequence

from rules.catalog import Relation as Stored
from rules.facts import ColumnId, TableUse, Use
from rules.lineage.reader import Reader
from rules.lineage.relations import VIEWS, shape, uses_of
from rules.lineage.sources import entry_of_shape
from rules.lineage.values import Entry, Item, Refused, paired
from rules.spelling import did_you_mean
from rules.tree import Access, Relation


class Target:
    """The relation that is written, and whether the statement also reads it."""

    __slots__ = ("assigned", "entry", "relation")

    def __init__(self, relation: Stored, entry: Entry) -> None:
        self.relation = relation
        self.entry = entry
        self.assigned: dict[str, Item] = {}


def target_of(reader: Reader, item: Relation, access: Access) -> Target:
    """The relation that the statement names, written in this way."""
    relation = reader.find(item.name, item.start)
    known = shape(reader.catalog, relation, item.only)
    reader.functions |= known.functions
    writes(reader, relation, access, item.only)
    return Target(relation, entry_of_shape(reader, item, relation.name, known, relation))


def writes(reader: Reader, relation: Stored, access: Access, only: bool) -> None:
    """The write itself, the children it reaches, and the tables a view passes it on to."""
    if relation.kind in VIEWS and not reader.dialect.is_system(relation.schema):
        below = {TableUse(u.table, access, u.through) for u in shape(reader.catalog, relation).tables}
        reader.tables |= below
        return
    one = access is Access.INSERT and relation.kind != "p"  # a plain parent keeps what is inserted into it
    reader.tables |= uses_of(reader.catalog, relation, access, only or one)


def columns_of(target: Target, names: Sequence[str]) -> list[tuple[ColumnId, Item]]:
    """The target's columns by name, each with its own id."""
    relation = target.relation
    known = target.entry.by_name
    found: list[tuple[ColumnId, Item]] = []
    for name in names:
        item = known.get(name)
        if item is None:
            raise no_such_column(relation, name)
        found.append((ColumnId(relation.schema, relation.name, name), item))
    return found


def no_such_column(relation: Stored, name: str) -> Refused:
    """A list of columns names one that the relation has not (INSERT, UPDATE, COPY)."""
    near = did_you_mean(name, (c.name for c in relation.columns))
    return Refused(
        "column",
        f'"{relation.name}" has no column "{name}"',
        near or "check the column's name",
        said=f'column "{name}" of relation "{relation.name}" does not exist',
        missing=(*relation.qualified, name),
        about=name,
    )


def assign(reader: Reader, target: Target, name: str, item: Item) -> None:
    column, stored = columns_of(target, (name,))[0]
    reader.use(Use.WRITE, stored.sources)
    reader.use(Use.COPY, item.sources)
    if item.sources:
        reader.copies.append((column, item.sources))
        before = target.assigned.get(name)
        target.assigned[name] = paired(before, item) if before is not None else item
