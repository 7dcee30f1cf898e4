"""INSERT, UPDATE, DELETE and MERGE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from rules.facts import ColumnId, Use
from rules.lineage.always import truth
from rules.lineage.conditions import condition
from rules.lineage.expressions import ordered, value, values
from rules.lineage.joined_writes import joined_delete, joined_update, where
from rules.lineage.queries import outputs, query, with_clause
from rules.lineage.reader import Reader
from rules.lineage.relations import shape
from rules.lineage.scope import Scope
from rules.lineage.sources import bring, from_clause
from rules.lineage.targets import Target, assign, columns_of, target_of, writes
from rules.lineage.values import Entry, Item, Refused, paired, united
from rules.tree import (
    Access,
    Assignment,
    Delete,
    Insert,
    JoinedDelete,
    JoinedUpdate,
    Merge,
    MergeAction,
    Operation,
    Subquery,
    Update,
    Write,
)

_ACTIONS: Final[dict[str, Access]] = {
    "insert": Access.INSERT,
    "update": Access.UPDATE,
    "delete": Access.DELETE,
}


def write(reader: Reader, w: Write, outer: Scope) -> tuple[Item, ...]:
    """The columns of RETURNING (empty without one). Raises Refused or MissingRelation."""
    inner = with_clause(reader, w.common_tables, w.recursive, outer)
    return _HANDLERS[type(w)](reader, w, inner)


def _read_target(reader: Reader, target: Target, sources: Iterable[ColumnId]) -> None:
    """Reading any of the target's columns is a SELECT of it, as in PostgreSQL's own privileges."""
    if not target.relation.columns:
        return
    table = target.relation.qualified
    if any(c.table_id == table for c in sources):
        reader.tables |= shape(reader.catalog, target.relation).tables


class _Watch:
    """Tells which columns were used since it began, whatever the use."""

    __slots__ = ("before", "reader")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.before = {use: set(found) for use, found in reader.uses.items() if use is not Use.WRITE}

    def columns(self) -> set[ColumnId]:
        found: set[ColumnId] = set()
        for use, columns in self.reader.uses.items():
            if use is not Use.WRITE:
                found |= columns - self.before.get(use, set())
        return found


# ---------------------------------------------------------------- INSERT


def _insert(reader: Reader, w: Insert, outer: Scope) -> tuple[Item, ...]:
    target = target_of(reader, w.target, Access.INSERT)
    if w.replaces:
        writes(reader, target.relation, Access.DELETE, w.target.only)
    names = w.columns or tuple(c.name for c in target.relation.columns if not c.invisible)
    around = reader.dialect.inserting(target.entry, w, outer)
    given = query(reader, w.source, around) if w.source is not None else ()
    _inserted(reader, target, names, given, explicit=bool(w.columns and given))
    watch = _Watch(reader)
    _on_conflict(reader, w, target, _proposed(w, target, names, given), outer)
    items = _returning(reader, w, target, Scope([target.entry], outer, outer.common))
    _read_target(reader, target, watch.columns())
    return items


def _inserted(reader: Reader, target: Target, names: Sequence[str], items: Sequence[Item], explicit: bool) -> None:
    if len(items) > len(names) or (explicit and len(items) != len(names)):
        raise Refused(
            "insert",
            f"the values ({len(items)}) and columns ({len(names)}) of INSERT differ in number",
            "give as many values as there are columns",
            missing=target.relation.qualified,
        )
    for _, stored in columns_of(target, names):
        reader.use(Use.WRITE, stored.sources)
    for name, item in zip(names, items, strict=False):
        assign(reader, target, name, item)


def _proposed(w: Insert, target: Target, names: Sequence[str], given: Sequence[Item]) -> list[Entry]:
    """The row that was to be inserted, under its names: its values come from the query as well."""
    values_by_name = dict(zip(names, given, strict=False))
    items = tuple(paired(i, values_by_name.get(i.name, i)) for i in target.entry.items)
    others = dict(zip(names, w.proposed_columns, strict=False))
    renamed = tuple(i.named(others[i.name]) for i in items if i.name in others)
    entries = [Entry(name, (*items, *renamed)) for name in w.proposed]
    for entry in entries:
        entry.columns = False
    return [*entries, Entry(None, renamed)] if renamed else entries


def _on_conflict(reader: Reader, w: Insert, target: Target, proposed: list[Entry], outer: Scope) -> None:
    reader.use(Use.FILTER, _conflict_columns(reader, w, target, outer))
    if not w.conflict_assignments:
        return
    writes(reader, target.relation, Access.UPDATE, w.target.only)
    scope = reader.dialect.conflicting(reader, Scope([target.entry, *proposed], outer, outer.common), w)
    _assignments(reader, target, w.conflict_assignments, scope)
    if w.conflict_where is not None:
        condition(reader, w.conflict_where, scope)


def _conflict_columns(reader: Reader, w: Insert, target: Target, outer: Scope) -> frozenset[ColumnId]:
    """A plain conflict target names an index; an expression or WHERE in it looks at values."""
    scope = Scope([target.entry], outer, outer.common)
    found = [value(reader, e, scope) for e in w.conflict_target]
    return united(i for i in found if not (i.direct and i.row is None))


# ---------------------------------------------------------------- UPDATE, DELETE


def _update(reader: Reader, w: Update, outer: Scope) -> tuple[Item, ...]:
    target = target_of(reader, w.target, Access.UPDATE)
    watch = _Watch(reader)
    scope = _write_scope(reader, target, w.sources, outer)
    _assignments(reader, target, w.assignments, scope)
    where(reader, w.where, scope)
    _some(reader, w, scope)
    items = _returning(reader, w, target, scope)
    _read_target(reader, target, watch.columns())
    return items


def _delete(reader: Reader, w: Delete, outer: Scope) -> tuple[Item, ...]:
    target = target_of(reader, w.target, Access.DELETE)
    watch = _Watch(reader)
    scope = _write_scope(reader, target, w.sources, outer)
    where(reader, w.where, scope)
    _some(reader, w, scope)
    items = _returning(reader, w, target, scope)
    _read_target(reader, target, watch.columns())
    return items


def _write_scope(reader: Reader, target: Target, sources: Sequence[Any], outer: Scope) -> Scope:
    found = from_clause(reader, sources, outer)
    return Scope([target.entry, *found.entries], outer, outer.common)


def _some(reader: Reader, w: Update | Delete, scope: Scope) -> None:
    """MySQL's ORDER BY and LIMIT: which rows are written."""
    for e in w.order_by:
        ordered(reader, value(reader, e, scope))
    if w.limit is not None:
        reader.use(Use.FILTER, value(reader, w.limit, scope).sources)


