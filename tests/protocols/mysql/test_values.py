"""Placeholders, numbers and dates against what both servers send for a column of every type."""

from __future__ import annotations

import struct
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.mysql import moments, numbers
from protocols.mysql.fieldtypes import FieldFlag, FieldType
from protocols.mysql.packets import encode
from protocols.mysql.replies import ColumnDefinition
from protocols.mysql.rows import Constant, compile_rewriter
from protocols.mysql.values import Family, extended_name, family, placeholder
from tests.protocols.mysql.every_type import BRANDS, WIDTHS, recorded

FAMILIES = {
    "ti": Family.INTEGER, "mu": Family.INTEGER, "iz": Family.INTEGER, "bu": Family.INTEGER, "de": Family.DECIMAL,
    "f": Family.FLOAT, "d": Family.FLOAT, "b10": Family.BIT, "y": Family.YEAR, "da": Family.DATE,
    "dt3": Family.DATETIME, "ts6": Family.TIMESTAMP, "tm": Family.TIME, "c": Family.TEXT, "v": Family.TEXT,
    "vb": Family.TEXT, "lt": Family.TEXT, "bn": Family.BYTES, "vbn": Family.BYTES, "tb": Family.BYTES,
    "e": Family.CHOICE, "s": Family.CHOICE, "g": Family.GEOMETRY, "po": Family.GEOMETRY,
}  # fmt: skip
OWN_FAMILIES = {
    "mysql": {"j": Family.JSON, "ve": Family.VECTOR},
    "mariadb": {"j": Family.TEXT, "u": Family.TEXT, "i6": Family.TEXT, "i4": Family.TEXT},
}
#: column -> what stands in for it in text, and in binary where that differs
PLACEHOLDERS: dict[str, tuple[bytes, bytes]] = {
    "ti": (b"0", b"\0"), "su": (b"0", bytes(2)), "mi": (b"0", bytes(4)), "i": (b"0", bytes(4)),
    "iz": (b"00000000", bytes(4)), "bu": (b"0", bytes(8)), "de": (b"0.00", b"0.00"), "deu": (b"0", b"0"),
    "f": (b"0", bytes(4)), "f2": (b"0.00", bytes(4)), "d": (b"0", bytes(8)), "d2": (b"0.000", bytes(8)),
    "b": (b"\0", b"\0"), "b10": (bytes(2), bytes(2)), "b64": (bytes(8), bytes(8)), "y": (b"2000", b"\xd0\x07"),
    "da": (b"2000-01-01", b"\xd0\x07\1\1"), "dt": (b"2000-01-01 00:00:00", b"\xd0\x07\1\1"),
    "dt3": (b"2000-01-01 00:00:00.000", b"\xd0\x07\1\1"), "ts6": (b"2000-01-01 00:00:00.000000", b"\xd0\x07\1\1"),
    "tm": (b"00:00:00", b""), "tm3": (b"00:00:00.000", b""), "c": (b"[redacted]",) * 2, "t": (b"[redacted]",) * 2,
    "bn": (bytes(4),) * 2, "vbn": (b"", b""), "bl": (b"", b""), "e": (b"", b""), "s": (b"", b""),
    "g": (b"\xe6\x10\0\0\1\7\0\0\0\0\0\0\0",) * 2,
}  # fmt: skip


@pytest.mark.parametrize("brand", BRANDS)
def test_families(brand: str) -> None:
    found = {column.name.decode(): family(column) for column in recorded(brand).definitions}
    assert found.items() >= {**FAMILIES, **OWN_FAMILIES[brand]}.items()
    assert Family.UNKNOWN not in found.values()


@pytest.mark.parametrize("brand", BRANDS)
def test_placeholders(brand: str) -> None:
    table = recorded(brand)
    for name, expected in PLACEHOLDERS.items():
        column = table.definitions[table.number(name)]
        assert tuple(placeholder(column, binary) for binary in (False, True)) == expected, name


def definition(kind: int, **fields: int | bytes) -> ColumnDefinition:
    column = ColumnDefinition(b"", b"", b"", b"c", b"", 45, 10, kind, 0, 0)
    return replace(column, **fields)  # type: ignore[arg-type]


