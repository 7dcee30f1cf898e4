"""The output columns of a query by themselves, for making views out of DDL."""

from __future__ import annotations

from rules.catalog import Catalog
from rules.lineage.queries import query
from rules.lineage.reader import Reader
from rules.lineage.scope import Scope
from rules.lineage.values import MissingRelation, Refused
from rules.lineage.views import DEFINITION_PATH, query_of


def output_names(text: str, catalog: Catalog) -> list[tuple[str, str | None]] | str:
    """(name, type if known) of each column that the query in `text` returns, or why it is not known."""
    try:
        items = query(Reader(catalog, DEFINITION_PATH), query_of(text), Scope((), None, {}))
    except Refused as refused:
        return refused.problem.reason
    except MissingRelation as missing:
        return f'relation "{".".join(missing.name)}" does not exist; create it first'
    return [(item.name, item.type) for item in items]
