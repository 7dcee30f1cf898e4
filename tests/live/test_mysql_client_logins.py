"""Real clients come in through Reception: the vendors' programs and drivers, by every plugin, in clear, TLS and socket.

A small server stands in for the gate's data path, so that a login which fails is the login's own fault.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mysql.connector
import MySQLdb
import pytest

from tests.dbgate.net.mysql.receptions import PASSWORD, Server, make_door, serving, users
from tests.live.certificates import Authority
from tests.live.mysql_needed import CLIENTS
from tests.live.mysql_programs import find_mariadb, find_mysql
from tests.live.mysql_servers import Brand

KNOWN = users("agent", "old", native=("old",))
VERSIONS = {Brand.MYSQL: "9.7.4", Brand.MARIADB: "5.5.5-10.11.14-MariaDB"}
FINDERS = {Brand.MYSQL: find_mysql, Brand.MARIADB: find_mariadb}
CACHING, SHA256, CLEAR = "caching_sha2_password", "sha256_password", "mysql_clear_password"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module", params=Brand)
def server(
    request: pytest.FixtureRequest, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """With TLS, greeting as either brand; on uvloop, as workers do."""
    door = make_door(KNOWN, pair=authority.server("gate"), version=VERSIONS[request.param])
    with serving(door, tmp_path_factory.mktemp("sockets"), uvloop=True) as started:
        yield started


def program(brand: Brand) -> Path:
    found = FINDERS[brand]()
    client = found.client(*CLIENTS[brand]) if found is not None else None
    if client is None:
        pytest.skip(f"{brand.value}'s own client is not installed")
    return client


def run(client: Path, server: Server, *options: str, user: str = "agent", password: str = PASSWORD) -> str:
    """What the program says of a statement that every client gets the same answer to."""
    where = ["-S", str(server.path)] if "socket" in options else ["-h127.0.0.1", f"-P{server.port}"]
    command = [str(client), "--no-defaults", *where, f"-u{user}", f"-p{password}", "-e", "SELECT how", "shop"]
    command += [option for option in options if option != "socket"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr]
    return line


ASK = "--get-server-public-key"
MYSQL_WAYS = [
    (("--ssl-mode=REQUIRED",), CACHING),
    (("--ssl-mode=DISABLED", ASK), CACHING),
    (("socket",), CACHING),
    (("socket", "--ssl-mode=REQUIRED"), CACHING),
    ((f"--default-auth={SHA256}", "--ssl-mode=REQUIRED"), SHA256),
    ((f"--default-auth={SHA256}", "--ssl-mode=DISABLED", ASK), SHA256),
    (("socket", f"--default-auth={SHA256}", "--ssl-mode=DISABLED", ASK), SHA256),
    ((f"--default-auth={CLEAR}", "--enable-cleartext-plugin", "--ssl-mode=REQUIRED"), CLEAR),
    ((f"--default-auth={CLEAR}", "--enable-cleartext-plugin", "--ssl-mode=DISABLED", ASK), CACHING),
    (("socket", f"--default-auth={CLEAR}", "--enable-cleartext-plugin", "--ssl-mode=DISABLED"), CLEAR),
]


@pytest.mark.parametrize(("options", "plugin"), MYSQL_WAYS)
def test_mysqls_own_client(server: Server, options: tuple[str, ...], plugin: str) -> None:
    client = program(Brand.MYSQL)
    for _ in ("full", "fast"):
        assert run(client, server, *options) == f"ERROR 1146 (42S02) at line 1: by {plugin}"
    assert run(client, server, *options, password="wrong").startswith("ERROR 1045 (28000): Access denied")


@pytest.mark.parametrize("user", ["agent", "old"])
@pytest.mark.parametrize("plugin", ["", CACHING, "mysql_native_password", "client_ed25519", "dialog"])
@pytest.mark.parametrize("way", ["clear", "tls", "socket"])
def test_mariadbs_own_client(server: Server, authority: Authority, user: str, plugin: str, way: str) -> None:
    client = program(Brand.MARIADB)
    options = {"tls": ["--ssl", f"--ssl-ca={authority.root}"], "socket": ["socket"]}.get(way, [])
    options += [f"--default-auth={plugin}"] if plugin else []
    assert run(client, server, *options, user=user) == f"ERROR 1146 (42S02) at line 1: by {CACHING}"
    refused = run(client, server, *options, user=user, password="wrong")
    assert refused.startswith("ERROR 1045 (28000): Access denied")


def test_the_clients_program_is_told(server: Server) -> None:
    run(program(Brand.MYSQL), server)
    assert server.admitted[-1].attributes["program_name"] == "mysql"


# ------------------------------------------------------------ drivers


def connector(server: Server, authority: Authority, way: str, **words: Any) -> Any:
    where: dict[str, Any] = {"host": "127.0.0.1", "port": server.port}
    ways: dict[str, dict[str, Any]] = {
        "clear": {**where, "ssl_disabled": True},
        "tls": {**where, "ssl_ca": str(authority.root), "ssl_verify_cert": True},
        "socket": {"unix_socket": str(server.path), "ssl_disabled": True},
    }
    return mysql.connector.connect(use_pure=True, database="shop", **ways[way], **words)


def mysqlclient(server: Server, authority: Authority, way: str, **words: Any) -> Any:
    where: dict[str, Any] = {"host": "127.0.0.1", "port": server.port}
    ways: dict[str, dict[str, Any]] = {
        "clear": where,
        "tls": {**where, "ssl": {"ca": str(authority.root)}},
        "socket": {"unix_socket": str(server.path)},
    }
    return MySQLdb.connect(database="shop", **ways[way], **words)


@pytest.mark.parametrize("connect", [connector, mysqlclient])
@pytest.mark.parametrize("way", ["clear", "tls", "socket"])
def test_drivers(server: Server, authority: Authority, connect: Callable[..., Any], way: str) -> None:
    for _ in ("full", "fast"):
        connection = connect(server, authority, way, user="agent", password=PASSWORD)
        cursor = connection.cursor()
        with pytest.raises(Exception, match=f"by {CACHING}"):
            cursor.execute("SELECT how")
        connection.close()
    assert bool(server.admitted[-1].tls) is (way == "tls")
    for user, password in (("agent", "wrong"), ("nobody", PASSWORD)):
        with pytest.raises(Exception, match=f"Access denied for user '{user}'"):
            connect(server, authority, way, user=user, password=password)


@pytest.mark.parametrize("plugin", [CACHING, SHA256, "mysql_native_password"])
def test_connectors_plugins(server: Server, authority: Authority, plugin: str) -> None:
    connection = connector(server, authority, "tls", user="old", password=PASSWORD, auth_plugin=plugin)
    with pytest.raises(mysql.connector.Error, match="by "):
        connection.cursor().execute("SELECT how")
    connection.close()
