"""Queries: SELECT, VALUES, set operations and WITH."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from rules.facts import Use
from rules.lineage import hazards
from rules.lineage.common import Common
from rules.lineage.conditions import condition
from rules.lineage.equality import is_constant
from rules.lineage.expressions import ordered, partitioned, starred, value, values
from rules.lineage.reader import Reader
from rules.lineage.scope import Scope
from rules.lineage.sources import composite_columns, from_clause, renamed
from rules.lineage.values import Entry, Item, Refused, computed, paired, united
from rules.tree import (
    Access,
    Call,
    Column,
    CommonTable,
    Delete,
    Expression,
    Field,
    Insert,
    Join,
    JoinedDelete,
    JoinedUpdate,
    Literal,
    Merge,
    Operation,
    Output,
    Query,
    Relation,
    Select,
    SetOperation,
    Source,
    Star,
    Subquery,
    Update,
    Values,
    Write,
)


def query(reader: Reader, q: Query, outer: Scope) -> tuple[Item, ...]:
    """The columns a query returns. Raises Refused or MissingRelation."""
    if not reader.settled:
        return _HANDLERS[type(q)](reader, q, outer)
    reader.settled = False
    items = _HANDLERS[type(q)](reader, q, outer)
    reader.settled = True
    return items


def with_clause(reader: Reader, tables: Sequence[CommonTable], recursive: bool, outer: Scope) -> Scope:
    """The scope in which the body of a WITH is read."""
    if not tables:
        return outer
    common = dict(outer.common)
    inner = Scope((), outer, common)
    for entry in tables:
        known = Common(entry.name, _resolver(reader, entry, recursive, inner))
        if not recursive:
            known.columns()
        common[entry.name] = known
    for entry in tables:
        common[entry.name].columns()
    return inner


def _resolver(
    reader: Reader, entry: CommonTable, recursive: bool, inner: Scope
) -> Callable[[Common], tuple[Item, ...]]:
    def resolve(known: Common) -> tuple[Item, ...]:
        return _common_items(reader, entry, recursive, inner, known)

    return resolve


def _common_items(reader: Reader, entry: CommonTable, recursive: bool, inner: Scope, known: Common) -> tuple[Item, ...]:
    body = entry.body
    if isinstance(body, Insert | Update | Delete | Merge | JoinedUpdate | JoinedDelete):
        items = _write(reader, body, inner)
    elif recursive and isinstance(body, SetOperation):
        items = _set_operation(reader, body, inner, lambda found: _publish(entry, known, found))
    else:
        items = query(reader, body, inner)
    return _extended(entry, items)


def _publish(entry: CommonTable, known: Common, items: tuple[Item, ...]) -> None:
    known.items = _extended(entry, items)


def _extended(entry: CommonTable, items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Alias list applied, and the columns of SEARCH and CYCLE, which hold values of the others."""
    named = renamed(items, entry.column_aliases, entry.name)
    if not entry.extra_columns:
        return named
    sources = united(named)
    return (*named, *(computed(sources, n) for n in entry.extra_columns))


def _write(reader: Reader, body: Write, inner: Scope) -> tuple[Item, ...]:
    from rules.lineage.writes import write  # writes hold queries and the other way round

    return write(reader, body, inner)


# ---------------------------------------------------------------- SELECT


def _select(reader: Reader, q: Select, outer: Scope) -> tuple[Item, ...]:
    inner = with_clause(reader, q.common_tables, q.recursive, outer) if q.common_tables else outer
    scope = reader.dialect.early(from_clause(reader, q.sources, inner), q)
    if q.where is not None:
        condition(reader, q.where, scope)
    reader.settled = q is reader.top
    items = outputs(reader, q.outputs, scope)
    reader.use(Use.PROJECT, united(items))
    scope = reader.dialect.late(scope, q)
    if q.group_by:
        _grouped(reader, q.group_by, scope, items)
    reader.settled = False
    if q.having is not None:
        condition(reader, q.having, scope)
    for e in q.partitions:
        partitioned(reader, value(reader, e, scope), in_order=True)
    if q.windows:
        reader.use(Use.ORDER, united(values(reader, q.windows, scope)))
    if q.distinct:
        _compare(reader, items)
    for e in q.distinct_on:
        item = _ordering(reader, e, scope, items)
        _compare(reader, (item,))
        ordered(reader, item)  # the server sorts by it, whatever ORDER BY says or leaves out
    _finish(reader, q, scope, items)
    if q.locks:
        _locked(reader, q.sources, scope)
    return items


