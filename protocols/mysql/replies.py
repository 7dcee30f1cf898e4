"""The packets a server replies with, as values: read with `decode_...`, written with `.encode(capabilities)`.

Source: MySQL internals, "OK_Packet", "ERR_Packet", "EOF_Packet", "Column Definition", "COM_STMT_PREPARE response".
A payload goes in and comes out, without packet headers. Texts and names stay bytes: they are in the session's
`character_set_results`. Which of these a packet is depends on where it comes (`relay`), never on its first byte alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from protocols.errors import PeerError, UsageError
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.faults import MALFORMED_PACKET, WireError, malformed
from protocols.mysql.session_track import SessionChange, read_changes
from protocols.mysql.wire import Reader, integer, lenenc, lenenc_bytes, pack

OK_HEADER, EOF_HEADER, ERR_HEADER, LOCAL_INFILE_HEADER = 0x00, 0xFE, 0xFF, 0xFB
EOF_SIZE: Final = 5  # header, warnings, status
PROGRESS_ERRNO: Final = 0xFFFF  # MariaDB's progress report looks like an error with this number

_U16_U16 = Struct("<HH")
_PREPARED = Struct("<BIHHBH")
_DEFINITION = Struct("<BHIBHBH")
_FIXED_SIZE: Final = 12


@dataclass(frozen=True, slots=True)
class Ok:
    """Success. `header` is 0xFE where it ends rows under CLIENT_DEPRECATE_EOF."""

    affected_rows: int = 0
    last_insert_id: int = 0
    status: StatusFlag = StatusFlag.AUTOCOMMIT
    warnings: int = 0
    info: bytes = b""
    changes: tuple[SessionChange, ...] = ()
    header: int = OK_HEADER

    def encode(self, capabilities: Capability) -> bytes:
        """Without CLIENT_SESSION_TRACK the changes and their status flag are left out."""
        tracked = bool(capabilities & Capability.SESSION_TRACK) and StatusFlag.SESSION_STATE_CHANGED in self.status
        status = self.status if tracked else self.status & ~StatusFlag.SESSION_STATE_CHANGED
        head = integer(self.header, 1) + lenenc(self.affected_rows) + lenenc(self.last_insert_id)
        tail = lenenc_bytes(self.info) if self.info or tracked else b""
        if tracked:
            tail += lenenc_bytes(b"".join(change.encode() for change in self.changes))
        return head + pack(_U16_U16, status, self.warnings) + tail


@dataclass(frozen=True, slots=True)
class Eof:
    """The end of definitions, or of rows without CLIENT_DEPRECATE_EOF."""

    status: StatusFlag = StatusFlag.AUTOCOMMIT
    warnings: int = 0

    def encode(self, capabilities: Capability) -> bytes:
        return b"\xfe" + pack(_U16_U16, self.warnings, self.status & ~StatusFlag.SESSION_STATE_CHANGED)


@dataclass(frozen=True, slots=True)
class Err:
    """An error. `sqlstate` is empty where the server does not know yet what the client understands."""

    errno: int
    sqlstate: str
    message: bytes

    @property
    def text(self) -> str:
        """The message for people: bytes that are not UTF-8 become U+FFFD."""
        return self.message.decode("utf-8", "replace")

    def encode(self, capabilities: Capability = Capability.PROTOCOL_41) -> bytes:
        """Without CLIENT_PROTOCOL_41 the SQLSTATE is left out."""
        state = self.sqlstate if capabilities & Capability.PROTOCOL_41 else ""
        if len(state) not in (0, 5) or not state.isascii():
            raise UsageError(f"a SQLSTATE has five characters: {state!r}")
        marked = b"#" + state.encode("ascii") if state else b""
        return b"\xff" + integer(self.errno, 2) + marked + self.message


def error(errno: int, sqlstate: str, text: str, codec: str = "utf-8") -> Err:
    """An ERR packet for a text of ours; what the client's charset cannot say becomes "?"."""
    return Err(errno, sqlstate, text.encode(codec, "replace"))


def fatal(problem: PeerError) -> Err:
    """What to tell a peer that broke the protocol before its connection is closed."""
    errno = problem.errno if isinstance(problem, WireError) else MALFORMED_PACKET
    sqlstate = problem.sqlstate if isinstance(problem, WireError) else "HY000"
    return error(errno, sqlstate, f"{problem.message} ({problem.hint})" if problem.hint else problem.message)


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """One column of a result, or one parameter. Names are in `character_set_results`.

    `org_table` and `org_name` are empty when it is no plain table column. `extended` is MariaDB's extended metadata
    (None unless negotiated), `default` the value that only COM_FIELD_LIST sends: `has_default` says whether there is
    one, None is NULL.
    """

    schema: bytes
    table: bytes
    org_table: bytes
    name: bytes
    org_name: bytes
    character_set: int
    length: int
    type: int
    flags: int
    decimals: int
    catalog: bytes = b"def"
    extended: bytes | None = None
    has_default: bool = False
    default: bytes | None = None
    filler: int = 0

    def encode(self, capabilities: Capability = Capability.PROTOCOL_41) -> bytes:
        names = (self.catalog, self.schema, self.table, self.org_table, self.name, self.org_name)
        extended = b""
        if capabilities & Capability.MARIADB_EXTENDED_METADATA:
            extended = lenenc_bytes(self.extended or b"")
        fixed = pack(
            _DEFINITION,
            _FIXED_SIZE,
            self.character_set,
            self.length,
            self.type,
            self.flags,
            self.decimals,
            self.filler,
        )
        return b"".join(map(lenenc_bytes, names)) + extended + fixed + self._default()

    def _default(self) -> bytes:
        if not self.has_default:
            return b""
        return b"\xfb" if self.default is None else lenenc_bytes(self.default)


