"""A database with the random queries' schema, and its catalog."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from rules.catalog import Catalog
from tests.dbgate.catalog.random_queries import ROWS, SCHEMA
from tests.live.needed import live_catalog, needed_server


@pytest.fixture(scope="package")
def connection() -> Iterator[psycopg.Connection[Any]]:
    with needed_server() as server:
        server.run("CREATE DATABASE lineage")
        with server.connect("lineage") as opened:
            opened.execute(SCHEMA + ROWS)
            yield opened


@pytest.fixture(scope="package")
def catalog(connection: psycopg.Connection[Any]) -> Catalog:
    return live_catalog(connection)
