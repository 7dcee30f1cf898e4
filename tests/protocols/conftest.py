"""A real PostgreSQL for the live tests of the codecs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.live.servers import NoServerError, Postgres, start_postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """The server for this run. Without one the test is skipped, in CI it fails."""
    context = start_postgres()
    try:
        started = context.__enter__()
    except NoServerError as trouble:
        if os.environ.get("CI") == "true":
            pytest.fail(str(trouble))
        pytest.skip(str(trouble))
    try:
        yield started
    finally:
        context.__exit__(None, None, None)
