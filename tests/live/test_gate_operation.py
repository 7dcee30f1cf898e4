"""The gate as its operator sees it: reload, audit, upstream logins, TLS, drain."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.live import raw
from tests.live.certificates import Authority
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import ROOT, Gate, Upstream, await_true
from tests.live.servers import Postgres

CLOSED = "version: 1\nrules:\n  - id: nothing-but-products\n    allow: {statements: [select], tables: [products]}\n"
BROKEN = "version: 1\nrules:\n  - id: x\n    alow: {statements: [select]}\n"


@pytest.fixture
def own_gate(make_gate: GateMaker, database: str) -> Gate:
    return make_gate({"x": Upstream(database, "shop")})


def allowed(client: raw.Raw, statement: str) -> bool:
    return "E" not in raw.kinds(client.ask(raw.query(statement)))


def test_reload_reaches_open_sessions(own_gate: Gate) -> None:
    with gate_place(own_gate, "x").raw() as client:
        assert allowed(client, "SELECT name FROM customers")
        client.ask(raw.parse("SELECT name FROM customers", "before") + raw.SYNC)
        own_gate.reload("shop", CLOSED)
        await_true(lambda: not allowed(client, "SELECT name FROM customers"), 15, "the new rules in an open session")
        prepared = client.ask(raw.bind("before") + raw.execute() + raw.SYNC)
        assert raw.kinds(prepared) == "EZ", "a statement prepared under the old rules"
        assert allowed(client, "SELECT id FROM products")


def test_a_broken_rulebook_replaces_nothing(own_gate: Gate) -> None:
    with gate_place(own_gate, "x").raw() as client:
        own_gate.reload("shop", BROKEN)
        await_true(lambda: "alow" in own_gate.errors() or _policy_problems(own_gate), 15, "a word about the mistake")
        assert allowed(client, "SELECT name FROM customers")
        assert not allowed(client, "SELECT secret FROM api_keys")


def _policy_problems(gate: Gate) -> bool:
    return any(event.get("type") == "policy_loaded" and event.get("problems") for event in gate.audit())


def test_everything_is_recorded(own_gate: Gate) -> None:
    with psycopg.connect(own_gate.dsn("x", application_name="recorded"), autocommit=True) as connection:
        connection.execute("SELECT 'first'")
        connection.execute("SELECT email, ssn FROM customers WHERE id = %s", (1,))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT secret FROM api_keys")
    await_true(lambda: "session_ended" in [event["type"] for event in own_gate.audit()], 10, "the session's end")
    events = own_gate.audit()
    decided = [event for event in events if event["type"] == "statement_decided"]
    finished = {event["statement_id"]: event for event in events if event["type"] == "statement_finished"}
    first, masked, refused = decided
    assert first["statement"] == "SELECT 'first'"
    assert masked["verdict"] == "allow"
    assert len(masked["masked_columns"]) == 2
    assert finished[masked["statement_id"]]["rows"] == 1
    assert finished[masked["statement_id"]]["masked_cells"] == 2
    assert refused["verdict"] == "refuse"
    assert refused["rules"] == ["no-secrets"]
    assert all(
        event["identity"] == "agent" and event["role"] == "agent" and event["database"] == "x" for event in decided
    )
    assert [event["application_name"] for event in events if event["type"] == "session_started"] == ["recorded"]
    times = [event["time"] for event in events]
    assert times == sorted(times)


def test_refused_logins_are_recorded(own_gate: Gate) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(own_gate.dsn("x", password="wrong"))
    await_true(lambda: "login_refused" in [event["type"] for event in own_gate.audit()], 10, "the refused login")


UPSTREAM_LOGINS: dict[str, tuple[str, Mapping[str, str]]] = {
    "scram": ("app", {"mode": "disable"}),
    "scram with channel binding": ("app", {"mode": "require"}),
    "md5": ("app_md5", {"mode": "disable"}),
    "password over TLS": ("app_password", {"mode": "require"}),
    "verify-full": ("app", {"mode": "verify-full", "root_certificate": "ROOT"}),
    "certificate": (
        "app_cert",
        {"mode": "verify-full", "root_certificate": "ROOT", "certificate": "CERTIFICATE", "key": "KEY"},
    ),
}


@pytest.mark.parametrize("name", UPSTREAM_LOGINS)
def test_upstream_logins(name: str, make_gate: GateMaker, server: Postgres, database: str) -> None:
    user, tls = UPSTREAM_LOGINS[name]
    if user not in server.clients and user == "app_cert":
        pytest.skip("only a server of our own knows the client certificate")
    pair = server.clients.get(user)
    paths = {"ROOT": server.authority.root, "CERTIFICATE": pair and pair.certificate, "KEY": pair and pair.key}
    words = {key: str(paths.get(value, value)) for key, value in tls.items()}
    host = "localhost" if "ROOT" in tls.values() else server.host
    gate = make_gate({"x": Upstream(database, "allow_all", user=user, tls=words, host=host)})
    query = b"SELECT usename, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE pid = %s"
    with psycopg.connect(gate.dsn("x")) as connection, server.connect() as admin:
        pid = connection.execute("SELECT pg_backend_pid()").fetchone()
        row = admin.execute(query, pid).fetchone()
    assert row == (user, tls["mode"] != "disable")


def test_unix_socket_upstream(make_gate: GateMaker, server: Postgres, database: str) -> None:
    if server.socket_directory is None:
        pytest.skip("the server's unix socket is not on this machine")
    gate = make_gate({"x": Upstream(database, "allow_all", host=str(server.socket_directory))})
    with psycopg.connect(gate.dsn("x")) as connection:
        assert connection.execute("SELECT inet_server_addr()").fetchone() == (None,)


def test_upstream_certificate_is_checked(make_gate: GateMaker, server: Postgres, database: str, tmp_path: Path) -> None:
    stranger = Authority(tmp_path)
    tls = {"mode": "verify-full", "root_certificate": str(stranger.root)}
    gate = make_gate({"x": Upstream(database, "allow_all", tls=tls, host="localhost")})
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(gate.dsn("x"))
    await_true(lambda: "certificate" in gate.errors(), 10, "the reason in the gate's log")


def test_several_workers(make_gate: GateMaker, database: str) -> None:
    """Cancel requests land on any worker and must still reach the right backend."""
    gate = make_gate({"x": Upstream(database, "allow_all")}, workers=2)
    for _ in range(6):
        with psycopg.connect(gate.dsn("x"), autocommit=True) as connection:
            connection.execute("SELECT 1")
            with pytest.raises(psycopg.errors.QueryCanceled):
                _sleep_and_cancel(connection)


def _sleep_and_cancel(connection: psycopg.Connection[Any]) -> None:
    timer = threading.Timer(0.2, connection.cancel_safe)
    timer.start()
    try:
        connection.execute("SELECT pg_sleep(15)")
    finally:
        timer.join()


def test_a_stranger_cannot_cancel(own_gate: Gate) -> None:
    with gate_place(own_gate, "x").raw() as client:
        guess = client.key[:4] + bytes(byte ^ 0xFF for byte in client.key[4:])
        raw.cancel(own_gate.host, own_gate.port, guess)
        assert raw.kinds(client.ask(raw.query("SELECT count(*) FROM generate_series(1, 200000)"))) == "TDCZ"


def test_drain_lets_a_transaction_end(make_gate: GateMaker, database: str, server: Postgres) -> None:
    """SIGTERM: no new sessions, but an open transaction may finish within `drain`."""
    gate = make_gate({"x": Upstream(database, "allow_all")}, extra={"gate": {"drain": "10s"}})
    with gate_place(gate, "x").raw() as client:
        client.ask(raw.query("BEGIN"))
        client.ask(raw.query("INSERT INTO notes (body) VALUES ('drained')"))
        gate.process.terminate()
        assert raw.kinds(client.ask(raw.query("SELECT pg_sleep(0.5)"))) == "TDCZ"
        assert raw.kinds(client.ask(raw.query("COMMIT"))) == "CZ"
        assert client.closes(10)
    assert gate.process.wait(15) == 0
    with server.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM notes WHERE body = 'drained'").fetchone() == (1,)


def test_settings_errors_are_told(tmp_path: Path) -> None:
    settings = tmp_path / "dbgate.yaml"
    settings.write_text("gate: {lisen: 127.0.0.1:0}\n")
    command = [sys.executable, "-m", "dbgate", "serve", "--config", str(settings)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "lisen" in done.stderr
    assert "Traceback" not in done.stderr
