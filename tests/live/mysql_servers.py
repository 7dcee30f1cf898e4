"""Real MySQL 9.x and MariaDB servers for one run of tests or benchmarks.

Where MySQL comes from, in this order: an administrator's DSN in DBGATE_TEST_MYSQL, the unpacked packages in the
directory that DBGATE_TEST_MYSQL_ROOT names, those that tests/unpack_mysql put beside the environment, an installed
mysqld, a container when Docker answers. MariaDB: DBGATE_TEST_MARIADB, an installed mariadbd, a container.
`start_mysql` and `start_mariadb` raise NoServerError, which lists what was tried.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pymysql

from tests.live.certificates import Authority
from tests.live.mysql_programs import MYSQL_ROOT, NoServerError, Programs, find_mariadb, find_mysql
from tests.live.servers import docker_answers, free_port, shared_directory

#: every user's password, so that a test can be read without looking elsewhere
PASSWORD = "app-secret"
ADMIN_PASSWORD = "admin-secret"

#: options that both brands know
OPTIONS: Mapping[str, str] = {
    "max-connections": "150",
    "max-allowed-packet": "128M",
    "innodb-buffer-pool-size": "64M",
    "innodb-flush-log-at-trx-commit": "0",
    "performance-schema": "OFF",
    "skip-log-bin": "",
    "local-infile": "ON",  # what the gate refuses the server would do
    "character-set-server": "utf8mb4",
    "default-time-zone": "+00:00",
}
START_LIMIT = 60.0


class Brand(Enum):
    MYSQL = "mysql"
    MARIADB = "mariadb"


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """What differs between the brands. `users`: user -> plugin and how CREATE USER says it.
    `storage`: options that a data folder is made with too."""

    brand: Brand
    name: str
    environment: str
    image: str
    users: Mapping[str, tuple[str, str]]
    options: Mapping[str, str]
    storage: Mapping[str, str]


_CACHING = ("caching_sha2_password", f"WITH caching_sha2_password BY '{PASSWORD}'")
_NATIVE = ("mysql_native_password", f"VIA mysql_native_password USING PASSWORD('{PASSWORD}')")

MYSQL = Kind(
    Brand.MYSQL,
    "MySQL",
    "DBGATE_TEST_MYSQL",
    "mysql:9",
    {
        "app": _CACHING,
        "app_sha256": ("sha256_password", f"WITH sha256_password BY '{PASSWORD}'"),
        "app_limited": _CACHING,
    },
    {"mysqlx": "OFF"},
    {"innodb-redo-log-capacity": "16M", "innodb-use-native-aio": "OFF"},  # AIO slots are few for many servers
)
MARIADB = Kind(
    Brand.MARIADB,
    "MariaDB",
    "DBGATE_TEST_MARIADB",
    "mariadb:10.11",
    {
        "app": _NATIVE,
        "app_native": _NATIVE,
        "app_ed25519": ("ed25519", f"VIA ed25519 USING PASSWORD('{PASSWORD}')"),
        "app_limited": _NATIVE,
    },
    {"plugin-load-add": "auth_ed25519"},
    {"innodb-log-file-size": "16M"},
)
#: has no rights but those that a test gives it
LIMITED = "app_limited"


@dataclass(slots=True)
class MysqlServer:
    """A running server. `socket`, `pid` and `programs` are only known for a server of our own."""

    kind: Kind
    host: str
    port: int
    admin: str
    admin_password: str
    origin: str
    authority: Authority
    socket: Path | None = None
    pid: int | None = None
    programs: Programs | None = None
    tls: bool = True

    @property
    def brand(self) -> Brand:
        return self.kind.brand

    @property
    def version(self) -> str:
        """As the server says it: 9.7.1, 10.11.14-MariaDB-0+deb12u2."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            return str(cursor.fetchone()[0])

    def connect(self, database: str | None = None, user: str = "", password: str = "", **options: Any) -> Any:
        """A PyMySQL connection in autocommit; without `user` the administrator's. For set-up, and for looking at what
        really happened."""
        login = (user, password or PASSWORD) if user else (self.admin, self.admin_password)
        words = {"charset": "utf8mb4", "autocommit": True, "connect_timeout": 10, **options}
        return pymysql.connect(
            host=self.host, port=self.port, user=login[0], password=login[1], database=database, **words
        )

    def run(self, text: str, database: str | None = None) -> None:
        """Run a script (several statements) as the administrator."""
        flags = pymysql.constants.CLIENT.MULTI_STATEMENTS
        with self.connect(database, client_flag=flags) as connection, connection.cursor() as cursor:
            cursor.execute(text)
            while cursor.nextset():
                pass

    def create_database(self, name: str) -> None:
        self.run(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")

    def drop_database(self, name: str) -> None:
        self.run(f"DROP DATABASE IF EXISTS `{name}`")

    def dsn(self, database: str = "", user: str = "", password: str = "", scheme: str = "mysql") -> str:
        login = (user, password or PASSWORD) if user else (self.admin, self.admin_password)
        words = ":".join(quote(word, safe="") for word in login)
        return f"{scheme}://{words}@{self.host}:{self.port}/{quote(database, safe='')}"


def start_mysql(options: Mapping[str, str] | None = None) -> contextlib.AbstractContextManager[MysqlServer]:
    """A MySQL with MYSQL's users; ended (if it is ours) when the block is left. `options`: further ones for mysqld,
    the name without its dashes -> the value, "" for a plain flag."""
    return _start(MYSQL, find_mysql, options or {})


def start_mariadb(options: Mapping[str, str] | None = None) -> contextlib.AbstractContextManager[MysqlServer]:
    """The same with MariaDB and MARIADB's users."""
    return _start(MARIADB, find_mariadb, options or {})


@contextlib.contextmanager
def _start(kind: Kind, find: Callable[[], Programs | None], options: Mapping[str, str]) -> Iterator[MysqlServer]:
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(shared_directory()))
        authority = Authority(base)
        words = {**OPTIONS, **kind.options, **kind.storage, **options}
        if dsn := os.environ.get(kind.environment):
            server = _from_dsn(kind, dsn, authority)
        elif programs := find():
            server = stack.enter_context(_own_server(kind, programs, base, authority, words))
        elif docker_answers():
            server = stack.enter_context(_container(kind, base, authority, words))
        else:
            raise NoServerError(_tried(kind))
        server.run(users_script(kind))
        yield server


