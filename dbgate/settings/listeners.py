"""Where the gate listens, and whether every database can be reached there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dbgate.settings.model import Address, Database, Gate, Protocol, Settings
from dbgate.settings.nodes import Node


@dataclass(frozen=True, slots=True)
class Listener:
    """What clients of `address` speak. `database`: the only one that is reached there; empty: those of the protocol
    that have no address of their own."""

    address: Address
    protocol: Protocol
    database: str = ""

    def __str__(self) -> str:
        words = [self.protocol.value] * (self.protocol is not Protocol.POSTGRESQL) + [self.database] * bool(
            self.database
        )
        return f"{self.address} ({' '.join(words)})" if words else str(self.address)


def listeners(settings: Settings) -> tuple[Listener, ...]:
    """All of them, PostgreSQL's first."""
    return tuple(listener for _, listener in _all(settings.gate, settings.databases))


def _all(gate: Gate, databases: Mapping[str, Database]) -> Iterator[tuple[str, Listener]]:
    """With the place in the settings that says so."""
    for address in gate.listen:
        yield "gate.listen", Listener(address, Protocol.POSTGRESQL)
    for address in gate.mysql.listen:
        yield "gate.mysql.listen", Listener(address, Protocol.MYSQL)
    for database in databases.values():
        for address in database.listen:
            yield f"databases.{database.name}.listen", Listener(address, database.protocol, database.name)


def check_listeners(root: Node, gate: Gate, databases: Mapping[str, Database]) -> None:
    """Reports an address that is named twice, and a database that no client could reach."""
    known: dict[str, str] = {}
    for place, listener in _all(gate, databases):
        address = str(listener.address)
        if address in known and (listener.address.port or listener.address.path):  # port 0: any free one
            _report(root, place, f"{address} is {known[address]} already", "give each listener an address of its own")
        known.setdefault(address, place)
    for database in databases.values():
        _check_database(root, gate, database)


def _check_database(root: Node, gate: Gate, database: Database) -> None:
    place = f"databases.{database.name}"
    if database.protocol is Protocol.POSTGRESQL and database.listen:
        mend = "leave it out: PostgreSQL's clients name their database, and come through gate.listen"
        _report(root, f"{place}.listen", "is for databases with protocol: mysql", mend)
    if database.protocol is Protocol.MYSQL and not database.listen and not gate.mysql.listen:
        mend = f"write gate: {{mysql: {{listen: 127.0.0.1:3307}}}}, or listen: 127.0.0.1:3307 under {place}"
        _report(root, f"{place}.protocol", "is mysql, and the gate has no address for MySQL's clients", mend)


def _report(root: Node, place: str, what: str, mend: str) -> None:
    """At the key itself, or at the nearest one around it that the file has."""
    mapping, at = root.data, root.at
    for key in place.split(".", 1)[:1] + _inner(place):
        if not hasattr(mapping, "lc") or key not in mapping:
            break
        line, column = mapping.lc.key(key)
        mapping, at = mapping[key], (line, column)
    root.report.add(at, f"{place} {what}", mend=mend)


def _inner(place: str) -> list[str]:
    """The keys below the first: a database's name may hold dots, what comes after it doesn't."""
    first, _, rest = place.partition(".")
    if first != "databases":
        return rest.split(".")
    name, _, key = rest.rpartition(".")
    return [name, key]
