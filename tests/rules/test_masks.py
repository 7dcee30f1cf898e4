from __future__ import annotations

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.catalog import Catalog, Column, Type
from rules.decision import Mask, MaskKind
from rules.masks import (
    FITTING,
    Family,
    base_type,
    family,
    fits,
    hash_bytes,
    hash_integer,
    hash_uuid,
    mask_json,
    mask_text,
)

KEY = b"k" * 32
COUNTED = st.sampled_from([MaskKind.KEEP_LAST, MaskKind.KEEP_FIRST])


@pytest.mark.parametrize(
    ("mask", "value", "masked"),
    [
        (Mask(MaskKind.KEEP_LAST, 4), "4111111111111111", "************1111"),
        (Mask(MaskKind.KEEP_LAST, 4), "1111", "****"),
        (Mask(MaskKind.KEEP_LAST, 4), "ä€😀xyz", "**😀xyz"),
        (Mask(MaskKind.KEEP_FIRST, 2), "secret", "se****"),
        (Mask(MaskKind.KEEP_FIRST, 2), "se", "**"),
        (Mask(MaskKind.KEEP_FIRST, 2), "", ""),
        (Mask(MaskKind.EMAIL), "ada@example.org", "a***@example.org"),
        (Mask(MaskKind.EMAIL), "a@example.org", "***@example.org"),
        (Mask(MaskKind.EMAIL), '"a@b"@example.org', '"***@example.org'),
        (Mask(MaskKind.EMAIL), "no address", "***"),
        (Mask(MaskKind.EMAIL), "@", "***"),
        (Mask(MaskKind.EMAIL), "ada@mail.münchen.de", "a***@mail.münchen.de"),
        (Mask(MaskKind.EMAIL), '{"to": "ada@example.org", "card": "4929"}', "***"),
        (Mask(MaskKind.EMAIL), "ada@example.org 4929", "***"),
        (Mask(MaskKind.EMAIL), "call@4929-1234-5678", "***"),
        (Mask(MaskKind.EMAIL), "ada@localhost", "***"),
        (Mask(MaskKind.REDACT), "secret", "[redacted]"),
    ],
)
def test_texts(mask: Mask, value: str, masked: str) -> None:
    assert mask_text(mask, value, KEY) == masked


def test_null_leaves_no_text() -> None:
    with pytest.raises(ValueError, match="NULL"):
        mask_text(Mask(MaskKind.NULL), "x", KEY)


@given(COUNTED, st.integers(1, 10), st.text())
def test_counted_masks_keep_the_length_and_never_show_a_whole_value(kind: MaskKind, keep: int, value: str) -> None:
    masked = mask_text(Mask(kind, keep), value, KEY)
    assert len(masked) == len(value)
    assert sum(c != "*" for c in masked) <= (keep if len(value) > keep else 0)


@given(st.text(), st.text(), st.binary(min_size=1), st.binary(min_size=1))
def test_a_hash_depends_on_value_and_key_alone(one: str, other: str, key: bytes, key2: bytes) -> None:
    mask = Mask(MaskKind.HASH)
    assert (mask_text(mask, one, key) == mask_text(Mask(MaskKind.HASH, rule="x"), other, key)) == (one == other)
    if key.rstrip(b"\0") != key2.rstrip(b"\0"):
        assert mask_text(mask, one, key) != mask_text(mask, one, key2)
    assert len(mask_text(mask, one, key)) == 64


def test_the_hash_is_apart_from_a_plain_hmac_of_the_key() -> None:
    import hashlib
    import hmac

    assert hash_bytes(KEY, b"x") != hmac.new(KEY, b"x", hashlib.sha256).digest()


@given(st.binary(max_size=40))
def test_hashed_uuids_are_well_formed(data: bytes) -> None:
    made = UUID(bytes=hash_uuid(KEY, data))
    assert made.version == 8
    assert made.variant == "specified in RFC 4122"


@given(st.integers(), st.sampled_from([2, 4, 8]))
def test_hashed_integers_fit_their_column(value: int, width: int) -> None:
    hashed = hash_integer(KEY, str(value).encode(), width)
    assert 0 <= hashed < 1 << (8 * width - 1)


@given(st.sampled_from([MaskKind.KEEP_LAST, MaskKind.EMAIL, MaskKind.HASH, MaskKind.REDACT]), st.text())
def test_masked_json_is_a_json_string(kind: MaskKind, value: str) -> None:
    assert isinstance(json.loads(mask_json(Mask(kind, 3), value, KEY)), str)


TEXTS = {"text", "character varying", "character(10)", "name", "public.citext", "jsonb", "text[]", "character(3)[]"}
NUMBERS = {"smallint", "integer", "bigint", "numeric", "numeric(10,2)", "integer[]"}
DATES = {"date", "timestamp with time zone", "timestamp(3) without time zone", "date[]"}
NEVER = {"hr.mood", "hr.text", "boolean", "inet", "money", '"char"', "int4range", "hr.mood[]", "xml", ""}


