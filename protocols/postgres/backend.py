"""The messages a server sends, as values: read with `decode`, written with `.encode()`.

Source: PostgreSQL documentation, "Message Formats" (protocol 3.0 and 3.2). The Authentication messages are in
`authentication`, ErrorResponse and NoticeResponse in `diagnostics`; both are offered here too. Column names, tags and
notifications are UTF-8 text and raise `PeerError` when they are not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from protocols.errors import PeerError, UsageError
from protocols.postgres.authentication import (
    Authentication,
    AuthenticationCleartextPassword,
    AuthenticationMD5Password,
    AuthenticationOk,
    AuthenticationSASL,
    AuthenticationSASLContinue,
    AuthenticationSASLFinal,
    AuthenticationUnsupported,
    read_authentication,
)
from protocols.postgres.diagnostics import ErrorResponse, NoticeResponse, error, fatal, notice, read_fields
from protocols.postgres.frames import message
from protocols.postgres.frontend import CopyData, CopyDone
from protocols.postgres.reader import ByteReader
from protocols.postgres.writer import cstring, i16s, pack, u32s, values

__all__ = [  # the two families that live in their own modules, offered here as well
    "Authentication",
    "AuthenticationCleartextPassword",
    "AuthenticationMD5Password",
    "AuthenticationOk",
    "AuthenticationSASL",
    "AuthenticationSASLContinue",
    "AuthenticationSASLFinal",
    "AuthenticationUnsupported",
    "ErrorResponse",
    "NoticeResponse",
    "error",
    "fatal",
    "notice",
]

MIN_FIELD_SIZE = 19  # a FieldDescription with an empty name
MIN_KEY_SIZE, MAX_KEY_SIZE = 4, 256  # secret keys: 4 bytes in protocol 3.0, up to 256 in 3.2


class TransactionStatus(Enum):
    """The server's transaction status in ReadyForQuery."""

    IDLE = "I"
    IN_TRANSACTION = "T"
    FAILED = "E"


@dataclass(frozen=True, slots=True)
class BackendKeyData:
    """What a CancelRequest for this connection must show."""

    process_id: int
    secret_key: bytes

    def encode(self) -> bytes:
        if not MIN_KEY_SIZE <= len(self.secret_key) <= MAX_KEY_SIZE:
            raise UsageError(f"a secret key has {MIN_KEY_SIZE} to {MAX_KEY_SIZE} bytes, not {len(self.secret_key)}")
        return message(b"K", pack("I", self.process_id) + self.secret_key)


@dataclass(frozen=True, slots=True)
class ParameterStatus:
    """A setting's value, at the start and whenever it changes."""

    name: str
    value: str

    def encode(self) -> bytes:
        return message(b"S", cstring(self.name) + cstring(self.value))


@dataclass(frozen=True, slots=True)
class ReadyForQuery:
    """The server is ready for the next query cycle."""

    status: TransactionStatus

    def encode(self) -> bytes:
        return message(b"Z", self.status.value.encode())


@dataclass(frozen=True, slots=True)
class FieldDescription:
    """One result column. `table_oid` and `attribute_number` are 0 when it is no plain table column."""

    name: str
    table_oid: int
    attribute_number: int
    type_oid: int
    type_size: int
    type_modifier: int
    format: int

    def encode(self) -> bytes:
        origin = pack("Ih", self.table_oid, self.attribute_number)
        kind = pack("Ihih", self.type_oid, self.type_size, self.type_modifier, self.format)
        return cstring(self.name) + origin + kind


@dataclass(frozen=True, slots=True)
class RowDescription:
    """The columns of the rows that follow (or would follow)."""

    fields: tuple[FieldDescription, ...]

    def encode(self) -> bytes:
        return message(b"T", pack("H", len(self.fields)) + b"".join(field.encode() for field in self.fields))


