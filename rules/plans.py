"""EXPLAIN: what a plan shows.

The planner reads statistics of the columns that a statement names: their widths for what is returned or sorted, their
distribution for conditions, joins and groups. Of other columns it reads nothing, and the sizes of tables and indexes
are public. So a plan tells nothing hidden while no hidden column is named, in the text or in the definition of a view.

One thing more: a statement that needs no column at all (`count(*)`) may be answered from an index of a hidden column,
whose cost follows from the order in which its values were stored. So each table must have a column that is named.
"""

from __future__ import annotations

from typing import Final

from rules.decision import Refusal
from rules.denying import REFUSED
from rules.facts import ColumnId, Facts, FunctionRisk, TableId
from rules.granting import is_harmless
from rules.hiding import hides
from rules.roles import RoleView
from rules.touching import show_table
from rules.tree import Access

EXPLAIN: Final = "dbgate:explain"
_VIEWS: Final = frozenset("vm")


def revealing_plan(facts: Facts, view: RoleView) -> Refusal | None:
    """A plan that would show statistics of hidden data."""
    if facts.kind != "explain" or not hides(facts, view) or _tells_nothing(facts, view):
        return None
    hidden = sorted({show_table(use.table) for use in facts.tables if view.hides_in(use.table)})
    what = f"of {', '.join(hidden)}, where columns are hidden" if hidden else "of functions or writes"
    detail = f'the plan {what} from role "{view.role}", would show what is in the data'
    named = sorted(str(column) for column in _named(facts) if _is_hidden(column, view))
    other = f"EXPLAIN one without {', '.join(named)}" if named else "name open columns of each table"
    return Refusal(EXPLAIN, REFUSED, detail, f"run the statement itself, or {other}")


def _tells_nothing(facts: Facts, view: RoleView) -> bool:
    if any(f.risk is not FunctionRisk.PURE and not is_harmless(f) for f in facts.functions):
        return False
    if any(use.access is not Access.SELECT and (facts.executes or view.hides_in(use.table)) for use in facts.tables):
        return False
    if any(use.through is not None and _is_view(use.through, view) for use in facts.tables if view.hides_in(use.table)):
        return False
    named = _named(facts)
    tables = {column.table_id for column in named}
    return not any(_is_hidden(column, view) for column in named) and all(
        use.table in tables and not (view.filtering(use.table) or view.filtered_below(use.table))
        for use in facts.tables
        if view.hides_in(use.table)
    )


def _named(facts: Facts) -> set[ColumnId]:
    return {use.column for use in facts.uses} | {column for _, sources in facts.copies for column in sources}


def _is_hidden(column: ColumnId, view: RoleView) -> bool:
    return bool(view.maskings(column)) or view.denied_column(column) is not None


def _is_view(table: TableId, view: RoleView) -> bool:
    relation = view.catalog.by_name.get(table)
    return relation is None or relation.kind in _VIEWS
