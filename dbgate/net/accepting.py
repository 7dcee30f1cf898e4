"""The first byte of an accepted connection: in clear, or TLS at once (direct TLS)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Any

from dbgate.net.client_login import Door
from dbgate.net.setup_stream import SetupStream
from dbgate.net.tls import ALPN
from protocols.postgres import startup


async def open_client(client: socket.socket, door: Door) -> tuple[SetupStream, bool]:
    """The client's stream, and whether it began with TLS. The first byte tells, and is left where it is."""
    try:
        direct = await _begins_tls(client)
        context = door.tls.context if direct and door.tls is not None else None
        if direct and context is None:
            raise ConnectionAbortedError("the client speaks TLS, and the gate has no certificate")
    except BaseException:
        client.close()  # from here on it belongs to its transport
        raise
    loop = asyncio.get_running_loop()
    stream = SetupStream()  # not what the loop returns: with TLS, uvloop returns its own protocol
    await loop.connect_accepted_socket(lambda: stream, client, ssl=context)
    if direct:
        _require_alpn(stream)
    return stream, direct


def _require_alpn(stream: SetupStream) -> None:
    """Without ALPN a browser could be led to speak to us (PostgreSQL insists for the same reason)."""
    tls: Any = stream.transport.get_extra_info("ssl_object")
    if tls.selected_alpn_protocol() != ALPN:
        stream.transport.abort()
        raise ssl.SSLError("direct TLS without ALPN")


async def _begins_tls(client: socket.socket) -> bool:
    client.setblocking(False)
    await _readable(client)
    return client.recv(1, socket.MSG_PEEK) == bytes([startup.TLS_HANDSHAKE_BYTE])


async def _readable(client: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(client, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(client)
