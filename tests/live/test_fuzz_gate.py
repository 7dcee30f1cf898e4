"""Mutated conversations against a running gate: it may refuse, complain or hang up, and must stay alive and tight.

Off unless asked for: `pytest -m fuzz tests/live/test_fuzz_gate.py`; DBGATE_FUZZ_SECONDS sets how long (default 30),
DBGATE_FUZZ_SEED repeats a run.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time

import pytest

from tests.live import raw, worlds
from tests.live.gate import Gate
from tests.live.places import Place

pytestmark = pytest.mark.fuzz

SECONDS = float(os.environ.get("DBGATE_FUZZ_SECONDS", "30"))
SEED = int(os.environ.get("DBGATE_FUZZ_SEED", "0")) or int(time.time())
STATEMENTS = [
    "SELECT id, email, ssn FROM customers WHERE id = $1",
    "SELECT * FROM customers",
    "INSERT INTO orders (customer_id, placed) VALUES (1, now())",
    "BEGIN",
    "COMMIT",
    "COPY (SELECT id, email FROM customers) TO STDOUT",
    "COPY orders (customer_id, placed) FROM STDIN",
    "DECLARE c CURSOR FOR SELECT email FROM customers",
    "FETCH ALL FROM c",
    "PREPARE p AS SELECT ssn FROM customers",
    "EXECUTE p",
    "SELECT secret FROM api_keys",
    "SET search_path = hr, public",
    "SELECT 1; SELECT 2",
    "SELECT c FROM customers c",
]


def message(source: random.Random) -> bytes:
    """One well-formed message that a client may send."""
    statement, name = source.choice(STATEMENTS), source.choice(["", "a", "b"])
    made = [
        lambda: raw.query(statement),
        lambda: raw.parse(statement, name),
        lambda: raw.bind(name, name, source.choice([[], ["1"], [None]]), source.choice([[], [0], [1]])),
        lambda: raw.describe(name, source.choice("SP")),
        lambda: raw.execute(name, source.choice([0, 1, 5])),
        lambda: raw.close(name, source.choice("SP")),
        lambda: raw.SYNC,
        lambda: raw.FLUSH,
        lambda: raw.copy_data(b"1\t2024-01-01\n"),
        lambda: raw.COPY_DONE,
        lambda: raw.copy_fail("x"),
        lambda: raw.extended(statement, ["1"] if "$1" in statement else []),
    ]
    return source.choice(made)()


def mutate(source: random.Random, data: bytes) -> bytes:
    """Up to three small changes."""
    changed = bytearray(data)
    for _ in range(source.choice([0, 0, 1, 1, 2, 3])):
        if not changed:
            break
        at = source.randrange(len(changed))
        change = source.randrange(5)
        if change == 0:
            changed[at] = source.randrange(256)
        elif change == 1:
            changed[at] ^= 1 << source.randrange(8)
        elif change == 2:
            del changed[at : at + source.randrange(1, 9)]
        elif change == 3:
            changed[at:at] = source.randbytes(source.randrange(1, 9))
        else:
            changed[at:at] = changed[max(0, at - 20) : at]
    return bytes(changed)


def converse(place: Place, source: random.Random) -> bytes:
    """One session with mutated messages in random chunks; what it received."""
    data = b"".join(mutate(source, message(source)) for _ in range(source.randrange(1, 25)))
    with place.raw() as client:
        client.socket.settimeout(5)
        with contextlib.suppress(OSError):
            while data:
                size = source.choice([1, 7, 100, len(data)])
                client.send(data[:size])
                data = data[size:]
            client.socket.shutdown(socket.SHUT_WR)
        client.rest(source.choice([0.05, 0.5]))
        return bytes(client.received)


def start_garbage(place: Place, source: random.Random) -> None:
    """A mutated first packet."""
    first = mutate(source, raw.startup(user="agent", database=place.database))
    with socket.create_connection((place.host, place.port), 5) as connection, contextlib.suppress(OSError):
        connection.sendall(first)
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(0.5)
        connection.recv(1000)


@pytest.mark.parametrize("book", ["shop", "wide", "allow_all"])
def test_mutated_conversations(book: str, gate: Gate, request: pytest.FixtureRequest) -> None:
    place: Place = request.getfixturevalue(book)
    needles = [value.encode() for value in worlds.canaries("a")]
    before, end, count = gate.resident(), time.monotonic() + SECONDS / 3, 0
    while time.monotonic() < end:
        count += 1
        source = random.Random(f"{SEED}/{book}/{count}")
        if count % 10 == 0:
            start_garbage(place, source)
        heard = converse(place, source)
        if book != "allow_all":
            assert not [needle for needle in needles if needle in heard], f"seed {SEED}, conversation {count}"
        gate.check()
    with place.raw() as client:
        assert raw.kinds(client.ask(raw.query("SELECT 1"))) == "TDCZ"
    assert gate.resident() - before < 200 << 20
    assert count > 5
