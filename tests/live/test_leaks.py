"""No masked value leaves, whatever is asked (DESIGN's second promise).

Each attempt runs in two databases that differ only in hidden values (see worlds). Behind the gate no received byte
may hold a hidden value in any known disguise, and both databases must give the same bytes. Run directly, the same
attempt must show or depend on hidden values: an attempt that could not leak proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from ruamel.yaml import YAML

from tests.live import raw, worlds
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream
from tests.live.places import Place
from tests.live.servers import PASSWORD, Postgres

BOOKS = ("shop", "wide")


class Attempt(NamedTuple):
    steps: tuple[str, ...]
    parameters: tuple[str, ...]
    ordered: bool  # False: the order of rows is nobody's secret here


def attempts(name: str) -> dict[str, Attempt]:
    """The lines of a data file by `category-number`."""
    found: dict[str, Attempt] = {}
    for category, text in YAML(typ="safe").load(Path(__file__).with_name(name)).items():
        for number, line in enumerate(worlds.guesses(text).splitlines(), 1):
            text_of_steps, _, words = line.partition(" :: ")
            steps = tuple(step.strip() for step in text_of_steps.split(" ;; "))
            parameters = tuple(words.split(" | ")) if words else ()
            found[f"{category}-{number}"] = Attempt(steps, parameters, "any order" not in category)
    return found


EVASIONS = attempts("evasions.yaml")
MODES = {"simple": None, "text": (), "binary": (1,)}


@pytest.fixture(scope="module")
def two_worlds(server: Postgres) -> Iterator[dict[str, str]]:
    with worlds.both_worlds(server, "leak") as names:
        yield names


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, two_worlds: dict[str, str]) -> Gate:
    return make_gate({f"{book}_{world}": Upstream(name, book) for book in BOOKS for world, name in two_worlds.items()})


@pytest.fixture
def unguarded(server: Postgres, two_worlds: dict[str, str]) -> dict[str, Place]:
    return {world: Place(server.host, server.port, name, "app", PASSWORD) for world, name in two_worlds.items()}


class Ears:
    """Sessions that hear one attempt after the other: one for each place and mode, as new for each attempt. One that
    the gate has ended (a result that it cannot vouch for) or that cannot be cleaned is replaced."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, str, str], raw.Raw] = {}  # by port, database and mode

    def __enter__(self) -> Ears:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._open.values():
            client.close()

    def hear(self, place: Place, attempt: Attempt) -> dict[str, bytes]:
        """Everything a client receives that makes the attempt in each mode, in transactions that are rolled back."""
        return {mode: self._hear(place, attempt, mode) for mode in MODES}

    def _hear(self, place: Place, attempt: Attempt, mode: str) -> bytes:
        key = (place.port, place.database, mode)
        client = self._open.pop(key, None) or place.raw()
        client.received.clear()
        try:
            heard = hear_once(client, attempt, mode)
            if client.ask(raw.query("DISCARD ALL"))[0].payload == b"DISCARD ALL\0":
                self._open[key] = client
        except raw.ConnectionClosedError:
            heard = bytes(client.received)
        if key not in self._open:
            client.close()
        return heard


def hear(place: Place, attempt: Attempt) -> dict[str, bytes]:
    """The same in sessions of its own."""
    with Ears() as ears:
        return ears.hear(place, attempt)


@pytest.fixture(scope="module")
def ears() -> Iterator[Ears]:
    with Ears() as found:
        yield found


def hear_once(client: raw.Raw, attempt: Attempt, mode: str) -> bytes:
    heard = b""
    for statement in ("BEGIN", *attempt.steps):
        if statement != "BEGIN":
            client.ask(raw.query("SAVEPOINT s"))
        messages = client.ask(_ask(statement, attempt.parameters, mode))
        parts = [_steady(message) for message in messages]
        heard += b"".join(parts if attempt.ordered else sorted(parts))
        if any(message.kind == "E" for message in messages):
            client.ask(raw.query("ROLLBACK TO s"))
    client.ask(raw.query("ROLLBACK"))
    return heard


def _ask(statement: str, parameters: tuple[str, ...], mode: str) -> bytes:
    formats = MODES[mode]
    if formats is None and not parameters:
        return raw.query(statement)
    return raw.extended(statement, parameters if "$1" in statement else (), formats or ())


def _steady(message: raw.Message) -> bytes:
    """The message without what differs from run to run: table OIDs of new tables, process ids."""
    if message.kind == "T":
        return b"T" + _without_table_oids(message.payload)
    if message.kind == "A":
        return b"A" + message.payload[4:]
    return message.kind.encode() + message.payload


def _without_table_oids(payload: bytes) -> bytes:
    """A RowDescription whose table OIDs are zero."""
    parts, at = [payload[:2]], 2
    for _ in range(int.from_bytes(payload[:2])):
        end = payload.index(b"\0", at) + 1
        parts += [payload[at:end], b"\0\0\0\0", payload[end + 4 : end + 18]]
        at = end + 18
    return b"".join(parts)


@cache
def needles(world: str) -> frozenset[bytes]:
    return frozenset(form for value in worlds.canaries(world) for form in worlds.forms(value))


def leaks(heard: bytes, world: str) -> list[bytes]:
    return [needle for needle in needles(world) if needle in heard]


@pytest.mark.parametrize("name", EVASIONS)
def test_attempt_would_leak_without_the_gate(name: str, unguarded: dict[str, Place], ears: Ears) -> None:
    heard = {world: ears.hear(place, EVASIONS[name]) for world, place in unguarded.items()}
    assert leaks(heard["a"]["simple"], "a") or heard["a"] != heard["b"], heard["a"]["simple"][:500]


@pytest.mark.parametrize("book", BOOKS)
@pytest.mark.parametrize("name", EVASIONS)
def test_evasion(name: str, book: str, gate: Gate, ears: Ears) -> None:
    heard = {world: ears.hear(gate_place(gate, f"{book}_{world}"), EVASIONS[name]) for world in worlds.WORLDS}
    for mode in MODES:
        for world in worlds.WORLDS:
            assert not leaks(heard[world][mode], world), (mode, EVASIONS[name].steps)
        assert heard["a"][mode] == heard["b"][mode], (mode, EVASIONS[name].steps)


def test_there_are_enough() -> None:
    assert len(EVASIONS) >= 150
