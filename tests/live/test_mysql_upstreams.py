"""Ways to a real MySQL and MariaDB: every plugin, TLS modes as libpq means them, unix sockets, refusals, questions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from dbgate.net.mysql.queries import MysqlQueryFailed, run_query
from dbgate.net.mysql.upstream import MysqlUnavailable, UpstreamConnection, connect
from dbgate.net.reaching import QueryFailed, UpstreamUnavailable
from dbgate.net.setup_stream import ConnectionEnded
from dbgate.settings import Secret, Upstream, UpstreamTls
from dbgate.settings.model import TlsMode
from protocols.mysql.capabilities import Capability
from protocols.mysql.handshake import Brand as WireBrand
from tests.live.certificates import Authority
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import PASSWORD, Brand, MysqlServer

#: seconds for a transport to go before the loop is closed
LINGER = 0.1
Result = TypeVar("Result")


@pytest.fixture(scope="module")
def mysql() -> Iterator[MysqlServer]:
    with needed_mysql(Brand.MYSQL) as server:
        server.create_database("logins")
        yield server


@pytest.fixture(scope="module")
def mariadb() -> Iterator[MysqlServer]:
    with needed_mysql(Brand.MARIADB) as server:
        server.create_database("logins")
        server.run(
            "CREATE USER 'app_several'@'%' IDENTIFIED VIA ed25519 USING PASSWORD('other') "
            f"OR mysql_native_password USING PASSWORD('{PASSWORD}')"
        )
        yield server


def upstream(server: MysqlServer, user: str = "app", mode: TlsMode = TlsMode.PREFER, **tls: Path) -> Upstream:
    return Upstream(server.host, user, "logins", server.port, Secret(text=PASSWORD), UpstreamTls(mode, **tls), 5.0)


def asking(settings: Upstream, work: Callable[[UpstreamConnection], Awaitable[Result]], **wishes: object) -> Result:
    """What `work` finds on a connection of its own."""

    async def main() -> Result:
        try:
            connection = await connect(settings, **wishes)  # type: ignore[arg-type]
            try:
                return await work(connection)
            finally:
                connection.close()
                await _gone(connection)
        finally:
            await asyncio.sleep(LINGER)

    return asyncio.run(main())


async def _gone(connection: UpstreamConnection) -> None:
    """TLS says goodbye, which takes a while on a busy machine."""
    with suppress(TimeoutError, ConnectionEnded):
        async with asyncio.timeout(5):
            while True:
                await connection.stream.read()


async def look(connection: UpstreamConnection) -> tuple[bool, str]:
    ((user,),) = await run_query(connection, "SELECT USER()")
    assert user is not None
    return connection.tls, f"{user.partition('@')[0]} by {connection.plugin}"


@pytest.mark.parametrize("mode", TlsMode)
@pytest.mark.parametrize(("user", "plugin"), [("app", "caching_sha2_password"), ("app_sha256", "sha256_password")])
def test_every_mode_and_plugin_of_mysql(mysql: MysqlServer, mode: TlsMode, user: str, plugin: str) -> None:
    _every_mode(mysql, mode, user, plugin)


@pytest.mark.parametrize("mode", TlsMode)
@pytest.mark.parametrize(
    ("user", "plugin"),
    [("app_native", "mysql_native_password"), ("app_ed25519", "client_ed25519"),
     ("app_several", "mysql_native_password")],
)  # fmt: skip
def test_every_mode_and_plugin_of_mariadb(mariadb: MysqlServer, mode: TlsMode, user: str, plugin: str) -> None:
    _every_mode(mariadb, mode, user, plugin)


def _every_mode(server: MysqlServer, mode: TlsMode, user: str, plugin: str) -> None:
    root = {"root_certificate": server.authority.root} if mode.value.startswith("verify") else {}
    expected = mode not in (TlsMode.DISABLE, TlsMode.ALLOW), f"{user} by {plugin}"
    for _ in ("full", "fast"):
        assert asking(upstream(server, user, mode, **root), look) == expected


def test_full_and_fast_without_tls(mysql: MysqlServer) -> None:
    """FLUSH PRIVILEGES empties the server's cache, so the first login seals the password with the server's RSA key."""
    plain = upstream(mysql, mode=TlsMode.DISABLE)
    mysql.run("FLUSH PRIVILEGES")
    for _ in ("full", "fast"):
        assert asking(plain, look) == (False, "app by caching_sha2_password")


def test_the_servers_own_key_in_the_settings(mysql: MysqlServer, tmp_path: Path) -> None:
    with mysql.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW STATUS LIKE 'Caching_sha2_password_rsa_public_key'")
        pem = str(cursor.fetchone()[1])
    key = tmp_path / "rsa.pem"
    key.write_text(pem)
    plain = replace(upstream(mysql, mode=TlsMode.DISABLE), public_key=key)
    mysql.run("FLUSH PRIVILEGES")
    assert asking(plain, look) == (False, "app by caching_sha2_password")
    mysql.run("FLUSH PRIVILEGES")
    key.write_text("no key")
    assert "it is no RSA key in PEM" in unavailable(plain).cause
    key.unlink()
    assert "No such file" in unavailable(plain).cause


@pytest.mark.parametrize("user", ["app", "app_sha256"])
def test_a_unix_socket_of_mysql(mysql: MysqlServer, user: str) -> None:
    _unix(mysql, user)


@pytest.mark.parametrize("user", ["app", "app_ed25519"])
def test_a_unix_socket_of_mariadb(mariadb: MysqlServer, user: str) -> None:
    _unix(mariadb, user)


def _unix(server: MysqlServer, user: str) -> None:
    if server.socket is None:
        pytest.skip("the server is not ours")
    settings = replace(upstream(server, user, TlsMode.VERIFY_FULL), host=str(server.socket))
    tls, found = asking(settings, look)
    assert (tls, found.partition(" ")[0]) == (False, user)


def test_what_a_connection_tells(mysql: MysqlServer, mariadb: MysqlServer) -> None:
    async def tell(connection: UpstreamConnection) -> tuple[WireBrand, bool, str | None, list[tuple[str | None, ...]]]:
        number = connection.connection_id
        ((version, own, database),) = await run_query(connection, "SELECT VERSION(), CONNECTION_ID(), DATABASE()")
        attributes = await run_query(connection, "SELECT 'grün', NULL, '' UNION ALL SELECT 1, 2, 3")
        assert connection.server_version == version
        assert own == str(number)
        assert not connection.early
        return connection.brand, bool(connection.capabilities & Capability.DEPRECATE_EOF), database, attributes

    rows = [("grün", None, ""), ("1", "2", "3")]
    for server, brand in ((mysql, WireBrand.MYSQL), (mariadb, WireBrand.MARIADB)):
        for wishes in (Capability.DEPRECATE_EOF, Capability(0)):
            found = asking(upstream(server), tell, capabilities=wishes, database="logins", attributes={"a": "b"})
            assert found == (brand, bool(wishes), "logins", rows)
        assert asking(upstream(server), tell)[2] is None


# ------------------------------------------------------------ refusals


def unavailable(settings: Upstream, **wishes: object) -> UpstreamUnavailable:
    with pytest.raises(UpstreamUnavailable) as caught:
        asking(settings, look, **wishes)
    assert PASSWORD not in str(caught.value)
    return caught.value


def test_a_wrong_password_is_no_business_of_the_clients(mysql: MysqlServer, mariadb: MysqlServer) -> None:
    for server in (mysql, mariadb):
        fault = unavailable(replace(upstream(server), password=Secret(text="wrong")))
        assert isinstance(fault, MysqlUnavailable)
        assert fault.message == "the database behind the gate refused the gate's own login"
        assert fault.cause.startswith("1045 28000 Access denied for user 'app'")
        assert (fault.errno, "app" in fault.message) == (1429, False)


def test_an_unknown_database(mysql: MysqlServer, mariadb: MysqlServer) -> None:
    for server in (mysql, mariadb):
        fault = unavailable(upstream(server), database="nowhere")
        assert isinstance(fault, MysqlUnavailable)
        assert (fault.errno, fault.message) == (1049, "the database behind the gate does not exist")


def test_a_certificate_of_somebody_else(mysql: MysqlServer, tmp_path: Path) -> None:
    settings = upstream(mysql, mode=TlsMode.VERIFY_CA, root_certificate=Authority(tmp_path).root)
    assert "certificate is not valid" in unavailable(settings).cause


def test_a_host_of_another_name(mysql: MysqlServer) -> None:
    settings = upstream(mysql, mode=TlsMode.VERIFY_FULL, root_certificate=mysql.authority.root)
    if mysql.host != "127.0.0.1":
        pytest.skip("the server is not ours")
    assert "certificate is not valid" in unavailable(replace(settings, host="127.1")).cause


def test_nobody_there(mysql: MysqlServer) -> None:
    assert unavailable(replace(upstream(mysql), port=1)).message == "the database behind the gate cannot be reached"
    assert "No such file" in unavailable(replace(upstream(mysql), host="/nowhere/mysql.sock")).cause


def test_a_server_that_is_no_mysql() -> None:
    for words, cause in ((b"HTTP/1.1 400 Bad Request\r\n\r\n", ""), (b"", "ended during login")):
        assert cause in asyncio.run(_against(words)).cause


def test_a_server_that_says_nothing() -> None:
    assert asyncio.run(_against(None)).cause == "no answer in time"


async def _against(words: bytes | None) -> UpstreamUnavailable:
    """A server that says this and closes; None: says nothing at all."""

    done = asyncio.Event()

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if words is None:
            await done.wait()
        writer.write(words or b"")
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        await connect(Upstream("127.0.0.1", "app", "x", port, connect_timeout=0.4))
    except UpstreamUnavailable as fault:
        return fault
    finally:
        done.set()
        server.close()
        await asyncio.sleep(LINGER)
    raise AssertionError("it let us in")


# ------------------------------------------------------------ questions


def test_errors_leave_the_connection_usable(mysql: MysqlServer, mariadb: MysqlServer) -> None:
    async def work(connection: UpstreamConnection) -> list[tuple[str | None, ...]]:
        with pytest.raises(MysqlQueryFailed, match="nowhere") as caught:
            await run_query(connection, "SELECT * FROM logins.nowhere")
        assert (caught.value.errno, caught.value.sqlstate) == (1146, "42S02")
        assert isinstance(caught.value, QueryFailed)
        assert await run_query(connection, "SET @a = 1") == []
        return await run_query(connection, "SELECT @a")

    for server in (mysql, mariadb):
        for wishes in (Capability.DEPRECATE_EOF | Capability.SESSION_TRACK, Capability(0)):
            assert asking(upstream(server), work, capabilities=wishes) == [("1",)]


def test_long_answers(mysql: MysqlServer, mariadb: MysqlServer) -> None:
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "

    async def work(connection: UpstreamConnection) -> tuple[int, int]:
        rows = await run_query(connection, many + "SELECT i, REPEAT('x', 500) FROM n")
        assert [row[0] for row in rows] == [str(number) for number in range(1, 1001)]
        ((long,),) = await run_query(connection, f"SELECT REPEAT('y', {1 << 24})")
        return len(rows), len(long or "")

    for server in (mysql, mariadb):
        assert asking(upstream(server), work) == (1000, 1 << 24)


def test_what_is_no_text(mysql: MysqlServer) -> None:
    async def work(connection: UpstreamConnection) -> bool:
        with pytest.raises(UpstreamUnavailable, match="no UTF-8"):
            await run_query(connection, "SELECT x'ff'")
        with pytest.raises(UpstreamUnavailable, match="closed before"):
            await run_query(connection, "SELECT 1")
        return True

    assert asking(upstream(mysql), work)


def test_a_file_that_the_server_asks_for(mysql: MysqlServer) -> None:
    """Without CLIENT_LOCAL_FILES the server may not even ask."""

    async def work(connection: UpstreamConnection) -> bool:
        assert not connection.capabilities & Capability.LOCAL_FILES
        with pytest.raises(MysqlQueryFailed):
            await run_query(connection, "LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE logins.nowhere")
        return True

    assert asking(upstream(mysql), work, capabilities=Capability.LOCAL_FILES)


def test_cancelling_a_question_closes_the_connection(mysql: MysqlServer, mariadb: MysqlServer) -> None:
    async def work(connection: UpstreamConnection) -> bool:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await run_query(connection, "SELECT SLEEP(30)")
        with pytest.raises(UpstreamUnavailable):
            await run_query(connection, "SELECT 1")
        return True

    for server in (mysql, mariadb):
        assert asking(upstream(server), work)
