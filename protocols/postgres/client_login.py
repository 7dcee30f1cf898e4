"""The start of a connection to an upstream server, up to its first ReadyForQuery: a machine without I/O.

Send what `to_send` returns (at first the StartupMessage), feed answers with `receive`, ask `next_event` until it says
`LoggedIn` or `LoginFailed`; None means that more bytes are needed. `PeerError`: the server broke the protocol, offers
no SASL mechanism we may use, or could not prove that it knows the password; close the connection.
Source: PostgreSQL documentation, "Message Flow / Start-up".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, TypeAlias

from protocols.errors import PeerError, UsageError
from protocols.postgres import backend, frames, startup
from protocols.postgres.authentication import (
    AuthenticationCleartextPassword,
    AuthenticationMD5Password,
    AuthenticationOk,
    AuthenticationSASL,
    AuthenticationSASLContinue,
    AuthenticationSASLFinal,
    AuthenticationUnsupported,
)
from protocols.postgres.diagnostics import ErrorResponse, NoticeResponse, error
from protocols.postgres.frontend import PasswordMessage, SASLInitialResponse, SASLResponse
from protocols.postgres.scram import ChannelBinding, ScramClient

MAX_LENGTH = 65_535  # of any message before the first ReadyForQuery


class AuthMethod(Enum):
    """How the server made us prove who we are; the names are those of libpq's `require_auth`."""

    NONE = "none"
    PASSWORD = "password"  # noqa: S105 - a method's name
    MD5 = "md5"
    SCRAM = "scram-sha-256"


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The connection is ready. `rest` are bytes after ReadyForQuery (there should be none)."""

    parameters: dict[str, str]
    process_id: int
    secret_key: bytes = field(repr=False)
    protocol: tuple[int, int]
    notices: tuple[NoticeResponse, ...]
    rest: bytes
    method: AuthMethod


@dataclass(frozen=True, slots=True)
class LoginFailed:
    """No connection. `by_server` tells the server's own error from ours about something we will not do."""

    error: ErrorResponse
    by_server: bool
    notices: tuple[NoticeResponse, ...] = ()


LoginResult: TypeAlias = LoggedIn | LoginFailed


class Phase(Enum):
    """Where a login is."""

    AUTHENTICATING = auto()  # the server's first request, or its AuthenticationOk, is due
    SCRAM_CONTINUE = auto()
    SCRAM_FINAL = auto()
    ANSWERED = auto()  # our proof is out, AuthenticationOk is due
    SETTLING = auto()  # parameters and keys, until ReadyForQuery
    DONE = auto()


