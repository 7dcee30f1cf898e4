"""Masks on text, pure: what a masked value becomes, and which masks a type can bear.

NULL stays NULL and never comes here. The wire forms (text, binary) are made by the session from these.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from enum import Enum
from typing import Final

from rules.catalog import Catalog, Column, Type
from rules.decision import Mask, MaskKind

REDACTED: Final = "[redacted]"
_DOMAIN: Final = b"dbgate mask hash v1\x00"


def hash_bytes(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-256 (32 bytes) of a value's text form, apart from every other use of the key. The column takes no
    part, so that equal values stay equal across columns and joins still work."""
    return hmac.new(key, _DOMAIN + data, hashlib.sha256).digest()


def hash_uuid(key: bytes, data: bytes) -> bytes:
    """16 bytes for a uuid column: a well-formed UUID of version 8 (RFC 9562: vendor's own). `data`: the text form."""
    raw = bytearray(hash_bytes(key, data)[:16])
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return bytes(raw)


def hash_integer(key: bytes, data: bytes, width: int) -> int:
    """A non-negative integer for a column of `width` bytes (2, 4 or 8). `data`: the decimal text form. Equal values
    in columns of different widths do not stay equal."""
    return int.from_bytes(hash_bytes(key, data)[:width], "big") >> 1


def mask_text(mask: Mask, value: str, key: bytes) -> str:
    """The masked text. `key`: for hash only. Raises ValueError for the null mask, which leaves no text."""
    try:
        return _TEXT_MASKS[mask.kind](mask.keep, value, key)
    except KeyError:
        raise ValueError("the null mask leaves no text: send NULL") from None


def mask_json(mask: Mask, value: str, key: bytes) -> str:
    """The masked value of a json or jsonb column: a JSON string of the masked text."""
    return json.dumps(mask_text(mask, value, key), ensure_ascii=False)


#: What may stand behind the @ of an address: labels of letters and digits, the last of letters alone. Anything else, a
#: document that holds an address among it, is no address, and would be shown from the @ on.
DOMAIN: Final = re.compile(r"(?:[^\W_](?:[^\W_]|-){0,62}\.){1,9}[^\W\d_]{2,63}")


def _redact(keep: int, value: str, key: bytes) -> str:
    return REDACTED


def _email(keep: int, value: str, key: bytes) -> str:
    """`ada@example.org` -> `a***@example.org`; a local part of one letter, or no address at all, shows nothing."""
    local, _, domain = value.rpartition("@")
    if not DOMAIN.fullmatch(domain):
        return "***"
    return f"{local[:1] if len(local) > 1 else ''}***@{domain}"


def _keep_last(keep: int, value: str, key: bytes) -> str:
    hidden = len(value) - keep
    return "*" * hidden + value[hidden:] if hidden > 0 else "*" * len(value)


def _keep_first(keep: int, value: str, key: bytes) -> str:
    hidden = len(value) - keep
    return value[:keep] + "*" * hidden if hidden > 0 else "*" * len(value)


def _hash(keep: int, value: str, key: bytes) -> str:
    return hash_bytes(key, value.encode("utf-8", "surrogatepass")).hex()


_TEXT_MASKS: Final[dict[MaskKind, Callable[[int, str, bytes], str]]] = {
    MaskKind.REDACT: _redact,
    MaskKind.EMAIL: _email,
    MaskKind.KEEP_LAST: _keep_last,
    MaskKind.KEEP_FIRST: _keep_first,
    MaskKind.HASH: _hash,
}


# ---------------------------------------------------------------- types


class Family(Enum):
    """Types by how a masked value of theirs must look."""

    TEXT = "text"
    JSON = "json"
    UUID = "uuid"
    BYTES = "bytes"
    INTEGER = "integer"
    NUMERIC = "numeric"
    FLOAT = "float"
    DATE = "date"
    TINY = "tiny integer"  # too few values to hide one behind another
    OTHER = "other"


_TEXTS: Final = (
    "text",
    "character varying",
    "character",
    "varchar",
    "bpchar",
    "name",
    "citext",
    "refcursor",
    "unknown",
)
_INTEGERS: Final = ("smallint", "integer", "bigint", "int2", "int4", "int8")
_DATES: Final = (
    "date", "timestamp", "timestamptz", "timestamp without time zone", "timestamp with time zone",
)  # fmt: skip

#: type name as pg_type or format_type has it -> family. The one-byte type "char" has no room for any mask of text.
FAMILIES: Final[dict[str, Family]] = {
    **dict.fromkeys(_TEXTS, Family.TEXT),
    **dict.fromkeys(("json", "jsonb"), Family.JSON),
    **dict.fromkeys(_INTEGERS, Family.INTEGER),
    **dict.fromkeys(("real", "double precision", "float4", "float8"), Family.FLOAT),
    **dict.fromkeys(_DATES, Family.DATE),
    "numeric": Family.NUMERIC,
    "uuid": Family.UUID,
    "bytea": Family.BYTES,
}

