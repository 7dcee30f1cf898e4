"""What tests need of a real server: the server itself, and its catalog as the gate reads it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import pq

from dbgate.catalog.postgres import Query, Row, read_catalog
from rules.catalog import Catalog
from tests.live.servers import NoServerError, Postgres, start_postgres


@contextlib.contextmanager
def needed_server() -> Iterator[Postgres]:
    """A running PostgreSQL. Where none can be had the test is skipped; in CI that is a failure."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(start_postgres())
        except NoServerError as trouble:
            if os.environ.get("CI") == "true":
                pytest.fail(str(trouble))
            pytest.skip(str(trouble))
        yield server


def live_catalog(connection: psycopg.Connection[Any], known: Catalog | None = None) -> Catalog:
    return asyncio.run(read_catalog(query_over(connection), known))


class QueryError(AssertionError):
    """The server's refusal of one of the gate's own questions."""

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


def query_over(connection: psycopg.Connection[Any]) -> Query:
    """Asks in the simple protocol, as the gate's own catalog connection does."""

    async def query(sql: str) -> list[Row]:
        found = connection.pgconn.exec_(sql.encode())
        if found.error_message:
            raise QueryError(found.error_message, (found.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode())
        return text_rows(found)

    return query


def text_rows(result: pq.abc.PGresult) -> list[Row]:
    cells = ([result.get_value(row, i) for i in range(result.nfields)] for row in range(result.ntuples))
    return [tuple(None if c is None else c.decode() for c in row) for row in cells]
