"""What the tests of MySQL's wire share: a real server, a relay before it that can lie, and a gate before the relay."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.live import mysql_raw
from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer
from tests.live.mysql_tamper import Tampering

DATABASE: Final = "tampered"
#: the end of every value that a masked session must never be sent
SECRET: Final = b"@secret.example"
WORLD: Final = """
CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(50), email VARCHAR(80));
INSERT INTO customers VALUES (1, 'Ada', 'ada@secret.example'), (2, 'Bob', 'bob@secret.example');
CREATE TABLE api_keys (k VARCHAR(40));
INSERT INTO api_keys VALUES ('key@secret.example');
CREATE TABLE plain (id INT PRIMARY KEY, name VARCHAR(50));
INSERT INTO plain VALUES (1, 'x');
CREATE TABLE wide (id INT PRIMARY KEY AUTO_INCREMENT, long_text LONGTEXT);
"""
RULES: Final = """
version: 1
rules:
  - id: nearly-all
    roles: [agent]
    allow: {statements: ["*"], tables: ["*"]}
  - id: no-keys
    deny: {tables: [api_keys]}
  - id: mask
    roles: [agent]
    mask: {columns: [customers.email], with: redact}
"""


@dataclass(frozen=True, slots=True)
class Bed:
    """The gate's databases: `open` (all is allowed), `masked` (RULES). Without TLS behind the gate, so that the relay
    can read."""

    server: MysqlServer
    relay: Tampering
    gate: Gate
    directory: Path

    def login(
        self, database: str = "masked", capabilities: int = mysql_raw.OLD, timeout: float = 15.0
    ) -> AbstractContextManager[mysql_raw.Raw]:
        return contextlib.closing(self.raw(capabilities, timeout).login("agent", CLIENT_PASSWORD, database))

    def raw(self, capabilities: int = mysql_raw.OLD, timeout: float = 15.0) -> mysql_raw.Raw:
        return mysql_raw.Raw(self.gate.host, self.gate.mysql_ports[""], capabilities, timeout)

    def new_gate(self, directory: Path) -> Gate:
        reach = {"port": self.relay.port, "tls": {"mode": "disable"}}
        databases = {
            "open": Upstream(DATABASE, "allow_all", **reach),  # type: ignore[arg-type]
            "masked": Upstream(DATABASE, "masked", **reach),  # type: ignore[arg-type]
        }
        return Gate(directory, self.server, databases, rulebooks={"masked": RULES})


@contextlib.contextmanager
def prepared_bed(brand: Brand, directory: Path) -> Iterator[Bed]:
    with needed_mysql(brand) as server, contextlib.ExitStack() as stack:
        server.create_database(DATABASE)
        server.run(WORLD, DATABASE)
        relay = Tampering((server.host, server.port))
        stack.callback(relay.close)
        bed = Bed(server, relay, None, directory)  # type: ignore[arg-type]
        gate = bed.new_gate(directory / "gate")
        stack.callback(gate.stop)
        yield Bed(server, relay, gate, directory)
