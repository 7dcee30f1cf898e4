"""Result rows in bulk: masking their cells without an object per row.

`compile_rewriter` writes a function for one plan (the columns' types, which are masked, text or binary) and compiles
it, because a loop that knows its columns is several times as fast as one that asks. `rows_text` and `rows_binary` write
the loops; `rows_long` does one row at a time, in the obvious way: for rows of 16 MB and more, which come in several
packets, and for those that grow over 16 MB when they are masked.

The loops take whole packets and stop at the first that is incomplete or no row: an end (0xFE in a packet below 16 MB)
or an error (0xFF). Everything else must be a row of the announced columns, to its last byte, with the sequence id that
is due; what is not raises `PeerError`, and nothing of it comes out. Sources: MySQL internals, "Text Resultset Row",
"Binary Protocol Resultset Row", "Sequence ID".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from protocols.errors import UsageError
from protocols.mysql import rows_binary, rows_text
from protocols.mysql.packets import encode, packet_count
from protocols.mysql.rows_long import LongRow, mask_binary_row, mask_text_row, whole_row
from protocols.mysql.rows_source import CellMasker, Fast, Shape, encoded_cell, fitted, fixed_cell

__all__ = ["CellMasker", "Constant", "Rewritten", "RowRewriter", "compile_rewriter"]

MOST_COLUMNS: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class Constant:
    """A mask that never looks at the value. None is NULL."""

    value: bytes | None


class Rewritten(NamedTuple):
    """`data`: the rows' new packets. `consumed`: the position of the first byte that was not taken. `cells`: how many
    were masked. `sequence`: the id that the next packet must come with. `shift`: what to add to it on the way on."""

    data: bytes
    consumed: int
    rows: int
    cells: int
    sequence: int
    shift: int


#: (buffer, start, end, sequence, shift): see `compile_rewriter`
RowRewriter: TypeAlias = Callable[[bytes, int, int, int, int], Rewritten]
MaskedRow: TypeAlias = Callable[[bytes], tuple[bytes, int]]


def compile_rewriter(types: Sequence[int], maskers: Mapping[int, CellMasker | Constant], binary: bool) -> RowRewriter:
    """Build `rewrite(buffer, start, end, sequence, shift) -> Rewritten` for rows of these column types.

    `maskers`: a function or a `Constant` by column index. A masker gets the cell's bytes without their length (of a
    binary number: its little-endian bytes) and returns the new ones, or None for NULL, which in a binary row is set in
    its bitmap; NULL stays NULL without being asked or counted. A number's masked form has the number's width.

    `rewrite` takes the whole row packets in `buffer[start:end]`. `sequence`: the id due next from the server; `shift`:
    by how much the ids towards the client differ from them (DEPRECATE_EOF on one side only, or a row that was masked
    into another number of packets). It raises `PeerError` for what is no row; what a masker raises comes through.
    Raises `UsageError` for a type that no row has, a mask outside of the row or a constant that does not fit."""
    width = len(types)
    if not 0 < width <= MOST_COLUMNS or any(not 0 <= index < width for index in maskers):
        raise UsageError(f"a mask lies outside of the {width} columns of the row")
    columns = sorted(maskers.items())
    shape: Shape = tuple((index, isinstance(masker, Constant)) for index, masker in columns)
    kinds = rows_binary.kinds(types) if binary else ()
    masks = tuple(_as_cell(index, masker, kinds) for index, masker in columns)
    return _with_long_rows(_factory(width, kinds, shape)(masks), _slow(width, kinds, maskers), binary)


def _as_cell(index: int, masker: CellMasker | Constant, kinds: tuple[int, ...]) -> CellMasker | bytes | None:
    """A constant as its bytes in the row; None for NULL in a binary row, where it has none."""
    width = kinds[index] if kinds else rows_binary.ENCODED
    if isinstance(masker, Constant):
        if kinds and masker.value is None:
            return None
        return encoded_cell(masker.value) if width == rows_binary.ENCODED else fixed_cell(masker.value, width)
    return masker if width == rows_binary.ENCODED else fitted(masker, width)


@lru_cache(maxsize=1024)
def _factory(width: int, kinds: tuple[int, ...], shape: Shape) -> Callable[[tuple[Any, ...]], Fast]:
    """A function that takes the masks (in column order) and returns the loop. `kinds`: () for text rows."""
    names, lines = rows_binary.program(kinds, shape) if kinds else rows_text.program(width, shape)
    source = "\n".join(lines)
    exec(compile(source, f"<rows {width} {shape}>", "exec"), names)  # noqa: S102 - the text holds only numbers of ours
    factory: Callable[[tuple[Any, ...]], Fast] = names["make"]
    return factory


def _slow(width: int, kinds: tuple[int, ...], maskers: Mapping[int, CellMasker | Constant]) -> MaskedRow:
    masks = {index: _as_function(masker) for index, masker in maskers.items()}
    if kinds:
        return lambda payload: mask_binary_row(payload, kinds, masks)
    return lambda payload: mask_text_row(payload, width, masks)


def _as_function(masker: CellMasker | Constant) -> CellMasker:
    if not isinstance(masker, Constant):
        return masker
    value = masker.value
    return lambda cell: value


def _with_long_rows(fast: Fast, slow: MaskedRow, binary: bool) -> RowRewriter:
    def rewrite(buffer: bytes, start: int, end: int, sequence: int, shift: int = 0) -> Rewritten:
        data, position, rows, cells = fast(buffer, start, end, sequence, shift)
        sequence = sequence + rows & 0xFF
        row = whole_row(buffer, position, end, sequence, binary)
        if row is None:
            return Rewritten(data, position, rows, cells, sequence, shift)
        return _resumed(Rewritten(data, position, rows, cells, sequence, shift), row, buffer, end)

    def _resumed(before: Rewritten, row: LongRow, buffer: bytes, end: int) -> Rewritten:
        """After the fast loop has stopped before a row that it leaves to the slow way."""
        pieces, _, rows, cells, sequence, shift = [before.data], *before[1:]
        found: LongRow | None = row
        while found is not None:
            masked, hits = slow(found.payload)
            pieces.append(encode(masked, sequence + shift & 0xFF))
            shift += packet_count(len(masked)) - found.packets
            sequence = sequence + found.packets & 0xFF
            data, position, more, new_cells = fast(buffer, found.end, end, sequence, shift)
            pieces.append(data)
            sequence, rows, cells = sequence + more & 0xFF, rows + 1 + more, cells + hits + new_cells
            found = whole_row(buffer, position, end, sequence, binary)
        return Rewritten(b"".join(pieces), position, rows, cells, sequence, shift)

    return rewrite
