"""The start of a connection from a client, from the greeting to its OK: a machine without I/O.

Send what `to_send` returns (at first the greeting), feed it with `receive`, ask `next_event` until it says None, answer
events with a method.

    TlsRequested      -> do the TLS handshake on the socket, then tls_started()
    ResponseReceived  -> begin(...) | refuse(...)
    KeyRequested      -> send_key(...)
    Proven            -> accept(...) | refuse(...)
    Unproven          -> refuse(...)
    PasswordReceived  -> check it, then accept(...) | refuse(...)

A `PeerError` out of `receive` or `next_event` ends the login: only `refuse` is possible then. The steps are the same
for a user whom nobody knows, a wrong password and a password not yet remembered: whoever does not prove itself at once
is asked for the whole password. Source: MySQL internals manual, "Connection Phase", "Authentication Method".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeAlias

from protocols.errors import PeerError, UsageError
from protocols.mysql import caching_sha2, native_password, packets, sealing
from protocols.mysql.capabilities import Capability
from protocols.mysql.handshake import (
    AuthMoreData,
    AuthSwitchRequest,
    Handshake,
    HandshakeResponse41,
    SslRequest,
    bad_handshake,
    decode_response,
)
from protocols.mysql.replies import Err, Ok

MAX_LENGTH = 1 << 17  # of a client's packet: 64 KiB of connection attributes and as much of a token
MAX_BUFFERED = 2 * MAX_LENGTH  # what a client may send ahead of our answers

SHA256_PASSWORD, CLEAR_PASSWORD = "sha256_password", "mysql_clear_password"
_EMPTY = (b"", b"\0")
_SHA256_REQUEST_KEY = b"\x01"


@dataclass(frozen=True, slots=True)
class TlsRequested:
    """The client begins with TLS now, without waiting for a word from us."""


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """Who wants in, and how."""

    response: HandshakeResponse41


@dataclass(frozen=True, slots=True)
class KeyRequested:
    """The client has no TLS, and wants to seal its password with our RSA key."""


@dataclass(frozen=True, slots=True)
class Proven:
    """The client knows the password: it fits what `Known` says."""

    plugin: str


@dataclass(frozen=True, slots=True)
class Unproven:
    """The client could not prove itself, and speaks nothing but mysql_native_password."""

    plugin: str


@dataclass(frozen=True, slots=True)
class PasswordReceived:
    """The password, in the clear or sealed with our RSA key. `read` takes about 1 ms for a sealed one."""

    plugin: str
    sealed: bool
    data: bytes = field(repr=False)
    nonce: bytes = field(repr=False)

    @property
    def empty(self) -> bool:
        return self.data in _EMPTY

    def read(self, key: sealing.PrivateKey | None) -> str | None:
        """The password; None when it is not sealed for this key, not terminated, or no UTF-8."""
        clear = self._open(key) if self.sealed else self.data
        if clear is None or not clear.endswith(b"\0"):
            return None
        try:
            return clear[:-1].decode("utf-8")
        except UnicodeDecodeError:
            return None

    def _open(self, key: sealing.PrivateKey | None) -> bytes | None:
        return None if key is None else sealing.unseal(self.data, self.nonce, key)


Event: TypeAlias = TlsRequested | ResponseReceived | KeyRequested | Proven | Unproven | PasswordReceived


@dataclass(frozen=True, slots=True)
class Known:
    """What a proof can be checked against without the password: SHA1(SHA1(password)) when the user may come by
    mysql_native_password, SHA256(SHA256(password)) once it has been seen. Nothing for users whom nobody knows."""

    native: bytes | None = field(default=None, repr=False)
    sha2: bytes | None = field(default=None, repr=False)


class Phase(Enum):
    """Where a login is."""

    RESPONSE = auto()
    TLS = auto()  # the caller must do the TLS handshake
    CHOOSING = auto()  # the caller must begin or refuse
    SWITCHED = auto()  # the answer to our AuthSwitchRequest is due
    FULL = auto()  # the password, or the wish for our key
    KEY = auto()  # the caller must give the key
    SEALED = auto()  # the password under our key
    DECIDING = auto()  # the caller must accept or refuse
    FAILED = auto()  # the caller must refuse
    ACCEPTED = auto()
    CLOSED = auto()


class ServerLogin:
    """One client's login. `private`: nobody can listen even without TLS (a unix socket)."""

    def __init__(self, greeting: Handshake, *, private: bool = False) -> None:
        self.greeting = greeting
        self.tls = False
        #: what both sides have; nothing before the client has said what it has
        self.capabilities = Capability(0)
        self._private = private
        self._phase = Phase.RESPONSE
        self._reader = packets.PacketReader(MAX_LENGTH)
        self._sequence = 0
        self._out: list[bytes] = []
        self._nonce = greeting.nonce
        self._plugin = ""
        self._response: HandshakeResponse41 | None = None
        self._known, self._switch_nonce = Known(), b""
        self._send(greeting.encode())

    @property
    def phase(self) -> Phase:
        """Where the login is."""
        return self._phase

    @property
    def response(self) -> HandshakeResponse41 | None:
        """What the client said of itself, as far as it has."""
        return self._response

    def take_rest(self) -> bytes:
        """What the client sent beyond its login: the first bytes of the session once it is accepted."""
        return self._reader.take_rest()

    def receive(self, data: bytes) -> None:
        """Store what the client sent. Raises `PeerError` when it sends more than a login can need."""
        self._reader.receive(data)
        if self._reader.pending > MAX_BUFFERED and self._phase is not Phase.ACCEPTED:
            self._phase = Phase.FAILED
            raise bad_handshake("too much data before the login is complete")

    def next_event(self) -> Event | None:
        """The next event; None when more bytes, or the caller's answer, are needed. Raises `PeerError`."""
        try:
            return self._advance()
        except PeerError:
            self._phase = Phase.FAILED
            raise

    def _advance(self) -> Event | None:
        """A login's steps until one is the caller's business."""
        read = _READERS.get(self._phase)
        while read is not None:
            message = self._message()
            if message is None:
                return None
            event = read(self, message.payload)
            if event is not None:
                return event
            read = _READERS.get(self._phase)
        return None

    def _message(self) -> packets.Message | None:
        """The client's next packet. An error about one that cannot be read answers it, so it has the next number."""
        try:
            message = self._reader.message()
        except PeerError:
            self._sequence = self._sequence + 1 & 0xFF
            raise
        if message is not None:
            self._sequence = message.next
        return message

    def to_send(self) -> bytes:
        """What to send to the client now; it is handed out once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    # ------------------------------------------------------------ the caller's answers

    def tls_started(self) -> None:
        """The socket speaks TLS from now on. Raises `PeerError` for bytes that came before, in the clear."""
        self._require(Phase.TLS)
        self._refuse_early_bytes()
        self.tls, self._phase = True, Phase.RESPONSE

    def begin(self, known: Known, nonce: bytes) -> Event | None:
        """Check the proof that came with the response, or ask for one. `nonce`: 20 fresh random bytes without NUL,
        for a client that has to begin anew. Returns the event, if one follows at once."""
        self._require(Phase.CHOOSING)
        assert self._response is not None
        self._known, self._switch_nonce = known, nonce
        self._plugin = self._response.plugin or native_password.NAME
        first = _FIRST.get(self._plugin, ServerLogin._switch)
        return first(self, self._response.auth_response)

    def send_key(self, pem: bytes) -> None:
        """Our RSA key, as PEM."""
        self._require(Phase.KEY)
        self._send(AuthMoreData(pem).encode())
        self._phase = Phase.SEALED

    def accept(self, ok: Ok | None = None) -> None:
        """Send the OK that ends the login; the client's first command comes with sequence id 0."""
        self._require(Phase.DECIDING)
        self._phase = Phase.ACCEPTED
        self._send((ok or Ok()).encode(self.capabilities))

    def refuse(self, error: Err) -> None:
        """Send an error in place of everything else; the connection is to be closed then."""
        if self._phase in (Phase.ACCEPTED, Phase.CLOSED):
            raise UsageError(f"a login cannot be refused when it is {self._phase.name}")
        self._phase = Phase.CLOSED
        self._send(error.encode(self.capabilities))

    # ------------------------------------------------------------ steps

    @property
    def _secure(self) -> bool:
        return self.tls or self._private

    def _require(self, phase: Phase) -> None:
        if self._phase is not phase:
            raise UsageError(f"not possible in phase {self._phase.name}, only in {phase.name}")

    def _send(self, payload: bytes) -> None:
        self._out.append(packets.encode(payload, self._sequence))
        self._sequence = self._sequence + packets.packet_count(len(payload)) & 0xFF
        self._reader.expect(self._sequence)

    def _refuse_early_bytes(self) -> None:
        """Bytes behind SSLRequest were sent in the clear, by the client or by someone in the middle."""
        if self._reader.pending:
            self._phase = Phase.FAILED
            raise bad_handshake("received unencrypted data after SSLRequest")

    def _on_response(self, payload: bytes) -> Event:
        packet = decode_response(payload, self.greeting.capabilities)
        self.capabilities = packet.capabilities & self.greeting.capabilities
        if isinstance(packet, SslRequest):
            return self._on_ssl_request()
        if self.capabilities & Capability.SSL and not self.tls:
            raise bad_handshake("the client announced TLS and did not begin with it")
        self._response, self._phase = packet, Phase.CHOOSING
        return ResponseReceived(packet)

    def _on_ssl_request(self) -> TlsRequested:
        if self.tls:
            raise bad_handshake("TLS was requested twice")
        if not self.capabilities & Capability.SSL:
            raise bad_handshake("the client asks for TLS, which this gate does not offer")
        self._refuse_early_bytes()
        self._phase = Phase.TLS
        return TlsRequested()

    def _switch(self, _data: bytes) -> Event | None:
        """Begin anew with caching_sha2_password, which every client that knows plugins can be asked for."""
        assert self._response is not None
        if not self._response.capabilities & Capability.PLUGIN_AUTH:
            return self._decide(Unproven(native_password.NAME))
        self._switch_to(caching_sha2.NAME)
        return None

    def _switch_to(self, plugin: str) -> None:
        self._plugin, self._nonce = plugin, self._switch_nonce
        self._send(AuthSwitchRequest(plugin, self._nonce + b"\0").encode())
        self._phase = Phase.SWITCHED

    def _on_switched(self, data: bytes) -> Event | None:
        return self._on_sha256(data) if self._plugin == SHA256_PASSWORD else self._on_sha2(data)

    def _decide(self, event: Event) -> Event:
        self._phase = Phase.DECIDING if not isinstance(event, Unproven) else Phase.FAILED
        return event

    def _on_native(self, data: bytes) -> Event | None:
        known = self._known.native
        if known is not None and native_password.matches(data, self._nonce, known):
            return self._decide(Proven(self._plugin))
        return self._switch(data)

    def _on_sha2(self, data: bytes) -> Event | None:
        if data in _EMPTY:
            return self._password(b"\0")
        known = self._known.sha2
        if known is not None and caching_sha2.matches(data, self._nonce, known):
            self._send(AuthMoreData(caching_sha2.FAST_OK).encode())
            return self._decide(Proven(self._plugin))
        self._send(AuthMoreData(caching_sha2.FULL).encode())
        self._phase = Phase.FULL
        return None

    def _on_full(self, data: bytes) -> Event | None:
        if data == caching_sha2.REQUEST_KEY and not self._secure:
            return self._key_requested()
        return self._password(data)

    def _first_sha256(self, data: bytes) -> Event | None:
        """libmysqlclient says nothing before it has got this plugin's own nonce."""
        if data:
            return self._on_sha256(data)
        self._switch_to(SHA256_PASSWORD)
        return None

    def _on_sha256(self, data: bytes) -> Event | None:
        if data in _EMPTY:
            return self._password(b"\0")
        if data == _SHA256_REQUEST_KEY and not self.tls:
            return self._key_requested()
        return self._password(data)

    def _on_clear(self, data: bytes) -> Event | None:
        """Where others can listen, the password that the client gave away already is not looked at."""
        return self._password(data) if self._secure else self._switch(data)

    def _key_requested(self) -> KeyRequested:
        self._phase = Phase.KEY
        return KeyRequested()

    def _password(self, data: bytes) -> Event:
        # clients seal for sha256_password even on a unix socket
        clear = self.tls if self._plugin == SHA256_PASSWORD else self._secure
        sealed = not clear and data not in _EMPTY
        return self._decide(PasswordReceived(self._plugin, sealed, data, self._nonce))


_READERS: dict[Phase, Callable[[ServerLogin, bytes], Event | None]] = {
    Phase.RESPONSE: ServerLogin._on_response,
    Phase.SWITCHED: ServerLogin._on_switched,
    Phase.FULL: ServerLogin._on_full,
    Phase.SEALED: ServerLogin._password,
}

_FIRST: dict[str, Callable[[ServerLogin, bytes], Event | None]] = {
    caching_sha2.NAME: ServerLogin._on_sha2,
    SHA256_PASSWORD: ServerLogin._first_sha256,
    native_password.NAME: ServerLogin._on_native,
    CLEAR_PASSWORD: ServerLogin._on_clear,
}
