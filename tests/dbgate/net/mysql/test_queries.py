"""The gate's own questions, to servers that answer well, badly, and in pieces."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbgate.net.mysql.queries import MysqlQueryFailed, run_query
from dbgate.net.mysql.upstream import UpstreamConnection
from dbgate.net.reaching import Row, UpstreamUnavailable
from dbgate.net.setup_stream import SetupStream
from dbgate.settings import Upstream
from protocols.mysql import packets
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.replies import ColumnDefinition, Eof, Ok, error
from protocols.mysql.wire import lenenc_bytes_or_null
from tests.protocols.mysql.logins import greeting

NEW, OLD = Capability.PROTOCOL_41 | Capability.DEPRECATE_EOF, Capability.PROTOCOL_41
values = st.none() | st.text(max_size=20)
tables = st.integers(1, 4).flatmap(lambda width: st.lists(st.lists(values, min_size=width, max_size=width), min_size=1))


class Transport:
    """Answers the first thing that is written to it."""

    def __init__(self, stream: SetupStream, answer: bytes, size: int, closes: bool) -> None:
        self._stream, self._answer, self._size, self._closes = stream, answer, size, closes
        self.written, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.written += data
        for start in range(0, len(self._answer), self._size):
            self._stream.data_received(self._answer[start : start + self._size])
        if self._closes:
            self._stream.connection_lost(None)

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True

    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


def ask(answer: bytes, caps: Capability = NEW, size: int = 1 << 16) -> tuple[list[Row], Transport]:
    """The rows of an answer cut into pieces, and the transport afterwards. A server that stops short closes."""

    async def main() -> tuple[list[Row], Transport]:
        stream = SetupStream()
        transport: Any = Transport(stream, answer, size, closes=True)
        stream.connection_made(transport)
        connection = UpstreamConnection(stream, Upstream("h", "u", "d"), greeting(), caps, Ok(), "x", tls=False)
        return await run_query(connection, "SELECT 1"), transport

    return asyncio.run(main())


def column(name: bytes) -> ColumnDefinition:
    return ColumnDefinition(b"", b"", b"", name, b"", 45, 20, 253, 0, 0)


def table(rows: list[list[str | None]], caps: Capability) -> bytes:
    payloads = [bytes([len(rows[0])])] + [column(b"c").encode(caps) for _ in rows[0]]
    if caps is OLD:
        payloads.append(Eof().encode(caps))
    payloads += [b"".join(lenenc_bytes_or_null(v if v is None else v.encode()) for v in row) for row in rows]
    payloads.append(Ok(header=0xFE).encode(caps) if caps is NEW else Eof().encode(caps))
    return packets.encode_all(payloads, 1)[0]


@given(tables, st.sampled_from([NEW, OLD]), st.integers(1, 50))
def test_rows_in_any_pieces(rows: list[list[str | None]], caps: Capability, size: int) -> None:
    found, transport = ask(table(rows, caps), caps, size)
    assert found == [tuple(row) for row in rows]
    assert transport.written == packets.encode(b"\x03SELECT 1", 0)
    assert not transport.closed


def test_no_result() -> None:
    assert ask(packets.encode(Ok().encode(NEW), 1))[0] == []


def test_an_error() -> None:
    with pytest.raises(MysqlQueryFailed, match=r"42S02 \(1146\) no such table") as caught:
        ask(packets.encode(error(1146, "42S02", "no such table").encode(NEW), 1))
    assert (caught.value.errno, caught.value.sqlstate) == (1146, "42S02")


def test_an_error_after_rows() -> None:
    good = table([["1"]], NEW)
    broken = good[: good.rindex(b"\xfe") - 4] + packets.encode(error(1317, "70100", "ended").encode(NEW), 4)
    with pytest.raises(MysqlQueryFailed, match="ended"):
        ask(broken)


@pytest.mark.parametrize(
    "answer",
    [
        packets.encode(b"\xfb/etc/passwd", 1),  # LOCAL INFILE
        packets.encode(b"", 1),
        packets.encode(Ok().encode(NEW), 2),
        packets.encode(Ok(status=StatusFlag.MORE_RESULTS_EXISTS).encode(NEW), 1),
        table([["1"]], NEW)[:-3],
        packets.encode(Ok().encode(NEW), 1) + b"more",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_what_is_no_answer(answer: bytes) -> None:
    with pytest.raises(UpstreamUnavailable, match="was lost"):
        ask(answer)


@given(st.binary(max_size=100), st.booleans())
def test_garbage_is_unavailable_or_an_error(data: bytes, framed: bool) -> None:
    try:
        ask(packets.encode(data, 1) if framed else data)
    except (UpstreamUnavailable, MysqlQueryFailed):
        return
    assert framed
    assert data[:1] == b"\0"


def test_a_server_that_speaks_unasked() -> None:
    async def main() -> bool:
        stream = SetupStream()
        transport: Any = Transport(stream, b"", 1, closes=False)
        stream.connection_made(transport)
        stream.data_received(b"x")
        connection = UpstreamConnection(stream, Upstream("h", "u", "d"), greeting(), NEW, Ok(), "x", tls=False)
        with pytest.raises(UpstreamUnavailable, match="unasked"):
            await run_query(connection, "SELECT 1")
        return transport.closed

    assert asyncio.run(main())