def outputs(reader: Reader, listed: Iterable[Output], scope: Scope) -> tuple[Item, ...]:
    """The select or RETURNING list, stars expanded, every column under its name."""
    items: list[Item] = []
    for output in listed:
        e = output.expression
        if type(e) is Star:
            items += starred(reader, e, scope)
        elif type(e) is Field and e.name is None:
            items += _fields(reader, e, scope)
        else:
            item = value(reader, e, scope)
            items.append(item.named(output.name or _name(reader, e, item)))
    return tuple(items)


def _name(reader: Reader, e: Expression, item: Item) -> str:
    """A scalar subquery is called what its own column is called."""
    return item.name if isinstance(e, Subquery) and e.form == "scalar" else reader.dialect.output_name(e)


def _fields(reader: Reader, e: Field, scope: Scope) -> tuple[Item, ...]:
    """`(row).*`: a row's fields, or those of a composite type the catalog knows."""
    item = value(reader, e.operand, scope)
    if item.row is not None:
        return item.row
    names = _composite_columns(reader, e.operand, item)
    if not names:
        raise Refused("composite", "the columns of (...).* are not certain", "name the fields: (value).field", e.at)
    return tuple(computed(item.sources, n) for n in names)


def _composite_columns(reader: Reader, operand: Expression, item: Item) -> tuple[str, ...]:
    from rules.lineage.functions import columns_of

    if isinstance(operand, Call):
        return columns_of(reader, operand.name, len(operand.arguments))
    return composite_columns(reader, item.type)


def _finish(reader: Reader, q: Select | Values, scope: Scope, items: tuple[Item, ...]) -> None:
    """ORDER BY, LIMIT and OFFSET."""
    for e in q.order_by:
        ordered(reader, _ordering(reader, e, scope, items))
    for limit in (q.limit, q.offset):
        if limit is not None:
            reader.use(Use.FILTER, value(reader, limit, scope).sources)


def _ordering(reader: Reader, e: Expression, scope: Scope, items: tuple[Item, ...]) -> Item:
    """ORDER BY and DISTINCT ON: an output's name or position first, else an expression over the tables."""
    if isinstance(e, Operation) and e.operator.startswith("order_using "):
        e = e.operands[0]
    found = _output(e, items)
    return found if found is not None else value(reader, e, scope)


def _output(e: Expression, items: tuple[Item, ...]) -> Item | None:
    if isinstance(e, Column) and len(e.path) == 1:
        same = [i for i in items if i.name == e.path[0]]
        return same[0] if len(same) == 1 else computed(united(same)) if same else None
    if isinstance(e, Literal) and e.value is not None and e.value.isdecimal():
        position = int(e.value)
        return items[position - 1] if 0 < position <= len(items) else None
    return None


def _grouped(reader: Reader, group_by: Iterable[Expression], scope: Scope, items: tuple[Item, ...]) -> None:
    """GROUP BY: a table's column first, then an output's name or position, else an expression."""
    for e in group_by:
        if isinstance(e, Column) and len(e.path) == 1 and scope.local(e.path[0]) is not None:
            _compare(reader, (value(reader, e, scope),))
        else:
            _compare(reader, (_ordering(reader, e, scope, items),))


def _compare(reader: Reader, items: Iterable[Item]) -> None:
    for item in items:
        partitioned(reader, item)


