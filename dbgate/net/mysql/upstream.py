"""Connections to a real MySQL or MariaDB: TLS as libpq's sslmode means it, login, and what goes wrong said in clear."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dbgate.net.reaching import (
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
from dbgate.settings.model import Upstream
from protocols.errors import PeerError
from protocols.mysql import charsets
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.client_login import ClientLogin, LoggedIn, LoginFailed, StartTls, Tls
from protocols.mysql.handshake import Brand, Handshake
from protocols.mysql.replies import Err, Ok
from protocols.mysql.sealing import read_public_key

#: ER_CONNECT_TO_FOREIGN_DATA_SOURCE: what clients hear when there is no more to say
CANNOT_CONNECT, UNKNOWN_DATABASE = 1429, 1049
#: errors of a server that a client may hear of as they are: what to say, SQLSTATE
_TELLING = {
    1040: ("has no connection left", "08004"),
    1053: ("is shutting down", "08S01"),
    1203: ("has no connection left for the gate's user", "42000"),
    1226: ("has no connection left for the gate's user", "42000"),
}


class MysqlUnavailable(UpstreamUnavailable):
    """`errno` goes with `sqlstate` to the client."""

    def __init__(self, errno: int, sqlstate: str, message: str, cause: str, *, refused: bool = False) -> None:
        super().__init__(sqlstate, message, cause, refused=refused)
        self.errno = errno


@dataclass(slots=True)
class UpstreamConnection:
    """A logged-in connection. `capabilities`: what both sides have. `ok`: what ended the login. `tls`: whether it runs
    inside TLS. `early`: bytes that came after the OK."""

    stream: SetupStream
    settings: Upstream
    handshake: Handshake
    capabilities: Capability
    ok: Ok
    plugin: str
    tls: bool
    early: bytes = b""

    @property
    def brand(self) -> Brand:
        return self.handshake.brand

    @property
    def server_version(self) -> str:
        """As SELECT VERSION() tells it."""
        return self.handshake.version

    @property
    def connection_id(self) -> int:
        """The server's own, for KILL QUERY on another connection."""
        return self.handshake.connection_id

    @property
    def status(self) -> StatusFlag:
        return self.ok.status

    def close(self) -> None:
        self.stream.transport.close()


async def connect(
    upstream: Upstream,
    capabilities: Capability = Capability.DEPRECATE_EOF | Capability.SESSION_TRACK,
    charset: int = charsets.DEFAULT_COLLATION,
    database: str = "",
    attributes: Mapping[str, str] | None = None,
) -> UpstreamConnection:
    """Connects and logs in. Raises UpstreamUnavailable.

    `capabilities`: those wished for, of which the server's are taken. `charset`: a collation's id below 256.
    `database`: the server's name of the default database, empty for none. `attributes`: connection attributes."""

    async def attempt(tls: bool) -> UpstreamConnection:
        public_key = await _public_key(upstream)
        login = ClientLogin(
            user=upstream.user,
            password=await password_of(upstream),
            database=database,
            capabilities=capabilities,
            character_set=charset,
            attributes=attributes,
            tls=_tls_wish(upstream, tls),
            private=is_unix(upstream),
            public_key=public_key,
        )
        return await _attempt(upstream, login)

    return await reach(upstream, attempt)


def _tls_wish(upstream: Upstream, tls: bool) -> Tls:
    if not tls:
        return Tls.NEVER
    return Tls.IF_OFFERED if tls_optional(upstream) else Tls.ALWAYS


async def _public_key(upstream: Upstream) -> bytes | None:
    """The server's RSA key, where the settings name its file."""
    if upstream.public_key is None:
        return None
    try:
        pem = await asyncio.to_thread(upstream.public_key.read_bytes)
        read_public_key(pem)
    except (OSError, PeerError) as fault:
        reason = getattr(fault, "strerror", None) or "it is no RSA key in PEM"
        raise unreachable(f"the server's public key {upstream.public_key} cannot be used: {reason}") from None
    return pem


async def _attempt(upstream: Upstream, login: ClientLogin) -> UpstreamConnection:
    stream = await open_stream(upstream, _socket_path(upstream))
    try:
        return await _log_in(stream, upstream, login)
    except (ConnectionEnded, OSError) as fault:
        stream.transport.abort()
        raise unreachable(f"the connection ended during login: {type(fault).__name__}", refused=True) from None
    except PeerError as fault:
        stream.transport.abort()
        raise MysqlUnavailable(CANNOT_CONNECT, "HY000", "the database behind the gate broke the protocol",
                               fault.message) from None  # fmt: skip
    except BaseException:
        stream.transport.abort()
        raise


def _socket_path(upstream: Upstream) -> str:
    """The socket itself, or the usual name in a directory."""
    path = Path(upstream.host)
    return str(path / "mysqld.sock") if path.is_dir() else upstream.host


async def _log_in(stream: SetupStream, upstream: Upstream, login: ClientLogin) -> UpstreamConnection:
    secured = False
    while True:
        login.receive(await stream.read())
        event = login.next_event()
        stream.write(login.to_send())
        if isinstance(event, StartTls):
            await _secure(stream, upstream, login)
            secured = True
        elif isinstance(event, LoggedIn):
            return UpstreamConnection(
                stream, upstream, event.handshake, event.capabilities, event.ok, event.plugin, secured, event.rest
            )
        elif isinstance(event, LoginFailed):
            raise refusal(event)


async def _secure(stream: SetupStream, upstream: Upstream, login: ClientLogin) -> None:
    """Nothing may have come since the greeting: it came in clear, and would be taken for what came inside TLS."""
    if stream.unread:
        raise PeerError("the server sent unencrypted data after SSLRequest")
    await start_tls(stream, upstream)
    login.tls_started()
    stream.write(login.to_send())


def refusal(failed: LoginFailed) -> UpstreamUnavailable:
    """A login that failed, told to clients without names: who the gate is upstream is not theirs to know."""
    fault = failed.error
    cause = f"{fault.errno} {fault.sqlstate} {fault.text}".replace("  ", " ")
    if failed.by_server:
        return _by_server(fault, cause)
    return MysqlUnavailable(CANNOT_CONNECT, "HY000", "the gate cannot log in to the database behind it", cause,
                            refused=True)  # fmt: skip


def _by_server(fault: Err, cause: str) -> UpstreamUnavailable:
    if fault.errno == UNKNOWN_DATABASE:
        return MysqlUnavailable(fault.errno, "42000", "the database behind the gate does not exist", cause)
    if fault.errno in _TELLING:
        what, sqlstate = _TELLING[fault.errno]
        return MysqlUnavailable(fault.errno, sqlstate, f"the database behind the gate {what}", cause)
    message = "the database behind the gate refused the gate's own login"
    return MysqlUnavailable(CANNOT_CONNECT, REJECTED, message, cause, refused=True)
