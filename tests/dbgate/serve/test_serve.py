"""The gate as a whole: workers, cancel, reload, drain, crashes, the control process."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
import pytest

from tests.dbgate.serve.conftest import DATABASE, MakeGate
from tests.live.gate import ROOT, Gate, GateFailedError, Upstream, await_true


def get(gate: Gate, page: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{gate.control}/{page}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def child(gate: Gate, role: str) -> int:
    """The process id of a worker or the control process."""
    for pid in gate.pids():
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"dbgate.serve.child" in words and role.encode() in words:
            return pid
    raise AssertionError(f"no {role}")


@pytest.mark.parametrize("version", ["3.0", "3.2"])
@pytest.mark.parametrize("workers", [1, 3])
def test_cancel_reaches_the_session_on_whatever_worker(make_gate: MakeGate, version: str, workers: int) -> None:
    gate = make_gate(workers=workers)
    for sslmode in ("disable", "require"):
        dsn = gate.dsn("allow_all", max_protocol_version=version, sslmode=sslmode)
        with psycopg.connect(dsn, autocommit=True) as connection:
            timers = [threading.Timer(pause, connection.cancel_safe) for pause in (0.3, 0.5, 0.7)]
            for timer in timers:
                timer.start()
            began = time.monotonic()
            with pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute("SELECT count(*) FROM generate_series(1, 1000000000)")
            assert time.monotonic() - began < 8
            for timer in timers:
                timer.join()


def test_a_wrong_cancel_key_does_nothing(make_gate: MakeGate) -> None:
    gate = make_gate()
    with psycopg.connect(gate.dsn("allow_all"), autocommit=True) as connection:
        pid = connection.info.backend_pid
        with socket.create_connection((gate.host, gate.port), timeout=5) as client:
            client.sendall(b"\0\0\0\x10\x04\xd2\x16\x2e" + pid.to_bytes(4, "big") + b"nope")
            assert client.recv(10) == b""
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_killed_worker_is_started_again_and_others_live(make_gate: MakeGate) -> None:
    gate = make_gate()
    connection = psycopg.connect(gate.dsn("allow_all"))
    os.kill(child(gate, "worker"), signal.SIGKILL)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()
    await_true(lambda: "child ended" in gate.errors(), 5, "the supervisor's notice")
    with psycopg.connect(gate.dsn("allow_all", connect_timeout="30")) as again:
        assert again.execute("SELECT 1").fetchone() == (1,)


def test_a_killed_control_process_leaves_sessions_alone(make_gate: MakeGate) -> None:
    gate = make_gate()
    with psycopg.connect(gate.dsn("allow_all")) as connection:
        killed = child(gate, "control")
        os.kill(killed, signal.SIGKILL)
        assert connection.execute("SELECT 1").fetchone() == (1,)
        await_true(lambda: _ready(gate), 30, "the control process")
        assert child(gate, "control") != killed


def _ready(gate: Gate) -> bool:
    try:
        return get(gate, "ready")[0] == 200
    except OSError:
        return False


def test_sigterm_ends_idle_sessions_and_waits_for_transactions(make_gate: MakeGate) -> None:
    gate = make_gate(extra={"gate": {"drain": "20s"}})
    idle = psycopg.connect(gate.dsn("allow_all"), autocommit=True)
    busy = psycopg.connect(gate.dsn("allow_all"))
    assert busy.execute("SELECT 1").fetchone() == (1,)  # opens a transaction
    gate.process.send_signal(signal.SIGTERM)
    await_true(lambda: select.select([idle.fileno()], [], [], 0)[0], 10, "the idle session's end")
    with pytest.raises(psycopg.errors.AdminShutdown):
        idle.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(gate.dsn("allow_all", connect_timeout="2")).close()
    assert busy.execute("SELECT 2").fetchone() == (2,)
    busy.commit()
    assert gate.process.wait(10) == 0
    idle.close()
    busy.close()


def test_drain_ends_after_its_time(make_gate: MakeGate) -> None:
    gate = make_gate(extra={"gate": {"drain": "1s"}})
    busy = psycopg.connect(gate.dsn("allow_all"))
    busy.execute("SELECT 1")
    began = time.monotonic()
    gate.process.send_signal(signal.SIGTERM)
    assert gate.process.wait(12) == 0
    assert time.monotonic() - began >= 1
    with pytest.raises(psycopg.OperationalError):
        busy.execute("SELECT 1")
    busy.close()


@pytest.fixture(autouse=True)
def _stopped_gates_may_be_gone(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """`Gate.check` calls it a failure that the process is gone; here some tests end it themselves."""
    check = Gate.check

    def lenient(gate: Gate) -> None:
        if gate.process.poll() != 0:
            check(gate)
        elif "Traceback (most recent call last)" in gate.errors():
            raise GateFailedError(gate.errors()[-4000:])

    monkeypatch.setattr(Gate, "check", lenient)


RULES = """\
version: 1
rules:
  - id: only-ones
    allow: {statements: [select]}
  - id: no-generate
    deny: {functions: [generate_series]}
