"""A database with the random queries' schema, and its catalog."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import pq

from dbgate.catalog.postgres import Row, read_catalog
from rules.catalog import Catalog
from tests.dbgate.catalog.random_queries import ROWS, SCHEMA
from tests.live.servers import NoServerError, start_postgres


@pytest.fixture(scope="package")
def connection() -> Iterator[psycopg.Connection[Any]]:
    try:
        with start_postgres() as server:
            server.run("CREATE DATABASE lineage")
            with server.connect("lineage") as opened:
                opened.execute(SCHEMA + ROWS)
                yield opened
    except NoServerError as trouble:
        pytest.skip(str(trouble))


@pytest.fixture(scope="package")
def catalog(connection: psycopg.Connection[Any]) -> Catalog:
    async def query(sql: str) -> list[Row]:
        result = connection.pgconn.exec_(sql.encode())
        assert not result.error_message, result.error_message
        return [text_row(result, i) for i in range(result.ntuples)]

    return asyncio.run(read_catalog(query))


def text_row(result: pq.abc.PGresult, row: int) -> Row:
    values = (result.get_value(row, i) for i in range(result.nfields))
    return tuple(None if v is None else v.decode() for v in values)
