"""Views: the columns of the definition behind each of the view's own."""

from __future__ import annotations

from rules.catalog import Catalog, Relation
from rules.facts import ColumnId, FunctionRisk, TableUse
from rules.lineage.dialect import dialect_of
from rules.lineage.postgres import DEFINITION_PATH as DEFINITION_PATH
from rules.lineage.postgres import query_of as query_of
from rules.lineage.queries import query
from rules.lineage.reader import Reader
from rules.lineage.relations import Shape
from rules.lineage.scope import Scope
from rules.lineage.values import Item, MissingRelation, Refused, Sources
from rules.tree import Access


def view_shape(catalog: Catalog, view: Relation) -> Shape | Refused:
    """The view as a readable relation, or why it cannot be read."""
    marker = ("view in work", view.qualified)
    if marker in catalog.derived:
        return _not_understood(view, "it refers to itself")
    catalog.derived[marker] = True
    try:
        return _expanded(catalog, view)
    except Refused as refused:
        return _not_understood(view, refused.problem.reason)
    except MissingRelation as missing:
        return _not_understood(view, f'it reads "{".".join(missing.name)}", which the catalog does not know')
    finally:
        del catalog.derived[marker]


def _expanded(catalog: Catalog, view: Relation) -> Shape:
    if view.definition is None:
        raise Refused("view", "its definition is not known")
    body, path = dialect_of(catalog).definition(catalog, view)
    reader = Reader(catalog, path)
    items = query(reader, body, Scope((), None, {}))
    if len(items) != len(view.columns):
        raise Refused("view", f"its query has {len(items)} columns, the view {len(view.columns)}")
    columns = tuple(_column(view, c.name, c.type, item) for c, item in zip(view.columns, items, strict=True))
    own = TableUse(view.qualified, Access.SELECT)
    below = {TableUse(u.table, u.access, u.through or view.qualified) for u in reader.tables}
    return Shape(
        view,
        columns,
        frozenset({own, *below}),
        frozenset(f for f in reader.functions if f.risk is not FunctionRisk.PURE),
    )


def _column(view: Relation, name: str, type_name: str, item: Item) -> Item:
    own = frozenset({ColumnId(view.schema, view.name, name)})
    row = None if item.row is None else tuple(_owned(i, i.name, i.type, i.row, own) for i in item.row)
    return _owned(item, name, type_name, row, own)


def _owned(item: Item, name: str, of_type: str | None, row: tuple[Item, ...] | None, own: Sources) -> Item:
    """The value as the view's own column too."""
    return Item(
        name, item.sources | own, item.direct, of_type, row, item.mixed, item.listed, item.weight, item.hollow,
        item.fails, item.number, item.tested, item.array,
    )  # fmt: skip


def _not_understood(view: Relation, why: str) -> Refused:
    return Refused(
        "view",
        f'the definition of view "{view.schema}.{view.name}" is not understood: {why}',
        "read the tables under it directly, or ask the database's owner to simplify the view",
    )
