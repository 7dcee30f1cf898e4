"""Broken MySQL clients, stalled ones, huge packets, dying upstreams: a clear error or a clean end, and nobody else is
disturbed."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from tests.live import mysql_raw as raw
from tests.live.gate import await_true
from tests.live.mysql_bed import Bed
from tests.live.mysql_tamper import packets, text

MEBIBYTE = 1 << 20

ONE = text(b"1")


@pytest.fixture
def neighbour(bed: Bed) -> Iterator[raw.Raw]:
    """Another session of the same gate, which must answer before and after."""
    with bed.login("open") as client:
        assert ONE in client.query("SELECT 1").packets
        yield client
        assert ONE in client.query("SELECT 1").packets
        bed.gate.check()


def rest(client: raw.Raw, limit: float = 10.0) -> bytes:
    """All that comes until the connection ends."""
    client.socket.settimeout(limit)
    heard = b""
    with contextlib.suppress(ConnectionError):
        while part := client.socket.recv(65536):
            heard += part
    return heard


# ---------------------------------------------------------------- who does not read: first, while the gate is small

MANY = "SELECT {} FROM customers a, customers b, customers c, customers d, customers e, customers f, customers g, " \
    "customers h, customers i, customers j, customers k, customers l, customers m, customers n, customers o, " \
    "customers p, customers q, customers r, customers s, customers t"  # fmt: skip


@pytest.mark.parametrize("database", ["open", "masked"])
def test_a_client_that_never_reads(bed: Bed, neighbour: raw.Raw, database: str) -> None:
    """A million wide rows that nobody reads wait in the server, not in the gate's memory."""
    before = bed.gate.resident()
    columns = "repeat('x', 1000)" if database == "open" else "a.email, b.email, c.name, d.name"
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(bed.login(database)).send(b"\3" + MANY.format(columns).encode())
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert ONE in neighbour.query("SELECT 1").packets
            assert bed.gate.resident() - before < 60 * MEBIBYTE


# ---------------------------------------------------------------- before the login is through

LOGIN = struct.pack("<IIB23x", raw.OLD, 1 << 24, raw.UTF8MB4)
FIRST_BYTES = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls without asking": bytes.fromhex("16030100a5010000a10303") + b"\0" * 160,
    "zeros": b"\0" * 64,
    "ones": b"\xff" * 64,
    "an empty packet": b"\0\0\0\1",
    "a wrong id": packets(LOGIN + b"agent\0\0open\0", first=0),
    "an id far off": packets(LOGIN + b"agent\0\0open\0", first=200),
    "the longest packet": b"\xff\xff\xff\1" + b"x" * 100_000,
    "a query": packets(b"\3SELECT 1"),
    "the old protocol": packets(struct.pack("<HI", 5, 1 << 24)[:5] + b"agent\0\0"),
    "no user": packets(LOGIN),
    "a user without an end": packets(LOGIN + b"agent"),
    "a proof longer than the packet": packets(LOGIN + b"agent\0\xff" + b"x" * 20),
    "attributes that lie": packets(
        struct.pack("<IIB23x", raw.OLD | 0x100000, 1 << 24, 45)
        + b"agent\0\0open\0caching_sha2_password\0\xfd\xff\xff\xff"
    ),
    "compression, all bits": packets(struct.pack("<IIB23x", 0xFFFFFFFF, 1 << 24, 45) + b"agent\0\0open\0"),
    "TLS asked for, not begun": packets(struct.pack("<IIB23x", raw.OLD | 0x800, 1 << 24, 45)) + b"no handshake at all",
    "a character set that nobody knows": packets(struct.pack("<IIB23x", raw.OLD, 1 << 24, 28) + b"agent\0\0open\0"),
}  # fmt: skip


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("name", FIRST_BYTES)
def test_first_bytes(bed: Bed, name: str) -> None:
    with contextlib.closing(bed.raw()) as client:
        client.packet()
        with contextlib.suppress(OSError):
            client.socket.sendall(FIRST_BYTES[name])
            client.socket.shutdown(socket.SHUT_WR)
        heard = rest(client)
    assert heard[4:5] != b"\0", "logged in"


@pytest.mark.usefixtures("neighbour")
def test_many_half_open_logins(bed: Bed) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            client = stack.enter_context(contextlib.closing(bed.raw()))
            client.packet()
            client.socket.sendall(b"\x50\0\0\1" + LOGIN)
        with bed.login("open") as client:
            assert ONE in client.query("SELECT 1").packets


@pytest.mark.usefixtures("neighbour")
def test_many_connections(bed: Bed) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(bed.login("open")) for _ in range(40)]
        for client in clients:
            client.send(b"\3SELECT 1")
        for client in clients:
            assert ONE in client.results().packets


