"""Drivers read masked values of every type, from text and from binary rows of real servers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pymysql
import pytest

from rules.decision import Mask, MaskKind
from tests.live.masking_relay import Relay, masking_relay
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer
from tests.protocols.mysql.every_type import COLUMNS, OWN_COLUMNS, setup

DATABASE = "masked_types"
#: what a driver cannot read from the server itself either: PyMySQL takes a VECTOR for ASCII; Connector/Python does not
#: know that a YEAR has two bytes in a binary row
UNREAD = {"pymysql": {"ve"}, "connector, pure, prepared": {"y"}, "connector, C, prepared": {"y"}}
MASKS = (
    Mask(MaskKind.REDACT),
    Mask(MaskKind.NULL),
    Mask(MaskKind.HASH),
    Mask(MaskKind.KEEP_LAST, 2),
    Mask(MaskKind.EMAIL),
    Mask(MaskKind.ROUND, step=100),
    Mask(MaskKind.YEAR),
)
Rows = list[tuple[Any, ...]]
Reader = Callable[[int, str], Rows]


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: brand.value)
def server(request: pytest.FixtureRequest) -> Iterator[MysqlServer]:
    with needed_mysql(request.param) as started:
        started.create_database(DATABASE)
        started.run("CREATE USER relay@'%' IDENTIFIED BY ''; GRANT SELECT ON masked_types.* TO relay@'%'")
        with started.connect(DATABASE) as connection, connection.cursor() as cursor:
            for statement in setup(started.brand.value):
                cursor.execute(statement)
        yield started


@pytest.fixture(scope="module")
def relay(server: MysqlServer) -> Iterator[Relay]:
    with masking_relay(server.host, server.port, MASKS[0]) as running:
        yield running


def with_pymysql(port: int, query: str) -> Rows:
    options = {"host": "127.0.0.1", "port": port, "user": "relay", "database": DATABASE, "ssl_disabled": True}
    with pymysql.connect(**options) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def with_mysqlclient(port: int, query: str) -> Rows:
    mysqldb = pytest.importorskip("MySQLdb")
    with closing(
        mysqldb.connect(host="127.0.0.1", port=port, user="relay", database=DATABASE, charset="utf8mb4")
    ) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        return list(cursor.fetchall())


def with_connector(port: int, query: str, pure: bool, prepared: bool) -> Rows:
    connector = pytest.importorskip("mysql.connector")
    if not pure and not connector.HAVE_CEXT:
        pytest.skip("mysql-connector-python comes without its C extension here")
    options = {"host": "127.0.0.1", "port": port, "user": "relay", "database": DATABASE, "ssl_disabled": True}
    with closing(connector.connect(use_pure=pure, charset="utf8mb4", **options)) as connection:
        cursor = connection.cursor(prepared=prepared)
        cursor.execute(query)
        return list(cursor.fetchall())


READERS: dict[str, Reader] = {
    "pymysql": with_pymysql,
    "mysqlclient": with_mysqlclient,
    "connector, pure": lambda port, query: with_connector(port, query, True, False),
    "connector, pure, prepared": lambda port, query: with_connector(port, query, True, True),
    "connector, C": lambda port, query: with_connector(port, query, False, False),
    "connector, C, prepared": lambda port, query: with_connector(port, query, False, True),
}
#: what a driver makes of a value, by the first word of the column's type
KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "bool", "year"), (int,)),
    "decimal": (Decimal,),
    **dict.fromkeys(("float", "double"), (float,)),
    "date": (date,),
    **dict.fromkeys(("datetime", "timestamp"), (datetime,)),
    "time": (timedelta,),
    **dict.fromkeys(("geometry", "point", "polygon"), (bytes, bytearray)),  # Connector/Python: str where they are UTF-8
}


@pytest.mark.parametrize("mask", MASKS, ids=lambda mask: mask.kind.value)
@pytest.mark.parametrize("driver", READERS)
def test_drivers_read_masked_rows(server: MysqlServer, relay: Relay, driver: str, mask: Mask) -> None:
    every = (("n", "int"), *((name, kind) for name, kind, *_ in (*COLUMNS, *OWN_COLUMNS[server.brand.value])))
    columns = [(name, kind) for name, kind in every if name not in UNREAD.get(driver, ())]
    query = f"SELECT {', '.join(name for name, _ in columns)} FROM every_type ORDER BY n"
    plain = READERS[driver](server.port, query)
    relay.mask = mask
    masked = READERS[driver](relay.own_port, query)
    assert relay.troubles == []
    assert len(masked) == len(plain) == 4
    for row, original in zip(masked, plain, strict=True):
        for (name, kind), value, was in zip(columns, row, original, strict=True):
            check(name, kind.partition("(")[0].split()[0], mask, value, was)
    assert not any(masked[3][1:])  # all NULL


def check(name: str, kind: str, mask: Mask, value: Any, was: Any) -> None:
    """A zero date is None, or a text, to some drivers."""
    if value is None:
        assert was is None or mask.kind in (MaskKind.NULL, MaskKind.YEAR), name
        return
    assert isinstance(value, (*KINDS.get(kind, (type(was),)), type(was))), (name, value)
    assert "secret" not in str(value), name
    if kind == "json":
        json.loads(value if isinstance(value, bytes | bytearray) else str(value))
    if mask.kind is MaskKind.REDACT and not isinstance(value, bytes | bytearray) and kind in KINDS:
        assert str(value).startswith(("0", "2000")), (name, value)
