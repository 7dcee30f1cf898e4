"""What the gate allows on MySQL and MariaDB tells nothing of masked columns: two databases that differ in these alone
give the same rows, masks put on, and fail alike, for random queries that a role with masks may send.

The names that the server itself gives to each output column's origin are held against the gate's as well."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pymysql
import pytest

from dbgate.catalog.mysql import Row, read_catalog
from rules.decision import Mask, MaskKind, Verdict
from rules.policy import Policy, PolicyContext
from tests.dbgate.catalog.mysql_queries import SCHEMA, Maker
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer
from tests.rules.worlds import book

pytestmark = pytest.mark.live

SEEDS = range(1500)
RULES = """
rules:
  - {id: reads, roles: [agent], allow: {statements: [select], tables: ["w0.*"]}}
  - {id: secret, roles: [agent], mask: {columns: [t.secret, t.pay, t.day, t.hid], with: redact}}
"""
#: the masked columns of t; the rest is the same in both databases
SECRETS = {
    "w0": [
        ("k1", 40, "2024-01-01", 1), ("{}", 9, "2023-05-06", 0), (None, None, None, None),
        ("1e308", 50, "2020-02-29", 3),
    ],
    "w1": [
        ("a", 900, "1999-12-31", 0), ("k1", -5, "2024-01-01", 7), (None, None, None, None), ("k1", 40, "2001-01-01", 1),
    ],
}  # fmt: skip


@dataclass(slots=True)
class World:
    connections: dict[str, Any]
    context: PolicyContext


def rows_of(connection: Any, text: str) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return [tuple(None if value is None else shown(value) for value in row) for row in cursor.fetchall()]


def shown(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def make(server: MysqlServer, name: str) -> Any:
    server.create_database(name)
    connection = server.connect(name, charset="utf8mb4", autocommit=True, conv={})
    for text in filter(str.strip, SCHEMA.split(";")):
        rows_of(connection, text)
    with connection.cursor() as cursor:
        for number, (secret, pay, day, hid) in enumerate(SECRETS[name], 1):
            secrets = ", ".join("NULL" if v is None else repr(v) for v in (secret, pay, day, hid))
            columns = "secret, pay, day, hid, id, name"
            cursor.execute(f"INSERT INTO t ({columns}) VALUES ({secrets}, {number}, 'n{number % 2}')")
            cursor.execute(f"INSERT INTO u VALUES ({number}, {number % 3}, 'l{number}', {number}.5)")
    return connection


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: brand.value)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with needed_mysql(request.param) as server:
        connections = {name: make(server, name) for name in SECRETS}

        reading = server.connect("w0", charset="utf8mb4", autocommit=True, conv={})

        async def query(text: str) -> list[Row]:
            return rows_of(reading, text)

        catalog = asyncio.run(read_catalog(query))
        assert asyncio.run(read_catalog(query, catalog)) is catalog
        reading.close()
        policy = Policy(book(RULES), catalog, b"key")
        yield World(connections, policy.context("agent", "w0", "bot", ("w0",)))
        for connection in connections.values():
            connection.close()


def masked(row: Row, masks: tuple[Mask | None, ...]) -> Row:
    return tuple(
        value if mask is None else None if value is None or mask.kind is MaskKind.NULL else "masked"
        for value, mask in zip(row, masks, strict=True)
    )


def outcome(connection: Any, text: str, masks: tuple[Mask | None, ...] | None) -> object:
    """The rows as the client would have them, or the error's number."""
    try:
        rows = rows_of(connection, text)
    except pymysql.MySQLError as fault:
        return fault.args[0]
    except UnicodeDecodeError:
        return "undecodable"
    found = [masked(row, masks) for row in rows] if masks is not None else rows
    return sorted(found, key=repr)


def checked(world: World, text: str) -> str:
    """`same`, or why the query tells nothing."""
    (decision,) = world.context.decide(text.encode())
    if decision.verdict is not Verdict.ALLOW:
        return f"refused {decision.refusal.rule if decision.refusal else ''}"
    found = {name: outcome(connection, text, decision.masks) for name, connection in world.connections.items()}
    assert found["w0"] == found["w1"], (text, decision.masks, found)
    if isinstance(found["w0"], int):
        return f"server {found['w0']}"
    witness(world, text, decision.masks, decision.width)
    return "same"


def witness(world: World, text: str, masks: tuple[Mask | None, ...] | None, width: int | None) -> None:
    """The columns are as many as the gate expects, and those that the server traces to a masked column have a mask."""
    with world.connections["w0"].cursor() as cursor:
        cursor.execute(text)
        fields = cursor._result.fields
    assert len(fields) == width, text
    for position, field in enumerate(fields):
        origin = world.context.origin_mask_by_name(field.db.decode() if isinstance(field.db, bytes) else field.db,
                                                   field.org_table, field.org_name)  # fmt: skip
        assert origin is None or (masks is not None and masks[position] is not None), (text, field.org_name)


def test_random_queries_tell_nothing_of_masked_columns(world: World) -> None:
    ends: Counter[str] = Counter()
    for seed in SEEDS:
        text = Maker(seed).query()
        ends[checked(world, text)] += 1
    assert ends["same"] > len(SEEDS) // 8, ends
    assert not any(end.startswith(("refused dbgate:internal", "refused dbgate:unknown")) for end in ends), ends
