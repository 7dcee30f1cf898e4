"""Every place of a statement where a stored relation is named, CTEs told apart from tables of the same name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rules.catalog import Relation as Stored
from rules.lineage.reader import Reader
from rules.lineage.values import Refused
from rules.postgres.sources import relation_name
from rules.tree import Delete, Expression, Insert, Merge, Query, Relation, Statement, Update, Write

_WRITES = (Insert, Update, Delete, Merge)
_CREATED = frozenset({"intoClause", "into", "view"})


@dataclass(frozen=True, slots=True)
class Reference:
    """`write`: the statement whose target it is, None where the relation is read."""

    node: Relation
    stored: Stored
    write: Write | None = None


def references(reader: Reader, statement: Statement) -> list[Reference]:
    """In the order of the text, more or less. Raises Refused for a name that the catalog does not know."""
    return list(within(reader, statement.body)) if statement.body is not None else []


def within(reader: Reader, body: Query | Write | Expression) -> Iterator[Reference]:
    """The same of any part of a statement that no CTE is in sight of."""
    return _walk(reader, body, frozenset())


def _walk(reader: Reader, node: Any, common: frozenset[str]) -> Iterator[Reference]:
    if isinstance(node, tuple):
        for each in node:
            yield from _walk(reader, each, common)
    elif isinstance(node, Relation):
        if len(node.name) > 1 or node.name[0] not in common:
            yield Reference(node, _stored(reader, node))
        yield from _walk(reader, node.sample, common)
    elif hasattr(node, "__dataclass_fields__"):
        yield from _fields(reader, node, common)


def _fields(reader: Reader, node: Any, common: frozenset[str]) -> Iterator[Reference]:
    names = frozenset(entry.name for entry in getattr(node, "common_tables", ()))
    seen = common | names if getattr(node, "recursive", False) else common
    for entry in getattr(node, "common_tables", ()):
        yield from _walk(reader, entry.body, seen)
        seen |= {entry.name}
    if isinstance(node, _WRITES):
        yield Reference(node.target, _stored(reader, node.target), node)
    for name in node.__slots__:
        if name not in ("common_tables", "target"):
            yield from _walk(reader, getattr(node, name), common | names)


def named(node: Any) -> Iterator[int]:
    """Where each relation of a tree is named, CTEs too."""
    if isinstance(node, Relation):
        yield node.start
    if isinstance(node, tuple):
        for each in node:
            yield from named(each)
    elif hasattr(node, "__dataclass_fields__"):
        for name in node.__slots__:
            yield from named(getattr(node, name))


def all_named(node: Any) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The same of the parser's own tree with the names, whatever node they stand in; not what a statement creates."""
    if isinstance(node, list):
        for each in node:
            yield from all_named(each)
    elif isinstance(node, dict):
        if "relname" in node:
            yield node.get("location", 0), relation_name(node)
        for key, value in node.items():
            if key not in _CREATED:
                yield from all_named(value)


def _stored(reader: Reader, node: Relation) -> Stored:
    found = reader.lookup(node.name)
    if found is None:
        raise Refused("relation", f'"{".".join(node.name)}" is not known')
    return found
