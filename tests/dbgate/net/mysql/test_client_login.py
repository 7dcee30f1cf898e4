"""Logins through sockets: drivers in pure Python, raw clients, TLS, who may open what."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from dbgate.net.mysql import client_login
from dbgate.net.mysql.keys import RsaKeys
from protocols.mysql import native_password, packets
from protocols.mysql.capabilities import Capability
from protocols.mysql.client_login import ClientLogin, LoggedIn, LoginFailed, Tls
from protocols.mysql.handshake import HandshakeResponse41, SslRequest, decode_handshake
from protocols.mysql.replies import decode_err
from protocols.mysql.sealing import make_key
from tests.dbgate.net.mysql.receptions import NO_SUCH_TABLE, PASSWORD, Server, make_door, serving, users
from tests.live.certificates import Authority

EVERYBODY = {**users("agent", "old", native=("old",)), **users("both", databases=("shop", "crm"))}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def server(
    request: pytest.FixtureRequest, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    door = make_door(EVERYBODY, pair=authority.server("gate"))
    with serving(door, tmp_path_factory.mktemp("sockets"), uvloop=request.param) as started:
        yield started


def connect(server: Server, user: str = "agent", password: str = PASSWORD, **options: Any) -> Any:
    words = {"database": "shop", "ssl_disabled": True, "connect_timeout": 10, **options}
    where = (
        {"unix_socket": str(server.path)} if options.pop("unix", False) else {"host": "127.0.0.1", "port": server.port}
    )
    words.pop("unix", None)
    return pymysql.connect(user=user, password=password, **where, **words)


def how(connection: Any) -> str:
    with connection, connection.cursor() as cursor, pytest.raises(pymysql.err.ProgrammingError) as caught:
        cursor.execute("SELECT how")
    number, text = caught.value.args
    assert number == NO_SUCH_TABLE
    return str(text)


def refusal(server: Server, **options: Any) -> tuple[int, str]:
    with pytest.raises(pymysql.err.MySQLError) as caught:
        connect(server, **options)
    return int(caught.value.args[0]), str(caught.value.args[1])


@pytest.mark.parametrize("way", ["plain", "tls", "unix"])
def test_pymysql(server: Server, authority: Authority, way: str) -> None:
    options = {"tls": {"ssl_disabled": False, "ssl_ca": str(authority.root)}, "unix": {"unix": True}}.get(way, {})
    for _ in ("full", "fast"):
        assert how(connect(server, **options)) == "by caching_sha2_password"
    admission = server.admitted[-1]
    assert (admission.account.name, admission.database, admission.schema) == ("agent", "shop", "shop")
    assert bool(admission.tls) is (way == "tls")
    assert admission.charset.name == "utf8mb4"
    assert admission.attributes["_client_name"] == "pymysql"


def test_wrong_passwords_and_unknown_users(server: Server) -> None:
    for user in ("agent", "nobody"):
        number, text = refusal(server, user=user, password="wrong")
        assert (number, text) == (1045, f"Access denied for user '{user}'@'127.0.0.1' (using password: YES)")
    assert refusal(server, user="nobody", password="")[1].endswith("(using password: NO)")
    assert (server.refused[-1].user, server.refused[-1].database) == ("nobody", "shop")


def test_a_name_of_any_length_is_quoted_in_part(server: Server) -> None:
    number, text = refusal(server, user="n" * 60_000)
    assert number == 1045
    assert 400 < len(text) <= 500


def test_which_database(server: Server) -> None:
    assert how(connect(server, database=None))
    assert (server.admitted[-1].database, server.admitted[-1].schema) == ("shop", "")
    assert how(connect(server, user="both", database="crm"))
    assert refusal(server, user="both", database=None) == (
        1046, "No database selected; name it in the connection: crm or shop"
    )  # fmt: skip
    assert refusal(server, database="crm")[0] == 1044
    assert refusal(server, database="other")[0] == 1049


def test_a_listener_of_one_database(tmp_path: Path) -> None:
    with serving(make_door(EVERYBODY, database="crm"), tmp_path) as server:
        for asked in (None, "crm", "a_schema"):
            assert how(connect(server, user="both", database=asked))
            assert (server.admitted[-1].database, server.admitted[-1].schema) == ("crm", asked or "")
        assert refusal(server, database=None)[0] == 1044


def test_tls_can_be_required(tmp_path: Path, authority: Authority) -> None:
    """Loopback is as private as TLS, so the check is looked at from outside."""
    with serving(make_door(pair=authority.server("gate"), tls_required=True), tmp_path) as server:
        assert how(connect(server))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(client_login, "is_local", lambda _transport: False)
            assert refusal(server)[0] == 3159
            assert how(connect(server, ssl_disabled=False, ssl_ca=str(authority.root)))


def test_a_charset_that_cannot_pass(server: Server) -> None:
    number, text = refusal(server, charset="gbk")
    assert number == 1115
    assert "utf8mb4" in text


@pytest.mark.parametrize(
    ("user", "password", "number"),
    [("old", PASSWORD, 0), ("old", "bad", 1251), ("agent", PASSWORD, 1251), ("nobody", "x", 1251)],
)
def test_clients_that_know_no_plugins(server: Server, user: str, password: str, number: int) -> None:
    with Raw(server) as raw:
        caps = Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.CONNECT_WITH_DB
        proof = native_password.respond(password, raw.greeting.nonce)
        raw.send(HandshakeResponse41(caps, 1, 45, user, proof, "shop").encode(raw.greeting.capabilities), 1)
        found = raw.receive()
        assert (decode_err(found).errno if found[0] == 0xFF else 0) == number


# ------------------------------------------------------------ raw clients


class Raw:
    """A client that says what it likes."""

    def __init__(self, server: Server) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), 10)
        self.buffer = packets.PacketReader(1 << 16)
        self.greeting = decode_handshake(self.receive())

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def receive(self) -> bytes:
        """The next payload, empty at the connection's end."""
        while (message := self.buffer.message()) is None:
            if not (data := self.socket.recv(4096)):
                return b""
            self.buffer.receive(data)
        self.buffer.expect(message.next + 1)  # ours comes in between
        return message.payload

    def send(self, payload: bytes, sequence: int) -> None:
        self.socket.sendall(packets.encode(payload, sequence))


