"""The start of a connection to an upstream server, up to its OK: a machine without I/O.

Feed what the server sends with `receive`, send what `to_send` returns, ask `next_event` until it says `LoggedIn` or
`LoginFailed`; None means that more bytes are needed. `StartTls`: send, do the TLS handshake, then `tls_started()`.
`PeerError`: the server broke the protocol; close the connection. Source: MySQL internals manual, "Connection Phase".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from protocols.errors import PeerError, UsageError
from protocols.mysql import caching_sha2, ed25519, native_password, packets, sealing
from protocols.mysql.capabilities import UNREADABLE, Capability
from protocols.mysql.handshake import (
    AUTH_MORE_DATA,
    AUTH_NEXT_FACTOR,
    AUTH_SWITCH,
    NONCE_SIZE,
    Handshake,
    HandshakeResponse41,
    SslRequest,
    decode_auth_more_data,
    decode_auth_switch,
    decode_handshake,
)
from protocols.mysql.replies import ERR_HEADER, OK_HEADER, Err, Ok, decode_err, decode_ok, error

MAX_LENGTH = 1 << 17  # bytes of a server's packet before its OK
MAX_PACKET_SIZE = 1 << 30  # what we say that we can take
SHA256_PASSWORD, CLEAR_PASSWORD = "sha256_password", "mysql_clear_password"

#: what every login of ours has
ALWAYS = (
    Capability.LONG_PASSWORD
    | Capability.LONG_FLAG
    | Capability.PROTOCOL_41
    | Capability.TRANSACTIONS
    | Capability.SECURE_CONNECTION
    | Capability.PLUGIN_AUTH
)
#: what no login of ours has: files of ours are nobody's business, and the rest nobody here reads
NEVER = (
    UNREADABLE
    | Capability.LOCAL_FILES
    | Capability.MULTI_FACTOR_AUTHENTICATION
    | Capability.CAN_HANDLE_EXPIRED_PASSWORDS
    | Capability.CAPABILITY_EXTENSION
    | Capability.SSL_VERIFY_SERVER_CERT
    | Capability.REMEMBER_OPTIONS
    | Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA
)
#: MariaDB users may have several plugins, which the server tries one after the other
_MOST_SWITCHES = 4
ACCESS_DENIED, NO_TLS, PLUGIN_UNKNOWN = 1045, 2026, 2059
_GENERAL = "HY000"


class Tls(Enum):
    """What to do about TLS."""

    NEVER = auto()
    IF_OFFERED = auto()
    ALWAYS = auto()


@dataclass(frozen=True, slots=True)
class StartTls:
    """SSLRequest is out: speak TLS from here on, then call `tls_started`."""


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """The connection is ready. `capabilities`: what both sides have; `rest`: bytes after the OK (there should be none);
    `plugin`: how we proved who we are."""

    handshake: Handshake
    capabilities: Capability
    ok: Ok
    plugin: str
    rest: bytes


@dataclass(frozen=True, slots=True)
class LoginFailed:
    """No connection. `by_server` tells the server's own error from ours about something we will not do."""

    error: Err
    by_server: bool


Event: TypeAlias = StartTls | LoggedIn | LoginFailed


class Phase(Enum):
    """Where a login is."""

    GREETING = auto()
    TLS = auto()  # the caller does the TLS handshake
    ANSWERED = auto()  # our proof is out: OK, a switch or more data is due
    KEY = auto()  # the server's RSA key is due
    LAST = auto()  # nothing is left to say: OK is due
    DONE = auto()


