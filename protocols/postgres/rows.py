"""Result rows in bulk: counting them, and masking their cells, without an object per row.

`compile_rewriter` writes a function for one plan (how many columns, which are masked) and compiles it, because a loop
that knows its columns is several times as fast as one that asks. For two columns, the second masked, it reads:

    while position <= last:                                   # a header's worth of bytes is there
        kind, length, columns, n = header(buffer, position)   # n: the first column's length
        if kind != 68:
            break
        if columns != 2 or length < 14:
            raise bad_row(length, columns, 2)
        end = position + 1 + length
        if end > size:
            break
        p, delta, hits = position + 11, 0, 0
        if n > 0:                                             # column 0: passed over
            p += n
        elif n < -1:
            raise bad_cell()
        n = i32(buffer, p)[0]                                 # column 1: masked
        p += 4
        a1 = p - 4
        e1 = p + n if n > 0 else p
        if e1 > end or n < -1:
            raise bad_cell()
        if n < 0:
            c1 = NULL
        else:
            m = mask1(buffer[p:e1])
            if m is None:
                c1 = NULL
                delta -= n
            else:
                k = len(m)
                c1 = (PREFIXES[k] if k < 256 else prefix(k)) + m
                delta += k - n
            hits += 1
        if hits:
            out += (buffer[copied:position], pack(68, length + delta), buffer[position + 5:a1], c1)
            copied = e1
            cells += hits
        rows += 1
        position = end

Lengths only move `p` forward, so the check against `end` at a masked cell covers every cell before it; a read beyond
the buffer is a `struct.error` and means the same. Columns after the last masked one are not walked. Nothing is copied
for rows whose masked cells are all NULL.

A CopyData with one row of a binary COPY is laid out as a DataRow of another kind, so the same loop masks it
(`compile_copy_rewriter`). There a message may hold anything else too: the loop walks all columns, and whatever is no
message of just one row ends it (every `raise` is a `struct.error` then, which is caught) instead of being an error.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct
from typing import Any, TypeAlias

from protocols.errors import PeerError, UsageError
from protocols.postgres.frames import HEADER, HEADER_SIZE

DATA_ROW = ord("D")
CellMasker: TypeAlias = Callable[[bytes], bytes | None]
RowRewriter: TypeAlias = Callable[[bytes, int], tuple[bytes, int, int, int]]

_NULL = b"\xff\xff\xff\xff"
_LENGTH = Struct(">i")
_MIN_ROW = 6  # the length field of a row without columns
_MAX_COLUMNS = 0xFFFF
_LOOP_FROM = 4  # this many unmasked columns in a row become a loop


@dataclass(frozen=True, slots=True)
class Constant:
    """A mask that never looks at the value. None is NULL."""

    value: bytes | None


def count_rows(buffer: bytes, position: int) -> tuple[int, int]:
    """Walk over complete DataRow messages from `position`: `(consumed, rows)`.

    `consumed` is the position of the first message that is incomplete or no DataRow. Raises `PeerError` for a length no
    DataRow can have.
    """
    unpack = HEADER.unpack_from
    size = len(buffer)
    last = size - HEADER_SIZE
    rows = 0
    while position <= last:
        kind, length = unpack(buffer, position)
        if kind != DATA_ROW:
            break
        if length < _MIN_ROW:
            raise PeerError(f"invalid DataRow: length {length}")
        end = position + 1 + length
        if end > size:
            break
        position = end
        rows += 1
    return position, rows


def compile_rewriter(width: int, maskers: Mapping[int, CellMasker | Constant]) -> RowRewriter:
    """Build `rewrite(buffer, position) -> (rows' new bytes, consumed, rows, masked cells)` for rows of `width` columns.

    It takes the complete DataRow messages from `position` on and stops at the first other or incomplete message.
    `maskers`: a function or a `Constant` by column index. A masker gets the cell's bytes and returns the new ones, or
    None for NULL; NULL stays NULL without being asked or counted. `rewrite` raises `PeerError` for another column count
    and for lengths that do not fit the row; what a masker raises comes through. Compiled plans are kept by their shape.
    """
    if not 0 <= width <= _MAX_COLUMNS or any(not 0 <= index < width for index in maskers):
        raise UsageError(f"a mask lies outside of the {width} columns of the row")
    return _made(width, maskers, _DATA_ROWS)


def compile_copy_rewriter(width: int, maskers: Mapping[int, CellMasker | Constant]) -> RowRewriter:
    """As `compile_rewriter`, for CopyData messages that hold one row of a binary COPY each. It stops before any other
    message and raises nothing of its own."""
    return _made(width, maskers, _COPIED_ROWS)


def _made(width: int, maskers: Mapping[int, CellMasker | Constant], carrier: _Carrier) -> RowRewriter:
    columns = sorted(maskers.items())
    shape = tuple((index, isinstance(masker, Constant)) for index, masker in columns)
    masks = tuple(_encode(masker.value) if isinstance(masker, Constant) else masker for _, masker in columns)
    return _factory(width, shape, carrier)(masks)


def _encode(value: bytes | None) -> bytes:
    """A cell on the wire: its length and its bytes."""
    return _NULL if value is None else _LENGTH.pack(len(value)) + value


_PREFIXES = tuple(_LENGTH.pack(size) for size in range(256))


def _bad_row(length: int, columns: int, width: int) -> PeerError:
    return PeerError(f"invalid DataRow: {columns} columns in {length} bytes, {width} columns were announced")


def _bad_cell() -> PeerError:
    return PeerError("invalid DataRow: a column's length does not fit the row")


def _check_stub(buffer: bytes, position: int, minimum: int) -> None:
    """A row that is shorter than any row of this width is an error, not something to wait for."""
    if len(buffer) - position >= HEADER_SIZE and buffer[position] == DATA_ROW:
        length = HEADER.unpack_from(buffer, position)[1]
        if length < minimum:
            raise PeerError(f"invalid DataRow: length {length}, at least {minimum} was expected")


@dataclass(frozen=True, slots=True)
class _Carrier:
    """The message around a row. `unsure`: what does not fit ends the loop instead of being an error."""

    kind: int
    unsure: bool


_DATA_ROWS = _Carrier(DATA_ROW, False)
_COPIED_ROWS = _Carrier(ord("d"), True)


def _no_row(*_: int) -> struct.error:
    return struct.error()


@lru_cache(maxsize=1024)
def _factory(
    width: int, shape: tuple[tuple[int, bool], ...], carrier: _Carrier
) -> Callable[[tuple[Any, ...]], RowRewriter]:
    """A function that takes the masks (in column order) and returns the rewriter."""
    names: dict[str, Any] = {
        "header": Struct(">BIHi" if shape else ">BIH").unpack_from,
        "i32": _LENGTH.unpack_from,
        "pack": HEADER.pack,
        "prefix": _LENGTH.pack,
        "PREFIXES": _PREFIXES,
        "bad_row": _no_row if carrier.unsure else _bad_row,
        "bad_cell": _no_row if carrier.unsure else _bad_cell,
        "check_stub": _check_stub,
        "struct_error": struct.error,
        "NULL": _NULL,
    }
    source = "\n".join(_source(width, shape, carrier))
    exec(compile(source, f"<rows {width} {shape} {carrier.kind}>", "exec"), names)  # noqa: S102 - the text holds only numbers of ours
    factory: Callable[[tuple[Any, ...]], RowRewriter] = names["make"]
    return factory


def _source(width: int, shape: tuple[tuple[int, bool], ...], carrier: _Carrier) -> Iterator[str]:
    """The text of `make(masks)`."""
    yield "def make(masks):"
    if shape:
        yield "    " + "".join(f"mask{index}, " for index, _ in shape) + "= masks"
    yield from (f"    size{index} = len(mask{index}) - 4" for index, constant in shape if constant)
    yield "    def rewrite(buffer, position):"
    yield from _indent(2, _function(width, shape, carrier))
    yield "    return rewrite"


def _indent(depth: int, lines: Iterator[str]) -> Iterator[str]:
    return (" " * 4 * depth + line for line in lines)


def _function(width: int, shape: tuple[tuple[int, bool], ...], carrier: _Carrier) -> Iterator[str]:
    header_size, minimum = (11 if shape else 7), _MIN_ROW + 4 * width
    yield "out = []"
    yield "begin = copied = position"
    yield "rows = cells = 0"
    yield "size = len(buffer)"
    yield f"last = size - {header_size}"
    yield "try:"
    yield "    while position <= last:"
    yield from _indent(2, _row(width, minimum, shape, carrier))
    yield "except struct_error:"
    yield "    pass" if carrier.unsure else "    raise bad_cell() from None"
    if not carrier.unsure:
        yield f"check_stub(buffer, position, {minimum})"
    yield "if not out:"
    yield "    return buffer[begin:position], position, rows, 0"
    yield "out.append(buffer[copied:position])"
    yield "return b''.join(out), position, rows, cells"


def _row(width: int, minimum: int, shape: tuple[tuple[int, bool], ...], carrier: _Carrier) -> Iterator[str]:
    first = ", n" if shape else ""
    yield f"kind, length, columns{first} = header(buffer, position)"
    yield f"if kind != {carrier.kind}: break"
    yield f"if columns != {width} or length < {minimum}: raise bad_row(length, columns, {width})"
    yield "end = position + 1 + length"
    yield "if end > size: break"
    if shape:
        yield "p = position + 11"
        yield "delta = hits = 0"
        yield from _cells(shape)
        if carrier.unsure:
            yield from _to_the_end(shape[-1][0], width)
        yield from _emit(shape, carrier)
    yield "rows += 1"
    yield "position = end"


def _cells(shape: tuple[tuple[int, bool], ...]) -> Iterator[str]:
    """Walk to each masked column in turn. `n` is the length of the column that `p` points at."""
    column = 0
    for index, constant in shape:
        yield from _skip(index - column)
        yield from _masked(index, constant)
        column = index + 1
        if index != shape[-1][0]:
            yield f"p = e{index}"
            yield from _next_length()


def _to_the_end(last: int, width: int) -> Iterator[str]:
    """Walk the columns behind the last masked one: the row must end where its message does."""
    yield f"p = e{last}"
    yield f"for _ in range({width - 1 - last}):"
    yield from _indent(1, _next_length())
    yield "    if n > 0: p += n"
    yield "    elif n < -1: raise bad_cell()"
    yield "if p != end: raise bad_cell()"


def _next_length() -> Iterator[str]:
    yield "n = i32(buffer, p)[0]"
    yield "p += 4"


def _step() -> Iterator[str]:
    """Pass over one column and read the next one's length."""
    yield "if n > 0: p += n"
    yield "elif n < -1: raise bad_cell()"
    yield from _next_length()


