"""The settings as values. What each means stands in the manual's page on the settings file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from dbgate.settings.secrets import Secret


@dataclass(frozen=True, slots=True)
class Address:
    """TCP host and port, or the path of a unix socket."""

    host: str = ""
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ClientTls:
    certificate: Path
    key: Path
    required: bool = False


class TlsMode(Enum):
    """libpq's sslmode."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"


@dataclass(frozen=True, slots=True)
class UpstreamTls:
    mode: TlsMode = TlsMode.PREFER
    root_certificate: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Protocol(Enum):
    """What is spoken on both sides. MariaDB is told from MySQL by its greeting."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


#: where servers listen unless told otherwise
STANDARD_PORTS = {Protocol.POSTGRESQL: 5432, Protocol.MYSQL: 3306}


@dataclass(frozen=True, slots=True)
class Upstream:
    """`host`: a name, an address, or the absolute directory of a unix socket (MySQL: or the socket itself). Times in
    seconds. `public_key`: of a MySQL server, with which passwords are sealed where there is no TLS; else it is asked
    for."""

    host: str
    user: str
    database: str
    port: int = 5432
    password: Secret | None = None
    tls: UpstreamTls = UpstreamTls()
    connect_timeout: float = 10.0
    public_key: Path | None = None


@dataclass(frozen=True, slots=True)
class Database:
    """`listen`: addresses of its own, where clients need not name it, and the only ones that lead to it; else those
    that it shares with the other databases of its protocol."""

    name: str
    upstream: Upstream
    rules: tuple[Path, ...]
    refresh: float = 30.0  # seconds between two looks at the catalog
    protocol: Protocol = Protocol.POSTGRESQL
    listen: tuple[Address, ...] = ()


class Authentication(Enum):
    SCRAM = "scram"
    PASSWORD = "password"  # noqa: S105  (cleartext, only over TLS or loopback)


@dataclass(frozen=True, slots=True)
class User:
    """`native_verifier`: for mysql_native_password, which works only where it is set."""

    name: str
    role: str
    verifier: str = field(repr=False)
    databases: tuple[str, ...]
    authentication: Authentication = Authentication.SCRAM
    job: str = ""
    native_verifier: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Mysql:
    """Where clients of MySQL and MariaDB databases connect."""

    listen: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Gate:
    """Times in seconds. `listen`: for PostgreSQL's clients. `half_open`: connections that may be logging in at once,
    for each worker. `decision_cache`: bytes that the decisions which a worker remembers may take."""

    name: str = "dbgate"
    listen: tuple[Address, ...] = (Address("127.0.0.1", 6432),)
    workers: int = 1
    directory: Path = Path("dbgate-data")
    drain: float = 30.0
    authentication_timeout: float = 60.0
    half_open: int = 200
    connections: int = 10_000
    decision_cache: int = 32 << 20
    tls: ClientTls | None = None
    mysql: Mysql = Mysql()


@dataclass(frozen=True, slots=True)
class Control:
    listen: Address | None = None


@dataclass(frozen=True, slots=True)
class Masking:
    key: Secret | None = None


@dataclass(frozen=True, slots=True)
class ClickHouse:
    url: str
    user: str = "default"
    password: Secret | None = None
    database: str = "dbgate"


class Durability(Enum):
    OS = "os"
    FSYNC = "fsync"


class WhenFull(Enum):
    HOLD = "hold"
    PASS = "pass"  # noqa: S105


class StatementTexts(Enum):
    KEEP = "keep"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Audit:
    durability: Durability = Durability.OS
    max_bytes: int = 1 << 30
    when_full: WhenFull = WhenFull.HOLD
    clickhouse: ClickHouse | None = None
    statements: StatementTexts = StatementTexts.KEEP


@dataclass(frozen=True, slots=True)
class Settings:
    """`file`: where they were read, absolute; relative paths in it are resolved against its directory."""

    file: Path
    gate: Gate
    databases: Mapping[str, Database]
    users: Mapping[str, User]
    control: Control = Control()
    masking: Masking = Masking()
    audit: Audit = Audit()
