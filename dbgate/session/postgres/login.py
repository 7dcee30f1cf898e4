"""What the login settled about a session, and its bounds."""

from __future__ import annotations

from dataclasses import dataclass

from dbgate.session.postgres.redacted import ISO, TextStyle


@dataclass(frozen=True, slots=True)
class SessionLogin:
    """`session`: the session's id (UUIDv7 text). `job`: what the client says of itself (`application_name`), so
    `job_verified` is False until tokens carry it. `search_path`: the effective schemas, implicit ones included, as
    `current_schemas(true)` gives them. `protocol`: the client's (major, minor). `style`: how the server prints
    dates at first."""

    session: str
    identity: str
    role: str
    database: str
    job: str = ""
    job_verified: bool = False
    search_path: tuple[str, ...] = ("pg_catalog", "public")
    protocol: tuple[int, int] = (3, 0)
    style: TextStyle = ISO


@dataclass(frozen=True, slots=True)
class Limits:
    """`client_message`, `upstream_message`: the largest message kept whole, in bytes. COPY data from the server and
    unmasked rows pass in pieces and know no bound; a client's CopyData is kept whole. `outstanding`: requests without a
    reply before the client must wait. `prepared`, `prepared_bytes`: prepared statements that a session may hold, and
    the bytes of their texts."""

    client_message: int = 256 * 1024 * 1024
    upstream_message: int = 256 * 1024 * 1024
    outstanding: int = 10_000
    prepared: int = 10_000
    prepared_bytes: int = 64 * 1024 * 1024
