"""The packets before the first message: StartupMessage, SSLRequest, GSSENCRequest, CancelRequest.

They have no kind byte: a 32-bit length that counts itself, a 32-bit code, the rest. Source: PostgreSQL documentation,
"Message Formats" and "Message Flow / Start-up"; limits and error texts as in the server's own startup code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from protocols.errors import PeerError, UsageError
from protocols.postgres.reader import ByteReader, text
from protocols.postgres.writer import cstring, pack

CANCEL_REQUEST_CODE = (1234, 5678)
SSL_REQUEST_CODE = (1234, 5679)
GSSENC_REQUEST_CODE = (1234, 5680)

MAX_PACKET_SIZE = 10_000  # bytes after the length field, the server's MAX_STARTUP_PACKET_LENGTH
MAX_CANCEL_KEY_SIZE = 256
TLS_HANDSHAKE_BYTE = 0x16  # the first byte of a TLS record: a client that starts TLS without SSLRequest
PROTOCOL_OPTION_PREFIX = "_pq_."

VERSION_3_0 = (3, 0)
VERSION_3_2 = (3, 2)


@dataclass(frozen=True, slots=True)
class SSLRequest:
    """May we speak TLS?"""

    def encode(self) -> bytes:
        return pack("IHH", 8, *SSL_REQUEST_CODE)


@dataclass(frozen=True, slots=True)
class GSSENCRequest:
    """May we speak GSSAPI encryption?"""

    def encode(self) -> bytes:
        return pack("IHH", 8, *GSSENC_REQUEST_CODE)


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Cancel what the connection with this BackendKeyData is doing. Keys: 4 bytes in 3.0, up to 256 in 3.2."""

    process_id: int
    secret_key: bytes

    def encode(self) -> bytes:
        if not 0 < len(self.secret_key) <= MAX_CANCEL_KEY_SIZE:
            raise UsageError(f"a cancel key has 1 to {MAX_CANCEL_KEY_SIZE} bytes, not {len(self.secret_key)}")
        head = pack("IHHI", 12 + len(self.secret_key), *CANCEL_REQUEST_CODE, self.process_id)
        return head + self.secret_key


@dataclass(frozen=True, slots=True)
class StartupMessage:
    """The protocol version asked for as (major, minor), and every parameter as sent (the last of a name counts)."""

    version: tuple[int, int]
    parameters: Mapping[str, str]

    def encode(self) -> bytes:
        pairs = b"".join(cstring(name) + cstring(value) for name, value in self.parameters.items())
        size = 9 + len(pairs)
        if size > MAX_PACKET_SIZE + 4:
            raise UsageError(f"a startup packet of {size} bytes is longer than servers accept ({MAX_PACKET_SIZE + 4})")
        return pack("IHH", size, *self.version) + pairs + b"\0"


StartupPacket: TypeAlias = SSLRequest | GSSENCRequest | CancelRequest | StartupMessage


def starts_tls(first_byte: int) -> bool:
    """Whether a connection's first byte begins a TLS handshake (direct TLS)."""
    return first_byte == TLS_HANDSHAKE_BYTE


def packet_size(buffer: bytes, position: int = 0) -> int | None:
    """The whole size of the packet that starts here, or None when its length field is not complete yet.

    Raises `PeerError` for a length no startup packet can have, before the rest is waited for.
    """
    if len(buffer) - position < 4:
        return None
    size = int.from_bytes(buffer[position : position + 4], "big")
    if not 8 <= size <= MAX_PACKET_SIZE + 4:
        raise PeerError("invalid length of startup packet", hint="connect with a PostgreSQL client")
    return size


def decode(packet: bytes) -> StartupPacket:
    """The packet, whole with its length field. Raises `PeerError`; 0A000 for a version that is not 3.x."""
    if packet_size(packet) != len(packet):
        raise PeerError("invalid length of startup packet")
    reader = ByteReader(packet, 4)
    code = (reader.u16(), reader.u16())
    if code == CANCEL_REQUEST_CODE:
        return _cancel_request(reader)
    if code in _REQUESTS:
        reader.finish()
        return _REQUESTS[code]
    return _startup_message(code, reader)


_REQUESTS: dict[tuple[int, int], SSLRequest | GSSENCRequest] = {
    SSL_REQUEST_CODE: SSLRequest(),
    GSSENC_REQUEST_CODE: GSSENCRequest(),
}


def _cancel_request(reader: ByteReader) -> CancelRequest:
    process_id, key = reader.u32(), reader.rest()
    if not 0 < len(key) <= MAX_CANCEL_KEY_SIZE:
        raise PeerError("invalid length of cancel key in cancel request packet")
    return CancelRequest(process_id, key)


def _startup_message(version: tuple[int, int], reader: ByteReader) -> StartupMessage:
    check_major(version)
    payload = reader.rest()
    if not payload.endswith(b"\0"):
        raise _bad_layout()
    return StartupMessage(version, _parameters(payload))


def _parameters(payload: bytes) -> dict[str, str]:
    """Pairs of strings, then one NUL as the packet's last byte."""
    reader = ByteReader(payload)
    parameters: dict[str, str] = {}
    while reader.remaining > 1:
        name = reader.cstring()
        if not (name and reader.remaining):
            raise _bad_layout()
        parameters[text(name)] = reader.text()
    if not reader.remaining:
        raise _bad_layout()
    return parameters


def _bad_layout() -> PeerError:
    return PeerError("invalid startup packet layout: expected terminator as last byte")


def check_major(version: tuple[int, int]) -> None:
    """Raise `PeerError` (0A000) unless the major version is 3."""
    if version[0] != 3:
        raise PeerError(
            f"unsupported frontend protocol {version[0]}.{version[1]}: server supports 3.0 to 3.2",
            "0A000",
            "connect with a client that speaks protocol 3.0 or 3.2",
        )


def negotiate(version: tuple[int, int]) -> tuple[int, int]:
    """The version to speak with a client that asked for 3.x: 3.2 from 3.2 on, else 3.0 (3.1 never existed)."""
    return VERSION_3_2 if version >= VERSION_3_2 else VERSION_3_0


def is_replication(value: str) -> bool:
    """Whether a `replication` parameter asks for a replication connection. All but a clear "no" counts as yes."""
    low = value.lower()
    negative = low == "0" or (low != "o" and any(word.startswith(low) for word in ("false", "no", "off")))
    return not (low and negative)
