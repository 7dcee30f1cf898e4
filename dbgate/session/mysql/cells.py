"""From a mask and a column definition to the function that masks one cell of text or of binary rows.

What a mask cannot do for a type it redacts. A value that cannot be read as one of its type becomes NULL: whatever comes
in, the original never passes, and nothing is raised.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final
from uuid import UUID

from dbgate.session.short_texts import ON_BYTES
from protocols.errors import PeerError, UsageError
from protocols.mysql import charsets, moments, numbers
from protocols.mysql.charsets import Charset
from protocols.mysql.fieldtypes import FieldFlag, FieldType
from protocols.mysql.replies import ColumnDefinition
from protocols.mysql.rows import CellMasker, Constant
from protocols.mysql.values import Family, family, fixed_bytes, placeholder
from rules.decision import Mask, MaskKind
from rules.masks import hash_bytes, hash_integer, hash_uuid, mask_text
from rules.rounding import round_decimal, round_float, round_integer


@dataclass(frozen=True, slots=True)
class Cell:
    """What a masker must know. `name`: of a type of MariaDB's that comes as a string (`uuid`, `json` ...), empty where
    none is known. `own_zone`: TIMESTAMPs come in the time zone that the session began with."""

    mask: Mask
    column: ColumnDefinition
    binary: bool
    key: bytes
    name: str = ""
    own_zone: bool = False


Maker = Callable[[Cell], CellMasker | None]


def cell_masker(cell: Cell) -> CellMasker | Constant:
    """What a mask does to one column's values in one kind of rows."""
    if cell.mask.kind is MaskKind.NULL:
        return Constant(None)
    maker = _MAKERS.get(cell.mask.kind, {}).get(family(cell.column, cell.name))
    made = None if maker is None else maker(cell)
    return Constant(placeholder(cell.column, cell.binary, cell.name)) if made is None else made


def _readable(make: Callable[[bytes], bytes]) -> CellMasker:
    """NULL for what cannot be read."""

    def masked(cell: bytes) -> bytes | None:
        try:
            return make(cell)
        except (PeerError, UsageError, ValueError):
            return None

    return masked


# ---------------------------------------------------------------- text


def _text(cell: Cell) -> CellMasker | None:
    """Most cells are short ASCII, where a character is a byte; the others are masked as text. What stands in a charset
    that the gate does not read can only be redacted."""
    charset = charsets.of_collation(cell.column.character_set)
    if charset is None:
        return None
    mask, key = cell.mask, cell.key

    def any_text(data: bytes) -> bytes:
        return _encoded(mask_text(mask, _decoded(data, charset), key), charset)

    short = ON_BYTES.get(mask.kind)
    return short(mask.keep, any_text) if short else any_text


def _decoded(data: bytes, charset: Charset) -> str:
    try:
        return charset.decode(data)
    except UnicodeError:
        return str(data, "utf-8", "replace")


def _encoded(text: str, charset: Charset) -> bytes:
    try:
        return charset.encode(text)
    except UnicodeError:
        return text.encode("ascii", "replace")


def _hash_text(cell: Cell) -> CellMasker | None:
    """CHAR(n): the blanks at its end, which a sql_mode shows, are no part of the value."""
    made = _text(cell)
    if made is None or cell.column.type != FieldType.STRING:
        return made
    hash_value = made
    return lambda data: hash_value(data.rstrip(b" "))


def _json(cell: Cell) -> CellMasker:
    """The masked text of the document as a JSON string of ASCII: a document comes in `character_set_results`, whatever
    its definition says, and this reads the same in all of them."""
    mask, key = cell.mask, cell.key

    def masked(data: bytes) -> bytes:
        try:
            document = str(data, "utf-8")
        except UnicodeError:
            document = charsets.LATIN1.decode(data)
        return json.dumps(mask_text(mask, document, key)).encode()

    return masked


# ---------------------------------------------------------------- hashes


def _hash_uuid(cell: Cell) -> CellMasker:
    """MariaDB's UUID, which comes as its text."""
    key = cell.key
    return _readable(lambda data: str(UUID(bytes=hash_uuid(key, str(UUID(str(data, "ascii"))).encode()))).encode())


def _hash_bytes(cell: Cell) -> CellMasker:
    """32 bytes, or as many as a BINARY(n) has: equal values of different lengths of type do not stay equal."""
    key, size = cell.key, fixed_bytes(cell.column)
    if size is None:
        return lambda data: hash_bytes(key, data)
    return lambda data: hash_bytes(key, data)[:size].ljust(size, b"\0")


def _hash_integer(cell: Cell) -> CellMasker | None:
    """A TINYINT has too few values to hide one behind another."""
    key, column, binary = cell.key, cell.column, cell.binary
    width = numbers.integer_width(column)
    if width < 2:
        return None

    def masked(data: bytes) -> bytes:
        number = numbers.integer_from_wire(data, column, binary)
        return numbers.integer_to_wire(hash_integer(key, str(number).encode(), width), column, binary)

    return _readable(masked)


