"""Reading and writing while a connection is set up, before the data path takes over.

A plain Protocol with a bounded buffer instead of StreamReader: the hand-over to the driver is `transport.set_protocol`,
and no byte read ahead is lost.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

#: bytes that wait unread before the peer is slowed down
_BUFFER_LIMIT = 64 * 1024


class ConnectionEnded(Exception):  # noqa: N818
    """The peer closed the connection during set-up."""


class SetupStream(asyncio.Protocol):
    """One side of a connection during login. Cancelling `read` loses nothing."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._ended = False
        self._paused = False
        self._waiting: asyncio.Future[None] | None = None

    async def read(self) -> bytes:
        """What has arrived, at least one byte. Raises ConnectionEnded."""
        while not self._buffer:
            if self._ended:
                raise ConnectionEnded
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        return self.take()

    def take(self) -> bytes:
        """What has arrived and was not read, without waiting."""
        data = bytes(self._buffer)
        self._buffer.clear()
        if self._paused and not self._ended:
            self._paused = False
            self.transport.resume_reading()
        return data

    @property
    def unread(self) -> int:
        return len(self._buffer)

    @property
    def ended(self) -> bool:
        return self._ended

    def write(self, data: bytes) -> None:
        if data and not self._ended:
            self.transport.write(data)

    async def start_tls(self, context: ssl.SSLContext, *, server: bool, name: str | None, limit: float) -> None:
        """Continues inside TLS. Raises ssl.SSLError, OSError or TimeoutError, and the connection is then gone.

        `limit`: seconds for the handshake. The caller makes sure that no unread byte is left: whatever came before
        the handshake came in clear."""
        transport = await asyncio.get_running_loop().start_tls(
            self.transport, self, context, server_side=server, server_hostname=name, ssl_handshake_timeout=limit
        )
        if transport is None:  # the connection was lost during the handshake
            raise ConnectionEnded
        self.transport = transport

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's are not derived from asyncio's classes

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > _BUFFER_LIMIT and not self._paused:
            self._paused = True
            self.transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
