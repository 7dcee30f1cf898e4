"""What a statement touches, in the words that rules use."""

from __future__ import annotations

from rules.facts import ColumnId, Facts, TableId, TableUse
from rules.own_world import TEMPORARY
from rules.tree import Access

#: kinds whose table uses go by their access alone; of any other kind each use is also a use by that kind
ROW_KINDS = frozenset({"select", "insert", "update", "delete"})

SHAPING_KINDS = frozenset({"create", "alter", "drop"})
SHAPING = frozenset({Access.CREATE, Access.ALTER, Access.DROP})


def use_words(use: TableUse, kind: str) -> frozenset[str]:
    """By which of the rule file's `statements` a deny rule may mean this use."""
    own = kind if use.access is Access.OTHER else use.access.value
    if kind in ROW_KINDS or (kind == "merge" and use.access is Access.SELECT):
        return frozenset({own})
    return frozenset({own, kind})


def statement_words(facts: Facts) -> frozenset[str]:
    return frozenset({facts.kind}).union(*(use_words(use, facts.kind) for use in facts.tables))


def read_columns(facts: Facts) -> frozenset[ColumnId]:
    """Every column that is returned, copied or used in any way."""
    found = {use.column for use in facts.uses}
    found.update(source for output in facts.outputs or () for source in output.sources)
    for written, sources in facts.copies:
        found.update(sources)
        if written is not None:
            found.add(written)
    return frozenset(found)


def show_table(table: TableId) -> str:
    return f"{table[0]}.{table[1]}"


def changes_own(facts: Facts) -> bool:
    """Does it create, alter or drop temporary relations of the session's own, and nothing else?"""
    if facts.kind not in SHAPING_KINDS:
        return False
    if facts.temporary:
        return True
    shaped = [use.table for use in facts.tables if use.access in SHAPING]
    return bool(shaped) and all(schema == TEMPORARY for schema, _ in shaped)


def direct_tables(facts: Facts) -> tuple[TableUse, ...]:
    """The tables that the statement itself names, in a stable order."""
    return tuple(sorted((u for u in facts.tables if u.through is None), key=lambda u: (u.table, u.access.value)))
