"""A text as the catalog's server reads it."""

from __future__ import annotations

from rules.catalog import Catalog
from rules.mysql import read as read_text
from rules.tree import Statement, Unparsable


def read(text: str, catalog: Catalog) -> tuple[Statement, ...] | Unparsable:
    """The statements of a text, by the grammar of the catalog's server."""
    folds = catalog.lower_case_table_names != 0
    return read_text(text, catalog.dialect, catalog.server_version, folds=folds)
