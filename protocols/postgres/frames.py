"""Finding the messages in a buffer: one kind byte, a 32-bit length that counts itself, the payload.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Messaging Overview".
"""

from __future__ import annotations

from struct import Struct

from protocols.errors import PeerError, UsageError

HEADER = Struct(">BI")
HEADER_SIZE = HEADER.size  # kind and length
LENGTH_SIZE = 4  # what the length field itself adds to the length
MAX_LENGTH = 0x3FFFFFFF  # the server's own limit, 1 GiB - 1 (MaxAllocSize)


def split(buffer: bytes, position: int, max_length: int) -> tuple[list[tuple[int, int, int]], int]:
    """Return `([(kind, start, end), ...], consumed)` for the complete messages in `buffer[position:]`.

    `buffer[start:end]` is one message, its payload starts at `start + HEADER_SIZE`; `consumed` is the position after
    the last one. `max_length` limits the length field (payload + 4). A length below 4 or above the limit raises
    `PeerError` before the rest of the message is waited for.
    """
    unpack = HEADER.unpack_from
    messages: list[tuple[int, int, int]] = []
    add = messages.append
    last_header = len(buffer) - HEADER_SIZE
    size = len(buffer)
    while position <= last_header:
        kind, length = unpack(buffer, position)
        if length < LENGTH_SIZE or length > max_length:
            raise bad_length(kind, length, max_length)
        end = position + 1 + length
        if end > size:
            break
        add((kind, position, end))
        position = end
    return messages, position


def bad_length(kind: int, length: int, max_length: int) -> PeerError:
    """The error for a length field that no message of this kind may have."""
    name = chr(kind) if 0x20 < kind < 0x7F else f"0x{kind:02x}"
    return PeerError(f"invalid message length {length} in a message of kind {name!r} (allowed: 4 to {max_length})")


def message(kind: bytes, payload: bytes) -> bytes:
    """One whole message."""
    length = len(payload) + LENGTH_SIZE
    if length > MAX_LENGTH:
        raise UsageError(f"a message of {length} bytes is longer than the protocol allows ({MAX_LENGTH})")
    return HEADER.pack(kind[0], length) + payload


def first(buffer: bytes, position: int, max_length: int) -> tuple[int, int, int] | None:
    """`(kind, start, end)` of the one message at `position`, or None while it is incomplete. Errors as for `split`."""
    if len(buffer) - position < HEADER_SIZE:
        return None
    kind, length = HEADER.unpack_from(buffer, position)
    if length < LENGTH_SIZE or length > max_length:
        raise bad_length(kind, length, max_length)
    end = position + 1 + length
    return (kind, position, end) if end <= len(buffer) else None
