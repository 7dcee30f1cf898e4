"""Fixtures of the live tests: one PostgreSQL for the run, a fresh database and gates for each module."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.live import worlds
from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream
from tests.live.mysql_bed import Bed, prepared_bed
from tests.live.mysql_places import Stand, stand
from tests.live.mysql_servers import Brand
from tests.live.needed import needed_server
from tests.live.places import Place
from tests.live.servers import PASSWORD, Postgres

GateMaker: TypeAlias = Callable[..., Gate]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    fuzzing = "fuzz" in str(config.getoption("markexpr", ""))
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.live)
            if not fuzzing and item.get_closest_marker("fuzz"):
                item.add_marker(pytest.mark.skip(reason="the longer fuzzing run: ask for it with -m fuzz"))


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """The real PostgreSQL. Without one the test is skipped, in CI it fails."""
    with needed_server() as started:
        worlds.create_template(started)
        yield started


@pytest.fixture(scope="module")
def database(server: Postgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a fresh database with the shop in it."""
    name = "m_" + re.sub(r"\W", "_", request.module.__name__.rpartition(".")[2])
    server.drop_database(name)
    worlds.create_world(server, name)
    yield name
    server.drop_database(name)


@pytest.fixture(scope="module")
def make_gate(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateMaker]:
    """Starts gates (TLS on, not required); all are stopped and checked after the module."""
    started: list[Gate] = []
    pair = server.authority.server("gate")

    def make(databases: dict[str, Upstream], **options: object) -> Gate:
        gate = Gate(tmp_path_factory.mktemp("gate"), server, databases, pair, **options)  # type: ignore[arg-type]
        started.append(gate)
        return gate

    yield make
    troubles = []
    for gate in started:
        try:
            gate.stop()
        except Exception as trouble:  # every gate must be stopped before any is reported
            troubles.append(trouble)
    if troubles:
        raise troubles[0]


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, database: str) -> Gate:
    """A gate that offers the module's database under three names: by the rules allow_all, shop and wide."""
    books = ("allow_all", "shop", "wide")
    return make_gate({book: Upstream(database, book) for book in books})


@pytest.fixture(autouse=True)
def no_traceback(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test fails when its gate ended or printed a traceback meanwhile."""
    yield
    if "gate" in request.fixturenames:
        gate = request.getfixturevalue("gate")
        if isinstance(gate, Gate):
            gate.check()
    if "bed" in request.fixturenames:
        request.getfixturevalue("bed").gate.check()


@pytest.fixture(scope="session", params=list(Brand), ids=lambda brand: brand.value)
def bed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    """One for all modules about MySQL's wire: two starts of servers are most of what they cost."""
    with prepared_bed(request.param, tmp_path_factory.mktemp("bed")) as made:
        yield made


@pytest.fixture(scope="session", params=list(Brand), ids=lambda brand: brand.value)
def mysql_stand(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One for all modules about MySQL's drivers."""
    with stand(request.param, tmp_path_factory.mktemp("stand")) as standing:
        yield standing


@pytest.fixture(params=["direct", "gate"])
def where(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(where: str, server: Postgres, database: str, request: pytest.FixtureRequest) -> Place:
    """PostgreSQL itself, then the gate with a role that has nothing to hide. No TLS."""
    if where == "direct":
        return Place(server.host, server.port, database, "app", PASSWORD)
    return gate_place(request.getfixturevalue("gate"), "allow_all")


@pytest.fixture
def tls_place(where: str, server: Postgres, database: str, request: pytest.FixtureRequest) -> Place:
    """The same with TLS on the client's side."""
    if where == "direct" and not server.tls:
        pytest.skip("this PostgreSQL has no TLS")
    root = server.authority.root
    if where == "direct":
        return Place("localhost", server.port, database, "app", PASSWORD, root=root)
    gate = request.getfixturevalue("gate")
    return Place("localhost", gate.port, "allow_all", "agent", CLIENT_PASSWORD, gate, root)


@pytest.fixture
def direct(server: Postgres, database: str) -> Place:
    return Place(server.host, server.port, database, "app", PASSWORD)


@pytest.fixture
def allow_all(gate: Gate) -> Place:
    """The gate with a role that has nothing to hide."""
    return gate_place(gate, "allow_all")


@pytest.fixture
def shop(gate: Gate) -> Place:
    """The gate with DESIGN's example rules."""
    return gate_place(gate, "shop")


@pytest.fixture
def wide(gate: Gate) -> Place:
    """The gate with a role that may do nearly everything and still sees only masked values."""
    return gate_place(gate, "wide")


def gate_place(gate: Gate, database: str) -> Place:
    return Place(gate.host, gate.port, database, "agent", CLIENT_PASSWORD, gate)