@pytest.mark.parametrize(
    ("kind", "fitting"),
    [
        (MaskKind.KEEP_LAST, TEXTS),
        (MaskKind.KEEP_FIRST, TEXTS),
        (MaskKind.EMAIL, TEXTS),
        (MaskKind.HASH, TEXTS | NUMBERS | {"uuid", "bytea", "bytea[]"}),
        (MaskKind.ROUND, NUMBERS | {"real", "double precision", "double precision[]"}),
        (MaskKind.YEAR, DATES),
    ],
)
def test_which_masks_fit_which_types(kind: MaskKind, fitting: set[str]) -> None:
    mask = Mask(kind, step=10)
    assert {name for name in TEXTS | NUMBERS | DATES | NEVER | fitting if fits(mask, name)} == fitting
    for hiding in (MaskKind.REDACT, MaskKind.NULL):
        assert all(fits(Mask(hiding), name) for name in fitting | NEVER)


MY_TEXTS = {"char(10)", "varchar(80)", "varchar", "tinytext", "longtext", "json", "VARCHAR(3)"}
MY_NUMBERS = {"smallint(6)", "mediumint unsigned", "int", "int(10) unsigned zerofill", "bigint", "decimal(10,2)"}
MY_DATES = {"date", "datetime(6)", "timestamp"}
MY_BYTES = {"binary(16)", "varbinary(20)", "longblob", "uuid"}
MY_NEVER = {"enum('text','int')", "set('date')", "bit(8)", "year(4)", "time(3)", "geometry", "point", "vector(3)",
            "inet6", ""}  # fmt: skip


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
@pytest.mark.parametrize(
    ("kind", "fitting"),
    [
        (MaskKind.KEEP_LAST, MY_TEXTS),
        (MaskKind.KEEP_FIRST, MY_TEXTS),
        (MaskKind.EMAIL, MY_TEXTS),
        (MaskKind.HASH, MY_TEXTS | MY_NUMBERS | MY_BYTES),
        (MaskKind.ROUND, MY_NUMBERS | {"float", "double(10,2)", "tinyint(1)", "tinyint unsigned"}),
        (MaskKind.YEAR, MY_DATES),
    ],
)
def test_which_masks_fit_which_types_of_mysql(kind: MaskKind, fitting: set[str], dialect: str) -> None:
    every = MY_TEXTS | MY_NUMBERS | MY_DATES | MY_BYTES | MY_NEVER | fitting
    assert {name for name in every if fits(Mask(kind, step=10), name, dialect)} == fitting
    for hiding in (MaskKind.REDACT, MaskKind.NULL):
        assert all(fits(Mask(hiding), name, dialect) for name in every)
    assert not fits(Mask(MaskKind.ROUND, step=1), "tinyint(4)", dialect)
    assert not fits(Mask(MaskKind.ROUND, step=1), "bigint unsigned", dialect)


def test_every_mask_knows_its_types() -> None:
    assert FITTING.keys() == set(MaskKind)
    assert family("inet") is Family.OTHER


def test_rounding_whole_numbers_to_one_is_no_mask() -> None:
    assert not fits(Mask(MaskKind.ROUND, step=1), "integer")
    assert not fits(Mask(MaskKind.ROUND, step=1), "bigint[]")
    assert fits(Mask(MaskKind.ROUND, step=1), "double precision")
    assert fits(Mask(MaskKind.ROUND, step=1), "numeric")


def test_domains_are_followed_to_their_base() -> None:
    types = (Type(1, "s", "mail", "d", element=2), Type(2, "s", "line", "d", element=25),
             Type(3, "s", "loop", "d", element=3),
             Type(4, "s", "mood", "e"))  # fmt: skip
    catalog = Catalog("1", types=types)
    assert base_type(catalog, Column("c", 1, "s.mail", 1)) == "text"
    assert base_type(catalog, Column("c", 1, "s.mood", 4)) == "s.mood"
    assert base_type(catalog, Column("c", 1, "text", 25)) == "text"
    assert base_type(catalog, Column("c", 1, "s.loop", 3)) == ""
    assert not fits(Mask(MaskKind.HASH), "")


def test_arrays_are_followed_to_their_elements() -> None:
    types = (Type(1, "s", "mail", "d", element=25), Type(2, "s", "_mail", "b", "A", element=1),
             Type(3, "s", "mails", "d", element=2), Type(22, "pg_catalog", "int2vector", "b", "A", element=21),
             Type(1009, "pg_catalog", "_text", "b", "A", element=25))  # fmt: skip
    catalog = Catalog("1", types=types)
    assert base_type(catalog, Column("c", 1, "s.mail[]", 2)) == "text[]"
    assert base_type(catalog, Column("c", 1, "s.mail[]")) == "text[]"
    assert base_type(catalog, Column("c", 1, "s.mails", 3)) == "text[]"
    assert base_type(catalog, Column("c", 1, "text[]", 1009)) == "text[]"
    assert base_type(catalog, Column("c", 1, "int2vector", 22)) == "int2vector"
    assert base_type(catalog, Column("c", 1, "s.other[]")) == "s.other[]"
