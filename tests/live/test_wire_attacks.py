"""Attempts to make the gate and the server mean different things by one name, through real bytes.

Each test would see a value that its rules hide if the gate took a name, a search path or a row's shape from anywhere but
where the server takes it.
"""

from __future__ import annotations

import pytest

from tests.live import raw, worlds
from tests.live.conftest import GateMaker
from tests.live.gate import Gate, Upstream
from tests.live.places import Place
from tests.live.servers import Postgres, connect

#: what no client of the gate may see: an expression over it has no origin that the server could name
SECRET = "SELECT ssn || '!' AS x FROM customers ORDER BY id"
PLAIN = "SELECT name || '!' AS x FROM customers ORDER BY id"
HIDDEN = worlds.customer("a", 1)[4]
WORDS = "what only hr may read"
LONG = "n" * 63


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, server: Postgres, database: str) -> Gate:
    """The schema hr, which no rule allows, has a table of the same name as the schema public."""
    with connect(server, database) as owner:
        owner.execute("CREATE TABLE reviews (id integer PRIMARY KEY, employee_id integer, words text NOT NULL)")
        owner.execute("INSERT INTO reviews VALUES (1, 1, 'anyone may read this')")
        owner.execute(f"TRUNCATE hr.reviews; INSERT INTO hr.reviews VALUES (1, 1, '{WORDS}')")
    return make_gate({"wide": Upstream(database, "wide")})


def seen(place: Place, *sent: bytes) -> bytes:
    """All that a client receives which sends one batch after the other, each when the last is answered."""
    with place.raw() as client:
        for data in sent:
            client.send(data + raw.query("SELECT 'end of batch'"))
            try:
                while b"end of batch" not in client.received or not client.received.endswith((b"I", b"T", b"E")):
                    client.message()
            except raw.ConnectionClosedError:
                break
        return bytes(client.received)