def _skip(count: int) -> Iterator[str]:
    if count >= _LOOP_FROM:
        yield f"for _ in range({count}):"
        yield from _indent(1, _step())
    else:
        for _ in range(count):
            yield from _step()


def _masked(index: int, constant: bool) -> Iterator[str]:
    yield f"a{index} = p - 4"
    yield f"e{index} = p + n if n > 0 else p"
    yield f"if e{index} > end or n < -1: raise bad_cell()"
    yield f"if n < 0: c{index} = NULL"
    yield "else:"
    yield from _indent(1, _constant_cell(index) if constant else _made_cell(index))
    yield "    hits += 1"


def _constant_cell(index: int) -> Iterator[str]:
    yield f"c{index} = mask{index}"
    yield f"delta += size{index} - n"


def _made_cell(index: int) -> Iterator[str]:
    yield f"m = mask{index}(buffer[p:e{index}])"
    yield "if m is None:"
    yield f"    c{index} = NULL"
    yield "    delta -= n"
    yield "else:"
    yield "    k = len(m)"
    yield f"    c{index} = (PREFIXES[k] if k < 256 else prefix(k)) + m"
    yield "    delta += k - n"


def _emit(shape: tuple[tuple[int, bool], ...], carrier: _Carrier) -> Iterator[str]:
    """Write the row: what was left from earlier rows, the new header, then cells and the bytes between them."""
    pieces = ["buffer[copied:position]", f"pack({carrier.kind}, length + delta)"]
    before, neighbour = "position + 5", -1
    for index, _ in shape:
        if index - neighbour > 1 or neighbour < 0:
            pieces.append(f"buffer[{before}:a{index}]")
        pieces.append(f"c{index}")
        before, neighbour = f"e{index}", index
    yield "if hits:"
    yield f"    out += ({', '.join(pieces)})"
    yield f"    copied = {before}"
    yield "    cells += hits"
