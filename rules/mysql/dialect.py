"""MySQL's and MariaDB's way to read a tree, where it differs from PostgreSQL's."""

from __future__ import annotations

from rules import tree
from rules.catalog import Catalog, Column, Relation
from rules.facts import FunctionUse
from rules.lineage import numbers
from rules.lineage.queries import with_clause
from rules.lineage.reader import Reader
from rules.lineage.scope import Scope
from rules.lineage.sources import from_clause
from rules.lineage.values import Entry, Item, Refused
from rules.mysql import comparing, hazards, resolving
from rules.mysql.column_types import number_of
from rules.mysql.functions import candidates
from rules.naming import is_mysql_database
from rules.tree import Query, Select, SetOperation, Unparsable, Values

INFORMATION_SCHEMA = "information_schema"


class MySQLDialect:
    def is_system(self, schema: str) -> bool:
        return is_mysql_database(schema)

    def path(self, search_path: tuple[str, ...]) -> tuple[str, ...]:
        """The default database, if there is one."""
        return search_path[:1]

    def lookup(self, reader: Reader, name: tuple[str, ...]) -> Relation | None:
        if len(name) > 2:
            raise Refused("name", f'"{".".join(name)}" has too many parts', "write database.table")
        if len(name) == 1:
            if not reader.path:
                raise Refused(
                    "database", "no database is selected",
                    "name a database in the DSN, USE one, or write database.table; whoever runs the gate may also give "
                    "the database a `listen` of its own",
                    said="No database selected",
                )  # fmt: skip
            name = (reader.path[0], name[0])
        schema, table = name
        if schema.lower() == INFORMATION_SCHEMA:
            schema, table = INFORMATION_SCHEMA, table.lower()
        return reader.catalog.by_name.get((schema, table))

    def own_places(self, reader: Reader, name: str, creates: bool, temporary: bool) -> list[tuple[str, str]]:
        return [(reader.path[0] if reader.path else "", name)]

    def definition(self, catalog: Catalog, view: Relation) -> tuple[Query, tuple[str, ...]]:
        """The server keeps a view's text with every name qualified, and in its default sql_mode."""
        from rules.mysql.front_end import read

        found = read(view.definition or "", catalog)
        if isinstance(found, Unparsable):
            raise Refused("view", found.reason)
        body = found[0].body if len(found) == 1 else None
        if not isinstance(body, Select | Values | SetOperation):
            raise Refused("view", "its definition is not a query")
        return body, view.path or (view.schema,)

    def candidates(self, catalog: Catalog, name: tuple[str, ...], path: tuple[str, ...]) -> frozenset[FunctionUse]:
        return candidates(catalog, name, path)

    def number(self, catalog: Catalog, column: Column) -> numbers.Number | None:
        return number_of(column.type, column.modifier)

    def column(self, reader: Reader, e: tree.Column, scope: Scope) -> Item | None:
        return resolving.column(reader, e, scope)

    def entry(self, scope: Scope, path: tuple[str, ...]) -> Entry | None:
        return resolving.entry_of(scope, path)

    def entry_schema(self, relation: Relation, alias: str | None) -> Relation | None:
        return relation

    def early(self, scope: Scope, q: Select) -> Scope:
        return resolving.leveled(scope, q, late=False)

    def late(self, scope: Scope, q: Select) -> Scope:
        return resolving.leveled(scope, q, late=True)

    def inserting(self, target: Entry, w: tree.Insert, outer: Scope) -> Scope:
        """VALUES and SET see what the row has so far."""
        return Scope([target], outer, outer.common) if isinstance(w.source, Values) else outer

    def conflicting(self, reader: Reader, scope: Scope, w: tree.Insert) -> Scope:
        """The tables of an INSERT ... SELECT are in sight as well."""
        if not isinstance(w.source, Select) or not w.source.sources:
            return scope
        outer = with_clause(reader, w.source.common_tables, w.source.recursive, scope.outer or scope)
        found = from_clause(reader, w.source.sources, outer)
        return Scope([*scope.entries, *found.entries], outer, outer.common)

    def sides(self, join: tree.Join, left: Entry, right: Entry) -> tuple[Entry, Entry]:
        """A RIGHT JOIN with common columns is a LEFT JOIN the other way round."""
        turned = join.kind is tree.JoinKind.RIGHT and (join.natural or bool(join.using))
        return (right, left) if turned else (left, right)

    def using(self, join: tree.Join, first: Entry) -> tuple[str, ...]:
        """As the table has them."""
        listed = tuple(i.name for i in first.items if i.name in join.using)
        return (*listed, *(name for name in join.using if name not in listed))

    def output_name(self, e: tree.Expression) -> str:
        """The front end names all that is no plain column by its own text."""
        return e.path[-1] if isinstance(e, tree.Column) else "?column?"

    def of_call(self, reader: Reader, e: tree.Call, arguments: list[Item], made: Item) -> None:
        hazards.of_call(reader, e, arguments, made)

    def of_operation(self, reader: Reader, e: tree.Operation, operands: list[Item], made: Item) -> None:
        hazards.of_operation(reader, e, operands, made)

    def of_cast(self, reader: Reader, e: tree.Cast, item: Item) -> tuple[bool, numbers.Number | None]:
        return hazards.of_cast(reader, e, item)

    def tells_by_null(self, e: tree.Subquery) -> bool:
        return e.form in ("in", "any", "all")

    def alike(self, reader: Reader, left: tree.Expression | None, a: Item, right: tree.Expression | None,
              b: Item | None) -> bool:  # fmt: skip
        return comparing.alike(reader.catalog, left, a, right, b)