@dataclass(frozen=True, slots=True)
class PrepareOk:
    """The head of a COM_STMT_PREPARE response."""

    statement_id: int
    columns: int
    parameters: int
    warnings: int = 0

    def encode(self, capabilities: Capability = Capability.PROTOCOL_41) -> bytes:
        return pack(_PREPARED, OK_HEADER, self.statement_id, self.columns, self.parameters, 0, self.warnings)


def decode_ok(payload: bytes, capabilities: Capability) -> Ok:
    """An OK packet with either header. Raises `PeerError`."""
    reader = Reader(payload, "OK packet")
    header = reader.u8("header")
    if header not in (OK_HEADER, EOF_HEADER):
        raise malformed("OK packet", f"header 0x{header:02x}")
    affected, last_id = reader.lenenc("affected rows"), reader.lenenc("last insert id")
    status, warnings = StatusFlag(reader.u16("status flags")), reader.u16("warnings")
    info, changes = _tail(reader, capabilities, status)
    return Ok(affected, last_id, status, warnings, info, changes, header)


def _tail(reader: Reader, capabilities: Capability, status: StatusFlag) -> tuple[bytes, tuple[SessionChange, ...]]:
    """The info text and the session state changes. The info is length-encoded on every server that is spoken to."""
    if not reader.remaining:
        return b"", ()
    info = reader.lenenc_bytes("info")
    changes: tuple[SessionChange, ...] = ()
    if capabilities & Capability.SESSION_TRACK and status & StatusFlag.SESSION_STATE_CHANGED:
        changes = read_changes(reader.lenenc_bytes("session state"))
    reader.finish()
    return info, changes


def decode_eof(payload: bytes) -> Eof:
    """An EOF packet. Raises `PeerError`."""
    if len(payload) != EOF_SIZE or payload[0] != EOF_HEADER:
        raise malformed("EOF packet", f"{len(payload)} bytes")
    warnings, status = _U16_U16.unpack_from(payload, 1)
    return Eof(StatusFlag(status), warnings)


def decode_err(payload: bytes) -> Err:
    """An ERR packet, with or without SQLSTATE. Raises `PeerError`, also for a progress report."""
    reader = Reader(payload, "ERR packet")
    if reader.u8("header") != ERR_HEADER:
        raise malformed("ERR packet", f"header 0x{payload[0]:02x}")
    errno = reader.u16("error code")
    if errno == PROGRESS_ERRNO:
        raise malformed("ERR packet", "a progress report was never asked for")
    if payload[3:4] != b"#":
        return Err(errno, "", reader.rest())
    state = reader.take(6, "SQLSTATE")[1:]
    if not state.isalnum():
        raise malformed("ERR packet", "the SQLSTATE is not made of letters and digits")
    return Err(errno, state.decode("ascii"), reader.rest())


def decode_definition(payload: bytes, capabilities: Capability, has_default: bool = False) -> ColumnDefinition:
    """A column definition; `has_default` for those of COM_FIELD_LIST. Raises `PeerError`."""
    reader = Reader(payload, "column definition")
    catalog, schema, table, org_table, name, org_name = (reader.lenenc_bytes(field) for field in _NAMES)
    extended = reader.lenenc_bytes("extended metadata") if capabilities & _EXTENDED else None
    if reader.lenenc("length of the fixed fields") != _FIXED_SIZE:
        raise malformed("column definition", "the fixed fields are not 12 bytes long")
    fixed = _DEFINITION.unpack(b"\x0c" + reader.take(_FIXED_SIZE, "fixed fields"))
    has_default = has_default and reader.remaining > 0
    default = reader.lenenc_bytes_or_null("default value") if has_default else None
    reader.finish()
    _, character_set, length, kind, flags, decimals, filler = fixed
    tail = (character_set, length, kind, flags, decimals, catalog, extended, has_default, default, filler)
    return ColumnDefinition(schema, table, org_table, name, org_name, *tail)


_NAMES = ("catalog", "schema", "table", "original table", "name", "original name")
_EXTENDED = Capability.MARIADB_EXTENDED_METADATA


def decode_prepare_ok(payload: bytes) -> PrepareOk:
    """The head of a COM_STMT_PREPARE response. Raises `PeerError`."""
    if len(payload) != _PREPARED.size or payload[0] != OK_HEADER:
        raise malformed("COM_STMT_PREPARE response", f"{len(payload)} bytes")
    _, statement_id, columns, parameters, _, warnings = _PREPARED.unpack(payload)
    return PrepareOk(statement_id, columns, parameters, warnings)
