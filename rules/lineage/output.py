"""The output columns of a query by themselves, for making views out of DDL."""

from __future__ import annotations

from rules.catalog import Catalog, Relation
from rules.lineage.dialect import dialect_of
from rules.lineage.queries import query
from rules.lineage.reader import Reader
from rules.lineage.scope import Scope
from rules.lineage.values import MissingRelation, Refused


def output_names(text: str, catalog: Catalog, path: tuple[str, ...] = ()) -> list[tuple[str, str | None]] | str:
    """(name, type if known) of each column that the query in `text` returns, or why it is not known. `path`: where its
    unqualified names are looked up, if not where the dialect's views have them."""
    view = Relation(0, "", "", "v", definition=text, path=path)
    try:
        body, where = dialect_of(catalog).definition(catalog, view)
        items = query(Reader(catalog, where), body, Scope((), None, {}))
    except Refused as refused:
        return refused.problem.reason
    except MissingRelation as missing:
        return f'relation "{".".join(missing.name)}" does not exist; create it first'
    return [(item.name, item.type) for item in items]
