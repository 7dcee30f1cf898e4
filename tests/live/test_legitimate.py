"""Statements that the rules allow pass unchanged: the gate sends the very bytes of the server.

Most of them keep nothing in the session, so that one session for each address and database does for all of those; the
others have a session of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.live import worlds
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Upstream
from tests.live.places import Place
from tests.live.raw import Raw
from tests.live.servers import PASSWORD, Postgres
from tests.live.test_leaks import BOOKS, MODES, Attempt, attempts, hear, hear_once, leaks

LEGITIMATE = attempts("legitimate.yaml")
DATABASE = "legitimate"
_PLAIN = re.compile(
    r"\(*(select|with|values|table|insert|update|explain|show)\b(?!.*\b(set_config|nextval|pg_temp)\b)", re.IGNORECASE
)


class Listener:
    """Hears what a place answers."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.client: Raw | None = None
        self.known: dict[str, dict[str, bytes]] = {}

    def hear(self, name: str) -> dict[str, bytes]:
        if name not in self.known:
            self.known[name] = self._hear(LEGITIMATE[name])
        return self.known[name]

    def _hear(self, attempt: Attempt) -> dict[str, bytes]:
        if len(attempt.steps) > 1 or not _PLAIN.match(attempt.steps[0]):
            return hear(self.place, attempt)
        if self.client is None:
            self.client = self.place.raw()
        return {mode: hear_once(self.client, attempt, mode) for mode in MODES}

    def close(self) -> None:
        if self.client is not None:
            self.client.close()


@pytest.fixture(scope="module")
def listeners(server: Postgres, make_gate: GateMaker) -> Iterator[dict[str, Listener]]:
    """One for the server itself, one for each rulebook."""
    server.drop_database(DATABASE)
    worlds.create_world(server, DATABASE)
    gate = make_gate({book: Upstream(DATABASE, book) for book in BOOKS})
    found = {"": Listener(Place(server.host, server.port, DATABASE, "app", PASSWORD))}
    found |= {book: Listener(gate_place(gate, book)) for book in BOOKS}
    yield found
    for listener in found.values():
        listener.close()
    server.drop_database(DATABASE)


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("name", LEGITIMATE)
def test_legitimate(name: str, book: str, listeners: dict[str, Listener]) -> None:
    """The very bytes that the server sends."""
    wanted, found = listeners[""].hear(name), listeners[book].hear(name)
    for mode in MODES:
        assert not leaks(wanted[mode], "a"), "the statement shows hidden values: it belongs to evasions.yaml"
        assert found[mode] == wanted[mode], (mode, LEGITIMATE[name].steps)


def test_a_lent_function_before_another_statement(listeners: dict[str, Listener]) -> None:
    """In one Query; the server takes no such text in a Parse."""
    attempt = Attempt(("SELECT order_total(1); SELECT id FROM products WHERE id = 1",), (), ordered=True)
    heard = {}
    for book, listener in listeners.items():
        with listener.place.raw() as client:
            heard[book] = hear_once(client, attempt, "simple")
    assert heard == dict.fromkeys(heard, heard[""])


def test_there_are_enough() -> None:
    assert len(LEGITIMATE) >= 500
