"""Reading fields from one message's payload, with the length checked before each read."""

from __future__ import annotations

from struct import Struct

from protocols.errors import PeerError

_U16 = Struct(">H")
_I16 = Struct(">h")
_U32 = Struct(">I")
_I32 = Struct(">i")

NULL_LENGTH = -1


def text(value: bytes) -> str:
    """Decode UTF-8 text that must be text (a name, SQL). Raises `PeerError` (SQLSTATE 22021)."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PeerError(
            f'invalid byte sequence for encoding "UTF8" at byte {error.start} of a text field',
            "22021",
            "send all text as UTF-8 (client_encoding UTF8)",
        ) from None


class ByteReader:
    """A position in `data[position:end]`. Every method raises `PeerError` when the payload is too short."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes, position: int = 0, end: int | None = None) -> None:
        self._data = data
        self._position = position
        self._end = len(data) if end is None else end

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return self._end - self._position

    def require(self, size: int) -> None:
        """Check that `size` more bytes are there: ask before making room for a count the peer claims."""
        if size > self._end - self._position:
            raise PeerError("insufficient data left in message")

    def _advance(self, size: int) -> int:
        """Claim `size` bytes; return where they start."""
        self.require(size)
        start = self._position
        self._position = start + size
        return start

    def u8(self) -> int:
        """An unsigned byte."""
        return self._data[self._advance(1)]

    def u16(self) -> int:
        """An unsigned 16-bit integer."""
        value: int = _U16.unpack_from(self._data, self._advance(2))[0]
        return value

    def i16(self) -> int:
        """A signed 16-bit integer."""
        value: int = _I16.unpack_from(self._data, self._advance(2))[0]
        return value

    def u32(self) -> int:
        """An unsigned 32-bit integer (an OID)."""
        value: int = _U32.unpack_from(self._data, self._advance(4))[0]
        return value

    def i32(self) -> int:
        """A signed 32-bit integer."""
        value: int = _I32.unpack_from(self._data, self._advance(4))[0]
        return value

    def take(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        if size < 0:
            raise PeerError("invalid message format: negative length")
        start = self._advance(size)
        return self._data[start : start + size]

    def skip(self, size: int) -> None:
        """Pass over `size` bytes without copying them."""
        if size < 0:
            raise PeerError("invalid message format: negative length")
        self._advance(size)

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self.remaining)

    def cstring(self) -> bytes:
        """Bytes up to a NUL, which is consumed and left out."""
        start = self._position
        stop = self._data.find(b"\0", start, self._end)
        if stop < 0:
            raise PeerError("invalid string in message: the terminating NUL is missing")
        self._position = stop + 1
        return self._data[start:stop]

    def text(self) -> str:
        """A NUL-terminated UTF-8 string."""
        return text(self.cstring())

    def lenient_text(self) -> str:
        """A NUL-terminated string for people: bytes that are not UTF-8 become U+FFFD."""
        return self.cstring().decode("utf-8", "replace")

    def i16s(self) -> tuple[int, ...]:
        """A 16-bit count and that many signed 16-bit integers (format codes)."""
        count = self.u16()
        self.require(2 * count)
        return tuple(self.i16() for _ in range(count))

    def u32s(self) -> tuple[int, ...]:
        """A 16-bit count and that many unsigned 32-bit integers (type OIDs)."""
        count = self.u16()
        self.require(4 * count)
        return tuple(self.u32() for _ in range(count))

    def value(self) -> bytes | None:
        """A 32-bit length and that many bytes; length -1 is NULL."""
        size = self.i32()
        return None if size == NULL_LENGTH else self.take(size)

    def values(self) -> tuple[bytes | None, ...]:
        """A 16-bit count and that many values."""
        count = self.u16()
        self.require(4 * count)
        return tuple(self.value() for _ in range(count))

    def skip_values(self) -> None:
        """Pass over what `values` reads, in one plain loop: a Bind may have 65,535 parameters."""
        count = self.u16()
        unpack, data, position, end = _I32.unpack_from, self._data, self._position, self._end
        for _ in range(count):
            if position + 4 > end:
                raise PeerError("insufficient data left in message")
            size = unpack(data, position)[0]
            position += 4
            if size > 0:
                position += size
            elif size < NULL_LENGTH:
                raise PeerError("invalid message format: negative length")
        self.skip(position - self._position)

    def finish(self) -> None:
        """Check that nothing is left over."""
        if self.remaining:
            raise PeerError(f"invalid message format: {self.remaining} bytes after the last field")
