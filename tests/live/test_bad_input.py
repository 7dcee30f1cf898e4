"""Broken clients, stalled clients, dying upstreams: a clear error or a clean end, and nobody else is disturbed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.live import raw, worlds
from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream, await_true
from tests.live.places import Place
from tests.live.servers import ENVIRONMENT, Postgres, start_postgres

MEBIBYTE = 1 << 20


@pytest.fixture
def neighbour(allow_all: Place) -> Iterator[raw.Raw]:
    """Another session of the same gate, which must answer before, during and after."""
    with allow_all.raw() as client:
        assert raw.kinds(client.ask(raw.query("SELECT 1"))) == "TDCZ"
        yield client
        assert raw.kinds(client.ask(raw.query("SELECT 1"))) == "TDCZ"


def closes(place: Place, data: bytes) -> bytes:
    """Send bytes as the very first thing; what comes back until the connection ends."""
    with socket.create_connection((place.host, place.port), 10) as connection:
        connection.sendall(data)
        heard = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(4096):
                heard += part
    return heard


FIRST_LOGIN = raw.startup(user="agent", database="allow_all")
FIRST_BYTES = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls without asking": bytes.fromhex("16030100a5010000a10303") + b"\0" * 160,
    "zeros": b"\0" * 64,
    "ones": b"\xff" * 64,
    "length zero": struct.pack(">II", 0, raw.PROTOCOL),
    "length too small": struct.pack(">II", 7, raw.PROTOCOL),
    "length negative": struct.pack(">iI", -1, raw.PROTOCOL),
    "length huge": struct.pack(">II", 0x7FFFFFFF, raw.PROTOCOL) + b"x" * 100,
    "length over the limit": struct.pack(">II", 20000, raw.PROTOCOL) + b"x" * 20000,
    "protocol 2": struct.pack(">II", 296, 131072) + b"x" * 288,
    "protocol 4": struct.pack(">II", 9, 4 << 16) + b"\0",
    "no user": struct.pack(">II", 9, raw.PROTOCOL) + b"\0",
    "parameters without an end": struct.pack(">II", 16, raw.PROTOCOL) + b"user\0abc",
    "a value that is missing": struct.pack(">II", 14, raw.PROTOCOL) + b"user\0\0",
    "short cancel": struct.pack(">II", 12, raw.CANCEL_REQUEST) + b"1234",
    "wrong cancel": struct.pack(">III", 16, raw.CANCEL_REQUEST, 1) + b"abcd",
    "cancel with a long key": struct.pack(">III", 268, raw.CANCEL_REQUEST, 1) + b"k" * 256,
    "query before login": raw.query("SELECT 1"),
    "replication": raw.startup(user="agent", database="allow_all", replication="database"),
    "gss then garbage": struct.pack(">II", 8, raw.GSS_REQUEST) + b"\x00\x00\x00\x03zzzz",
    "bytes after the request for TLS": struct.pack(">II", 8, raw.SSL_REQUEST) + FIRST_LOGIN,
}


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("name", FIRST_BYTES)
def test_first_bytes(name: str, allow_all: Place) -> None:
    heard = closes(allow_all, FIRST_BYTES[name])
    assert b"R\0\0\0\x08\0\0\0\0" not in heard, "logged in"


def test_ready_for_tls_then_nothing(allow_all: Place, neighbour: raw.Raw) -> None:
    connection = socket.create_connection((allow_all.host, allow_all.port), 10)
    connection.sendall(struct.pack(">II", 8, raw.SSL_REQUEST))
    assert connection.recv(1) == b"S"
    connection.sendall(b"not a handshake at all, but long enough to be looked at")
    connection.settimeout(10)
    with contextlib.suppress(ConnectionError):
        while connection.recv(100):
            pass
    connection.close()


AFTER_LOGIN = {
    "unknown message": raw.frame("!", b"abc"),
    "length zero": b"Q\0\0\0\0",
    "length three": b"Q\0\0\0\3",
    "length negative": b"Q\xff\xff\xff\xff",
    "length beyond a gibibyte": b"Q\x7f\xff\xff\xff" + b"SELECT 1",
    "query without an end": raw.frame("Q", b"SELECT 1"),
    "query with two texts": raw.frame("Q", b"SELECT 1\0SELECT 2\0"),
    "empty query message": raw.frame("Q", b""),
    "parse cut short": raw.frame("P", b"name\0SELECT 1\0"),
    "parse with a lie": raw.frame("P", b"\0SELECT 1\0" + struct.pack(">H", 60000)),
    "bind with a lie": raw.parse("SELECT $1::int") + raw.frame("B", b"\0\0" + struct.pack(">HHi", 0, 1, 1 << 30)),
    "bind with negative counts": raw.parse("SELECT 1") + raw.frame("B", b"\0\0" + struct.pack(">hh", -1, -1)),
    "describe of nothing": raw.frame("D", b"?x\0"),
    "close of nothing": raw.frame("C", b"?x\0"),
    "execute cut short": raw.frame("E", b"\0\0"),
    "sync with a payload": raw.frame("S", b"payload"),
    "copy data out of place": raw.copy_data(b"x") + raw.COPY_DONE + raw.query("SELECT 1"),
    "password out of place": raw.frame("p", b"secret\0"),
    "function call": raw.frame("F", struct.pack(">IHHiH", 1, 0, 0, 0, 0)),
    "invalid utf-8": raw.frame("Q", b"SELECT '\xff\xfe'\0"),
    "nul inside": raw.frame("P", b"\0SELECT 'a\0b'\0\0\0"),
    "very long name": raw.parse("SELECT 1", "n" * 100_000) + raw.SYNC,
    "many parses without a sync": raw.parse("SELECT 1", "same") * 2000,
    "flushes": raw.FLUSH * 5000 + raw.SYNC,
    "closes": raw.close("nothing") * 5000 + raw.SYNC,
    "deep nesting": raw.query("SELECT " + "(" * 20000 + "1" + ")" * 20000),
    "many statements": raw.query("SELECT 1;" * 5000),
    "long text": raw.query("SELECT '" + "x" * 5_000_000 + "'"),
    "many operators": raw.query("SELECT 1" + " + 1" * 30000),
}


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("name", AFTER_LOGIN)
def test_after_login(name: str, allow_all: Place) -> None:
    """Each is answered as the protocol says or ends the session; afterwards a new session works."""
    with allow_all.raw() as client:
        client.send(AFTER_LOGIN[name])
        with contextlib.suppress(OSError):
            client.socket.shutdown(socket.SHUT_WR)
        messages = client.rest(15.0)
        assert client.closes(5.0)
    for message in messages:
        if message.kind == "E":
            assert set("SCM") <= set(message.fields)


@pytest.mark.usefixtures("neighbour")
def test_one_byte_at_a_time(allow_all: Place) -> None:
    with allow_all.raw() as client:
        conversation = raw.query("SELECT 1") + raw.extended("SELECT id, email FROM customers WHERE id = $1", ["3"])
        for position in range(len(conversation)):
            client.send(conversation[position : position + 1])
        heard = [*client.until("Z"), *client.until("Z")]
    assert raw.kinds(heard) == "TDCZ12TDCZ"


@pytest.mark.usefixtures("neighbour")
def test_half_closed(allow_all: Place) -> None:
    """A client that has said its last word and shuts down its side."""
    with allow_all.raw() as client:
        client.send(raw.query("SELECT 1"))
        client.socket.shutdown(socket.SHUT_WR)
        client.rest(5.0)
        assert client.closes(5.0)


def test_client_vanishes_inside_a_statement(allow_all: Place, server: Postgres, neighbour: raw.Raw) -> None:
    """Its backend must not stay behind."""
    with allow_all.raw(application_name="vanishing") as client:
        client.send(raw.query("SELECT 'vanishing', count(*) FROM generate_series(1, 3000000) a"))
        time.sleep(0.2)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await_true(lambda: _backends(server, "%''vanishing''%") == 0, 20, "no backend of the client that vanished")


def _backends(server: Postgres, pattern: str) -> int:
    query = f"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '{pattern}' AND pid <> pg_backend_pid()"
    with server.connect() as connection:
        row = connection.execute(query.encode()).fetchone()
    return int(row[0]) if row else 0


@pytest.mark.parametrize("book", ["allow_all", "shop"])
def test_client_that_never_reads(book: str, gate: Gate, neighbour: raw.Raw, request: pytest.FixtureRequest) -> None:
    """A large result nobody reads must wait in the server, not in the gate's memory."""
    place: Place = request.getfixturevalue(book)
    before = gate.resident()
    statement = "SELECT repeat('x', 1000) FROM generate_series(1, 300000)"
    if book == "shop":
        statement = "SELECT a.email, a.phone, b.name FROM customers a, customers b, customers c, customers d"
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(place.raw()) for _ in range(5)]
        for client in clients:
            client.send(raw.query(statement))
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert raw.kinds(neighbour.ask(raw.query("SELECT 1"))) == "TDCZ"
            assert gate.resident() - before < 60 * MEBIBYTE
            time.sleep(0.2)


