"""A MySQL or MariaDB server for the demo: an installed one, started under a temporary folder and gone at the end, or
the one that DBGATE_DEMO_MYSQL names.

There is no wheel of either. Whoever has none installed sees the demo's PostgreSQL half alone.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pymysql

from dbgate.demo.embedded_postgres import HOST, free_port
from dbgate.demo.programs import Owner, start, unprivileged_owner

ENVIRONMENT: Final = "DBGATE_DEMO_MYSQL"
INSTALL: Final = (
    f"install a server (apt-get install mariadb-server), or set {ENVIRONMENT}=mysql://root:PASSWORD@HOST:PORT"
)

#: Seconds to wait for the server to accept connections, and to end after each signal.
START_LIMIT: Final = 30.0
STOP_LIMIT: Final = 10.0

#: Where packagers put the servers, which are seldom on an ordinary user's PATH.
FOLDERS: Final = (
    "/usr/sbin", "/usr/libexec", "/usr/local/mysql/bin", "/opt/homebrew/opt/mariadb/bin", "/opt/homebrew/opt/mysql/bin",
)  # fmt: skip
SERVERS: Final = ("mariadbd", "mysqld")
INSTALLERS: Final = ("mariadb-install-db", "mysql_install_db")

OPTIONS: Final[Mapping[str, str]] = {
    "bind-address": HOST,
    "performance-schema": "OFF",
    "innodb-buffer-pool-size": "32M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-use-native-aio": "OFF",
    "skip-log-bin": "",
    "character-set-server": "utf8mb4",
    "default-time-zone": "+00:00",
    "loose-mysqlx": "OFF",
}


class MysqlUnavailableError(RuntimeError):
    """No MySQL or MariaDB server here, or none that starts. The text says why, and what to install or change."""


@dataclass(slots=True)
class Mysql:
    """A server and its administrator's login."""

    host: str
    port: int
    user: str
    password: str

    def connect(self, database: str | None = None, user: str = "", password: str = "") -> Any:
        """A PyMySQL connection in autocommit, by default the administrator's. Raises pymysql.MySQLError."""
        return connect(self.host, self.port, user or self.user, password if user else self.password, database)

    @property
    def version(self) -> str:
        """As a reader knows it: `MySQL 9.7.1`, `MariaDB 10.11.14`."""
        with self.connect() as connection:
            number, _, rest = str(connection.get_server_info()).removeprefix("5.5.5-").partition("-")
        return f"{'MariaDB' if 'mariadb' in rest.lower() else 'MySQL'} {number}"


def connect(host: str, port: int, user: str, password: str, database: str | None) -> Any:
    """A connection whose values are those texts that the server sends. Raises pymysql.MySQLError."""
    return pymysql.connect(
        host=host, port=port, user=user, password=password, database=database, charset="utf8mb4", autocommit=True,
        conv={}, connect_timeout=10, client_flag=pymysql.constants.CLIENT.MULTI_STATEMENTS,
    )  # fmt: skip


