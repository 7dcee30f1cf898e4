"""From a mask, a type and a wire format to the function that masks one cell.

What a mask cannot do for a type it redacts. A value that cannot be read as one of its type becomes NULL: whatever comes
in, the original never passes, and nothing is raised.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final
from uuid import UUID

from dbgate.session.postgres.redacted import ISO, TextStyle, base_oid, element_oid, is_citext, redacted
from dbgate.session.short_texts import ON_BYTES
from protocols.errors import PeerError, UsageError
from protocols.postgres import arrays, dates, numbers, oids, values
from protocols.postgres.rows import CellMasker, Constant
from protocols.postgres.values import BINARY_FORMAT
from rules.decision import Mask, MaskKind
from rules.masks import hash_bytes, hash_integer, hash_uuid, mask_json, mask_text
from rules.policy import PolicyContext
from rules.rounding import round_decimal, round_float, round_integer

JSONB_VERSION = b"\x01"
#: (mask, type, wire format, key) -> the masker
Maker = Callable[[Mask, int, int, bytes], CellMasker]


def cell_masker(
    mask: Mask, type_oid: int, wire_format: int, context: PolicyContext, style: TextStyle = ISO
) -> CellMasker | Constant:
    """What a mask does to one column's values in one wire format. `type_oid`: also a domain's."""
    if mask.kind is MaskKind.NULL:
        return Constant(None)
    base = base_oid(type_oid, context.catalog)
    element = element_oid(base, context.catalog)
    made = _made(mask, base if element is None else base_oid(element, context.catalog), wire_format, context)
    if made is None:
        return Constant(redacted(base, wire_format, context.catalog, style))
    return made if element is None else _each(made, wire_format)


def _made(mask: Mask, type_oid: int, wire_format: int, context: PolicyContext) -> CellMasker | None:
    """None: it can only be redacted."""
    if mask.kind is MaskKind.ROUND and mask.step < 2 and values.integer_width(type_oid):
        return None
    makers = _MAKERS.get(mask.kind, {})
    maker = makers.get(type_oid)
    if maker is None and (values.is_plain_text(type_oid) or is_citext(type_oid, context.catalog)):
        maker = makers.get(oids.TEXT)
    return None if maker is None else maker(mask, type_oid, wire_format, context.policy.mask_key or b"")


def _each(change: CellMasker, wire_format: int) -> CellMasker:
    """Masks an array element by element; NULLs and dimensions stay."""
    walk = arrays.change_binary if wire_format == BINARY_FORMAT else arrays.change_text
    return _readable(lambda cell: walk(cell, change))


def _readable(make: Callable[[bytes], bytes]) -> CellMasker:
    """NULL for what cannot be read."""

    def masked(cell: bytes) -> bytes | None:
        try:
            return make(cell)
        except (PeerError, UsageError, ValueError):
            return None

    return masked


# ---------------------------------------------------------------- text


def _text(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    """Most cells are short ASCII, where a character is a byte; the others are masked as text."""
    short = ON_BYTES.get(mask.kind)

    def any_text(cell: bytes) -> bytes:
        return mask_text(mask, str(cell, "utf-8", "replace"), key).encode()

    return short(mask.keep, any_text) if short else any_text


def _padded_text(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    """character(n): the blanks at its end are no part of the value, and stay where the value's length shows anyway."""
    mask_value = _text(mask, type_oid, wire_format, key)
    keeps = mask.kind in (MaskKind.KEEP_LAST, MaskKind.KEEP_FIRST)

    def masked(cell: bytes) -> bytes | None:
        value = cell.rstrip(b" ")
        return (mask_value(value) or b"") + (b" " * (len(cell) - len(value)) if keeps else b"")

    return masked