def test_placeholders_of_types_that_come_as_strings() -> None:
    text = definition(FieldType.STRING)
    assert placeholder(text, True, "uuid") == b"00000000-0000-0000-0000-000000000000"
    assert placeholder(text, False, "inet6") == b"::"
    assert placeholder(text, False, "json") == b'"[redacted]"'
    assert placeholder(definition(FieldType.LONG), False, "json") == b"0"
    assert placeholder(definition(FieldType.VAR_STRING, character_set=35), False) == b""  # ucs2
    assert placeholder(definition(FieldType.NULL), True) is None
    assert placeholder(definition(FieldType.INVALID), True) is None
    assert placeholder(definition(FieldType.JSON), True) == b'"[redacted]"'
    assert placeholder(definition(FieldType.VECTOR), True) == bytes(4)


@pytest.mark.parametrize(
    ("extended", "name"),
    [(None, ""), (b"", ""), (b"\0\4uuid", "uuid"), (b"\1\4json", "json"), (b"\0\5inet6", "inet6"), (b"\0", ""),
     (b"\0\x09cut", "cut")],
)  # fmt: skip
def test_names_in_extended_metadata(extended: bytes | None, name: str) -> None:
    assert extended_name(replace(definition(FieldType.STRING), extended=extended)) == name


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_real_rows_are_walked_to_their_end_and_masked_column_by_column(brand: str, binary: bool) -> None:
    """Each column alone is masked: all others keep their bytes, NULL stays NULL."""
    table = recorded(brand)
    types = [column.type for column in table.definitions]
    for payload in table.rows(binary):
        before = table.cells(payload, binary)
        packet = encode(payload, 7)
        for number, column in enumerate(table.definitions):
            stand_in = placeholder(column, binary)
            made = compile_rewriter(types, {number: Constant(stand_in)}, binary)(packet, 0, len(packet), 7, 0)
            after = table.cells(made.data[4:], binary)
            assert after[number] == (None if before[number] is None else stand_in)
            assert after[:number] + after[number + 1 :] == before[:number] + before[number + 1 :]
            assert (made.rows, made.cells, made.sequence) == (1, int(before[number] is not None), 8)


# ---------------------------------------------------------------- numbers


INTEGER_COLUMNS = ("ti", "tu", "si", "su", "mi", "mu", "i", "iu", "iz", "bi", "bu")


@pytest.mark.parametrize("brand", BRANDS)
def test_integers_of_real_rows_are_read_and_written_back(brand: str) -> None:
    table = recorded(brand)
    for text_row, binary_row in zip(table.text[:3], table.binary[:3], strict=True):
        texts, binaries = table.cells(text_row, False), table.cells(binary_row, True)
        for name in INTEGER_COLUMNS:
            number, column = table.number(name), table.definitions[table.number(name)]
            cell, wire = texts[number] or b"", binaries[number] or b""
            value = numbers.integer_from_wire(cell, column, False)
            assert numbers.integer_from_wire(wire, column, True) == value == int(cell)
            assert numbers.integer_to_wire(value, column, False) == cell
            assert numbers.integer_to_wire(value, column, True) == wire


@pytest.mark.parametrize(
    ("kind", "flags", "low", "high"),
    [
        (FieldType.TINY, 0, -128, 127),
        (FieldType.INT24, 0, -(1 << 23), (1 << 23) - 1),
        (FieldType.INT24, FieldFlag.UNSIGNED, 0, (1 << 24) - 1),
        (FieldType.LONGLONG, FieldFlag.UNSIGNED, 0, (1 << 64) - 1),
    ],
)
def test_integers_keep_to_the_range_of_their_column(kind: int, flags: int, low: int, high: int) -> None:
    column = definition(kind, flags=flags)
    assert numbers.integer_bounds(column) == (low, high)
    for value in (low - 1, high + 1):
        with pytest.raises(UsageError, match="out of range"):
            numbers.integer_to_wire(value, column, True)


