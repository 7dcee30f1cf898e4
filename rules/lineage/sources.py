"""The FROM clause: tables, subqueries, functions and joins as entries of a scope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from rules.lineage import functions, hazards
from rules.lineage.conditions import condition, merged
from rules.lineage.equality import is_constant
from rules.lineage.expressions import value
from rules.lineage.reader import Reader
from rules.lineage.relations import Shape, shape
from rules.lineage.scope import Scope
from rules.lineage.values import Entry, Item, Refused, computed, paired
from rules.tree import Call, Derived, Expression, FunctionSource, Join, Relation, Source

#: All entries that a FROM item brings into the namespace, and the one that stands for the item as a whole.
Brought: TypeAlias = tuple[list[Entry], Entry]


def from_clause(reader: Reader, sources: Sequence[Source], outer: Scope) -> Scope:
    """The scope of a query level. Each item sees those before it only where it is LATERAL."""
    entries: list[Entry] = []
    for item in sources:
        brought, _ = bring(reader, item, entries, outer)
        entries = entries + brought if entries else brought
    return Scope(entries, outer, outer.common)


def bring(reader: Reader, item: Source, before: list[Entry], outer: Scope) -> Brought:
    return _HANDLERS[type(item)](reader, item, before, outer)


def renamed(items: tuple[Item, ...], names: tuple[str, ...], what: str) -> tuple[Item, ...]:
    """The columns under an alias list, which may be shorter than the table."""
    if not names:
        return items
    if len(names) > len(items):
        raise Refused("column-aliases", f'"{what}" has {len(items)} columns but {len(names)} column aliases')
    return (*(i.named(n) for i, n in zip(items, names, strict=False)), *items[len(names) :])


# ---------------------------------------------------------------- tables


def table(reader: Reader, item: Relation, before: list[Entry], outer: Scope) -> Brought:
    for argument in item.sample:  # how many rows are read; only an outer query's columns are in sight
        hazards.told(reader, value(reader, argument, outer).sources)
    common = outer.common.get(item.name[0]) if len(item.name) == 1 else None
    if common is not None:
        alias = item.alias or item.name[0]
        entry = Entry(alias, renamed(common.columns(), item.column_aliases, alias))
        return [entry], entry
    entry = table_entry(reader, item)
    return [entry], entry


def table_entry(reader: Reader, item: Relation) -> Entry:
    """A stored relation or view that is read."""
    relation = reader.find(item.name, item.start)
    known = shape(reader.catalog, relation, item.only)
    reader.tables |= known.tables
    reader.functions |= known.functions
    return entry_of_shape(reader, item, relation_name=relation.name, known=known, relation=relation)


def entry_of_shape(reader: Reader, item: Relation, relation_name: str, known: Shape, relation: Any) -> Entry:
    alias = item.alias or relation_name
    items = renamed(known.items, item.column_aliases, alias)
    return Entry(
        alias,
        items,
        by_name=known.by_name if items is known.items else None,
        relation=reader.dialect.entry_schema(relation, item.alias),
        system=known.system,
        composite=known.composite,
    )


# ---------------------------------------------------------------- subqueries


def derived(reader: Reader, item: Derived, before: list[Entry], outer: Scope) -> Brought:
    from rules.lineage.queries import query  # queries hold FROM clauses and the other way round

    around = Scope(before, outer, outer.common) if item.lateral else outer
    items = renamed(query(reader, item.query, around), item.column_aliases, item.alias or "subquery")
    entry = Entry(item.alias, items)
    return [entry], entry


# ---------------------------------------------------------------- functions


def function(reader: Reader, item: FunctionSource, before: list[Entry], outer: Scope) -> Brought:
    around = Scope(before, outer, outer.common)  # functions in FROM see the items before them without LATERAL
    if item.record_columns and len(item.calls) > 1:
        raise Refused(
            "function",
            "it is not certain which columns belong to which function of ROWS FROM",
            "call the functions with column lists one by one and join them",
        )
    columns: list[Item] = []
    scalar = len(item.calls) == 1 and not item.record_columns and not item.ordinality
    for call in item.calls:
        found, single = _function_columns(reader, call, item, around)
        columns += found
        scalar = scalar and single
    if item.ordinality:
        columns.append(Item("ordinality"))
    items = renamed(tuple(columns), item.column_aliases, item.alias or "function")
    entry = Entry(item.alias or _function_name(item), items, scalar=scalar)
    return [entry], entry


def _function_columns(reader: Reader, call: Expression, item: FunctionSource, around: Scope) -> tuple[list[Item], bool]:
    result = value(reader, call, around)
    if not (isinstance(call, Call) and hazards.is_list(reader, call)):
        hazards.told(reader, result.sources)  # how many rows come, and whether any
    if isinstance(call, Call) and call.name == ("unnest",) and len(call.arguments) > 1:
        return [_unnested(reader, a, around) for a in call.arguments], False
    names = item.record_columns or _known_columns(reader, call, around)
    if names:
        return [computed(result.sources, n) for n in names], len(names) == 1
    name = item.alias if item.alias and len(item.calls) == 1 else _call_name(call)
    if isinstance(call, Call) and functions.is_built_in(reader, call.name, "unnest") and len(call.arguments) == 1:
        return [_unnested(reader, call.arguments[0], around).named(name)], True
    return [computed(result.sources, name)], True


def _unnested(reader: Reader, array: Expression, around: Scope) -> Item:
    """The elements of an array; of a constant or parameter they are a list of constants, as in = ANY (array)."""
    sources = value(reader, array, around).sources
    return Item("unnest", sources, not sources, listed=is_constant(array))


def _known_columns(reader: Reader, call: Expression, around: Scope) -> tuple[str, ...]:
    """The columns of a row-returning function; its first argument's type may decide them."""
    if isinstance(call, Call):
        names = functions.columns_of(reader, call.name, len(call.arguments))
        return names or _polymorphic_columns(reader, call, around)
    return ()