@dataclass(frozen=True, slots=True)
class ParameterDescription:
    """The parameter types of a prepared statement."""

    type_oids: tuple[int, ...]

    def encode(self) -> bytes:
        return message(b"t", u32s(self.type_oids))


@dataclass(frozen=True, slots=True)
class DataRow:
    """One row. For tests and small made-up results: rows in bulk go through `rows`."""

    values: tuple[bytes | None, ...]

    def encode(self) -> bytes:
        return message(b"D", values(self.values))


@dataclass(frozen=True, slots=True)
class CommandComplete:
    """A command's end and its tag, e.g. "INSERT 0 3"."""

    tag: str

    def encode(self) -> bytes:
        return message(b"C", cstring(self.tag))


@dataclass(frozen=True, slots=True)
class NotificationResponse:
    """A NOTIFY of some session."""

    process_id: int
    channel: str
    payload: str

    def encode(self) -> bytes:
        return message(b"A", pack("I", self.process_id) + cstring(self.channel) + cstring(self.payload))


def _copy_payload(overall: int, columns: tuple[int, ...]) -> bytes:
    return pack("B", overall) + i16s(columns)


@dataclass(frozen=True, slots=True)
class CopyInResponse:
    """The server waits for COPY data. `format` 0 is text, 1 binary."""

    format: int
    column_formats: tuple[int, ...]

    def encode(self) -> bytes:
        return message(b"G", _copy_payload(self.format, self.column_formats))


@dataclass(frozen=True, slots=True)
class CopyOutResponse:
    """The server is about to send COPY data."""

    format: int
    column_formats: tuple[int, ...]

    def encode(self) -> bytes:
        return message(b"H", _copy_payload(self.format, self.column_formats))


@dataclass(frozen=True, slots=True)
class CopyBothResponse:
    """COPY in both directions (streaming replication)."""

    format: int
    column_formats: tuple[int, ...]

    def encode(self) -> bytes:
        return message(b"W", _copy_payload(self.format, self.column_formats))


@dataclass(frozen=True, slots=True)
class NegotiateProtocolVersion:
    """The server cannot do what was asked: the newest version it speaks, and the `_pq_.` options it does not know.

    The documentation calls the number a minor version; every server sends the whole version (major * 65536 + minor),
    and libpq reads it so.
    """

    version: tuple[int, int]
    unknown_options: tuple[str, ...] = ()

    def encode(self) -> bytes:
        options = b"".join(map(cstring, self.unknown_options))
        return message(b"v", pack("HHI", *self.version, len(self.unknown_options)) + options)


@dataclass(frozen=True, slots=True)
class FunctionCallResponse:
    """The result of a FunctionCall."""

    value: bytes | None

    def encode(self) -> bytes:
        return message(b"V", values((self.value,))[2:])


@dataclass(frozen=True, slots=True)
class ParseComplete:
    def encode(self) -> bytes:
        return message(b"1", b"")


@dataclass(frozen=True, slots=True)
class BindComplete:
    def encode(self) -> bytes:
        return message(b"2", b"")


@dataclass(frozen=True, slots=True)
class CloseComplete:
    def encode(self) -> bytes:
        return message(b"3", b"")


@dataclass(frozen=True, slots=True)
class NoData:
    def encode(self) -> bytes:
        return message(b"n", b"")


@dataclass(frozen=True, slots=True)
class PortalSuspended:
    def encode(self) -> bytes:
        return message(b"s", b"")


@dataclass(frozen=True, slots=True)
class EmptyQueryResponse:
    def encode(self) -> bytes:
        return message(b"I", b"")


BackendMessage: TypeAlias = (
    Authentication | BackendKeyData | ParameterStatus | ReadyForQuery | RowDescription | ParameterDescription | NoData
    | DataRow | CommandComplete | EmptyQueryResponse | ErrorResponse | NoticeResponse | NotificationResponse
    | CopyInResponse | CopyOutResponse | CopyBothResponse | CopyData | CopyDone | ParseComplete | BindComplete
    | CloseComplete | PortalSuspended | NegotiateProtocolVersion | FunctionCallResponse
)  # fmt: skip


