"""The messages a client sends after its startup, as values: read with `decode`, written with `.encode()`.

Source: PostgreSQL documentation, "Message Formats" (protocol 3.0 and 3.2). Names and SQL are UTF-8 text and raise
`PeerError` when they are not; parameter and argument values stay bytes. The functions `read_...` look into a payload
without building a message: they take `buffer[start:end]` and copy only what they return.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from struct import Struct
from typing import TypeAlias

from protocols.errors import PeerError
from protocols.postgres.frames import message
from protocols.postgres.reader import ByteReader, text
from protocols.postgres.writer import cstring, i16s, pack, u32s, value, values

_FORMATS = (0, 1)
_I32 = Struct(">i").unpack_from


class Target(Enum):
    """What Describe and Close speak of."""

    STATEMENT = "S"
    PORTAL = "P"


@dataclass(frozen=True, slots=True)
class Query:
    """Simple query."""

    sql: str

    def encode(self) -> bytes:
        return message(b"Q", cstring(self.sql))


@dataclass(frozen=True, slots=True)
class Parse:
    """Prepare `sql` under `name` ("" is the unnamed statement). Type OID 0 leaves a parameter's type open."""

    name: str
    sql: str
    parameter_types: tuple[int, ...] = ()

    def encode(self) -> bytes:
        return message(b"P", cstring(self.name) + cstring(self.sql) + u32s(self.parameter_types))


@dataclass(frozen=True, slots=True)
class Bind:
    """Make a portal. Format codes as sent: none = all text, one = for all, else one each (see `column_formats`)."""

    portal: str
    statement: str
    parameter_formats: tuple[int, ...] = ()
    parameters: tuple[bytes | None, ...] = ()
    result_formats: tuple[int, ...] = ()

    def encode(self) -> bytes:
        names = cstring(self.portal) + cstring(self.statement)
        return message(b"B", names + i16s(self.parameter_formats) + values(self.parameters) + i16s(self.result_formats))


@dataclass(frozen=True, slots=True)
class Describe:
    """Ask what a statement or a portal takes and returns."""

    target: Target
    name: str

    def encode(self) -> bytes:
        return message(b"D", cstring(self.target.value + self.name))


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a portal; `max_rows` 0 (or below) means all rows."""

    portal: str
    max_rows: int = 0

    def encode(self) -> bytes:
        return message(b"E", cstring(self.portal) + pack("i", self.max_rows))


@dataclass(frozen=True, slots=True)
class Close:
    """Drop a statement or a portal."""

    target: Target
    name: str

    def encode(self) -> bytes:
        return message(b"C", cstring(self.target.value + self.name))


@dataclass(frozen=True, slots=True)
class Sync:
    """End of an extended-query batch."""

    def encode(self) -> bytes:
        return message(b"S", b"")


@dataclass(frozen=True, slots=True)
class Flush:
    """Ask for the replies made so far."""

    def encode(self) -> bytes:
        return message(b"H", b"")


@dataclass(frozen=True, slots=True)
class Terminate:
    """Goodbye."""

    def encode(self) -> bytes:
        return message(b"X", b"")


@dataclass(frozen=True, slots=True)
class CopyData:
    """A piece of a COPY stream (sent by both sides)."""

    data: bytes

    def encode(self) -> bytes:
        return message(b"d", self.data)


@dataclass(frozen=True, slots=True)
class CopyDone:
    """End of a COPY stream (sent by both sides)."""

    def encode(self) -> bytes:
        return message(b"c", b"")


@dataclass(frozen=True, slots=True)
class CopyFail:
    """The client gives its COPY up."""

    reason: str

    def encode(self) -> bytes:
        return message(b"f", cstring(self.reason))


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The legacy fast-path call of a function by OID."""

    function_oid: int
    argument_formats: tuple[int, ...] = ()
    arguments: tuple[bytes | None, ...] = ()
    result_format: int = 0

    def encode(self) -> bytes:
        call = pack("I", self.function_oid) + i16s(self.argument_formats)
        return message(b"F", call + values(self.arguments) + pack("h", self.result_format))


@dataclass(frozen=True, slots=True)
class AuthenticationData:
    """A message of kind `p` as it came: what it holds depends on what was asked (see `read_password` and others)."""

    data: bytes

    def encode(self) -> bytes:
        return message(b"p", self.data)


@dataclass(frozen=True, slots=True)
class PasswordMessage:
    """A cleartext or md5-hashed password."""

    password: str

    def encode(self) -> bytes:
        return message(b"p", cstring(self.password))


@dataclass(frozen=True, slots=True)
class SASLInitialResponse:
    """The chosen mechanism and its first message (None: the client has none)."""

    mechanism: str
    data: bytes | None

    def encode(self) -> bytes:
        return message(b"p", cstring(self.mechanism) + value(self.data))


@dataclass(frozen=True, slots=True)
class SASLResponse:
    """A later message of a SASL exchange."""

    data: bytes

    def encode(self) -> bytes:
        return message(b"p", self.data)


FrontendMessage: TypeAlias = (
    Query | Parse | Bind | Describe | Execute | Close | Sync | Flush | Terminate
    | CopyData | CopyDone | CopyFail | FunctionCall | AuthenticationData
)  # fmt: skip


def _target(reader: ByteReader) -> Target:
    code = chr(reader.u8())
    try:
        return Target(code)
    except ValueError:
        raise PeerError(f"invalid subtype {code!r}: 'S' (statement) or 'P' (portal) must be here") from None


def _bind(reader: ByteReader) -> Bind:
    return Bind(reader.text(), reader.text(), reader.i16s(), reader.values(), reader.i16s())


def _function_call(reader: ByteReader) -> FunctionCall:
    return FunctionCall(reader.u32(), reader.i16s(), reader.values(), reader.i16())


