"""The packets that end results: what they say of the session, and how the client is to have them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from dbgate.session.mysql.effects import server_name
from dbgate.session.mysql.login import CHARSETS, lexical_modes
from dbgate.session.mysql.state import NO_STATUS, Exchange, FatalError, State
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.charsets import BY_NAME, UTF8MB4
from protocols.mysql.replies import EOF_HEADER, ColumnDefinition, Eof, Ok
from protocols.mysql.session_track import SessionChange, TrackType

#: Modes in which the server reads texts otherwise than the gate, as each reply tells.
OTHER_READING: Final = StatusFlag.NO_BACKSLASH_ESCAPES
WARNINGS: Final = re.compile(rb"Warnings: [0-9]+")


# ---------------------------------------------------------------- what they say


def noted_status(state: State, value: Ok | Eof) -> None:
    """Raises FatalError when the server would read the next text otherwise than the gate."""
    state.status = value.status
    if OTHER_READING in value.status:
        raise FatalError(1105, "HY000", "dbgate: sql_mode became NO_BACKSLASH_ESCAPES; the gate does not read SQL so")
    if isinstance(value, Ok) and value.changes:
        for change in value.changes:
            _note_change(state, change)


def _note_change(state: State, change: SessionChange) -> None:
    if change.type == TrackType.SCHEMA:
        state.use_database(server_name(state, change.text().decode("utf-8", "surrogateescape")))
    elif change.type == TrackType.SYSTEM_VARIABLES:
        for name, value in change.variables():
            if (note := NOTED.get(name.lower())) is not None:
                note(state, value.decode("utf-8", "replace"))


def _note_charset(state: State, value: str) -> None:
    if value.lower() not in CHARSETS:
        told = f"dbgate: character_set_client became {value}; the gate reads SQL in utf8mb4, utf8mb3, latin1 and ascii"
        raise FatalError(1105, "HY000", told)
    state.charset = BY_NAME[value.lower()]
    state.memory.forget()


def _note_sql_mode(state: State, value: str) -> None:
    if found := lexical_modes(value):
        told = f"dbgate: sql_mode became {', '.join(sorted(found))}; the gate does not read SQL so"
        raise FatalError(1105, "HY000", told)


def _note_results(state: State, value: str) -> None:
    """Empty: results come in each column's own character set, names as they are kept."""
    state.results = BY_NAME.get(value.lower(), UTF8MB4)


def _note_zone(state: State, value: str) -> None:
    state.own_zone = False


NOTED: Final = {
    b"character_set_results": _note_results,
    b"time_zone": _note_zone,
    b"character_set_client": _note_charset,
    b"sql_mode": _note_sql_mode,
}


# ---------------------------------------------------------------- how the client is to have them


def ending(state: State, exchange: Exchange, value: Ok | Eof) -> bytes | None:
    """The payload for the client, or None when the server's own packet may pass."""
    client, upstream = state.login.client, state.login.upstream
    shown = _without_warnings(value) if exchange.hides else value
    differ = client ^ upstream
    if shown is value and not exchange.shift and not _translated(value, differ):
        return None
    if isinstance(shown, Ok) and shown.header != EOF_HEADER:
        return shown.encode(client)
    if Capability.DEPRECATE_EOF not in client:
        return Eof(shown.status, shown.warnings).encode(client)
    if isinstance(shown, Ok):
        return shown.encode(client)
    promised = NO_STATUS if exchange.stream is None else exchange.stream.promised
    return Ok(0, 0, shown.status | promised, shown.warnings, header=EOF_HEADER).encode(client)


def _translated(value: Ok | Eof, differ: Capability) -> bool:
    if not differ:
        return False
    if Capability.SESSION_TRACK in differ and StatusFlag.SESSION_STATE_CHANGED in value.status:
        return True
    rows = isinstance(value, Eof) or value.header == EOF_HEADER
    return rows and Capability.DEPRECATE_EOF in differ


def _without_warnings(value: Ok | Eof) -> Ok | Eof:
    """How many warnings a statement on hidden data has could tell of the data."""
    if isinstance(value, Eof):
        return replace(value, warnings=0) if value.warnings else value
    info = WARNINGS.sub(b"Warnings: 0", value.info)
    return replace(value, warnings=0, info=info) if value.warnings or info != value.info else value


def without_default(definition: ColumnDefinition, masked: bool) -> ColumnDefinition:
    return replace(definition, default=None) if masked and definition.has_default else definition
