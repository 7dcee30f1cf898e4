"""The server's side of a session before the client's first statement: does it read SQL as the gate does?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dbgate.net.client_login import LoginRefused
from dbgate.net.mysql.queries import run_query
from dbgate.net.mysql.upstream import UpstreamConnection
from dbgate.session.mysql.login import Brand, lexical_modes, pin_texts
from rules.limits import Limits

#: 08004: the server rejected the connection
REJECTED: Final = "08004"
QUESTION: Final = (
    "SELECT @@session.sql_mode, @@version, @@lower_case_table_names, DATABASE(), @@session.character_set_client, "
    "@@session.character_set_connection"
)
SET_NAMES: Final = "SET NAMES "


@dataclass(frozen=True, slots=True)
class Ground:
    """What a session begins on. `database`: the server's default database, empty for none."""

    version: str
    lower_case_table_names: int
    database: str


async def settle(upstream: UpstreamConnection, charset: str, limits: Limits | None) -> Ground:
    """Pins what the gate relies on. Raises LoginRefused for a server that reads SQL otherwise, QueryFailed, and
    UpstreamUnavailable."""
    mode, version, names, database, client, connection = (await run_query(upstream, QUESTION))[0]
    if problem := mode_problem(mode or ""):
        raise LoginRefused(REJECTED, "the database behind the gate reads SQL otherwise than the gate", problem)
    pinned = client == connection == charset  # by the handshake, with the very collation that the client named
    for text in pin_texts(brand_of(upstream), charset, limits):
        if not (pinned and text.startswith(SET_NAMES)):
            await run_query(upstream, text)
    return Ground(version or "", int(names or 0), database or "")


def brand_of(upstream: UpstreamConnection) -> Brand:
    return Brand(upstream.brand.value)


def mode_problem(sql_mode: str) -> str:
    """What to do about modes in which the server reads the same text otherwise; empty when there are none."""
    found = ", ".join(sorted(lexical_modes(sql_mode)))
    return f"take {found} out of the server's global sql_mode" if found else ""
