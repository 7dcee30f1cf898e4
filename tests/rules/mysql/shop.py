"""A shop on a MySQL server as a catalog, and a role with masks in it."""

from __future__ import annotations

from rules.catalog import Catalog, Column, Function, Relation
from rules.policy import Policy, PolicyContext
from tests.rules.worlds import book

RULES = """
rules:
  - id: reads
    roles: [agent]
    allow: {statements: [select, insert, update, delete], tables: [customers, orders, vip, "other.*"]}
  - {id: mail, roles: [agent], mask: {columns: [customers.EMAIL], with: {keep_last: 4}, predicates: equality}}
  - {id: secret, roles: [agent], mask: {columns: ["*.ssn", customers.salary, customers.hid], with: redact}}
  - {id: all, roles: [dba], allow: {statements: ["*"], tables: ["*"], functions: ["*"]}}
"""


def relation(
    oid: int, schema: str, name: str, columns: str, kind: str = "r", definition: str | None = None
) -> Relation:
    """`columns`: names and types, `invisible` behind those that are."""
    written = [each.split() for each in columns.split(",")]
    made = [Column(w[0], n, " ".join(w[1:]).removesuffix(" invisible"), invisible=w[-1] == "invisible")
            for n, w in enumerate(written, 1)]  # fmt: skip
    return Relation(oid, schema, name, kind, tuple(made), definition)


CATALOG = Catalog(
    "mysql",
    relations=(
        relation(20001, "shop", "customers",
                 "id int, name varchar, email varchar, ssn varchar, salary int, doc json, hid int invisible"),
        relation(20002, "shop", "orders", "id int, customer_id int, total decimal"),
        relation(20003, "shop", "vip", "id int, mail varchar", "v",
                 "select `shop`.`customers`.`id` AS `id`,`shop`.`customers`.`email` AS `mail` from `shop`.`customers`"),
        relation(20004, "other", "Notes", "id int, text text"),
        relation(20005, "information_schema", "tables", "table_schema varchar, table_name varchar"),
        relation(20006, "information_schema", "processlist", "id bigint, info longtext"),
        relation(20007, "mysql", "user", "host char, user char"),
        relation(20008, "shop", "merged", "id int", "?"),
    ),
    functions=(Function(30001, "shop", "total_of"),),
    schemas=frozenset({"shop", "other"}),
    server_version=90704,
    dialect="mysql",
    default_schema="shop",
)  # fmt: skip


def context(role: str = "agent", catalog: Catalog = CATALOG, database: str = "shop") -> PolicyContext:
    return Policy(book(RULES), catalog, b"key").context(role, "shop", "bot", (database,) if database else ())
