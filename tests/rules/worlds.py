"""A small database and helpers to write facts and rulebooks in few words."""

from __future__ import annotations

from textwrap import dedent

from rules.book import Rulebook, load
from rules.catalog import Catalog, Column, Function, Relation, Type
from rules.facts import ColumnId, ColumnUse, Facts, FunctionRisk, FunctionUse, OutputColumn, TableUse, Use
from rules.roles import RoleView
from rules.tree import Access


def relation(
    oid: int, schema: str, name: str, columns: str, *, kind: str = "r", parents: tuple[int, ...] = ()
) -> Relation:
    """`columns`: `id integer, email text`."""
    made = []
    for number, column in enumerate(columns.split(","), start=1):
        word, _, type_name = column.strip().partition(" ")
        made.append(Column(word, number, type_name, OIDS.get(type_name, 0)))
    return Relation(oid, schema, name, kind, tuple(made), parents=parents)


OIDS = {
    "text": 25,
    "integer": 23,
    "uuid": 2950,
    "jsonb": 3802,
    "numeric": 1700,
    "bytea": 17,
    "hr.mood": 90001,
    "shop.mail": 90002,
}

CATALOG = Catalog(
    version="1",
    relations=(
        relation(20001, "public", "customers", "id integer, name text, email text, ssn text, profile jsonb"),
        relation(20002, "public", "orders", "id integer, customer_id integer, total numeric, at date", kind="p"),
        relation(
            20003, "public", "orders_2024", "id integer, customer_id integer, total numeric, at date", parents=(20002,)
        ),
        relation(20004, "hr", "people", "id integer, name text, salary numeric, mood hr.mood, mail shop.mail"),
        relation(20005, "public", "contacts", "id integer, address text", kind="v"),
        relation(20006, "public", "api_keys", "id integer, secret text"),
    ),
    functions=(Function(30001, "public", "order_total"), Function(30002, "billing", "close_month", kind="p")),
    types=(
        Type(90001, "hr", "mood", "e", "E"),
        Type(90002, "shop", "mail", "d", "S", element=25),
    ),
    schemas=frozenset({"public", "pg_catalog", "hr", "billing"}),
)


def book(text: str) -> Rulebook:
    """`text`: the rules, without the version line."""
    loaded = load({"rules.yaml": "version: 1\n" + dedent(text)})
    assert loaded.rulebook is not None, "\n".join(map(str, loaded.problems))
    return loaded.rulebook


def readable(schema: str, name: str) -> bool:
    return schema == "pg_catalog" and name in ("pg_class", "pg_type")


def role(text: str, name: str = "agent") -> RoleView:
    return RoleView(book(text), name, CATALOG, readable)


def column(name: str) -> ColumnId:
    schema, table, last = name.split(".") if name.count(".") == 2 else ("public", *name.split("."))
    return ColumnId(schema, table, last)


def table(name: str, access: Access = Access.SELECT, through: str | None = None) -> TableUse:
    return TableUse(_qualified(name), access, None if through is None else _qualified(through))


def _qualified(name: str) -> tuple[str, str]:
    schema, _, last = name.rpartition(".")
    return (schema or "public", last)


def output(name: str, *sources: str, direct: bool = True) -> OutputColumn:
    return OutputColumn(name, frozenset(column(s) for s in sources), direct)


def use(name: str, how: Use) -> ColumnUse:
    return ColumnUse(column(name), how)


def function(name: str, risk: FunctionRisk = FunctionRisk.USER) -> FunctionUse:
    schema, _, last = name.rpartition(".")
    return FunctionUse(schema, last, risk)


def select(*tables: str, outputs: tuple[OutputColumn, ...] = (), uses: tuple[ColumnUse, ...] = (),
           functions: tuple[FunctionUse, ...] = ()) -> Facts:  # fmt: skip
    return Facts("select", "SELECT", frozenset(map(table, tables)), frozenset(uses), outputs, frozenset(functions))
