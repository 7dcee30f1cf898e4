"""The start of a connection from a client, up to AuthenticationOk: a machine without I/O.

Feed it with `receive`, ask `next_event` until it says None, answer events with a method, send what `to_send` returns.

    TlsRequested      -> accept_tls() | decline_tls()
    CancelRequested   -> close the connection
    StartupReceived   -> begin_scram(...) | request_password() | refuse(...)
    ScramFinished     -> accept() (when ok) | refuse(...)
    PasswordReceived  -> accept() | refuse(...)

A `PeerError` out of `receive` or `next_event` ends the login: only `refuse` is possible then. Source: PostgreSQL
documentation, "Message Flow / Start-up", "SSL Session Encryption", "SASL Authentication".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias

from protocols.errors import PeerError, UsageError
from protocols.postgres import frames, frontend, startup
from protocols.postgres.authentication import (
    AuthenticationCleartextPassword,
    AuthenticationOk,
    AuthenticationSASL,
    AuthenticationSASLContinue,
    AuthenticationSASLFinal,
)
from protocols.postgres.backend import NegotiateProtocolVersion
from protocols.postgres.diagnostics import ErrorResponse
from protocols.postgres.scram import ScramServer, Verifier

MAX_TOKEN_LENGTH = 65_535  # of a password message, the server's PG_MAX_AUTH_TOKEN_LENGTH
MAX_BUFFERED = 2 * MAX_TOKEN_LENGTH  # what a client may send ahead of our answers


@dataclass(frozen=True, slots=True)
class TlsRequested:
    """The client sent SSLRequest."""


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """The client wants another connection's work cancelled. Nothing is ever answered."""

    process_id: int
    secret_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StartupReceived:
    """Who wants in, to which database, and how.

    `protocol` is what both speak from now on (a NegotiateProtocolVersion was sent when the client asked for more).
    `parameters` are the settings by name, without user, database, options, replication and the `_pq_.` options, which
    have their own fields. `options` is the command-line text as sent. `replication` is true when such a connection is
    asked for.
    """

    user: str
    database: str
    protocol: tuple[int, int]
    parameters: dict[str, str]
    options: str = ""
    replication: bool = False
    protocol_options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ScramFinished:
    """The exchange is over. `ok` false: refuse with 28P01, whatever the reason."""

    ok: bool


@dataclass(frozen=True, slots=True)
class PasswordReceived:
    """The password or token, in the clear."""

    password: str = field(repr=False)


Event: TypeAlias = TlsRequested | CancelRequested | StartupReceived | ScramFinished | PasswordReceived


class Phase(Enum):
    """Where a login is."""

    STARTUP = auto()
    TLS_OFFERED = auto()  # the caller must accept or decline TLS
    CHOOSING = auto()  # the caller must choose how to authenticate
    SCRAM_FIRST = auto()
    SCRAM_FINAL = auto()
    PASSWORD = auto()
    DECIDING = auto()  # the caller must accept or refuse
    FAILED = auto()  # the caller must refuse
    ACCEPTED = auto()
    CLOSED = auto()


class Step(Enum):
    """What moves a login on."""

    TLS_ASKED = auto()
    TLS_ANSWERED = auto()
    CANCEL_ASKED = auto()
    STARTED = auto()
    SCRAM_BEGUN = auto()
    SCRAM_CONTINUED = auto()
    SCRAM_PROVEN = auto()
    PASSWORD_ASKED = auto()
    PASSWORD_GIVEN = auto()
    FAILED = auto()
    ACCEPTED = auto()


NEXT: dict[tuple[Phase, Step], Phase] = {
    (Phase.STARTUP, Step.TLS_ASKED): Phase.TLS_OFFERED,
    (Phase.TLS_OFFERED, Step.TLS_ANSWERED): Phase.STARTUP,
    (Phase.STARTUP, Step.CANCEL_ASKED): Phase.CLOSED,
    (Phase.STARTUP, Step.STARTED): Phase.CHOOSING,
    (Phase.CHOOSING, Step.SCRAM_BEGUN): Phase.SCRAM_FIRST,
    (Phase.SCRAM_FIRST, Step.SCRAM_CONTINUED): Phase.SCRAM_FINAL,
    (Phase.SCRAM_FINAL, Step.SCRAM_PROVEN): Phase.DECIDING,
    (Phase.SCRAM_FINAL, Step.FAILED): Phase.FAILED,
    (Phase.CHOOSING, Step.PASSWORD_ASKED): Phase.PASSWORD,
    (Phase.PASSWORD, Step.PASSWORD_GIVEN): Phase.DECIDING,
    (Phase.DECIDING, Step.ACCEPTED): Phase.ACCEPTED,
}