# ---------------------------------------------------------------- after it

EXECUTE = struct.pack("<IBI", 1, 0, 1)
AFTER_LOGIN = {
    "an empty packet": b"\0\0\0\0",
    "a wrong id": packets(b"\3SELECT 1", first=1),
    "ids that go back": packets(b"\3SELECT 1", first=0) + packets(b"\3SELECT 1", first=255),
    "an unknown command": packets(b"\xee", first=0),
    "commands that are none": b"".join(packets(bytes([code]), first=0) for code in (0, 5, 11, 15, 16, 19, 20, 29, 30)),
    "an empty query": packets(b"\3", first=0),
    "execute cut short": packets(b"\x17\1\0", first=0),
    "execute of nothing": packets(b"\x17" + EXECUTE, first=0),
    "fetch cut short": packets(b"\x1c\1\0\0\0", first=0),
    "close cut short": packets(b"\x19\1", first=0),
    "long data for nothing": packets(b"\x18\1\0\0\0\0\0" + b"x" * 100, first=0) * 100,
    "long data cut short": packets(b"\x18\1\0", first=0),
    "closes": packets(b"\x19\1\0\0\0", first=0) * 5000,
    "reset of nothing": packets(b"\x1a\1\0\0\0", first=0),
    "an option cut short": packets(b"\x1b\1", first=0),
    "a kill cut short": packets(b"\x0c\1\0", first=0),
    "ping with more behind": packets(b"\x0epayload", first=0),
    "a field list without an end": packets(b"\4customers", first=0),
    "a change of user": packets(b"\x11agent\0\0open\0", first=0),
    "replication": packets(b"\x12" + b"\0" * 20, first=0) + packets(b"\x1e" + b"\xff" * 40, first=0),
    "deep nesting": packets(b"\3SELECT " + b"(" * 20000 + b"1" + b")" * 20000, first=0),
    "many statements": packets(b"\3" + b"SELECT 1;" * 3000, first=0),
    "many commands at once": packets(b"\3SELECT 1", first=0) * 500,
    "a packet that never ends": b"\xff\xff\xff\0" + b"x" * MEBIBYTE,
}


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("name", AFTER_LOGIN)
def test_after_login(bed: Bed, name: str) -> None:
    """Each is answered as the protocol says or ends the session."""
    with bed.login() as client:
        with contextlib.suppress(OSError):
            client.socket.sendall(AFTER_LOGIN[name])
            client.socket.shutdown(socket.SHUT_WR)
        rest(client, 15.0)


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize(
    "attributes", [b"\1", b"\xfb\1", b"\1\2\0", b"\xfe" + b"\xff" * 8 + b"\1", b"\1\1\0\1\xfe\0\1n\xfd\xff\xff\xff"]
)
def test_query_attributes_that_lie(bed: Bed, attributes: bytes) -> None:
    with bed.login(capabilities=raw.NEW | 0x8000000) as client:
        if not client.capabilities & 0x8000000:
            pytest.skip("the server knows no query attributes")
        client.send(b"\3" + attributes + b"SELECT email FROM customers")
        heard = rest(client)
    assert heard[4:5] == b"\xff"


@pytest.mark.usefixtures("neighbour")
def test_one_byte_at_a_time(bed: Bed) -> None:
    with bed.login() as client:
        for statement in (b"SELECT 1", b"SELECT name, email FROM customers WHERE id = 1"):
            for byte in packets(b"\3" + statement, first=0):
                client.socket.sendall(bytes([byte]))
            reply = client.results()
            assert not reply.failed
    assert reply.packets[-2] == text(b"Ada") + text(b"[redacted]")


# ---------------------------------------------------------------- sizes


def query_packets(sql: bytes) -> bytes:
    payload, out = b"\3" + sql, []
    for number, start in enumerate(range(0, len(payload) + 1, raw.LONGEST)):
        part = payload[start : start + raw.LONGEST]
        out.append(len(part).to_bytes(3, "little") + bytes([number]) + part)
    return b"".join(out)


SIZES = [raw.LONGEST - 1, raw.LONGEST, raw.LONGEST + 1, 33 * MEBIBYTE]


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("size", SIZES)
def test_long_rows(bed: Bed, size: int) -> None:
    """A text row whose payload has this size (4 or 9 bytes are its length), passing and with a masked column; and the
    row of a prepared statement."""
    length = size - (4 if size - 4 < 1 << 24 else 9)
    for database, more in (("open", ""), ("masked", ", email")):
        with bed.login(database, timeout=60.0) as client:
            statement = f"SELECT repeat('x', {length}) AS a{more} FROM customers WHERE id = 1"
            row = client.query(statement).packets[-2]
            assert row.count(b"x") == length
            assert len(row) == size + (len(text(b"[redacted]")) if more else 0)
            if size == SIZES[1]:
                prepared = client.prepare(statement).statement
                assert client.execute(prepared).packets[-2].count(b"x") == length
            assert ONE in client.query("SELECT 1").packets


