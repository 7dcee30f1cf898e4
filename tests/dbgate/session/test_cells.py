"""Cells on the wire: what a mask makes of them, by type and format."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbgate.session.postgres.cells import cell_masker
from dbgate.session.postgres.redacted import style_of
from protocols.postgres import arrays, oids, values
from protocols.postgres.rows import Constant
from rules.catalog import Catalog, Column, Relation, Type
from rules.decision import Mask, MaskKind
from rules.masks import base_type, fits, mask_text
from rules.postgres.types import BUILT_IN_TYPES

KEY = b"0123456789abcdef"
CITEXT, HSTORE, MOOD, NOTHING, MAIL, SPOT, SPAN, SPANS, OTHER = range(99001, 99010)
DAYS, DAYS_ARRAY, MOODS, SPOTS, LOOP, MAILS_DOMAIN = range(99020, 99026)
TYPES = (
    *BUILT_IN_TYPES,
    Type(CITEXT, "public", "citext", "b", "S"),
    Type(HSTORE, "public", "hstore", "b", "U"),
    Type(MOOD, "public", "mood", "e", "E", labels=("ok", "sad")),
    Type(NOTHING, "public", "nothing", "e", "E"),
    Type(MAIL, "public", "mail", "d", "S", element=oids.TEXT),
    Type(SPOT, "public", "spot", "c", "C"),
    Type(SPAN, "public", "span", "r", "R", element=oids.INT4),
    Type(SPANS, "public", "spans", "m", "R"),
    Type(OTHER, "public", "geometry", "b", "U"),
    Type(DAYS, "public", "days", "d", "D", element=oids.DATE),
    Type(DAYS_ARRAY, "public", "_days", "b", "A", element=DAYS),
    Type(MOODS, "public", "_mood", "b", "A", element=MOOD),
    Type(SPOTS, "public", "_spot", "b", "A", element=SPOT),
    Type(LOOP, "public", "loop", "d", "S", element=LOOP),
    Type(MAILS_DOMAIN, "public", "mails", "d", "A", element=1009),
)
SPOT_COLUMNS = (Column("x", 1, "integer", oids.INT4), Column("m", 2, "public.mail", MAIL))
CONTEXT: Any = SimpleNamespace(
    catalog=Catalog("1", (Relation(1, "public", "spot", "c", SPOT_COLUMNS),), types=TYPES),
    policy=SimpleNamespace(mask_key=KEY),
)
TEXT_MASKS = [Mask(MaskKind.KEEP_LAST, 4), Mask(MaskKind.KEEP_FIRST, 2), Mask(MaskKind.EMAIL), Mask(MaskKind.HASH)]
PLAIN = st.one_of(st.text(max_size=40), st.text("ab@.*", max_size=300))


def masked(mask: Mask, type_oid: int, wire_format: int, cell: bytes) -> bytes | None:
    made = cell_masker(mask, type_oid, wire_format, CONTEXT)
    return made.value if isinstance(made, Constant) else made(cell)


@pytest.mark.parametrize("mask", TEXT_MASKS, ids=lambda m: m.kind.value)
@pytest.mark.parametrize("type_oid", [oids.TEXT, oids.VARCHAR, oids.NAME, CITEXT])
@given(plain=PLAIN)
def test_text_is_masked_as_the_rules_say_in_both_formats(mask: Mask, type_oid: int, plain: str) -> None:
    longest = 63 if type_oid == oids.NAME and mask.kind is MaskKind.HASH else None
    for wire_format in (0, 1):
        expected = mask_text(mask, plain, KEY).encode()[:longest]
        assert masked(mask, type_oid, wire_format, plain.encode()) == expected


@pytest.mark.parametrize("mask", TEXT_MASKS, ids=lambda m: m.kind.value)
@given(document=st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3))
def test_json_stays_json(mask: Mask, document: dict[str, str]) -> None:
    text = json.dumps(document)
    for type_oid, wire_format, prefix in ((oids.JSON, 0, b""), (oids.JSONB, 0, b""), (oids.JSONB, 1, b"\x01")):
        cell = masked(mask, type_oid, wire_format, prefix + text.encode())
        assert cell is not None
        assert cell.startswith(prefix)
        assert json.loads(cell[len(prefix) :]) == mask_text(mask, text, KEY)


def test_a_hash_is_the_same_in_both_formats_and_fits_the_type() -> None:
    mask = Mask(MaskKind.HASH)
    plain = UUID("12345678-1234-5678-1234-567812345678")
    text, binary = masked(mask, oids.UUID, 0, str(plain).encode()), masked(mask, oids.UUID, 1, plain.bytes)
    assert text is not None
    assert binary is not None
    assert UUID(text.decode()) == UUID(bytes=binary) != plain
    for type_oid, width in ((oids.INT2, 2), (oids.INT4, 4), (oids.INT8, 8)):
        number, wire = masked(mask, type_oid, 0, b"77"), masked(mask, type_oid, 1, (77).to_bytes(width, "big"))
        assert number is not None
        assert wire is not None
        assert int(number) == int.from_bytes(wire, "big", signed=True) >= 0
        assert int(number) != 77
    hidden, raw = masked(mask, oids.BYTEA, 0, b"\\x0102"), masked(mask, oids.BYTEA, 1, b"\x01\x02")
    assert raw is not None
    assert hidden == b"\\x" + raw.hex().encode()


@pytest.mark.parametrize("wire_format", [0, 1])
@pytest.mark.parametrize("kind", [MaskKind.KEEP_LAST, MaskKind.EMAIL, MaskKind.REDACT])
@pytest.mark.parametrize("type_oid", [oids.INT4, oids.NUMERIC, oids.TIMESTAMPTZ, oids.BOOL, 987654])
def test_what_a_mask_cannot_do_for_a_type_is_redacted(type_oid: int, kind: MaskKind, wire_format: int) -> None:
    assert masked(Mask(kind, 2), type_oid, wire_format, b"x") == values.placeholder(type_oid, wire_format)


def test_null_leaves_nothing() -> None:
    assert masked(Mask(MaskKind.NULL), oids.TEXT, 0, b"x") is None


# ---------------------------------------------------------------- which mask does what


MASKS = [Mask(kind, 4, step=10) for kind in MaskKind]


@pytest.mark.parametrize("mask", MASKS, ids=lambda m: m.kind.value)
@pytest.mark.parametrize("wire_format", [0, 1])
def test_the_rulebook_knows_which_masks_a_type_bears(mask: Mask, wire_format: int) -> None:
    """What `fits` promises when the rulebook is loaded is done, and all else is redacted."""
    for found in TYPES:
        if found.oid == 0 or found.kind == "p":
            continue
        printed = f"{found.schema}.{found.name}"
        name = base_type(CONTEXT.catalog, Column("c", 1, printed.removeprefix("pg_catalog."), found.oid))
        made = cell_masker(mask, found.oid, wire_format, CONTEXT)
        redacting = cell_masker(Mask(MaskKind.REDACT), found.oid, wire_format, CONTEXT)
        if mask.kind is MaskKind.NULL:
            assert made == Constant(None)
        elif mask.kind is MaskKind.REDACT or not fits(mask, name):
            assert made == redacting, found
        else:
            assert not isinstance(made, Constant), found


@pytest.mark.parametrize(
    ("type_oid", "text", "binary"),
    [
        (CITEXT, b"[redacted]", b"[redacted]"),
        (HSTORE, b"", bytes(4)),
        (MOOD, b"ok", b"ok"),
        (NOTHING, None, None),
        (MAIL, b"[redacted]", b"[redacted]"),
        (SPOT, b"(,)", b"\0\0\0\2" + bytes((0, 0, 0, 23, 255, 255, 255, 255)) + MAIL.to_bytes(4, "big") + b"\xff" * 4),
        (SPAN, b"empty", b"\1"),
        (SPANS, b"{}", bytes(4)),
        (OTHER, None, None),
        (DAYS, b"2000-01-01", bytes(4)),
        (DAYS_ARRAY, b"{}", bytes(8) + DAYS.to_bytes(4, "big")),
        (MOODS, b"{}", bytes(8) + MOOD.to_bytes(4, "big")),
        (LOOP, None, None),
        (MAILS_DOMAIN, b"{}", bytes(8) + oids.TEXT.to_bytes(4, "big")),
        (123_456, None, None),
    ],
)
def test_values_that_stand_for_redacted_ones_of_other_types(
    type_oid: int, text: bytes | None, binary: bytes | None
) -> None:
    mask = Mask(MaskKind.REDACT)
    assert masked(mask, type_oid, 0, b"secret") == text
    assert masked(mask, type_oid, 1, b"secret") == binary


@pytest.mark.parametrize(
    ("type_oid", "style", "stands"),
    [
        (oids.DATE, "ISO, DMY", b"2000-01-01"),
        (oids.DATE, "German, DMY", b"01.01.2000"),
        (oids.DATE, "SQL, MDY", b"01/01/2000"),
        (oids.DATE, "Postgres, DMY", b"01-01-2000"),
        (oids.DATE, "unheard of", b"2000-01-01"),
        (oids.TIMESTAMP, "SQL, MDY", b"01/01/2000 00:00:00"),
        (oids.TIMESTAMP, "Postgres, MDY", b"Sat Jan 01 00:00:00 2000"),
        (oids.TIMESTAMP, "Postgres, YMD", b"Sat Jan 01 00:00:00 2000"),
        (oids.TIMESTAMP, "Postgres, DMY", b"Sat 01 Jan 00:00:00 2000"),
        (oids.TIMESTAMPTZ, "German, DMY", b"01.01.2000 00:00:00 UTC"),
        (oids.TIMESTAMPTZ, "ISO, MDY", b"2000-01-01 00:00:00+00"),
        (oids.INTERVAL, "iso_8601", b"PT0S"),
        (oids.INTERVAL, "postgres_verbose", b"@ 0"),
        (oids.INTERVAL, "sql_standard", b"0"),
        (oids.INTERVAL, "postgres", b"00:00:00"),
        (DAYS, "German, DMY", b"01.01.2000"),
        (DAYS_ARRAY, "German, DMY", b"{}"),
    ],
)
def test_redacted_text_has_the_style_of_the_session_whatever_the_value(
    type_oid: int, style: str, stands: bytes
) -> None:
    told = style_of({"DateStyle": style, "IntervalStyle": style, "TimeZone": "UTC"})
    made = cell_masker(Mask(MaskKind.REDACT), type_oid, 0, CONTEXT, told)
    assert made == Constant(stands)
    binary = cell_masker(Mask(MaskKind.REDACT), type_oid, 1, CONTEXT, told)
    assert binary == cell_masker(Mask(MaskKind.REDACT), type_oid, 1, CONTEXT)


# ---------------------------------------------------------------- masks of values that are no text


def test_the_year_stays() -> None:
    year = Mask(MaskKind.YEAR)
    assert masked(year, oids.DATE, 0, b"1987-06-05") == b"1987-01-01"
    assert masked(year, oids.DATE, 1, (-4593).to_bytes(4, "big", signed=True)) == (-4748).to_bytes(
        4, "big", signed=True
    )
    assert masked(year, DAYS, 0, b"infinity") == b"infinity"
    assert masked(year, DAYS_ARRAY, 0, b'{1987-06-05,NULL,"0044-03-15 BC"}') == b'{1987-01-01,NULL,"0044-01-01 BC"}'
    assert masked(year, oids.TIMESTAMPTZ, 0, b"01/01/2024 00:30:00 CET") is None


def test_numbers_are_rounded_alike_in_both_formats() -> None:
    thousands = Mask(MaskKind.ROUND, step=1000)
    assert masked(thousands, oids.INT4, 0, b"-61499") == b"-61000"
    assert masked(thousands, oids.INT2, 1, (32767).to_bytes(2, "big")) == (32000).to_bytes(2, "big")
    assert masked(thousands, oids.NUMERIC, 0, b"61500.00") == b"62000"
    assert masked(thousands, oids.NUMERIC, 0, b"NaN") == b"NaN"
    assert masked(thousands, oids.FLOAT8, 0, b"1499.99") == b"1000"
    assert masked(thousands, oids.FLOAT8, 1, b"\x7f\xf0" + bytes(6)) == b"\x7f\xf0" + bytes(6)
    assert masked(thousands, 1007, 0, b"{{1,1501},{NULL,-700}}") == b"{{0,2000},{NULL,-1000}}"
    assert masked(Mask(MaskKind.ROUND, step=1), oids.INT8, 0, b"4711") == b"0"


def test_equal_numbers_have_equal_hashes() -> None:
    mask = Mask(MaskKind.HASH)
    hashes = {masked(mask, oids.NUMERIC, 0, cell) for cell in (b"1.5", b"1.50", b"1.500")}
    assert len(hashes) == 1
    assert masked(mask, oids.NUMERIC, 0, b"-0.0") == masked(mask, oids.NUMERIC, 0, b"0") != hashes.pop()
    assert masked(mask, oids.NUMERIC, 0, b"77") == masked(mask, oids.INT8, 0, b"77")


@pytest.mark.parametrize("mask", TEXT_MASKS, ids=lambda m: m.kind.value)
@given(plain=PLAIN, blanks=st.integers(0, 9))
def test_padding_is_no_part_of_a_value(mask: Mask, plain: str, blanks: int) -> None:
    value = plain.rstrip(" ")
    kept = " " * blanks if mask.kind in (MaskKind.KEEP_LAST, MaskKind.KEEP_FIRST) else ""
    expected = (mask_text(mask, value, KEY) + kept).encode()
    assert masked(mask, oids.BPCHAR, 0, (value + " " * blanks).encode()) == expected
    assert masked(mask, oids.BPCHAR, 1, (value + " " * blanks).encode()) == expected


@given(plain=st.lists(st.lists(st.text(max_size=6), min_size=2, max_size=2), max_size=3))
def test_texts_in_arrays_are_masked_one_by_one(plain: list[list[str]]) -> None:
    mask = Mask(MaskKind.KEEP_LAST, 2)
    rows = [",".join('"' + t.replace("\\", "\\\\").replace('"', '\\"') + '"' for t in row) for row in plain]
    cell = "{" + ",".join("{" + row + "}" for row in rows) + "}"
    made = masked(mask, 1009, 0, cell.encode())
    assert made is not None
    seen: list[bytes] = []
    arrays.change_text(made, lambda element: seen.append(element))
    assert seen == [mask_text(mask, t, KEY).encode() for row in plain for t in row]


# ---------------------------------------------------------------- whatever comes in


CANARY = b"4929-1234-5678"
GARBAGE = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([CANARY, b"{", b"}", b'"', b",", b"\\", b"-01-01", b" ", b"\0\0\0\1", b"e5", b"."])).map(
        b"".join
    ),
    st.binary(max_size=30).map(lambda head: head + CANARY),
)


@pytest.mark.parametrize("wire_format", [0, 1])
@pytest.mark.parametrize("mask", MASKS, ids=lambda m: m.kind.value)
@given(cell=GARBAGE, found=st.sampled_from(TYPES))
def test_nothing_that_comes_in_raises_or_passes(mask: Mask, wire_format: int, found: Type, cell: bytes) -> None:
    made = masked(mask, found.oid, wire_format, cell)
    assert made is None or CANARY not in made
