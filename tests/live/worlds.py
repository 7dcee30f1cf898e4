"""The shop's rows, in two worlds that differ only in what the rules hide.

If a client behind the gate receives the same bytes in both worlds, it has learned nothing about the hidden values.
Lengths, NULLs and the last four characters (which keep_last leaves in clear) are equal in both; order is not.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.live.servers import Postgres

TEMPLATE = "live_shop_template"
WORLDS = ("a", "b")
SCHEMA = Path(__file__).with_name("shop.sql")
CUSTOMERS, EMPLOYEES, PRODUCTS, ORDERS = 20, 8, 12, 30
COUNTRIES = ("US", "DE", "FR", "JP")
START = datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.UTC)

Row = tuple[Any, ...]


def secret(world: str, kind: str, row: int, digits: int = 0) -> str:
    """A value that appears nowhere else: ten hexadecimal digits after `kx`, or `digits` decimal ones."""
    number = int.from_bytes(hashlib.sha256(f"{world}/{kind}/{row}".encode()).digest()[:16])
    return str(number)[-digits:].rjust(digits, "7") if digits else f"kx{number % 16**10:010x}"


def customer(world: str, row: int) -> Row:
    hidden = row != CUSTOMERS  # the last customer has NULLs
    placed = START + datetime.timedelta(days=row)
    return (
        row,
        f"Customer {row}",
        f"{secret(world, 'email', row)}@shop.example" if hidden else None,
        f"+1{secret(world, 'phone', row, 9)}0101" if hidden else None,
        secret(world, "ssn", row, 9) if hidden else None,
        secret(world, "card", row, 16) if hidden else None,
        COUNTRIES[row % 4],
        None if row % 5 == 0 else f"City {row % 3}",
        f'{{"mark": "{secret(world, "profile", row)}", "tier": "gold"}}' if hidden else None,
        placed,
        row % 3 != 0,
    )


GUESS = re.compile(r"<(email|ssn) (\d+)>")


def guesses(text: str) -> str:
    """The text with `<ssn 1>` and the like replaced by the value in that row of world a's customers."""
    return GUESS.sub(lambda found: str(customer("a", int(found[2]))[{"email": 2, "ssn": 4}[found[1]]]), text)


def employee(world: str, row: int) -> Row:
    return (
        row,
        f"Employee {row}",
        f"{secret(world, 'staff', row)}@shop.example",
        ("sales", "support")[row % 2],
        f"{1 + int(secret(world, 'pay', row, 3)) % 9}{secret(world, 'salary', row, 8)}.25",
        f"DE{secret(world, 'iban', row, 20)}",
        secret(world, "staffssn", row, 9),
        None if row == 1 else 1 + row // 3,
    )


def tables(world: str) -> dict[str, list[Row]]:
    """Table -> rows, in an order that foreign keys accept."""
    return {
        "customers": [customer(world, row) for row in range(1, CUSTOMERS + 1)],
        "products": [
            (n, f"SKU-{n:04d}", f"Product {n}", f"{n * 3}.99", [f"tag{n % 3}", "all"], n * 10)
            for n in range(1, PRODUCTS + 1)
        ],
        "orders": [
            (
                n,
                1 + n % CUSTOMERS,
                _day(n),
                ("new", "paid", "sent")[n % 3],
                f"{n * 7}.50",
                None,
            )
            for n in range(1, ORDERS + 1)
        ],
        "order_items": [
            (n, 1 + (n + k) % PRODUCTS, k, f"{n + k}.00") for n in range(1, ORDERS + 1) for k in range(1, 3)
        ],
        "employees": [employee(world, row) for row in range(1, EMPLOYEES + 1)],
        "api_keys": [(n, f"service {n}", secret(world, "key", n)) for n in range(1, 4)],
        "audit_private": [(n, secret(world, "audit", n)) for n in range(1, 4)],
        "hr.reviews": [(n, n, secret(world, "review", n)) for n in range(1, 4)],
        "notes": [(n, f"note {n}", n) for n in range(1, 6)],
        "people": [(1, "Person 1")],
        "patients": [(n, f"Patient {n}", secret(world, "patient", n, 9), "ward 1") for n in range(2, 5)],
        "events": [(n, _day(n * 60), secret(world, "event", n, 9), f"event {n}") for n in range(1, 9)],
    }


def _day(number: int) -> datetime.date:
    return START.date() + datetime.timedelta(days=number)


#: table -> indexes of the values that the rulebooks hide
HIDDEN: dict[str, tuple[int, ...]] = {
    "customers": (2, 3, 4, 5, 8),
    "employees": (2, 4, 5, 6),
    "api_keys": (2,),
    "audit_private": (1,),
    "hr.reviews": (2,),
    "patients": (2,),
    "events": (2,),
}


def canaries(world: str) -> list[str]:
    """Every hidden value's secret part: what must never be received."""
    rows = tables(world)
    values = [str(row[i]) for table, hidden in HIDDEN.items() for row in rows[table] for i in hidden if row[i]]
    return [_core(value) for value in values]


def _core(value: str) -> str:
    """The part that no mask leaves in clear: the token of an e-mail or JSON value, else all but four characters."""
    at = value.find("kx")
    if at >= 0:
        return value[at : at + 12]
    return value[:-4] if len(value) > 9 else value


def forms(value: str) -> set[bytes]:
    """The disguises in which a value is looked for: as it is, cases, reversed, hexadecimal, base64, hashes."""
    raw = value.encode()
    hashes = [hashlib.new(name, raw).hexdigest().encode() for name in ("md5", "sha256")]
    found = {raw, raw.upper(), raw[::-1], raw.hex().encode(), raw.hex().upper().encode(), *hashes}
    for shift in range(3):  # base64 of the value at any position of a longer text
        coded = base64.b64encode(b"\0" * shift + raw)
        found.add(coded[4 if shift else 0 : len(coded) // 4 * 4 - 4])
    return found


def create_template(server: Postgres) -> None:
    """The empty shop, owned by `app`; the worlds are copies of it and so share every OID."""
    server.create_database(TEMPLATE)
    server.run("SET ROLE app;" + SCHEMA.read_text(), TEMPLATE)


def create_world(server: Postgres, name: str, world: str = "a") -> None:
    server.create_database(name, template=TEMPLATE)
    with server.connect(name) as connection, connection.transaction():
        for table, rows in tables(world).items():
            _fill(connection, table, rows)
        connection.execute("SELECT setval('orders_id_seq', 1000), setval('notes_id_seq', 1000)")
        connection.execute("REFRESH MATERIALIZED VIEW customer_copy")
        connection.execute("ANALYZE")


@contextlib.contextmanager
def both_worlds(server: Postgres, prefix: str) -> Iterator[dict[str, str]]:
    """World -> the name of a database with it."""
    names = {world: f"{prefix}_{world}" for world in WORLDS}
    for world, name in names.items():
        server.drop_database(name)
        create_world(server, name, world)
    yield names
    for name in names.values():
        server.drop_database(name)


def _fill(connection: psycopg.Connection[Any], table: str, rows: list[Row]) -> None:
    name = sql.Identifier(*table.split("."))
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(name)) as copy:
        for row in rows:
            copy.write_row(row)
