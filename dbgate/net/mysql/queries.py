"""The gate's own questions to a MySQL or MariaDB: COM_QUERY, whole answers as text. Not for clients' statements."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from dbgate.net.mysql.upstream import CANNOT_CONNECT, MysqlUnavailable, UpstreamConnection
from dbgate.net.reaching import QueryFailed, Row, UpstreamUnavailable
from dbgate.net.setup_stream import ConnectionEnded
from protocols.errors import PeerError
from protocols.mysql import packets
from protocols.mysql.capabilities import Capability
from protocols.mysql.commands import Query
from protocols.mysql.pieces import Columns, Expect, Kind, Piece
from protocols.mysql.relay import ReplyReader
from protocols.mysql.replies import Err
from protocols.mysql.wire import Reader

__all__ = ["MysqlQueryFailed", "QueryFailed", "Row", "run_query"]

#: rows of one slice: some 5 ms of work
_SLICE: Final = 500


class MysqlQueryFailed(QueryFailed):
    """The server's own error."""

    def __init__(self, error: Err) -> None:
        super().__init__(error.sqlstate, f"({error.errno}) {error.text}")
        self.errno = error.errno


async def run_query(connection: UpstreamConnection, sql: str) -> list[Row]:
    """The rows of one statement; none for one without a result. Raises QueryFailed, or UpstreamUnavailable when the
    connection is of no more use. Values are read as UTF-8. Being cancelled closes the connection."""
    stream = connection.stream
    if stream.ended or stream.transport.is_closing():
        raise _broken("it was closed before")
    if stream.unread:
        stream.transport.abort()  # the gate asks, the server answers: anything else is a server out of step
        raise _broken("the server sent something unasked")
    stream.write(packets.encode(Query(sql.encode()).encode(connection.capabilities), 0))
    answer = _Answer(connection.capabilities)
    try:
        while not answer.complete:
            await answer.receive(await stream.read())
    except ConnectionEnded:
        raise _broken("the connection ended in the middle of a query") from None
    except PeerError as fault:
        stream.transport.abort()
        raise _broken(fault.message) from None
    except BaseException:
        stream.transport.abort()  # the rest of the answer would be taken for the next one's
        raise
    if answer.error is not None:
        raise MysqlQueryFailed(answer.error)
    return answer.rows


def _broken(cause: str) -> UpstreamUnavailable:
    return MysqlUnavailable(CANNOT_CONNECT, "HY000", "the connection to the database behind the gate was lost", cause)


class _Answer:
    """Collects the pieces of one reply."""

    def __init__(self, capabilities: Capability) -> None:
        self._reader = ReplyReader(Expect.TEXT_RESULT, capabilities)
        self._buffer = b""
        self._columns = 0
        self.rows: list[Row] = []
        self.error: Err | None = None

    @property
    def complete(self) -> bool:
        return self._reader.complete

    async def receive(self, data: bytes) -> None:
        """A long answer doesn't keep the loop from its other connections."""
        buffer, position = self._buffer + data, 0
        while (piece := self._reader.next(buffer, position, _SLICE)) is not None:
            self._take(buffer, piece)
            position = piece.end
            if piece.rows == _SLICE:
                await asyncio.sleep(0)
        self._buffer = buffer[position:]

    def _take(self, buffer: bytes, piece: Piece) -> None:
        handler = _HANDLERS.get(piece.kind)
        if handler is None:
            raise PeerError(f"the server answered a question of the gate's own with a {piece.kind.value}")
        handler(self, buffer, piece)

    def _on_columns(self, _buffer: bytes, piece: Piece) -> None:
        if self._columns:
            raise PeerError("the server answered one statement with several results")
        assert isinstance(piece.value, Columns)
        self._columns = len(piece.value.payloads)

    def _on_rows(self, buffer: bytes, piece: Piece) -> None:
        for payload in _payloads(buffer, piece):
            self.rows.append(self._decode(payload))

    def _decode(self, payload: bytes) -> Row:
        reader = Reader(payload, "row")
        values = [reader.lenenc_bytes_or_null("value") for _ in range(self._columns)]
        reader.finish()
        try:
            return tuple(None if value is None else value.decode() for value in values)
        except UnicodeDecodeError:
            raise PeerError("a value is no UTF-8") from None

    def _on_err(self, _buffer: bytes, piece: Piece) -> None:
        assert isinstance(piece.value, Err)
        self.error = piece.value

    def _on_end(self, _buffer: bytes, piece: Piece) -> None:
        """The status is of no interest."""


def _payloads(buffer: bytes, piece: Piece) -> Iterator[bytes]:
    """The rows of a slice of whole rows, those of several packets joined."""
    parts: list[bytes] = []
    for _, start, end in packets.split(buffer[piece.start : piece.end], 0)[0]:
        begin, stop = piece.start + start + packets.HEADER_SIZE, piece.start + end
        parts.append(buffer[begin:stop])
        if stop - begin < packets.MAX_PAYLOAD:
            yield b"".join(parts)
            parts = []


_HANDLERS: Final[dict[Kind, Callable[[_Answer, bytes, Piece], None]]] = {
    Kind.OK: _Answer._on_end,
    Kind.ERR: _Answer._on_err,
    Kind.COLUMNS: _Answer._on_columns,
    Kind.ROWS: _Answer._on_rows,
    Kind.ROWS_END: _Answer._on_end,
}
