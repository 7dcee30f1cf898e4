"""pg8000: a driver in plain Python with its own idea of the protocol (unnamed statements, one Sync each)."""

from __future__ import annotations

import datetime
import decimal
import io
import uuid
from collections.abc import Iterator
from typing import Any

import pg8000.dbapi
import pg8000.native
import pytest

from tests.live.places import Place


def open_native(place: Place) -> Any:
    return pg8000.native.Connection(
        place.user,
        host=place.host,
        port=place.port,
        database=place.database,
        password=place.password,
        ssl_context=place.context() or False,
    )


@pytest.fixture
def connection(place: Place) -> Iterator[Any]:
    opened = open_native(place)
    yield opened
    opened.close()


def test_tls(tls_place: Place) -> None:
    connection = open_native(tls_place)
    assert connection.run("SELECT count(*) FROM customers") == [[20]]
    connection.close()


def test_values(connection: Any) -> None:
    values = {
        "a": 1,
        "b": "grün 🐘",
        "c": decimal.Decimal("1.50"),
        "d": datetime.date(2024, 2, 29),
        "e": None,
        "f": b"\0\xff",
        "g": uuid.UUID(int=5),
        "h": [1, 2],
    }
    row = connection.run(
        "SELECT :a::int, :b::text, :c::numeric, :d::date, :e::int, :f::bytea, :g::uuid, :h::int[]", **values
    )
    assert row == [list(values.values())]
    assert connection.columns is not None


def test_prepared(connection: Any) -> None:
    statement = connection.prepare("SELECT id FROM customers WHERE id = :n")
    assert [statement.run(n=n) for n in (1, 2, 99)] == [[[1]], [[2]], []]
    statement.close()


def test_copy(connection: Any) -> None:
    connection.run("BEGIN")
    connection.run("COPY notes (id, body) FROM STDIN", stream=io.StringIO("5000\tx\n5001\ty\n"))
    target = io.BytesIO()
    connection.run("COPY (SELECT id, body FROM notes WHERE id >= 5000 ORDER BY id) TO STDOUT", stream=target)
    connection.run("ROLLBACK")
    assert target.getvalue() == b"5000\tx\n5001\ty\n"


def test_errors(connection: Any) -> None:
    with pytest.raises(pg8000.native.DatabaseError) as caught:
        connection.run("INSERT INTO notes (id) VALUES (1)")
    assert caught.value.args[0]["C"] == "23505"
    assert connection.run("SELECT 1") == [[1]]


def test_notices_and_notifications(connection: Any) -> None:
    connection.run("DO $$ BEGIN RAISE NOTICE 'seen'; END $$")
    assert connection.notices[-1][b"M"] == b"seen"
    connection.run("LISTEN eight")
    connection.run("NOTIFY eight, 'word'")
    connection.run("SELECT 1")
    assert [note[1:] for note in connection.notifications] == [("eight", "word")]


def test_dbapi(place: Place) -> None:
    connection = pg8000.dbapi.connect(
        place.user, host=place.host, port=place.port, database=place.database, password=place.password
    )
    cursor = connection.cursor()
    cursor.execute("INSERT INTO notes (body, number) VALUES (%s, %s) RETURNING id", ("x", 3))
    assert cursor.fetchone()[0] > 0
    cursor.executemany("UPDATE notes SET number = %s WHERE body = %s", [(1, "x"), (2, "x")])
    connection.rollback()
    cursor.execute("SELECT count(*) FROM notes WHERE body = 'x'")
    assert cursor.fetchone() == [0]
    connection.close()
