"""The way to a real database of either protocol, up to its login: socket, TLS as libpq's sslmode means it, password."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from dbgate.net.setup_stream import SetupStream
from dbgate.net.tls import TlsUnusable, upstream_context
from dbgate.settings.model import TlsMode, Upstream
from dbgate.settings.secrets import SecretUnavailable

CONNECTION_FAILURE, REJECTED = "08006", "08004"

#: of an answer to one of the gate's own questions, as text
Row: TypeAlias = tuple[str | None, ...]

Connection = TypeVar("Connection")


class UpstreamUnavailable(Exception):  # noqa: N818
    """No usable connection. `message` is fit for clients: no address, no user, no secret. `cause`: for the log."""

    def __init__(self, sqlstate: str, message: str, cause: str, *, refused: bool = False) -> None:
        super().__init__(f"{message} ({cause})")
        self.sqlstate, self.message, self.cause, self.refused = sqlstate, message, cause, refused


class QueryFailed(Exception):  # noqa: N818
    """The server answered one of the gate's own questions with an error."""

    def __init__(self, sqlstate: str, text: str) -> None:
        super().__init__(f"{sqlstate} {text}")
        self.sqlstate = sqlstate


#: whether to try TLS, in order; a plain connection after a server's no needs no second try
_ATTEMPTS: dict[TlsMode, tuple[bool, ...]] = {
    TlsMode.DISABLE: (False,),
    TlsMode.ALLOW: (False, True),
    TlsMode.PREFER: (True, False),
    TlsMode.REQUIRE: (True,),
    TlsMode.VERIFY_CA: (True,),
    TlsMode.VERIFY_FULL: (True,),
}


def unreachable(cause: str, *, refused: bool = False) -> UpstreamUnavailable:
    message = "the database behind the gate cannot be reached"
    return UpstreamUnavailable(CONNECTION_FAILURE, message, cause, refused=refused)


def is_unix(upstream: Upstream) -> bool:
    return upstream.host.startswith("/")


def tls_optional(upstream: Upstream) -> bool:
    """Whether a server without TLS will do."""
    return upstream.tls.mode in (TlsMode.PREFER, TlsMode.ALLOW)


async def reach(upstream: Upstream, attempt: Callable[[bool], Awaitable[Connection]]) -> Connection:
    """Calls `attempt`, whose argument says whether to speak TLS, until one succeeds. Raises UpstreamUnavailable.

    As libpq: `prefer` tries again in clear when TLS fails, `allow` tries TLS when clear is refused; TLS is not spoken
    on unix sockets."""
    attempts = (False,) if is_unix(upstream) else _ATTEMPTS[upstream.tls.mode]
    for number, tls in enumerate(attempts):
        try:
            async with asyncio.timeout(upstream.connect_timeout):
                return await attempt(tls)
        except UpstreamUnavailable as fault:
            if not fault.refused or number == len(attempts) - 1:
                raise
        except TimeoutError:
            raise unreachable("no answer in time") from None
    raise AssertionError("every attempt ends")


async def open_stream(upstream: Upstream, unix_path: str) -> SetupStream:
    """`unix_path`: of the socket, when the upstream is reached by one. Raises UpstreamUnavailable."""
    loop = asyncio.get_running_loop()
    try:
        if is_unix(upstream):
            _, stream = await loop.create_unix_connection(SetupStream, unix_path)
        else:
            _, stream = await loop.create_connection(SetupStream, upstream.host, upstream.port)
    except OSError as fault:
        raise unreachable(fault.strerror or type(fault).__name__) from None
    return stream


async def start_tls(stream: SetupStream, upstream: Upstream, alpn: str | None = None) -> None:
    """The handshake, once the server has agreed to it. Raises UpstreamUnavailable."""
    try:
        context = upstream_context(upstream.tls, alpn)
        await stream.start_tls(context, server=False, name=upstream.host, limit=upstream.connect_timeout)
    except TlsUnusable as fault:
        raise unreachable(str(fault)) from None
    except ssl.SSLCertVerificationError as fault:
        raise unreachable(f"the server's certificate is not valid: {fault.verify_message}") from None
    except (ssl.SSLError, OSError) as fault:
        raise unreachable(f"the TLS handshake failed: {type(fault).__name__}", refused=True) from None


async def password_of(upstream: Upstream) -> str | None:
    """The gate's own password, fetched anew. Raises UpstreamUnavailable."""
    if upstream.password is None:
        return None
    try:
        if upstream.password.command or upstream.password.file:
            return await asyncio.to_thread(upstream.password.read)
        return upstream.password.read()
    except SecretUnavailable as fault:
        raise unreachable(f"the upstream's password: {fault}") from None