def _tried(kind: Kind) -> str:
    own = f"{MYSQL_ROOT} is not set, tests/unpack_mysql has left nothing, " if kind is MYSQL else ""
    return f"no {kind.name}: {kind.environment} is not set, {own}none is installed, and Docker does not answer"


def users_script(kind: Kind) -> str:
    """Makes the brand's users anew, with every right but LIMITED's."""
    lines = []
    for user, (_, proof) in kind.users.items():
        lines += [f"DROP USER IF EXISTS '{user}'@'%'", f"CREATE USER '{user}'@'%' IDENTIFIED {proof}"]
        if user != LIMITED:
            lines.append(f"GRANT ALL PRIVILEGES ON *.* TO '{user}'@'%'")
    return "; ".join(lines)


# ---------------------------------------------------------------- a server of our own


@contextlib.contextmanager
def _own_server(
    kind: Kind, programs: Programs, base: Path, authority: Authority, options: Mapping[str, str]
) -> Iterator[MysqlServer]:
    owner, data = _account(kind), base / "data"
    subprocess.run(["cp", "-a", "--reflink=auto", _initialised(kind, programs), data], check=True)
    base.chmod(0o777)  # the server's own account puts its socket here
    port, log = free_port(), base / "server.log"
    words = {**options, **_own_options(base, authority, port)}
    command: list[str | Path] = [programs.server, "--no-defaults", *programs.places, *_user_option(owner)]
    command += [f"--datadir={data}"]
    command += _as_options(words)
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=base, start_new_session=True
        )
    server = MysqlServer(kind, "127.0.0.1", port, "root", ADMIN_PASSWORD, str(programs.server), authority)
    server.socket, server.pid, server.programs = base / "my.sock", process.pid, programs
    try:
        _await_ready(server, process, log)
        yield server
    finally:
        _end(process)


def _as_options(words: Mapping[str, str]) -> list[str]:
    return [f"--{name}={value}" if value else f"--{name}" for name, value in words.items()]


