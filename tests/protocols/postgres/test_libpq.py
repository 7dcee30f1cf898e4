"""The login machine against the client everybody uses: libpq, through psycopg, over real sockets and TLS."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from protocols.errors import PeerError
from protocols.postgres import backend
from protocols.postgres.scram import Verifier
from protocols.postgres.server_login import (
    CancelRequested,
    Event,
    PasswordReceived,
    Phase,
    ScramFinished,
    ServerLogin,
    StartupReceived,
    TlsRequested,
)
from protocols.postgres.startup import starts_tls
from tests.live.certificates import Authority

pytestmark = pytest.mark.live

VERIFIER = Verifier.make("pencil", b"0123456789abcdef")
KEYS = {(3, 0): b"abcd", (3, 2): bytes(range(1, 33))}
LIBPQ_18 = psycopg.pq.version() >= 180000
REFUSED = backend.error("FATAL", "28P01", "password authentication failed")


@dataclass
class Peer:
    """One small server: a thread for each connection, which ends once the client is in and has gone."""

    ca: Path
    context: ssl.SSLContext
    binding: bytes
    listener: socket.socket
    ask_password: bool = False
    events: list[Event] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def dsn(self, **options: str) -> str:
        port = self.listener.getsockname()[1]
        words = {"host": "127.0.0.1", "port": str(port), "user": "bob", "password": "pencil", "dbname": "shop"}
        words |= {"sslmode": "disable", "gssencmode": "disable", "connect_timeout": "5", **options}
        return " ".join(f"{name}={value}" for name, value in words.items())

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            stack.callback(connection.close)
            direct = starts_tls(connection.recv(1, socket.MSG_PEEK)[0])
            secure = self.secure(stack, connection) if direct else connection
            self.log_in(stack, secure, ServerLogin(direct))

    def secure(self, stack: contextlib.ExitStack, connection: socket.socket) -> socket.socket:
        secured = self.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        stack.callback(secured.close)
        secured.do_handshake()
        return secured

    def log_in(self, stack: contextlib.ExitStack, connection: socket.socket, login: ServerLogin) -> None:
        done = False
        while not done:
            try:
                event = login.next_event()
            except PeerError as fault:
                login.refuse(backend.fatal(fault))
                connection.sendall(login.to_send())
                return
            if event is not None:
                self.events.append(event)
                done = self.answer(login, event)
            if data := login.to_send() + self.settle(login):
                connection.sendall(data)
            if isinstance(event, TlsRequested):
                connection = self.secure(stack, connection)
            elif event is None:
                login.receive(connection.recv(5))
        if login.phase is Phase.ACCEPTED:
            connection.recv(100)  # Terminate, or the end

    def answer(self, login: ServerLogin, event: Event) -> bool:
        """True when the login is over."""
        if isinstance(event, TlsRequested):
            login.accept_tls()
        elif isinstance(event, CancelRequested):
            self.cancelled.set()
            return True
        elif isinstance(event, StartupReceived):
            self.greet(login)
        elif isinstance(event, PasswordReceived):
            return self.decide(login, event.password == "pencil")
        elif isinstance(event, ScramFinished):
            return self.decide(login, event.ok)
        return False

    def greet(self, login: ServerLogin) -> None:
        if self.ask_password:
            login.request_password()
        else:
            login.begin_scram(VERIFIER, "servernonce", self.binding if login.tls else None)

    def decide(self, login: ServerLogin, ok: bool) -> bool:
        if not ok:
            login.refuse(REFUSED)
            return True
        login.accept()
        return True

    def settle(self, login: ServerLogin) -> bytes:
        """What follows AuthenticationOk."""
        if login.phase is not Phase.ACCEPTED:
            return b""
        [startup] = [event for event in self.events if isinstance(event, StartupReceived)]
        messages = (
            backend.ParameterStatus("client_encoding", "UTF8"),
            backend.ParameterStatus("server_version", "15.0"),
            backend.BackendKeyData(4711, KEYS[startup.protocol]),
            backend.ReadyForQuery(backend.TransactionStatus.IDLE),
        )
        return b"".join(message.encode() for message in messages)


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    authority = Authority(tmp_path)
    pair = authority.server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    context.set_alpn_protocols(["postgresql"])
    der = ssl.PEM_cert_to_DER_cert(pair.certificate.read_text())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = Peer(authority.root, context, hashlib.sha256(der).digest(), listener)
        threading.Thread(target=served.serve, daemon=True).start()
        yield served
        listener.shutdown(socket.SHUT_RDWR)


def startup_of(peer: Peer) -> StartupReceived:
    [event] = [event for event in peer.events if isinstance(event, StartupReceived)]
    return event


@pytest.mark.parametrize("ask_password", [False, True])
@pytest.mark.parametrize("sslmode", ["disable", "require", "verify-full"])
def test_libpq_logs_in(peer: Peer, ask_password: bool, sslmode: str) -> None:
    peer.ask_password = ask_password
    options = {} if ask_password else {"require_auth": "scram-sha-256"}
    with psycopg.connect(peer.dsn(sslmode=sslmode, sslrootcert=str(peer.ca), **options)) as connection:
        assert connection.info.backend_pid == 4711
        assert connection.info.parameter_status("server_version") == "15.0"
    assert startup_of(peer).database == "shop"


@pytest.mark.parametrize(
    "negotiation", ["postgres", pytest.param("direct", marks=pytest.mark.skipif(not LIBPQ_18, reason="libpq < 17"))]
)
def test_libpq_binds_the_channel(peer: Peer, negotiation: str) -> None:
    options = {"sslnegotiation": negotiation} if LIBPQ_18 else {}
    dsn = peer.dsn(sslmode="verify-full", sslrootcert=str(peer.ca), channel_binding="require", **options)
    psycopg.connect(dsn).close()
    assert ScramFinished(True) in peer.events


def test_libpq_finds_another_certificate_in_between(peer: Peer) -> None:
    peer.binding = bytes(32)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(peer.dsn(sslmode="require", channel_binding="require"))
    assert ScramFinished(True) not in peer.events


@pytest.mark.parametrize("ask_password", [False, True])
def test_libpq_is_refused_with_a_wrong_password(peer: Peer, ask_password: bool) -> None:
    peer.ask_password = ask_password
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(peer.dsn(password="pencils"))


@pytest.mark.skipif(not LIBPQ_18, reason="protocol 3.2 came with libpq 18")
@pytest.mark.parametrize(("version", "spoken"), [("3.0", (3, 0)), ("3.2", (3, 2))])
def test_libpq_speaks_both_versions_and_cancels_with_its_key(peer: Peer, version: str, spoken: tuple[int, int]) -> None:
    options = {"min_protocol_version": version, "max_protocol_version": version}
    with psycopg.connect(peer.dsn(**options)) as connection:
        connection.cancel_safe(timeout=5)
    assert peer.cancelled.wait(5)
    assert startup_of(peer).protocol == spoken
    assert CancelRequested(4711, KEYS[spoken]) in peer.events


@pytest.mark.skipif(not LIBPQ_18, reason="libpq 18 can ask for more than there is")
def test_libpq_accepts_our_negotiation(peer: Peer) -> None:
    psycopg.connect(peer.dsn(max_protocol_version="latest")).close()
    assert startup_of(peer).protocol == (3, 2)
