"""Where audit events end up: a ClickHouse server, or the same engine embedded (chDB).

Both take the same SQL. chDB belongs to one process per folder, and its calls block: they go to one worker thread.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError

from dbgate.audit import schema
from dbgate.audit.errors import QueryRefused, RecordsRejected, StoreUnavailable
from dbgate.audit.query import require_reading
from dbgate.audit.segments import lock, make_private
from dbgate.audit.settings import AuditSettings, ClickHouseSettings

T = TypeVar("T")

#: ClickHouse's error codes for data that it will never take, however often it is sent (ErrorCodes.cpp)
POISON = frozenset({6, 26, 27, 32, 33, 38, 41, 53, 69, 70, 72, 117, 130, 131, 349, 376, 407, 441, 467, 675})

_INSERT = MappingProxyType({"input_format_skip_unknown_fields": 1, "input_format_null_as_default": 1})
_READ_ONLY = MappingProxyType({"readonly": 2})
#: in <directory>/audit: who has the embedded ClickHouse open
EMBEDDED_LOCK = "clickhouse.lock"
_CODE = re.compile(r"Code: (\d+)")


@dataclass(frozen=True, slots=True)
class Result:
    """Column names and rows of Python values."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


class Store(Protocol):
    """What the shipper and the console use."""

    database: str

    async def migrate(self) -> int:
        """Create or upgrade the tables; their version. StoreUnavailable, SchemaTooNewError."""

    async def insert(self, table: str, rows: Sequence[bytes], token: str) -> None:
        """Insert JSON objects, one a row. The same rows with the same `token` may come again. StoreUnavailable,
        RecordsRejected (none of the rows is there)."""

    async def query(self, sql: str) -> Result:
        """Run a query that only reads. StoreUnavailable, QueryRefused."""

    async def close(self) -> None:
        """Give connections, threads and locks back."""


class ServerStore:
    """A ClickHouse server over HTTP. Connects when it is first needed, and again after an outage."""

    def __init__(self, settings: ClickHouseSettings, keep_days: int) -> None:
        self.database = settings.database
        self._settings = settings
        self._keep_days = keep_days
        self._client: Any = None
        self._connecting = asyncio.Lock()

    async def migrate(self) -> int:
        for statement in schema.prepare(self.database):
            await self._command(statement)
        version = int(await self._command(schema.current_version(self.database)))
        for statement in schema.missing(self.database, version, self._keep_days):
            await self._command(statement)
        return schema.MIGRATIONS[-1].version

    async def insert(self, table: str, rows: Sequence[bytes], token: str) -> None:
        client = await self._connected()
        settings = {**_INSERT, "insert_deduplication_token": token}
        try:
            await client.raw_insert(
                f"{self.database}.{table}", insert_block=b"\n".join(rows), fmt="JSONEachRow", settings=settings
            )
        except (ClickHouseError, OSError) as error:
            raise _insert_error(error) from error

    async def query(self, sql: str) -> Result:
        sql = require_reading(sql)
        client = await self._connected()
        client.database = self.database  # for names without one; everything of ours is written with its database
        try:
            return _result(await client.query(sql, settings=dict(_READ_ONLY)))
        except (ClickHouseError, OSError) as error:
            raise _query_error(error) from error

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _command(self, sql: str) -> Any:
        client = await self._connected()
        try:
            return await client.command(sql)
        except (ClickHouseError, OSError) as error:
            raise StoreUnavailable(f"ClickHouse: {error}") from error

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
        return self._client

    async def _connect(self) -> Any:
        settings = self._settings
        try:
            return await clickhouse_connect.get_async_client(
                dsn=settings.url, username=settings.user, password=settings.password,
                connect_timeout=5, send_receive_timeout=60,
            )  # fmt: skip
        except (ClickHouseError, OSError) as error:
            raise StoreUnavailable(f"ClickHouse at {settings.url} cannot be reached: {error}") from error