def _own_options(base: Path, authority: Authority, port: int) -> dict[str, str]:
    pair = authority.server("mysql")
    pair.key.chmod(0o644)  # for the account that the server runs as; a key of this run alone
    files = base / "tmp"  # a MariaDB that starts deletes what lies in its own, which others may be using
    files.mkdir()
    files.chmod(0o777)
    admin = base / "admin.sql"
    admin.write_text(
        f"CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '{ADMIN_PASSWORD}';\n"
        "GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;\n"
        f"ALTER USER 'root'@'localhost' IDENTIFIED BY '{ADMIN_PASSWORD}';\n"
    )
    return {
        "port": str(port),
        "bind-address": "127.0.0.1",
        "socket": str(base / "my.sock"),
        "pid-file": str(base / "my.pid"),
        "init-file": str(admin),
        "secure-file-priv": str(base),
        "tmpdir": str(files),
        "ssl-ca": str(authority.root),
        "ssl-cert": str(pair.certificate),
        "ssl-key": str(pair.key),
    }


def _account(kind: Kind) -> pwd.struct_passwd | None:
    """Whom a server runs as when we are root: Debian's account for it, else root itself, which both allow."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        if kind is MARIADB:
            return pwd.getpwnam("mysql")
    return pwd.getpwnam("root")


def _user_option(owner: pwd.struct_passwd | None) -> list[str]:
    return [] if owner is None else [f"--user={owner.pw_name}"]


@cache
def _templates() -> tempfile.TemporaryDirectory[str]:
    """Lives as long as the process: an initialised data folder of each brand, for every start to copy."""
    made = tempfile.TemporaryDirectory(prefix="dbgate-data-", ignore_cleanup_errors=True)
    Path(made.name).chmod(0o755)
    return made


@cache
def _initialised(kind: Kind, programs: Programs) -> Path:
    data, owner = Path(_templates().name) / kind.brand.value, _account(kind)
    data.mkdir(mode=0o700)
    if owner is not None:
        os.chown(data, owner.pw_uid, owner.pw_gid)
    common = [*_user_option(owner), f"--datadir={data}", *_as_options(kind.storage)]
    command: Sequence[str | Path]
    if programs.install is not None:
        command = [programs.install, "--no-defaults", *common, "--skip-test-db", "--skip-name-resolve",
                   "--auth-root-authentication-method=normal"]  # fmt: skip
    else:
        command = [programs.server, "--no-defaults", *programs.places, *common, "--initialize-insecure"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoServerError(
            f"{command[0]} could not make a data folder: {(done.stderr or done.stdout).strip()[-2000:]}"
        )
    return data


def _await_ready(server: MysqlServer, process: subprocess.Popen[bytes] | None, log: Path | None) -> None:
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit and (process is None or process.poll() is None):
        with contextlib.suppress(pymysql.MySQLError):
            server.connect().close()
            return
        time.sleep(0.05)
    text = log.read_text(errors="replace")[-2000:] if log is not None else ""
    raise NoServerError(f"{server.kind.name} did not start:\n{text}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing of the data is kept, so it need not be asked twice."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return


# ---------------------------------------------------------------- servers of others


def _from_dsn(kind: Kind, dsn: str, authority: Authority) -> MysqlServer:
    parts = urlsplit(dsn)
    user, password = unquote(parts.username or "root"), unquote(parts.password or "")
    server = MysqlServer(kind, parts.hostname or "127.0.0.1", parts.port or 3306, user, password,
                         f"${kind.environment}", authority)  # fmt: skip
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW VARIABLES LIKE 'ssl_cert'")
        found = cursor.fetchone()
        server.tls = bool(found and found[1])
    return server


@contextlib.contextmanager
def _container(kind: Kind, base: Path, authority: Authority, options: Mapping[str, str]) -> Iterator[MysqlServer]:
    from testcontainers.core.container import DockerContainer

    pair = authority.server("mysql")
    pair.key.chmod(0o644)
    words = {**options, "ssl-ca": f"/live/{authority.root.name}", "ssl-cert": f"/live/{pair.certificate.name}"}
    words["ssl-key"] = f"/live/{pair.key.name}"
    container = DockerContainer(kind.image).with_exposed_ports(3306).with_volume_mapping(str(base), "/live")
    for name in ("MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD"):
        container = container.with_env(name, ADMIN_PASSWORD)
    with container.with_command(_as_options(words)):
        host, port = str(container.get_container_host_ip()), int(container.get_exposed_port(3306))
        server = MysqlServer(kind, host, port, "root", ADMIN_PASSWORD, kind.image, authority)
        _await_ready(server, None, None)
        yield server


if __name__ == "__main__":
    with {"mysql": start_mysql, "mariadb": start_mariadb}[sys.argv[1]]() as started:
        sys.stdout.write(f"{started.origin}\n{started.dsn()}\n")
        sys.stdout.flush()
        sys.stdin.read()
