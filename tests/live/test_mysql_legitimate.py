"""Statements that the rules allow pass unchanged on MySQL and MariaDB: the gate sends the very bytes of the server, for
texts and for prepared statements."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.gate import Gate
from tests.live.mysql_listeners import DIRECT, Listener, cases, create_databases, opened, upstreams
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer

#: Minutes on a small machine: part of the longer run (`-m fuzz`).
pytestmark = pytest.mark.fuzz

LEGITIMATE = cases("legitimate_mysql.yaml")


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: brand.value)
def server(request: pytest.FixtureRequest) -> Iterator[MysqlServer]:
    with needed_mysql(request.param) as started:
        create_databases(started)
        yield started


@pytest.fixture(scope="module")
def listeners(server: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Listener]]:
    gate = Gate(tmp_path_factory.mktemp("gate"), server, upstreams())
    with opened(server, gate) as found:
        yield found
    gate.stop()


@pytest.mark.parametrize("name", LEGITIMATE)
def test_legitimate(name: str, server: MysqlServer, listeners: dict[str, Listener]) -> None:
    case = LEGITIMATE[name]
    if server.brand not in case.brands:
        pytest.skip("of the other brand")
    for mode in case.modes:
        wanted = listeners[DIRECT].hear(case, mode)
        for book in case.books:
            assert listeners[book].hear(case, mode) == wanted, (mode, book, case.steps)


def test_there_are_enough() -> None:
    assert len(LEGITIMATE) >= 350
