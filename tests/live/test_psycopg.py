"""psycopg 3 (libpq): every protocol it speaks, against PostgreSQL and through the gate."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import ipaddress
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from psycopg.types.range import Range

from tests.live.places import Place


@pytest.fixture
def connection(place: Place) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(place.dsn()) as opened:
        yield opened
        opened.rollback()


def test_tls(tls_place: Place) -> None:
    with psycopg.connect(tls_place.dsn()) as connection:
        assert connection.pgconn.ssl_in_use
        assert connection.execute("SELECT count(*) FROM customers").fetchone() == (20,)


def test_channel_binding(tls_place: Place) -> None:
    with psycopg.connect(tls_place.dsn(channel_binding="require")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_wrong_password(place: Place) -> None:
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(place.dsn().replace("secret", "wrong"))


def test_parameters(connection: psycopg.Connection[Any]) -> None:
    row = connection.execute("SELECT %s::int, %s::text, %s", (1, "two", None)).fetchone()
    assert row == (1, "two", None)


def test_connection_info(connection: psycopg.Connection[Any]) -> None:
    info = connection.info
    assert info.server_version >= 130000
    assert info.encoding == "utf-8"
    assert info.parameter_status("standard_conforming_strings") == "on"
    assert info.parameter_status("server_encoding") == "UTF8"
    assert info.transaction_status.name == "IDLE"


def test_simple_protocol_with_several_results(connection: psycopg.Connection[Any]) -> None:
    cursor = connection.execute("SELECT 1; SELECT 'two'; SELECT 3 WHERE false")
    assert cursor.fetchall() == [(1,)]
    assert cursor.nextset()
    assert cursor.fetchall() == [("two",)]
    assert cursor.nextset()
    assert cursor.fetchall() == []
    assert cursor.nextset() is None


def test_client_side_cursor(connection: psycopg.Connection[Any]) -> None:
    cursor = psycopg.ClientCursor(connection)
    assert cursor.execute("SELECT %s, %s", (datetime.date(2024, 2, 29), "it's")).fetchone() == (
        datetime.date(2024, 2, 29),
        "it's",
    )


VALUES: dict[str, tuple[str, Any]] = {
    "bool": ("boolean", True),
    "int2": ("smallint", -32768),
    "int4": ("integer", 2**31 - 1),
    "int8": ("bigint", -(2**63)),
    "float8": ("double precision", 1.5e300),
    "numeric": ("numeric", decimal.Decimal("-12345678901234567890.000001")),
    "text": ("text", "grün ✓ 🐘 'quoted' \\ \t\n"),
    "varchar": ("varchar(10)", "abc"),
    "bytea": ("bytea", bytes(range(256))),
    "date": ("date", datetime.date(1999, 12, 31)),
    "time": ("time", datetime.time(23, 59, 59, 999999)),
    "timestamp": ("timestamp", datetime.datetime(2024, 2, 29, 1, 2, 3, 4)),
    "timestamptz": ("timestamptz", datetime.datetime(2024, 2, 29, 1, 2, 3, 4, datetime.UTC)),
    "interval": ("interval", datetime.timedelta(days=3, seconds=4, microseconds=5)),
    "uuid": ("uuid", uuid.UUID("12345678-1234-5678-1234-567812345678")),
    "inet": ("inet", ipaddress.ip_address("10.0.0.1")),
    "cidr": ("cidr", ipaddress.ip_network("10.0.0.0/8")),
    "int array": ("integer[]", [1, None, 3]),
    "text array": ("text[]", ["a", "b,c", '"d"', None]),
    "nested array": ("integer[]", [[1, 2], [3, 4]]),
    "range": ("int4range", Range(1, 10)),
    "null": ("integer", None),
}


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("name", VALUES)
def test_types(connection: psycopg.Connection[Any], name: str, binary: bool) -> None:
    type_name, value = VALUES[name]
    placeholder = sql.SQL("%b" if binary else "%t")
    statement = sql.SQL("SELECT {}::{}").format(placeholder, sql.SQL(type_name))
    assert connection.execute(statement, (value,), binary=binary).fetchone() == (value,)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_json(connection: psycopg.Connection[Any], binary: bool) -> None:
    value = {"a": [1, None, "ü"], "b": {"c": True}}
    assert connection.execute("SELECT %s::jsonb", (Jsonb(value),), binary=binary).fetchone() == (value,)


def test_prepared(connection: psycopg.Connection[Any]) -> None:
    for number in range(10):
        row = connection.execute("SELECT %s::int * 2", (number,), prepare=True).fetchone()
        assert row == (number * 2,)
    names = connection.execute("SELECT name FROM pg_prepared_statements").fetchall()
    assert any(name.startswith("_pg3_") for (name,) in names)


def test_prepared_statement_is_dropped_and_prepared_again(connection: psycopg.Connection[Any]) -> None:
    connection.prepare_threshold = 0
    connection.prepared_max = 2
    for number in range(6):
        statement = f"SELECT {number}, %s::int"
        assert connection.execute(statement.encode(), (1,)).fetchone() == (number, 1)


def test_transaction_status(connection: psycopg.Connection[Any]) -> None:
    assert connection.info.transaction_status.name == "IDLE"
    connection.execute("SELECT 1")
    assert connection.info.transaction_status.name == "INTRANS"
    with pytest.raises(psycopg.errors.DivisionByZero):
        connection.execute("SELECT 1/0")
    assert connection.info.transaction_status.name == "INERROR"
    with pytest.raises(psycopg.errors.InFailedSqlTransaction):
        connection.execute("SELECT 1")
    connection.rollback()
    assert connection.info.transaction_status.name == "IDLE"


def test_savepoints(connection: psycopg.Connection[Any]) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("INSERT INTO notes (body) VALUES ('outer')")
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute("INSERT INTO notes (id) VALUES (1)")
        with connection.transaction():
            connection.execute("INSERT INTO notes (body) VALUES ('inner')")
        found = connection.execute("SELECT body FROM notes WHERE id > 100 ORDER BY id").fetchall()
        assert found == [("outer",), ("inner",)]


def test_error_details(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        connection.execute("INSERT INTO notes (id) VALUES (1)")
    diagnosis = caught.value.diag
    assert diagnosis.sqlstate == "23505"
    assert diagnosis.constraint_name == "notes_pkey"
    assert diagnosis.table_name == "notes"
    assert diagnosis.message_detail == "Key (id)=(1) already exists."
    connection.rollback()
    with pytest.raises(psycopg.errors.UndefinedColumn, match="nonsense"):
        connection.execute("SELECT nonsense FROM notes")


def test_pipeline(connection: psycopg.Connection[Any]) -> None:
    with connection.pipeline():
        cursors = [connection.execute("SELECT %s::int", (n,)) for n in range(50)]
        assert [cursor.fetchone() for cursor in cursors] == [(n,) for n in range(50)]


def test_error_in_a_pipeline(place: Place) -> None:
    with psycopg.connect(place.dsn(), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            _insert_and_fail(connection)
        assert connection.execute("SELECT count(*) FROM notes WHERE id = 900").fetchone() == (0,)


def _insert_and_fail(connection: psycopg.Connection[Any]) -> None:
    with connection.pipeline() as pipeline:
        connection.execute("INSERT INTO notes (id, body) VALUES (900, 'lost')")
        connection.execute("SELECT 1/0")
        connection.execute("INSERT INTO notes (id, body) VALUES (900, 'never run')")
        pipeline.sync()


def test_pipeline_goes_on_after_sync(place: Place) -> None:
    with psycopg.connect(place.dsn(), autocommit=True) as connection, connection.pipeline() as pipeline:
        connection.execute("SELECT 1/0")
        with pytest.raises(psycopg.errors.DivisionByZero):
            pipeline.sync()
        assert connection.execute("SELECT 5").fetchone() == (5,)


def test_executemany(connection: psycopg.Connection[Any]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO notes (body) VALUES (%s) RETURNING id", [("a",), ("b",)], returning=True)
        first = cursor.fetchone()
        assert cursor.nextset()
        second = cursor.fetchone()
    assert first is not None
    assert second == (first[0] + 1,)


def test_copy_out(connection: psycopg.Connection[Any]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY (SELECT id, sku FROM products ORDER BY id) TO STDOUT") as copy,
    ):
        rows = list(copy.rows())
    assert rows[0] == ("1", "SKU-0001")
    assert len(rows) == 12


def test_binary_copy_out(connection: psycopg.Connection[Any]) -> None:
    statement = "COPY (SELECT id, price FROM products ORDER BY id) TO STDOUT (FORMAT binary)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(["int4", "numeric"])
        rows = list(copy.rows())
    assert rows[2] == (3, decimal.Decimal("9.99"))


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_copy_in(connection: psycopg.Connection[Any], binary: bool) -> None:
    words = " (FORMAT binary)" if binary else ""
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY notes (id, body) FROM STDIN{words}".encode()) as copy:
            if binary:
                copy.set_types(["int4", "text"])
            for number in range(5000, 6000):
                copy.write_row((number, f"body {number}\t\n"))
        assert cursor.rowcount == 1000
    found = connection.execute("SELECT count(*), min(body) FROM notes WHERE id >= 5000").fetchone()
    assert found == (1000, "body 5000\t\n")


def test_failed_copy_in(connection: psycopg.Connection[Any]) -> None:
    with (
        pytest.raises(psycopg.errors.InvalidTextRepresentation),
        connection.cursor() as cursor,
        cursor.copy("COPY notes (id) FROM STDIN") as copy,
    ):
        copy.write("no number\n")
    assert connection.info.transaction_status.name == "INERROR"
    connection.rollback()
    with pytest.raises(ZeroDivisionError):
        _copy_and_give_up(connection)
    connection.rollback()
    assert connection.execute("SELECT count(*) FROM notes WHERE id = 77").fetchone() == (0,)


def _copy_and_give_up(connection: psycopg.Connection[Any]) -> None:
    """The client ends its COPY with CopyFail."""
    with connection.cursor() as cursor, cursor.copy("COPY notes FROM STDIN") as copy:
        copy.write("77\tx\t1\n")
        raise ZeroDivisionError


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_server_cursor(connection: psycopg.Connection[Any], binary: bool) -> None:
    with connection.cursor("named", binary=binary, scrollable=True) as cursor:
        cursor.execute("SELECT id, email FROM customers ORDER BY id")
        assert [row[0] for row in cursor.fetchmany(3)] == [1, 2, 3]
        cursor.scroll(2)
        row = cursor.fetchone()
        assert row is not None
        assert row[0] == 6
        cursor.scroll(0, mode="absolute")
        assert len(cursor.fetchall()) == 20


def test_streaming(connection: psycopg.Connection[Any]) -> None:
    with connection.cursor() as cursor:
        rows = cursor.stream("SELECT generate_series(1, 5000)")
        assert sum(row[0] for row in rows) == 12502500


def test_cancel(place: Place) -> None:
    with psycopg.connect(place.dsn(), autocommit=True) as connection:
        timer = threading.Timer(0.3, connection.cancel_safe)
        timer.start()
        begun = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(20)")
        timer.join()
        assert time.monotonic() - begun < 10
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_statement_timeout(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET LOCAL statement_timeout = '100ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(5)")


def test_notify(place: Place) -> None:
    with psycopg.connect(place.dsn(), autocommit=True) as listener:
        listener.execute("LISTEN channel_of_the_test")
        with psycopg.connect(place.dsn(), autocommit=True) as speaker:
            speaker.execute("SELECT pg_notify('channel_of_the_test', 'hello')")
            speaker.execute("NOTIFY channel_of_the_test, 'again'")
        heard = list(listener.notifies(timeout=5, stop_after=2))
        assert [note.payload for note in heard] == ["hello", "again"]


def test_notices(connection: psycopg.Connection[Any]) -> None:
    heard = []
    connection.add_notice_handler(lambda diagnosis: heard.append((diagnosis.severity, diagnosis.message_primary)))
    connection.execute("DO $$ BEGIN RAISE NOTICE 'seen'; RAISE WARNING 'careful'; END $$")
    assert heard == [("NOTICE", "seen"), ("WARNING", "careful")]


def test_rows_as_dicts(connection: psycopg.Connection[Any]) -> None:
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("SELECT id, sku FROM products WHERE id = 1").fetchone()
    assert row == {"id": 1, "sku": "SKU-0001"}


def test_column_origins(connection: psycopg.Connection[Any]) -> None:
    cursor = connection.execute("SELECT id, email FROM customers LIMIT 1")
    assert cursor.pgresult is not None
    assert cursor.pgresult.ftable(1) != 0
    assert cursor.pgresult.ftablecol(1) == 3


def test_large_values(connection: psycopg.Connection[Any]) -> None:
    big = "ü" * 3_000_000
    row = connection.execute("SELECT %s::text, length(%s::text)", (big, big)).fetchone()
    assert row == (big, 3_000_000)


def test_many_columns(connection: psycopg.Connection[Any]) -> None:
    names = ", ".join(f"{n} AS c{n}" for n in range(1600))
    row = connection.execute(f"SELECT {names}".encode()).fetchone()
    assert row == tuple(range(1600))


def test_two_phase(place: Place) -> None:
    with psycopg.connect(place.dsn()) as connection:
        name = connection.xid(1, f"live-{place.through_gate}", "b")
        connection.tpc_begin(name)
        connection.execute("INSERT INTO notes (body) VALUES ('two phases')")
        connection.tpc_prepare()
        connection.tpc_rollback()


def test_async(place: Place) -> None:
    async def talk() -> list[Any]:
        async with await psycopg.AsyncConnection.connect(place.dsn()) as connection:
            async with connection.pipeline():
                cursors = [await connection.execute("SELECT %s::int", (n,)) for n in range(20)]
                found = [await cursor.fetchone() for cursor in cursors]
            async with connection.cursor("server_side") as cursor:
                await cursor.execute("SELECT id FROM customers ORDER BY id")
                found += await cursor.fetchmany(5)
            return found

    assert asyncio.run(talk()) == [(n,) for n in range(20)] + [(n,) for n in range(1, 6)]


def test_async_cancellation(place: Place) -> None:
    async def talk() -> Any:
        async with await psycopg.AsyncConnection.connect(place.dsn(), autocommit=True) as connection:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(connection.execute("SELECT pg_sleep(20)"), 0.3)
            cursor = await connection.execute("SELECT 1")
            return await cursor.fetchone()

    assert asyncio.run(talk()) == (1,)


def test_many_connections(place: Place) -> None:
    opened = [psycopg.connect(place.dsn()) for _ in range(20)]
    try:
        answers = [connection.execute("SELECT %s::int", (n,)).fetchone() for n, connection in enumerate(opened)]
        assert answers == [(n,) for n in range(20)]
    finally:
        for connection in opened:
            connection.close()


def test_schema_changes_are_seen(place: Place) -> None:
    """A table made a moment ago, by this session and by another."""
    with psycopg.connect(place.dsn(), autocommit=True) as one, psycopg.connect(place.dsn(), autocommit=True) as other:
        one.execute("CREATE TABLE made_now (id int PRIMARY KEY, word text)")
        try:
            one.execute("INSERT INTO made_now VALUES (1, 'x')")
            assert other.execute("SELECT word FROM made_now").fetchone() == ("x",)
            one.execute("ALTER TABLE made_now ADD COLUMN more int DEFAULT 7")
            assert other.execute("SELECT * FROM made_now").fetchone() == (1, "x", 7)
        finally:
            one.execute("DROP TABLE made_now")
        with pytest.raises(psycopg.errors.UndefinedTable):
            other.execute("SELECT * FROM made_now")


def test_temporary_tables(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE TEMP TABLE mine (id int, word text) ON COMMIT DROP")
    connection.execute("INSERT INTO mine SELECT id, name FROM customers")
    assert connection.execute("SELECT count(*) FROM mine").fetchone() == (20,)
