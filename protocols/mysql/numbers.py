"""Numbers in text and binary rows. Sources: MySQL internals, "Binary Protocol Value"; the servers' own rows."""

from __future__ import annotations

import re
from decimal import Decimal
from struct import Struct
from typing import Final

from protocols.errors import PeerError, UsageError
from protocols.mysql.fieldtypes import FieldFlag, FieldType
from protocols.mysql.replies import ColumnDefinition

#: type -> (bytes in a binary row, bytes of the type's range)
INTEGERS: Final[dict[int, tuple[int, int]]] = {
    FieldType.TINY: (1, 1),
    FieldType.SHORT: (2, 2),
    FieldType.INT24: (4, 3),
    FieldType.LONG: (4, 4),
    FieldType.LONGLONG: (8, 8),
}
FLOATS: Final[dict[int, Struct]] = {FieldType.FLOAT: Struct("<f"), FieldType.DOUBLE: Struct("<d")}
LARGEST_FLOATS: Final[dict[int, float]] = {
    FieldType.FLOAT: (2 - 2**-23) * 2.0**127,
    FieldType.DOUBLE: (2 - 2**-52) * 2.0**1023,
}
NOT_FIXED: Final = 31  # `decimals` of a float without a number of decimal places
_MOST_DIGITS: Final = 100  # a DECIMAL has 65 at most
_INTEGER: Final = re.compile(rb"-?\d{1,255}")
_DECIMAL: Final = re.compile(rb"-?\d+(?:\.\d+)?")
_FLOAT: Final = re.compile(rb"-?\d{1,310}(?:\.\d{1,32})?(?:e[+-]?\d{1,3})?")


def zero(decimals: int) -> bytes:
    """0 as the server writes it with so many decimal places."""
    return b"0." + b"0" * decimals if 0 < decimals < NOT_FIXED else b"0"


def integer_bounds(column: ColumnDefinition) -> tuple[int, int]:
    """The smallest and the largest value of an integer column."""
    bits = 8 * INTEGERS[column.type][1]
    return (0, (1 << bits) - 1) if column.flags & FieldFlag.UNSIGNED else (-1 << bits - 1, (1 << bits - 1) - 1)


def integer_width(column: ColumnDefinition) -> int:
    """Bytes of the column's range: 3 for MEDIUMINT, which takes 4 in a binary row."""
    return INTEGERS[column.type][1]


def integer_from_wire(data: bytes, column: ColumnDefinition, binary: bool) -> int:
    """The integer in a cell. Raises `PeerError` when the bytes are not one of the column's type."""
    if binary and len(data) == INTEGERS[column.type][0]:
        return int.from_bytes(data, "little", signed=not column.flags & FieldFlag.UNSIGNED)
    if binary or not _INTEGER.fullmatch(data):
        raise PeerError("invalid integer: its bytes are no number of its type")
    return int(data)


def integer_to_wire(value: int, column: ColumnDefinition, binary: bool) -> bytes:
    """An integer as its column and row want it. Raises `UsageError` when it does not fit the type."""
    low, high = integer_bounds(column)
    if not low <= value <= high:
        raise UsageError(f"{value} is out of range for its column")
    if binary:
        return value.to_bytes(INTEGERS[column.type][0], "little", signed=low < 0)
    text = b"%d" % value
    return text.zfill(min(column.length, 255)) if column.flags & FieldFlag.ZEROFILL else text


# ---------------------------------------------------------------- decimals


def decimal_from_wire(data: bytes) -> Decimal:
    """A DECIMAL, text in both kinds of rows. Raises `PeerError` when the bytes are none."""
    if len(data) > _MOST_DIGITS or not _DECIMAL.fullmatch(data):
        raise PeerError("invalid decimal: its text is no number")
    return Decimal(data.decode("ascii"))


def whole_digits(column: ColumnDefinition) -> int:
    """How many digits a DECIMAL column has before the point. `length` counts them all, the point and a sign."""
    signs = (column.decimals > 0) + (not column.flags & FieldFlag.UNSIGNED)
    return max(column.length - signs - column.decimals, 1)


def decimal_to_wire(value: Decimal, decimals: int) -> bytes:
    """A whole number with so many zeros behind the point."""
    text = f"{value:f}".partition(".")[0].encode()
    return text + b"." + b"0" * decimals if decimals else text


def canonical(value: Decimal) -> bytes:
    """One text for equal numbers, whatever their decimal places: `-1.5`, `20`."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return b"0" if text == "-0" else text.encode()


# ---------------------------------------------------------------- floats


def float_from_wire(data: bytes, column: ColumnDefinition, binary: bool) -> float:
    """Raises `PeerError` when the bytes are no number of the column's type."""
    form = FLOATS[column.type]
    if binary and len(data) == form.size:
        return float(form.unpack(data)[0])
    if binary or not _FLOAT.fullmatch(data):
        raise PeerError("invalid float: its bytes are no number of its type")
    return float(data)


def float_to_wire(value: float, column: ColumnDefinition, binary: bool) -> bytes:
    """As the server writes it: with the column's decimal places, or the shortest text that reads back as the same
    double. Raises `UsageError` when the type has no room, or no such number (the types have no infinity)."""
    if not abs(value) <= LARGEST_FLOATS[column.type]:
        raise UsageError(f"{value} is out of range for its column")
    if binary:
        return FLOATS[column.type].pack(value)
    if column.decimals < NOT_FIXED:
        return f"{value:.{column.decimals}f}".encode()
    return repr(value).removesuffix(".0").replace("e+", "e").encode()
