"""What a statement names, when not all of it can be resolved.

Only a role from which nothing is hidden may send such a statement, and its rules must still hold for what the text
names: every table in the way it is used, every function. Names are taken from the tree alone, so one of a common table
counts as the table of that name where there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final

from rules.catalog import Relation as Stored
from rules.facts import FunctionUse, TableUse
from rules.lineage import functions
from rules.lineage.reader import Reader
from rules.lineage.values import Refused
from rules.tree import (
    Access,
    Call,
    CommonTable,
    Delete,
    Insert,
    JoinedDelete,
    JoinedUpdate,
    Merge,
    Relation,
    Select,
    SetOperation,
    Statement,
    Touched,
    Update,
)

_ACTIONS: Final = {"insert": Access.INSERT, "update": Access.UPDATE, "delete": Access.DELETE}


def named(reader: Reader, statement: Statement) -> dict[str, Any]:
    """`tables` and `functions` of the Facts."""
    nodes = list(_nodes(statement))
    common = {node.name for node in nodes if isinstance(node, CommonTable)}
    uses = set(_uses(nodes))
    tables = {
        TableUse(table, access)
        for name, access in uses
        if (table := _table(reader, name)) and not (len(name) == 1 and name[0] in common and not _known(reader, name))
    }
    calls: set[FunctionUse] = set()
    for node in nodes:
        if isinstance(node, Call):
            calls |= functions.candidates(reader.catalog, node.name)
    return {"tables": frozenset(tables), "functions": frozenset(calls)}


def _nodes(node: Any) -> Iterator[Any]:
    """Every value of the tree, without recursion: what nests too deeply comes here as well."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, tuple):
            waiting.extend(current)
        elif is_dataclass(current) and not isinstance(current, type):
            yield current
            waiting.extend(getattr(current, f.name) for f in fields(current))


def _uses(nodes: list[Any]) -> Iterator[tuple[tuple[str, ...], Access]]:
    targets: set[int] = set()
    for node in nodes:
        if isinstance(node, Insert | Update | Delete | Merge):
            targets.add(id(node.target))
            yield from ((node.target.name, access) for access in _accesses(node))
        elif isinstance(node, JoinedUpdate | JoinedDelete):
            access = Access.UPDATE if isinstance(node, JoinedUpdate) else Access.DELETE
            targets.update(id(each) for each in getattr(node, "targets", ()))
            yield from ((r.name, access) for r in _nodes(node.sources) if isinstance(r, Relation))
        elif isinstance(node, Touched):
            yield node.name, node.access
        elif isinstance(node, Select | SetOperation) and node.locks:
            yield from ((r.name, Access.UPDATE) for r in _nodes(node) if isinstance(r, Relation))
    yield from ((n.name, Access.SELECT) for n in nodes if isinstance(n, Relation) and id(n) not in targets)


def _accesses(write: Insert | Update | Delete | Merge) -> set[Access]:
    if isinstance(write, Merge):
        return {_ACTIONS[a.kind] for a in write.actions if a.kind in _ACTIONS} | {Access.SELECT}
    own = {Insert: Access.INSERT, Update: Access.UPDATE, Delete: Access.DELETE}[type(write)]
    on_conflict = isinstance(write, Insert) and bool(write.conflict_assignments)
    reads = bool(write.returning) or not isinstance(write, Insert)
    return {own} | ({Access.UPDATE} if on_conflict else set()) | ({Access.SELECT} if reads else set())


def _known(reader: Reader, name: tuple[str, ...]) -> Stored | None:
    try:
        return reader.lookup(name)
    except Refused:
        return None


def _table(reader: Reader, name: tuple[str, ...]) -> tuple[str, str] | None:
    """The table that the name means, else where it would be looked for first."""
    if len(name) > 3:
        return None
    relation = _known(reader, name)
    if relation is not None:
        return relation.qualified
    if len(name) > 1:
        return (reader.schema(name[-2]), name[-1])
    return reader.dialect.own_places(reader, name[0], creates=False, temporary=False)[0]
