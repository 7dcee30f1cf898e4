"""Reading and building the fields of a packet: little-endian integers, length-encoded integers and strings.

Source: MySQL internals, "Protocol Data Types". Every read checks the length first and raises `PeerError` that names the
packet; what cannot be built raises `UsageError`.
"""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error

from protocols.errors import UsageError
from protocols.mysql.faults import malformed

NULL = 0xFB  # in place of a length: the value is NULL
_U16, _U32, _U64 = Struct("<H"), Struct("<I"), Struct("<Q")
_WIDTHS = {0xFC: 2, 0xFD: 3, 0xFE: 8}  # the first byte of a length-encoded integer: how many bytes follow
_ONE_BYTE = tuple(bytes([number]) for number in range(256))


class Reader:
    """A position in `data[position:end]`. `place` names the packet in errors."""

    __slots__ = ("_data", "_end", "_place", "position")

    def __init__(self, data: bytes, place: str, position: int = 0, end: int | None = None) -> None:
        self._data = data
        self._place = place
        self._end = len(data) if end is None else end
        self.position = position

    @property
    def remaining(self) -> int:
        """Bytes not yet read."""
        return self._end - self.position

    def require(self, size: int, field: str) -> None:
        """Check that `size` more bytes are there: ask before making room for a count that the peer claims."""
        if size > self._end - self.position:
            raise malformed(self._place, f"{field} needs {size} bytes, {self.remaining} are left")

    def _advance(self, size: int, field: str) -> int:
        self.require(size, field)
        start = self.position
        self.position = start + size
        return start

    def u8(self, field: str) -> int:
        return self._data[self._advance(1, field)]

    def u16(self, field: str) -> int:
        value: int = _U16.unpack_from(self._data, self._advance(2, field))[0]
        return value

    def u24(self, field: str) -> int:
        return int.from_bytes(self.take(3, field), "little")

    def u32(self, field: str) -> int:
        value: int = _U32.unpack_from(self._data, self._advance(4, field))[0]
        return value

    def u64(self, field: str) -> int:
        value: int = _U64.unpack_from(self._data, self._advance(8, field))[0]
        return value

    def take(self, size: int, field: str) -> bytes:
        """Exactly `size` bytes."""
        start = self._advance(size, field)
        return self._data[start : start + size]

    def rest(self) -> bytes:
        """Everything that is left."""
        return self.take(self.remaining, "the rest")

    def cstring(self, field: str) -> bytes:
        """Bytes up to a NUL, which is consumed and left out."""
        stop = self._data.find(b"\0", self.position, self._end)
        if stop < 0:
            raise malformed(self._place, f"{field}: the terminating NUL is missing")
        value = self._data[self.position : stop]
        self.position = stop + 1
        return value

    def lenenc(self, field: str) -> int:
        """A length-encoded integer. NULL (0xFB) and 0xFF are no integers."""
        first = self.u8(field)
        if first < NULL:
            return first
        if (width := _WIDTHS.get(first)) is None:
            raise malformed(self._place, f"{field}: 0x{first:02x} begins no length-encoded integer")
        return int.from_bytes(self.take(width, field), "little")

    def lenenc_bytes(self, field: str) -> bytes:
        """A length-encoded string."""
        return self.take(self.lenenc(field), field)

    def lenenc_bytes_or_null(self, field: str) -> bytes | None:
        """A length-encoded string, or None for 0xFB."""
        if self.remaining and self._data[self.position] == NULL:
            self.position += 1
            return None
        return self.lenenc_bytes(field)

    def finish(self) -> None:
        """Check that nothing is left over."""
        if self.remaining:
            raise malformed(self._place, f"{self.remaining} bytes after the last field")


def lenenc(number: int) -> bytes:
    """A length-encoded integer in its shortest form."""
    if number < NULL:
        if number < 0:
            raise UsageError(f"a length-encoded integer cannot be negative: {number}")
        return _ONE_BYTE[number]
    for first, width in _WIDTHS.items():
        if number < 1 << 8 * width:
            return _ONE_BYTE[first] + number.to_bytes(width, "little")
    raise UsageError(f"{number} is too large for a length-encoded integer")


def lenenc_bytes(value: bytes) -> bytes:
    """A length-encoded string."""
    return lenenc(len(value)) + value


def lenenc_bytes_or_null(value: bytes | None) -> bytes:
    """A length-encoded string; None is the one byte 0xFB."""
    return b"\xfb" if value is None else lenenc_bytes(value)


def cstring(value: bytes) -> bytes:
    """A string and its terminating NUL. A NUL inside would end it early: refused."""
    if b"\0" in value:
        raise UsageError("a NUL-terminated string cannot contain NUL")
    return value + b"\0"


def integer(number: int, width: int) -> bytes:
    """An unsigned integer of `width` bytes."""
    try:
        return number.to_bytes(width, "little")
    except OverflowError:
        raise UsageError(f"{number} is no unsigned integer of {width} bytes") from None


def pack(layout: Struct, *values: int) -> bytes:
    """`layout.pack` with `UsageError` for values that do not fit."""
    try:
        return layout.pack(*values)
    except struct_error as error:
        raise UsageError(f"{values} cannot be packed as {layout.format!r}: {error}") from None
