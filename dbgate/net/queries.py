"""The gate's own questions to an upstream: simple queries, whole answers as text. Not for clients' statements."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from dbgate.net.reaching import CONNECTION_FAILURE, QueryFailed, Row, UpstreamUnavailable
from dbgate.net.setup_stream import ConnectionEnded
from dbgate.net.upstream import UpstreamConnection
from protocols.errors import PeerError
from protocols.postgres import backend, frames
from protocols.postgres.frontend import Query

__all__ = ["QueryFailed", "Row", "run_query"]

#: messages of one slice: some 5 ms of work
_SLICE = 500


async def run_query(connection: UpstreamConnection, sql: str) -> list[Row]:
    """The rows of one statement. Raises QueryFailed, or UpstreamUnavailable when the connection is of no more use.

    Parameter changes are taken note of. Being cancelled closes the connection."""
    if connection.stream.ended or connection.stream.transport.is_closing():
        raise _broken("it was closed before")
    connection.stream.write(Query(sql).encode())
    answer = _Answer(connection)
    try:
        while not answer.complete:
            await answer.receive(await connection.stream.read())
    except ConnectionEnded:
        raise _broken("the connection ended in the middle of a query") from None
    except PeerError as fault:
        raise _broken(fault.message) from None
    except BaseException:
        connection.stream.transport.abort()  # the rest of the answer would be taken for the next one's
        raise
    if answer.error is not None:
        raise _failed(answer.error)
    return answer.rows


def _failed(error: backend.ErrorResponse) -> QueryFailed:
    return QueryFailed(error.get("C") or "", error.get("M") or "")


def _broken(cause: str) -> UpstreamUnavailable:
    return UpstreamUnavailable(CONNECTION_FAILURE, "the connection to the database behind the gate was lost", cause)


class _Answer:
    """Collects messages up to ReadyForQuery."""

    def __init__(self, connection: UpstreamConnection) -> None:
        self._connection = connection
        self._buffer = b""
        self.rows: list[Row] = []
        self.error: backend.ErrorResponse | None = None
        self.complete = False

    async def receive(self, data: bytes) -> None:
        """A long answer doesn't keep the loop from its other connections."""
        self._buffer += data
        found, consumed = frames.split(self._buffer, 0, frames.MAX_LENGTH)
        for number, (kind, start, end) in enumerate(found, 1):
            self._take(backend.decode(kind, self._buffer[start + frames.HEADER_SIZE : end]))
            if not number % _SLICE:
                await asyncio.sleep(0)
        self._buffer = self._buffer[consumed:]

    def _take(self, message: backend.BackendMessage) -> None:
        if (handler := _HANDLERS.get(type(message))) is not None:
            handler(self, message)

    def _row(self, message: backend.DataRow) -> None:
        self.rows.append(_decode(message.values))

    def _error(self, message: backend.ErrorResponse) -> None:
        self.error = message

    def _ready(self, _message: backend.ReadyForQuery) -> None:
        self.complete = True

    def _parameter(self, message: backend.ParameterStatus) -> None:
        self._connection.parameters[message.name] = message.value


def _decode(values: Sequence[bytes | None]) -> Row:
    try:
        return tuple(None if value is None else value.decode() for value in values)
    except UnicodeDecodeError:
        raise PeerError("a value is no UTF-8") from None


_HANDLERS: dict[type, Any] = {
    backend.DataRow: _Answer._row,
    backend.ErrorResponse: _Answer._error,
    backend.ReadyForQuery: _Answer._ready,
    backend.ParameterStatus: _Answer._parameter,
}
