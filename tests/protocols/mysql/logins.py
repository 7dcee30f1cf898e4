"""Both machines of a login against each other, without sockets."""

from __future__ import annotations

from dataclasses import dataclass, field

from protocols.mysql import caching_sha2, native_password, packets, sealing
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.client_login import ClientLogin, LoggedIn, LoginFailed, StartTls
from protocols.mysql.handshake import Handshake, HandshakeResponse41
from protocols.mysql.replies import Err, Ok, error
from protocols.mysql.server_login import (
    KeyRequested,
    Known,
    PasswordReceived,
    Proven,
    ResponseReceived,
    ServerLogin,
    TlsRequested,
    Unproven,
)

KEY = sealing.make_key()
PEM = sealing.public_pem(KEY)
NONCE, SECOND = b"0123456789abcdefghij", b"ABCDEFGHIJ0123456789"
CAPS = (
    Capability.LONG_PASSWORD
    | Capability.PROTOCOL_41
    | Capability.SECURE_CONNECTION
    | Capability.PLUGIN_AUTH
    | Capability.CONNECT_WITH_DB
    | Capability.CONNECT_ATTRS
    | Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA
    | Capability.DEPRECATE_EOF
    | Capability.TRANSACTIONS
)
DENIED = error(1045, "28000", "denied")


def greeting(plugin: str = caching_sha2.NAME, tls: bool = False) -> Handshake:
    caps = CAPS | (Capability.SSL if tls else Capability(0))
    return Handshake("9.7.4", 7, NONCE, caps, 255, StatusFlag.AUTOCOMMIT, plugin)


@dataclass
class Answering:
    """What a gate does with a login's events. `steps`: their names; `outcome`: True once accepted."""

    password: str
    known: Known = field(default_factory=Known)
    steps: list[str] = field(default_factory=list)
    outcome: bool | None = None
    response: HandshakeResponse41 | None = None

    def run(self, login: ServerLogin) -> None:
        """All that can be done with what has come."""
        event = login.next_event()
        while event is not None:
            self.steps.append(type(event).__name__)
            event = self._answer(login, event) or login.next_event()

    def _answer(self, login: ServerLogin, event: object) -> object:
        if isinstance(event, TlsRequested):
            login.tls_started()
        elif isinstance(event, ResponseReceived):
            self.response = event.response
            return login.begin(self.known, SECOND)
        elif isinstance(event, KeyRequested):
            login.send_key(PEM)
        elif isinstance(event, Proven):
            self._end(login, True)
        elif isinstance(event, PasswordReceived):
            self._end(login, event.read(KEY) == self.password)
        elif isinstance(event, Unproven):
            self._end(login, False)
        return None

    def _end(self, login: ServerLogin, good: bool) -> None:
        self.outcome = good
        if good:
            login.accept(Ok())
        else:
            login.refuse(DENIED)


def meet(client: ClientLogin, server: ServerLogin, gate: Answering) -> LoggedIn | Err:
    """Both talk until the client's login is over."""
    for _ in range(20):
        client.receive(server.to_send())
        event = client.next_event()
        server_bytes = client.to_send()
        if isinstance(event, LoggedIn):
            return event
        if isinstance(event, LoginFailed):
            return event.error
        if server_bytes:
            server.receive(server_bytes)
        gate.run(server)
        if isinstance(event, StartTls):
            client.tls_started()
            server.receive(client.to_send())
            gate.run(server)
    raise AssertionError("the login has no end")


def native_digest(password: str) -> bytes:
    return native_password.read_verifier(native_password.verifier(password))


def first_packet(server: ServerLogin, response: HandshakeResponse41, sequence: int = 1) -> None:
    server.receive(packets.encode(response.encode(server.greeting.capabilities), sequence))