_MYSQL_BYTES: Final = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")
#: MySQL's and MariaDB's, by DATA_TYPE. ENUM and SET have no room for a mask of text, TIME and YEAR none for a year.
MYSQL_FAMILIES: Final[dict[str, Family]] = {
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext"), Family.TEXT),
    **dict.fromkeys(_MYSQL_BYTES, Family.BYTES),
    **dict.fromkeys(("smallint", "mediumint", "int", "integer", "bigint"), Family.INTEGER),
    **dict.fromkeys(("decimal", "numeric"), Family.NUMERIC),
    **dict.fromkeys(("float", "double", "real"), Family.FLOAT),
    **dict.fromkeys(("date", "datetime", "timestamp"), Family.DATE),
    "tinyint": Family.TINY,
    "json": Family.JSON,
    "uuid": Family.UUID,
}

_ALL: Final = frozenset(Family)
_TEXTUAL: Final = frozenset({Family.TEXT, Family.JSON})
FITTING: Final[dict[MaskKind, frozenset[Family]]] = {
    MaskKind.REDACT: _ALL,
    MaskKind.NULL: _ALL,
    MaskKind.EMAIL: _TEXTUAL,
    MaskKind.KEEP_LAST: _TEXTUAL,
    MaskKind.KEEP_FIRST: _TEXTUAL,
    MaskKind.ROUND: frozenset({Family.TINY, Family.INTEGER, Family.NUMERIC, Family.FLOAT}),
    MaskKind.YEAR: frozenset({Family.DATE}),
    MaskKind.HASH: frozenset({*_TEXTUAL, Family.UUID, Family.BYTES, Family.INTEGER, Family.NUMERIC}),
}


def family(type_name: str, dialect: str = "postgres") -> Family:
    """The family of a base type by its name, with or without a schema before `citext` and modifiers after it; of
    MySQL's and MariaDB's as information_schema has it, in DATA_TYPE or COLUMN_TYPE."""
    if dialect != "postgres":
        return MYSQL_FAMILIES.get(_BEHIND_NAME.split(type_name, maxsplit=1)[0].lower(), Family.OTHER)
    bare = _MODIFIERS.sub("", type_name).strip()
    return FAMILIES.get(bare) or FAMILIES.get(bare.rpartition(".")[2] if bare.endswith(".citext") else "", Family.OTHER)


_MODIFIERS: Final = re.compile(r"\([0-9, -]*\)")
_BEHIND_NAME: Final = re.compile(r"[ (]")


def fits(mask: Mask, type_name: str, dialect: str = "postgres") -> bool:
    """Whether the mask can be put on values of the type. An array bears what its elements bear: it is masked element
    by element. Domains: ask for their base type. Rounding whole numbers to 1 would hide nothing."""
    found = family(type_name.removesuffix("[]"), dialect)
    if mask.kind is MaskKind.ROUND and mask.step < 2 and found in (Family.TINY, Family.INTEGER):
        return False
    return found in FITTING[mask.kind]


#: OIDs of built-in types (pg_type.dat), which a catalog of user-defined types need not list
_BUILT_IN: Final = {16: "boolean", 17: "bytea", 19: "name", 20: "bigint", 21: "smallint", 23: "integer", 25: "text",
                    114: "json", 700: "real", 701: "double precision", 1042: "character", 1043: "character varying",
                    1082: "date", 1114: "timestamp without time zone", 1184: "timestamp with time zone",
                    1700: "numeric", 2950: "uuid", 3802: "jsonb"}  # fmt: skip
_DEEPEST: Final = 32  # domains over domains


def base_type(catalog: Catalog, column: Column) -> str:
    """The column's type with domains followed down to the type they rest on, also under an array: `text`, `text[]`,
    `hr.mood`. Empty when there is no end to it."""
    return _resolved(catalog, column.type_oid, column.type, _DEEPEST)


def _resolved(catalog: Catalog, oid: int, name: str, depth: int) -> str:
    found = catalog.type_by_oid.get(oid) if oid else _named(catalog, name)
    if not depth:
        return ""
    if found is None and name.endswith("[]"):
        return _resolved(catalog, 0, name.removesuffix("[]"), depth - 1) + "[]"
    if found is None:
        return name or _BUILT_IN.get(oid, "")
    if found.kind == "d":
        return _resolved(catalog, found.element, "", depth - 1)
    if is_array(found):
        return _resolved(catalog, found.element, "", depth - 1) + "[]"
    return name or (found.name if found.schema == "pg_catalog" else f"{found.schema}.{found.name}")


def _named(catalog: Catalog, name: str) -> Type | None:
    """A type of the users' own by the name that a catalog made from DDL gives to a column."""
    schema, _, last = name.rpartition(".")
    return next((t for t in catalog.types if t.name == last and t.schema == schema), None) if schema else None


def is_array(found: Type) -> bool:
    """Whether this is an array type: the server names those `_element`, and int2vector and oidvector are none."""
    return found.category == "A" and found.element != 0 and found.name.startswith("_")
