"""The raw client itself, and the bytes of a conversation through a gate that allows everything."""

from __future__ import annotations

import pytest

from tests.live import raw, worlds
from tests.live.places import Place
from tests.live.servers import USERS, Postgres


def test_login_and_query(place: Place) -> None:
    with place.raw(application_name="raw") as client:
        messages = client.ask(raw.query("SELECT 1 AS one, NULL, 'x'"))
    assert raw.kinds(messages) == "TDCZ"
    assert messages[1].values == [b"1", None, b"x"]
    assert client.parameters["client_encoding"] == "UTF8"


def test_tls_login(tls_place: Place) -> None:
    with tls_place.raw() as client:
        assert raw.kinds(client.ask(raw.extended("SELECT 1"))) == "12TDCZ"


@pytest.mark.parametrize("user", [user for user, way in USERS.items() if way != "cert"])
def test_ways_to_log_in(server: Postgres, user: str, database: str) -> None:
    with raw.Raw(server.host, server.port) as client:
        client.login(user, "app-secret", database)


CONVERSATIONS = {
    "simple": [raw.query("SELECT id, name, email FROM customers ORDER BY id")],
    "several statements": [raw.query("SELECT 1; SELECT 2; SET datestyle = 'ISO, MDY'; SELECT 3")],
    "empty": [raw.query(""), raw.query(" ; "), raw.extended("")],
    "error": [raw.query("SELECT 1/0"), raw.query("SELECT 'x'::int")],
    "error in several": [raw.query("SELECT 1; SELECT 1/0; SELECT 3")],
    "extended": [raw.extended("SELECT id, email FROM customers WHERE id < $1", ["5"])],
    "binary": [raw.extended("SELECT id, created, active, profile FROM customers WHERE id < $1", ["5"], [1])],
    "prepared": [
        raw.parse("SELECT $1::int + 1", "s") + raw.describe("s", "S") + raw.SYNC,
        raw.bind("s", "", ["1"]) + raw.execute() + raw.bind("s", "", ["2"]) + raw.execute() + raw.SYNC,
        raw.close("s") + raw.SYNC,
        raw.bind("s", "", ["1"]) + raw.execute() + raw.SYNC,
    ],
    "portal in parts": [
        raw.query("BEGIN"),
        raw.parse("SELECT id FROM customers ORDER BY id", "s") + raw.bind("s", "p") + raw.execute("p", 3) + raw.SYNC,
        raw.execute("p", 3) + raw.SYNC,
        raw.execute("p") + raw.close("p", "P") + raw.SYNC,
        raw.query("COMMIT"),
    ],
    "error in a batch": [
        raw.parse("SELECT 1/0")
        + raw.bind()
        + raw.execute()
        + raw.parse("SELECT 2")
        + raw.bind()
        + raw.execute()
        + raw.SYNC
    ],
    "transaction": [raw.query("BEGIN"), raw.query("SELECT 1/0"), raw.query("SELECT 1"), raw.query("ROLLBACK")],
    "copy out": [raw.query("COPY customers TO STDOUT"), raw.query("COPY (SELECT 1, 'a') TO STDOUT (FORMAT csv)")],
    "copy in": [
        raw.query("BEGIN"),
        raw.query("COPY notes (body) FROM STDIN") + raw.copy_data(b"one\ntwo\n") + raw.COPY_DONE,
        raw.query("SELECT body FROM notes ORDER BY id"),
        raw.query("COPY notes (body) FROM STDIN") + raw.copy_data(b"three\n") + raw.copy_fail("enough"),
        raw.query("ROLLBACK"),
    ],
    "notice": [raw.query("DO $$ BEGIN RAISE NOTICE 'seen %', 1; END $$")],
    "cursor": [
        raw.query("BEGIN"),
        raw.query("DECLARE c CURSOR FOR SELECT id, email FROM customers ORDER BY id"),
        raw.query("FETCH 3 FROM c"),
        raw.query("MOVE 2 IN c; FETCH ALL FROM c"),
        raw.query("CLOSE c"),
        raw.query("COMMIT"),
    ],
    "settings": [
        raw.query("SET application_name = 'other'"),
        raw.query("SHOW application_name"),
        raw.query("RESET ALL"),
    ],
    "wide result": [raw.query("SELECT repeat('x', 100000), generate_series(1, 20)")],
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_bytes_are_equal(name: str, direct: Place, allow_all: Place) -> None:
    """DESIGN's fourth promise: what is allowed is untouched."""
    heard = []
    for place in (direct, allow_all):
        with place.raw() as client:
            for part in CONVERSATIONS[name]:
                client.ask(part)
            heard.append(bytes(client.received))
    assert heard[1] == heard[0]


UNREADABLE = ["SELEC 1", "SELECT 'open", "SELECT 1 FROM", "SELECT (1", "CREATE TABLE", "SELECT nothing FROM customers"]


@pytest.mark.parametrize("text", UNREADABLE)
def test_errors_in_the_text_are_like_the_servers(text: str, direct: Place, allow_all: Place) -> None:
    """The gate must refuse what it can't read; a client still sees the SQLSTATE and words that it knows."""
    found = []
    for place in (direct, allow_all):
        with place.raw() as client:
            error, ready = client.ask(raw.query(text))
            found.append(([error.fields.get(field) for field in "SCMP"], ready))
    assert found[0] == found[1]


def test_the_two_worlds_differ_only_in_what_is_hidden() -> None:
    first, second = worlds.tables("a"), worlds.tables("b")
    for table, rows in first.items():
        for one, other in zip(rows, second[table], strict=True):
            differing = {i for i, (x, y) in enumerate(zip(one, other, strict=True)) if x != y}
            assert differing == {i for i in worlds.HIDDEN.get(table, ()) if one[i] is not None}
            for i in differing:
                assert len(str(one[i])) == len(str(other[i]))


def test_canaries_are_distinct() -> None:
    found = worlds.canaries("a") + worlds.canaries("b")
    assert len(set(found)) == len(found) > 250
    assert all(len(value) > 7 for value in found)
