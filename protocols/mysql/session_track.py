"""Session state changes: the tail of an OK packet under CLIENT_SESSION_TRACK.

Source: MySQL internals, "OK_Packet", "Session State Information"; MariaDB knowledge base, "OK_Packet". Each entry is a
type byte and a length-encoded string; what the string holds depends on the type.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from protocols.mysql.wire import Reader, integer, lenenc_bytes


class TrackType(IntEnum):
    """What an entry tells of."""

    SYSTEM_VARIABLES = 0
    SCHEMA = 1
    STATE_CHANGE = 2
    GTIDS = 3
    TRANSACTION_CHARACTERISTICS = 4
    TRANSACTION_STATE = 5


@dataclass(frozen=True, slots=True)
class SessionChange:
    """One entry. `type` is a `TrackType` or a number unknown to us; `data` stays as it came."""

    type: int
    data: bytes

    def encode(self) -> bytes:
        return integer(self.type, 1) + lenenc_bytes(self.data)

    def variables(self) -> tuple[tuple[bytes, bytes], ...]:
        """Name and value of each system variable (MariaDB puts several into one entry)."""
        reader, found = Reader(self.data, "session state, system variables"), []
        while reader.remaining:
            found.append((reader.lenenc_bytes("name"), reader.lenenc_bytes("value")))
        return tuple(found)

    def text(self) -> bytes:
        """The one string of SCHEMA, STATE_CHANGE ("1"), TRANSACTION_CHARACTERISTICS and TRANSACTION_STATE."""
        reader = Reader(self.data, "session state")
        value = reader.lenenc_bytes("value")
        reader.finish()
        return value

    def gtids(self) -> bytes:
        """The GTIDs of the transaction, as text (encoding specification 0)."""
        reader = Reader(self.data, "session state, GTIDs")
        reader.u8("encoding specification")
        value = reader.lenenc_bytes("GTIDs")
        reader.finish()
        return value


def system_variable(name: bytes, value: bytes) -> SessionChange:
    """The entry of one changed variable."""
    return SessionChange(TrackType.SYSTEM_VARIABLES, lenenc_bytes(name) + lenenc_bytes(value))


def schema(name: bytes) -> SessionChange:
    """The entry of a changed default database."""
    return SessionChange(TrackType.SCHEMA, lenenc_bytes(name))


def read_changes(data: bytes) -> tuple[SessionChange, ...]:
    """The entries of an OK packet's session state."""
    reader, changes = Reader(data, "OK packet, session state"), []
    while reader.remaining:
        changes.append(SessionChange(reader.u8("type"), reader.lenenc_bytes("entry")))
    return tuple(changes)
