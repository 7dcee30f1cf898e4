"""Building payloads. What cannot be encoded raises `UsageError`: it is our value, never the peer's."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from protocols.errors import UsageError

_NULL = b"\xff\xff\xff\xff"


def pack(layout: str, *values: int) -> bytes:
    """`struct.pack` in network order, e.g. `pack("Ih", oid, size)`."""
    try:
        return struct.pack(">" + layout, *values)
    except struct.error as error:
        raise UsageError(f"{values} cannot be packed as {layout!r}: {error}") from None


def cstring(value: str) -> bytes:
    """UTF-8 text with its terminating NUL. A NUL inside would end the string early: refused."""
    if "\0" in value:
        raise UsageError("a string of the protocol cannot contain NUL")
    try:
        return value.encode("utf-8") + b"\0"
    except UnicodeEncodeError as error:
        raise UsageError(f"a string of the protocol must be Unicode text: {error.reason}") from None


def lenient_cstring(value: str) -> bytes:
    """Like `cstring` for text meant for people: what cannot be sent is replaced, so that an error always gets out."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace") + b"\0"


def i16s(values: Sequence[int]) -> bytes:
    """A 16-bit count and that many signed 16-bit integers."""
    return pack(f"H{len(values)}h", len(values), *values)


def u32s(values: Sequence[int]) -> bytes:
    """A 16-bit count and that many unsigned 32-bit integers."""
    return pack(f"H{len(values)}I", len(values), *values)


def value(item: bytes | None) -> bytes:
    """A 32-bit length and the bytes; None is length -1."""
    return _NULL if item is None else pack("i", len(item)) + item


def values(items: Sequence[bytes | None]) -> bytes:
    """A 16-bit count and that many values."""
    return pack("H", len(items)) + b"".join(map(value, items))
