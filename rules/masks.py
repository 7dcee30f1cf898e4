"""Masks on text, pure: what a masked value becomes, and which masks a type can bear.

NULL stays NULL and never comes here. The wire forms (text, binary) are made by the session from these.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from enum import Enum
from typing import Final

from rules.catalog import Catalog, Column
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


def _redact(keep: int, value: str, key: bytes) -> str:
    return REDACTED


def _email(keep: int, value: str, key: bytes) -> str:
    """`ada@example.org` -> `a***@example.org`; a local part of one letter, or no address at all, shows nothing."""
    local, at, domain = value.rpartition("@")
    if not at:
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
    OTHER = "other"


#: type name as format_type prints it -> family
FAMILIES: Final[dict[str, Family]] = {
    **dict.fromkeys(("text", "character varying", "character", "varchar", "char", "bpchar", "name", "citext",
                     '"char"', "unknown"), Family.TEXT),
    **dict.fromkeys(("json", "jsonb"), Family.JSON),
    **dict.fromkeys(("smallint", "integer", "bigint", "int2", "int4", "int8"), Family.INTEGER),
    "uuid": Family.UUID,
    "bytea": Family.BYTES,
}  # fmt: skip

_ALL: Final = frozenset(Family)
_TEXTUAL: Final = frozenset({Family.TEXT, Family.JSON})
FITTING: Final[dict[MaskKind, frozenset[Family]]] = {
    MaskKind.REDACT: _ALL,
    MaskKind.NULL: _ALL,
    MaskKind.EMAIL: _TEXTUAL,
    MaskKind.KEEP_LAST: _TEXTUAL,
    MaskKind.KEEP_FIRST: _TEXTUAL,
    MaskKind.HASH: _ALL - {Family.OTHER},
}


def family(type_name: str) -> Family:
    """The family of a base type by its name, with or without a schema before `citext` and modifiers after it."""
    if type_name.endswith("]"):
        return Family.OTHER
    bare = type_name.split("(", 1)[0].strip()
    return FAMILIES.get(bare) or FAMILIES.get(bare.rpartition(".")[2] if bare.endswith(".citext") else "", Family.OTHER)


def fits(kind: MaskKind, type_name: str) -> bool:
    """Whether a mask of this kind can be put on values of the type. Domains: ask for their base type."""
    return family(type_name) in FITTING[kind]


#: OIDs of built-in types (pg_type.dat), which a catalog of user-defined types need not list
_BUILT_IN: Final = {16: "boolean", 17: "bytea", 19: "name", 20: "bigint", 21: "smallint", 23: "integer", 25: "text",
                    114: "json", 1042: "character", 1043: "character varying", 2950: "uuid", 3802: "jsonb"}  # fmt: skip


def base_type(catalog: Catalog, column: Column) -> str:
    """The column's type with domains followed down to the type they rest on."""
    found = catalog.type_by_oid.get(column.type_oid)
    name = column.type
    for _ in range(32):
        if found is None or found.kind != "d":
            break
        element = found.element
        found = catalog.type_by_oid.get(element)
        name = _BUILT_IN.get(element, "") if found is None else found.name
    return name
