r"""COPY's text format: fields between delimiters, rows between newlines, specials behind a backslash.

The server writes \b \f \n \r \t \v and \\ for these characters, a backslash before the delimiter, and the null string
as it is (`CopyAttributeOutText`). Reading knows every escape of the manual: \ooo and \xhh too, and \c for any other c.
A newline always ends a row: within a value it is written as an escape.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocols.errors import PeerError
from protocols.postgres.copy_stream import Made, Maskers, field_maskers, masked_lines, wrong_width

BACKSLASH: Final = b"\\"
_LETTERS: Final = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_WRITTEN: Final = {plain: BACKSLASH + letter for letter, plain in _LETTERS.items()}
_ESCAPE: Final = re.compile(rb"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TextOptions:
    """`delimiter`: one ASCII character; `header`: the first row holds the columns' names."""

    delimiter: bytes = b"\t"
    null: bytes = b"\\N"
    header: bool = False


def read_field(field: bytes) -> bytes:
    """The value of a field that is not NULL."""
    return _ESCAPE.sub(_read_escape, field) if BACKSLASH in field else field


def _read_escape(found: re.Match[bytes]) -> bytes:
    what = found[1]
    if what[0] in b"01234567":
        return bytes((int(what, 8) & 0xFF,))
    if len(what) > 1:
        return bytes((int(what[1:], 16),))
    return _LETTERS.get(what, what)


def _write_escape(found: re.Match[bytes]) -> bytes:
    return _WRITTEN.get(found[0]) or BACKSLASH + found[0]


def split_fields(line: bytes, delimiter: bytes) -> list[bytes]:
    """The fields of a row without its newline; a delimiter behind an odd number of backslashes divides nothing."""
    parts = line.split(delimiter)
    if BACKSLASH + delimiter not in line:
        return parts
    found: list[bytes] = []
    waiting: list[bytes] = []
    for part in parts:
        waiting.append(part)
        if not (len(part) - len(part.rstrip(BACKSLASH))) & 1:
            found.append(delimiter.join(waiting))
            waiting = []
    return [*found, delimiter.join(waiting)] if waiting else found


class TextRows:
    """See `copy_stream.RowFormat`. `maskers` take and return cells in text format."""

    __slots__ = ("_delimiter", "_header", "_masks", "_null", "_special", "_width")

    def __init__(self, width: int, maskers: Maskers, options: TextOptions) -> None:
        self._width = width
        self._delimiter = options.delimiter
        self._null = options.null
        self._header = options.header  # it is still to come
        self._special = re.compile(b"[\b\f\n\r\t\v" + re.escape(BACKSLASH + options.delimiter) + b"]")
        self._masks = field_maskers(maskers, read_field, self._write)

    def _write(self, _column: int, value: bytes | None) -> bytes:
        return self._null if value is None else self._special.sub(_write_escape, value)

    def fast(self, buffer: bytes, position: int) -> Made:
        if self._header:
            return b"", position, 0, 0
        return masked_lines(buffer, position, self._whole_row, self._masks, self._delimiter, self._null)

    def _whole_row(self, line: bytes) -> list[bytes] | None:
        """The fields when this is one row with its newline, else None."""
        if line.find(b"\n") != len(line) - 1:
            return None
        fields = split_fields(line[:-1], self._delimiter)
        return fields if len(fields) == self._width else None

    def rows(self, data: bytes) -> Made:
        lines = data.split(b"\n")
        consumed = len(data) - len(lines.pop())
        cells = 0
        first = int(self._header and bool(lines))
        if first:
            self._header = False
            self._fields(lines[0])
        for number in range(first, len(lines)):
            fields = self._fields(lines[number])
            cells += self._mask(fields)
            lines[number] = self._delimiter.join(fields)
        return b"".join(line + b"\n" for line in lines), consumed, len(lines) - first, cells

    def finish(self, rest: bytes) -> None:
        if rest:
            raise PeerError("invalid COPY data: it ends within a row")

    def _fields(self, line: bytes) -> list[bytes]:
        fields = split_fields(line, self._delimiter)
        if len(fields) != self._width:
            raise wrong_width(len(fields), self._width)
        return fields

    def _mask(self, fields: list[bytes]) -> int:
        """Masks the fields of one row in place; returns how many."""
        hits = 0
        for column, mask in self._masks:
            if fields[column] != self._null:
                fields[column] = mask(fields[column])
                hits += 1
        return hits
