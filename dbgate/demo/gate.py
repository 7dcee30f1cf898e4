"""The demo's gate: a settings file, and `dbgate serve` on it as a process of its own."""

from __future__ import annotations

import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from dbgate.demo import company_mysql
from dbgate.demo.company import DATABASE, OWNER, text_of
from dbgate.demo.embedded_mysql import Mysql, connect
from dbgate.demo.embedded_postgres import HOST, EmbeddedPostgres, free_port
from dbgate.demo.script import AGENT, REPORT
from protocols.postgres.scram import Verifier

START_LIMIT = 60.0
STOP_LIMIT = 20.0

#: what is written beside the settings, to be read and changed
FILES = ("rulebook.yaml", "rulebook.test.yaml", "company.sql")
FILES_MYSQL = ("rulebook_mysql.yaml",)

SETTINGS = """\
# The demo's gate. Relative paths are meant from this file's folder.
gate:
  name: demo
  listen: {host}:{port}
  directory: ./dbgate-data          # the local audit log, the control socket and the embedded ClickHouse
  drain: 2s
{listen_mysql}control:
  listen: {host}:{control_port}          # /health /ready /metrics
databases:
  {database}:
    upstream:
      host: {host}
      port: {upstream_port}
      user: {owner}
      password: {{env: SHOP_PASSWORD}}    # agents never see it
    rules: [rulebook.yaml]
{database_mysql}users:
  {agent}:                            # made with `dbgate user verifier`: the password itself is nowhere
    role: agent
    verifier: "{verifier}"
    databases: [{databases}]
  {report}:                           # the same role, but a job of its own: budgets are kept for each job
    role: agent
    job: nightly-report
    verifier: "{verifier}"
    databases: [{databases}]
"""

LISTEN_MYSQL = """\
  mysql: {{listen: {host}:{port}}}     # for the clients of MySQL databases
"""
DATABASE_MYSQL = """\
  {name}:
    protocol: mysql
    upstream:
      host: {host}
      port: {port}
      user: {owner}
      password: {{env: SHOP_PASSWORD}}
      database: {database}
    rules: [rulebook_mysql.yaml]
"""
#: the gate's name for the company's database on MySQL
SHOP_MYSQL = "shop_mysql"


class GateNotReadyError(RuntimeError):
    """`dbgate serve` did not come up, or its audit does not answer; the text says why."""


@dataclass(slots=True)
class DemoGate:
    """The gate in `directory`, before `server` and, if there is one, `mysql`. `password`: of all its users."""

    directory: Path
    server: EmbeddedPostgres
    upstream_password: str
    mysql: Mysql | None = None
    port: int = 0
    mysql_port: int = 0
    control_port: int = 0
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    _process: subprocess.Popen[str] | None = None

    @property
    def settings(self) -> Path:
        return self.directory / "dbgate.yaml"

    @property
    def log(self) -> Path:
        return self.directory / "serve.log"

    def dsn(self, user: str = AGENT) -> str:
        return f"postgresql://{user}:{self.password}@{HOST}:{self.port}/{DATABASE}"

    def connect_mysql(self, user: str = AGENT) -> Any:
        """A PyMySQL connection to the company's MySQL database through the gate."""
        return connect(HOST, self.mysql_port, user, self.password, SHOP_MYSQL)

    def __enter__(self) -> Self:
        try:
            self._write()
            self._serve()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """SIGTERM, which drains and writes the audit log out."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self._process = None

    def _write(self) -> None:
        """The settings are new each time; a rulebook that is already there is the user's own and stays."""
        self.port, self.control_port, self.mysql_port = free_port(), free_port(), free_port()
        self.settings.write_text(
            SETTINGS.format(
                host=HOST,
                port=self.port,
                control_port=self.control_port,
                upstream_port=self.server.port,
                database=DATABASE,
                databases=f"{DATABASE}, {SHOP_MYSQL}" if self.mysql else DATABASE,
                owner=OWNER,
                agent=AGENT,
                report=REPORT,
                verifier=Verifier.make(self.password, os.urandom(16)).encode(),
                **self._mysql_settings(),
            )
        )
        for name in FILES + (FILES_MYSQL if self.mysql else ()):
            if not (self.directory / name).exists():
                (self.directory / name).write_text(text_of(name))

    def _mysql_settings(self) -> dict[str, str]:
        """The parts of the settings that speak of MySQL; empty without it."""
        if self.mysql is None:
            return {"listen_mysql": "", "database_mysql": ""}
        return {
            "listen_mysql": LISTEN_MYSQL.format(host=HOST, port=self.mysql_port),
            "database_mysql": DATABASE_MYSQL.format(
                name=SHOP_MYSQL,
                host=self.mysql.host,
                port=self.mysql.port,
                owner=company_mysql.OWNER,
                database=company_mysql.DATABASES[0],
            ),
        }

    def _serve(self) -> None:
        with self.log.open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", "dbgate", "serve", "--config", str(self.settings)],
                env={**os.environ, "SHOP_PASSWORD": self.upstream_password},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        line = _first_line(self._process.stdout)
        if not line.startswith("ready:"):
            raise GateNotReadyError(f"dbgate serve did not start:\n{line}{self.log.read_text()}")


def _first_line(stream: IO[str]) -> str:
    """The first line of a program's output, empty when it ends or stays silent. What follows is read and dropped."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def drain() -> None:
        with stream:
            lines.put(stream.readline())
            for _ in stream:
                pass

    threading.Thread(target=drain, daemon=True).start()
    try:
        return lines.get(timeout=START_LIMIT)
    except queue.Empty:
        return ""