def _assignments(reader: Reader, target: Target, assignments: Iterable[Assignment], scope: Scope) -> None:
    for assignment in assignments:
        reader.settled = True
        given = _given(reader, assignment, scope)
        reader.settled = False
        for name, item in zip(assignment.columns, given, strict=True):
            assign(reader, target, name, item)


def _given(reader: Reader, assignment: Assignment, scope: Scope) -> list[Item]:
    """One value for each assigned column."""
    width, e = len(assignment.columns), assignment.value
    if width == 1:
        return [value(reader, e, scope)]
    if isinstance(e, Operation) and e.operator == "row" and len(e.operands) == width:
        return values(reader, e.operands, scope)
    if isinstance(e, Subquery) and e.form == "scalar":
        items = query(reader, e.query, scope)
        if len(items) == width:
            return list(items)
    return [value(reader, e, scope)] * width


def _returning(reader: Reader, w: Insert | Update | Delete | Merge, target: Target, scope: Scope) -> tuple[Item, ...]:
    """RETURNING, where PostgreSQL 18 also knows the target's rows as `old` and `new`.

    A returned column shows the value just assigned, so that value's columns are its sources too."""
    if not w.returning:
        return ()
    written = _written(target)
    extra = [_version(written, n) for n in w.row_names if scope.entry(n) is None]
    entries = [written, *scope.entries[1:], *extra]
    reader.settled = w is reader.top
    items = outputs(reader, w.returning, Scope(entries, scope.outer, scope.common))
    reader.settled = False
    reader.use(Use.PROJECT, united(items))
    return items


def _written(target: Target) -> Entry:
    entry = target.entry
    if not target.assigned:
        return entry
    items = tuple(paired(i, target.assigned.get(i.name, i)) for i in entry.items)
    return Entry(entry.name, items, relation=entry.relation, system=entry.system, composite=entry.composite)


def _version(target: Entry, name: str) -> Entry:
    entry = Entry(name, target.items, by_name=target.by_name, system=target.system, composite=target.composite)
    entry.columns = False
    return entry


# ---------------------------------------------------------------- MERGE


def _merge(reader: Reader, w: Merge, outer: Scope) -> tuple[Item, ...]:
    target = _merge_target(reader, w)
    watch = _Watch(reader)
    sources, _ = bring(reader, w.source, [], outer)
    scope = Scope([target.entry, *sources], outer, outer.common)
    if (not condition(reader, w.on, scope, join=True) or truth(w.on)) and not all(a.condition for a in w.actions):
        reader.has_where = False
    for action in w.actions:
        _action(reader, action, target, scope)
    items = _returning(reader, w, target, scope)
    _read_target(reader, target, watch.columns())
    return items


def _merge_target(reader: Reader, w: Merge) -> Target:
    kinds = [_ACTIONS[a.kind] for a in w.actions if a.kind in _ACTIONS]
    target = target_of(reader, w.target, kinds[0] if kinds else Access.SELECT)
    for access in kinds[1:]:
        writes(reader, target.relation, access, w.target.only)
    return target


def _action(reader: Reader, action: MergeAction, target: Target, scope: Scope) -> None:
    if action.condition is not None:
        condition(reader, action.condition, scope)
    _assignments(reader, target, action.assignments, scope)
    if action.kind == "insert":
        names = action.columns or tuple(c.name for c in target.relation.columns)
        given = values(reader, action.values, scope)
        _inserted(reader, target, names, given, explicit=bool(action.columns and given))


_HANDLERS: Final[dict[type, Callable[[Reader, Any, Scope], tuple[Item, ...]]]] = {
    Insert: _insert,
    Update: _update,
    Delete: _delete,
    Merge: _merge,
    JoinedUpdate: joined_update,
    JoinedDelete: joined_delete,
}
