"""What each mask makes of each type, in text and binary rows, on the cells that real servers send."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbgate.session.mysql.cells import Cell, cell_masker, told_definition
from protocols.mysql.fieldtypes import FieldFlag, FieldType
from protocols.mysql.replies import ColumnDefinition
from protocols.mysql.rows import Constant
from protocols.mysql.values import placeholder
from rules.decision import Mask, MaskKind
from rules.masks import fits, hash_bytes, hash_integer, mask_text
from tests.protocols.mysql.every_type import BRANDS, COLUMNS, OWN_COLUMNS, recorded

KEY = b"0123456789abcdef"
UTF8, LATIN1, ASCII, BINARY, UCS2 = 45, 8, 11, 63, 35
TEXT_MASKS = [Mask(MaskKind.KEEP_LAST, 4), Mask(MaskKind.KEEP_FIRST, 2), Mask(MaskKind.EMAIL), Mask(MaskKind.HASH)]
EVERY_MASK = [
    *TEXT_MASKS,
    Mask(MaskKind.ROUND, step=100),
    Mask(MaskKind.YEAR),
    Mask(MaskKind.REDACT),
    Mask(MaskKind.NULL),
]
HASH, ROUND, YEAR, REDACT = (
    Mask(MaskKind.HASH),
    Mask(MaskKind.ROUND, step=1000),
    Mask(MaskKind.YEAR),
    Mask(MaskKind.REDACT),
)
PLAIN = st.one_of(st.text(max_size=40), st.text("ab@.*é€", max_size=300))
FORMATS = pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
MASKS = pytest.mark.parametrize("mask", TEXT_MASKS, ids=lambda m: m.kind.value)


def column(kind: int, charset: int = BINARY, length: int = 10, flags: int = 0, decimals: int = 0) -> ColumnDefinition:
    return ColumnDefinition(b"shop", b"t", b"t", b"c", b"c", charset, length, kind, flags, decimals)


TEXT = column(FieldType.VAR_STRING, UTF8, 80)


def masked(mask: Mask, of: ColumnDefinition, data: bytes, binary: bool = False, name: str = "") -> bytes | None:
    made = cell_masker(Cell(mask, of, binary, KEY, name, own_zone=True))
    return made.value if isinstance(made, Constant) else made(data)


# ---------------------------------------------------------------- text


@MASKS
@FORMATS
@given(plain=PLAIN)
def test_text_is_masked_by_characters_as_the_rules_say(mask: Mask, binary: bool, plain: str) -> None:
    assert masked(mask, TEXT, plain.encode(), binary) == mask_text(mask, plain, KEY).encode()


@MASKS
@given(plain=st.text(st.characters(codec="cp1252"), max_size=20))
def test_latin1_is_masked_by_characters(mask: Mask, plain: str) -> None:
    made = masked(mask, replace(TEXT, character_set=LATIN1), plain.encode("cp1252"))
    assert made == mask_text(mask, plain, KEY).encode("cp1252")


def test_equal_texts_hash_alike_in_every_charset() -> None:
    texts = {masked(HASH, replace(TEXT, character_set=charset), "é".encode(codec))
             for charset, codec in ((UTF8, "utf-8"), (LATIN1, "latin-1"), (33, "utf-8"))}  # fmt: skip
    assert texts == {mask_text(HASH, "é", KEY).encode()}


@MASKS
@pytest.mark.parametrize("charset", [UTF8, 33, ASCII, LATIN1])
@given(data=st.binary(max_size=30))
def test_bytes_that_are_no_text_of_the_charset_are_masked_all_the_same(mask: Mask, charset: int, data: bytes) -> None:
    made = masked(mask, replace(TEXT, character_set=charset), data)
    assert made is not None
    if charset == ASCII:
        assert made.isascii() or data.isascii()


@MASKS
def test_a_charset_that_the_gate_does_not_read_is_redacted(mask: Mask) -> None:
    assert masked(mask, replace(TEXT, character_set=UCS2), b"\0s\0e\0c") == b""


def test_the_blanks_of_a_padded_char_are_no_part_of_its_hash() -> None:
    char = column(FieldType.STRING, UTF8, 40)
    assert masked(HASH, char, b"ab   ") == masked(HASH, char, b"ab")
    assert masked(HASH, TEXT, b"ab   ") != masked(HASH, TEXT, b"ab")


@MASKS
@FORMATS
@pytest.mark.parametrize(("kind", "charset", "name"), [(FieldType.JSON, BINARY, ""), (FieldType.BLOB, UTF8, "json")])
@given(document=st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3))
def test_json_stays_json(
    mask: Mask, binary: bool, kind: int, charset: int, name: str, document: dict[str, str]
) -> None:
    text = json.dumps(document, ensure_ascii=False)
    cell = masked(mask, column(kind, charset), text.encode(), binary, name)
    assert cell is not None
    assert cell.isascii()
    assert json.loads(cell) == mask_text(mask, text, KEY)


def test_json_may_come_in_latin1() -> None:
    cell = masked(Mask(MaskKind.KEEP_LAST, 3), column(FieldType.JSON), '"é"'.encode("latin-1") + b"x")
    assert json.loads(cell or b"") == '*é"x'


# ---------------------------------------------------------------- hashes


def test_hashes_are_the_same_in_both_kinds_of_rows_and_fit_the_type() -> None:
    for kind, width, wire in (
        (FieldType.SHORT, 2, 2),
        (FieldType.INT24, 3, 4),
        (FieldType.LONG, 4, 4),
        (FieldType.LONGLONG, 8, 8),
    ):
        for flags in (0, FieldFlag.UNSIGNED):
            of = column(kind, flags=flags)
            text, binary = masked(HASH, of, b"77"), masked(HASH, of, (77).to_bytes(wire, "little"), True)
            assert text is not None
            assert binary is not None
            assert len(binary) == wire
            assert int(text) == int.from_bytes(binary, "little") == hash_integer(KEY, b"77", width)


def test_equal_decimals_hash_alike_whatever_their_places() -> None:
    of = column(FieldType.NEWDECIMAL, length=12, decimals=2)
    assert masked(HASH, of, b"1.50") == masked(HASH, of, b"1.5") == b"%d" % hash_integer(KEY, b"1.5", 8)
    assert masked(HASH, of, b"20.00") == masked(HASH, column(FieldType.LONGLONG), b"20")


def test_bytes_and_uuids() -> None:
    assert masked(HASH, column(FieldType.BLOB), b"\1\2") == hash_bytes(KEY, b"\1\2")
    assert masked(HASH, column(FieldType.STRING, length=16), bytes(16)) == hash_bytes(KEY, bytes(16))[:16]
    assert len(masked(HASH, column(FieldType.STRING, length=40), b"x" * 40) or b"") == 40
    plain = b"123E4567-E89B-12D3-A456-426655440000"
    hidden = masked(HASH, column(FieldType.STRING, UTF8), plain, name="uuid")
    assert hidden == masked(HASH, column(FieldType.STRING, UTF8), plain.lower(), name="uuid")
    assert UUID((hidden or b"").decode()).version == 8
    assert masked(HASH, column(FieldType.STRING, UTF8), b"no uuid", name="uuid") is None


# ---------------------------------------------------------------- numbers and dates


@pytest.mark.parametrize(
    ("of", "cell", "expected"),
    [
        (column(FieldType.LONG), b"1499", b"1000"),
        (column(FieldType.LONG), b"-1500", b"-2000"),
        (column(FieldType.LONG), b"2147483647", b"2147483000"),
        (column(FieldType.LONG, flags=FieldFlag.UNSIGNED), b"4294967295", b"4294967000"),
        (column(FieldType.SHORT), b"32767", b"32000"),
        (column(FieldType.SHORT, flags=FieldFlag.UNSIGNED), b"32767", b"33000"),
        (column(FieldType.INT24), b"-8388608", b"-8388000"),
        (column(FieldType.LONGLONG, flags=FieldFlag.UNSIGNED), b"18446744073709551615", b"18446744073709551000"),
        (column(FieldType.LONG, length=8, flags=FieldFlag.UNSIGNED | FieldFlag.ZEROFILL), b"00001499", b"00001000"),
        (column(FieldType.NEWDECIMAL, length=12, decimals=2), b"1499.99", b"1000.00"),
        (column(FieldType.NEWDECIMAL, length=12, decimals=2), b"99999999.99", b"99999000.00"),
        (column(FieldType.NEWDECIMAL, length=7, decimals=2), b"-9999.99", b"-9000.00"),
        (column(FieldType.NEWDECIMAL, length=12, decimals=2), b"-0.01", b"0.00"),
        (column(FieldType.DOUBLE, decimals=31), b"1500.5", b"2000"),
        (column(FieldType.DOUBLE, decimals=31), b"1.2e30", b"1.2e30"),
        (column(FieldType.FLOAT, decimals=2), b"1499.50", b"1000.00"),
        (column(FieldType.FLOAT, decimals=31), b"-3", b"0"),
    ],
)
def test_rounding_in_text(of: ColumnDefinition, cell: bytes, expected: bytes) -> None:
    assert masked(ROUND, of, cell) == expected


@pytest.mark.parametrize(
    ("kind", "layout", "value", "expected"),
    [
        (FieldType.SHORT, "<h", -1500, -2000),
        (FieldType.INT24, "<i", 8388607, 8388000),
        (FieldType.LONG, "<i", 1499, 1000),
        (FieldType.LONGLONG, "<q", 1 << 62, 4611686018427388000),
        (FieldType.FLOAT, "<f", 1500.0, 2000.0),
        (FieldType.DOUBLE, "<d", -1499.5, -1000.0),
    ],
)
def test_rounding_in_binary(kind: int, layout: str, value: float, expected: float) -> None:
    assert masked(ROUND, column(kind), struct.pack(layout, value), True) == struct.pack(layout, expected)


def test_rounding_whole_numbers_to_one_would_hide_nothing() -> None:
    for of in (column(FieldType.LONG), column(FieldType.NEWDECIMAL)):
        assert masked(Mask(MaskKind.ROUND, step=1), of, b"77") == b"0"
    assert masked(Mask(MaskKind.ROUND, step=1), column(FieldType.NEWDECIMAL, length=8, decimals=2), b"7.77") == b"8.00"


@pytest.mark.parametrize(
    ("mask", "kind", "cell"),
    [(ROUND, FieldType.LONG, b"x1"), (ROUND, FieldType.DOUBLE, b"nan"), (ROUND, FieldType.NEWDECIMAL, b"1e5"),
     (HASH, FieldType.LONG, b"1.5"), (YEAR, FieldType.DATE, b"yesterday"), (YEAR, FieldType.DATETIME, b"2024-01-01")],
)  # fmt: skip
@FORMATS
def test_what_cannot_be_read_becomes_null(mask: Mask, kind: int, cell: bytes, binary: bool) -> None:
    assert masked(mask, column(kind), cell, binary) is None


def test_the_year_of_a_timestamp_needs_the_sessions_own_time_zone() -> None:
    of = column(FieldType.TIMESTAMP)
    assert masked(YEAR, of, b"2024-12-31 23:30:00") == b"2024-01-01 00:00:00"
    moved = cell_masker(Cell(YEAR, of, False, KEY))
    assert moved == Constant(b"2000-01-01 00:00:00")
    assert not isinstance(cell_masker(Cell(YEAR, column(FieldType.DATETIME), False, KEY)), Constant)


# ---------------------------------------------------------------- every mask on every type


#: information_schema's DATA_TYPE by column, for what it calls otherwise than the statement that made the table
DATA_TYPES = {"b1": "tinyint", "p": "point", "po": "polygon"}
READERS: dict[int, Callable[[bytes], object]] = {
    FieldType.NEWDECIMAL: lambda cell: Decimal(cell.decode()),
    FieldType.JSON: json.loads,
}


@pytest.mark.parametrize("brand", BRANDS)
@FORMATS
@pytest.mark.parametrize("mask", EVERY_MASK, ids=lambda m: m.kind.value)
def test_every_mask_on_every_type(brand: str, binary: bool, mask: Mask) -> None:
    """What the rulebook's check lets through is masked by its kind, all else redacted; no value of the large row
    survives, and what comes out is a value of its type."""
    table = recorded(brand)
    large = table.cells(table.rows(binary)[0], binary)
    for name, kind, *_ in (*COLUMNS, *OWN_COLUMNS[brand]):
        number = table.number(name)
        of, cell = table.definitions[number], large[number]
        assert cell is not None
        told = kind if brand == "mariadb" and kind in ("json", "uuid", "inet6", "inet4") else ""
        made = masked(mask, of, cell, binary, told)
        if mask.kind is MaskKind.NULL:
            assert made is None
        elif mask.kind is MaskKind.REDACT or not fits(mask, DATA_TYPES.get(name, kind), brand):
            assert made == placeholder(of, binary, told), name
        else:
            assert made is not None, name
            assert made != placeholder(of, binary, told) or (name, mask.kind) in ROUNDED_TO_NOTHING, name
        assert made is None or made != cell or (name, mask.kind) in UNCHANGED, name
        assert not (made and b"secret" in cell and b"secret" in made)
        if made is not None and (reader := READERS.get(of.type)):
            reader(made)


#: values below half of the step
ROUNDED_TO_NOTHING = {("b1", MaskKind.ROUND), ("iz", MaskKind.ROUND)}
#: a large value that is its own mask: a multiple of the step, and a float beyond the step's reach
UNCHANGED = {("f", MaskKind.ROUND), ("d", MaskKind.ROUND)}


# ---------------------------------------------------------------- what the client is told


def told(mask: Mask, of: ColumnDefinition, binary: bool = False) -> ColumnDefinition:
    cell = Cell(mask, of, binary, KEY)
    return told_definition(cell, cell_masker(cell))


def test_a_column_that_a_mask_can_make_null_is_not_not_null() -> None:
    of = replace(column(FieldType.LONG), flags=FieldFlag.NOT_NULL | FieldFlag.PRI_KEY)
    assert told(Mask(MaskKind.NULL), of).flags == FieldFlag.PRI_KEY
    assert told(ROUND, of).flags == FieldFlag.PRI_KEY
    assert told(REDACT, of) is of


def test_there_is_room_for_the_longest_masked_value() -> None:
    short = column(FieldType.VAR_STRING, UTF8, 20)
    assert told(REDACT, short).length == 4 * len("[redacted]")
    assert told(HASH, short).length == 4 * 64
    assert told(Mask(MaskKind.KEEP_LAST, 2), short).length == 20
    assert told(Mask(MaskKind.EMAIL), short).length > 20
    assert told(Mask(MaskKind.EMAIL), replace(short, length=0xFFFFFFFF)).length == 0xFFFFFFFF
    assert told(HASH, column(FieldType.NEWDECIMAL, length=7)).length == 20
    assert told(REDACT, column(FieldType.BIT, length=10)).length == 10