class ServerLogin:
    """One client's login. `tls`: the connection is already encrypted (direct TLS)."""

    def __init__(self, tls: bool = False) -> None:
        self.tls = tls
        self._phase = Phase.STARTUP
        self._buffer = b""
        self._out: list[bytes] = []
        self._answered: set[str] = {"TLS", "GSSAPI"} if tls else set()
        self._scram: ScramServer | None = None
        self._readers: dict[Phase, Callable[[], Event | None]] = {
            Phase.STARTUP: self._read_startup,
            Phase.SCRAM_FIRST: self._read_scram_first,
            Phase.SCRAM_FINAL: self._read_scram_final,
            Phase.PASSWORD: self._read_password,
        }

    @property
    def phase(self) -> Phase:
        """Where the login is."""
        return self._phase

    @property
    def rest(self) -> bytes:
        """What the client sent beyond its login: the first bytes of the session once it is accepted."""
        return self._buffer

    def receive(self, data: bytes) -> None:
        """Store what the client sent. Raises `PeerError` when it sends more than a login can need."""
        if len(self._buffer) + len(data) > MAX_BUFFERED and self._phase is not Phase.ACCEPTED:
            self._phase = Phase.FAILED
            raise PeerError("too much data before the login is complete")
        self._buffer += data

    def next_event(self) -> Event | None:
        """The next event; None when more bytes, or the caller's answer, are needed. Raises `PeerError`."""
        read = self._readers.get(self._phase)
        if read is None:
            return None
        try:
            return read()
        except PeerError:
            self._phase = Phase.FAILED
            raise

    def to_send(self) -> bytes:
        """What to send to the client now; it is handed out once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def accept_tls(self) -> None:
        """Answer `S`. Send it, do the handshake on the socket, then `receive` what comes out of it."""
        self._answer_tls(b"S")
        self._answered.add("GSSAPI")
        self.tls = True

    def decline_tls(self) -> None:
        """Answer `N`: the client goes on in the clear, or leaves."""
        self._answer_tls(b"N")

    def begin_scram(
        self, verifier: Verifier, nonce: str, channel_binding_hash: bytes | None = None, doomed: bool = False
    ) -> None:
        """Ask for SCRAM. A certificate hash (TLS only) puts SCRAM-SHA-256-PLUS first; `doomed`: see ScramServer."""
        if channel_binding_hash is not None and not self.tls:
            raise UsageError("channel binding needs TLS")
        scram = ScramServer(verifier, nonce, channel_binding_hash, doomed)
        self._move(Step.SCRAM_BEGUN)
        self._scram = scram
        self._send(AuthenticationSASL(scram.mechanisms).encode())

    def request_password(self) -> None:
        """Ask for the password or token itself (the caller sees to it that the connection is private)."""
        self._move(Step.PASSWORD_ASKED)
        self._send(AuthenticationCleartextPassword().encode())

    def accept(self) -> None:
        """Send AuthenticationOk."""
        self._move(Step.ACCEPTED)
        self._send(AuthenticationOk().encode())

    def refuse(self, error: ErrorResponse) -> None:
        """Send an error in place of everything else; the connection is to be closed then."""
        if self._phase in (Phase.ACCEPTED, Phase.CLOSED):
            raise UsageError(f"a login cannot be refused when it is {self._phase.name}")
        self._phase = Phase.CLOSED
        self._send(error.encode())

    def _send(self, data: bytes) -> None:
        self._out.append(data)

    def _move(self, step: Step) -> None:
        phase = NEXT.get((self._phase, step))
        if phase is None:
            raise UsageError(f"{step.name} is not possible in phase {self._phase.name}")
        self._phase = phase

    def _answer_tls(self, answer: bytes) -> None:
        self._refuse_early_bytes("SSL")
        self._move(Step.TLS_ANSWERED)
        self._send(answer)

    def _refuse_early_bytes(self, kind: str) -> None:
        """Bytes behind the request were sent in the clear, by the client or by someone in the middle."""
        if self._buffer:
            self._phase = Phase.FAILED
            raise PeerError(
                f"received unencrypted data after {kind} request",
                hint="a bug of the client, or someone in the middle of the connection",
            )

    def _read_startup(self) -> Event | None:
        size = startup.packet_size(self._buffer)
        if size is None or len(self._buffer) < size:
            return None
        packet, self._buffer = startup.decode(self._buffer[:size]), self._buffer[size:]
        if isinstance(packet, startup.GSSENCRequest):
            self._decline_gssapi()
            return None
        if isinstance(packet, startup.SSLRequest):
            return self._tls_requested()
        if isinstance(packet, startup.CancelRequest):
            self._move(Step.CANCEL_ASKED)
            return CancelRequested(packet.process_id, packet.secret_key)
        return self._started(packet)

    def _once(self, request: str) -> None:
        """Each kind of encryption may be asked for once, and none on an encrypted connection."""
        if request in self._answered:
            raise PeerError(f"{request} encryption was requested twice, or on a connection that is encrypted already")
        self._answered.add(request)

    def _decline_gssapi(self) -> None:
        self._once("GSSAPI")
        self._refuse_early_bytes("GSSAPI encryption")
        self._send(b"N")

    def _tls_requested(self) -> TlsRequested:
        self._once("TLS")
        self._refuse_early_bytes("SSL")
        self._move(Step.TLS_ASKED)
        return TlsRequested()

    def _started(self, packet: startup.StartupMessage) -> StartupReceived:
        event = _read_parameters(packet)
        unknown = tuple(event.protocol_options)
        if packet.version > startup.VERSION_3_2 or unknown:
            self._send(NegotiateProtocolVersion(event.protocol, unknown).encode())
        self._move(Step.STARTED)
        return event

    def _next_token(self) -> bytes | None:
        """The payload of the next message, which must be of kind `p`."""
        if self._buffer and self._buffer[0] != ord("p"):
            raise PeerError(f"expected password response, got message type {self._buffer[0]}")
        found = frames.first(self._buffer, 0, MAX_TOKEN_LENGTH)
        if found is None:
            return None
        payload, self._buffer = self._buffer[frames.HEADER_SIZE : found[2]], self._buffer[found[2] :]
        return payload

    def _read_password(self) -> Event | None:
        payload = self._next_token()
        if payload is None:
            return None
        password = frontend.read_password(payload).password
        if not password:
            raise PeerError("empty password returned by client", "28P01")
        self._move(Step.PASSWORD_GIVEN)
        return PasswordReceived(password)

    def _read_scram_first(self) -> Event | None:
        payload = self._next_token()
        if payload is None or self._scram is None:
            return None
        response = frontend.read_sasl_initial_response(payload)
        challenge = self._scram.first(response.data or b"", response.mechanism)
        self._move(Step.SCRAM_CONTINUED)
        self._send(AuthenticationSASLContinue(challenge).encode())
        return self._read_scram_final()

    def _read_scram_final(self) -> Event | None:
        payload = self._next_token()
        if payload is None or self._scram is None:
            return None
        proof = self._scram.final(payload)
        if proof is None:
            self._move(Step.FAILED)
            return ScramFinished(False)
        self._move(Step.SCRAM_PROVEN)
        self._send(AuthenticationSASLFinal(proof).encode())
        return ScramFinished(True)


def _read_parameters(packet: startup.StartupMessage) -> StartupReceived:
    """Raises `PeerError` when no user is named (28000)."""
    plain = {name: value for name, value in packet.parameters.items() if not _is_protocol_option(name)}
    special = {name: value for name, value in packet.parameters.items() if _is_protocol_option(name)}
    user, database = plain.pop("user", ""), plain.pop("database", "")
    options, replication = plain.pop("options", ""), plain.pop("replication", None)
    if not user:
        raise PeerError("no PostgreSQL user name specified in startup packet", "28000")
    return StartupReceived(
        user=user,
        database=database or user,
        protocol=startup.negotiate(packet.version),
        parameters=plain,
        options=options,
        replication=replication is not None and startup.is_replication(replication),
        protocol_options=special,
    )


def _is_protocol_option(name: str) -> bool:
    return name.startswith(startup.PROTOCOL_OPTION_PREFIX)
