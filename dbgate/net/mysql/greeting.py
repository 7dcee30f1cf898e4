"""What a listener says first: the version and the capabilities of the servers behind it, as the gate last met them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from dbgate.net.client_login import LoginRefused
from dbgate.net.mysql.upstream import CANNOT_CONNECT
from dbgate.net.sessions import CANNOT_CONNECT_NOW, Database
from dbgate.settings.model import Protocol
from protocols.mysql import packets
from protocols.mysql.capabilities import Capability
from protocols.mysql.handshake import Brand, brand_of
from protocols.mysql.replies import error


@dataclass(frozen=True, slots=True)
class Server:
    """A server as it greeted the gate."""

    version: str
    capabilities: Capability

    @property
    def brand(self) -> Brand:
        return brand_of(self.version)


@dataclass(frozen=True, slots=True)
class Greeted:
    """What a client was told. `databases`: all that it may name."""

    server_version: str
    capabilities: Capability
    databases: frozenset[str]

    def check(self, name: str, database: Database) -> None:
        """A session speaks the dialect that its greeting promised. Raises LoginRefused."""
        server = database.server
        if server is not None and server.brand is not brand_of(self.server_version):
            raise LoginRefused(
                CANNOT_CONNECT_NOW,
                f'this address speaks {brand_of(self.server_version).value}, and "{name}" is {server.brand.value}',
                f"give one of them an address of its own: databases.{name}.listen",
            )


def of(databases: Mapping[str, Database], only: str) -> Greeted | LoginRefused:
    """`only`: the database that the listener belongs to; empty for those without a listener of their own. Where they
    are of different brands, the first one's counts."""
    here = {name: each for name, each in databases.items() if name == only or (not only and _shares(each))}
    servers = [each.server for each in here.values() if each.server is not None and each.policy is not None]
    if not servers:
        why = next((each.problem for each in here.values()), "it is no longer served")
        return LoginRefused(CANNOT_CONNECT_NOW, f"the gate cannot serve any database here now: {why}")
    common = servers[0].capabilities
    for server in servers:
        if server.brand is servers[0].brand:
            common &= server.capabilities
    return Greeted(servers[0].version, common, frozenset(here))


def _shares(database: Database) -> bool:
    return database.settings.protocol is Protocol.MYSQL and not database.settings.listen


async def turn_away(client: socket.socket, refusal: LoginRefused) -> None:
    """In place of the greeting, as servers do it: an error without an SQLSTATE."""
    told = error(CANNOT_CONNECT, refusal.sqlstate, refusal.message).encode(Capability(0))
    try:
        client.setblocking(False)
        await asyncio.get_running_loop().sock_sendall(client, packets.encode(told, 0))
    finally:
        client.close()