def _key_data(reader: ByteReader) -> BackendKeyData:
    process_id, secret_key = reader.u32(), reader.rest()
    if not MIN_KEY_SIZE <= len(secret_key) <= MAX_KEY_SIZE:
        raise PeerError(f"invalid BackendKeyData: a secret key of {len(secret_key)} bytes")
    return BackendKeyData(process_id, secret_key)


def _ready(reader: ByteReader) -> ReadyForQuery:
    code = chr(reader.u8())
    try:
        return ReadyForQuery(TransactionStatus(code))
    except ValueError:
        raise PeerError(f"invalid ReadyForQuery: unknown transaction status {code!r}") from None


def _field(reader: ByteReader) -> FieldDescription:
    name, table_oid, attribute_number = reader.text(), reader.u32(), reader.i16()
    type_oid, type_size, type_modifier = reader.u32(), reader.i16(), reader.i32()
    return FieldDescription(name, table_oid, attribute_number, type_oid, type_size, type_modifier, reader.i16())


def _row_description(reader: ByteReader) -> RowDescription:
    count = reader.u16()
    reader.require(count * MIN_FIELD_SIZE)
    return RowDescription(tuple(_field(reader) for _ in range(count)))


def _negotiate(reader: ByteReader) -> NegotiateProtocolVersion:
    version = (reader.u16(), reader.u16())
    count = reader.u32()
    reader.require(count)
    return NegotiateProtocolVersion(version, tuple(reader.text() for _ in range(count)))


DECODERS: dict[int, Callable[[ByteReader], BackendMessage]] = {
    ord("R"): read_authentication,
    ord("K"): _key_data,
    ord("S"): lambda reader: ParameterStatus(reader.text(), reader.lenient_text()),
    ord("Z"): _ready,
    ord("T"): _row_description,
    ord("t"): lambda reader: ParameterDescription(reader.u32s()),
    ord("n"): lambda reader: NoData(),
    ord("D"): lambda reader: DataRow(reader.values()),
    ord("C"): lambda reader: CommandComplete(reader.text()),
    ord("I"): lambda reader: EmptyQueryResponse(),
    ord("E"): lambda reader: ErrorResponse(read_fields(reader)),
    ord("N"): lambda reader: NoticeResponse(read_fields(reader)),
    ord("A"): lambda reader: NotificationResponse(reader.u32(), reader.text(), reader.text()),
    ord("G"): lambda reader: CopyInResponse(reader.u8(), reader.i16s()),
    ord("H"): lambda reader: CopyOutResponse(reader.u8(), reader.i16s()),
    ord("W"): lambda reader: CopyBothResponse(reader.u8(), reader.i16s()),
    ord("d"): lambda reader: CopyData(reader.rest()),
    ord("c"): lambda reader: CopyDone(),
    ord("1"): lambda reader: ParseComplete(),
    ord("2"): lambda reader: BindComplete(),
    ord("3"): lambda reader: CloseComplete(),
    ord("s"): lambda reader: PortalSuspended(),
    ord("v"): _negotiate,
    ord("V"): lambda reader: FunctionCallResponse(reader.value()),
}


def decode(kind: int, payload: bytes) -> BackendMessage:
    """The message of this kind byte and payload. Raises `PeerError` for an unknown kind or a malformed payload."""
    decoder = DECODERS.get(kind)
    if decoder is None:
        raise PeerError(f"invalid backend message type {kind}")
    reader = ByteReader(payload)
    decoded = decoder(reader)
    reader.finish()
    return decoded


def row_count(tag: str) -> int | None:
    """How many rows a command tag speaks of ("INSERT 0 3" -> 3, "SELECT 5" -> 5); None when it speaks of none."""
    _, _, last = tag.rpartition(" ")
    return int(last) if last.isascii() and last.isdigit() and len(last) < 20 and last != tag else None
