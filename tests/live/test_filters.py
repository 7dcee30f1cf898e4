"""Row filters on the wire: every way to ask gives the visible rows, and errors fit the client's own text."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg.rows import tuple_row

from tests.live import raw
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream
from tests.live.places import Place

RULES = """\
version: 1
rules:
  - id: all
    allow: {{statements: ["*"], tables: ["*"]}}
  - id: one-country
    roles: [agent]
    filter: {{table: customers, where: "country = '{country}'"}}
    message: other countries are not yours to see
"""
SEEN = "SELECT id, name, country, city FROM customers WHERE country = 'DE' ORDER BY id"


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, database: str) -> Gate:
    return make_gate({"filtered": Upstream(database, "filtered")}, rulebooks={"filtered": RULES.format(country="DE")})


@pytest.fixture
def filtered(gate: Gate) -> Place:
    return gate_place(gate, "filtered")


@pytest.fixture
def connection(filtered: Place) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(filtered.dsn(), row_factory=tuple_row) as opened:
        yield opened
        if not opened.closed:
            opened.rollback()


@pytest.fixture
def seen(direct: Place) -> list[tuple[Any, ...]]:
    with psycopg.connect(direct.dsn()) as connection:
        rows = connection.execute(SEEN).fetchall()
        assert rows != connection.execute(SEEN.replace("country = 'DE'", "true")).fetchall()
    assert len(rows) > 1
    return rows


ASKED = "SELECT id, name, country, city FROM customers ORDER BY id"


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("prepare", [False, True])
def test_every_protocol(
    connection: psycopg.Connection[Any], seen: list[tuple[Any, ...]], binary: bool, prepare: bool
) -> None:
    for _ in range(3):
        assert connection.execute(ASKED, binary=binary, prepare=prepare).fetchall() == seen
    found = connection.execute(
        "SELECT id, name, country, city FROM customers WHERE id > %s ORDER BY id", (seen[0][0],), binary=binary
    )
    assert found.fetchall() == seen[1:]


def test_the_carriers_of_sql(connection: psycopg.Connection[Any], seen: list[tuple[Any, ...]]) -> None:
    connection.execute(f"/* first */ PREPARE mine(int) AS {ASKED.replace('ORDER', 'WHERE id > $1 ORDER')}")
    assert connection.execute("EXECUTE mine(-1)").fetchall() == seen
    connection.execute(f"DECLARE c CURSOR FOR {ASKED}")
    assert connection.execute("FETCH ALL FROM c").fetchall() == seen
    connection.execute(f"SELECT 1; DECLARE d CURSOR FOR {ASKED}; PREPARE other AS {ASKED}")
    assert connection.execute("FETCH ALL FROM d").fetchall() == seen
    assert connection.execute("EXECUTE other").fetchall() == seen
    with connection.cursor().copy("COPY customers (id) TO STDOUT") as copy:
        assert [int(row[0]) for row in copy.rows()] == sorted(row[0] for row in seen)


def test_several_statements_in_one_text(connection: psycopg.Connection[Any], seen: list[tuple[Any, ...]]) -> None:
    cursor = connection.execute(f"SELECT 'é', 1 ; {ASKED}; SELECT count(*) FROM customers -- the end")
    assert cursor.fetchall() == [("é", 1)]
    assert cursor.nextset()
    assert cursor.fetchall() == seen
    assert cursor.nextset()
    assert cursor.fetchall() == [(len(seen),)]


def test_a_pipeline(connection: psycopg.Connection[Any], seen: list[tuple[Any, ...]]) -> None:
    with connection.pipeline():
        cursors = [connection.execute(ASKED) for _ in range(5)]
        assert [c.fetchall() for c in cursors] == [seen] * 5


def test_asyncpg(filtered: Place, seen: list[tuple[Any, ...]]) -> None:
    asyncio.run(_with_asyncpg(filtered, seen))


async def _with_asyncpg(filtered: Place, seen: list[tuple[Any, ...]]) -> None:
    connection = await asyncpg.connect(filtered.plain(), ssl=False)
    try:
        assert [tuple(row) for row in await connection.fetch(ASKED)] == seen
        assert await connection.fetchval("SELECT count(*) FROM customers WHERE id = ANY($1)", [r[0] for r in seen])
        async with connection.transaction():
            assert [tuple(row) async for row in connection.cursor(ASKED)] == seen
    finally:
        await connection.close()


def test_writes_stay_in_sight(connection: psycopg.Connection[Any], seen: list[tuple[Any, ...]]) -> None:
    changed = connection.execute("UPDATE customers SET city = city")
    assert changed.rowcount == len(seen)
    connection.commit()
    insert = "INSERT INTO customers (id, name, country, created) VALUES (%s, %s, %s, now())"
    assert connection.execute(insert, (900, "new", "DE")).rowcount == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        connection.execute(insert, (901, "new", "FR"))
    assert "one-country" in str(caught.value.diag.message_detail)
    assert connection.info.transaction_status.name == "INERROR"
    connection.rollback()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("UPDATE customers SET country = 'FR' WHERE id = %s", (seen[0][0],))
    connection.rollback()


def test_the_audit_tells_of_a_row_out_of_sight(gate: Gate, connection: psycopg.Connection[Any]) -> None:
    marked = "INSERT INTO customers (id, name, country, created) VALUES (902, 'out of sight', $1, now())"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(marked.replace("$1", "%s"), ("FR",))
    connection.close()
    decided, finished = _recorded(gate, marked)
    assert "one-country" in decided["rules"]
    assert finished["sqlstate"] == "42501"


def _recorded(gate: Gate, text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The text's decision and its end; the outcome is written a moment after the client has it."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        events = gate.audit()
        ids = {e["statement_id"]: e for e in events if e.get("statement") == text}
        ended = [e for e in events if e["type"] == "statement_finished" and e["statement_id"] in ids]
        if ended:
            return ids[ended[-1]["statement_id"]], ended[-1]
        time.sleep(0.05)
    raise AssertionError("the audit never told of it")


#: what only the server finds wrong, behind a splice, before one and between two
WRONG = [
    "SELECT 'ü', count(*) FROM customers c JOIN customers d USING (id) WHERE c.name = 'x' AND d.id ~ 'ü'",
    "SELECT id + name FROM customers WHERE id = 1",
    "SELECT 1 FROM (SELECT id FROM customers) a WHERE id = (SELECT name ~ 1 FROM customers WHERE id = 'ü'::bit)",
    "SELECT id, count(*) FROM customers",
]


@pytest.mark.parametrize("text", WRONG)
def test_errors_stand_where_the_client_wrote_them(filtered: Place, direct: Place, text: str) -> None:
    with direct.raw() as native, filtered.raw() as client:
        for data in (raw.query(text), raw.extended(text)):
            (wanted,) = [m.fields for m in native.ask(data) if m.kind == "E"]
            (found,) = [m.fields for m in client.ask(data) if m.kind == "E"]
            assert (found["C"], found["P"]) == (wanted["C"], wanted["P"])
            assert "dbgate:" not in found.get("D", "")


def test_a_prepared_statement_is_not_run_with_the_filter_of_yesterday(
    gate: Gate, filtered: Place, seen: list[tuple[Any, ...]]
) -> None:
    with raw.Raw(filtered.host, filtered.port).login("agent", CLIENT_PASSWORD, "filtered") as client:
        client.ask(raw.parse(ASKED, "mine") + raw.SYNC)
        rows = [m for m in client.ask(raw.bind("mine") + raw.execute() + raw.SYNC) if m.kind == "D"]
        assert len(rows) == len(seen)
        gate.reload("filtered", RULES.format(country="FR"))
        try:
            error = _first_error(client)
            assert error.fields["C"] == "26000"
            assert "prepare" in error.fields["H"]
            client.ask(raw.close("mine") + raw.parse(ASKED, "mine") + raw.SYNC)
            rows = [m for m in client.ask(raw.bind("mine") + raw.execute() + raw.SYNC) if m.kind == "D"]
            assert rows
            assert {row.values[2] for row in rows} == {b"FR"}
        finally:
            gate.reload("filtered", RULES.format(country="DE"))


def _first_error(client: raw.Raw) -> raw.Message:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for message in client.ask(raw.bind("mine") + raw.execute() + raw.SYNC):
            if message.kind == "E":
                return message
        time.sleep(0.1)
    raise AssertionError("the old filter went on being used")