class EmbeddedMysql:
    """With it as a context there is a server; leaving it ends the server, if it is ours. Raises
    MysqlUnavailableError."""

    def __init__(self) -> None:
        self._owner: Owner | None = unprivileged_owner()
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    def __enter__(self) -> Mysql:
        if dsn := os.environ.get(ENVIRONMENT):
            return _named(dsn)
        program = _find(SERVERS)
        if program is None:
            raise MysqlUnavailableError(f"there is no MySQL or MariaDB here: {INSTALL}")
        self._folder = Path(tempfile.mkdtemp(prefix="dbgate-my-"))
        try:
            return self._start(program, self._folder)
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server and delete its folder. Harmless when there is none."""
        if self._process is not None:
            _end(self._process)
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder)
            self._folder = None

    def _start(self, program: Path, folder: Path) -> Mysql:
        self._own(folder)
        self._run(_initialising(program, folder), folder)
        server = Mysql(HOST, free_port(), "demo_admin", secrets.token_urlsafe(18))
        words = {
            **OPTIONS, "datadir": str(folder / "data"), "port": str(server.port), "socket": str(folder / "my.sock"),
            "pid-file": str(folder / "my.pid"), "init-file": str(self._administrator(server, folder)),
        }  # fmt: skip
        command = [str(program), "--no-defaults", *(f"--{n}={v}" if v else f"--{n}" for n, v in words.items())]
        self._process = start(command, self._owner, folder, folder / "server.log")
        self._await(server, self._process, folder)
        return server

    def _own(self, folder: Path) -> None:
        if self._owner is not None:
            self._owner.own(folder)

    def _run(self, command: list[str], folder: Path) -> None:
        try:
            failed = start(command, self._owner, folder, folder / "server.log").wait()
        except PermissionError as error:
            raise MysqlUnavailableError(f"{command[0]} may not be run in {folder}: {error.strerror}") from error
        if failed:
            raise MysqlUnavailableError(f"{Path(command[0]).name} could not make a data folder: {_last_words(folder)}")

    def _administrator(self, server: Mysql, folder: Path) -> Path:
        """What the server runs as it starts: one login with every right, by password, from this machine."""
        script = folder / "admin.sql"
        script.touch(mode=0o600)
        script.write_text(
            f"CREATE USER '{server.user}'@'%' IDENTIFIED BY '{server.password}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO '{server.user}'@'%' WITH GRANT OPTION;\n"
            f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{server.password}';\n"
        )
        self._own(folder)
        return script

    def _await(self, server: Mysql, process: subprocess.Popen[bytes], folder: Path) -> None:
        deadline = time.monotonic() + START_LIMIT
        while process.poll() is None and time.monotonic() < deadline:
            try:
                server.connect().close()
            except pymysql.MySQLError:
                time.sleep(0.05)
            else:
                return
        raise MysqlUnavailableError(f"the server did not start: {_last_words(folder)}")


def _initialising(program: Path, folder: Path) -> list[str]:
    """The command that makes the data folder: MariaDB has a program of its own for it."""
    common = ["--no-defaults", f"--datadir={folder / 'data'}"]
    installer = _find(INSTALLERS, program.parent)
    if installer is None or "MariaDB" not in _version(program):
        return [str(program), *common, "--initialize-insecure", "--innodb-use-native-aio=OFF"]
    return [
        str(installer), *common, "--skip-test-db", "--auth-root-authentication-method=normal",
        "--innodb-use-native-aio=OFF",
    ]  # fmt: skip


def _find(names: tuple[str, ...], beside: Path | None = None) -> Path | None:
    folders = [*([str(beside)] if beside else []), *os.environ.get("PATH", "").split(os.pathsep), *FOLDERS]
    found = (shutil.which(name, path=os.pathsep.join(folders)) for name in names)
    return next((Path(each) for each in found if each), None)


def _version(program: Path) -> str:
    done = subprocess.run(  # noqa: S603
        [program, "--no-defaults", "--version"], capture_output=True, text=True, check=False
    )
    return done.stdout


def _named(dsn: str) -> Mysql:
    """The server of a DSN. Raises MysqlUnavailableError when it cannot be reached."""
    parts = urlsplit(dsn)
    login = unquote(parts.username or "root"), unquote(parts.password or "")
    try:
        server = Mysql(parts.hostname or HOST, parts.port or 3306, *login)
        server.connect().close()
    except (pymysql.MySQLError, ValueError) as error:
        raise MysqlUnavailableError(f"the server that {ENVIRONMENT} names cannot be used: {error}") from error
    return server


def _last_words(folder: Path) -> str:
    log = folder / "server.log"
    return " ".join(log.read_text(errors="replace").splitlines()[-3:]) if log.exists() else "it wrote nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    for word in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(word)
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            continue
        return
