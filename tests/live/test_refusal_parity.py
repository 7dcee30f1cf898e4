"""A refusal of the gate and an error of PostgreSQL look the same to a client (DESIGN's third promise).

The same random conversation runs twice in equal databases: through a gate whose rules close one table, and directly
with every text that touches that table replaced by one that PostgreSQL cannot parse. Everything but the texts of
errors must be equal: the messages, their order, one ReadyForQuery for each Query and Sync, every status byte, and the
data left behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.live import raw
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Upstream
from tests.live.places import Place
from tests.live.servers import PASSWORD, Postgres

NO_SQL = "this is no statement"
SCHEMA = """
SET ROLE app;
CREATE TABLE open (id serial PRIMARY KEY, word text);
CREATE TABLE forbidden (id int, word text);
INSERT INTO forbidden VALUES (1, 'x');
"""


class Part(NamedTuple):
    """One step of a conversation: what the client sends at once, owed one ReadyForQuery."""

    data: bytes  # for the gate
    natively: bytes  # for PostgreSQL itself
    label: str


FINE = [
    "SELECT 1",
    "SELECT id FROM open WHERE false",
    "INSERT INTO open (word) VALUES ('a')",
    "INSERT INTO open (word) VALUES ('b') RETURNING word",
    "UPDATE open SET word = 'c'",
    "SELECT word FROM open ORDER BY word",
    "DELETE FROM open WHERE word = 'b'",
]
CLOSED = [
    "SELECT * FROM forbidden",
    "INSERT INTO forbidden VALUES (2, 'y')",
    "UPDATE forbidden SET word = 'z'",
    "SELECT (SELECT word FROM forbidden)",
    "INSERT INTO open (word) SELECT word FROM forbidden",
    "WITH x AS (DELETE FROM forbidden RETURNING 1) SELECT * FROM x",
    "DECLARE closed CURSOR FOR SELECT * FROM forbidden",
    "COPY forbidden TO STDOUT",
    "COPY forbidden FROM STDIN",
]
FAILING = ["SELECT 1/0", "SELECT * FROM nowhere"]
CONTROL = ["BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT s", "ROLLBACK TO s", "RELEASE s"]

statements = st.sampled_from(FINE * 3 + CLOSED * 2 + FAILING + CONTROL * 2)


def unparsable(text: str) -> str:
    """What stands in for a text that the gate refuses whole: it names what is closed, or what the catalog lacks."""
    return NO_SQL if "forbidden" in text or "nowhere" in text else text


def simple(texts: Sequence[str]) -> Part:
    text = "; ".join(texts)
    return Part(raw.query(text), raw.query(unparsable(text)), f"Query {text!r}")


def batch(steps: Sequence[tuple[str, str]]) -> Part:
    """Extended messages for each (statement, shape), one Sync at the end."""
    data = b"".join(SHAPES[shape](text) for text, shape in steps)
    natively = b"".join(SHAPES[shape](unparsable(text)) for text, shape in steps)
    return Part(data + raw.SYNC, natively + raw.SYNC, f"batch {list(steps)}")


def _whole(text: str) -> bytes:
    return raw.parse(text) + raw.bind() + raw.describe() + raw.execute()


SHAPES = {
    "whole": _whole,
    "no describe": lambda text: raw.parse(text) + raw.bind() + raw.execute(),
    "describe statement": lambda text: raw.parse(text) + raw.describe("", "S") + raw.bind() + raw.execute(),
    "named": lambda text: raw.close("n") + raw.parse(text, "n") + raw.bind("n", "") + raw.execute(),
    "named again": lambda _: raw.bind("n", "") + raw.execute(),
    "parse only": raw.parse,
    "twice": lambda text: raw.parse(text) + raw.bind() + raw.execute() + raw.bind() + raw.execute(),
    "flush": lambda text: _whole(text) + raw.FLUSH,
    "rows in parts": lambda text: (
        raw.parse(text) + raw.bind() + raw.execute("", 1) + raw.execute("", 1) + raw.execute()
    ),
    "leftover": lambda text: raw.parse("SELECT 5", "n") + raw.parse(text) + raw.bind("n") + raw.execute(),
}

parts = st.one_of(
    st.lists(statements, min_size=1, max_size=4).map(simple),
    st.lists(st.tuples(statements, st.sampled_from(sorted(SHAPES))), min_size=1, max_size=5).map(batch),
)


@pytest.fixture(scope="module")
def twins(server: Postgres, make_gate: GateMaker) -> Iterator[tuple[Place, Place]]:
    """(directly, through the gate), each with a database of its own."""
    names = ("parity_direct", "parity_gate")
    for name in names:
        server.drop_database(name)
        server.create_database(name, owner="app")
        server.run(SCHEMA, name)
    gate = make_gate({names[1]: Upstream(names[1], "deny_one")})
    direct = Place(server.host, server.port, names[0], "app", PASSWORD)
    yield direct, gate_place(gate, names[1])
    gate.check()
    for name in names:
        server.drop_database(name)


def converse(place: Place, conversation: Sequence[Part], *, at_once: bool) -> list[tuple[str, bytes]]:
    """The messages, errors reduced to the fact; ParameterStatus and NoticeResponse left out."""
    sent = [part.data if place.through_gate else part.natively for part in conversation]
    with place.raw() as client:
        client.ask(raw.query("TRUNCATE open RESTART IDENTITY"))
        if at_once:
            heard = client.ask(b"".join(sent), len(sent))
        else:
            heard = [message for data in sent for message in client.ask(data)]
        client.socket.settimeout(0.02)
        with pytest.raises(TimeoutError):
            client.message()
        client.socket.settimeout(20)
        heard += client.ask(raw.query("ROLLBACK"))
        heard += client.ask(raw.query("SELECT word FROM open ORDER BY id"))
    return [_reduced(message) for message in heard if message.kind not in "SN"]


def _reduced(message: raw.Message) -> tuple[str, bytes]:
    if message.kind == "E":
        code = message.fields["C"]
        return "E", b"refused" if code in ("42501", "42601", "42P01") else code.encode()
    if message.kind == "T":
        return "T", message.payload[:2]
    return message.kind, message.payload


def compare(twins: tuple[Place, Place], conversation: Sequence[Part], *, at_once: bool) -> None:
    wanted, found = (converse(place, conversation, at_once=at_once) for place in twins)
    assert found == wanted, [part.label for part in conversation]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conversation=st.lists(parts, min_size=1, max_size=6), at_once=st.booleans())
@example(conversation=[simple(["INSERT INTO open (word) VALUES ('a')", "SELECT * FROM forbidden"])], at_once=False)
@example(conversation=[simple(["BEGIN"]), simple(["SELECT * FROM forbidden"]), simple(["COMMIT"])], at_once=True)
@example(
    conversation=[
        batch(
            [
                ("INSERT INTO open (word) VALUES ('a')", "whole"),
                ("SELECT * FROM forbidden", "whole"),
                ("SELECT 1", "whole"),
            ]
        )
    ],
    at_once=False,
)
@example(conversation=[batch([("SELECT 1", "named")]), batch([(CLOSED[0], "named again")])], at_once=True)
@example(conversation=[batch([(CLOSED[0], "named")]), batch([("SELECT 1", "named again")])], at_once=False)
def test_random_conversations(twins: tuple[Place, Place], conversation: list[Part], at_once: bool) -> None:
    compare(twins, conversation, at_once=at_once)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("closed", CLOSED)
def test_each_shape(twins: tuple[Place, Place], closed: str, shape: str) -> None:
    """A refused statement between two fine ones, in and outside a transaction."""
    conversation = [
        batch([(FINE[2], "whole"), (closed, shape), (FINE[2], "whole")]),
        simple(["BEGIN"]),
        batch([(FINE[2], "whole"), (closed, shape), (FINE[2], "whole")]),
        simple(["SELECT 1"]),
        simple(["ROLLBACK"]),
    ]
    compare(twins, conversation, at_once=False)


@pytest.mark.parametrize("closed", CLOSED)
def test_simple_queries(twins: tuple[Place, Place], closed: str) -> None:
    """A text with one refused statement is refused whole, as PostgreSQL refuses one with a syntax error."""
    conversation = [
        simple([closed]),
        simple([FINE[2], closed, FINE[2]]),
        simple(["BEGIN"]),
        simple([FINE[2]]),
        simple([closed]),
        simple([FINE[0]]),
        simple(["COMMIT"]),
        simple(["BEGIN", "SAVEPOINT s"]),
        simple([closed]),
        simple(["ROLLBACK TO s"]),
        simple([FINE[2]]),
        simple(["COMMIT"]),
    ]
    for at_once in (False, True):
        compare(twins, conversation, at_once=at_once)