class EmbeddedStore:
    """chDB in this process. StoreUnavailable at the first use when another process has the folder."""

    database = "dbgate"

    def __init__(self, settings: AuditSettings) -> None:
        self._folder = settings.embedded_folder
        self._keep_days = settings.keep_days
        self._thread = ThreadPoolExecutor(1, "chdb")
        self._lock: int | None = None
        self._client: Any = None
        self._reader: Any = None  # a session of its own: in chDB `readonly` may outlive the query that set it

    async def migrate(self) -> int:
        return await self._run(self._migrate)

    async def insert(self, table: str, rows: Sequence[bytes], token: str) -> None:
        await self._run(lambda client: self._insert(client, table, rows))

    async def query(self, sql: str) -> Result:
        statement = require_reading(sql)
        return await self._run(lambda _: _query(self._reader, statement))

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    async def _run(self, work: Callable[[Any], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: work(self._connected()))

    def _connected(self) -> Any:
        if self._client is None:
            self._take_folder()
            self._client = self._open()
            _command(self._client, f"CREATE DATABASE IF NOT EXISTS {self.database}")
            self._reader = self._open()
            self._reader.database = self.database  # for names without one
        return self._client

    def _open(self) -> Any:
        try:
            return clickhouse_connect.get_client(dsn=f"chdb://{self._folder.resolve()}")
        except (ClickHouseError, ImportError, OSError) as error:
            raise StoreUnavailable(
                f"the embedded ClickHouse cannot start ({error}); install dbgate[embedded], or set audit.clickhouse"
            ) from error

    def _take_folder(self) -> None:
        if self._lock is not None:
            return
        make_private(self._folder)
        self._lock = lock(self._folder.parent, EMBEDDED_LOCK)
        if self._lock is None:
            raise StoreUnavailable(f"{self._folder} is open in another process (a gate, or dbgate audit)")

    def _migrate(self, client: Any) -> int:
        for statement in schema.prepare(self.database):
            _command(client, statement)
        version = int(_command(client, schema.current_version(self.database)))
        for statement in schema.missing(self.database, version, self._keep_days):
            _command(client, statement)
        return schema.MIGRATIONS[-1].version

    def _insert(self, client: Any, table: str, rows: Sequence[bytes]) -> None:
        try:
            client.raw_insert(
                f"{self.database}.{table}", insert_block=b"\n".join(rows), fmt="JSONEachRow", settings=dict(_INSERT)
            )
        except (ClickHouseError, OSError) as error:
            raise _insert_error(error) from error

    def _close(self) -> None:
        for client in (self._reader, self._client):
            if client is not None:
                client.close()
        if self._lock is not None:
            os.close(self._lock)
        self._client = self._reader = self._lock = None


def open_store(settings: AuditSettings) -> Store:
    """The store that the settings name. Nothing is opened or connected before the first call."""
    if settings.clickhouse is None:
        return EmbeddedStore(settings)
    return ServerStore(settings.clickhouse, settings.keep_days)


def _query(client: Any, sql: str) -> Result:
    try:
        return _result(client.query(sql, settings=dict(_READ_ONLY)))
    except (ClickHouseError, OSError) as error:
        raise _query_error(error) from error


def _command(client: Any, sql: str) -> Any:
    try:
        return client.command(sql)
    except (ClickHouseError, OSError) as error:
        raise StoreUnavailable(f"embedded ClickHouse: {error}") from error


def _result(answer: Any) -> Result:
    return Result(tuple(answer.column_names), tuple(tuple(row) for row in answer.result_rows))


def _insert_error(error: Exception) -> Exception:
    kind = RecordsRejected if _code(error) in POISON else StoreUnavailable
    return kind(f"ClickHouse: {error}")


def _query_error(error: Exception) -> Exception:
    """Without a code of ClickHouse's own, the network or the server failed."""
    kind = StoreUnavailable if _code(error) is None else QueryRefused
    return kind(str(error))


def _code(error: Exception) -> int | None:
    found = _CODE.search(str(error))
    return int(found.group(1)) if found else None
