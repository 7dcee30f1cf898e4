"""Column types and flags of column definitions and parameters.

Source: MySQL internals, "Column Definition" and `field_types.h`; MariaDB knowledge base, "Result Set Packets".
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

BINARY_CHARSET = 63
UNSIGNED_PARAMETER = 0x8000  # in the 16-bit type of a parameter


class FieldType(IntEnum):
    """`type` of a column definition or a parameter."""

    DECIMAL = 0
    TINY = 1
    SHORT = 2
    LONG = 3
    FLOAT = 4
    DOUBLE = 5
    NULL = 6
    TIMESTAMP = 7
    LONGLONG = 8
    INT24 = 9
    DATE = 10
    TIME = 11
    DATETIME = 12
    YEAR = 13
    NEWDATE = 14
    VARCHAR = 15
    BIT = 16
    TIMESTAMP2 = 17
    DATETIME2 = 18
    TIME2 = 19
    TYPED_ARRAY = 20
    VECTOR = 242
    INVALID = 243
    BOOL = 244
    JSON = 245
    NEWDECIMAL = 246
    ENUM = 247
    SET = 248
    TINY_BLOB = 249
    MEDIUM_BLOB = 250
    LONG_BLOB = 251
    BLOB = 252
    VAR_STRING = 253
    STRING = 254
    GEOMETRY = 255


class FieldFlag(IntFlag):
    """`flags` of a column definition (the 16 bits that travel)."""

    NOT_NULL = 0x0001
    PRI_KEY = 0x0002
    UNIQUE_KEY = 0x0004
    MULTIPLE_KEY = 0x0008
    BLOB = 0x0010
    UNSIGNED = 0x0020
    ZEROFILL = 0x0040
    BINARY = 0x0080
    ENUM = 0x0100
    AUTO_INCREMENT = 0x0200
    TIMESTAMP = 0x0400
    SET = 0x0800
    NO_DEFAULT_VALUE = 0x1000
    ON_UPDATE_NOW = 0x2000
    NUM = 0x8000


# Bytes of a value in a binary row or parameter; a type that is not here has a length in front.
FIXED_WIDTHS: dict[int, int] = {
    FieldType.TINY: 1,
    FieldType.SHORT: 2,
    FieldType.YEAR: 2,
    FieldType.LONG: 4,
    FieldType.INT24: 4,
    FieldType.FLOAT: 4,
    FieldType.LONGLONG: 8,
    FieldType.DOUBLE: 8,
    FieldType.NULL: 0,
}

# One length byte and that many bytes of date and time fields.
TEMPORAL_TYPES = frozenset(
    {
        FieldType.DATE,
        FieldType.DATETIME,
        FieldType.TIMESTAMP,
        FieldType.TIME,
    }
)

# A length-encoded string of bytes.
STRING_TYPES = frozenset(
    {
        FieldType.DECIMAL,
        FieldType.VARCHAR,
        FieldType.BIT,
        FieldType.VECTOR,
        FieldType.JSON,
        FieldType.NEWDECIMAL,
        FieldType.ENUM,
        FieldType.SET,
        FieldType.TINY_BLOB,
        FieldType.MEDIUM_BLOB,
        FieldType.LONG_BLOB,
        FieldType.BLOB,
        FieldType.VAR_STRING,
        FieldType.STRING,
        FieldType.GEOMETRY,
    }
)
