"""What differs between the databases in how a tree is read: one object for each, asked wherever the rest is alike."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol

from rules.catalog import Catalog, Column, Relation
from rules.facts import FunctionUse

if TYPE_CHECKING:
    from rules import tree
    from rules.lineage.numbers import Number
    from rules.lineage.reader import Reader
    from rules.lineage.scope import Scope
    from rules.lineage.values import Entry, Item


class Dialect(Protocol):
    def is_system(self, schema: str) -> bool:
        """Whether a schema is the system's, in which a view is taken for a table."""

    def path(self, search_path: tuple[str, ...]) -> tuple[str, ...]:
        """Where a relation without a schema is looked up, in order."""

    def lookup(self, reader: Reader, name: tuple[str, ...]) -> Relation | None:
        """The relation that a name means. Raises Refused for a name with too many parts."""

    def own_places(self, reader: Reader, name: str, creates: bool, temporary: bool) -> list[tuple[str, str]]:
        """Where a relation without a schema is that the catalog does not know: one to be created, or dropped."""

    def definition(self, catalog: Catalog, view: Relation) -> tuple[tree.Query, tuple[str, ...]]:
        """A view's query, and where its unqualified names are looked up. Raises Refused when it is not read."""

    def candidates(self, catalog: Catalog, name: tuple[str, ...], path: tuple[str, ...]) -> frozenset[FunctionUse]:
        """All functions that a call of the name may run."""

    def number(self, catalog: Catalog, column: Column) -> Number | None:
        """What is known of the size of a stored column's values."""

    def column(self, reader: Reader, e: tree.Column, scope: Scope) -> Item | None:
        """What a column reference means; None for a name that is not in sight."""

    def entry(self, scope: Scope, path: tuple[str, ...]) -> Entry | None:
        """The FROM entry that a qualifier names."""

    def entry_schema(self, relation: Relation, alias: str | None) -> Relation | None:
        """The relation by whose schema an entry can be qualified, if it can."""

    def early(self, scope: Scope, q: tree.Select) -> Scope:
        """The scope of WHERE and the select list itself."""

    def late(self, scope: Scope, q: tree.Select) -> Scope:
        """The scope of GROUP BY, HAVING, ORDER BY and named windows, to which the select list is known."""

    def inserting(self, target: Entry, w: tree.Insert, outer: Scope) -> Scope:
        """What is in sight of the values that are inserted."""

    def conflicting(self, reader: Reader, scope: Scope, w: tree.Insert) -> Scope:
        """What is in sight of the assignments where a row is there already."""

    def sides(self, join: tree.Join, left: Entry, right: Entry) -> tuple[Entry, Entry]:
        """In which order `*` takes the columns of both sides."""

    def using(self, join: tree.Join, first: Entry) -> tuple[str, ...]:
        """In which order it takes those of USING."""

    def output_name(self, e: tree.Expression) -> str:
        """The name of an output column without an alias."""

    def of_call(self, reader: Reader, e: tree.Call, arguments: list[Item], made: Item) -> None:
        """Notes the hazards of a call, and in `made`, its value, what follows from them."""

    def of_operation(self, reader: Reader, e: tree.Operation, operands: list[Item], made: Item) -> None:
        """The same of any other expression."""

    def of_cast(self, reader: Reader, e: tree.Cast, item: Item) -> tuple[bool, Number | None]:
        """The same of a cast: whether it may fail, and what is known of the result's size."""

    def tells_by_null(self, e: tree.Subquery) -> bool:
        """Whether the subquery's value may be NULL for values that are not."""

    def alike(self, reader: Reader, left: tree.Expression | None, a: Item, right: tree.Expression | None,
              b: Item | None) -> bool:  # fmt: skip
        """Whether comparing them for equality tells no more than that: neither becomes another type first. Without
        expressions, whose values are stored ones; `b` None: of a constant."""


@cache
def _postgres() -> Dialect:
    from rules.lineage.postgres import PostgresDialect  # it knows the whole resolver

    return PostgresDialect()


@cache
def _mysql() -> Dialect:
    from rules.mysql.dialect import MySQLDialect

    return MySQLDialect()


def dialect_of(catalog: Catalog) -> Dialect:
    return _postgres() if catalog.dialect == "postgres" else _mysql()
