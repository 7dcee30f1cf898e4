"""Name resolution inside one query level, exactly as PostgreSQL's parse_relation.c does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rules.lineage.common import Common
from rules.lineage.values import CONSTANT, Entry, Item, Refused, whole_row

#: Columns that every stored relation has; they tell nothing of its data.
SYSTEM_COLUMNS: Final[frozenset[str]] = frozenset({"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"})


class Scope:
    """The FROM entries of one query level, the level around it, and the CTEs in sight."""

    __slots__ = ("common", "entries", "outer")

    def __init__(self, entries: Sequence[Entry], outer: Scope | None, common: Mapping[str, Common]) -> None:
        self.entries = entries
        self.outer = outer
        self.common = common

    def levels(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer

    def local(self, name: str) -> Item | None:
        """An unqualified column of this level only."""
        found = None
        for entry in self.entries:
            if not entry.columns:
                continue
            item = column_of(entry, name)
            if item is None:
                continue
            if found is not None:
                raise ambiguous(name)
            found = item
        return found

    def column(self, name: str) -> Item | None:
        """An unqualified column: the innermost level that has it."""
        scope: Scope | None = self
        while scope is not None:
            item = scope.local(name)
            if item is not None:
                return item
            scope = scope.outer
        return None

    def entry(self, name: str) -> Entry | None:
        """A FROM entry by its name: the innermost level that has it."""
        scope: Scope | None = self
        while scope is not None:
            found = [e for e in scope.entries if e.rows and e.name == name]
            if len(found) > 1:
                raise ambiguous(name)
            if found:
                return found[0]
            scope = scope.outer
        return None

    def qualified_entry(self, schema: str, name: str) -> Entry | None:
        """`schema.table`: only a relation that has no alias answers to it."""
        for level in self.levels():
            found = [e for e in level.entries if e.rows and e.relation and e.relation.qualified == (schema, name)]
            if len(found) > 1:
                raise ambiguous(f"{schema}.{name}")
            if found:
                return found[0]
        return None


def column_of(entry: Entry, name: str) -> Item | None:
    """The entry's column of that name, system columns included; None when it has none."""
    by_name = entry.by_name
    if name in by_name:
        item = by_name[name]
        if item is None:
            raise ambiguous(name)
        return item
    if entry.system and name in SYSTEM_COLUMNS:
        return CONSTANT.named(name)
    return None


def ambiguous(name: str) -> Refused:
    return Refused(
        "ambiguous",
        f'the name "{name}" is ambiguous',
        "qualify it with its table's name or alias",
        said=f'column reference "{name}" is ambiguous',
        about=name,
    )


def reference(scope: Scope, path: tuple[str, ...]) -> Item | None:
    """`a`, `t.a` or `s.t.a` as a column or whole row; None when nothing of that name is in sight."""
    if len(path) == 1:
        item = scope.column(path[0])
        if item is not None:
            return item
        entry = scope.entry(path[0])
        return whole_row(entry) if entry else None
    entry = entry_of(scope, path[:-1])
    return column_of(entry, path[-1]) if entry else None


def entry_of(scope: Scope, path: tuple[str, ...]) -> Entry | None:
    """The FROM entry that the qualifier `t`, `s.t` or `db.s.t` names."""
    if len(path) == 1:
        return scope.entry(path[0])
    return scope.qualified_entry(path[-2], path[-1])
