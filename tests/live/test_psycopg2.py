"""psycopg2: libpq's simple protocol, named cursors, COPY by files, notices and cancel."""

from __future__ import annotations

import datetime
import decimal
import io
import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
import pytest

from tests.live.places import Place


@pytest.fixture
def connection(place: Place) -> Iterator[Any]:
    opened = psycopg2.connect(place.dsn())
    yield opened
    opened.close()


def test_tls(tls_place: Place) -> None:
    connection = psycopg2.connect(tls_place.dsn())
    assert connection.info.ssl_in_use
    connection.close()


def test_values(connection: Any) -> None:
    cursor = connection.cursor()
    values = (1, "it's \\ ü", decimal.Decimal("1.50"), datetime.date(2024, 2, 29), None, True, [1, 2])
    cursor.execute("SELECT %s, %s, %s, %s, %s, %s, %s", values)
    assert cursor.fetchone() == values


def test_dict_cursor(connection: Any) -> None:
    cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
    cursor.execute("SELECT id, sku FROM products ORDER BY id LIMIT 1")
    assert dict(cursor.fetchone()) == {"id": 1, "sku": "SKU-0001"}


def test_named_cursor(connection: Any) -> None:
    cursor = connection.cursor("named", scrollable=True)
    cursor.itersize = 3
    cursor.execute("SELECT id FROM customers ORDER BY id")
    assert [row[0] for row in cursor] == list(range(1, 21))
    cursor.scroll(0, mode="absolute")
    assert cursor.fetchmany(2) == [(1,), (2,)]
    cursor.close()


def test_copy_expert(connection: Any) -> None:
    cursor = connection.cursor()
    source = io.StringIO("".join(f"{n}\tline {n}\n" for n in range(7000, 7500)))
    cursor.copy_expert("COPY notes (id, body) FROM STDIN", source)
    assert cursor.rowcount == 500
    target = io.StringIO()
    cursor.copy_expert(
        "COPY (SELECT id, body FROM notes WHERE id >= 7000 ORDER BY id) TO STDOUT WITH CSV HEADER", target
    )
    lines = target.getvalue().splitlines()
    assert lines[:2] == ["id,body", "7000,line 7000"]
    assert len(lines) == 501
    connection.rollback()


def test_copy_from_and_to(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.copy_from(io.StringIO("8000|x\n"), "notes", sep="|", columns=("id", "body"))
    target = io.StringIO()
    cursor.copy_to(target, "products", columns=("id", "sku"))
    assert len(target.getvalue().splitlines()) == 12
    connection.rollback()


def test_execute_values(connection: Any) -> None:
    cursor = connection.cursor()
    rows = [(n, f"row {n}") for n in range(9000, 9350)]
    made = psycopg2.extras.execute_values(
        cursor, "INSERT INTO notes (id, body) VALUES %s RETURNING id", rows, page_size=100, fetch=True
    )
    assert [row[0] for row in made] == list(range(9000, 9350))
    psycopg2.extras.execute_batch(cursor, "UPDATE notes SET body = %s WHERE id = %s", [("x", 9000), ("y", 9001)])
    cursor.execute("SELECT body FROM notes WHERE id IN (9000, 9001) ORDER BY id")
    assert cursor.fetchall() == [("x",), ("y",)]
    connection.rollback()


def test_transactions_and_errors(connection: Any) -> None:
    cursor = connection.cursor()
    with pytest.raises(psycopg2.errors.UniqueViolation) as caught:
        cursor.execute("INSERT INTO notes (id) VALUES (1)")
    assert caught.value.pgcode == "23505"
    assert caught.value.diag.constraint_name == "notes_pkey"
    assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_INERROR
    with pytest.raises(psycopg2.errors.InFailedSqlTransaction):
        cursor.execute("SELECT 1")
    connection.rollback()
    cursor.execute("SELECT 1")
    assert cursor.fetchone() == (1,)


@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"])
def test_isolation(connection: Any, level: str) -> None:
    connection.set_session(isolation_level=level, readonly=True)
    cursor = connection.cursor()
    cursor.execute("SHOW transaction_isolation")
    assert cursor.fetchone() == (level.lower(),)
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        cursor.execute("INSERT INTO notes (body) VALUES ('x')")


def test_notices(connection: Any) -> None:
    connection.cursor().execute("DO $$ BEGIN RAISE NOTICE 'seen'; END $$")
    assert connection.notices == ["NOTICE:  seen\n"]


def test_notifications(connection: Any) -> None:
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute("LISTEN two; NOTIFY two, 'payload'")
    connection.poll()
    assert [(note.channel, note.payload) for note in connection.notifies] == [("two", "payload")]


def test_cancel(connection: Any) -> None:
    timer = threading.Timer(0.3, connection.cancel)
    timer.start()
    with pytest.raises(psycopg2.errors.QueryCanceled):
        connection.cursor().execute("SELECT pg_sleep(20)")
    timer.join()
    connection.rollback()


def test_client_encoding(connection: Any) -> None:
    assert connection.encoding == "UTF8"
    assert connection.get_parameter_status("DateStyle").startswith("ISO")


def test_large_result(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SELECT n, repeat('x', 100) FROM generate_series(1, 50000) n")
    assert len(cursor.fetchall()) == 50000


def test_json_and_uuid(connection: Any) -> None:
    psycopg2.extras.register_uuid(conn_or_curs=connection)
    cursor = connection.cursor()
    cursor.execute("SELECT '{\"a\": [1]}'::jsonb, '12345678-1234-5678-1234-567812345678'::uuid")
    value, number = cursor.fetchone()
    assert value == {"a": [1]}
    assert number.hex.startswith("12345678")


def test_composite_introspection(connection: Any) -> None:
    """psycopg2 reads pg_type and pg_attribute for this."""
    found = psycopg2.extras.register_composite("notes", connection)
    assert found.attnames == ["id", "body", "number"]
