"""What reading a relation means: its columns with their base columns, and the tables under it."""

from __future__ import annotations

from collections.abc import Iterator

from rules.catalog import Catalog, Relation
from rules.facts import ColumnId, FunctionUse, TableUse
from rules.lineage.dialect import dialect_of
from rules.lineage.dimensions import is_array
from rules.lineage.values import Item, Refused, index
from rules.tree import Access

VIEWS = frozenset("vm")
READABLE_KINDS = frozenset("rpvmfS")


class Shape:
    """A relation ready to stand in FROM; the same for every statement, so it is kept with the catalog."""

    __slots__ = ("by_name", "composite", "functions", "items", "system", "tables")

    def __init__(
        self,
        relation: Relation,
        items: tuple[Item, ...],
        tables: frozenset[TableUse],
        functions: frozenset[FunctionUse] = frozenset(),
    ) -> None:
        hidden = {c.name for c in relation.columns if c.invisible}
        self.items = tuple(i for i in items if i.name not in hidden) if hidden else items
        self.by_name = index(items)
        self.tables = tables
        self.functions = functions
        self.system = relation.kind != "v"
        self.composite = f"{relation.schema}.{relation.name}"


def shape(catalog: Catalog, relation: Relation, only: bool = False) -> Shape:
    """Raises Refused for a relation that cannot be read, or a view whose definition is not understood."""
    key = ("shape", relation.oid, relation.qualified, only)
    found = catalog.derived.get(key)
    if isinstance(found, Shape):
        return found
    if isinstance(found, Refused):
        raise found
    made = _made(catalog, relation, only)
    catalog.derived[key] = made
    if isinstance(made, Refused):
        raise made
    return made


def _made(catalog: Catalog, relation: Relation, only: bool) -> Shape | Refused:
    if relation.kind not in READABLE_KINDS:
        return Refused("relation", f'"{relation.name}" is not a table or view', "")
    if relation.kind in VIEWS and not dialect_of(catalog).is_system(relation.schema):
        from rules.lineage.views import view_shape  # views are read by the whole resolver

        return view_shape(catalog, relation)
    return _stored(catalog, relation, only)


def _stored(catalog: Catalog, relation: Relation, only: bool) -> Shape:
    family = related(catalog, relation, only)
    dialect = dialect_of(catalog)
    items = tuple(
        Item(
            c.name,
            frozenset(ColumnId(*r.qualified, c.name) for r in family if r.column(c.name)),
            True,
            c.type,
            number=dialect.number(catalog, c),
            array=is_array(catalog, c),
        )
        for c in relation.columns
    )
    return Shape(relation, items, uses_of(catalog, relation, Access.SELECT, only))


def related(catalog: Catalog, relation: Relation, only: bool) -> tuple[Relation, ...]:
    """The relation, its children (unless ONLY) and the ancestors of all of them: rules on any of them apply."""
    members = [relation] if only else [relation, *(child for child, _ in descendants(catalog, relation))]
    found = {r.oid: r for r in members}
    for member in members:
        found.update((a.oid, a) for a in ancestors(catalog, member))
    return tuple(found.values())


def descendants(catalog: Catalog, relation: Relation) -> Iterator[tuple[Relation, Relation]]:
    """Each (child, its parent) below the relation."""
    for child in catalog.children.get(relation.oid, ()):
        yield child, relation
        yield from descendants(catalog, child)


def ancestors(catalog: Catalog, relation: Relation) -> Iterator[Relation]:
    for oid in relation.parents:
        parent = catalog.by_oid.get(oid)
        if parent is not None:
            yield parent
            yield from ancestors(catalog, parent)


def uses_of(catalog: Catalog, relation: Relation, access: Access, only: bool = False) -> frozenset[TableUse]:
    """The relation itself, every child that the same access reaches, and the ancestors whose rows these are."""
    children = () if only else descendants(catalog, relation)
    below = {TableUse(child.qualified, access, parent.qualified) for child, parent in children}
    above = {TableUse(parent.qualified, access, relation.qualified) for parent in ancestors(catalog, relation)}
    return frozenset({TableUse(relation.qualified, access), *below, *above})