"""


def refused(connection: psycopg.Connection[tuple[int]]) -> bool:
    try:
        connection.execute("SELECT count(*) FROM generate_series(1, 3)")
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def test_reload_changes_rules_under_open_sessions_and_bad_rules_change_nothing(make_gate: MakeGate) -> None:
    gate = make_gate(workers=2)
    with psycopg.connect(gate.dsn("allow_all"), autocommit=True) as connection:
        assert not refused(connection)
        gate.reload("allow_all", RULES)
        await_true(lambda: refused(connection), 20, "the new rules")
        gate.reload("allow_all", "version: 1\nrules: [{id: x, alow: {}}]\n")
        await_true(lambda: "rulebook refused" in gate.errors(), 20, "the notice of bad rules")
        assert refused(connection)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_health_ready_and_metrics(make_gate: MakeGate) -> None:
    gate = make_gate(workers=2)
    with psycopg.connect(gate.dsn("allow_all")) as connection:
        connection.execute("SELECT 1")
    assert get(gate, "health") == (200, '{"status": "alive"}')
    await_true(lambda: get(gate, "ready")[0] == 200, 10, "ready")
    assert json.loads(get(gate, "ready")[1]) == {"ready": True, "problems": []}

    def counted() -> bool:
        lines = get(gate, "metrics")[1].splitlines()
        select = [line for line in lines if line.startswith("dbgate_statements_total") and 'verdict="allow"' in line]
        sessions = [line for line in lines if line.startswith("dbgate_sessions_total{")]
        return bool(select) and sum(float(line.rpartition(" ")[2]) for line in sessions) >= 1

    await_true(counted, 10, "the counters")


def test_a_gate_whose_database_is_down_listens_is_not_ready_and_recovers(make_gate: MakeGate) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refuses connections
        gate = make_gate({"allow_all": Upstream(DATABASE, "allow_all", host="127.0.0.1", port=taken.getsockname()[1])})
        with pytest.raises(psycopg.OperationalError, match="cannot serve this database now"):
            psycopg.connect(gate.dsn("allow_all")).close()
        await_true(lambda: "the catalog of allow_all is not loaded" in get(gate, "ready")[1], 10, "the reason")
        assert get(gate, "ready")[0] == 503
        settings = gate.directory / "dbgate.yaml"
        right = settings.read_text().replace(f"port: {taken.getsockname()[1]}", f"port: {gate_server_port(gate)}")
        settings.write_text(right)
        gate.process.send_signal(signal.SIGHUP)
        await_true(lambda: get(gate, "ready")[0] == 200, 20, "ready")
        with psycopg.connect(gate.dsn("allow_all")) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def gate_server_port(_gate: Gate) -> int:
    return int(os.environ["DBGATE_SERVE_TEST_PORT"])


@pytest.fixture(autouse=True)
def _port(server: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBGATE_SERVE_TEST_PORT", str(server.port))  # type: ignore[attr-defined]


def test_a_unix_socket_and_two_addresses(make_gate: MakeGate, tmp_path: Path) -> None:
    path = tmp_path / ".s.PGSQL.6432"
    gate = make_gate(workers=2, extra={"gate": {"listen": ["127.0.0.1:0", f"unix:{path}"]}})
    dsn = f"host={tmp_path} port=6432 dbname=allow_all user=agent password=agent-secret"
    for where in (dsn, gate.dsn("allow_all")):
        with psycopg.connect(where) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    gate.process.send_signal(signal.SIGTERM)
    assert gate.process.wait(10) == 0
    assert not path.exists()


def run(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dbgate", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, **options)  # type: ignore[call-overload, no-any-return]


def test_a_second_gate_in_the_same_directory_is_refused(make_gate: MakeGate) -> None:
    gate = make_gate()
    done = run(
        "serve", "--config", str(gate.directory / "dbgate.yaml"), env={**os.environ, "DBGATE_MASK_KEY": "k" * 16}
    )
    assert done.returncode == 2
    assert "another gate runs in" in done.stderr


def test_check(make_gate: MakeGate) -> None:
    gate = make_gate()
    config = gate.directory / "dbgate.yaml"
    environment = {**os.environ, "DBGATE_MASK_KEY": "k" * 16}
    done = run("check", "--config", str(config), "--connect", env=environment)
    assert (done.returncode, done.stdout) == (0, f"{config}: no problems\n")
    config.write_text(config.read_text().replace("workers:", "wrokers:"))
    done = run("check", "--config", str(config), env=environment)
    assert done.returncode == 1
    assert 'unknown key "wrokers" in gate  did you mean "workers"?' in done.stdout


def test_a_dead_supervisor_leaves_nothing_behind(make_gate: MakeGate) -> None:
    gate = make_gate()
    children = [pid for pid in gate.pids() if pid != gate.process.pid]
    gate.process.kill()
    gate.process.wait()
    await_true(lambda: not any(_alive(pid) for pid in children), 15, "the end of the children")
    gate.process.returncode = 0


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
