"""COPY's CSV format: a field is quoted when its value could be taken for something else, and then may hold newlines.

The server quotes a value that holds the delimiter, the quote, a newline or a carriage return, that equals the null
string, that is `\\.` and the only one of its row, and every value of a column in FORCE_QUOTE; in quotes, the escape
character stands before each quote and each escape character (`CopyAttributeOutCSV`). So an unquoted null string is NULL
and nothing else is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from protocols.errors import PeerError
from protocols.postgres.copy_stream import FieldMasker, Made, Maskers, field_maskers, masked_lines, wrong_width

_END_MARK: Final = b"\\."


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """Delimiter, quote and escape: one ASCII character each. `force_quote`: columns by index."""

    delimiter: bytes = b","
    null: bytes = b""
    quote: bytes = b'"'
    escape: bytes = b'"'
    header: bool = False
    force_quote: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Grammar:
    """`token`: (field, what ends it); `incomplete`: what further bytes may make a token."""

    token: re.Pattern[bytes]
    incomplete: re.Pattern[bytes]


def grammar(options: CsvOptions) -> Grammar:
    """Possessive quantifiers: what stands in quotes is read in one way only, and in linear time."""
    quote, escape, delimiter = re.escape(options.quote), re.escape(options.escape), re.escape(options.delimiter)
    plain = rb"[^%b%b\n]*+" % (quote, delimiter)
    if options.quote == options.escape:
        body = rb"(?:[^%b]++|%b%b)*+" % (quote, quote, quote)
    else:
        body = rb"(?:[^%b%b]++|%b.)*+" % (quote, escape, escape)
    token = rb"(%b%b%b|%b)([%b\n])" % (quote, body, quote, plain, delimiter)
    begun = rb"(?:%b%b(?:%b|%b)?|%b)\Z" % (quote, body, quote, escape, plain)
    return Grammar(re.compile(token, re.DOTALL), re.compile(begun, re.DOTALL))


class CsvRows:
    """See `copy_stream.RowFormat`. `maskers` take and return cells in text format."""

    __slots__ = ("_ends", "_grammar", "_header", "_masks", "_options", "_special", "_width")

    def __init__(self, width: int, maskers: Maskers, options: CsvOptions) -> None:
        self._width = width
        self._options = options
        self._header = options.header  # it is still to come
        self._grammar = grammar(options)
        self._ends = options.delimiter * (width - 1) + b"\n"
        self._special = re.compile(b"[\n\r" + re.escape(options.delimiter + options.quote) + b"]")
        self._masks = field_maskers(maskers, _reader(options), self._write)

    def _write(self, column: int, value: bytes | None) -> bytes:
        options = self._options
        if value is None:
            return options.null
        alone = self._width == 1 and value == _END_MARK
        forced = column in options.force_quote or value == options.null or alone
        return _quoted(value, options) if forced or self._special.search(value) else value

    def fast(self, buffer: bytes, position: int) -> Made:
        if self._header:
            return b"", position, 0, 0
        return masked_lines(buffer, position, self._whole_row, self._masks, self._options.delimiter, self._options.null)

    def _whole_row(self, line: bytes) -> list[bytes] | None:
        """The fields when this is one row with its newline, else None."""
        if self._options.quote not in line:
            fields = line[:-1].split(self._options.delimiter)
            return fields if len(fields) == self._width and line.find(b"\n") == len(line) - 1 else None
        found = self._grammar.token.findall(line)
        fields = [field for field, _ in found]
        ends = b"".join([end for _, end in found])
        return fields if ends == self._ends and sum(map(len, fields)) + len(ends) == len(line) else None

    def rows(self, data: bytes) -> Made:
        out: list[bytes] = []
        position = rows = cells = 0
        while (found := self._next_row(data, position)) is not None:
            fields, position = found
            if self._header:
                self._header = False
            else:
                cells += self._mask(fields)
                rows += 1
            out += (self._options.delimiter.join(fields), b"\n")
        return b"".join(out), position, rows, cells

    def _next_row(self, data: bytes, position: int) -> tuple[list[bytes], int] | None:
        """The fields of the row at `position` and where the next one starts; None while it is incomplete."""
        fields = []
        while position < len(data):
            found = self._grammar.token.match(data, position)
            if found is None:
                self._may_go_on(data, position)
                return None
            fields.append(found[1])
            position = found.end()
            if found[2] == b"\n":
                if len(fields) != self._width:
                    raise wrong_width(len(fields), self._width)
                return fields, position
        return None

    def _may_go_on(self, data: bytes, position: int) -> None:
        if not self._grammar.incomplete.match(data, position):
            raise PeerError("invalid COPY data: a quote stands where none may be")

    def finish(self, rest: bytes) -> None:
        if rest:
            raise PeerError("invalid COPY data: it ends within a row")

    def _mask(self, fields: list[bytes]) -> int:
        """Masks the fields of one row in place; returns how many."""
        hits = 0
        for column, mask in self._masks:
            if fields[column] != self._options.null:
                fields[column] = mask(fields[column])
                hits += 1
        return hits


def _reader(options: CsvOptions) -> FieldMasker:
    quote, escape = options.quote, options.escape
    doubled = re.compile(rb"%b(.)" % re.escape(escape), re.DOTALL)

    def read(field: bytes) -> bytes:
        if not field.startswith(quote):
            return field
        inside = field[1:-1]
        if quote == escape:
            return inside.replace(quote + quote, quote)
        return doubled.sub(rb"\1", inside) if escape in inside else inside

    return read


def _quoted(value: bytes, options: CsvOptions) -> bytes:
    quote, escape = options.quote, options.escape
    if escape != quote:
        value = value.replace(escape, escape + escape)
    return quote + value.replace(quote, escape + quote) + quote
