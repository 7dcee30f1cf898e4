"""One row at a time, the obvious way: for rows that take several packets before or after they are masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from protocols.mysql.faults import out_of_order
from protocols.mysql.packets import HEADER, HEADER_SIZE, MAX_PAYLOAD
from protocols.mysql.rows_binary import ENCODED, bitmap_size, flag
from protocols.mysql.rows_source import END, ERROR, CellMasker, bad_header, bad_row, encoded_cell, fixed_cell
from protocols.mysql.wire import Reader

_PLACE = "result row"


class LongRow(NamedTuple):
    """`packets`: how many it came in. `end`: the position behind them."""

    payload: bytes
    packets: int
    end: int


def whole_row(buffer: bytes, position: int, end: int, sequence: int, binary: bool) -> LongRow | None:
    """The row at `position`, all its packets joined; None where it is incomplete, or no row but what ends them. Raises
    `PeerError` for a wrong sequence id and for an empty packet."""
    if end - position < HEADER_SIZE:
        return None
    length = HEADER.unpack_from(buffer, position)[0] & MAX_PAYLOAD
    if not length:
        raise bad_row(0)
    if end - position < HEADER_SIZE + length or _is_no_row(buffer[position + HEADER_SIZE], length, binary):
        return None
    return _joined(buffer, position, end, sequence)


def _is_no_row(first: int, length: int, binary: bool) -> bool:
    """A text row that begins with 0xFE has a first column of 16 MB at least, so its packet is a full one."""
    if first == ERROR or (first == END and (binary or length < MAX_PAYLOAD)):
        return True
    if binary and first:
        raise bad_header(first)
    return False


def _joined(buffer: bytes, position: int, end: int, sequence: int) -> LongRow | None:
    parts: list[bytes] = []
    while end - position >= HEADER_SIZE:
        word = HEADER.unpack_from(buffer, position)[0]
        if word >> 24 != sequence + len(parts) & 0xFF:
            raise out_of_order(sequence + len(parts) & 0xFF, word >> 24)
        begin, length = position + HEADER_SIZE, word & MAX_PAYLOAD
        position = begin + length
        if position > end:
            return None
        parts.append(buffer[begin:position])
        if length < MAX_PAYLOAD:
            return LongRow(b"".join(parts), len(parts), position)
    return None


def mask_text_row(payload: bytes, width: int, masks: Mapping[int, CellMasker]) -> tuple[bytes, int]:
    """The row's masked payload, and how many cells were masked. Raises `PeerError` unless it has these columns."""
    reader, cells, hits = Reader(payload, _PLACE), [], 0
    for column in range(width):
        cell = reader.lenenc_bytes_or_null("a column")
        if cell is not None and column in masks:
            cell, hits = masks[column](cell), hits + 1
        cells.append(encoded_cell(cell))
    reader.finish()
    return b"".join(cells), hits


def mask_binary_row(payload: bytes, widths: tuple[int, ...], masks: Mapping[int, CellMasker]) -> tuple[bytes, int]:
    """The same for a binary row. `widths`: of each column's values, or ENCODED."""
    reader, cells, hits = Reader(payload, _PLACE), [], 0
    if first := reader.u8("the header"):
        raise bad_header(first)
    size = bitmap_size(len(widths))
    bits = int.from_bytes(reader.take(size, "the bitmap of NULLs"), "little")
    nulls = bits
    for column, width in enumerate(widths):
        if bits & flag(column):
            continue
        cell: bytes | None = reader.lenenc_bytes("a column") if width == ENCODED else reader.take(width, "a column")
        if column in masks:
            cell, hits = masks[column](cell or b""), hits + 1
        if cell is None:
            nulls |= flag(column)
        else:
            cells.append(encoded_cell(cell) if width == ENCODED else fixed_cell(cell, width))
    reader.finish()
    return b"".join((b"\0", nulls.to_bytes(size, "little"), *cells)), hits