def _locked(reader: Reader, sources: Iterable[Source], scope: Scope) -> None:
    """FOR UPDATE and FOR SHARE lock rows, for which PostgreSQL itself asks for the right to update."""
    for source in sources:
        if isinstance(source, Join):
            _locked(reader, (source.left, source.right), scope)
        elif isinstance(source, Relation) and not (len(source.name) == 1 and source.name[0] in scope.common):
            reader.touch(reader.find(source.name), Access.UPDATE)


# ---------------------------------------------------------------- VALUES and set operations


def _values(reader: Reader, q: Values, outer: Scope) -> tuple[Item, ...]:
    inner = with_clause(reader, q.common_tables, q.recursive, outer)
    scope = Scope((), inner, inner.common)
    rows = [values(reader, row, scope) for row in q.rows]
    if len({len(row) for row in rows}) > 1:
        raise Refused("values", "the rows of VALUES have different lengths", "give every row the same columns")
    columns = enumerate(zip(zip(*q.rows, strict=True), zip(*rows, strict=True), strict=True), 1)
    items = tuple(_listed(written, _union(column)).named(f"column{i}") for i, (written, column) in columns)
    reader.use(Use.PROJECT, united(items))
    _finish(reader, q, scope, items)
    return items


def _listed(written: Sequence[Expression], column: Item) -> Item:
    """A column of constants: comparing with it is what IN (constants) does."""
    if not all(map(is_constant, written)):
        return column
    return Item(column.name, column.sources, column.direct, column.type, listed=True, weight=column.weight)


def _union(column: Sequence[Item]) -> Item:
    item = column[0]
    for other in column[1:]:
        item = paired(item, other)
    return item


def _set_operation(
    reader: Reader,
    q: SetOperation,
    outer: Scope,
    publish: Callable[[tuple[Item, ...]], None] | None = None,
) -> tuple[Item, ...]:
    """UNION, INTERSECT, EXCEPT. `publish`: tells a recursive CTE its columns so far, until they stand still."""
    inner = with_clause(reader, q.common_tables, q.recursive, outer)
    items = query(reader, q.left, inner)
    settled = False
    while not settled:
        if publish is not None:
            publish(items)
        right = query(reader, q.right, inner)
        before, items = items, _combined(items, right)
        if publish is not None:
            items = tuple(map(_growing, before, items))
        settled = publish is None or _same(before, items)
    if not q.all or q.operator.lower() != "union":
        _compare(reader, items)
    _order_set(reader, q, inner, items)
    return items


def _combined(left: tuple[Item, ...], right: tuple[Item, ...]) -> tuple[Item, ...]:
    if len(left) != len(right):
        raise Refused(
            "set-operation",
            f"the two sides of a set operation have {len(left)} and {len(right)} columns",
            "select the same number of columns on both sides",
        )
    return tuple(map(paired, left, right))


def _same(a: tuple[Item, ...], b: tuple[Item, ...]) -> bool:
    return all(x.traits() == y.traits() for x, y in zip(a, b, strict=True))


def _growing(before: Item, item: Item) -> Item:
    """What grows from one round of a recursion to the next has no bound."""
    if item.weight <= before.weight:
        return item
    grown = Item(item.name, item.sources, item.direct, item.type, item.row, item.mixed, hollow=item.hollow,
                 array=item.array)  # fmt: skip
    grown.weight, grown.fails = hazards.UNBOUND, item.fails
    return grown


def _order_set(reader: Reader, q: SetOperation, inner: Scope, items: tuple[Item, ...]) -> None:
    """ORDER BY of a set operation knows output names and positions only."""
    scope = Scope((Entry(None, items),), inner, inner.common)
    for e in q.order_by:
        ordered(reader, _ordering(reader, e, scope, items))
    for limit in (q.limit, q.offset):
        if limit is not None:
            reader.use(Use.FILTER, value(reader, limit, scope).sources)


_HANDLERS: Final[dict[type, Callable[[Reader, Any, Scope], tuple[Item, ...]]]] = {
    Select: _select,
    Values: _values,
    SetOperation: _set_operation,
}
