"""What the loops over text and over binary rows share: lengths, errors and the lines around a row."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from struct import Struct
from typing import Any, Final, TypeAlias

from protocols.errors import UsageError
from protocols.mysql.faults import WireError, malformed, out_of_order
from protocols.mysql.packets import MAX_PAYLOAD
from protocols.mysql.wire import lenenc, lenenc_bytes_or_null

CellMasker: TypeAlias = Callable[[bytes], bytes | None]
#: (column, whether its mask is a constant), ascending
Shape: TypeAlias = tuple[tuple[int, bool], ...]
#: (buffer, start, end, sequence, shift) -> (new bytes, consumed, rows, masked cells)
Fast: TypeAlias = Callable[[bytes, int, int, int, int], tuple[bytes, int, int, int]]

NULL: Final = 0xFB  # in place of a length in a text row
END, ERROR = 0xFE, 0xFF  # the first byte of what ends the rows
_TWO, _FOUR, _EIGHT = Struct("<H"), Struct("<I"), Struct("<Q")
_HEADER: Final = Struct("<IB")  # length and sequence id, and the payload's first byte
_PACK: Final = Struct("<I")
_PREFIXES: Final = tuple(lenenc(size) for size in range(NULL))


def encoded_cell(value: bytes | None) -> bytes:
    """A cell on the wire: its length and its bytes."""
    return lenenc_bytes_or_null(value)


def fixed_cell(value: bytes | None, width: int) -> bytes:
    """A cell without a length. Raises `UsageError` when the value has another width than its type."""
    if value is None or len(value) != width:
        raise UsageError(f"a masked value does not have the {width} bytes of its type")
    return value


def fitted(masker: CellMasker, width: int) -> CellMasker:
    """The masker of a type without lengths: a value of another width would move all that comes after it."""

    def masked(cell: bytes) -> bytes | None:
        made = masker(cell)
        return None if made is None else fixed_cell(made, width)

    return masked


def span(buffer: bytes, position: int, first: int) -> tuple[int, int]:
    """Where a value begins and ends whose length takes more than one byte. `position`: behind the first of them."""
    if first == 0xFC:
        return position + 2, position + 2 + _TWO.unpack_from(buffer, position)[0]
    if first == 0xFD:
        return position + 3, position + 3 + (_FOUR.unpack_from(buffer, position - 1)[0] >> 8)
    if first == 0xFE:
        return position + 8, position + 8 + _EIGHT.unpack_from(buffer, position)[0]
    raise bad_cell()


def bad_row(length: int) -> WireError:
    return malformed("result row", f"{length} bytes are too short for its columns")


def bad_cell() -> WireError:
    return malformed("result row", "a column's length does not fit the row")


def bad_header(first: int) -> WireError:
    return malformed("result row", f"0x{first:02x} where a row is due")


def names() -> dict[str, Any]:
    """What the text of a loop may name."""
    return {
        "header": _HEADER.unpack_from,
        "pack": _PACK.pack,
        "prefix": lenenc,
        "PREFIXES": _PREFIXES,
        "span": span,
        "bad_row": bad_row,
        "bad_cell": bad_cell,
        "bad_header": bad_header,
        "out_of_order": out_of_order,
        "struct_error": struct.error,
        "from_bytes": int.from_bytes,
        "NULL": bytes([NULL]),
    }


def indent(depth: int, lines: Iterable[str]) -> Iterator[str]:
    return (" " * 4 * depth + line for line in lines)


def make(shape: Shape, row: Iterable[str]) -> Iterator[str]:
    """The text of `make(masks)`, which returns the loop. `row`: the lines that a whole row takes, after its header was
    read into `word`, `n` (the payload's first byte) and `length`; they leave `hits` and may `break`."""
    yield "def make(masks):"
    if shape:
        yield "    " + "".join(f"mask{index}, " for index, _ in shape) + "= masks"
    yield "    def rewrite(buffer, position, limit, sequence, shift):"
    yield from indent(2, _function(row))
    yield "    return rewrite"


def _function(row: Iterable[str]) -> Iterator[str]:
    yield "out = []"
    yield "begin = copied = position"
    yield "rows = cells = 0"
    yield "last = limit - 5"
    yield "try:"
    yield "    while position <= last:"
    yield from indent(2, _bounds())
    yield from indent(2, row)
    yield from indent(2, ("rows += 1", "sequence = sequence + 1 & 255", "position = end"))
    yield "except (IndexError, struct_error):"
    yield "    raise bad_cell() from None"
    yield "if not out:"
    yield "    return buffer[begin:position], position, rows, 0"
    yield "out.append(buffer[copied:position])"
    yield "return b''.join(out), position, rows, cells"


def _bounds() -> Iterator[str]:
    yield "word, n = header(buffer, position)"
    yield f"length = word & {MAX_PAYLOAD}"
    yield "end = position + 4 + length"
    yield f"if end > limit or length == {MAX_PAYLOAD}: break"


def in_order() -> Iterator[str]:
    yield "if word >> 24 != sequence: raise out_of_order(sequence, word >> 24)"


def made_cell(index: int, null: str) -> Iterator[str]:
    """A cell with a length, from `buffer[p:e]`. `null`: the line for one that the mask makes NULL."""
    yield f"m = mask{index}(buffer[p:e{index}])"
    yield f"if m is None: {null}"
    yield "else:"
    yield "    k = len(m)"
    yield f"    c{index} = (PREFIXES[k] if k < {NULL} else prefix(k)) + m"


def emit(pieces: Iterable[str], last: int) -> Iterator[str]:
    """Write the row: what was left from earlier rows, the new header, then cells and the bytes between them. One that
    has grown over a packet's size is left to the slow way."""
    yield "if hits or shift:"
    yield "    length += delta"
    yield f"    if length >= {MAX_PAYLOAD}: break"
    head = "buffer[copied:position], pack(length | (sequence + shift & 255) << 24)"
    yield f"    out += ({', '.join((head, *pieces))})"
    yield f"    copied = e{last}"
    yield "    cells += hits"


def renumbered() -> Iterator[str]:
    """A row without masked columns, of which only the sequence id may change."""
    yield "if shift:"
    yield "    out += (buffer[copied:position], pack(length | (sequence + shift & 255) << 24))"
    yield "    copied = position + 4"
