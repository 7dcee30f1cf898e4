"""Values on the wire by type: what stands in for a redacted one, and integers in both formats.

Formats are 0 (text) and 1 (binary), as in RowDescription. Sources: the server's `...out`, `...send` and `...recv`
functions. Texts of dates and intervals are those of DateStyle ISO and IntervalStyle postgres.
"""

from __future__ import annotations

import struct

from protocols.errors import PeerError, UsageError
from protocols.postgres import oids

TEXT_FORMAT, BINARY_FORMAT = 0, 1
REDACTED = b"[redacted]"

#: types whose text and binary forms are the same bytes of text
_PLAIN_TEXT = frozenset((oids.TEXT, oids.VARCHAR, oids.BPCHAR, oids.NAME, oids.UNKNOWN, oids.CSTRING, oids.REFCURSOR))
_DOCUMENTS = frozenset((oids.JSON, oids.XML))

#: type -> (width in bytes, signed)
_INTEGERS: dict[int, tuple[int, bool]] = {
    oids.INT2: (2, True),
    oids.INT4: (4, True),
    oids.INT8: (8, True),
    oids.OID: (4, False),
    oids.XID: (4, False),
    oids.CID: (4, False),
    oids.XID8: (8, False),
}

_OPERATORS = (oids.REGOPER, oids.REGOPERATOR)  # written "0" for none, since "-" is an operator
_REGISTERED = (  # names of other objects: "-" for none
    oids.REGPROC,
    oids.REGPROCEDURE,
    oids.REGCLASS,
    oids.REGTYPE,
    oids.REGROLE,
    oids.REGNAMESPACE,
    oids.REGCONFIG,
    oids.REGDICTIONARY,
    oids.REGCOLLATION,
)
_RANGES = (oids.INT4RANGE, oids.INT8RANGE, oids.NUMRANGE, oids.DATERANGE, oids.TSRANGE, oids.TSTZRANGE)
_MULTIRANGES = (
    oids.INT4MULTIRANGE,
    oids.INT8MULTIRANGE,
    oids.NUMMULTIRANGE,
    oids.DATEMULTIRANGE,
    oids.TSMULTIRANGE,
    oids.TSTZMULTIRANGE,
)


#: one item: an operand (QI_VAL) of any weight, no prefix
_TSQUERY = struct.pack(">ibbb", 1, 1, 0, 0) + b"redacted\0"


def _doubles(*values: float) -> bytes:
    return struct.pack(f">{len(values)}d", *values)


def _empty_vector(element: int) -> bytes:
    """Vectors always have one dimension, counted from 0."""
    return struct.pack(">iiIii", 1, 0, element, 0, 0)


def empty_array(element: int) -> tuple[bytes, bytes]:
    """The text and the binary form of an array without dimensions. `element`: the type of its elements."""
    return b"{}", struct.pack(">iiI", 0, 0, element)


_NO_ITEMS = bytes(4)  # a count of 0
EMPTY_RANGE = (b"empty", b"\x01")  # the flag RANGE_EMPTY
EMPTY_MULTIRANGE = (b"{}", _NO_ITEMS)
EMPTY_HSTORE = (b"", _NO_ITEMS)
_IPV4 = 2  # PGSQL_AF_INET

