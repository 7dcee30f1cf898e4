"""One PostgreSQL for these tests, and gates that are stopped and checked after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live import worlds
from tests.live.gate import Gate, Upstream
from tests.live.needed import needed_server
from tests.live.servers import Postgres

MakeGate = Callable[..., Gate]
DATABASE = "serve_tests"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and "make_gate" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="package")
def server() -> Iterator[Postgres]:
    with needed_server() as started:
        worlds.create_template(started)
        worlds.create_world(started, DATABASE)
        yield started


@pytest.fixture
def make_gate(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeGate]:
    """Starts gates with TLS (not required) on the database `allow_all`."""
    started: list[Gate] = []
    pair = server.authority.server("gate")

    def make(databases: dict[str, Upstream] | None = None, **options: object) -> Gate:
        chosen = databases or {"allow_all": Upstream(DATABASE, "allow_all")}
        gate = Gate(tmp_path_factory.mktemp("g"), server, chosen, pair, **options)  # type: ignore[arg-type]
        started.append(gate)
        return gate

    yield make
    for gate in started:
        stop(gate)


def stop(gate: Gate) -> None:
    """Ends the gate, fails when it printed a traceback, and gives the pipes back."""
    try:
        gate.stop()
    finally:
        for pipe in (gate.process.stdout, gate.process.stderr):
            if pipe is not None:
                pipe.close()
