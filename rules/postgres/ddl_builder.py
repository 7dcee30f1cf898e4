"""A catalog as it grows from DDL, statement by statement (`ddl`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, TypeAlias

from rules.catalog import Catalog, Column, Function, Relation, Type
from rules.ddl import DdlError as DdlError
from rules.postgres.generated import Computed, with_sources
from rules.postgres.system_catalogs import system_relations
from rules.postgres.types import BUILT_IN_TYPES, TYPE_NAMES, modifier_of

Node: TypeAlias = dict[str, Any]

FIRST_OID: Final = 16384


class Builder:
    """The catalog as it grows, statement by statement."""

    def __init__(self) -> None:
        self.relations: dict[tuple[str, str], Relation] = {}
        self.functions: list[Function] = []
        self.types: dict[tuple[str, str], Type] = {}
        self.schemas = {"public", "pg_catalog", "information_schema"}
        self.operators: set[str] = set()
        self.computed: dict[tuple[str, str], Computed] = {}
        self.next_oid = FIRST_OID
        self.line = 1

    def catalog(self, version: str) -> Catalog:
        return Catalog(
            version=version,
            relations=(
                *system_relations(),
                *(with_sources(relation, self.computed.get(name, {})) for name, relation in self.relations.items()),
            ),
            functions=tuple(self.functions),
            types=(*BUILT_IN_TYPES, *self.types.values()),
            schemas=frozenset(self.schemas),
            user_operators=frozenset(self.operators),
        )

    def error(self, what: str) -> DdlError:
        return DdlError(self.line, what)

    def oid(self) -> int:
        self.next_oid += 1
        return self.next_oid - 1

    # names

    def new_name(self, body: Node) -> tuple[str, str]:
        schema = "pg_temp" if body.get("relpersistence") == "t" else body.get("schemaname", "public")
        if schema not in self.schemas and schema != "pg_temp":
            raise self.error(f'schema "{schema}" does not exist; CREATE SCHEMA it first')
        return (schema, body["relname"])

    def relation(self, body: Node) -> Relation:
        name = (body.get("schemaname", "public"), body["relname"])
        if name not in self.relations:
            raise self.error(f'relation "{".".join(name)}" does not exist; create it first')
        return self.relations[name]

    def add(self, name: tuple[str, str], kind: str, columns: list[Column], **more: Any) -> None:
        if name in self.relations:
            raise self.error(f'relation "{".".join(name)}" is created twice')
        self.relations[name] = Relation(self.oid(), *name, kind, _numbered(columns), **more)

    # types

    def type(self, body: Node) -> tuple[str, int]:
        """(name as format_type prints it, OID) of a TypeName. Raises DdlError for an unknown type."""
        names = [part["String"]["sval"] for part in body["names"]]
        array = bool(body.get("arrayBounds"))
        name = _SERIALS.get(names[-1], names[-1])
        if names[:-1] in ([], ["pg_catalog"]) and name in TYPE_NAMES:
            printed, oid, array_oid = TYPE_NAMES[name]
            return (printed + "[]", array_oid) if array else (printed, oid)
        own = self.own_type(names)
        return f"{own.schema}.{own.name}" + "[]" * array, 0 if array else own.oid

    def own_type(self, names: list[str]) -> Type:
        schema, name = (names[-2] if len(names) > 1 else "public"), names[-1]
        found = self.types.get((schema, name))
        if found is not None:
            return found
        relation = self.relations.get((schema, name))
        if relation is None:
            raise self.error(f'type "{".".join(names)}" is not known; create it first')
        return Type(relation.oid, schema, name, "c", "C")

    def column(self, body: Node) -> Column:
        return Column(body["colname"], 0, *self.type(body["typeName"]), modifier=modifier_of(body["typeName"]))


_SERIALS: Final = {
    "serial": "int4",
    "serial4": "int4",
    "bigserial": "int8",
    "serial8": "int8",
    "smallserial": "int2",
    "serial2": "int2",
}


def _numbered(columns: list[Column]) -> tuple[Column, ...]:
    """Attribute numbers from 1; a column given twice (inherited and own) stands once."""
    merged: dict[str, Column] = {}
    for column in columns:
        merged.setdefault(column.name, column)
    return tuple(replace(c, number=i) for i, c in enumerate(merged.values(), 1))
