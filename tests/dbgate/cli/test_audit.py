"""`dbgate audit` as its user sees it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from dbgate.audit.errors import StoreUnavailable
from dbgate.audit.log import AuditLog
from dbgate.audit.query import CONTROL_SOCKET, QUERY_PATH, ask_control, require_reading
from dbgate.audit.segments import segment_path, segments
from dbgate.cli import main
from dbgate.cli.audit_lines import line
from tests.dbgate.audit.recorder import Recorder
from tests.dbgate.audit.support import ClickHouseServer, statement

SETTINGS = """
gate:
  name: gate-1
  listen: 127.0.0.1:0
  directory: {directory}
databases:
  shop:
    upstream: {{host: 127.0.0.1, user: app, password: secret}}
    rules: [shop.yaml]
users:
  agent: {{role: agent, databases: [shop], verifier: "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$\
{key}:{key}"}}
{more}
"""
KEY = "A" * 43 + "="


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def config(tmp_path: Path, directory: Path) -> Path:
    (tmp_path / "shop.yaml").write_text("version: 1\nrules: []\n")
    return write_config(tmp_path, directory)


def write_config(folder: Path, directory: Path, more: str = "") -> Path:
    file = folder / "dbgate.yaml"
    file.write_text(SETTINGS.format(directory=directory, key=KEY, more=more))
    return file


def fill(directory: Path) -> Path:
    log = AuditLog.open(directory, "w0")
    recorder = Recorder(log, "gate-1")
    for number in range(3):
        recorder.record(statement(number))
    log.close()
    return log.folder


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["audit", *map(str, arguments)])


def test_verify_a_sound_log(config: Path, directory: Path) -> None:
    fill(directory)
    result = call("verify", "--config", config)
    assert (result.exit_code, result.output) == (0, "w0: 7 records, no problems\n")


def test_verify_names_the_changed_record(config: Path, directory: Path) -> None:
    folder = fill(directory)
    path = segment_path(folder, segments(folder)[0])
    path.write_bytes(path.read_bytes().replace(b'"rows":2', b'"rows":3'))
    result = call("verify", "--config", config)
    assert result.exit_code == 1
    assert "record 6 was changed" in result.output


def test_verify_without_a_log(config: Path) -> None:
    result = call("verify", "--config", config)
    assert result.exit_code == 0
    assert "no local audit log" in result.output


def test_tail(config: Path, directory: Path) -> None:
    fill(directory)
    result = call("tail", "--no-follow", "--config", config)
    assert result.exit_code == 0
    first, second, *_ = result.output.splitlines()
    assert "shop/agent/build-4711" in first
    assert first.endswith("ALLOW SELECT email FROM customers WHERE id = 0 [agent-reads] masked: public.customers.email")
    assert "-> SELECT 0, 0 rows, 1.5 ms" in second


def test_a_line_never_commands_the_terminal() -> None:
    shown = line({"type": "statement_decided", "statement": "SELECT '\x1b[2J\x9b'", "verdict": "refuse"})
    assert shown.isprintable()
    assert "\\x1b[2J" in shown


@pytest.mark.parametrize("event_type", ["session_started", "policy_loaded", "audit_degraded", "of the future"])
def test_every_event_has_a_line(event_type: str) -> None:
    assert line({"type": event_type, "time": 10**18}).startswith("2001-09-09 01:46:40.000Z")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DROP TABLE statements", "DROP is not allowed here"),
        ("/* SELECT */ INSERT INTO t VALUES (1)", "INSERT is not allowed here"),
        ("SELECT 1; DROP TABLE t", "one statement at a time"),
        ("SELECT 1 INTO OutFile 'x'", "use --format csv"),
        (" -- nothing", "an empty query is not allowed"),
    ],
)
def test_only_reading(config: Path, sql: str, said: str) -> None:
    result = call("query", sql, "--config", config)
    assert result.exit_code == 1
    assert said in result.output


@pytest.mark.parametrize(
    "sql", ["select 1 ;", "-- why\nSELECT 1", "(SELECT 1)", "WITH x AS (SELECT 1) SELECT * FROM x"]
)
def test_what_reads(sql: str) -> None:
    assert require_reading(sql) == sql.rstrip("; ")


def test_a_settings_file_that_is_not_there(tmp_path: Path) -> None:
    result = call("query", "SELECT 1", "--config", tmp_path / "none.yaml")
    assert result.exit_code == 1
    assert "none.yaml" in result.output


class Control:
    """A control socket that answers what it is told to, in a thread of its own."""

    def __init__(self, directory: Path, answer: Any, status: int = 200) -> None:
        self.asked: list[Any] = []
        self._answer, self._status = answer, status
        self._path = directory / CONTROL_SOCKET
        self._loop = asyncio.new_event_loop()
        self._runner: web.AppRunner | None = None
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,))
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self, ready: threading.Event) -> None:
        self._loop.run_until_complete(self._start())
        ready.set()
        self._loop.run_forever()
        assert self._runner is not None
        self._loop.run_until_complete(self._runner.cleanup())
        self._loop.close()

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_post(QUERY_PATH, self._handle)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self._path)).start()

    async def _handle(self, request: web.Request) -> web.Response:
        self.asked.append(await request.json())
        return web.json_response(self._answer, status=self._status)


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


def test_a_running_gate_is_asked(short: Path) -> None:
    (short / "shop.yaml").write_text("version: 1\nrules: []\n")
    config = write_config(short, short)
    control = Control(short, {"columns": ["a", "b"], "rows": [[1, "x,y"], [None, ["z"]]]})
    try:
        result = call("query", "SELECT 1", "--config", config, "--format", "json")
        assert [json.loads(text) for text in result.output.splitlines()] == [
            {"a": 1, "b": "x,y"},
            {"a": None, "b": ["z"]},
        ]
        csv_text = call("query", "SELECT 1", "--config", config, "--format", "csv").output
        assert csv_text.splitlines() == ["a,b", '1,"x,y"', ',"[""z""]"']
        table = call("query", "SELECT 1", "--config", config).output
        assert "x,y" in table
        assert control.asked == [{"sql": "SELECT 1"}] * 3
    finally:
        control.stop()


def test_a_gate_that_refuses_says_why(short: Path) -> None:
    (short / "shop.yaml").write_text("version: 1\nrules: []\n")
    config = write_config(short, short)
    control = Control(short, {"error": "Unknown table nowhere"}, status=400)
    try:
        result = call("query", "SELECT 1 FROM nowhere", "--config", config)
        assert (result.exit_code, result.output) == (1, "Error: Unknown table nowhere\n")
    finally:
        control.stop()


def test_a_gate_that_answers_otherwise(short: Path) -> None:
    control = Control(short, {"strange": 1}, status=500)
    try:
        with pytest.raises(StoreUnavailable, match="500 without a result"):
            asyncio.run(ask_control(short, "SELECT 1"))
    finally:
        control.stop()


def test_no_gate(short: Path) -> None:
    assert asyncio.run(ask_control(short, "SELECT 1")) is None
    control = Control(short, {})
    control.stop()
    assert asyncio.run(ask_control(short, "SELECT 1")) is None


@pytest.mark.slow
@pytest.mark.live
def test_embedded_without_a_gate(config: Path, directory: Path) -> None:
    """The command opens the folder itself and ships what lies in the log first."""
    fill(directory)
    for _ in range(2):
        done = dbgate("query", "SELECT statement_id, rows FROM statement_log ORDER BY time", config)
        assert [json.loads(text) for text in done.stdout.splitlines()] == [
            {"statement_id": f"s1-{number}", "rows": number} for number in range(3)
        ]
    failed = dbgate("query", "SELECT * FROM nowhere", config)
    assert failed.returncode == 1
    assert "nowhere" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    server = ClickHouseServer(tmp_path_factory.mktemp("clickhouse") / "server")
    server.start()
    yield server
    server.kill()


@pytest.mark.slow
@pytest.mark.live
def test_a_server(server: ClickHouseServer, tmp_path: Path, directory: Path) -> None:
    (tmp_path / "shop.yaml").write_text("version: 1\nrules: []\n")
    config = write_config(tmp_path, directory, f'audit: {{clickhouse: {{url: "{server.url}"}}}}')
    assert call("migrate", "--config", config).output == "the audit tables have version 2\n"
    result = call("query", "SELECT count() AS n FROM statement_log", "--config", config, "--format", "json")
    assert result.output == '{"n":0}\n'


def test_a_server_that_is_down(tmp_path: Path, directory: Path) -> None:
    (tmp_path / "shop.yaml").write_text("version: 1\nrules: []\n")
    config = write_config(tmp_path, directory, 'audit: {clickhouse: {url: "http://127.0.0.1:9"}}')
    result = call("query", "SELECT 1", "--config", config)
    assert result.exit_code == 1
    assert "ClickHouse at http://127.0.0.1:9 cannot be reached" in result.output


def dbgate(command: str, sql: str, config: Path) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "dbgate", "audit", command, sql, "--config", str(config), "--format", "json"]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
