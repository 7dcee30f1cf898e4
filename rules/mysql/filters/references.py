"""Every place of a statement where a stored relation is named, and what its rows there need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from rules.catalog import Relation as Stored
from rules.lineage.reader import Reader
from rules.lineage.relations import shape
from rules.lineage.values import Refused
from rules.naming import is_mysql_database
from rules.roles import RoleView
from rules.tree import (
    Delete,
    Insert,
    Join,
    JoinedDelete,
    JoinedUpdate,
    JoinKind,
    Relation,
    Select,
    SetOperation,
    Source,
    Update,
    Write,
)


class Place(Enum):
    READ = "read"  # a sub-select takes the table's place
    HELD = "held"  # its rows are written or locked: the filter joins the WHERE
    TARGET = "target"  # rows are inserted into it


@dataclass(frozen=True, slots=True)
class Reference:
    """`nullable`: it stands where an outer join makes up rows. `write`: the statement that writes to it. `alone`: no
    other table stands beside it."""

    node: Relation
    stored: Stored
    place: Place
    nullable: bool = False
    write: Write | None = None
    alone: bool = False

    @property
    def called(self) -> str:
        return self.node.alias or self.stored.name


def references(reader: Reader, body: Any) -> Iterator[Reference]:
    """Raises Refused for a name that the catalog does not know."""
    yield from _walk(reader, body, frozenset())


def _walk(reader: Reader, node: Any, common: frozenset[str]) -> Iterator[Reference]:
    if isinstance(node, tuple):
        for each in node:
            yield from _walk(reader, each, common)
    elif hasattr(node, "__dataclass_fields__"):
        yield from _fields(reader, node, common)


def _fields(reader: Reader, node: Any, common: frozenset[str]) -> Iterator[Reference]:
    if isinstance(node, Relation):
        raise Refused("relation", f"{node.name[-1]} stands where no table is expected")
    names = frozenset(entry.name for entry in getattr(node, "common_tables", ()))
    seen = common | names if getattr(node, "recursive", False) else common
    for entry in getattr(node, "common_tables", ()):
        yield from _walk(reader, entry.body, seen)
        seen |= {entry.name}
    inside = common | names
    if isinstance(node, Insert | Update | Delete):
        place = Place.TARGET if isinstance(node, Insert) else Place.HELD
        yield Reference(node.target, stored(reader, node.target), place, write=node, alone=True)
        yield from _walk(reader, node.target.sample, inside)
    for source in getattr(node, "sources", ()):
        yield from _source(reader, node, source, inside, nullable=False)
    for name in node.__slots__:
        if name not in ("common_tables", "target", "targets", "sources"):
            yield from _walk(reader, getattr(node, name), inside)


def _source(reader: Reader, over: Any, node: Source, common: frozenset[str], nullable: bool) -> Iterator[Reference]:
    if isinstance(node, Relation):
        if len(node.name) > 1 or node.name[0] not in common:
            found = stored(reader, node)
            write = over if isinstance(over, JoinedUpdate | JoinedDelete) and is_written(over, node, found) else None
            locked = isinstance(over, Select | SetOperation) and over.locks
            place = Place.HELD if write or locked else Place.READ
            yield Reference(node, found, place, nullable, write, stands_alone(over))
        yield from _walk(reader, node.sample, common)
    elif isinstance(node, Join):
        yield from _source(reader, over, node.left, common, nullable or node.kind in (JoinKind.RIGHT, JoinKind.FULL))
        yield from _source(reader, over, node.right, common, nullable or node.kind in (JoinKind.LEFT, JoinKind.FULL))
        yield from _walk(reader, node.on, common)
    else:
        yield from _walk(reader, node, common)


def stands_alone(over: Any) -> bool:
    """Whether a query or write reads one table and no other."""
    return isinstance(over, Select) and len(over.sources) == 1 and isinstance(over.sources[0], Relation)


def is_written(over: JoinedUpdate | JoinedDelete, node: Relation, found: Stored) -> bool:
    """Whether this one of several tables may be written to. A column without a table counts for each that has it."""
    called = node.alias or found.name
    if isinstance(over, JoinedDelete):
        return any(target.name[-1] in (called, found.name) for target in over.targets)
    return any(_may_be(a.column.path, called, found) for a in over.assignments)


def _may_be(path: tuple[str, ...], called: str, found: Stored) -> bool:
    if len(path) == 1:
        return found.column(path[0]) is not None
    return path[-2] in (called, found.name)


def stored(reader: Reader, node: Relation) -> Stored:
    found = reader.lookup(node.name)
    if found is None:
        raise Refused("relation", f'"{".".join(node.name)}" is not known')
    return found


def shows_filtered(relation: Stored, view: RoleView) -> bool:
    """Whether it is a view over tables that are filtered for the role."""
    if relation.kind != "v" or is_mysql_database(relation.schema):
        return False
    below = (use.table for use in shape(view.catalog, relation).tables if use.table != relation.qualified)
    return any(view.filtering(table) for table in below)
