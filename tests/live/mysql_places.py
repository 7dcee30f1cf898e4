"""Where a test of a MySQL driver runs: against the server itself and through a gate, on both brands."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import PASSWORD, Brand, MysqlServer

DATABASE: Final = "drivers"
MASKED: Final = "masked"
MASKS: Final = """version: 1
rules:
  - id: everything
    allow: {statements: ["*"], tables: ["*"], functions: ["*"]}
  - id: hide
    mask: {columns: [people.email], with: {keep_last: 4}}
  - id: blind
    mask: {columns: [people.salary, people.born, people.photo, people.notes], with: redact}
"""
WORLD: Final = """
CREATE TABLE people (
    id INT PRIMARY KEY AUTO_INCREMENT COMMENT 'the number', name VARCHAR(50) NOT NULL, email VARCHAR(80),
    salary DECIMAL(10, 2), born DATE, photo BLOB, notes JSON, UNIQUE KEY people_name (name), KEY people_born (born)
) COMMENT 'who works here' DEFAULT CHARSET = utf8mb4;
CREATE TABLE pets (
    id INT PRIMARY KEY AUTO_INCREMENT, owner INT NOT NULL, kind ENUM('cat', 'dog') DEFAULT 'cat',
    weight DOUBLE, twice DOUBLE AS (weight * 2) STORED,
    CONSTRAINT pets_weight CHECK (weight >= 0),
    CONSTRAINT pets_owner FOREIGN KEY (owner) REFERENCES people (id) ON DELETE CASCADE
) DEFAULT CHARSET = utf8mb4;
CREATE VIEW owners AS SELECT p.id, p.name, count(q.id) AS pets FROM people p JOIN pets q ON q.owner = p.id
    GROUP BY p.id, p.name;
CREATE PROCEDURE add_up(IN a INT, IN b INT, OUT total INT) BEGIN SET total = a + b; SELECT a, b; END;
INSERT INTO people (name, email, salary, born, photo, notes) VALUES
    ('Ada', 'ada@example.com', 1200.50, '1815-12-10', X'00FF27', '{"a": 1}'), ('Błażej', NULL, NULL, NULL, NULL, NULL);
INSERT INTO pets (owner, kind, weight) VALUES (1, 'dog', 12.5), (1, 'cat', NULL);
"""


@dataclass(frozen=True, slots=True)
class MysqlPlace:
    """One address with a user that can log in there."""

    server: MysqlServer
    port: int
    database: str
    user: str
    password: str
    through_gate: bool
    root: Path | None = None  # the authority to check TLS with; None: no TLS

    @property
    def mariadb(self) -> bool:
        return self.server.brand is Brand.MARIADB

    @property
    def login(self) -> dict[str, Any]:
        """The words that all drivers share."""
        return {
            "host": "localhost" if self.root else "127.0.0.1",
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
        }

    def context(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=str(self.root)) if self.root else None

    def url(self, driver: str, **query: str) -> str:
        """SQLAlchemy's."""
        words = "&".join(f"{key}={value}" for key, value in query.items())
        address = f"127.0.0.1:{self.port}/{self.database}"
        return f"mysql+{driver}://{self.user}:{self.password}@{address}{'?' if words else ''}{words}"


@dataclass(frozen=True, slots=True)
class Stand:
    """A server and its gate."""

    server: MysqlServer
    gate: Gate

    def place(self, through_gate: bool, tls: bool = False, database: str = DATABASE) -> MysqlPlace:
        root = self.server.authority.root if tls else None
        if through_gate:
            return MysqlPlace(self.server, self.gate.mysql_ports[""], database, "agent", CLIENT_PASSWORD, True, root)
        return MysqlPlace(self.server, self.server.port, DATABASE, "app", PASSWORD, False, root)


@contextmanager
def stand(brand: Brand, directory: Path) -> Iterator[Stand]:
    """A server with WORLD, behind a gate that offers it under two names: without masks, and by MASKS."""
    with ExitStack() as stack:
        server = stack.enter_context(needed_mysql(brand))
        server.create_database(DATABASE)
        server.run(WORLD, DATABASE)
        upstreams = {DATABASE: Upstream(DATABASE, "allow_all"), MASKED: Upstream(DATABASE, MASKED)}
        gate = Gate(directory, server, upstreams, server.authority.server("gate"), rulebooks={MASKED: MASKS})
        stack.callback(gate.stop)
        yield Stand(server, gate)
