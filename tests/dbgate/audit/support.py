"""What the audit's tests share."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from dbgate.audit.events import Event, StatementDecided, StatementFinished

SERVER = Path(__file__).with_name("clickhouse_server.py")


def statement(number: int, session: str = "s1", verdict: str = "allow") -> list[Event]:
    """The intent and the outcome of one statement."""
    intent = StatementDecided(
        session=session,
        job="build-4711",
        identity="agent",
        role="agent",
        database="shop",
        rulebook="b00c",
        statement_id=f"{session}-{number}",
        statement=f"SELECT email FROM customers WHERE id = {number}",
        kind="select",
        tables=("public.customers",),
        columns=("public.customers.email", "public.customers.id"),
        verdict=verdict,
        rules=("agent-reads",),
        masked_columns=("public.customers.email",),
    )
    outcome = StatementFinished(
        session=session,
        job="build-4711",
        identity="agent",
        role="agent",
        database="shop",
        rulebook="b00c",
        statement_id=f"{session}-{number}",
        rows=number,
        bytes=100,
        milliseconds=1.5,
        masked_cells=number,
        command_tag=f"SELECT {number}",
    )
    return [intent, outcome] if verdict == "allow" else [intent]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ClickHouseServer:
    """A real ClickHouse server in a process of its own; `kill` and `start` as often as wanted, on the same folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._tcp = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, str(SERVER), str(self.folder), str(self.port), str(self._tcp)]
        with (self.folder.parent / "clickhouse.out").open("ab") as out:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=out)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < deadline, "ClickHouse did not start within 60 s"
            assert self._process.poll() is None, (self.folder.parent / "clickhouse.out").read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ping", timeout=1) as answer:
                return bool(answer.read() == b"Ok.\n")
        except OSError:
            return False
