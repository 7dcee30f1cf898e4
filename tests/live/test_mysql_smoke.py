"""Everyday use through the gate on real MySQL and MariaDB: PyMySQL and the vendors' clients, in clear and in TLS."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream, await_true
from tests.live.mysql_needed import CLIENTS, needed_client, needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer

DATABASE = "smoke"
WORLD = """
CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(50), email VARCHAR(80), balance DECIMAL(10,2));
INSERT INTO customers VALUES (1, 'Ada', 'ada@example.com', 12.50), (2, 'Błażej', 'b@example.com', NULL);
"""


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: brand.value)
def server(request: pytest.FixtureRequest) -> Iterator[MysqlServer]:
    with needed_mysql(request.param) as started:
        started.create_database(DATABASE)
        started.run(WORLD, DATABASE)
        yield started


@pytest.fixture(scope="module")
def gate(server: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    databases = {"smoke": Upstream(DATABASE, "allow_all"), "own": Upstream(DATABASE, "allow_all", alone=True)}
    pair = server.authority.server("gate")
    started = Gate(tmp_path_factory.mktemp("gate"), server, databases, pair, workers=2)
    yield started
    started.stop()


def connect(gate: Gate, database: str | None = "smoke", **options: Any) -> Any:
    words = {"charset": "utf8mb4", "autocommit": True, "read_timeout": 30, "ssl_disabled": True, **options}
    port = words.pop("port", gate.mysql_ports[""])
    return pymysql.connect(
        host="127.0.0.1", port=port, user="agent", password=CLIENT_PASSWORD, database=database, **words
    )


def ask(connection: Any, text: str, *arguments: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text, arguments or None)
        return cursor.fetchall()


@pytest.mark.parametrize("tls", [False, True])
def test_pymysql(gate: Gate, server: MysqlServer, tls: bool) -> None:
    options = {"ssl_disabled": False, "ssl": {"ca": str(server.authority.root)}} if tls else {}
    with connect(gate, **options) as connection:
        assert ask(connection, "SELECT id, name FROM customers ORDER BY id") == ((1, "Ada"), (2, "Błażej"))
        assert ask(connection, "SELECT balance FROM customers WHERE id = %s", 1)[0][0] == server_value(server)
        assert ask(connection, "SELECT DATABASE()") == ((DATABASE,),)
        with connection.cursor() as cursor:
            assert cursor.execute("UPDATE customers SET balance = 13.5 WHERE id = 1") == 1
            cursor.execute("UPDATE customers SET balance = 12.5 WHERE id = 1")
        connection.ping(reconnect=False)


def server_value(server: MysqlServer) -> Any:
    with server.connect(DATABASE) as direct:
        return ask(direct, "SELECT balance FROM customers WHERE id = 1")[0][0]


def test_the_greeting_is_the_servers_own(gate: Gate, server: MysqlServer) -> None:
    with connect(gate) as connection, server.connect() as direct:
        assert connection.get_server_info() == direct.get_server_info()
        offered = direct.server_capabilities & ~connection.server_capabilities
        assert not offered & pymysql.constants.CLIENT.CAPABILITIES & ~pymysql.constants.CLIENT.LOCAL_FILES
        assert ask(connection, "SELECT VERSION()") == ask(direct, "SELECT VERSION()")


def test_a_transaction(gate: Gate, server: MysqlServer) -> None:
    with connect(gate, autocommit=False) as connection, server.connect(DATABASE) as direct:
        ask(connection, "INSERT INTO customers (id, name) VALUES (7, 'Zoë')")
        assert ask(direct, "SELECT name FROM customers WHERE id = 7") == ()
        connection.commit()
        assert ask(direct, "SELECT name FROM customers WHERE id = 7") == (("Zoë",),)
        ask(connection, "DELETE FROM customers WHERE id = 7")
        connection.rollback()
        assert ask(connection, "SELECT name FROM customers WHERE id = 7") == (("Zoë",),)
        ask(connection, "DELETE FROM customers WHERE id = 7")
        connection.commit()


def test_the_servers_errors_come_as_they_are(gate: Gate, server: MysqlServer) -> None:
    with connect(gate) as connection, server.connect(DATABASE) as direct:
        told = []
        for each in (connection, direct):
            with pytest.raises(pymysql.MySQLError) as caught:
                ask(each, "INSERT INTO customers (id) VALUES (1)")
            told.append(caught.value.args)
        assert told[0] == told[1]
        assert ask(connection, "SELECT 1") == ((1,),)


def test_an_address_of_its_own_needs_no_database(gate: Gate) -> None:
    with connect(gate, None, port=gate.mysql_ports["own"]) as connection:
        assert ask(connection, "SELECT DATABASE()") == ((None,),)
        assert ask(connection, f"SELECT count(*) FROM {DATABASE}.customers") == ((2,),)
    with connect(gate, DATABASE, port=gate.mysql_ports["own"]) as connection:
        assert ask(connection, "SELECT DATABASE()") == ((DATABASE,),)


@pytest.mark.parametrize(
    ("database", "password", "errno"),
    [("smoke", "wrong", 1045), ("nowhere", CLIENT_PASSWORD, 1049), ("own", CLIENT_PASSWORD, 1049)],
)
def test_a_refused_login(gate: Gate, database: str, password: str, errno: int) -> None:
    with pytest.raises(pymysql.MySQLError) as caught:
        pymysql.connect(host="127.0.0.1", port=gate.mysql_ports[""], user="agent", password=password, database=database)
    assert caught.value.args[0] == errno
    refused = [event for event in gate.audit() if event["type"] == "login_refused"]
    assert refused[-1]["database"] == database
    assert refused[-1]["identity"] == "agent"


def test_the_audit_tells_of_the_session(gate: Gate) -> None:
    with connect(gate, program_name="the smoke test") as connection:
        ask(connection, "SELECT 'as the audit has it'")

    def told() -> Any:
        events = gate.audit()
        starts = {event["session"]: event for event in events if event["type"] == "session_started"}
        texts = (event for event in events if "as the audit has it" in str(event.get("statement", "")))
        return next((starts[event["session"]] for event in texts), None)

    await_true(told)
    assert told()["application_name"] == "the smoke test"
    assert told()["protocol"] == "mysql"
    assert (told()["database"], told()["role"], told()["authentication"]) == (
        "smoke", "agent", "caching_sha2_password"
    )  # fmt: skip


@pytest.mark.parametrize("same_worker", [True, False])
def test_kill_query_of_ones_own(gate: Gate, same_worker: bool) -> None:
    victim, killer = two_connections(gate, same_worker)
    with victim, killer:
        failed: list[Any] = []
        thread = threading.Thread(target=lambda: failed.append(error_of(victim, "SELECT sleep(20) FROM customers")))
        thread.start()
        time.sleep(1)
        began = time.monotonic()
        ask(killer, f"KILL QUERY {victim.thread_id()}")
        thread.join(10)
        assert not thread.is_alive()
        assert time.monotonic() - began < 5
        # MySQL's sleep() says 1 when it was killed, MariaDB's statement fails
        assert failed[0] is None or failed[0].args[0] == 1317
        assert ask(victim, "SELECT 1") == ((1,),)


@pytest.mark.parametrize("same_worker", [True, False])
def test_kill_a_connection_of_ones_own(gate: Gate, same_worker: bool) -> None:
    victim, killer = two_connections(gate, same_worker)
    with killer:
        ask(killer, f"KILL {victim.thread_id()}")
        assert error_of(victim, "SELECT 1") is not None
        told = error_of(killer, f"KILL {victim.thread_id()}")
        assert told.args[0] == 1094
        assert ask(killer, "SELECT 1") == ((1,),)


def two_connections(gate: Gate, same_worker: bool) -> tuple[Any, Any]:
    """An id's lowest byte is its worker."""
    first = connect(gate)
    for _ in range(200):
        second = connect(gate)
        if (first.thread_id() & 0xFF == second.thread_id() & 0xFF) is same_worker:
            return first, second
        second.close()
    raise AssertionError("the kernel gave one worker all connections")


def error_of(connection: Any, text: str) -> Any:
    try:
        ask(connection, text)
    except pymysql.MySQLError as fault:
        return fault
    return None


@pytest.mark.parametrize("tls", [False, True])
def test_the_vendors_own_client(gate: Gate, server: MysqlServer, tls: bool, tmp_path: Path) -> None:
    program = needed_client(server, CLIENTS)
    options = [f"--ssl-ca={server.authority.root}"] if tls else plain_options(server)
    command = [
        program, "--no-defaults", "--protocol=tcp", "--host=127.0.0.1", f"--port={gate.mysql_ports['']}",
        "--user=agent", f"--password={CLIENT_PASSWORD}", "--default-character-set=utf8mb4", *options, "smoke",
    ]  # fmt: skip
    text = "SELECT id, name, balance FROM customers ORDER BY id; SELECT 'second';"
    done = subprocess.run(
        [*command, "--batch"], input=text, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "id\tname\tbalance\n1\tAda\t12.50\n2\tBłażej\tNULL\nsecond\nsecond\n"


def plain_options(server: MysqlServer) -> list[str]:
    if server.brand is Brand.MYSQL:
        return ["--ssl-mode=DISABLED", "--get-server-public-key"]
    return ["--skip-ssl"]
