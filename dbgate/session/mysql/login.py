"""What the login settled about a session, its bounds, and what is set in the server for its sake."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from protocols.mysql.capabilities import Capability
from rules.limits import Limits as RoleLimits

NONE: Final = Capability(0)


class Brand(Enum):
    MYSQL = "mysql"
    MARIADB = "mariadb"


@dataclass(frozen=True, slots=True)
class SessionLogin:
    """`session`: the session's id (UUIDv7 text). `job`: what the client says of itself, so `job_verified` is False
    until tokens carry it. `database`: the gate's name of the database; `default_database`: the server's schema that is
    the default one at first, empty for none. `client`, `upstream`: what was agreed on each side, upstream
    no more than the client has but for SESSION_TRACK. `connection_id`: the
    one that the gate gave the client. `charset`: MySQL's name of the client's character set (utf8mb4, latin1 ...)."""

    session: str
    identity: str
    role: str
    database: str
    job: str = ""
    job_verified: bool = False
    default_database: str = ""
    client: Capability = NONE
    upstream: Capability = NONE
    brand: Brand = Brand.MYSQL
    server_version: str = ""
    connection_id: int = 0
    charset: str = "utf8mb4"


@dataclass(frozen=True, slots=True)
class Limits:
    """`client_message`, `upstream_message`: the largest message kept whole, in bytes; unmasked rows pass in pieces and
    know no bound. `waiting`: bytes of later commands that are read while one is outstanding. `prepared`,
    `prepared_bytes`: prepared statements that a session may hold, and the bytes of their texts."""

    client_message: int = 256 * 1024 * 1024
    upstream_message: int = 256 * 1024 * 1024
    waiting: int = 1024 * 1024
    prepared: int = 10_000
    prepared_bytes: int = 64 * 1024 * 1024


#: The session variable that ends a long statement, and its unit in milliseconds.
TIMEOUT: Final = {Brand.MYSQL: ("max_execution_time", 1), Brand.MARIADB: ("max_statement_time", 1000)}
#: The modes in which the server reads the same text otherwise than the gate (manual 7.1.11, MariaDB's SQL_MODE page).
LEXICAL_MODES: Final = frozenset(
    {
        *("ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT", "HIGH_NOT_PRECEDENCE", "IGNORE_SPACE", "ANSI"),
        *("ORACLE", "MSSQL", "DB2", "POSTGRESQL", "MAXDB", "MYSQL323", "MYSQL40", "EMPTY_STRING_IS_NULL"),
    }
)
#: The character sets in which ASCII bytes stand for themselves alone, so that no byte hides a quote or a backslash.
CHARSETS: Final = frozenset({"utf8mb4", "utf8mb3", "utf8", "latin1", "ascii"})


def pin_texts(brand: Brand, charset: str, limits: RoleLimits | None) -> tuple[str, ...]:
    """What is sent to the server at login, before the client's first command, and again after COM_RESET_CONNECTION:
    statements that answer with OK. The server's own report of changes covers sql_mode from then on."""
    texts = [
        f"SET NAMES {charset}",
        "SET SESSION session_track_schema = 1, session_track_system_variables = "
        "'autocommit,character_set_client,character_set_connection,character_set_results,sql_mode,time_zone'",
        "SET SESSION sql_mode = @@sql_mode",  # so that the server reports which one it is
    ]
    if limits is not None and limits.time is not None:
        name, unit = TIMEOUT[brand]
        amount = limits.time.amount / unit
        texts.append(f"SET SESSION {name} = {amount if unit > 1 else int(amount)}")
    return tuple(texts)


def lexical_modes(sql_mode: str) -> frozenset[str]:
    """Those of the modes of a `@@sql_mode` that the gate cannot read by."""
    return LEXICAL_MODES & {mode.strip() for mode in sql_mode.upper().split(",")}
