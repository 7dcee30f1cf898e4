"""What a name means inside a query, as MySQL and MariaDB resolve it (sql_base.cc and item.cc: find_field_in_tables,
resolve_ref_in_select_and_group).

A table's column of the innermost level that has one comes first. Besides that, a name may mean an alias of a select
list: in GROUP BY, HAVING and ORDER BY, and in subqueries of the same level. Which of both it is depends on the clause
and on the server's version, so where both are there both count: the value may come from either."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

from rules.lineage.reader import Reader
from rules.lineage.scope import Scope, ambiguous, column_of
from rules.lineage.values import Entry, Item, Refused, paired
from rules.tree import Column, Expression, Output, Select


class Level(Scope):
    """A query level whose select list is known. `late`: its aliases are in sight of its own names too, not only of
    those in its subqueries."""

    __slots__ = ("busy", "known", "late", "outputs")

    def __init__(self, scope: Scope, outputs: tuple[Output, ...], late: bool) -> None:
        super().__init__(scope.entries, scope.outer, scope.common)
        self.outputs = outputs
        self.late = late
        self.busy: set[str] = set()
        self.known: dict[str, Item | None] = {}

    def listing(self) -> Level:
        """The level as the select list itself sees it: without its own aliases."""
        if not self.late:
            return self
        seen = Level(self, self.outputs, late=False)
        seen.busy, seen.known = self.busy, self.known
        return seen


def leveled(scope: Scope, q: Select, late: bool) -> Scope:
    """The scope with what its select list names, where it names anything."""
    named = tuple(o for o in q.outputs if o.name is not None)
    return Level(scope, named, late) if named else scope


def column(reader: Reader, e: Column, scope: Scope) -> Item | None:
    """Raises Refused for a name that is ambiguous to the server too."""
    if len(e.path) > 1:
        entry = entry_of(scope, e.path[:-1])
        return column_of(entry, e.path[-1].lower()) if entry is not None else None
    found = list(_meanings(reader, e.path[0].lower(), scope))
    if not found:
        return None
    return reduce(paired, found)


def _meanings(reader: Reader, name: str, scope: Scope) -> Iterator[Item]:
    for level in scope.levels():
        item = level.local(name)
        inner = level is not scope
        if item is not None:
            yield item
        if isinstance(level, Level) and (level.late or inner) and (item is None or level.late):
            aliased = _aliased(reader, name, level)
            if aliased is not None:
                yield aliased
        if item is not None:
            return


def _aliased(reader: Reader, name: str, level: Level) -> Item | None:
    """The value that the select list has under that alias; all of them, where there are several."""
    if name not in level.known:
        named = [o.expression for o in level.outputs if o.name is not None and o.name.lower() == name]
        level.known[name] = _value(reader, name, named, level) if named else None
    return level.known[name]


def _value(reader: Reader, name: str, named: list[Expression], level: Level) -> Item:
    from rules.lineage.expressions import values  # expressions are made of names

    if name in level.busy:
        raise Refused("alias", f'the alias "{name}" refers to itself', "write the expression itself")
    level.busy.add(name)
    try:
        return reduce(paired, values(reader, named, level.listing()))
    finally:
        level.busy.discard(name)


# ---------------------------------------------------------------- qualifiers


def entry_of(scope: Scope, path: tuple[str, ...]) -> Entry | None:
    """The FROM entry that `t` or `db.t` names, the innermost first. An alias answers to its table's database too. Names
    of information_schema are the same in any case, which the server tells apart elsewhere: so an exact one comes
    first."""
    return _entry(scope, path, exact=True) or _entry(scope, path, exact=False)


def _entry(scope: Scope, path: tuple[str, ...], exact: bool) -> Entry | None:
    for level in scope.levels():
        found = [e for e in level.entries if e.rows and _answers(e, path, exact)]
        if len(found) > 1:
            raise ambiguous(".".join(path))
        if found:
            return found[0]
    return None


def _answers(entry: Entry, path: tuple[str, ...], exact: bool) -> bool:
    if not _same(entry.name or "", path[-1], exact):
        return False
    if len(path) == 1 or entry.relation is None:  # a derived table has no database, and takes any
        return True
    return _same(entry.relation.schema, path[-2], exact)


def _same(one: str, other: str, exact: bool) -> bool:
    return one == other if exact else one.lower() == other.lower()
