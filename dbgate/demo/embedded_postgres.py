"""A real PostgreSQL server of one's own: started under a temporary folder, stopped and gone at the end.

    with EmbeddedPostgres() as server:
        psycopg.connect(server.dsn())

It listens on a free loopback port and on a unix socket, demands SCRAM passwords on both, and keeps nothing: data
files are not even synced to disk, so it is for demos and tests only.
"""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from dbgate.demo.programs import Owner, PostgresUnavailableError, find_programs, start, unprivileged_owner

HOST = "127.0.0.1"

#: Seconds to wait for the server to accept connections, and to end after each signal.
START_LIMIT = 30.0
STOP_LIMIT = 10.0

#: Other processes may take a free port between our look and the server's: how often to try again.
PORT_ATTEMPTS = 5

SETTINGS = {
    "listen_addresses": HOST,
    "password_encryption": "scram-sha-256",
    "shared_buffers": "32MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "jit": "off",
    "timezone": "UTC",
}


def free_port() -> int:
    """A TCP port on loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


class EmbeddedPostgres:
    """One server. `start` and `stop` may be called directly or through `with`.

    `host`, `port`: where it listens; `socket_directory`: the unix socket's folder; `user`, `password`: the superuser;
    `version`: the programs' own words. Raises PostgresUnavailableError when there is no server that can run here."""

    def __init__(self, settings: dict[str, str] | None = None) -> None:
        self.host = HOST
        self.port = 0
        self.user = "postgres"
        self.password = secrets.token_urlsafe(18)
        self._settings = {**SETTINGS, **(settings or {})}
        self._owner: Owner | None = unprivileged_owner()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    @property
    def folder(self) -> Path:
        """Everything of this server: data, log, socket."""
        if self._folder is None:
            raise PostgresUnavailableError("the embedded PostgreSQL is not running: call start() first")
        return self._folder

    @property
    def socket_directory(self) -> Path:
        return self.folder

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def dsn(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """A libpq URI, by default the superuser's."""
        who = f"{quote(user or self.user)}:{quote(password or self.password)}"
        return f"postgresql://{who}@{self.host}:{self.port}/{database}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Make the data folder and start the server; returns when it accepts connections."""
        self._folder = Path(tempfile.mkdtemp(prefix="dbgate-pg-"))
        try:
            if self._owner is not None:
                self._owner.own(self._folder)
            programs = find_programs(self._owner, self._folder)
            self._initialise(programs)
            self._serve(programs)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server (disconnecting its clients) and delete its folder. Harmless when it is not running."""
        if self._process is not None:
            _end(self._process)
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None

    def _initialise(self, programs: Path) -> None:
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if self._owner is not None:
            self._owner.own(self.folder)
        command = [str(programs / "initdb"), f"--pgdata={self.folder / 'data'}", f"--username={self.user}"]
        command += [f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
        failed = start(command, self._owner, self.folder, self.log).wait()
        secret.unlink()
        if failed:
            raise PostgresUnavailableError(f"initdb failed: {self._last_words()}")

    def _serve(self, programs: Path) -> None:
        for _ in range(PORT_ATTEMPTS):
            self.port = free_port()
            self._process = start(self._command(programs), self._owner, self.folder, self.log)
            if self._accepts(self._process):
                return
        raise PostgresUnavailableError(f"PostgreSQL did not start: {self._last_words()}")

    def _command(self, programs: Path) -> list[str]:
        command = [str(programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        for name, value in {**self._settings, "unix_socket_directories": str(self.folder)}.items():
            command += ["-c", f"{name}={value}"]
        return command

    def _accepts(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait for the word "ready" that the server writes into its pid file; False when it ended instead."""
        state = self.folder / "data" / "postmaster.pid"
        deadline = time.monotonic() + START_LIMIT
        while process.poll() is None:
            if state.exists() and "ready" in state.read_text().split():
                return True
            if time.monotonic() > deadline:
                raise PostgresUnavailableError(f"not ready after {START_LIMIT:.0f} s: {self._last_words()}")
            time.sleep(0.02)
        return False

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text().splitlines()[-10:]) if self.log.exists() else "it wrote nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown (SIGINT), and an immediate one (SIGQUIT) when clients' work keeps the server alive too long."""
    for word in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(word)
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            continue
        return