def test_terminated_backend(allow_all: Place, server: Postgres, neighbour: raw.Raw) -> None:
    """pg_terminate_backend in the middle of a statement: the server's own last words reach the client."""
    with allow_all.raw() as client:
        (row,) = [m for m in client.ask(raw.query("SELECT pg_backend_pid()")) if m.kind == "D"]
        pid = int(row.values[0] or 0)
        client.send(raw.query("SELECT pg_sleep(30)"))
        time.sleep(0.2)
        with server.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        messages = client.rest(10.0)
        assert client.closes(5.0)
    assert messages[-1].kind == "E"
    assert messages[-1].fields["C"] == "57P01"


def test_connection_lost_in_a_result(allow_all: Place, server: Postgres, neighbour: raw.Raw) -> None:
    with allow_all.raw() as client:
        (row,) = [m for m in client.ask(raw.query("SELECT pg_backend_pid()")) if m.kind == "D"]
        client.send(raw.query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)"))
        for _ in range(100):
            client.message()
        with server.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(%s)", (int(row.values[0] or 0),))
        client.socket.settimeout(20)
        last = None
        with contextlib.suppress(raw.ConnectionClosedError):
            while True:
                last = client.message()
    assert last is not None
    assert last.kind in "ED"


class FragileServer:
    """A relay to the real server whose connections can be cut without a word."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        self.pairs: list[socket.socket] = []
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                self.pairs.append(near)
                far = socket.create_connection(self.target)
                self.pairs.append(far)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=(source, sink), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        for one in self.pairs:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.pairs.clear()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join(5)
        self.listener.close()
        self.cut()


@pytest.fixture
def fragile(server: Postgres) -> Iterator[FragileServer]:
    relay = FragileServer((server.host, server.port))
    yield relay
    relay.close()


def test_upstream_vanishes(make_gate: object, fragile: FragileServer, database: str) -> None:
    """The client's connection ends too, with an error in the protocol's words if any; the next login works."""
    assert callable(make_gate)
    gate: Gate = make_gate({"x": Upstream(database, "allow_all", port=fragile.port)})
    for send in (b"", raw.query("SELECT pg_sleep(30)"), raw.query("BEGIN")):
        with raw.Raw(gate.host, gate.port).login("agent", CLIENT_PASSWORD, "x") as client:
            client.send(send)
            time.sleep(0.2)
            fragile.cut()
            messages = client.rest(10.0)
            assert client.closes(5.0)
        assert {m.fields["C"][:2] for m in messages if m.kind == "E"} <= {"08", "57"}
    gate.check()


def test_upstream_that_is_not_there(make_gate: object, database: str) -> None:
    assert callable(make_gate)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        gate: Gate = make_gate({"x": Upstream(database, "allow_all", port=taken.getsockname()[1])})
        with raw.Raw(gate.host, gate.port) as client, pytest.raises(raw.LoginError) as caught:
            client.login("agent", CLIENT_PASSWORD, "x")
    assert caught.value.message.fields["C"][:2] in ("08", "57")
    gate.check()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_backend_killed_hard(make_gate: object) -> None:
    """kill -9 of a backend makes PostgreSQL throw every session out; the gate survives it and logs in again."""
    if os.environ.get(ENVIRONMENT):
        pytest.skip("the server is not ours to hurt")
    assert callable(make_gate)
    with start_postgres() as own:
        if own.postmaster is None:
            pytest.skip("the server's processes are not on this machine")
        worlds.create_template(own)
        worlds.create_world(own, "killed")
        gate: Gate = make_gate({"x": Upstream("killed", "allow_all", port=own.port)})
        with raw.Raw(gate.host, gate.port).login("agent", CLIENT_PASSWORD, "x") as client:
            (row,) = [m for m in client.ask(raw.query("SELECT pg_backend_pid()")) if m.kind == "D"]
            client.send(raw.query("SELECT pg_sleep(30)"))
            time.sleep(0.2)
            os.kill(int(row.values[0] or 0), signal.SIGKILL)
            messages = client.rest(10.0)
            assert client.closes(5.0)
        assert {m.fields["C"][:2] for m in messages if m.kind == "E"} <= {"08", "57"}

        def works() -> bool:
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(gate.dsn("x")) as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
            return False

        await_true(works, 20, "a login after the server's recovery")
        gate.check()


REFUSED_LOGINS = {
    "wrong password": ("agent", "wrong", "allow_all", "28P01"),
    "unknown user": ("nobody_at_all", CLIENT_PASSWORD, "allow_all", "28P01"),
    "unknown database": ("agent", CLIENT_PASSWORD, "no_such_database", "3D000"),
    "empty user": ("", CLIENT_PASSWORD, "allow_all", "28"),
    "odd user": ("agent\x01'; --", CLIENT_PASSWORD, "allow_all", "28P01"),
}


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("name", REFUSED_LOGINS)
def test_refused_logins(name: str, gate: Gate) -> None:
    user, password, database, code = REFUSED_LOGINS[name]
    with raw.Raw(gate.host, gate.port) as client:
        with pytest.raises(raw.LoginError) as caught:
            client.login(user, password, database)
        assert client.closes(5.0)
    fields = caught.value.message.fields
    assert fields["S"] == "FATAL"
    assert fields["C"].startswith(code)


def test_unknown_users_look_like_known_ones(gate: Gate) -> None:
    """Whether a user exists must not show: both get a SCRAM challenge and the same words at the end."""
    words = []
    for user in ("agent", "nobody_at_all"):
        with raw.Raw(gate.host, gate.port) as client, pytest.raises(raw.LoginError) as caught:
            client.login(user, "wrong", "allow_all")
        words.append({**caught.value.message.fields, "M": caught.value.message.fields["M"].replace(user, "USER")})
    assert words[0] == words[1]


@pytest.mark.usefixtures("neighbour")
def test_many_half_open_logins(gate: Gate) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            client = stack.enter_context(raw.Raw(gate.host, gate.port))
            client.send(struct.pack(">I", 50))
        with raw.Raw(gate.host, gate.port) as client:
            client.login("agent", CLIENT_PASSWORD, "allow_all")
