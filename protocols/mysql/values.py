"""Values in result rows by type: what stands in for a redacted one.

A column's type on the wire is its definition's `type`, `flags` and `character_set` together: ENUM and SET come as
strings with a flag, BINARY and BLOB as strings with the charset `binary`. Text rows hold every value as text; in binary
rows numbers are little-endian, dates and times a few bytes of fields (`moments`), everything else as in text rows.
Sources: MySQL internals, "Column Definition" and "Binary Protocol Value"; the servers' own rows.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import Enum
from typing import Final

from protocols.mysql import charsets, moments, numbers
from protocols.mysql.fieldtypes import BINARY_CHARSET, FieldFlag, FieldType
from protocols.mysql.replies import ColumnDefinition

REDACTED: Final = b"[redacted]"


class Family(Enum):
    """Types by how their values are laid out in a row."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BIT = "bit"
    YEAR = "year"
    DATE = "date"
    DATETIME = "datetime"
    TIMESTAMP = "timestamp"
    TIME = "time"
    TEXT = "text"
    BYTES = "bytes"
    CHOICE = "choice"  # ENUM and SET
    JSON = "json"
    GEOMETRY = "geometry"
    VECTOR = "vector"
    UUID = "uuid"  # MariaDB's, like the next: they come as strings, and only their names tell
    INET4 = "inet4"
    INET6 = "inet6"
    NULL = "null"
    UNKNOWN = "unknown"


_STRINGS: Final = (
    FieldType.VARCHAR,
    FieldType.VAR_STRING,
    FieldType.STRING,
    FieldType.TINY_BLOB,
    FieldType.MEDIUM_BLOB,
    FieldType.LONG_BLOB,
    FieldType.BLOB,
)
_FAMILIES: Final[dict[int, Family]] = {
    **dict.fromkeys(numbers.INTEGERS, Family.INTEGER),
    **dict.fromkeys((FieldType.DECIMAL, FieldType.NEWDECIMAL), Family.DECIMAL),
    **dict.fromkeys(numbers.FLOATS, Family.FLOAT),
    **dict.fromkeys((FieldType.ENUM, FieldType.SET), Family.CHOICE),
    FieldType.BIT: Family.BIT,
    FieldType.YEAR: Family.YEAR,
    FieldType.DATE: Family.DATE,
    FieldType.DATETIME: Family.DATETIME,
    FieldType.TIMESTAMP: Family.TIMESTAMP,
    FieldType.TIME: Family.TIME,
    FieldType.JSON: Family.JSON,
    FieldType.GEOMETRY: Family.GEOMETRY,
    FieldType.VECTOR: Family.VECTOR,
    FieldType.NULL: Family.NULL,
}


#: MariaDB's types that come as strings, by name. Its JSON is a LONGTEXT.
NAMED: Final = {"json": Family.JSON, "uuid": Family.UUID, "inet4": Family.INET4, "inet6": Family.INET6}


def family(column: ColumnDefinition, name: str = "") -> Family:
    """UNKNOWN for a type that no result has. `name`: of a type of MariaDB's that comes as a string, where it is
    known."""
    if column.type not in _STRINGS:
        return _FAMILIES.get(column.type, Family.UNKNOWN)
    if column.flags & (FieldFlag.ENUM | FieldFlag.SET):
        return Family.CHOICE
    return Family.BYTES if column.character_set == BINARY_CHARSET else NAMED.get(name, Family.TEXT)


# ---------------------------------------------------------------- placeholders

#: SRID, little-endian, GEOMETRYCOLLECTION, no members. With SRID 4326 (WGS 84) these bytes are no UTF-8, as geometries
#: with coordinates are not: what is UTF-8 comes out of Connector/Python as str.
_EMPTY_COLLECTION: Final = struct.pack("<IBII", 4326, 1, 7, 0)
_LONGEST_BINARY: Final = 255  # BINARY(n)


def bit_width(column: ColumnDefinition) -> int:
    """Bytes of a BIT(n) value: `length` is n."""
    return (min(max(column.length, 1), 64) + 7) // 8


def fixed_bytes(column: ColumnDefinition) -> int | None:
    """The n of BINARY(n), all values of which have n bytes; None for types of any length."""
    is_fixed = column.type == FieldType.STRING and 0 < column.length <= _LONGEST_BINARY
    return column.length if is_fixed else None


def _integer(column: ColumnDefinition, binary: bool) -> bytes:
    return numbers.integer_to_wire(0, column, binary)


def _decimal(column: ColumnDefinition, binary: bool) -> bytes:
    return numbers.zero(column.decimals)


def _float(column: ColumnDefinition, binary: bool) -> bytes:
    return bytes(numbers.FLOATS[column.type].size) if binary else numbers.zero(column.decimals)


def _bit(column: ColumnDefinition, binary: bool) -> bytes:
    return bytes(bit_width(column))


def _year(column: ColumnDefinition, binary: bool) -> bytes:
    return moments.YEAR_2000.to_bytes(2, "little") if binary else b"2000"


def _day(column: ColumnDefinition, binary: bool) -> bytes:
    has_clock = column.type != FieldType.DATE
    return moments.binary_day(moments.YEAR_2000) if binary else moments.text_day(b"2000", has_clock, column.decimals)


def _time(column: ColumnDefinition, binary: bool) -> bytes:
    return b"" if binary else moments.midnight(column.decimals)


def _text(column: ColumnDefinition, binary: bool) -> bytes:
    """Nothing, where the charset is one that may write even these letters in another way."""
    return REDACTED if charsets.of_collation(column.character_set) else b""


def _bytes(column: ColumnDefinition, binary: bool) -> bytes:
    return bytes(fixed_bytes(column) or 0)


_PLACEHOLDERS: Final[dict[Family, Callable[[ColumnDefinition, bool], bytes | None]]] = {
    Family.INTEGER: _integer,
    Family.DECIMAL: _decimal,
    Family.FLOAT: _float,
    Family.BIT: _bit,
    Family.YEAR: _year,
    Family.DATE: _day,
    Family.DATETIME: _day,
    Family.TIMESTAMP: _day,
    Family.TIME: _time,
    Family.TEXT: _text,
    Family.BYTES: _bytes,
    Family.CHOICE: lambda column, binary: b"",  # what the servers put where a value is none of the list; the empty set
    Family.JSON: lambda column, binary: b'"[redacted]"',
    Family.GEOMETRY: lambda column, binary: _EMPTY_COLLECTION,
    Family.VECTOR: lambda column, binary: bytes(4),  # one dimension: there is no vector without
    Family.UUID: lambda column, binary: b"00000000-0000-0000-0000-000000000000",
    Family.INET4: lambda column, binary: b"0.0.0.0",
    Family.INET6: lambda column, binary: b"::",
    Family.NULL: lambda column, binary: None,
    Family.UNKNOWN: lambda column, binary: None,
}


def placeholder(column: ColumnDefinition, binary: bool, name: str = "") -> bytes | None:
    """A value that every driver can read as this column's type, and that tells nothing; None is NULL."""
    return _PLACEHOLDERS[family(column, name)](column, binary)


def extended_name(column: ColumnDefinition) -> str:
    """The type's or the format's name in MariaDB's extended metadata (`uuid`, `inet6`, `json` ...); empty for none.
    Source: MariaDB knowledge base, "Result Set Packets"; each entry is a kind, a length and a name."""
    data, position, name = column.extended or b"", 0, ""
    while position + 2 <= len(data):
        size = data[position + 1]
        name = data[position + 2 : position + 2 + size].decode("ascii", "replace")
        position += 2 + size
    return name