def ssl_request(raw: Raw) -> bytes:
    caps = raw.greeting.capabilities
    return packets.encode(SslRequest(caps, 1, 45).encode(caps), 1)


def test_tls_in_the_same_segment_as_its_request(server: Server, authority: Authority) -> None:
    """Clients don't wait between SSLRequest and ClientHello, so both may come at once."""
    with Raw(server) as raw:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = ssl.create_default_context(cafile=str(authority.root)).wrap_bio(
            incoming, outgoing, server_hostname="localhost"
        )
        with pytest.raises(ssl.SSLWantReadError):
            tls.do_handshake()
        raw.socket.sendall(ssl_request(raw) + outgoing.read())
        for _ in range(10):
            incoming.write(raw.socket.recv(1 << 16))
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.socket.sendall(outgoing.read())
        assert tls.version() is not None


def test_clear_bytes_behind_an_ssl_request_are_never_read_as_a_login(server: Server) -> None:
    with Raw(server) as raw:
        before = len(server.admitted), len(server.refused)
        login = HandshakeResponse41(raw.greeting.capabilities, 1, 45, "agent", b"", "shop", "caching_sha2_password")
        raw.socket.sendall(ssl_request(raw) + packets.encode(login.encode(raw.greeting.capabilities), 2))
        ended = len(server.ended)
        while raw.socket.recv(4096):
            pass
        _until(lambda: len(server.ended) > ended - 1 and isinstance(server.ended[-1], ssl.SSLError | OSError))
        assert (len(server.admitted), len(server.refused)) == before


def _until(condition: Any) -> None:
    limit = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.parametrize("payload", [b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 300, bytes(40)])
def test_first_packets_of_garbage(server: Server, payload: bytes) -> None:
    with Raw(server) as raw:
        raw.send(payload, 1)
        assert raw.receive()[:1] == b"\xff"
        assert raw.receive() == b""


def test_a_first_packet_that_never_ends(server: Server) -> None:
    with Raw(server) as raw:
        raw.socket.sendall(b"\xff\xff\xff\x01")
        assert decode_err(raw.receive()).errno == 1153


def test_a_first_packet_in_pieces(server: Server) -> None:
    with Raw(server) as raw:
        login = ClientLogin("agent", PASSWORD, tls=Tls.NEVER, database="shop")
        login.receive(packets.encode(_greeting_bytes(raw), 0))
        login.next_event()
        for byte in login.to_send():
            raw.socket.sendall(bytes([byte]))
        event = None
        while event is None:
            login.receive(raw.socket.recv(4096))
            event = login.next_event()
            raw.socket.sendall(login.to_send())
        assert isinstance(event, LoggedIn)


def _greeting_bytes(raw: Raw) -> bytes:
    return raw.greeting.encode()


def test_a_client_that_leaves(server: Server) -> None:
    ended = len(server.ended)
    Raw(server).socket.close()
    _until(lambda: len(server.ended) > ended)


def test_a_login_inside_out_is_refused(server: Server) -> None:
    """Our own client, led by the machine, with a password that is wrong."""
    with Raw(server) as raw:
        login = ClientLogin("agent", "wrong", tls=Tls.NEVER)
        login.receive(packets.encode(_greeting_bytes(raw), 0))
        event = login.next_event()
        while event is None:
            raw.socket.sendall(login.to_send())
            login.receive(raw.socket.recv(4096))
            event = login.next_event()
        assert isinstance(event, LoginFailed)
        assert event.error.errno == 1045


def test_the_key_is_made_once_and_not_on_the_loops_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []

    def slow() -> object:
        made.append(time.monotonic())
        time.sleep(0.2)
        return make_key()

    monkeypatch.setattr("dbgate.net.mysql.keys.sealing.make_key", slow)

    async def main() -> tuple[int, bool]:
        keys = RsaKeys()
        assert keys.made is None
        waiting = [asyncio.create_task(keys.get()) for _ in range(5)]
        await asyncio.sleep(0)
        waiting[0].cancel()  # its client left
        ticks = 0
        while not all(task.done() for task in waiting):
            await asyncio.sleep(0.005)
            ticks += 1
        found = {id(task.result()) for task in waiting[1:]}
        return ticks, found == {id(keys.made)} and keys.pem.startswith(b"-----BEGIN PUBLIC KEY")

    ticks, same = asyncio.run(main())
    assert len(made) == 1
    assert same
    assert ticks > 10
