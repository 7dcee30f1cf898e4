"""Columns of readable system catalogs that are closed all the same, unless a rule names the catalog.

`pg_subscription.subconninfo` and, once there is a foreign server, `pg_foreign_server.srvoptions` can hold passwords;
the rest of both is what pg_dump and psql ask for. For roles from which a filter hides rows, the counters of rows read
are closed as well: `idx_tup_fetch` before and after a statement tells how many rows an index found, hidden ones too, so
that a condition on them could be tried value by value.
"""

from __future__ import annotations

from typing import Final

from rules.decision import Refusal
from rules.denying import REFUSED
from rules.facts import ColumnId, Facts
from rules.granting import SYSTEM_CATALOG, covers_table
from rules.roles import RoleView
from rules.touching import read_columns

FILTER: Final = "dbgate:filter"
_CATALOG: Final = "pg_catalog"
_SECRETS: Final = "may hold a password"
_FAMILIES: Final = ("pg_stat_", "pg_statio_")
_ROWS_READ: Final = frozenset(
    """
    seq_tup_read idx_tup_fetch idx_tup_read tup_returned tup_fetched blks_read blks_hit heap_blks_read heap_blks_hit
    idx_blks_read idx_blks_hit toast_blks_read toast_blks_hit tidx_blks_read tidx_blks_hit""".split()  # noqa: SIM905
)


def closed_columns(facts: Facts, view: RoleView) -> Refusal | None:
    """A law: what is read of the system catalogs leaves these columns out."""
    if view.may_do_everything:
        return None
    for column in sorted(read_columns(facts)):
        if column.schema == _CATALOG and (found := _closed(column, view)) and not _named(column, view):
            rule, why = found
            detail = f"{rule}: {column.table}.{column.column} {why}"
            return Refusal(rule, REFUSED, detail, f"name the columns that you need, without {column.column}")
    return None


def _closed(column: ColumnId, view: RoleView) -> tuple[str, str] | None:
    """The law's name, and why the column is closed."""
    name = (column.table, column.column)
    if name == ("pg_subscription", "subconninfo"):
        return SYSTEM_CATALOG, _SECRETS
    if name == ("pg_foreign_server", "srvoptions") and view.catalog.foreign_servers:
        return SYSTEM_CATALOG, _SECRETS
    if view.filters and column.table.startswith(_FAMILIES) and column.column in _ROWS_READ:
        rules = ", ".join(sorted(rule.id for rule, _ in view.filters))
        return FILTER, f'counts rows that rule "{rules}" hides from role "{view.role}"'
    return None


def _named(column: ColumnId, view: RoleView) -> bool:
    return any("select" in a.statements and covers_table(a, column.table_id, view) for _, a in view.allows)
