"""A catalog as it grows from MySQL's or MariaDB's DDL, statement by statement (`ddl`)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from rules.catalog import Catalog, Column, Function, Relation
from rules.ddl import DdlError
from rules.mysql.grammar import Grammar
from rules.naming import MYSQL_DATABASES

FIRST_OID: Final = 16384
Name: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Drafted:
    """A column before it has its place. `words`: every name in the expression that it is computed from."""

    name: str
    type: str
    words: frozenset[str] = frozenset()
    generated: bool = False
    modifier: int = -1
    invisible: bool = False


@dataclass(slots=True)
class Draft:
    """A table or view as it is so far. `definition` and `path` as `rules.catalog.Relation` has them."""

    kind: str
    columns: list[Drafted] = field(default_factory=list)
    definition: str | None = None
    path: tuple[str, ...] = ()
    triggers: bool = False

    def place_of(self, name: str) -> int | None:
        return next((at for at, column in enumerate(self.columns) if column.name == name), None)


class Builder:
    """The catalog as it grows. `line`: the statement's; `database`: the one in use."""

    def __init__(self, grammar: Grammar, default: str) -> None:
        self.grammar = grammar
        self.default = self.database = default
        self.databases = {default, *MYSQL_DATABASES} - {"ndbinfo"}
        self.relations: dict[Name, Draft] = {}
        self.functions: dict[Name, str] = {}
        self.line = 1

    def error(self, what: str) -> DdlError:
        return DdlError(self.line, what)

    def full(self, name: tuple[str, ...]) -> Name:
        """A database is there as soon as something is made in it."""
        database = name[-2] if len(name) > 1 else self.database
        self.databases.add(database)
        return database, name[-1]

    def relation(self, name: tuple[str, ...]) -> Draft:
        found = self.relations.get((name[-2] if len(name) > 1 else self.database, name[-1]))
        if found is None:
            raise self.error(f'table "{".".join(name)}" does not exist; create it first')
        return found

    def add(self, name: Name, draft: Draft, replaces: bool = False) -> None:
        if name in self.relations and not replaces:
            raise self.error(f'"{".".join(name)}" is created twice; leave one out')
        names = [column.name for column in draft.columns]
        if double := next((each for each in names if names.count(each) > 1), None):
            raise self.error(f'"{".".join(name)}" has two columns named "{double}"')
        self.relations[name] = draft

    def drop_database(self, name: str) -> None:
        self.databases.discard(name)
        self.relations = {key: draft for key, draft in self.relations.items() if key[0] != name}
        self.functions = {key: kind for key, kind in self.functions.items() if key[0] != name}

    def catalog(self, version: str) -> Catalog:
        return Catalog(
            version=version,
            relations=tuple(_relation(oid, *each) for oid, each in enumerate(self.relations.items(), FIRST_OID)),
            functions=tuple(
                Function(oid, *name, kind) for oid, (name, kind) in enumerate(sorted(self.functions.items()), 1)
            ),
            schemas=frozenset(self.databases),
            server_version=self.grammar.version,
            foreign_servers=False,
            dialect=self.grammar.brand,
            lower_case_table_names=int(self.grammar.folds),
            default_schema=self.default,
        )


def _relation(oid: int, name: Name, draft: Draft) -> Relation:
    numbers = {column.name: number for number, column in enumerate(draft.columns, 1)}
    columns = tuple(_column(column, numbers) for column in draft.columns)
    return Relation(oid, *name, draft.kind, columns, draft.definition, triggers=draft.triggers, path=draft.path)


def _column(column: Drafted, numbers: dict[str, int]) -> Column:
    sources = tuple(sorted(numbers[word] for word in column.words if word in numbers))
    return Column(
        column.name, numbers[column.name], column.type, generated_from=sources, generated=column.generated,
        modifier=column.modifier, invisible=column.invisible,
    )  # fmt: skip


def renamed(columns: Iterable[Drafted], old: str, new: str) -> list[Drafted]:
    """The columns, with one under another name wherever it is named."""
    return [
        replace(
            column,
            name=new if column.name == old else column.name,
            words=column.words - {old} | {new} if old in column.words else column.words,
        )
        for column in columns
    ]
