"""Connections to the real database: TLS as libpq's sslmode means it, login, and what goes wrong said in clear."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dbgate.net.reaching import (
    CONNECTION_FAILURE,
    REJECTED,
    UpstreamUnavailable,
    is_unix,
    open_stream,
    password_of,
    reach,
    start_tls,
    tls_optional,
    unreachable,
)
from dbgate.net.setup_stream import ConnectionEnded, SetupStream
from dbgate.net.tls import ALPN, binding_of_der
from dbgate.settings.model import Upstream
from protocols.errors import PeerError
from protocols.postgres.client_login import ClientLogin, LoggedIn, LoginFailed
from protocols.postgres.diagnostics import ErrorResponse
from protocols.postgres.startup import CancelRequest, SSLRequest

UNKNOWN_DATABASE = "3D000"
UNKNOWN_PARAMETER = "42704"
#: SQLSTATE classes and codes of a server's refusal that a client may hear of as they are
_TELLING = {
    "53300": "has no connection left",
    "57P01": "is shutting down",
    "57P02": "is recovering from a crash",
    "57P03": "is starting up or shutting down",
}


@dataclass(slots=True)
class UpstreamConnection:
    """A logged-in connection. `tls`: whether it runs inside TLS. `early`: bytes that came after ReadyForQuery."""

    stream: SetupStream
    settings: Upstream
    parameters: dict[str, str]
    process_id: int
    secret_key: bytes = field(repr=False)
    tls: bool
    early: bytes = b""

    def close(self) -> None:
        self.stream.transport.close()


async def connect(upstream: Upstream, parameters: Mapping[str, str]) -> UpstreamConnection:
    """Connects and logs in. `parameters`: the client's startup parameters, already checked. Raises UpstreamUnavailable.
    TLS as libpq's sslmode means it, see `reach`."""
    return await reach(upstream, lambda tls: _attempt(upstream, parameters, tls))


async def _attempt(upstream: Upstream, parameters: Mapping[str, str], tls: bool) -> UpstreamConnection:
    stream = await _open(upstream)
    try:
        secured = tls and await _secure(stream, upstream)
        password = await password_of(upstream)
        return await _log_in(stream, upstream, parameters, password, secured)
    except (ConnectionEnded, OSError) as fault:
        stream.transport.abort()
        raise unreachable(f"the connection ended during login: {type(fault).__name__}", refused=True) from None
    except PeerError as fault:
        stream.transport.abort()
        raise UpstreamUnavailable(CONNECTION_FAILURE, "the database behind the gate broke the protocol",
                                  fault.message) from None  # fmt: skip
    except BaseException:
        stream.transport.abort()
        raise


async def _open(upstream: Upstream) -> SetupStream:
    return await open_stream(upstream, str(Path(upstream.host) / f".s.PGSQL.{upstream.port}"))


async def _secure(stream: SetupStream, upstream: Upstream) -> bool:
    """Asks for TLS and starts it. False: the server has none and the mode doesn't insist."""
    stream.write(SSLRequest().encode())
    answer = await stream.read()
    if answer == b"N":
        if tls_optional(upstream):
            return False
        raise unreachable("the server speaks no TLS, and upstream.tls.mode asks for it")
    if answer != b"S":  # more bytes than one would be bytes in clear that look as if they came inside TLS
        raise unreachable("the answer to SSLRequest was neither S nor N")
    await start_tls(stream, upstream, ALPN)
    return True


async def _log_in(
    stream: SetupStream, upstream: Upstream, parameters: Mapping[str, str], password: str | None, secured: bool
) -> UpstreamConnection:
    login = ClientLogin(
        user=upstream.user,
        database=upstream.database,
        parameters={**parameters, "client_encoding": "UTF8", "standard_conforming_strings": "on"},
        password=password,
        nonce=secrets.token_urlsafe(18),
        channel_binding_hash=_binding(stream) if secured else None,
        allow_cleartext=secured or _is_local(upstream),
    )
    stream.write(login.to_send())
    while True:
        login.receive(await stream.read())
        event = login.next_event()
        stream.write(login.to_send())
        if isinstance(event, LoggedIn):
            return UpstreamConnection(
                stream, upstream, dict(event.parameters), event.process_id, event.secret_key, secured, event.rest
            )
        if isinstance(event, LoginFailed):
            raise refusal(event.error)


def _is_local(upstream: Upstream) -> bool:
    return is_unix(upstream) or upstream.host in ("127.0.0.1", "::1", "localhost")


def _binding(stream: SetupStream) -> bytes | None:
    tls = stream.transport.get_extra_info("ssl_object")
    return binding_of_der(tls.getpeercert(binary_form=True)) if tls is not None else None


def refusal(error: ErrorResponse) -> UpstreamUnavailable:
    """A server's refusal, told to clients without names: who the gate is upstream is not theirs to know."""
    sqlstate = error.get("C") or ""
    cause = f"{sqlstate} {error.get('M') or ''}"
    if sqlstate == UNKNOWN_DATABASE:
        return UpstreamUnavailable(UNKNOWN_DATABASE, "the database behind the gate does not exist", cause)
    if sqlstate in _TELLING:
        return UpstreamUnavailable(sqlstate, f"the database behind the gate {_TELLING[sqlstate]}", cause)
    if sqlstate.startswith("22") or sqlstate == UNKNOWN_PARAMETER:  # speaks of the client's own startup parameters
        return UpstreamUnavailable(sqlstate, error.get("M") or "invalid startup parameter", cause)
    message = "the database behind the gate refused the gate's own login"
    return UpstreamUnavailable(REJECTED, message, cause, refused=True)


async def send_cancel(connection: UpstreamConnection) -> bool:
    """Asks the server to cancel what this connection does, in the same way that it was reached. The server closes
    without an answer, so errors are of no use to anybody. Returns whether it is certain that no cancel is still to
    come: the server has closed, and with that sent the signal, or was never asked."""
    sent = False
    with suppress(UpstreamUnavailable, ConnectionEnded, OSError, TimeoutError):
        async with asyncio.timeout(connection.settings.connect_timeout):
            stream = await _open_for_cancel(connection)
            try:
                sent = stream is not None
                await _ask_and_wait(connection, stream)
            except ConnectionEnded:
                return True
            finally:
                if stream is not None:
                    stream.transport.close()
    return not sent


async def _open_for_cancel(connection: UpstreamConnection) -> SetupStream | None:
    """None when the server has no TLS any more."""
    stream = await _open(connection.settings)
    try:
        if not connection.tls or await _secure(stream, connection.settings):
            return stream
    except BaseException:
        stream.transport.abort()
        raise
    stream.transport.close()
    return None


async def _ask_and_wait(connection: UpstreamConnection, stream: SetupStream | None) -> None:
    """Raises ConnectionEnded when the server has taken the request: it reads it, signals, and closes."""
    if stream is not None:
        stream.write(CancelRequest(connection.process_id, connection.secret_key).encode())
        while True:
            await stream.read()
