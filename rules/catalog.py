"""What the database holds, as values: relations, columns, types, functions.

`dbgate.catalog` reads a live server into these; `rules.postgres.ddl` builds them from DDL for rule tests.
A Catalog never changes; a refresh makes a new one, and `version` tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Column:
    """`type` is the plain type's name as format_type prints it without modifiers: `text`, `integer`,
    `character varying`, `jsonb`, `timestamp with time zone`, `integer[]`, `hr.mood`. `generated_from`: the numbers of
    the columns of the same relation that a generated column is computed from. `generated`: it is one, whatever from;
    COPY leaves it out. `modifier`: pg_attribute.atttypmod, the p and s of numeric(p, s); -1 for none."""

    name: str
    number: int
    type: str
    type_oid: int = 0
    generated_from: tuple[int, ...] = ()
    generated: bool = False
    modifier: int = -1
    #: MySQL: `*` does not stand for it, nor is it inserted into unless it is named
    invisible: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """`kind` as pg_class.relkind: r table, p partitioned, v view, m materialized view, f foreign table, S sequence,
    c composite type. `definition`: the view's query, and `path`: where its unqualified names are looked up (empty: all
    are qualified but the built-in ones). `parents`: OIDs it inherits from or is a partition of."""

    oid: int
    schema: str
    name: str
    kind: str
    columns: tuple[Column, ...] = ()
    definition: str | None = None
    parents: tuple[int, ...] = ()
    triggers: bool = False
    path: tuple[str, ...] = ()

    @property
    def qualified(self) -> tuple[str, str]:
        return (self.schema, self.name)

    def column(self, name: str) -> Column | None:
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True, slots=True)
class Function:
    """One overload. `kind` as pg_proc.prokind: f function, p procedure, a aggregate, w window. `computes`: it
    belongs to an extension whose functions are known to compute from their arguments and do nothing else."""

    oid: int
    schema: str
    name: str
    kind: str = "f"
    argument_types: tuple[str, ...] = ()
    result: str = ""
    #: names of OUT/TABLE columns, or of the composite result's columns, where the function returns a row type
    result_columns: tuple[str, ...] = ()
    returns_set: bool = False
    computes: bool = False
    #: of an extension's function with the name of a built-in one: it is as total as that is
    total: bool = False


@dataclass(frozen=True, slots=True)
class Type:
    """`kind` as pg_type.typtype: b base, c composite, d domain, e enum, p pseudo, r range, m multirange."""

    oid: int
    schema: str
    name: str
    kind: str
    category: str = ""  # pg_type.typcategory: S string, N numeric, D date/time, A array ...
    element: int = 0  # OID of an array's element, a range's subtype or a domain's base type
    labels: tuple[str, ...] = ()  # an enum's


@dataclass(frozen=True)
class Catalog:
    """One database's contents at one moment; on MySQL, whose schemas are databases, one server's. `dialect`:
    `postgres`, `mysql` or `mariadb`. `server_version`: as the server counts, 170002 for 17.2, 80403 for 8.4.3.
    `temp_schema`: where the catalog is one session's (`rules.own_world`), the real name of its temporary schema, which
    is called `pg_temp` here."""

    version: str
    relations: tuple[Relation, ...] = ()
    functions: tuple[Function, ...] = ()
    types: tuple[Type, ...] = ()
    schemas: frozenset[str] = frozenset({"public", "pg_catalog"})
    user_operators: frozenset[str] = frozenset()  # symbols of operators that run a user's code
    failing_operators: frozenset[str] = frozenset()  # symbols that fail for some operands of an extension's types
    user_casts: frozenset[tuple[int, int]] = frozenset()  # (source OID, target OID) of casts by user functions
    server_version: int = 170000
    foreign_servers: bool = True  # whether there are any, as far as is known
    built_in_functions: Mapping[str, tuple[Function, ...]] = field(default_factory=dict)
    temp_schema: str = ""
    dialect: str = "postgres"
    #: MySQL: 0 tells databases, tables and aliases apart by case, as their files do; 1 and 2 do not
    lower_case_table_names: int = 0
    #: MySQL: the database that rules mean by an unqualified name
    default_schema: str = "public"

    @cached_property
    def by_name(self) -> dict[tuple[str, str], Relation]:
        return {r.qualified: r for r in self.relations}

    @cached_property
    def by_oid(self) -> dict[int, Relation]:
        return {r.oid: r for r in self.relations}

    @cached_property
    def type_by_oid(self) -> dict[int, Type]:
        return {t.oid: t for t in self.types}

    @cached_property
    def children(self) -> dict[int, tuple[Relation, ...]]:
        """Direct children (inheritance, partitions) by the parent's OID."""
        found: dict[int, list[Relation]] = {}
        for relation in self.relations:
            for parent in relation.parents:
                found.setdefault(parent, []).append(relation)
        return {oid: tuple(rs) for oid, rs in found.items()}

    @cached_property
    def generated(self) -> dict[tuple[str, str, str], tuple[str, ...]]:
        """(schema, relation, generated column) -> the names of the columns that it is computed from."""
        return {
            (*relation.qualified, column.name): tuple(
                c.name for c in relation.columns if c.number in column.generated_from
            )
            for relation in self.relations
            for column in relation.columns
            if column.generated_from
        }

    @cached_property
    def derived(self) -> dict[object, object]:
        """Scratch space for what readers work out from this catalog once (it lives and dies with it)."""
        return {}

    @cached_property
    def functions_by_name(self) -> dict[str, tuple[Function, ...]]:
        """Functions that did not come with the server, whatever their schema, by bare name."""
        return _group(self.functions)

    @cached_property
    def overloaded(self) -> frozenset[str]:
        """The bare names by which a call can reach a user's code, known extensions' left aside."""
        return frozenset(f.name for f in self.functions if not f.computes)

    @cached_property
    def added(self) -> frozenset[str]:
        """The bare names of functions that somebody has added to pg_catalog."""
        return frozenset(f.name for f in self.functions if f.schema == "pg_catalog")

    @cached_property
    def extended(self) -> frozenset[str]:
        """The bare names of known extensions' functions that may fail where a built-in one of this name does not."""
        return frozenset(f.name for f in self.functions if f.computes and not f.total)

    def find(self, name: tuple[str, ...], search_path: Iterable[str]) -> Relation | None:
        """The relation a name means: schema-qualified exactly, else the first match along the search path."""
        if len(name) == 3:
            name = name[1:]
        if len(name) == 2:
            return self.by_name.get((name[0], name[1]))
        return next((r for s in search_path if (r := self.by_name.get((s, name[0])))), None)


def _group(functions: Iterable[Function]) -> dict[str, tuple[Function, ...]]:
    found: dict[str, list[Function]] = {}
    for function in functions:
        found.setdefault(function.name, []).append(function)
    return {name: tuple(fs) for name, fs in found.items()}
