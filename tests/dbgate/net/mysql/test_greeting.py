"""What a listener says first, and which databases it stands for."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Any

import pytest

from dbgate.net.client_login import LoginRefused
from dbgate.net.mysql import greeting
from dbgate.net.mysql.greeting import Greeted, Server
from dbgate.net.mysql.settling import mode_problem
from dbgate.settings.model import Address, Database, Protocol, Upstream
from protocols.mysql.capabilities import Capability

MYSQL = Server("9.7.4", Capability.QUERY_ATTRIBUTES | Capability.SESSION_TRACK)
MARIADB = Server("5.5.5-10.11.19-MariaDB", Capability.SESSION_TRACK)


@dataclass
class Served:
    """A LiveDatabase, as far as a greeting goes."""

    settings: Database
    server: Server | None = None
    policy: Any = field(default_factory=object)
    problem: str = "no answer"


def served(name: str, server: Server | None, *, alone: bool = False, protocol: Protocol = Protocol.MYSQL) -> Served:
    listen = (Address("127.0.0.1", 1),) if alone else ()
    settings = Database(name, Upstream("h", "u", "d"), (), protocol=protocol, listen=listen)
    return Served(settings, server, object() if server or protocol is Protocol.POSTGRESQL else None)


def of(*databases: Served, only: str = "") -> Greeted:
    found = greeting.of({each.settings.name: each for each in databases}, only)  # type: ignore[misc]
    assert isinstance(found, Greeted)
    return found


def test_those_who_share_an_address() -> None:
    postgres, alone = served("pg", None, protocol=Protocol.POSTGRESQL), served("alone", MARIADB, alone=True)
    found = of(postgres, alone, served("one", MYSQL), served("two", None))
    assert found == Greeted("9.7.4", MYSQL.capabilities, frozenset({"one", "two"}))
    assert of(postgres, alone, served("one", MYSQL), only="alone").databases == {"alone"}


def test_what_all_servers_have() -> None:
    older = Server("8.0.20", Capability.SESSION_TRACK)
    assert of(served("one", MYSQL), served("two", older)).capabilities == Capability.SESSION_TRACK
    # another brand's do not count: nobody gets there
    assert of(served("one", MYSQL), served("two", MARIADB)).capabilities == MYSQL.capabilities


def test_a_database_of_the_other_brand() -> None:
    one, two = served("one", MYSQL), served("two", MARIADB)
    found = of(one, two)
    found.check("one", one)  # type: ignore[arg-type]
    with pytest.raises(LoginRefused, match='speaks mysql, and "two" is mariadb') as caught:
        found.check("two", two)  # type: ignore[arg-type]
    assert "databases.two.listen" in caught.value.hint


@pytest.mark.parametrize(("only", "why"), [("", "no answer"), ("one", "no answer"), ("gone", "no longer served")])
def test_nobody_to_speak_for(only: str, why: str) -> None:
    found = greeting.of({"one": served("one", None)}, only)  # type: ignore[dict-item]
    assert isinstance(found, LoginRefused)
    assert why in found.message


def test_turned_away_as_servers_do_it() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        asyncio.run(greeting.turn_away(ours, LoginRefused("57P03", "not now")))
        told = theirs.recv(100)
    assert told == b"\x0a\0\0\0\xff" + (1429).to_bytes(2, "little") + b"not now"


@pytest.mark.parametrize(
    ("mode", "named"),
    [
        ("", ""),
        ("STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION", ""),
        ("REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES", "ANSI_QUOTES, PIPES_AS_CONCAT"),
        ("no_backslash_escapes", "NO_BACKSLASH_ESCAPES"),
    ],
)
def test_modes_that_change_how_sql_is_read(mode: str, named: str) -> None:
    assert mode_problem(mode) == (f"take {named} out of the server's global sql_mode" if named else "")