DECODERS: dict[int, Callable[[ByteReader], FrontendMessage]] = {
    ord("Q"): lambda reader: Query(reader.text()),
    ord("P"): lambda reader: Parse(reader.text(), reader.text(), reader.u32s()),
    ord("B"): _bind,
    ord("D"): lambda reader: Describe(_target(reader), reader.text()),
    ord("E"): lambda reader: Execute(reader.text(), reader.i32()),
    ord("C"): lambda reader: Close(_target(reader), reader.text()),
    ord("S"): lambda reader: Sync(),
    ord("H"): lambda reader: Flush(),
    ord("X"): lambda reader: Terminate(),
    ord("d"): lambda reader: CopyData(reader.rest()),
    ord("c"): lambda reader: CopyDone(),
    ord("f"): lambda reader: CopyFail(reader.text()),
    ord("F"): _function_call,
    ord("p"): lambda reader: AuthenticationData(reader.rest()),
}


def decode(kind: int, payload: bytes) -> FrontendMessage:
    """The message of this kind byte and payload. Raises `PeerError` for an unknown kind or a malformed payload."""
    decoder = DECODERS.get(kind)
    if decoder is None:
        raise PeerError(f"invalid frontend message type {kind}")
    reader = ByteReader(payload)
    decoded = decoder(reader)
    reader.finish()
    return decoded


def read_password(payload: bytes) -> PasswordMessage:
    """A `p` message that answers a password request."""
    reader = ByteReader(payload)
    decoded = PasswordMessage(reader.text())
    reader.finish()
    return decoded


def read_sasl_initial_response(payload: bytes) -> SASLInitialResponse:
    """A `p` message that answers AuthenticationSASL."""
    reader = ByteReader(payload)
    decoded = SASLInitialResponse(reader.text(), reader.value())
    reader.finish()
    return decoded


def read_query(buffer: bytes, start: int = 0, end: int | None = None) -> bytes:
    """The SQL bytes of a Query payload: exactly one NUL, at its end. Not checked for UTF-8."""
    stop = (len(buffer) if end is None else end) - 1
    if stop < start or buffer.find(b"\0", start, stop + 1) != stop:
        raise PeerError("invalid message format: a Query is one string and its terminating NUL")
    return buffer[start:stop]


def read_parse(buffer: bytes, start: int = 0, end: int | None = None) -> tuple[str, bytes, tuple[int, ...]]:
    """`(name, SQL bytes, parameter type OIDs)` of a Parse payload. The SQL is not checked for UTF-8."""
    reader = ByteReader(buffer, start, end)
    name, sql, types = reader.text(), reader.cstring(), reader.u32s()
    reader.finish()
    return name, sql, types


def read_execute(buffer: bytes, start: int = 0, end: int | None = None) -> tuple[str, int]:
    """`(portal, max_rows)` of an Execute payload."""
    name_end = (len(buffer) if end is None else end) - 5
    if name_end < start or buffer.find(b"\0", start, name_end + 1) != name_end:
        raise PeerError("invalid message format: an Execute is a portal's name, its terminating NUL and a row count")
    return text(buffer[start:name_end]), _I32(buffer, name_end + 1)[0]


def read_target(buffer: bytes, start: int = 0, end: int | None = None) -> tuple[int, str]:
    """`(b"S" or b"P" as an integer, name)` of a Describe or Close payload."""
    name_end = (len(buffer) if end is None else end) - 1
    if name_end <= start or buffer.find(b"\0", start + 1, name_end + 1) != name_end:
        raise PeerError("invalid message format: a Describe or Close is 'S' or 'P', a name and its terminating NUL")
    target = buffer[start]
    if target not in b"SP":
        raise PeerError(f"invalid subtype {chr(target)!r}: 'S' (statement) or 'P' (portal) must be here")
    return target, text(buffer[start + 1 : name_end])


def read_bind_names(buffer: bytes, start: int = 0, end: int | None = None) -> tuple[str, str]:
    """`(portal, statement)` of a Bind payload; what follows them is not looked at."""
    stop = len(buffer) if end is None else end
    middle = buffer.find(b"\0", start, stop)
    last = buffer.find(b"\0", middle + 1, stop)
    if middle < 0 or last < 0:
        raise PeerError("invalid string in message: the terminating NUL is missing")
    return text(buffer[start:middle]), text(buffer[middle + 1 : last])


def read_bind_parameter_count(buffer: bytes, position: int, end: int) -> int:
    """How many parameter values a Bind says it holds, whose two names end at `position`; 0 when it is cut short."""
    formats = int.from_bytes(buffer[position : min(position + 2, end)], "big")
    position += 2 + 2 * formats
    return int.from_bytes(buffer[position : min(position + 2, end)], "big")


def read_bind_result_formats(buffer: bytes, start: int = 0, end: int | None = None) -> tuple[int, ...]:
    """The result format codes of a Bind payload, as sent. The whole payload's layout is checked on the way."""
    reader = ByteReader(buffer, start, end)
    reader.cstring()
    reader.cstring()
    reader.skip(2 * reader.u16())
    reader.skip_values()
    formats = reader.i16s()
    reader.finish()
    return formats


def column_formats(formats: Sequence[int], width: int) -> tuple[int, ...]:
    """One format code (0 text, 1 binary) for each of `width` columns, from the codes of a Bind.

    Raises `PeerError` as the server does: a wrong number of codes (08P01), a code it does not know (22023).
    """
    for code in formats:
        if code not in _FORMATS:
            raise PeerError(f"unsupported format code: {code}", "22023")
    if len(formats) == width:
        return tuple(formats)
    if len(formats) > 1:
        raise PeerError(f"bind message has {len(formats)} result formats but query has {width} columns")
    return (formats[0] if formats else 0,) * width
