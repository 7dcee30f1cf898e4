"""The loop over text rows: each cell is a length-encoded string, or the byte 0xFB for NULL.

For two columns, the second masked, it reads:

    while position <= last:                              # a header and the first byte behind it are there
        word, n = header(buffer, position)               # n: the first column's length
        length = word & 0xFFFFFF
        end = position + 4 + length
        if end > limit or length == 0xFFFFFF: break      # incomplete, or in several packets
        if n > 253: break                                # no row
        if word >> 24 != sequence: raise out_of_order(sequence, word >> 24)
        if length < 2: raise bad_row(length)
        p = position + 5
        delta = hits = 0
        if n < 251: p += n                               # column 0: passed over
        elif n != 251: p = span(buffer, p, n)[1]
        n = buffer[p]                                    # column 1: masked
        p += 1
        a1 = p - 1
        if n == 251:
            c1 = NULL
            e1 = p
        else:
            if n < 251: e1 = p + n
            else: p, e1 = span(buffer, p, n)
            if e1 > end: raise bad_cell()
            m = mask1(buffer[p:e1])
            if m is None: c1 = NULL
            else:
                k = len(m)
                c1 = (PREFIXES[k] if k < 251 else prefix(k)) + m
            delta += len(c1) + a1 - e1
            hits += 1
        p = e1
        if p != end: raise bad_cell()
        if hits or shift:
            length += delta
            if length >= 0xFFFFFF: break
            out += (buffer[copied:position], pack(length | (sequence + shift & 255) << 24), buffer[position + 4:a1], c1)
            copied = e1
            cells += hits
        rows += 1
        sequence = sequence + 1 & 255
        position = end

Lengths only move `p` forward, so a row whose last column ends where the row does has all its columns in it. A read
beyond the buffer is an IndexError or a struct.error and means the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from protocols.mysql import rows_source
from protocols.mysql.rows_source import END, NULL, Shape, in_order, indent, made_cell

_LOOP_FROM: Final = 4  # this many unmasked columns in a row become a loop


def program(width: int, shape: Shape) -> tuple[dict[str, Any], Iterator[str]]:
    """The names and the lines of the loop's text."""
    return rows_source.names(), rows_source.make(shape, _row(width, shape))


def _row(width: int, shape: Shape) -> Iterator[str]:
    yield f"if n >= {END}: break"
    yield from in_order()
    yield f"if length < {width}: raise bad_row(length)"
    yield "p = position + 5"
    yield "delta = hits = 0"
    yield from _cells(width, shape)
    yield "if p != end: raise bad_cell()"
    if shape:
        yield from rows_source.emit(_pieces(shape), shape[-1][0])
    else:
        yield from rows_source.renumbered()


def _cells(width: int, shape: Shape) -> Iterator[str]:
    """Walk every column in turn. At each, `n` is its first byte, and `p` stands behind that."""
    column = 0
    for index, constant in shape:
        yield from _skip(index - column)
        yield from _masked(index, constant)
        column = index + 1
        if column < width:
            yield from _next()
    if column < width:
        yield from _skip(width - 1 - column)
        yield from _pass()


def _next() -> Iterator[str]:
    yield "n = buffer[p]"
    yield "p += 1"


def _pass() -> Iterator[str]:
    yield f"if n < {NULL}: p += n"
    yield f"elif n != {NULL}: p = span(buffer, p, n)[1]"


def _skip(count: int) -> Iterator[str]:
    """Pass over so many columns, and read the next one's first byte."""
    step = (*_pass(), *_next())
    if count >= _LOOP_FROM:
        yield f"for _ in range({count}):"
        yield from indent(1, step)
    else:
        for _ in range(count):
            yield from step


def _masked(index: int, constant: bool) -> Iterator[str]:
    yield f"a{index} = p - 1"
    yield f"if n == {NULL}:"
    yield f"    c{index} = NULL"
    yield f"    e{index} = p"
    yield "else:"
    yield f"    if n < {NULL}: e{index} = p + n"
    yield f"    else: p, e{index} = span(buffer, p, n)"
    yield f"    if e{index} > end: raise bad_cell()"
    yield from indent(1, (f"c{index} = mask{index}",) if constant else made_cell(index, f"c{index} = NULL"))
    yield f"    delta += len(c{index}) + a{index} - e{index}"
    yield "    hits += 1"
    yield f"p = e{index}"


def _pieces(shape: Shape) -> Iterator[str]:
    before = "position + 4"
    for index, _ in shape:
        yield f"buffer[{before}:a{index}]"
        yield f"c{index}"
        before = f"e{index}"
