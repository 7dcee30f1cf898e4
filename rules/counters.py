"""The server's counters of rows that statements have looked at, for roles from which a filter hides rows.

`idx_tup_fetch` before and after a statement tells how many rows an index found, hidden ones too: a condition on them
could be tried value by value.
"""

from __future__ import annotations

from typing import Final

from rules.decision import Refusal
from rules.denying import REFUSED
from rules.facts import Facts
from rules.roles import RoleView
from rules.touching import read_columns

COUNTERS: Final = "dbgate:filter"
_FAMILIES: Final = ("pg_stat_", "pg_statio_")
_ROWS_READ: Final = frozenset(
    """
    seq_tup_read idx_tup_fetch idx_tup_read tup_returned tup_fetched blks_read blks_hit heap_blks_read heap_blks_hit
    idx_blks_read idx_blks_hit toast_blks_read toast_blks_hit tidx_blks_read tidx_blks_hit""".split()  # noqa: SIM905
)


def telling_counters(facts: Facts, view: RoleView) -> Refusal | None:
    """A law: counters of rows read, for a role with filters."""
    if not view.filters:
        return None
    for column in sorted(read_columns(facts)):
        if column.schema == "pg_catalog" and column.table.startswith(_FAMILIES) and column.column in _ROWS_READ:
            return _refusal(column.table, column.column, view)
    return None


def _refusal(table: str, column: str, view: RoleView) -> Refusal:
    rules = ", ".join(sorted(rule.id for rule, _ in view.filters))
    detail = f'{COUNTERS}: {table}.{column} counts rows that rule "{rules}" hides from role "{view.role}"'
    return Refusal(COUNTERS, REFUSED, detail, f"name the columns that you need, without {column} and its like")