#: type -> (text form, binary form)
_PLACEHOLDERS: dict[int, tuple[bytes, bytes]] = {
    **dict.fromkeys(_PLAIN_TEXT, (REDACTED, REDACTED)),
    **{oid: (b"0", bytes(width)) for oid, (width, _) in _INTEGERS.items()},
    **dict.fromkeys(_REGISTERED, (b"-", bytes(4))),
    **dict.fromkeys(_OPERATORS, (b"0", bytes(4))),
    **dict.fromkeys(_RANGES, EMPTY_RANGE),
    **dict.fromkeys(_MULTIRANGES, EMPTY_MULTIRANGE),
    **{array: empty_array(element) for array, element in oids.ARRAYS.items()},
    oids.CHAR: (b"*", b"*"),
    oids.BOOL: (b"f", b"\0"),
    oids.FLOAT4: (b"0", bytes(4)),
    oids.FLOAT8: (b"0", bytes(8)),
    oids.NUMERIC: (b"0", bytes(8)),  # no digits, weight 0, positive, scale 0
    oids.BYTEA: (b"\\x", b""),
    oids.UUID: (b"00000000-0000-0000-0000-000000000000", bytes(16)),
    oids.DATE: (b"2000-01-01", bytes(4)),
    oids.TIME: (b"00:00:00", bytes(8)),
    oids.TIMETZ: (b"00:00:00+00", bytes(12)),
    oids.TIMESTAMP: (b"2000-01-01 00:00:00", bytes(8)),
    oids.TIMESTAMPTZ: (b"2000-01-01 00:00:00+00", bytes(8)),
    oids.INTERVAL: (b"00:00:00", bytes(16)),
    oids.INET: (b"0.0.0.0", bytes((_IPV4, 32, 0, 4, 0, 0, 0, 0))),
    oids.CIDR: (b"0.0.0.0/0", bytes((_IPV4, 0, 1, 4, 0, 0, 0, 0))),
    oids.MACADDR: (b"00:00:00:00:00:00", bytes(6)),
    oids.MACADDR8: (b"00:00:00:00:00:00:00:00", bytes(8)),
    oids.JSON: (b'"[redacted]"', b'"[redacted]"'),
    oids.JSONB: (b'"[redacted]"', b'\x01"[redacted]"'),  # version 1, then the text
    oids.XML: (b"<redacted/>", b"<redacted/>"),
    oids.BIT: (b"", _NO_ITEMS),
    oids.VARBIT: (b"", _NO_ITEMS),
    oids.TID: (b"(0,0)", bytes(6)),
    oids.PG_LSN: (b"0/0", bytes(8)),
    oids.TSVECTOR: (b"", _NO_ITEMS),
    oids.TSQUERY: (b"'redacted'", _TSQUERY),  # an empty one is sent but not received
    oids.OIDVECTOR: (b"", _empty_vector(oids.OID)),
    oids.INT2VECTOR: (b"", _empty_vector(oids.INT2)),
    oids.POINT: (b"(0,0)", _doubles(0, 0)),
    oids.LSEG: (b"[(0,0),(0,0)]", _doubles(0, 0, 0, 0)),
    oids.BOX: (b"(0,0),(0,0)", _doubles(0, 0, 0, 0)),
    oids.PATH: (b"((0,0))", struct.pack(">bi", 1, 1) + _doubles(0, 0)),
    oids.POLYGON: (b"((0,0))", struct.pack(">i", 1) + _doubles(0, 0)),
    oids.LINE: (b"{1,0,0}", _doubles(1, 0, 0)),  # a line whose A and B are both 0 does not exist
    oids.CIRCLE: (b"<(0,0),0>", _doubles(0, 0, 0)),
}


def placeholder(type_oid: int, format_code: int) -> bytes | None:
    """A value that every driver can read as this type in this format, and that tells nothing.

    None (NULL) for types without one: money, whose text depends on the locale, composites, and every type that is not
    built in.
    """
    forms = _PLACEHOLDERS.get(type_oid)
    return None if forms is None else forms[_format(format_code)]


def _format(format_code: int) -> int:
    if format_code not in (TEXT_FORMAT, BINARY_FORMAT):
        raise UsageError(f"unknown format code {format_code}: 0 is text, 1 is binary")
    return format_code


def is_text_like(type_oid: int) -> bool:
    """Whether both formats of this type are its text as it is (text, varchar, bpchar, name, json, xml, unknown ...)."""
    return type_oid in _PLAIN_TEXT or type_oid in _DOCUMENTS


def is_plain_text(type_oid: int) -> bool:
    """As `is_text_like`, and any text is a value of the type."""
    return type_oid in _PLAIN_TEXT


def is_document(type_oid: int) -> bool:
    """Whether the text has a grammar of its own (json, xml), so that a part of it is no value of the type."""
    return type_oid in _DOCUMENTS


def integer_width(type_oid: int) -> int | None:
    """Bytes of an integer type's binary form; None for other types."""
    known = _INTEGERS.get(type_oid)
    return None if known is None else known[0]


def _integer_type(type_oid: int) -> tuple[int, bool]:
    known = _INTEGERS.get(type_oid)
    if known is None:
        raise UsageError(f"type {type_oid} is not an integer type")
    return known


def integer_to_wire(value: int, type_oid: int, format_code: int) -> bytes:
    """An integer as its type and format want it. Raises `UsageError` when it does not fit the type."""
    width, signed = _integer_type(type_oid)
    try:
        binary = value.to_bytes(width, "big", signed=signed)
    except OverflowError:
        raise UsageError(f"{value} is out of range for type {type_oid}") from None
    return binary if _format(format_code) == BINARY_FORMAT else b"%d" % value


def integer_from_wire(data: bytes, type_oid: int, format_code: int) -> int:
    """The integer in a cell. Raises `PeerError` when the bytes are not one of this type."""
    width, signed = _integer_type(type_oid)
    if _format(format_code) == TEXT_FORMAT:
        return _integer_from_text(data, width, signed)
    if len(data) != width:
        raise PeerError(f"invalid integer: {len(data)} bytes where {width} were expected")
    return int.from_bytes(data, "big", signed=signed)


def _integer_from_text(data: bytes, width: int, signed: bool) -> int:
    digits = data[1:] if data.startswith(b"-") else data
    if not digits.isdigit() or len(digits) > 20:
        raise PeerError("invalid integer: its text has other characters than digits")
    value = int(data)
    bits = 8 * width - signed
    if not -(signed << bits) <= value < 1 << bits:
        raise PeerError("invalid integer: out of range for its type")
    return value
