"""PostgreSQL's way to read a tree."""

from __future__ import annotations

from rules import tree
from rules.catalog import Catalog, Column, Relation
from rules.facts import FunctionUse
from rules.lineage import functions, hazards, names, numbers
from rules.lineage.reader import Reader
from rules.lineage.scope import Scope, entry_of, reference
from rules.lineage.values import Entry, Item, Refused
from rules.tree import Query, Select, SetOperation, Unparsable, Values

#: Definitions come with every name qualified; what is not qualified is built in (or public, in a test's DDL).
DEFINITION_PATH = ("pg_catalog", "public")
SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema"})


class PostgresDialect:
    def is_system(self, schema: str) -> bool:
        return schema in SYSTEM_SCHEMAS

    def path(self, search_path: tuple[str, ...]) -> tuple[str, ...]:
        """The schemas in the order PostgreSQL searches relations: temporary and pg_catalog first unless listed."""
        own = next((s for s in search_path if s.startswith("pg_temp_")), "pg_temp")
        path = tuple(own if s == "pg_temp" else s for s in search_path)
        head = () if own in path else (own,)
        return head + path if "pg_catalog" in path else (*head, "pg_catalog", *path)

    def lookup(self, reader: Reader, name: tuple[str, ...]) -> Relation | None:
        by_name = reader.catalog.by_name
        if len(name) == 1:
            return next((r for s in reader.path if (r := by_name.get((s, name[0])))), None)
        if len(name) > 3:
            raise Refused("name", f'"{".".join(name)}" has too many parts', "write schema.table")
        return by_name.get((reader.schema(name[-2]), name[-1]))

    def own_places(self, reader: Reader, name: str, creates: bool, temporary: bool) -> list[tuple[str, str]]:
        if temporary:
            return [(reader.schema("pg_temp"), name)]
        schemas = [s for s in reader.path if s != "pg_catalog" and not s.startswith("pg_temp")]
        if creates:
            schemas = [s for s in schemas if s in reader.catalog.schemas][:1]
        return [(schema, name) for schema in schemas or ["public"]]

    def definition(self, catalog: Catalog, view: Relation) -> tuple[Query, tuple[str, ...]]:
        return query_of(view.definition or ""), view.path or DEFINITION_PATH

    def candidates(self, catalog: Catalog, name: tuple[str, ...], path: tuple[str, ...]) -> frozenset[FunctionUse]:
        return functions.postgres_candidates(catalog, name)

    def number(self, catalog: Catalog, column: Column) -> numbers.Number | None:
        return numbers.of_type(column.type, column.modifier)

    def column(self, reader: Reader, e: tree.Column, scope: Scope) -> Item | None:
        return reference(scope, e.path)

    def entry(self, scope: Scope, path: tuple[str, ...]) -> Entry | None:
        return entry_of(scope, path)

    def entry_schema(self, relation: Relation, alias: str | None) -> Relation | None:
        return relation if alias is None else None

    def early(self, scope: Scope, q: Select) -> Scope:
        return scope

    def late(self, scope: Scope, q: Select) -> Scope:
        return scope

    def inserting(self, target: Entry, w: tree.Insert, outer: Scope) -> Scope:
        return outer

    def conflicting(self, reader: Reader, scope: Scope, w: tree.Insert) -> Scope:
        return scope

    def sides(self, join: tree.Join, left: Entry, right: Entry) -> tuple[Entry, Entry]:
        return left, right

    def using(self, join: tree.Join, first: Entry) -> tuple[str, ...]:
        return join.using

    def output_name(self, e: tree.Expression) -> str:
        return names.output_name(e)

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
        return True


def query_of(text: str) -> Query:
    """The query in a view's definition: a SELECT, or a CREATE VIEW around one. Raises Refused when there is none."""
    from rules.postgres import read

    found = read(text)
    if isinstance(found, Unparsable):
        raise Refused("view", found.reason)
    body = found[0].body if len(found) == 1 else None
    if not isinstance(body, Select | Values | SetOperation):
        raise Refused("view", "its definition is not a query")
    return body