def _json(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    """The masked text of the document as a JSON string, which every reader of JSON can read."""
    prefix = JSONB_VERSION if wire_format == BINARY_FORMAT and type_oid == oids.JSONB else b""

    def masked(cell: bytes) -> bytes:
        document = str(cell[len(prefix) :], "utf-8", "replace")
        return prefix + mask_json(mask, document, key).encode()

    return masked


# ---------------------------------------------------------------- hashes


def _hash_name(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    """A text's hash without its last digit: a name has room for 63 bytes."""
    hash_text = _text(mask, type_oid, wire_format, key)
    return lambda cell: (hash_text(cell) or b"")[:63]


def _hash_uuid(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    def masked(cell: bytes) -> bytes:
        plain = UUID(bytes=cell) if wire_format == BINARY_FORMAT else UUID(str(cell, "ascii"))
        hidden = UUID(bytes=hash_uuid(key, str(plain).encode()))
        return hidden.bytes if wire_format == BINARY_FORMAT else str(hidden).encode()

    return _readable(masked)


def _hash_bytea(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    """Hashed by the hex text form, so that both formats of a value give the same; bytea's old escape output is hashed
    as it stands."""

    def masked(cell: bytes) -> bytes:
        hidden = hash_bytes(key, b"\\x" + cell.hex().encode() if wire_format == BINARY_FORMAT else cell)
        return hidden if wire_format == BINARY_FORMAT else b"\\x" + hidden.hex().encode()

    return masked


def _hash_integer(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    width = values.integer_width(type_oid) or 0

    def masked(cell: bytes) -> bytes:
        number = values.integer_from_wire(cell, type_oid, wire_format)
        hidden = hash_integer(key, str(number).encode(), width)
        return values.integer_to_wire(hidden, type_oid, wire_format)

    return _readable(masked)


def _hash_numeric(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    """By the number alone: 1.50 and 1.5 stay equal. A whole number of up to 19 digits, the same as a bigint's."""

    def masked(cell: bytes) -> bytes:
        plain = numbers.canonical(numbers.numeric_from_wire(cell, wire_format))
        return numbers.whole_numeric_to_wire(hash_integer(key, plain, 8), wire_format)

    return _readable(masked)


# ---------------------------------------------------------------- numbers and dates


def _round_integer(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    limit = (1 << 8 * (values.integer_width(type_oid) or 0) - 1) - 1

    def masked(cell: bytes) -> bytes:
        number = values.integer_from_wire(cell, type_oid, wire_format)
        return values.integer_to_wire(round_integer(number, mask.step, limit), type_oid, wire_format)

    return _readable(masked)


def _round_float(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    largest = numbers.LARGEST_FLOATS[type_oid]

    def masked(cell: bytes) -> bytes:
        number = numbers.float_from_wire(cell, type_oid, wire_format)
        return numbers.float_to_wire(round_float(number, mask.step, largest), type_oid, wire_format)

    return _readable(masked)


def _round_numeric(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    def masked(cell: bytes) -> bytes:
        number = numbers.numeric_from_wire(cell, wire_format)
        if number.is_finite():
            number = round_decimal(number, mask.step, numbers.NUMERIC_DIGITS)
        return numbers.whole_numeric_to_wire(number, wire_format)

    return _readable(masked)


def _year(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    first = dates.year_binary if wire_format == BINARY_FORMAT else dates.year_text
    return _readable(partial(first, type_oid=type_oid))


# ---------------------------------------------------------------- the table

_TEXTS: Final[dict[int, Maker]] = {
    oids.TEXT: _text,
    oids.BPCHAR: _padded_text,
    oids.JSON: _json,
    oids.JSONB: _json,
}
_INTEGERS: Final = (oids.INT2, oids.INT4, oids.INT8)
_MAKERS: Final[dict[MaskKind, dict[int, Maker]]] = {
    MaskKind.EMAIL: _TEXTS,
    MaskKind.KEEP_LAST: _TEXTS,
    MaskKind.KEEP_FIRST: _TEXTS,
    MaskKind.HASH: {
        **_TEXTS,
        **dict.fromkeys(_INTEGERS, _hash_integer),
        oids.NUMERIC: _hash_numeric,
        oids.NAME: _hash_name,
        oids.UUID: _hash_uuid,
        oids.BYTEA: _hash_bytea,
    },
    MaskKind.ROUND: {
        **dict.fromkeys(_INTEGERS, _round_integer),
        **dict.fromkeys((oids.FLOAT4, oids.FLOAT8), _round_float),
        oids.NUMERIC: _round_numeric,
    },
    MaskKind.YEAR: dict.fromkeys(dates.TYPES, _year),
}
