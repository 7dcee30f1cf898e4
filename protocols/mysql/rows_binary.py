"""The loop over binary rows: 0x00, a bitmap of NULLs that begins at bit 2, then the values that are not NULL.

Numbers have the width of their type; dates, times and everything else a length in front. For an INT, a masked VARCHAR
and two more INTs it reads, where it differs from the loop over text rows:

        if n: stop or raise bad_header(n)
        body = p = position + 6
        bits = after = from_bytes(buffer[position + 5:p], 'little')
        if not bits & 4: p += 4                          # column 0: passed over
        a1 = e1 = p                                      # column 1: masked
        if bits & 8: c1 = b''
        else:
            n = buffer[p]
            p += 1
            ...                                          # as in a text row; one that becomes NULL sets its bit
        if not bits & 48: p += 8                         # columns 2 and 3, where neither is NULL
        else:
            if not bits & 16: p += 4
            if not bits & 32: p += 4
        ...
            out += (..., buffer[position + 4:body] if after == bits else b'\\0' + after.to_bytes(1, 'little'), ...)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from protocols.errors import UsageError
from protocols.mysql import rows_source
from protocols.mysql.fieldtypes import FIXED_WIDTHS, STRING_TYPES, TEMPORAL_TYPES
from protocols.mysql.rows_source import END, NULL, Shape, in_order, indent, made_cell

ENCODED: Final = -1  # in place of a width: a length-encoded string, or a date or time with its one byte of length
_OFFSET: Final = 2  # the bitmap's first bit that is a column's


def kinds(types: Sequence[int]) -> tuple[int, ...]:
    """The width of each column's values, or ENCODED. Raises `UsageError` for a type that a row cannot have."""
    return tuple(_kind(number) for number in types)


def _kind(number: int) -> int:
    if number in FIXED_WIDTHS:
        return FIXED_WIDTHS[number]
    if number in STRING_TYPES or number in TEMPORAL_TYPES:
        return ENCODED
    raise UsageError(f"column type {number} is not known in a binary row")


def bitmap_size(width: int) -> int:
    return (width + 7 + _OFFSET) // 8


def flag(column: int) -> int:
    """A column's bit in the bitmap, read as a little-endian number."""
    return 1 << column + _OFFSET


def program(widths: tuple[int, ...], shape: Shape) -> tuple[dict[str, Any], Iterator[str]]:
    """The names and the lines of the loop's text."""
    return rows_source.names(), rows_source.make(shape, _row(widths, shape))


def _row(widths: tuple[int, ...], shape: Shape) -> Iterator[str]:
    size = bitmap_size(len(widths))
    yield "if n:"
    yield f"    if n >= {END}: break"
    yield "    raise bad_header(n)"
    yield from in_order()
    yield f"if length < {1 + size}: raise bad_row(length)"
    yield f"body = p = position + {5 + size}"
    yield "bits = after = from_bytes(buffer[position + 5:p], 'little')"
    yield "delta = hits = 0"
    yield from _cells(widths, dict(shape))
    yield "if p != end: raise bad_cell()"
    if shape:
        yield from rows_source.emit(_pieces(shape, size), shape[-1][0])
    else:
        yield from rows_source.renumbered()


def _cells(widths: tuple[int, ...], masked: dict[int, bool]) -> Iterator[str]:
    """Walk every column in turn; neighbours that are passed over and have no lengths are one step."""
    for passed, columns in groupby(range(len(widths)), lambda n: n not in masked and widths[n] != ENCODED):
        if passed:
            yield from _pass_fixed([(flag(column), widths[column]) for column in columns])
            continue
        for column in columns:
            yield from _masked(column, widths[column], masked[column]) if column in masked else _pass_encoded(column)


def _pass_fixed(columns: list[tuple[int, int]]) -> Iterator[str]:
    each = [f"if not bits & {bit}: p += {width}" for bit, width in columns]
    if len(each) > 1:
        yield f"if not bits & {sum(bit for bit, _ in columns)}: p += {sum(width for _, width in columns)}"
        yield "else:"
        yield from indent(1, each)
    else:
        yield from each


def _pass_encoded(column: int) -> Iterator[str]:
    yield f"if not bits & {flag(column)}:"
    yield "    n = buffer[p]"
    yield f"    p = p + 1 + n if n < {NULL} else span(buffer, p + 1, n)[1]"


def _masked(index: int, width: int, constant: bool) -> Iterator[str]:
    yield f"a{index} = e{index} = p"
    yield f"if bits & {flag(index)}: c{index} = b''"
    yield "else:"
    yield from indent(1, _bounds(index, width))
    yield f"    if e{index} > end: raise bad_cell()"
    yield from indent(1, _constant(index) if constant else _made(index, width))
    yield f"    delta += len(c{index}) + a{index} - e{index}"
    yield "    hits += 1"
    yield f"    p = e{index}"


def _bounds(index: int, width: int) -> Iterator[str]:
    if width != ENCODED:
        yield f"e{index} = p + {width}"
        return
    yield "n = buffer[p]"
    yield "p += 1"
    yield f"if n < {NULL}: e{index} = p + n"
    yield f"else: p, e{index} = span(buffer, p, n)"


def _null(index: int) -> str:
    return f"c{index} = b''; after |= {flag(index)}"


def _constant(index: int) -> Iterator[str]:
    yield f"c{index} = mask{index}"
    yield f"if c{index} is None: {_null(index)}"


def _made(index: int, width: int) -> Iterator[str]:
    if width == ENCODED:
        yield from made_cell(index, _null(index))
        return
    yield f"c{index} = mask{index}(buffer[p:e{index}])"
    yield f"if c{index} is None: {_null(index)}"


def _pieces(shape: Shape, size: int) -> Iterator[str]:
    yield f"buffer[position + 4:body] if after == bits else b'\\0' + after.to_bytes({size}, 'little')"
    before = "body"
    for index, _ in shape:
        yield f"buffer[{before}:a{index}]"
        yield f"c{index}"
        before = f"e{index}"
