"""Everyday questions about masked columns are answered: no refusal, as many rows, open columns as they are, and nothing
that depends on what is hidden."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live import raw, worlds
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream
from tests.live.places import Place
from tests.live.raw import Raw
from tests.live.servers import PASSWORD, Postgres
from tests.live.test_leaks import MODES, attempts, hear_once, leaks

EVERYDAY = attempts("everyday.yaml")
#: columns that no rule hides, by the names under which the statements return them
OPEN = frozenset({"id", "country", "department", "name", "active"})


@pytest.fixture(scope="module")
def databases(server: Postgres) -> Iterator[dict[str, str]]:
    with worlds.both_worlds(server, "everyday") as names:
        yield names


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, databases: dict[str, str]) -> Gate:
    return make_gate({f"shop_{world}": Upstream(name, "shop") for world, name in databases.items()})


@pytest.fixture(scope="module")
def sessions(gate: Gate) -> Iterator[dict[str, Raw]]:
    """One session in each world, through the gate."""
    found = {world: gate_place(gate, f"shop_{world}").raw() for world in worlds.WORLDS}
    yield found
    for client in found.values():
        client.close()


@pytest.fixture(scope="module")
def direct(server: Postgres, databases: dict[str, str]) -> Iterator[Raw]:
    with Place(server.host, server.port, databases["a"], "app", PASSWORD).raw() as client:
        yield client


def rows(client: Raw, statement: str, parameters: tuple[str, ...]) -> tuple[list[str], list[list[bytes | None]]]:
    messages = client.ask(raw.extended(statement, parameters))
    assert not [m.payload for m in messages if m.kind == "E"]
    (described,) = (m.payload for m in messages if m.kind == "T")
    return _names(described), [list(m.values) for m in messages if m.kind == "D"]


def _names(description: bytes) -> list[str]:
    found, at = [], 2
    for _ in range(int.from_bytes(description[:2])):
        end = description.index(b"\0", at)
        found.append(description[at:end].decode())
        at = end + 19
    return found


@pytest.mark.parametrize("name", EVERYDAY)
def test_answered(name: str, sessions: dict[str, Raw], direct: Raw) -> None:
    attempt = EVERYDAY[name]
    (statement,) = attempt.steps
    names, found = rows(sessions["a"], statement, attempt.parameters)
    _, wanted = rows(direct, statement, attempt.parameters)
    assert len(found) == len(wanted)
    for position, column in enumerate(names):
        if column in OPEN:
            assert [row[position] for row in found] == [row[position] for row in wanted], column


@pytest.mark.parametrize("name", EVERYDAY)
def test_nothing_hidden_shows(name: str, sessions: dict[str, Raw]) -> None:
    attempt = EVERYDAY[name]
    for mode in MODES:
        heard = {world: hear_once(client, attempt, mode) for world, client in sessions.items()}
        assert not leaks(heard["a"], "a")
        assert heard["a"] == heard["b"]
