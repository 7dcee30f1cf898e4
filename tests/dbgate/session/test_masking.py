"""Cells on the wire: what a mask makes of them, by type and format."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbgate.session.postgres.masking import cell_masker
from protocols.postgres import oids, values
from protocols.postgres.rows import Constant
from rules.catalog import Catalog, Type
from rules.decision import Mask, MaskKind
from rules.masks import mask_text

KEY = b"0123456789abcdef"
CITEXT = 99001
CONTEXT: Any = SimpleNamespace(
    catalog=Catalog("1", types=(Type(CITEXT, "public", "citext", "b", "S"),)), policy=SimpleNamespace(mask_key=KEY)
)
TEXT_MASKS = [Mask(MaskKind.KEEP_LAST, 4), Mask(MaskKind.KEEP_FIRST, 2), Mask(MaskKind.EMAIL), Mask(MaskKind.HASH)]
PLAIN = st.one_of(st.text(max_size=40), st.text("ab@.*", max_size=300))


def masked(mask: Mask, type_oid: int, wire_format: int, cell: bytes) -> bytes | None:
    made = cell_masker(mask, type_oid, wire_format, CONTEXT)
    return made.value if isinstance(made, Constant) else made(cell)


@pytest.mark.parametrize("mask", TEXT_MASKS, ids=lambda m: m.kind.value)
@pytest.mark.parametrize("type_oid", [oids.TEXT, oids.VARCHAR, oids.BPCHAR, oids.NAME, CITEXT])
@given(plain=PLAIN)
def test_text_is_masked_as_the_rules_say_in_both_formats(mask: Mask, type_oid: int, plain: str) -> None:
    for wire_format in (0, 1):
        assert masked(mask, type_oid, wire_format, plain.encode()) == mask_text(mask, plain, KEY).encode()


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
