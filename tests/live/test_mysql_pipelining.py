"""Clients that send on without waiting for replies, byte for byte as the servers themselves answer them; and the
commands that begin a session anew."""

from __future__ import annotations

import contextlib
import re
import struct
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.live import mysql_raw as raw
from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer

#: Minutes on a small machine: part of the longer run (`-m fuzz`).
pytestmark = pytest.mark.fuzz

DATABASE: Final = "pipelined"
WORLD: Final = """
CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200), email VARCHAR(80));
INSERT INTO t VALUES (1, 'one', 'ada@secret.example'), (2, 'two', 'bob@secret.example'), (3, REPEAT('x', 200), NULL);
"""
MASKS: Final = """
version: 1
rules:
  - id: all
    roles: [agent]
    allow: {statements: ["*"], tables: ["*"]}
  - id: mask
    roles: [agent]
    mask: {columns: [t.email], with: redact}
"""
LAST: Final = 0xFFFFFFFF
END: Final = b"the end of the conversation"
FORMS: Final = {"eof": raw.OLD, "ok": raw.OLD | raw.DEPRECATE_EOF}


def frame(code: int, payload: bytes = b"") -> bytes:
    return (len(payload) + 1).to_bytes(3, "little") + b"\0" + bytes([code]) + payload


def query(sql: str) -> bytes:
    return frame(raw.QUERY, sql.encode())


def prepare(sql: str) -> bytes:
    return frame(raw.PREPARE, sql.encode())


def execute(number: int, *values: bytes, long: bool = False) -> bytes:
    """`long`: the one parameter's value has been sent before."""
    body = struct.pack("<IBI", number, 0, 1)
    if values or long:
        body += b"\0\x01" + b"\xfd\0" * max(len(values), 1) + b"".join(map(raw.counted, values))
    return frame(raw.EXECUTE, body)


def close(number: int) -> bytes:
    return frame(raw.CLOSE, struct.pack("<I", number))


def long_data(number: int, data: bytes) -> bytes:
    return frame(raw.SEND_LONG_DATA, struct.pack("<IH", number, 0) + data)


def conversations(number: int) -> dict[str, bytes]:
    """What is sent at once. `number`: of the connection's first prepared statement."""
    n = number
    return {
        "queries": query("SELECT * FROM t") + query("SELECT none FROM t") + query("DO 1") + query("SELECT 2; SELECT 3"),
        "executed": prepare("SELECT id, v FROM t WHERE id > ?") + execute(n, b"1"),
        "an error": prepare("SELECT none FROM t") + execute(n) + query("SELECT 1"),
        "closed": prepare("SELECT 1") + close(n) + query("SELECT id FROM t") + execute(n) + query("DO 2"),
        "long data": prepare("SELECT CONCAT(?, 'b')") + long_data(n, b"a") * 3 + execute(n, long=True) + close(n),
        "reset": prepare("SELECT 1") + frame(raw.RESET, struct.pack("<I", n)) + frame(14) + query("SELECT id FROM t"),
        "refused": query("SELECT 1") + prepare("SELECT 2") + close(n) + frame(raw.INIT_DB, b"none") + query("DO 3"),
    }


#: MySQL counts from 1 on for each connection; in MariaDB, which counts for all, this stands for the last one
NUMBERS: Final = {Brand.MYSQL: 1, Brand.MARIADB: LAST}
PREPARED: Final = re.compile(rb"(\x0c\0\0\x01\0)....", re.DOTALL)


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: brand.value)
def server(request: pytest.FixtureRequest) -> Iterator[MysqlServer]:
    with needed_mysql(request.param) as started:
        started.create_database(DATABASE)
        started.run(WORLD, DATABASE)
        yield started


