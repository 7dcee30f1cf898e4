"""The gate as a whole with MySQL and MariaDB behind it: addresses, drain, loss of the server, limits, checks."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pymysql
import pytest

from protocols.mysql.capabilities import Capability
from protocols.mysql.handshake import HandshakeResponse41
from protocols.mysql.packets import encode
from tests.live.gate import CLIENT_PASSWORD, ROOT, Gate, Upstream, await_true, verifier
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer
from tests.live.servers import free_port

pytestmark = pytest.mark.live

DATABASE = "served"
MakeGate = Callable[..., Gate]


@pytest.fixture(scope="module")
def server() -> Iterator[MysqlServer]:
    with needed_mysql(Brand.MARIADB) as started:
        started.create_database(DATABASE)
        started.run("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)", DATABASE)
        yield started


@pytest.fixture
def make_gate(server: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeGate]:
    started: list[Gate] = []
    pair = server.authority.server("gate")

    def make(databases: dict[str, Upstream] | None = None, **options: Any) -> Gate:
        chosen = databases or {"shop": Upstream(DATABASE, "allow_all")}
        started.append(Gate(tmp_path_factory.mktemp("g"), server, chosen, pair, **options))
        return started[-1]

    yield make
    for gate in started:
        gate.stop()


def connect(gate: Gate, database: str | None = "shop", own: str = "", user: str = "agent", **options: Any) -> Any:
    words = {"autocommit": True, "connect_timeout": 10, "read_timeout": 20, **options}
    port = gate.mysql_ports[own]
    return pymysql.connect(host="127.0.0.1", port=port, user=user, password=CLIENT_PASSWORD, database=database, **words)


def ask(connection: Any, text: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def fault_of(work: Callable[[], Any]) -> pymysql.MySQLError:
    with pytest.raises(pymysql.MySQLError) as caught:
        work()
    return caught.value


def test_sigterm_ends_idle_sessions_and_waits_for_transactions(make_gate: MakeGate) -> None:
    gate = make_gate(extra={"gate": {"drain": "20s"}})
    idle, busy = connect(gate), connect(gate, autocommit=False)
    assert ask(busy, "SELECT a FROM t") == ((1,),)  # opens a transaction
    gate.process.send_signal(signal.SIGTERM)
    assert idle._sock.recv(7) != b""  # the goodbye comes unasked, at a packet's start
    with contextlib.suppress(OSError):
        idle._sock.close()
    with pytest.raises(pymysql.MySQLError):
        connect(gate, read_timeout=2)
    assert ask(busy, "SELECT a FROM t") == ((1,),)
    busy.commit()
    assert gate.process.wait(10) == 0


def test_the_goodbye_is_a_servers(make_gate: MakeGate) -> None:
    gate = make_gate(extra={"gate": {"drain": "1s"}})
    idle = connect(gate)
    gate.process.send_signal(signal.SIGTERM)
    gate.process.wait(10)
    told = idle._sock.recv(4096)
    assert told[3] == 0  # the sequence of a packet that nobody asked for
    assert told[4:5] == b"\xff"
    assert int.from_bytes(told[5:7], "little") == 1053
    assert told[7:13] == b"#08S01"
    idle._sock.close()


def test_a_server_that_is_lost_is_told_of(make_gate: MakeGate, server: MysqlServer) -> None:
    gate = make_gate()
    with connect(gate) as client, server.connect() as admin:
        ask(client, "SELECT 1")
        rows = ask(admin, "SELECT id FROM information_schema.processlist WHERE user = 'app' AND command = 'Sleep' "
                          f"AND db = '{DATABASE}' ORDER BY id DESC LIMIT 1")  # fmt: skip
        ask(admin, f"KILL {rows[0][0]}")
        assert fault_of(lambda: ask(client, "SELECT 1")).args[0] in (1053, 1159, 1927, 2006, 2013)
    with connect(gate) as again:
        assert ask(again, "SELECT 1") == ((1,),)


def test_without_the_server_clients_are_told_instead_of_greeted(make_gate: MakeGate) -> None:
    gate = make_gate({"shop": Upstream(DATABASE, "allow_all", port=free_port())})
    told = fault_of(lambda: connect(gate))
    assert told.args[0] == 1429
    assert "cannot serve any database here now" in told.args[1]
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{gate.control}/ready", timeout=5)
    with caught.value as refused:
        assert (refused.code, b"shop" in refused.read()) == (503, True)


def test_wrong_credentials_of_the_gate_are_not_shown(make_gate: MakeGate, server: MysqlServer) -> None:
    gate = make_gate({"shop": Upstream(DATABASE, "allow_all", password="wrong-secret")})
    told = str(fault_of(lambda: connect(gate)))
    assert "refused the gate's own login" in told
    assert not [word for word in ("wrong-secret", "'app'", str(server.port)) if word in told]


def test_two_brands_need_two_addresses(make_gate: MakeGate, server: MysqlServer) -> None:
    with needed_mysql(Brand.MYSQL) as other:
        other.create_database(DATABASE)
        second = Upstream(DATABASE, "allow_all", server=other)
        gate = make_gate({"shop": Upstream(DATABASE, "allow_all"), "zoo": second})
        assert "databases.zoo.listen" in str(fault_of(lambda: connect(gate, "zoo")))
        with connect(gate) as client:
            assert "MariaDB" in client.get_server_info()
        found = check(gate)
        assert found.returncode == 1
        assert "databases.zoo is mysql" in found.stdout

        alone = Upstream(DATABASE, "allow_all", server=other, alone=True)
        gate = make_gate({"shop": Upstream(DATABASE, "allow_all"), "zoo": alone})
        with connect(gate) as one, connect(gate, None, own="zoo") as two:
            assert ("MariaDB" in ask(one, "SELECT VERSION()")[0][0], "MariaDB" in two.get_server_info()) == (
                True,
                False,
            )
        assert fault_of(lambda: connect(gate, "zoo")).args[0] == 1049
        assert check(gate).returncode == 0


def check(gate: Gate) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dbgate", "check", "--connect", "--config", str(gate.directory / "dbgate.yaml")]
    environment = {"DBGATE_MASK_KEY": "a key that only the tests know", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_a_server_that_reads_sql_otherwise(make_gate: MakeGate, server: MysqlServer) -> None:
    gate = make_gate()
    before = ask(server.connect(), "SELECT @@global.sql_mode")[0][0]
    server.run("SET GLOBAL sql_mode = 'ANSI_QUOTES'")
    try:
        assert "take ANSI_QUOTES out of the server's global sql_mode" in str(fault_of(lambda: connect(gate)))
        found = check(gate)
        assert (found.returncode, "ANSI_QUOTES" in found.stdout) == (1, True)
    finally:
        server.run(f"SET GLOBAL sql_mode = '{before}'")
    connect(gate).close()


def test_nobody_ends_the_sessions_of_others(make_gate: MakeGate) -> None:
    other = {"role": "agent", "verifier": verifier(CLIENT_PASSWORD), "databases": ["shop"]}
    gate = make_gate(extra={"users": {"other": other}}, workers=2)
    for _ in range(6):  # of either worker
        with connect(gate) as victim, connect(gate, user="other") as killer:
            for text in ("KILL QUERY", "KILL"):
                assert fault_of(lambda text=text: ask(killer, f"{text} {victim.thread_id()}")).args[0] == 1094
            assert ask(victim, "SELECT 1") == ((1,),)


def test_too_many_sessions(make_gate: MakeGate) -> None:
    gate = make_gate(extra={"gate": {"connections": 1}})
    with connect(gate):
        assert fault_of(lambda: connect(gate)).args[0] == 1040
    await_true(lambda: not connect_fails(gate), 5, "room after the first session")


def connect_fails(gate: Gate) -> bool:
    try:
        connect(gate).close()
    except pymysql.MySQLError:
        return True
    return False


def test_a_silent_client_does_not_stay(make_gate: MakeGate) -> None:
    gate = make_gate(extra={"gate": {"authentication_timeout": "1s"}})
    with socket.create_connection(("127.0.0.1", gate.mysql_ports[""]), timeout=10) as client:
        began = time.monotonic()
        while client.recv(4096):
            pass
        assert time.monotonic() - began < 8
    connect(gate).close()


def test_a_client_that_falls_silent_at_its_password_does_not_stay(make_gate: MakeGate) -> None:
    gate = make_gate(extra={"gate": {"authentication_timeout": "1s"}})
    capabilities = Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH
    response = HandshakeResponse41(
        capabilities=capabilities, max_packet_size=1 << 24, character_set=45, user="agent", auth_response=b"x" * 32,
        plugin="caching_sha2_password",
    )  # fmt: skip
    with socket.create_connection(("127.0.0.1", gate.mysql_ports[""]), timeout=10) as client:
        client.sendall(encode(response.encode(capabilities), 1))
        began = time.monotonic()
        while client.recv(4096):
            pass
        assert 0.5 < time.monotonic() - began < 8


@pytest.mark.parametrize("sent", [b"", b"\0" * 64, b"GET / HTTP/1.1\r\n\r\n", b"\xff\xff\xff\x01", b"\x16\x03\x01" * 9])
def test_nonsense_instead_of_a_login(make_gate: MakeGate, sent: bytes) -> None:
    gate = make_gate(extra={"gate": {"authentication_timeout": "2s"}})
    with socket.create_connection(("127.0.0.1", gate.mysql_ports[""]), timeout=10) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(4096):
                pass
    connect(gate).close()
    gate.check()


def test_new_rules_hold_for_open_sessions(make_gate: MakeGate) -> None:
    gate = make_gate()
    with connect(gate) as client:
        assert ask(client, "SELECT a FROM t") == ((1,),)
        gate.reload("allow_all", "version: 1\nrules:\n  - {id: none, deny: {tables: ['*']}}\n")
        await_true(lambda: is_refused(client, "SELECT a FROM t"), 10, "the new rulebook")
        assert fault_of(lambda: ask(client, "SELECT a FROM t")).args[0] == 1142


def is_refused(client: Any, text: str) -> bool:
    try:
        ask(client, text)
    except pymysql.MySQLError:
        return True
    return False


def test_metrics_count_the_sessions(make_gate: MakeGate) -> None:
    gate = make_gate()

    def open_sessions() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{gate.control}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return next((line for line in lines if line.startswith("dbgate_sessions_open")), "")

    with connect(gate), connect(gate):
        await_true(lambda: open_sessions().endswith(" 2.0"), 10, "two sessions")
    await_true(lambda: open_sessions().endswith(" 0.0"), 10, "no sessions")
