"""MySQL's UPDATE and DELETE of several tables."""

from __future__ import annotations

from rules.catalog import Relation as Stored
from rules.lineage.always import truth
from rules.lineage.conditions import condition
from rules.lineage.expressions import unknown_column, value
from rules.lineage.reader import Reader
from rules.lineage.scope import Scope, ambiguous
from rules.lineage.sources import from_clause
from rules.lineage.targets import Target, assign, writes
from rules.lineage.values import Entry, Item, Refused
from rules.tree import Access, Column, Expression, JoinedDelete, JoinedUpdate, Relation


def joined_update(reader: Reader, w: JoinedUpdate, outer: Scope) -> tuple[Item, ...]:
    scope = from_clause(reader, w.sources, outer)
    targets: dict[int, Target] = {}
    for assignment in w.assignments:
        entry, relation = _assigned(scope, assignment.column, reader)
        if id(entry) not in targets:
            targets[id(entry)] = Target(relation, entry)
            writes(reader, relation, Access.UPDATE, only=False)
        assign(reader, targets[id(entry)], assignment.column.path[-1], value(reader, assignment.value, scope))
    where(reader, w.where, scope)
    return ()


def joined_delete(reader: Reader, w: JoinedDelete, outer: Scope) -> tuple[Item, ...]:
    scope = from_clause(reader, w.sources, outer)
    for target in w.targets:
        writes(reader, _deleted(scope, target, reader), Access.DELETE, only=False)
    where(reader, w.where, scope)
    return ()


def where(reader: Reader, e: Expression | None, scope: Scope) -> None:
    """A condition that looks at nothing or is always true (`true`, `1 = 1`, `id = id`) is no condition."""
    if e is None or not condition(reader, e, scope) or truth(e):
        reader.has_where = False


def _assigned(scope: Scope, column: Column, reader: Reader) -> tuple[Entry, Stored]:
    """The table whose column is assigned."""
    if len(column.path) > 1:
        found = [e for e in (reader.dialect.entry(scope, column.path[:-1]),) if e is not None]
    else:
        found = [e for e in scope.entries if e.relation is not None and column.path[0] in e.by_name]
    if len(found) > 1:
        raise ambiguous(column.path[-1])
    if not found:
        raise unknown_column(column, scope)
    return found[0], _stored(found[0], column.at)


def _deleted(scope: Scope, target: Relation, reader: Reader) -> Stored:
    entry = reader.dialect.entry(Scope(scope.entries, None, scope.common), target.name)
    if entry is None:
        name = ".".join(target.name)
        raise Refused("delete-table", f'"{name}" is none of the tables of this DELETE', "name one, or its alias",
                      target.start, said=f"Unknown table '{name}' in MULTI DELETE")  # fmt: skip
    return _stored(entry, target.start)


def _stored(entry: Entry, at: int) -> Stored:
    if entry.relation is None:
        raise Refused("target", f'"{entry.name}" is no table: it cannot be written', "name a table", at)
    return entry.relation