@pytest.fixture(scope="module")
def gate(server: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    databases = {"pipelined": Upstream(DATABASE, "allow_all"), "masked": Upstream(DATABASE, "masks")}
    started = Gate(tmp_path_factory.mktemp("gate"), server, databases, rulebooks={"masks": MASKS})
    yield started
    started.stop()


def through(gate: Gate, database: str = "pipelined", form: int = raw.OLD) -> Any:
    client = raw.Raw(gate.host, gate.mysql_ports[""], form)
    return contextlib.closing(client.login("agent", CLIENT_PASSWORD, database))


def direct(server: MysqlServer, form: int = raw.OLD) -> Any:
    client = raw.Raw(server.host, server.port, form)
    return contextlib.closing(client.login(server.admin, server.admin_password, DATABASE))


def heard(client: raw.Raw, sent: bytes, cut: int) -> bytes:
    """All that is answered when these bytes come at once, or in two pieces; without statements' numbers."""
    data = sent + query(f"SELECT '{END.decode()}'")
    for piece in filter(None, (data[:cut], data[cut:])):
        client.socket.sendall(piece)
    while not client.packet().endswith(raw.counted(END)):
        pass
    client.packet()
    return PREPARED.sub(rb"\g<1>\0\0\0\0", bytes(client.received))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", conversations(1))
def test_replies_come_in_order_and_as_the_servers(server: MysqlServer, gate: Gate, name: str, form: str) -> None:
    sent = conversations(NUMBERS[server.brand])[name]
    with direct(server, FORMS[form]) as client:
        expected = heard(client, sent, len(sent))
    for cut in (0, len(sent) - 2):
        with through(gate, form=FORMS[form]) as client:
            assert heard(client, sent, cut) == expected
    with through(gate, "masked", FORMS[form]) as client:
        got = heard(client, sent, 0)
        assert b"@secret" not in got
        assert [each[0] for each in packets(got)] == [each[0] for each in packets(expected)]


def packets(data: bytes) -> list[tuple[int, int]]:
    """(sequence id, first byte) of each packet."""
    found = []
    while data:
        size = int.from_bytes(data[:3], "little")
        found.append((data[3], data[4]))
        data = data[size + 4 :]
    return found


def test_a_masked_one_among_others(server: MysqlServer, gate: Gate) -> None:
    """In one buffer: what hides, what is refused, and what is neither."""
    sent = query("SELECT email FROM t") + query("SELECT * FROM mysql.user") + query("SELECT v FROM t WHERE id = 2")
    for cut in (0, 40):
        with through(gate, "masked") as client:
            got = heard(client, sent + prepare("SELECT email FROM t") + execute(NUMBERS[server.brand]), cut)
        assert b"@secret" not in got
        assert got.count(b"\x03two") == 1
        assert got.count(b"dbgate refused") == 1
        assert b"#42000" in got


# ---------------------------------------------------------------- the session anew


def settings(client: raw.Raw) -> tuple[bytes, ...]:
    names = "@@character_set_client, @@character_set_connection, @@character_set_results, @@collation_connection"
    return client.query(f"SELECT {names}, @@time_zone, DATABASE()").packets[8:9]


def test_after_a_reset_the_session_is_what_the_servers_own_is(server: MysqlServer, gate: Gate) -> None:
    told = []
    for opened in (direct(server), through(gate), through(gate, "masked")):
        with opened as client:
            first = settings(client)
            client.query("SET NAMES latin1")
            client.query("SET time_zone = '+03:00'")
            assert not client.command(raw.RESET_CONNECTION).failed
            told.append((first, settings(client)))
    assert told[0][1][0]
    assert told[1:] == told[:1] * 2


def change_user(user: bytes) -> bytes:
    head = user + b"\0" + b"\x14" + b"x" * 20 + DATABASE.encode() + b"\0"
    return head + bytes([raw.UTF8MB4, 0]) + b"mysql_native_password\0"


def ending(client: raw.Raw, user: bytes) -> tuple[int, bool]:
    """(the error's number, whether the connection is closed behind it) of a change of user that fails."""
    client.send(bytes([raw.CHANGE_USER]) + change_user(user))
    packet = client.packet()
    while packet[0] != 0xFF:  # a server asks for another proof
        client.send(b"x" * 20, client._sequence + 1)
        packet = client.packet()
    try:
        client.query("SELECT 1")
    except raw.ConnectionClosedError:
        return int.from_bytes(packet[1:3], "little"), True
    return int.from_bytes(packet[1:3], "little"), False


def test_a_change_of_user_fails_as_in_the_servers(server: MysqlServer, gate: Gate) -> None:
    for user in (b"agent", b"nobody"):
        with direct(server) as own, through(gate) as client:
            assert ending(client, user) == ending(own, user) == (1045, server.brand is Brand.MYSQL)
