"""The gate under test: `python -m dbgate serve` with its settings and rulebook in a directory of its own."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dbgate.audit.tail import Follower
from tests.live.certificates import KeyPair
from tests.live.mysql_servers import MysqlServer
from tests.live.servers import Postgres, free_port, uri

ROOT = Path(__file__).resolve().parents[2]
RULEBOOKS = Path(__file__).parent / "rulebooks"
#: who the clients are at the gate (PostgreSQL itself never sees these)
CLIENT_PASSWORD = "agent-secret"
START_LIMIT = 40.0
STOP_LIMIT = 15.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """How the gate reaches one database. `server`: where it is, if not on the gate's own server. `alone`: at an
    address of its own (MySQL only)."""

    database: str
    rulebook: str
    user: str = "app"
    password: str = "app-secret"
    tls: Mapping[str, str] = field(default_factory=dict)
    host: str = ""
    port: int = 0
    server: Postgres | MysqlServer | None = None
    alone: bool = False


class GateFailedError(Exception):
    """The gate did not start, or ended, or printed a traceback; the text holds what it printed."""


class Gate:
    """A running gate. `databases`: the name clients use -> its upstream."""

    def __init__(
        self,
        directory: Path,
        server: Postgres | MysqlServer,
        databases: Mapping[str, Upstream],
        tls: KeyPair | None = None,
        *,
        workers: int = 1,
        tls_required: bool = False,
        extra: Mapping[str, Any] | None = None,
        rulebooks: Mapping[str, str] | None = None,
    ) -> None:
        """`rulebooks`: name -> text, for those that are not in the directory rulebooks/."""
        self.directory = directory
        self.host, self.port = "127.0.0.1", 0
        #: database -> port of the address of its own; "": of the MySQL databases that share one
        self.mysql_ports: dict[str, int] = {}
        self.control = free_port()
        self._errors: list[str] = []
        self._settings = _settings(self.control, server, databases, tls, workers, tls_required)
        _merge(self._settings, extra or {})
        self._write(databases, rulebooks or {})
        self.process = self._start()

    # ------------------------------------------------------------ for clients

    def dsn(self, database: str, user: str = "agent", password: str = CLIENT_PASSWORD, **options: str) -> str:
        return uri(self.host, self.port, database, user, password, **options)

    # ------------------------------------------------------------ what the gate does

    def reload(self, rulebook: str, text: str) -> None:
        """Write `text` as the rulebook's file and tell the gate (SIGHUP), as an administrator would."""
        (self.directory / "rules" / f"{rulebook}.yaml").write_text(text)
        self.process.send_signal(signal.SIGHUP)

    def audit(self) -> list[dict[str, Any]]:
        """The events in the local log, oldest first (what was shipped and deleted is not there any more)."""
        return Follower(self.directory / "dbgate-data").read()

    def pids(self) -> list[int]:
        """The gate's processes: the one started and all its descendants."""
        return sorted(_descendants(self.process.pid))

    def resident(self) -> int:
        """Bytes of memory that all its processes hold (RSS)."""
        return sum(resident(pid) for pid in self.pids())

    def errors(self) -> str:
        return "".join(self._errors)

    def check(self) -> None:
        """Raise GateFailedError when the gate is gone or has printed a traceback."""
        text = self.errors()
        if self.process.poll() not in (None, 0):
            raise GateFailedError(f"the gate ended with {self.process.returncode}:\n{text[-4000:]}")
        if "Traceback (most recent call last)" in text:
            raise GateFailedError(f"the gate printed a traceback:\n{text[-4000:]}")

    def stop(self) -> None:
        """End it and fail when it needed force or had printed a traceback."""
        text_of_trouble = None
        try:
            self.check()
        except GateFailedError as trouble:
            text_of_trouble = str(trouble)
        pids = self.pids()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            text_of_trouble = text_of_trouble or f"the gate did not end within {STOP_LIMIT} s of SIGTERM"
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        for reader in self._readers:
            reader.join(5)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        if text_of_trouble:
            raise GateFailedError(text_of_trouble)

    # ------------------------------------------------------------ starting

    def _write(self, databases: Mapping[str, Upstream], texts: Mapping[str, str]) -> None:
        rules = self.directory / "rules"
        rules.mkdir(parents=True, exist_ok=True)
        for name in {upstream.rulebook for upstream in databases.values()}:
            text = texts[name] if name in texts else (RULEBOOKS / f"{name}.yaml").read_text()
            (rules / f"{name}.yaml").write_text(text)
        with (self.directory / "dbgate.yaml").open("w") as file:
            YAML(typ="safe").dump(self._settings, file)

    def _start(self) -> subprocess.Popen[str]:
        environment = {**os.environ, "DBGATE_MASK_KEY": "a key that only the tests know", "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen(
            [sys.executable, "-m", "dbgate", "serve", "--config", str(self.directory / "dbgate.yaml")],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stderr is not None
        self._readers = [threading.Thread(target=self._collect, args=(process.stderr,), daemon=True)]
        self._readers[0].start()
        self._await_ready(process)
        return process

    def _collect(self, stream: Iterable[str]) -> None:
        for line in stream:
            self._errors.append(line)

    def _note_ports(self, line: str) -> None:
        """`127.0.0.1:1, 127.0.0.1:2 (mysql), 127.0.0.1:3 (mysql shop)`."""
        for port, mysql, database in re.findall(r":(\d+)(?: \((mysql) ?([^)]*)\))?(?:, |$)", line):
            if mysql:
                self.mysql_ports[database] = int(port)
            else:
                self.port = int(port)
        self.port = self.port or self.mysql_ports.get("", 0)

    def _await_ready(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        timer = threading.Timer(START_LIMIT, process.kill)
        timer.start()
        try:
            for line in process.stdout:
                if line.startswith("ready: listening on "):
                    self._note_ports(line.removeprefix("ready: listening on ").strip())
                    self._readers.append(threading.Thread(target=self._collect, args=(process.stdout,), daemon=True))
                    self._readers[1].start()
                    return
                self._errors.append(line)
        finally:
            timer.cancel()
        process.wait()
        self._readers[0].join(5)
        raise GateFailedError(f"the gate did not start ({process.returncode}):\n{self.errors()[-4000:]}")


def _settings(
    control: int,
    server: Postgres | MysqlServer,
    databases: Mapping[str, Upstream],
    tls: KeyPair | None,
    workers: int,
    tls_required: bool,
) -> dict[str, Any]:
    gate: dict[str, Any] = {"name": "live", "listen": "127.0.0.1:0", "workers": workers, "directory": "./dbgate-data"}
    gate["drain"] = "1s"
    if tls is not None:
        gate["tls"] = {"certificate": str(tls.certificate), "key": str(tls.key), "required": tls_required}
    made = {name: _database(upstream.server or server, upstream) for name, upstream in databases.items()}
    if any("protocol" in each and "listen" not in each for each in made.values()):
        gate["mysql"] = {"listen": "127.0.0.1:0"}
    if all("protocol" in each for each in made.values()):
        del gate["listen"]
    return {
        "gate": gate,
        "control": {"listen": f"127.0.0.1:{control}"},
        "databases": made,
        "users": {"agent": {"role": "agent", "verifier": verifier(CLIENT_PASSWORD), "databases": list(databases)}},
        "masking": {"key": {"env": "DBGATE_MASK_KEY"}},
    }


def _database(server: Postgres | MysqlServer, upstream: Upstream) -> dict[str, Any]:
    reach: dict[str, Any] = {
        "host": upstream.host or server.host,
        "port": upstream.port or server.port,
        "database": upstream.database,
        "user": upstream.user,
        "password": upstream.password,
    }
    if upstream.tls:
        reach["tls"] = dict(upstream.tls)
    made: dict[str, Any] = {"upstream": reach, "rules": [f"rules/{upstream.rulebook}.yaml"]}
    if isinstance(server, MysqlServer):
        made["protocol"] = "mysql"
    if upstream.alone:
        made["listen"] = "127.0.0.1:0"
    return made


def _merge(into: dict[str, Any], extra: Mapping[str, Any]) -> None:
    for key, value in extra.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def verifier(password: str, iterations: int = 4096) -> str:
    """What PostgreSQL keeps for a SCRAM password (RFC 5803's fields in PostgreSQL's order)."""
    salt = hashlib.sha256(password.encode()).digest()[:16]
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored = hashlib.sha256(client).digest()
    key = hmac.digest(salted, b"Server Key", "sha256")
    words = [base64.b64encode(part).decode() for part in (salt, stored, key)]
    return f"SCRAM-SHA-256${iterations}:{words[0]}${words[1]}:{words[2]}"


# ---------------------------------------------------------------- processes


def _descendants(pid: int) -> set[int]:
    found, queue = {pid}, [pid]
    while queue:
        for task in Path(f"/proc/{queue.pop()}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                new = {int(word) for word in task.read_text().split()} - found
                found |= new
                queue += new
    return found


def resident(pid: int) -> int:
    """RSS of one process in bytes; 0 when it is gone."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def await_true(condition: Any, limit: float = 10.0, what: str = "the condition") -> None:
    """Poll until `condition()` is true."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {limit} s")
        time.sleep(0.05)