@pytest.mark.usefixtures("neighbour")
@pytest.mark.parametrize("size", SIZES)
def test_long_queries(bed: Bed, size: int) -> None:
    """Answered by the server, or refused for its length; the session goes on."""
    head = b"SELECT length('"
    length = size - 1 - len(head) - 2
    with bed.login("open", timeout=60.0) as client:
        client.socket.sendall(query_packets(head + b"x" * length + b"')"))
        reply = client.results()
        assert reply.failed is (size == SIZES[-1])
        assert b"dbgate" in reply.packets[-1] if reply.failed else text(str(length).encode()) == reply.packets[-2]
        assert ONE in client.query("SELECT 1").packets


@pytest.mark.usefixtures("neighbour")
def test_long_data(bed: Bed) -> None:
    with bed.login("open", timeout=60.0) as client:
        statement = client.prepare("SELECT length(?)").statement
        for _ in range(3):
            client.send(b"\x18" + struct.pack("<IH", statement, 0) + b"x" * (11 * MEBIBYTE))
        body = struct.pack("<IBI", statement, 0, 1) + b"\0\1\xfc\0"
        client.send(b"\x17" + body)
        reply = client.results()
        assert str(33 * MEBIBYTE).encode() in reply.packets[-2] or struct.pack("<I", 33 * MEBIBYTE) in reply.packets[-2]


# ---------------------------------------------------------------- who vanishes


def running(bed: Bed, word: str) -> int:
    with bed.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW FULL PROCESSLIST")
        return sum(word in str(row) for row in cursor.fetchall())


def outcomes(bed: Bed, word: str) -> list[tuple[str, int]]:
    """SQLSTATE and rows of all outcomes of the one statement that has this in its text."""
    events = bed.gate.audit()
    ids = [each["statement_id"] for each in events if word in str(each.get("statement", ""))]
    assert len(ids) == 1
    ends = [each for each in events if each["type"] == "statement_finished" and each["statement_id"] in ids]
    return [(each["sqlstate"], each["rows"]) for each in ends]


def vanish(client: raw.Raw) -> None:
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.usefixtures("neighbour")
def test_a_client_that_vanishes_in_a_statement(bed: Bed) -> None:
    with bed.login("open") as client:
        client.send(b"\3SELECT sleep(1), 'a vanishing client'")
        await_true(lambda: running(bed, "a vanishing client"))
        vanish(client)
    await_true(lambda: outcomes(bed, "a vanishing client"))
    await_true(lambda: not running(bed, "a vanishing client"), 15, "no statement of the client that vanished")
    assert outcomes(bed, "a vanishing client") == [("unknown", 0)]


@pytest.mark.usefixtures("neighbour")
def test_a_client_that_vanishes_in_a_result(bed: Bed) -> None:
    with bed.login("masked") as client:
        client.send(b"\3" + MANY.format("a.email, 'unread rows'").encode())
        for _ in range(100):
            client.packet()
        vanish(client)
    await_true(lambda: not running(bed, "unread rows"), 15, "no statement of the client that vanished")
    await_true(lambda: outcomes(bed, "unread rows"))
    ((sqlstate, rows),) = outcomes(bed, "unread rows")
    assert (sqlstate, rows > 90) == ("unknown", True)


@pytest.mark.parametrize("statement", [b"", b"SELECT sleep(30)", MANY.format("a.email, b.email").encode()])
def test_an_upstream_that_vanishes(bed: Bed, statement: bytes) -> None:
    """The client's connection ends too, in the protocol's words if any; the next login works."""
    word = f"lost {len(statement)}"
    with bed.login("open" if b"sleep" in statement else "masked") as client:
        if statement:
            client.send(b"\3" + statement + f" /*{word}*/".encode())
            await_true(lambda: running(bed, word))
        bed.relay.cut()
        client.socket.settimeout(20)
        last = b"\xff"
        with contextlib.suppress(raw.ConnectionClosedError):
            while True:
                last = client.packet()
        assert last[:1] == b"\xff" or statement.startswith(b"SELECT a.")
    if statement:
        await_true(lambda: outcomes(bed, word))
        assert [sqlstate for sqlstate, _ in outcomes(bed, word)] == ["unknown"]
    with bed.login("masked") as client:
        assert ONE in client.query("SELECT 1").packets
    bed.gate.check()
