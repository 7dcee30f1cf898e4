"""Questions to the audit: what may be asked, and the form in which the control socket answers.

On embedded chDB one process owns the tables: the control process. `dbgate audit query` asks it over the Unix socket
`<directory>/control.sock`: POST /audit/query with `{"sql": ...}`, answered by what `handle_query` returns.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import aiohttp

from dbgate.audit.errors import QueryRefused, StoreUnavailable

if TYPE_CHECKING:
    from dbgate.audit.store import Result, Store

QUERY_PATH = "/audit/query"
CONTROL_SOCKET = "control.sock"

READING = ("SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS")

_COMMENT = re.compile(r"\s+|--[^\n]*(?:\n|$)|/\*.*?\*/", re.DOTALL)
_WORD = re.compile(r"\(*\s*([A-Za-z]+)")
_OUTFILE = re.compile(r"\boutfile\b", re.IGNORECASE)


def require_reading(sql: str) -> str:
    """The one statement in `sql`, without its closing semicolon. QueryRefused unless it only reads. The engine runs it
    with `readonly` besides."""
    statement = sql.strip().rstrip(";").rstrip()
    word = _first_word(statement)
    if word not in READING:
        raise QueryRefused(f"{word or 'an empty query'} is not allowed here: begin with one of {', '.join(READING)}")
    if ";" in statement:
        raise QueryRefused("one statement at a time; a semicolon inside a string is written char(59)")
    if _OUTFILE.search(statement):
        raise QueryRefused("INTO OUTFILE is not allowed here: use --format csv and redirect the output")
    return statement


async def handle_query(store: Store, sql: str, flush: Callable[[], Awaitable[object]] | None = None) -> dict[str, Any]:
    """Answer one question: `{"columns": [...], "rows": [[...], ...]}` of JSON values, or `{"error": text}`.

    `flush` (the shipper's) is awaited first, so that the answer knows what has just happened; when ClickHouse does not
    take events now, the question is put anyway.
    """
    try:
        if flush is not None:
            await _flush(flush)
        return to_json(await store.query(sql))
    except (QueryRefused, StoreUnavailable) as error:
        return {"error": str(error)}


async def ask_control(directory: Path, sql: str) -> dict[str, Any] | None:
    """Put the question to the running control process; its answer, None when no gate runs here."""
    socket = directory / CONTROL_SOCKET
    if not socket.is_socket():
        return None
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
            session.post(f"http://control{QUERY_PATH}", json={"sql": sql}) as response,
        ):
            return _answer(await response.json(content_type=None), response.status)
    except aiohttp.ClientConnectorError:
        return None  # the socket of a gate that is gone
    except (aiohttp.ClientError, ValueError) as error:
        raise StoreUnavailable(f"the gate at {socket} did not answer the query: {error}") from error


def to_json(result: Result) -> dict[str, Any]:
    """JSON values only: times in ISO 8601, ids and decimals as text."""
    return {"columns": list(result.columns), "rows": [[_plain(value) for value in row] for row in result.rows]}


def _first_word(sql: str) -> str:
    position = 0
    while (skipped := _COMMENT.match(sql, position)) is not None:
        position = skipped.end()
    word = _WORD.match(sql, position)
    return word.group(1).upper() if word else ""


async def _flush(flush: Callable[[], Awaitable[object]]) -> None:
    try:
        await flush()
    except StoreUnavailable:
        return  # the shipper says so itself, and tries again


def _answer(body: object, status: int) -> dict[str, Any]:
    if isinstance(body, dict) and ("error" in body or {"columns", "rows"} <= body.keys()):
        return body
    raise StoreUnavailable(f"the gate answered {status} without a result; is it another version?")


def _plain(value: Any) -> Any:
    for kind, form in _FORMS:
        if isinstance(value, kind):
            return form(value)
    return value


_FORMS: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    ((bool, int, float, str), lambda value: value),
    ((list, tuple), lambda value: [_plain(item) for item in value]),
    (dict, lambda value: {str(key): _plain(item) for key, item in value.items()}),
    ((datetime, date), lambda value: value.isoformat()),
    (bytes, lambda value: value.decode("utf-8", "backslashreplace")),
    ((UUID, Decimal, IPv4Address, IPv6Address), str),
)
