"""numeric and floats on the wire. Sources: numeric_out, numeric_send, float4send, float8send.

A numeric's binary form is its digits to the base of 10000: how many, the weight of the first, sign, decimal places.
"""

from __future__ import annotations

import re
import struct
from decimal import Decimal
from struct import Struct
from typing import Final

from protocols.errors import PeerError, UsageError
from protocols.postgres import oids

NUMERIC_DIGITS: Final = 131072  # before the point
FLOATS: Final = {oids.FLOAT4: Struct(">f"), oids.FLOAT8: Struct(">d")}
LARGEST_FLOATS: Final = {oids.FLOAT4: (2 - 2**-23) * 2.0**127, oids.FLOAT8: (2 - 2**-52) * 2.0**1023}

_HEAD: Final = Struct(">hhHh")
_PLUS, _MINUS = 0x0000, 0x4000
_SPECIAL: Final = {0xC000: Decimal("NaN"), 0xD000: Decimal("Infinity"), 0xF000: Decimal("-Infinity")}
_SPECIAL_WORDS: Final = {b"NaN": 0xC000, b"Infinity": 0xD000, b"-Infinity": 0xF000}
_NUMBER: Final = re.compile(rb"-?\d+(?:\.\d+)?")
_MOST_DIGITS: Final = 150_000  # NUMERIC_DIGITS, and 16383 behind the point


def numeric_from_wire(data: bytes, format_code: int) -> Decimal:
    """NaN and the infinities are Decimal's. Raises `PeerError` when the bytes are no numeric."""
    return _numeric_from_binary(data) if format_code else _numeric_from_text(data)


def _numeric_from_text(data: bytes) -> Decimal:
    if data in _SPECIAL_WORDS:
        return _SPECIAL[_SPECIAL_WORDS[data]]
    if len(data) > _MOST_DIGITS or not _NUMBER.fullmatch(data):
        raise PeerError("invalid numeric: its text is no number")
    return Decimal(data.decode("ascii"))


def _numeric_from_binary(data: bytes) -> Decimal:
    if len(data) < _HEAD.size:
        raise PeerError("invalid numeric: its head is missing")
    count, weight, sign, _ = _HEAD.unpack_from(data)
    if sign in _SPECIAL:
        return _SPECIAL[sign]
    if sign not in (_PLUS, _MINUS) or count < 0 or len(data) != _HEAD.size + 2 * count:
        raise PeerError("invalid numeric: its digits do not fit its head")
    digits = struct.unpack_from(f">{count}h", data, _HEAD.size)
    if any(not 0 <= digit < 10_000 for digit in digits):
        raise PeerError("invalid numeric: a digit is out of range")
    text = "".join(f"{digit:04d}" for digit in digits) or "0"
    return Decimal(f"{'-' if sign == _MINUS else ''}{text}E{4 * (weight - count + 1)}")


def canonical(value: Decimal) -> bytes:
    """One text for equal numbers, whatever their decimal places: `-1.5`, `20`, `NaN`."""
    text = f"{value:f}" if value.is_finite() else str(value)
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return b"0" if text == "-0" else text.encode()


def whole_numeric_to_wire(number: Decimal | int, format_code: int) -> bytes:
    """A whole number without decimal places, NaN or an infinity. Raises `UsageError` for any other number."""
    value = Decimal(number)
    if not value.is_finite():
        word = "NaN" if value.is_nan() else "Infinity" if value > 0 else "-Infinity"
        return _HEAD.pack(0, 0, _SPECIAL_WORDS[word.encode()], 0) if format_code else word.encode()
    text = f"{value:f}"
    if "." in text:
        raise UsageError("a whole number was expected")
    return _whole_to_binary(text) if format_code else text.encode()


def _whole_to_binary(text: str) -> bytes:
    digits = text.lstrip("-")
    digits = digits.zfill(-(-len(digits) // 4) * 4)
    groups = [int(digits[at : at + 4]) for at in range(0, len(digits), 4)]
    while groups and groups[0] == 0:
        del groups[0]
    weight = max(len(groups) - 1, 0)
    while groups and groups[-1] == 0:
        del groups[-1]
    sign = _MINUS if text.startswith("-") and groups else _PLUS
    return _HEAD.pack(len(groups), weight, sign, 0) + struct.pack(f">{len(groups)}h", *groups)


# ---------------------------------------------------------------- floats

_FLOAT: Final = re.compile(rb"-?(?:\d{1,20}(?:\.\d{1,20})?(?:e[+-]\d{1,3})?|Infinity)|NaN")


def float_from_wire(data: bytes, type_oid: int, format_code: int) -> float:
    """Raises `PeerError` when the bytes are no number of this type."""
    form = FLOATS[type_oid]
    if not format_code:
        if not _FLOAT.fullmatch(data):
            raise PeerError("invalid float: its text is no number")
        return float(data)
    if len(data) != form.size:
        raise PeerError(f"invalid float: {len(data)} bytes where {form.size} were expected")
    (value,) = form.unpack(data)
    return float(value)


def float_to_wire(value: float, type_oid: int, format_code: int) -> bytes:
    """The text is the shortest that reads back as the same double. Raises `UsageError` when float4 has no room."""
    if not format_code:
        return _FLOAT_WORDS.get(repr(value)) or repr(value).removesuffix(".0").encode()
    try:
        return FLOATS[type_oid].pack(value)
    except OverflowError:
        raise UsageError(f"{value} is out of range for type {type_oid}") from None


_FLOAT_WORDS: Final = {"nan": b"NaN", "inf": b"Infinity", "-inf": b"-Infinity"}
