"""A real PostgreSQL for the live tests of the codecs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.needed import needed_server
from tests.live.servers import Postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """The server for this run. Without one the test is skipped, in CI it fails."""
    with needed_server() as started:
        yield started
