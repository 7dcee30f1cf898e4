"""COPY ... TO STDOUT with masked cells: the stream in CopyData messages, whatever its format.

The server sends one row in each CopyData, and clients count on that. So while rows and messages agree, each message is
replaced by one of the same row (`RowFormat.fast`, many messages at once). The protocol allows any other division; then
what is not a whole row waits, and each message gives way to one with the rows that it completed.

The formats are in `copy_text`, `copy_csv` and `copy_binary`; what they share is here. Sources: the protocol chapter
"COPY Operations" and the reference page of COPY.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeAlias

from protocols.errors import PeerError
from protocols.postgres.frames import HEADER, HEADER_SIZE, LENGTH_SIZE, MAX_LENGTH, first
from protocols.postgres.rows import CellMasker, Constant

COPY_DATA: Final = ord("d")
#: (new bytes, how far whole rows reach, rows, masked cells)
Made: TypeAlias = tuple[bytes, int, int, int]
Maskers: TypeAlias = Mapping[int, CellMasker | Constant]
#: a field as it stands in the stream -> the masked field as it must stand there
FieldMasker: TypeAlias = Callable[[bytes], bytes]


class RowFormat(Protocol):
    """One format of COPY with one set of masks; it remembers what of the stream has been seen (header, trailer)."""

    def fast(self, buffer: bytes, position: int) -> Made:
        """CopyData messages of one whole row each, from `position` on. It stops at the first that is anything else,
        and raises nothing of its own."""

    def rows(self, data: bytes) -> Made:
        """The whole rows at the start of `data`, which goes on where the last call left off; what remains is an
        incomplete row. Raises PeerError for what can be no row of this width."""

    def finish(self, rest: bytes) -> None:
        """The stream is over; raises PeerError unless it may end so."""


class CopyRewriter:
    """Masks one COPY's stream. `limit`: bytes of an incomplete row that are kept."""

    __slots__ = ("_again", "_format", "_held", "_limit", "_size")

    def __init__(self, rows: RowFormat, limit: int) -> None:
        self._format = rows
        self._limit = limit
        self._held: list[bytes] = []
        self._size = 0
        self._again = 0  # a row that is long in coming is read again when it has doubled: work stays linear

    def rewrite(self, buffer: bytes, position: int) -> Made:
        """Takes the complete CopyData messages from `position` on, and stops at the first other or incomplete message.

        Raises PeerError for data that is not of this format and width; its text shows no data."""
        try:
            return self._rewrite(buffer, position)
        except ValueError:
            raise _bad_value() from None

    def finish(self) -> Made:
        """CopyDone: what is to be sent before it. Raises PeerError when the stream ends within a row."""
        data = b"".join(self._held)
        try:
            made, consumed, rows, cells = self._format.rows(data)
        except ValueError:
            raise _bad_value() from None
        self._format.finish(data[consumed:])
        return framed(made), consumed, rows, cells

    def _rewrite(self, buffer: bytes, position: int) -> Made:
        out, rows, cells = [], 0, 0
        while True:
            if not self._held:
                made, position, more, hits = self._format.fast(buffer, position)
                out.append(made)
                rows, cells = rows + more, cells + hits
            end = _whole_message(buffer, position)
            if not end:
                return b"".join(out), position, rows, cells
            made, _, more, hits = self._take(buffer[position + HEADER_SIZE : end])
            out.append(framed(made))
            rows, cells, position = rows + more, cells + hits, end

    def _take(self, payload: bytes) -> Made:
        self._held.append(payload)
        self._size += len(payload)
        if self._size > self._limit:
            raise PeerError(f"a COPY row is longer than the gate keeps ({self._limit} bytes)", "54000")
        if self._size < self._again:
            return b"", 0, 0, 0
        data = b"".join(self._held)
        made, consumed, rows, cells = self._format.rows(data)
        rest = data[consumed:]
        self._held = [rest] if rest else []
        self._size = len(rest)
        self._again = 2 * self._size
        return made, consumed, rows, cells


def _whole_message(buffer: bytes, position: int) -> int:
    """The end of the CopyData message at `position`; 0 when there is none that is whole."""
    if position >= len(buffer) or buffer[position] != COPY_DATA:
        return 0
    found = first(buffer, position, MAX_LENGTH)
    return found[2] if found else 0


def masked_lines(
    buffer: bytes, position: int, whole_row: Callable[[bytes], list[bytes] | None],
    masks: tuple[tuple[int, FieldMasker], ...], delimiter: bytes, null: bytes,
) -> Made:  # fmt: skip
    """`RowFormat.fast` for formats whose rows are lines. `whole_row`: the fields of a payload that is one row with its
    newline, None for any other."""
    unpack, pack, size = HEADER.unpack_from, HEADER.pack, len(buffer)
    out: list[bytes] = []
    rows = cells = 0
    last = size - HEADER_SIZE
    while position <= last:
        kind, length = unpack(buffer, position)
        end = position + 1 + length
        if kind != COPY_DATA or end > size or length <= LENGTH_SIZE:
            break
        fields = whole_row(buffer[position + HEADER_SIZE : end])
        if fields is None:
            break
        for column, mask in masks:
            field = fields[column]
            if field != null:
                fields[column] = mask(field)
                cells += 1
        line = delimiter.join(fields)
        out += (pack(COPY_DATA, len(line) + LENGTH_SIZE + 1), line, b"\n")
        rows += 1
        position = end
    return b"".join(out), position, rows, cells


def framed(made: bytes) -> bytes:
    """One CopyData message; none for no bytes."""
    return HEADER.pack(COPY_DATA, len(made) + LENGTH_SIZE) + made if made else b""


def _bad_value() -> PeerError:
    """A masker could not read a cell; what it said may hold the cell."""
    return PeerError("invalid COPY data: a value is not of its column's type")


def wrong_width(found: int, width: int) -> PeerError:
    return PeerError(f"invalid COPY data: {found} columns in a row, {width} were announced")


def field_maskers(
    maskers: Maskers, read: FieldMasker, write: Callable[[int, bytes | None], bytes]
) -> tuple[tuple[int, FieldMasker], ...]:
    """(column, masker of its fields) in the order of columns. `read`: a field's value; `write`: a column's value, None
    for NULL, as a field."""
    return tuple((index, _field_masker(index, masker, read, write)) for index, masker in sorted(maskers.items()))


def _field_masker(
    index: int, masker: CellMasker | Constant, read: FieldMasker, write: Callable[[int, bytes | None], bytes]
) -> FieldMasker:
    if isinstance(masker, Constant):
        always = write(index, masker.value)
        return lambda _field: always
    make = masker
    return lambda field: write(index, make(read(field)))