_BY_ARGUMENT: Final = frozenset(
    {"json_populate_record", "json_populate_recordset", "jsonb_populate_record", "jsonb_populate_recordset"}
)


def _polymorphic_columns(reader: Reader, call: Call, around: Scope) -> tuple[str, ...]:
    """`json_populate_record(null::t, ...)` returns t's columns, `unnest(array of t)` too."""
    name = call.name[-1]
    if not call.arguments or (name != "unnest" and name not in _BY_ARGUMENT):
        return ()
    first = value(reader, call.arguments[0], around)
    if first.row is not None:
        return tuple(i.name for i in first.row)
    names = composite_columns(reader, first.type)
    if not names and name != "unnest":
        raise Refused(
            "function", f"the columns that {name} returns are not certain", "add ::type to its first argument"
        )
    return names


def composite_columns(reader: Reader, type_name: str | None) -> tuple[str, ...]:
    """The columns of a composite type, or of arrays of it, by its qualified name; empty for any other type."""
    schema, _, name = (type_name or "").removesuffix("[]").rpartition(".")
    relation = reader.catalog.by_name.get((schema.strip('"'), name.strip('"')))
    return tuple(c.name for c in relation.columns) if relation else ()


def _call_name(call: Expression) -> str:
    from rules.lineage.names import output_name

    return output_name(call)


def _function_name(item: FunctionSource) -> str:
    return _call_name(item.calls[0])


# ---------------------------------------------------------------- joins


def join(reader: Reader, item: Join, before: list[Entry], outer: Scope) -> Brought:
    left, left_top = bring(reader, item.left, before, outer)
    right, right_top = bring(reader, item.right, before + left, outer)
    first, second = reader.dialect.sides(item, left_top, right_top)
    names = _common_names(first, second) if item.natural else reader.dialect.using(item, first)
    merged_items = tuple(_merged(reader, first, second, n) for n in names)
    inside = left + right
    if item.on is not None:
        condition(reader, item.on, Scope(inside, outer, outer.common), join=True)
    top = _joined(item, merged_items, first, second, names)
    return _visible(item, inside, merged_items, top), top


def _common_names(left: Entry, right: Entry) -> tuple[str, ...]:
    return tuple(i.name for i in left.items if i.name in right.by_name)


def _merged(reader: Reader, left: Entry, right: Entry, name: str) -> Item:
    a, b = left.by_name.get(name), right.by_name.get(name)
    if a is None or b is None:
        raise Refused("column", f'USING column "{name}" is not exactly once on both sides of the join', about=name)
    merged(reader, a, b)
    return paired(a, b)


def _joined(item: Join, merged_items: tuple[Item, ...], left: Entry, right: Entry, names: tuple[str, ...]) -> Entry:
    rest = [i for side in (left, right) for i in side.items if i.name not in names]
    items = renamed((*merged_items, *rest), item.column_aliases, item.alias or "join")
    entry = Entry(item.alias, items)
    entry.system = False
    return entry


def _visible(item: Join, inside: list[Entry], merged_items: tuple[Item, ...], top: Entry) -> list[Entry]:
    """What of a join can be named: an alias hides everything inside; without one only table names stay."""
    if item.alias is not None:
        return [top]
    for entry in inside:
        entry.columns = False
    if item.using_alias is not None:
        only_merged = Entry(item.using_alias, merged_items)
        only_merged.columns = False
        inside = [*inside, only_merged]
    return [*inside, top]


_HANDLERS: Final[dict[type, Callable[[Reader, Any, list[Entry], Scope], Brought]]] = {
    Relation: table,
    Derived: derived,
    FunctionSource: function,
    Join: join,
}