class ClientLogin:
    """One login to an upstream.

    `nonce` is printable ASCII from the caller, `channel_binding_hash` the hash of the server's certificate (RFC 5929
    tls-server-end-point) when on TLS. A cleartext password is only sent with `allow_cleartext` (the caller sees to it
    that the connection is private). `require_auth`: the methods the server may use, None for any.
    """

    def __init__(
        self,
        user: str,
        database: str,
        parameters: Mapping[str, str],
        password: str | None,
        nonce: str,
        *,
        protocol: tuple[int, int] = startup.VERSION_3_0,
        channel_binding_hash: bytes | None = None,
        channel_binding_policy: ChannelBinding = ChannelBinding.PREFER,
        allow_cleartext: bool = False,
        require_auth: Collection[AuthMethod] | None = None,
    ) -> None:
        if not user or {"user", "database"} & set(parameters):
            raise UsageError("user and database are arguments of their own, and the user is not empty")
        self._user = user
        self._password = password
        self._nonce = nonce
        self._protocol = protocol
        self._binding = channel_binding_hash
        self._policy = channel_binding_policy
        self._allow_cleartext = allow_cleartext
        self._allowed = frozenset(AuthMethod if require_auth is None else require_auth)
        self._method = AuthMethod.NONE
        self._negotiated = False
        self._scram: ScramClient | None = None
        self._phase = Phase.AUTHENTICATING
        self._buffer = b""
        self._parameters: dict[str, str] = {}
        self._key = (0, b"")
        self._notices: list[NoticeResponse] = []
        everything = {"user": user, "database": database, **parameters}
        self._out = [startup.StartupMessage(protocol, everything).encode()]

    def to_send(self) -> bytes:
        """What to send to the server now; it is handed out once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes) -> None:
        """Store what the server sent."""
        self._buffer += data

    def next_event(self) -> LoginResult | None:
        """The outcome, or None when more bytes are needed. Raises `PeerError`."""
        try:
            return self._advance()
        except PeerError:
            self._phase = Phase.DONE
            raise

    def _advance(self) -> LoginResult | None:
        while self._phase is not Phase.DONE:
            found = frames.first(self._buffer, 0, MAX_LENGTH)
            if found is None:
                return None
            kind, _, end = found
            payload, self._buffer = self._buffer[frames.HEADER_SIZE : end], self._buffer[end:]
            result = self._handle(backend.decode(kind, payload))
            if result is not None:
                self._phase = Phase.DONE
                return result
        return None

    def _handle(self, message: backend.BackendMessage) -> LoginResult | None:
        handler = _ANYWHERE.get(type(message)) or _EXPECTED.get((self._phase, type(message)))
        if handler is None:
            raise PeerError(f"the server sent {type(message).__name__} in phase {self._phase.name} of the login")
        return handler(self, message)

    def _fail(self, sqlstate: str, text: str, hint: str = "") -> LoginFailed:
        return LoginFailed(error("FATAL", sqlstate, text, hint=hint), False, tuple(self._notices))

    def _on_error(self, message: ErrorResponse) -> LoginFailed:
        return LoginFailed(message, True, tuple(self._notices))

    def _on_notice(self, message: NoticeResponse) -> None:
        self._notices.append(message)

    def _on_unsupported(self, message: AuthenticationUnsupported) -> LoginFailed:
        return self._fail("0A000", f"the server asks for {message.name} authentication, which is not supported")

    def _on_negotiate(self, message: backend.NegotiateProtocolVersion) -> None:
        """A server that speaks less than asked is fine; one that wants more, or options we never sent, is not."""
        sound = startup.VERSION_3_0 <= message.version <= self._protocol and not message.unknown_options
        if self._negotiated or not sound:
            raise PeerError(f"invalid NegotiateProtocolVersion: {message.version} after {self._protocol}")
        self._negotiated = True
        self._protocol = message.version

    def _refusal(self, method: AuthMethod) -> LoginFailed | None:
        """Why this method may not be used, if so."""
        self._method = method
        if method not in self._allowed:
            return self._fail(
                "28000", f"the server uses the authentication method {method.value}, which is not allowed"
            )
        if method is not AuthMethod.SCRAM and self._policy is ChannelBinding.REQUIRE:
            return self._fail("28000", "channel binding is required, but the server did not authenticate by SCRAM")
        if method is not AuthMethod.NONE and self._password is None:
            return self._fail("28P01", "the server asks for a password, but none is configured")
        return None

    def _on_cleartext(self, message: AuthenticationCleartextPassword) -> LoginFailed | None:
        refusal = self._refusal(AuthMethod.PASSWORD)
        if refusal is None and not self._allow_cleartext:
            hint = "use SCRAM on the server, or allow cleartext passwords on this (private) connection"
            refusal = self._fail("28000", "the server asks for a cleartext password, which is not allowed", hint)
        if refusal is None:
            self._answer_password(self._password or "")
        return refusal

    def _on_md5(self, message: AuthenticationMD5Password) -> LoginFailed | None:
        refusal = self._refusal(AuthMethod.MD5)
        if refusal is None:
            self._answer_password(md5_password(self._user, self._password or "", message.salt))
        return refusal

    def _answer_password(self, password: str) -> None:
        self._out.append(PasswordMessage(password).encode())
        self._phase = Phase.ANSWERED

    def _on_sasl(self, message: AuthenticationSASL) -> LoginFailed | None:
        refusal = self._refusal(AuthMethod.SCRAM)
        if refusal is not None:
            return refusal
        scram = ScramClient(self._password or "", self._nonce, message.mechanisms, self._binding, self._policy)
        self._scram = scram
        self._out.append(SASLInitialResponse(scram.mechanism, scram.first()).encode())
        self._phase = Phase.SCRAM_CONTINUE
        return None

    def _exchange(self) -> ScramClient:
        if self._scram is None:
            raise UsageError("no SCRAM exchange is under way")
        return self._scram

    def _on_sasl_continue(self, message: AuthenticationSASLContinue) -> None:
        self._out.append(SASLResponse(self._exchange().final(message.data)).encode())
        self._phase = Phase.SCRAM_FINAL

    def _on_sasl_final(self, message: AuthenticationSASLFinal) -> None:
        self._exchange().verify(message.data)
        self._phase = Phase.ANSWERED

    def _on_ok_unasked(self, message: AuthenticationOk) -> LoginFailed | None:
        """The server trusts us without a proof (and proves nothing itself)."""
        self._phase = Phase.SETTLING
        return self._refusal(AuthMethod.NONE)

    def _on_ok(self, message: AuthenticationOk) -> None:
        self._phase = Phase.SETTLING

    def _on_parameter(self, message: backend.ParameterStatus) -> None:
        self._parameters[message.name] = message.value

    def _on_key(self, message: backend.BackendKeyData) -> None:
        if self._protocol < startup.VERSION_3_2 and len(message.secret_key) != backend.MIN_KEY_SIZE:
            raise PeerError("the server sent a long cancel key in protocol 3.0")
        self._key = (message.process_id, message.secret_key)

    def _on_ready(self, message: backend.ReadyForQuery) -> LoggedIn:
        if message.status is not backend.TransactionStatus.IDLE:
            raise PeerError("the server's first ReadyForQuery is not idle")
        notices = tuple(self._notices)
        return LoggedIn(self._parameters, *self._key, self._protocol, notices, self._buffer, self._method)


Handler: TypeAlias = Callable[[ClientLogin, Any], LoginResult | None]

_ANYWHERE: dict[type, Handler] = {
    ErrorResponse: ClientLogin._on_error,
    NoticeResponse: ClientLogin._on_notice,
}

_EXPECTED: dict[tuple[Phase, type], Handler] = {
    (Phase.AUTHENTICATING, backend.NegotiateProtocolVersion): ClientLogin._on_negotiate,
    (Phase.AUTHENTICATING, AuthenticationOk): ClientLogin._on_ok_unasked,
    (Phase.AUTHENTICATING, AuthenticationCleartextPassword): ClientLogin._on_cleartext,
    (Phase.AUTHENTICATING, AuthenticationMD5Password): ClientLogin._on_md5,
    (Phase.AUTHENTICATING, AuthenticationSASL): ClientLogin._on_sasl,
    (Phase.AUTHENTICATING, AuthenticationUnsupported): ClientLogin._on_unsupported,
    (Phase.SCRAM_CONTINUE, AuthenticationSASLContinue): ClientLogin._on_sasl_continue,
    (Phase.SCRAM_FINAL, AuthenticationSASLFinal): ClientLogin._on_sasl_final,
    (Phase.ANSWERED, AuthenticationOk): ClientLogin._on_ok,
    (Phase.SETTLING, backend.ParameterStatus): ClientLogin._on_parameter,
    (Phase.SETTLING, backend.BackendKeyData): ClientLogin._on_key,
    (Phase.SETTLING, backend.ReadyForQuery): ClientLogin._on_ready,
}


def md5_password(user: str, password: str, salt: bytes) -> str:
    """The answer to AuthenticationMD5Password."""
    inner = hashlib.md5(password.encode() + user.encode(), usedforsecurity=False).hexdigest()
    return "md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest()


def ssl_request() -> bytes:
    """SSLRequest: the server answers one byte, `S` or `N`."""
    return startup.SSLRequest().encode()


def cancel_request(process_id: int, secret_key: bytes) -> bytes:
    """CancelRequest, to be sent on a connection of its own."""
    return startup.CancelRequest(process_id, secret_key).encode()
