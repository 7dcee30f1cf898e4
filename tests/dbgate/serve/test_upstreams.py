"""Ways to a real server: authentication methods, TLS modes as libpq means them, unix sockets, refusals."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from dbgate.catalog.postgres import read_catalog
from dbgate.net.queries import QueryFailed, run_query
from dbgate.net.reaching import UpstreamUnavailable
from dbgate.net.upstream import UpstreamConnection, connect, send_cancel
from dbgate.settings import Secret, Upstream, UpstreamTls
from dbgate.settings.model import TlsMode
from tests.live.certificates import Authority
from tests.live.servers import PASSWORD, Postgres

pytestmark = pytest.mark.live
#: seconds for TLS to say goodbye before the loop is closed
LINGER = 0.1


def upstream(server: Postgres, mode: TlsMode = TlsMode.PREFER, user: str = "app", **tls: Path) -> Upstream:
    return Upstream(server.host, user, "postgres", server.port, Secret(text=PASSWORD), UpstreamTls(mode, **tls), 5.0)


def reach(settings: Upstream, sql: str = "SELECT 1") -> tuple[bool, list[tuple[str | None, ...]]]:
    """(inside TLS?, rows)."""

    async def main() -> tuple[bool, list[tuple[str | None, ...]]]:
        try:
            connection = await connect(settings, {"application_name": "test"})
            found = connection.tls, await run_query(connection, sql)
            connection.close()
            return found
        finally:
            await asyncio.sleep(LINGER)

    return asyncio.run(main())


async def closed(connection: UpstreamConnection) -> None:
    connection.close()
    await asyncio.sleep(LINGER)


@pytest.mark.parametrize("mode", TlsMode)
@pytest.mark.parametrize("user", ["app", "app_md5", "app_password"])
def test_every_mode_and_method(server: Postgres, mode: TlsMode, user: str) -> None:
    root = {"root_certificate": server.authority.root} if mode.value.startswith("verify") else {}
    assert reach(upstream(server, mode, user, **root)) == (mode not in (TlsMode.DISABLE, TlsMode.ALLOW), [("1",)])


def test_a_client_certificate(server: Postgres) -> None:
    pair = server.clients["app_cert"]
    settings = upstream(server, TlsMode.REQUIRE, "app_cert", certificate=pair.certificate, key=pair.key)
    assert reach(settings, "SELECT current_user") == (True, [("app_cert",)])


@pytest.mark.parametrize("mode", [TlsMode.REQUIRE, TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL])
def test_another_authoritys_certificate_is_refused(server: Postgres, tmp_path: Path, mode: TlsMode) -> None:
    stranger = Authority(tmp_path)
    with pytest.raises(UpstreamUnavailable, match="certificate is not valid"):
        reach(upstream(server, mode, root_certificate=stranger.root))


def test_verify_full_wants_the_name_and_verify_ca_does_not(server: Postgres) -> None:
    root = server.authority.root
    other = "127.0.0.2"  # loopback too, but not in the certificate
    settings = replace(upstream(server, TlsMode.VERIFY_CA, root_certificate=root), host=other)
    try:
        assert reach(settings)[0]
    except UpstreamUnavailable as fault:
        if "connect" in fault.cause.lower():
            pytest.skip("the server doesn't listen on 127.0.0.2")
        raise
    with pytest.raises(UpstreamUnavailable, match="certificate is not valid"):
        reach(replace(settings, tls=replace(settings.tls, mode=TlsMode.VERIFY_FULL)))


def test_a_unix_socket(server: Postgres) -> None:
    if server.socket_directory is None:
        pytest.skip("the server is not our own")
    settings = replace(upstream(server, TlsMode.REQUIRE), host=str(server.socket_directory))
    assert reach(settings) == (False, [("1",)])


@pytest.mark.parametrize(
    ("changes", "sqlstate", "told"),
    [
        ({"password": Secret(text="wrong")}, "08004", "refused the gate's own login"),
        ({"database": "no_such_database"}, "3D000", "does not exist"),
        ({"port": 1}, "08006", "cannot be reached"),
        ({"host": "/nowhere"}, "08006", "cannot be reached"),
        ({"password": Secret(env="DBGATE_NOT_SET")}, "08006", "cannot be reached"),
    ],
)
def test_failures_have_a_code_and_tell_clients_nothing_secret(
    server: Postgres, changes: dict[str, object], sqlstate: str, told: str
) -> None:
    with pytest.raises(UpstreamUnavailable) as caught:
        reach(replace(upstream(server), **changes))  # type: ignore[arg-type]
    assert caught.value.sqlstate == sqlstate
    assert told in caught.value.message
    assert not {"wrong", "app", "no_such_database", "/nowhere"} & set(caught.value.message.split())


def test_a_failed_query_leaves_the_connection_usable(server: Postgres) -> None:
    async def main() -> list[tuple[str | None, ...]]:
        connection = await connect(upstream(server), {})
        with pytest.raises(QueryFailed, match="22012"):
            await run_query(connection, "SELECT 1/0")
        rows = await run_query(connection, "SELECT 'a', NULL, 'ü'")
        await closed(connection)
        return rows

    assert asyncio.run(main()) == [("a", None, "ü")]


def test_a_cancelled_query_closes_its_connection(server: Postgres) -> None:
    async def main() -> None:
        connection = await connect(upstream(server), {})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await run_query(connection, "SELECT pg_sleep(30)")
        with pytest.raises(UpstreamUnavailable):
            await run_query(connection, "SELECT 1")
        await closed(connection)

    asyncio.run(main())


@pytest.mark.parametrize("mode", [TlsMode.DISABLE, TlsMode.REQUIRE])
def test_cancel(server: Postgres, mode: TlsMode) -> None:
    async def main() -> None:
        connection = await connect(upstream(server, mode), {})
        asking = asyncio.create_task(run_query(connection, "SELECT pg_sleep(30)"))
        await asyncio.sleep(0.3)
        await send_cancel(connection)
        with pytest.raises(QueryFailed, match="57014"):
            await asking
        await closed(connection)

    asyncio.run(main())


def test_the_catalog_is_read_over_it(server: Postgres) -> None:
    async def main() -> str:
        connection = await connect(upstream(server), {})
        first, second = [await read_catalog(lambda sql: run_query(connection, sql)) for _ in range(2)]
        await closed(connection)
        assert first.find(("pg_class",), ("pg_catalog",)) is not None
        return "same" if first.version == second.version else "changed"

    assert asyncio.run(main()) == "same"
