"""INSERT, UPDATE, DELETE and MERGE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from rules.catalog import Relation as Stored
from rules.facts import ColumnId, TableUse, Use
from rules.lineage.always import truth
from rules.lineage.conditions import condition
from rules.lineage.expressions import value, values
from rules.lineage.queries import outputs, query, with_clause
from rules.lineage.reader import Reader
from rules.lineage.relations import VIEWS, shape, uses_of
from rules.lineage.scope import Scope
from rules.lineage.sources import bring, entry_of_shape, from_clause
from rules.lineage.values import Entry, Item, Refused, paired, united
from rules.spelling import did_you_mean
from rules.tree import (
    Access,
    Assignment,
    Delete,
    Expression,
    Insert,
    Merge,
    MergeAction,
    Operation,
    Relation,
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


class Target:
    """The relation that is written, and whether the statement also reads it."""

    __slots__ = ("assigned", "entry", "relation")

    def __init__(self, reader: Reader, item: Relation, access: Access) -> None:
        self.relation = reader.find(item.name, item.start)
        known = shape(reader.catalog, self.relation, item.only)
        reader.functions |= known.functions
        self.entry = entry_of_shape(reader, item, self.relation.name, known, self.relation)
        self.assigned: dict[str, Item] = {}
        writes(reader, self.relation, access, item.only)


def writes(reader: Reader, relation: Stored, access: Access, only: bool) -> None:
    """The write itself, the children it reaches, and the tables a view passes it on to."""
    if relation.kind in VIEWS and not reader.dialect.is_system(relation.schema):
        below = {TableUse(u.table, access, u.through) for u in shape(reader.catalog, relation).tables}
        reader.tables |= below
        return
    one = access is Access.INSERT and relation.kind != "p"  # a plain parent keeps what is inserted into it
    reader.tables |= uses_of(reader.catalog, relation, access, only or one)


def _columns(target: Target, names: Sequence[str]) -> list[tuple[ColumnId, Item]]:
    """The target's columns by name, each with its own id."""
    relation = target.relation
    known = {c.name: i for c, i in zip(relation.columns, shape_items(target), strict=True)}
    missing = [n for n in names if n not in known]
    if missing:
        raise no_such_column(relation, missing[0])
    return [(ColumnId(relation.schema, relation.name, n), known[n]) for n in names]


def no_such_column(relation: Stored, name: str) -> Refused:
    """A list of columns names one that the relation has not (INSERT, UPDATE, COPY)."""
    near = did_you_mean(name, (c.name for c in relation.columns))
    return Refused(
        "column",
        f'"{relation.name}" has no column "{name}"',
        near or "check the column's name",
        said=f'column "{name}" of relation "{relation.name}" does not exist',
        missing=(*relation.qualified, name),
    )


def shape_items(target: Target) -> tuple[Item, ...]:
    return target.entry.items


def _assign(reader: Reader, target: Target, name: str, item: Item) -> None:
    column, stored = _columns(target, (name,))[0]
    reader.use(Use.WRITE, stored.sources)
    reader.use(Use.COPY, item.sources)
    if item.sources:
        reader.copies.append((column, item.sources))
        before = target.assigned.get(name)
        target.assigned[name] = paired(before, item) if before is not None else item


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
    target = Target(reader, w.target, Access.INSERT)
    names = w.columns or tuple(c.name for c in target.relation.columns)
    given = query(reader, w.source, outer) if w.source is not None else ()
    _inserted(reader, target, names, given, explicit=bool(w.columns and given))
    watch = _Watch(reader)
    _on_conflict(reader, w, target, _excluded(target, names, given), outer)
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
    for _, stored in _columns(target, names):
        reader.use(Use.WRITE, stored.sources)
    for name, item in zip(names, items, strict=False):
        _assign(reader, target, name, item)


def _excluded(target: Target, names: Sequence[str], given: Sequence[Item]) -> Entry:
    """The row that was to be inserted: its values come from the query as well."""
    values_by_name = dict(zip(names, given, strict=False))
    items = tuple(paired(i, values_by_name.get(i.name, i)) for i in target.entry.items)
    entry = Entry("excluded", items)
    entry.columns = False
    return entry


def _on_conflict(reader: Reader, w: Insert, target: Target, excluded: Entry, outer: Scope) -> None:
    reader.use(Use.FILTER, _conflict_columns(reader, w, target, outer))
    if not w.conflict_assignments:
        return
    writes(reader, target.relation, Access.UPDATE, w.target.only)
    scope = Scope([target.entry, excluded], outer, outer.common)
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
    target = Target(reader, w.target, Access.UPDATE)
    watch = _Watch(reader)
    scope = _write_scope(reader, target, w.sources, outer)
    _assignments(reader, target, w.assignments, scope)
    _where(reader, w.where, scope)
    items = _returning(reader, w, target, scope)
    _read_target(reader, target, watch.columns())
    return items


def _delete(reader: Reader, w: Delete, outer: Scope) -> tuple[Item, ...]:
    target = Target(reader, w.target, Access.DELETE)
    watch = _Watch(reader)
    scope = _write_scope(reader, target, w.sources, outer)
    _where(reader, w.where, scope)
    items = _returning(reader, w, target, scope)
    _read_target(reader, target, watch.columns())
    return items


def _write_scope(reader: Reader, target: Target, sources: Sequence[Any], outer: Scope) -> Scope:
    found = from_clause(reader, sources, outer)
    return Scope([target.entry, *found.entries], outer, outer.common)


def _where(reader: Reader, where: Expression | None, scope: Scope) -> None:
    """A condition that looks at nothing or is always true (`true`, `1 = 1`, `id = id`) is no condition."""
    if where is None or not condition(reader, where, scope) or truth(where):
        reader.has_where = False


def _assignments(reader: Reader, target: Target, assignments: Iterable[Assignment], scope: Scope) -> None:
    for assignment in assignments:
        reader.settled = True
        given = _given(reader, assignment, scope)
        reader.settled = False
        for name, item in zip(assignment.columns, given, strict=True):
            _assign(reader, target, name, item)


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


def _returning(reader: Reader, w: Write, target: Target, scope: Scope) -> tuple[Item, ...]:
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
    target = Target(reader, w.target, kinds[0] if kinds else Access.SELECT)
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
}