class ClientLogin:
    """One login to an upstream.

    `capabilities`: what is wished for; what the server lacks and what we never have is left out. `private`: nobody
    can listen even without TLS (a unix socket). `public_key`: the server's RSA key in PEM, when it is known; else the
    server is asked for it. A password goes out in the clear only inside TLS or over a private connection.
    """

    def __init__(
        self,
        user: str,
        password: str | None,
        *,
        database: str = "",
        capabilities: Capability = ALWAYS,
        character_set: int = 45,
        attributes: Mapping[str, str] | None = None,
        tls: Tls = Tls.IF_OFFERED,
        private: bool = False,
        public_key: bytes | None = None,
    ) -> None:
        self._user, self._password, self._database = user, password or "", database
        self._wished, self._character_set = capabilities, character_set
        self._attributes = dict(attributes or {})
        self._tls_wish, self._private, self._public_key = tls, private, public_key
        self._tls = False
        self._phase = Phase.GREETING
        self._reader = packets.PacketReader(MAX_LENGTH)
        self._sequence = 0
        self._out: list[bytes] = []
        self._handshake: Handshake | None = None
        self._capabilities = Capability(0)
        self._plugin, self._nonce = "", b""
        self._switches = 0

    @property
    def handshake(self) -> Handshake:
        """The server's greeting, once it has come."""
        if self._handshake is None:
            raise UsageError("the server has not greeted yet")
        return self._handshake

    def to_send(self) -> bytes:
        """What to send to the server now; it is handed out once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes) -> None:
        """Store what the server sent."""
        self._reader.receive(data)

    def next_event(self) -> Event | None:
        """What came of it, or None when more bytes are needed. Raises `PeerError`."""
        try:
            return self._advance()
        except PeerError:
            self._phase = Phase.DONE
            raise

    def tls_started(self) -> None:
        """The socket speaks TLS from now on. Raises `PeerError` for bytes that came before, in the clear."""
        if self._phase is not Phase.TLS:
            raise UsageError("no TLS handshake is due")
        self._refuse_early_bytes()
        self._tls = True
        self._respond()

    # ------------------------------------------------------------ steps

    def _advance(self) -> Event | None:
        while self._phase not in (Phase.DONE, Phase.TLS):
            message = self._reader.message()
            if message is None:
                return None
            self._sequence = message.next
            event = self._handle(message.payload)
            if event is not None:
                self._phase = Phase.DONE if not isinstance(event, StartTls) else self._phase
                return event
        return None

    def _handle(self, payload: bytes) -> Event | None:
        if payload[:1] == bytes([ERR_HEADER]):
            return LoginFailed(decode_err(payload), True)
        if self._phase is Phase.GREETING:
            return self._on_greeting(payload)
        handler = _HANDLERS.get((self._phase, payload[0])) if payload else None
        if handler is None:
            first = f"0x{payload[0]:02x}" if payload else "nothing"
            raise PeerError(
                f"the server sent a packet that begins with {first} in phase {self._phase.name} of the login"
            )
        return handler(self, payload)

    def _send(self, payload: bytes) -> None:
        self._out.append(packets.encode(payload, self._sequence))
        self._sequence = self._sequence + packets.packet_count(len(payload)) & 0xFF
        self._reader.expect(self._sequence)

    def _refuse_early_bytes(self) -> None:
        if self._reader.pending:
            raise PeerError("the server sent unencrypted data after SSLRequest")

    @property
    def _secure(self) -> bool:
        return self._tls or self._private

    def _on_greeting(self, payload: bytes) -> Event | None:
        self._handshake = greeting = decode_handshake(payload)
        self._capabilities = self._negotiate(greeting.capabilities)
        offered = bool(greeting.capabilities & Capability.SSL)
        if self._tls_wish is Tls.ALWAYS and not offered:
            return _fail(NO_TLS, "the server speaks no TLS, and upstream.tls.mode asks for it")
        if self._tls_wish is not Tls.NEVER and offered:
            return self._ask_for_tls()
        self._respond()
        return None

    def _negotiate(self, offered: Capability) -> Capability:
        wished = (self._wished | ALWAYS) & ~NEVER & ~(Capability.SSL | Capability.CONNECT_WITH_DB)
        if self._database:
            wished |= Capability.CONNECT_WITH_DB
        if not self._attributes:
            wished &= ~Capability.CONNECT_ATTRS
        # MariaDB leaves this bit out to say that it has bits of its own
        return wished & (offered | Capability.LONG_PASSWORD)

    def _ask_for_tls(self) -> StartTls:
        self._refuse_early_bytes()
        self._capabilities |= Capability.SSL
        request = SslRequest(self._capabilities, MAX_PACKET_SIZE, self._character_set)
        self._send(request.encode(self.handshake.capabilities))
        self._phase = Phase.TLS
        return StartTls()

    def _respond(self) -> None:
        """The response with the first plugin's data; a plugin that we lack is left to the server's switch."""
        greeting = self.handshake
        self._nonce = greeting.nonce
        self._plugin = greeting.plugin if greeting.plugin in _AT_ONCE else caching_sha2.NAME
        response = HandshakeResponse41(
            capabilities=self._capabilities,
            max_packet_size=MAX_PACKET_SIZE,
            character_set=self._character_set,
            user=self._user,
            auth_response=_AT_ONCE[self._plugin](self._password, self._nonce),
            database=self._database,
            plugin=self._plugin,
            attributes=self._attributes,
        )
        self._send(response.encode(greeting.capabilities))
        self._phase = Phase.ANSWERED

    def _on_ok(self, payload: bytes) -> LoggedIn:
        ok = decode_ok(payload, self._capabilities)
        return LoggedIn(self.handshake, self._capabilities, ok, self._plugin, self._reader.take_rest())

    def _on_next_factor(self, _payload: bytes) -> LoginFailed:
        return _fail(PLUGIN_UNKNOWN, "the server asks for a second factor, which dbgate cannot give",
                     "give the gate a user with one factor: caching_sha2_password")  # fmt: skip

    def _on_switch(self, payload: bytes) -> LoginFailed | None:
        request = decode_auth_switch(payload)
        if self._switches == _MOST_SWITCHES:
            raise PeerError("the server asked for another authentication plugin too often")
        begin = _PLUGINS.get(request.plugin)
        if begin is None:
            return _unknown_plugin(request.plugin)
        self._switches += 1
        self._plugin, self._nonce, self._phase = request.plugin, request.nonce, Phase.ANSWERED
        return begin(self)

    def _begin_at_once(self) -> None:
        """One that answers with a proof made of password and nonce."""
        if len(self._nonce) != NONCE_SIZE:
            raise PeerError(f"the server's nonce for {self._plugin} has {len(self._nonce)} bytes, not {NONCE_SIZE}")
        self._send(_AT_ONCE[self._plugin](self._password, self._nonce))

    def _begin_ed25519(self) -> None:
        if len(self._nonce) != ed25519.NONCE_SIZE:
            raise PeerError(f"the server's nonce for {self._plugin} has {len(self._nonce)} bytes")
        self._send(ed25519.sign(self._password, self._nonce))
        self._phase = Phase.LAST

    def _begin_clear(self) -> LoginFailed | None:
        if not self._secure:
            return _clear_refused(self._plugin)
        return self._send_clear()

    def _begin_sha256(self) -> LoginFailed | None:
        if not self._password:
            self._send(b"\0")
            self._phase = Phase.LAST
            return None
        return self._send_password(b"\x01")

    def _on_more_data(self, payload: bytes) -> LoginFailed | None:
        data = decode_auth_more_data(payload).data
        if self._plugin != caching_sha2.NAME or not self._password:
            raise PeerError(f"the server sent further data for {self._plugin}, where none is due")
        if data == caching_sha2.FAST_OK:
            self._phase = Phase.LAST
            return None
        if data != caching_sha2.FULL:
            raise PeerError("the server sent unknown further data for caching_sha2_password")
        return self._send_password(caching_sha2.REQUEST_KEY)

    def _send_password(self, request_key: bytes) -> LoginFailed | None:
        """The whole password: as it is where nobody listens, else sealed with the server's key."""
        # servers take sha256_password's in the clear inside TLS only, not on a unix socket
        if self._tls if self._plugin == SHA256_PASSWORD else self._secure:
            return self._send_clear()
        if self._public_key is not None:
            return self._send_sealed(self._public_key)
        self._send(request_key)
        self._phase = Phase.KEY
        return None

    def _send_clear(self) -> LoginFailed | None:
        self._send(self._password.encode() + b"\0")
        self._phase = Phase.LAST
        return None

    def _on_key(self, payload: bytes) -> LoginFailed | None:
        return self._send_sealed(decode_auth_more_data(payload).data)

    def _send_sealed(self, pem: bytes) -> LoginFailed | None:
        try:
            sealed = sealing.seal(self._password, self._nonce, pem)
        except UsageError as fault:
            return _fail(ACCESS_DENIED, str(fault))
        self._send(sealed)
        self._phase = Phase.LAST
        return None


