"""asyncpg: binary results, its own type introspection, prepared statements and cursors."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import ipaddress
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import asyncpg
import pytest

from tests.live.places import Place

Talk: TypeAlias = Callable[[Callable[["asyncpg.Connection[Any]"], Awaitable[Any]]], Any]


@pytest.fixture
def talk(place: Place) -> Talk:
    """Runs a coroutine function with a connection."""
    return lambda conversation: asyncio.run(_with_connection(place, conversation))


async def _with_connection(place: Place, conversation: Callable[[Any], Awaitable[Any]]) -> Any:
    connection = await asyncpg.connect(place.plain(), ssl=place.context() or "disable")
    try:
        return await conversation(connection)
    finally:
        await connection.close(timeout=5)


def test_tls(tls_place: Place) -> None:
    async def ask(connection: Any) -> Any:
        return await connection.fetchval("SELECT count(*) FROM customers")

    assert asyncio.run(_with_connection(tls_place, ask)) == 20


def test_types(talk: Talk) -> None:
    values: dict[str, Any] = {
        "bool": True,
        "int2": -5,
        "int4": 2**31 - 1,
        "int8": -(2**63),
        "float4": 1.5,
        "float8": 1e300,
        "numeric": decimal.Decimal("-123456789.000000001"),
        "text": "grün 🐘",
        "bytea": bytes(range(256)),
        "date": datetime.date(2024, 2, 29),
        "time": datetime.time(1, 2, 3),
        "timestamp": datetime.datetime(2024, 2, 29, 1, 2),
        "timestamptz": datetime.datetime(2024, 2, 29, 1, 2, tzinfo=datetime.UTC),
        "interval": datetime.timedelta(days=2, microseconds=3),
        "uuid": uuid.UUID(int=7),
        "inet": ipaddress.ip_address("::1"),
        "jsonb": '{"a": 1}',
        "json": "[1, 2]",
        "int4[]": [1, None, 2],
        "text[]": ["a,b", None, ""],
        "int4range": asyncpg.Range(1, 5),
    }

    async def ask(connection: Any) -> Any:
        return {name: await connection.fetchval(f"SELECT $1::{name}", value) for name, value in values.items()}

    assert talk(ask) == values


def test_introspected_types(talk: Talk) -> None:
    """Enums, composites and domains: asyncpg reads pg_type with a long recursive query."""

    async def ask(connection: Any) -> Any:
        await connection.execute("""
            CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (a int, b text);
            CREATE DOMAIN positive AS int CHECK (VALUE > 0)""")
        try:
            return await connection.fetchrow(
                "SELECT $1::mood, ARRAY['sad'::mood], $2::pair, $3::positive, ROW(1, 'x')::pair", "happy", (7, "z"), 3
            )
        finally:
            await connection.execute("DROP TYPE mood; DROP TYPE pair; DROP DOMAIN positive")

    mood, moods, pair, number, row = talk(ask)
    assert (mood, moods, tuple(pair), number, tuple(row)) == ("happy", ["sad"], (7, "z"), 3, (1, "x"))


def test_prepared_statement(talk: Talk) -> None:
    async def ask(connection: Any) -> Any:
        statement = await connection.prepare("SELECT id, email FROM customers WHERE id = $1")
        assert [attribute.name for attribute in statement.get_attributes()] == ["id", "email"]
        assert [parameter.name for parameter in statement.get_parameters()] == ["int4"]
        return [(await statement.fetchrow(n))["id"] for n in range(1, 6)]

    assert talk(ask) == [1, 2, 3, 4, 5]


def test_statement_cache(talk: Talk) -> None:
    async def ask(connection: Any) -> Any:
        return [await connection.fetchval(f"SELECT {n % 7} + $1::int", n) for n in range(300)]

    assert talk(ask) == [n % 7 + n for n in range(300)]


def test_cursor(talk: Talk) -> None:
    async def ask(connection: Any) -> Any:
        async with connection.transaction():
            found = [row["id"] async for row in connection.cursor("SELECT id FROM customers ORDER BY id", prefetch=3)]
            cursor = await connection.cursor("SELECT id FROM customers ORDER BY id")
            await cursor.forward(5)
            return found, (await cursor.fetchrow())["id"], len(await cursor.fetch(50))

    assert talk(ask) == (list(range(1, 21)), 6, 14)


def test_copy(talk: Talk) -> None:
    async def ask(connection: Any) -> Any:
        records = [(n, f"body {n}", decimal.Decimal(n)) for n in range(5000, 5500)]
        done = await connection.copy_records_to_table("notes", records=records, columns=["id", "body", "number"])
        lines: list[bytes] = []

        async def keep(data: bytes) -> None:
            lines.append(data)

        query = "SELECT id FROM notes WHERE id BETWEEN 5000 AND 5499 ORDER BY id"
        await connection.copy_from_query(query, output=keep)
        await connection.execute("DELETE FROM notes WHERE id BETWEEN 5000 AND 5499")
        return done, b"".join(lines).split()

    done, lines = talk(ask)
    assert done == "COPY 500"
    assert lines == [str(n).encode() for n in range(5000, 5500)]


def test_executemany_and_transactions(talk: Talk) -> None:
    async def ask(connection: Any) -> Any:
        transaction = connection.transaction()
        await transaction.start()
        await connection.executemany(
            "INSERT INTO notes (id, body) VALUES ($1, $2)", [(n, "x") for n in range(600, 800)]
        )
        with pytest.raises(asyncpg.UniqueViolationError):
            await _in_savepoint(connection, "INSERT INTO notes (id) VALUES (600)")
        count = await connection.fetchval("SELECT count(*) FROM notes WHERE id >= 600 AND id < 800")
        await transaction.rollback()
        return count, await connection.fetchval("SELECT count(*) FROM notes WHERE id >= 600 AND id < 800")

    assert talk(ask) == (200, 0)


async def _in_savepoint(connection: Any, statement: str) -> None:
    async with connection.transaction():
        await connection.execute(statement)


def test_errors(talk: Talk) -> None:
    async def ask(connection: Any) -> Any:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await connection.fetch("SELECT 1/0")
        with pytest.raises(asyncpg.UndefinedTableError):
            await connection.fetch("SELECT * FROM nothing_here")
        with pytest.raises(asyncpg.PostgresSyntaxError):
            await connection.execute("SELEC 1")
        return await connection.fetchval("SELECT 1")

    assert talk(ask) == 1


def test_listen(place: Place) -> None:
    async def ask(connection: Any) -> Any:
        heard: asyncio.Queue[Any] = asyncio.Queue()
        await connection.add_listener("bell", lambda *words: heard.put_nowait(words[2:]))
        other = await asyncpg.connect(place.plain(), ssl="disable")
        await other.execute("NOTIFY bell, 'rings'")
        await other.close()
        return await asyncio.wait_for(heard.get(), 5)

    assert asyncio.run(_with_connection(place, ask)) == ("bell", "rings")


def test_cancel_by_timeout(talk: Talk) -> None:
    async def ask(connection: Any) -> Any:
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetch("SELECT pg_sleep(20)", timeout=0.3)
        return await connection.fetchval("SELECT 1")

    assert talk(ask) == 1


def test_notices(talk: Talk) -> None:
    async def ask(connection: Any) -> Any:
        heard: list[str] = []
        connection.add_log_listener(lambda _, message: heard.append(message.message))
        await connection.execute("DO $$ BEGIN RAISE NOTICE 'seen'; END $$")
        await asyncio.sleep(0.05)
        return heard

    assert talk(ask) == ["seen"]


def test_pool(place: Place) -> None:
    async def work(pool: Any, number: int) -> Any:
        async with pool.acquire() as connection, connection.transaction():
            return await connection.fetchval("SELECT $1::int", number)

    async def ask() -> Any:
        async with asyncpg.create_pool(place.plain(), ssl="disable", min_size=2, max_size=5) as pool:
            return await asyncio.gather(*[work(pool, n) for n in range(60)])

    assert asyncio.run(ask()) == list(range(60))


def test_schema_change_under_a_cached_statement(talk: Talk) -> None:
    async def ask(connection: Any) -> Any:
        await connection.execute("CREATE TABLE shifting (a int); INSERT INTO shifting VALUES (1)")
        first = await connection.fetch("SELECT * FROM shifting")
        await connection.execute("ALTER TABLE shifting ADD b text DEFAULT 'new'")
        try:
            return [tuple(row) for row in first + await connection.fetch("SELECT * FROM shifting")]
        finally:
            await connection.execute("DROP TABLE shifting")

    assert talk(ask) == [(1,), (1, "new")]
