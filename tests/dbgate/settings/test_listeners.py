"""Which addresses the gate listens on, and what is told about those that can't be."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbgate.settings import Address, SettingsError, parse_settings
from dbgate.settings.listeners import listeners
from dbgate.settings.model import Protocol

FILE = Path("/etc/dbgate/dbgate.yaml")


def database(name: str, **keys: str) -> str:
    words = "".join(f"    {key}: {value}\n" for key, value in keys.items())
    return f"  {name}:\n    upstream: {{user: app}}\n    rules: [r.yaml]\n{words}"


def parse(gate: str, *databases: str):
    return parse_settings(f"gate: {gate}\ndatabases:\n{''.join(databases)}", FILE)


def problems(gate: str, *databases: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        parse(gate, *databases)
    return [str(problem).removeprefix(f"{FILE}:") for problem in caught.value.problems]


def test_both_protocols() -> None:
    orders, own = database("orders", protocol="mysql"), database("own", protocol="mysql", listen='["[::1]:3308"]')
    settings = parse("{mysql: {listen: [127.0.0.1:3307, 'unix:/run/my.sock']}}", database("shop"), orders, own)
    assert [str(listener) for listener in listeners(settings)] == [
        "127.0.0.1:6432", "127.0.0.1:3307 (mysql)", "unix:/run/my.sock (mysql)", "[::1]:3308 (mysql own)",
    ]  # fmt: skip
    assert settings.databases["orders"].protocol is Protocol.MYSQL
    assert (settings.databases["orders"].upstream.port, settings.databases["orders"].upstream.database) == (
        3306,
        "orders",
    )
    assert settings.databases["shop"].upstream.port == 5432


def test_a_gate_for_mysql_alone_opens_nothing_for_postgresql() -> None:
    settings = parse("{mysql: {listen: 127.0.0.1:3307}}", database("orders", protocol="mysql"))
    assert settings.gate.listen == ()
    asked = parse("{listen: 127.0.0.1:1, mysql: {listen: 127.0.0.1:3307}}", database("orders", protocol="mysql"))
    assert asked.gate.listen == (Address("127.0.0.1", 1),)


def test_a_database_of_its_own_address_needs_no_shared_one() -> None:
    settings = parse("{}", database("orders", protocol="mysql", listen="127.0.0.1:3307"))
    assert [str(listener) for listener in listeners(settings)] == ["127.0.0.1:3307 (mysql orders)"]


def test_a_mysql_database_that_nobody_could_reach() -> None:
    assert problems("{name: g}", database("orders", protocol="mysql")) == [
        "6:5  databases.orders.protocol is mysql, and the gate has no address for MySQL's clients  write gate: {mysql: "
        "{listen: 127.0.0.1:3307}}, or listen: 127.0.0.1:3307 under databases.orders"
    ]


@pytest.mark.parametrize("address", ["127.0.0.1:3307", "unix:/run/my.sock"])
def test_one_address_twice(address: str) -> None:
    one, two = (database(name, protocol="mysql", listen=f'"{address}"') for name in ("one", "two"))
    found = problems("{}", one, two)
    assert len(found) == 1
    assert found[0].startswith(f"12:5  databases.two.listen {address} is databases.one.listen already")
    assert (
        "gate.mysql.listen 127.0.0.1:6432 is gate.listen already"
        in problems("{mysql: {listen: 127.0.0.1:6432}}", database("shop"))[0]
    )


def test_any_free_port_may_be_asked_for_twice() -> None:
    one, two = (database(name, protocol="mysql", listen="127.0.0.1:0") for name in ("one", "two"))
    assert len(listeners(parse("{}", one, two))) == 2


def test_postgresql_has_no_addresses_of_a_database() -> None:
    assert (
        "databases.shop.listen is for databases with protocol: mysql"
        in problems("{}", database("shop", listen="127.0.0.1:3307"))[0]
    )


@pytest.mark.parametrize(("word", "right"), [("mariadb", "mysql"), ("postgres", "postgresql")])
def test_a_protocol_by_another_name(word: str, right: str) -> None:
    found = problems("{}", database("shop", protocol=word))
    assert found == [f'6:5  databases.shop.protocol "{word}" is none of postgresql, mysql  write {right}']


@pytest.mark.parametrize("value", ["1", "[]", "{}", "nowhere"])
def test_nonsense_for_an_address(value: str) -> None:
    assert problems(f"{{mysql: {{listen: {value}}}}}", database("orders", protocol="mysql"))