def _hash_decimal(cell: Cell) -> CellMasker:
    """By the number alone: 1.50 and 1.5 stay equal. A whole number of up to 19 digits, the same as a BIGINT's."""
    key = cell.key

    def masked(data: bytes) -> bytes:
        plain = numbers.canonical(numbers.decimal_from_wire(data))
        return numbers.decimal_to_wire(Decimal(hash_integer(key, plain, 8)), 0)

    return _readable(masked)


# ---------------------------------------------------------------- numbers and dates


def _round_integer(cell: Cell) -> CellMasker | None:
    """Whole numbers rounded to 1 would hide nothing."""
    column, binary, step = cell.column, cell.binary, cell.mask.step
    if step < 2:
        return None
    limit = numbers.integer_bounds(column)[1]

    def masked(data: bytes) -> bytes:
        number = numbers.integer_from_wire(data, column, binary)
        return numbers.integer_to_wire(round_integer(number, step, limit), column, binary)

    return _readable(masked)


def _round_decimal(cell: Cell) -> CellMasker | None:
    step, decimals, digits = cell.mask.step, cell.column.decimals, numbers.whole_digits(cell.column)
    if step < 2 and not decimals:
        return None

    def masked(data: bytes) -> bytes:
        return numbers.decimal_to_wire(round_decimal(numbers.decimal_from_wire(data), step, digits), decimals)

    return _readable(masked)


def _round_float(cell: Cell) -> CellMasker:
    column, binary, step = cell.column, cell.binary, cell.mask.step
    largest = numbers.LARGEST_FLOATS[column.type]

    def masked(data: bytes) -> bytes:
        number = numbers.float_from_wire(data, column, binary)
        return numbers.float_to_wire(round_float(number, step, largest), column, binary)

    return _readable(masked)


def _year(cell: Cell) -> CellMasker:
    if cell.binary:
        return _readable(moments.year_binary)
    has_clock, decimals = cell.column.type != FieldType.DATE, cell.column.decimals
    return _readable(lambda data: moments.year_text(data, has_clock, decimals))


def _zoned_year(cell: Cell) -> CellMasker | None:
    """A TIMESTAMP is shown in the session's time zone. Seen by one zone's calendar after the other's, its year would
    tell how near to New Year it is, to the second."""
    return _year(cell) if cell.own_zone else None


# ---------------------------------------------------------------- the table

_TEXTS: Final[dict[Family, Maker]] = {Family.TEXT: _text, Family.JSON: _json}
_MAKERS: Final[dict[MaskKind, dict[Family, Maker]]] = {
    MaskKind.EMAIL: _TEXTS,
    MaskKind.KEEP_LAST: _TEXTS,
    MaskKind.KEEP_FIRST: _TEXTS,
    MaskKind.HASH: {
        Family.TEXT: _hash_text,
        Family.JSON: _json,
        Family.BYTES: _hash_bytes,
        Family.UUID: _hash_uuid,
        Family.INTEGER: _hash_integer,
        Family.DECIMAL: _hash_decimal,
    },
    MaskKind.ROUND: {
        Family.INTEGER: _round_integer,
        Family.DECIMAL: _round_decimal,
        Family.FLOAT: _round_float,
    },
    MaskKind.YEAR: {Family.DATE: _year, Family.DATETIME: _year, Family.TIMESTAMP: _zoned_year},
}


# ---------------------------------------------------------------- what the client is told of the column

_CHARACTER: Final = 4  # bytes of the longest, by which lengths are counted
_LARGEST: Final = 0xFFFFFFFF
_HASHED: Final = {Family.TEXT: 64 * _CHARACTER, Family.BYTES: 32, Family.DECIMAL: 20}


def told_definition(cell: Cell, masker: CellMasker | Constant) -> ColumnDefinition:
    """The definition that fits the masked values: a column that a mask can make NULL is not NOT NULL, and drivers that
    make room by `length` need it for the longest. The same object where nothing changes."""
    column = cell.column
    never_null = isinstance(masker, Constant) and masker.value is not None
    flags = column.flags if never_null else column.flags & ~FieldFlag.NOT_NULL
    length = min(max(column.length, _room(cell, masker)), _LARGEST)
    return column if (flags, length) == (column.flags, column.length) else replace(column, flags=flags, length=length)


def _room(cell: Cell, masker: CellMasker | Constant) -> int:
    """Bytes of the longest masked value, for the masks that can make values longer than the column has them."""
    found = family(cell.column, cell.name)
    if isinstance(masker, Constant):
        return len(masker.value or b"") * _CHARACTER if found is Family.TEXT else 0
    if cell.mask.kind is MaskKind.EMAIL:
        return cell.column.length + 4 * _CHARACTER
    return _HASHED.get(found, 0) if cell.mask.kind is MaskKind.HASH else 0