def _fail(errno: int, text: str, hint: str = "") -> LoginFailed:
    return LoginFailed(error(errno, _GENERAL, f"{text}; {hint}" if hint else text), False)


def _clear_refused(plugin: str) -> LoginFailed:
    return _fail(ACCESS_DENIED, f"the server asks for the password in the clear ({plugin}), and there is no TLS",
                 "set upstream.tls.mode to require or better, or use caching_sha2_password")  # fmt: skip


def _unknown_plugin(name: str) -> LoginFailed:
    known = ", ".join(_PLUGINS)
    return _fail(PLUGIN_UNKNOWN, f"the server asks for the authentication plugin {name[:64]!r}, which dbgate lacks",
                 f"give the gate's user one of {known}")  # fmt: skip


#: plugins whose first data is a proof made of password and nonce
_AT_ONCE: dict[str, Callable[[str, bytes], bytes]] = {
    caching_sha2.NAME: caching_sha2.respond,
    native_password.NAME: native_password.respond,
}

#: plugins that a server may switch to
_PLUGINS: dict[str, Callable[[ClientLogin], LoginFailed | None]] = {
    caching_sha2.NAME: ClientLogin._begin_at_once,
    SHA256_PASSWORD: ClientLogin._begin_sha256,
    native_password.NAME: ClientLogin._begin_at_once,
    ed25519.NAME: ClientLogin._begin_ed25519,
    CLEAR_PASSWORD: ClientLogin._begin_clear,
}

_HANDLERS: dict[tuple[Phase, int], Callable[[ClientLogin, bytes], Event | None]] = {
    (Phase.ANSWERED, OK_HEADER): ClientLogin._on_ok,
    (Phase.ANSWERED, AUTH_SWITCH): ClientLogin._on_switch,
    (Phase.ANSWERED, AUTH_MORE_DATA): ClientLogin._on_more_data,
    (Phase.ANSWERED, AUTH_NEXT_FACTOR): ClientLogin._on_next_factor,
    (Phase.KEY, AUTH_MORE_DATA): ClientLogin._on_key,
    (Phase.LAST, OK_HEADER): ClientLogin._on_ok,
    (Phase.LAST, AUTH_SWITCH): ClientLogin._on_switch,
    (Phase.LAST, AUTH_NEXT_FACTOR): ClientLogin._on_next_factor,
}
