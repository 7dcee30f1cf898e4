"""COPY's binary format: a header, rows as DataRow lays them out, a trailer.

* header: 11 bytes of signature; flags (u32: the upper half is critical, bit 16 is the OIDs of old servers); the length
  of an extension (u32) and the extension;
* row: the number of fields (i16), for each its length (i32, -1: NULL) and its bytes in the type's binary form;
* trailer: -1 (i16).
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from protocols.errors import PeerError
from protocols.postgres.copy_stream import Made, Maskers, wrong_width
from protocols.postgres.rows import CellMasker, Constant, compile_copy_rewriter

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0"
HEADER: Final = Struct(">11sII")
_COUNT: Final = Struct(">h")
_LENGTH: Final = Struct(">i")
_TRAILER: Final = -1
_NULL: Final = -1


class BinaryRows:
    """See `copy_stream.RowFormat`. `maskers` take and return cells in binary format."""

    __slots__ = ("_begun", "_ended", "_maskers", "_one_row_each", "_width")

    def __init__(self, width: int, maskers: Maskers) -> None:
        self._width = width
        self._maskers = tuple(maskers.get(column) for column in range(width))
        self._one_row_each = compile_copy_rewriter(width, maskers)
        self._begun = self._ended = False

    def fast(self, buffer: bytes, position: int) -> Made:
        if self._begun and not self._ended:
            return self._one_row_each(buffer, position)
        return b"", position, 0, 0

    def rows(self, data: bytes) -> Made:
        out: list[bytes] = []
        position = self._header(data)
        out.append(data[:position])
        rows = cells = 0
        while self._begun and not self._ended and (row := self._row(data, position)) is not None:
            made, position, hits = row
            out.append(made)
            rows, cells = rows + (not self._ended), cells + hits
        if self._ended and position < len(data):
            raise PeerError("invalid COPY data: something follows the trailer")
        return b"".join(out), position, rows, cells

    def finish(self, rest: bytes) -> None:
        if rest or not self._ended:
            raise PeerError("invalid COPY data: it ends before its trailer")

    def _header(self, data: bytes) -> int:
        """Where the rows start in `data`: behind the header, if it is there whole."""
        if self._begun:
            return 0
        if data[: len(SIGNATURE)] != SIGNATURE[: len(data)]:
            raise PeerError("invalid COPY data: it has not the signature of the binary format")
        if len(data) < HEADER.size:
            return 0
        _, flags, extension = HEADER.unpack_from(data)
        if flags or extension:
            raise PeerError("invalid COPY data: a header with flags or an extension that the gate does not know")
        self._begun = True
        return HEADER.size

    def _row(self, data: bytes, position: int) -> tuple[bytes, int, int] | None:
        """(new bytes, end, masked cells) of the row or trailer at `position`; None while it is incomplete."""
        size = len(data)
        if size - position < _COUNT.size:
            return None
        (count,) = _COUNT.unpack_from(data, position)
        out = [data[position : position + _COUNT.size]]
        position += _COUNT.size
        if count == _TRAILER:
            self._ended = True
            return out[0], position, 0
        if count != self._width:
            raise wrong_width(count, self._width)
        hits = 0
        for masker in self._maskers:
            end = _field_end(data, position)
            if not end or end > size:
                return None
            field = data[position:end]
            if masker is not None and field != _ABSENT:
                field, hits = _masked(field[_LENGTH.size :], masker), hits + 1
            out.append(field)
            position = end
        return b"".join(out), position, hits


_ABSENT: Final = _LENGTH.pack(_NULL)


def _field_end(data: bytes, position: int) -> int:
    """Where the field at `position` ends, which may be beyond the data; 0 while its length is not there."""
    if len(data) - position < _LENGTH.size:
        return 0
    length: int = _LENGTH.unpack_from(data, position)[0]
    if length < _NULL:
        raise PeerError("invalid COPY data: a field of negative length")
    return position + _LENGTH.size + max(length, 0)


def _masked(value: bytes, masker: CellMasker | Constant) -> bytes:
    made = masker.value if isinstance(masker, Constant) else masker(value)
    return _ABSENT if made is None else _LENGTH.pack(len(made)) + made