@pytest.mark.parametrize("data", [b"", b"-", b"1.5", b"1e3", b"+1", b" 1", "١".encode(), b"9" * 300])
def test_what_is_no_integer(data: bytes) -> None:
    with pytest.raises(PeerError):
        numbers.integer_from_wire(data, definition(FieldType.LONG), False)
    with pytest.raises(PeerError):
        numbers.integer_from_wire(data or b"123", definition(FieldType.LONGLONG), True)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_come_back(value: float) -> None:
    column = definition(FieldType.DOUBLE, decimals=numbers.NOT_FIXED)
    for binary in (False, True):
        assert numbers.float_from_wire(numbers.float_to_wire(value, column, binary), column, binary) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 3.5e38])
def test_floats_that_the_type_does_not_have(value: float) -> None:
    with pytest.raises(UsageError):
        numbers.float_to_wire(value, definition(FieldType.FLOAT), True)


@pytest.mark.parametrize("data", [b"", b"nan", b"inf", b"1_0", b"0x1", b"1e", b"--1"])
def test_what_is_no_float(data: bytes) -> None:
    with pytest.raises(PeerError):
        numbers.float_from_wire(data, definition(FieldType.DOUBLE), False)
    with pytest.raises(PeerError):
        numbers.float_from_wire(data, definition(FieldType.DOUBLE), True)


def test_decimals() -> None:
    assert numbers.decimal_from_wire(b"-1.50") == Decimal("-1.5")
    assert numbers.canonical(Decimal("-1.50")) == b"-1.5"
    assert numbers.canonical(Decimal("-0.00")) == b"0"
    assert numbers.decimal_to_wire(Decimal("1E+3"), 2) == b"1000.00"
    assert numbers.whole_digits(definition(FieldType.NEWDECIMAL, length=12, decimals=2)) == 8
    assert numbers.whole_digits(definition(FieldType.NEWDECIMAL, length=5, flags=FieldFlag.UNSIGNED)) == 5
    for data in (b"", b"NaN", b"1e5", b"1.", b".5", b"1" * 200):
        with pytest.raises(PeerError):
            numbers.decimal_from_wire(data)


# ---------------------------------------------------------------- dates


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("name", ["da", "dt", "dt3", "dt6", "ts", "ts6"])
def test_the_year_of_real_dates_in_both_kinds_of_rows(brand: str, name: str) -> None:
    table = recorded(brand)
    number, column = table.number(name), table.definitions[table.number(name)]
    has_clock = column.type != FieldType.DATE
    for text_row, binary_row in zip(table.text[:3], table.binary[:3], strict=True):
        text, binary = table.cells(text_row, False)[number], table.cells(binary_row, True)[number]
        assert text is not None
        assert binary is not None
        shown = moments.year_text(text, has_clock, column.decimals)
        assert len(shown) == len(text)
        assert shown[:4] == text[:4]
        assert set(shown[5:]) <= set(b"01-: .")
        year = int(text[:4])
        assert moments.year_binary(binary) == (struct.pack("<HBB", year, 1, 1) if year else b"")


def test_zero_dates_stay_what_drivers_know() -> None:
    assert moments.year_text(b"0000-00-00", False, 0) == b"0000-00-00"
    assert moments.year_text(b"0000-05-06 01:02:03.5", True, 1) == b"0000-00-00 00:00:00.0"
    assert moments.year_text(b"2024-00-00", False, 0) == b"2024-01-01"
    assert moments.year_binary(b"") == b""
    assert moments.year_binary(b"\0\0\5\6") == b""
    assert moments.year_binary(struct.pack("<HBBBBBI", 2024, 0, 0, 1, 2, 3, 4)) == struct.pack("<HBB", 2024, 1, 1)


@pytest.mark.parametrize("cell", [b"", b"2024", b"2024-1-1", b"24-01-01", b"2024-01-01 00:00:00", b"x" * 10])
def test_what_is_no_date(cell: bytes) -> None:
    with pytest.raises(PeerError):
        moments.year_text(cell, False, 0)
    with pytest.raises(PeerError):
        moments.year_binary(cell + b"12345")


def test_widths_of_the_test_are_those_of_the_rows() -> None:
    assert {kind: len(placeholder(definition(kind), True) or b"") for kind in WIDTHS} == WIDTHS
