"""Connections for the gate's own questions, to a database of either protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from dbgate.net import queries, upstream
from dbgate.net.mysql import queries as mysql_queries
from dbgate.net.mysql import upstream as mysql_upstream
from dbgate.net.mysql.greeting import Server
from dbgate.net.reaching import Row
from dbgate.net.setup_stream import SetupStream
from dbgate.settings.model import Database, Protocol, Upstream
from rules.catalog import Catalog

Query: TypeAlias = Callable[[str], Awaitable[list[Row]]]
ReadCatalog: TypeAlias = Callable[[Query, Catalog | None], Awaitable[Catalog]]
"""Is given what was read last, and may return that when it still holds."""


@dataclass(frozen=True, slots=True)
class Asking:
    """`query`: the rows of one statement; raises QueryFailed, UpstreamUnavailable. `server`: as it greeted the gate,
    None for PostgreSQL."""

    stream: SetupStream
    query: Query
    server: Server | None = None

    def close(self) -> None:
        self.stream.transport.close()


async def ask(database: Database, name: str) -> Asking:
    """`name`: what the server's list of sessions shows. Raises UpstreamUnavailable."""
    return await _ASK[database.protocol](database.upstream, name)


async def _ask_postgres(settings: Upstream, name: str) -> Asking:
    connection = await upstream.connect(settings, {"application_name": name})
    return Asking(connection.stream, lambda sql: queries.run_query(connection, sql))


async def _ask_mysql(settings: Upstream, name: str) -> Asking:
    attributes = {"program_name": name}
    connection = await mysql_upstream.connect(settings, database=settings.database, attributes=attributes)
    server = Server(connection.handshake.server_version, connection.handshake.capabilities)
    return Asking(connection.stream, lambda sql: mysql_queries.run_query(connection, sql), server)


_ASK: Final[Mapping[Protocol, Callable[[Upstream, str], Awaitable[Asking]]]] = {
    Protocol.POSTGRESQL: _ask_postgres,
    Protocol.MYSQL: _ask_mysql,
}
