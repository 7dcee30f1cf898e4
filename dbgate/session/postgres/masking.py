"""From a plan and a RowDescription to the function that masks rows.

Two witnesses must agree before a value passes: the plan (what the statement's text says each output column is made of)
and the server (each output column's table OID and attribute number in RowDescription). Where the server names a masked
origin that the plan left open, the column is masked all the same and reported; where it names a forbidden one, or the
number of columns differs, the result is aborted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from protocols.postgres import oids, values
from protocols.postgres.backend import FieldDescription
from protocols.postgres.rows import CellMasker, Constant, RowRewriter, compile_rewriter
from rules.catalog import Catalog
from rules.decision import Decision, Mask, MaskKind
from rules.masks import hash_bytes, hash_integer, hash_uuid, mask_json, mask_text
from rules.policy import PolicyContext

BINARY = 1
JSONB_VERSION = b"\x01"


class ShapeError(Exception):
    """The rows may not pass: what the server returns is not what was decided. The text is for the client."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A column whose origin the plan had not foreseen: its name and its origin as `schema.table.column`."""

    column: str
    origin: str


@dataclass(frozen=True, slots=True)
class RowPlan:
    """`rewriter` None: the rows pass as they are."""

    rewriter: RowRewriter | None = None
    mismatches: tuple[Mismatch, ...] = ()


PASS = RowPlan()
#: Kinds whose rows may have no plan: they were decided as showing no table's data, or have their own columns.
ROWS_WITHOUT_PLAN = frozenset({"select", "show", "explain", "call"})


def plan_rows(
    fields: Sequence[FieldDescription], formats: Sequence[int], decision: Decision, context: PolicyContext
) -> RowPlan:
    """Raises ShapeError when the result must not pass. `formats`: one code for each field."""
    if decision.width is not None and decision.width != len(fields):
        raise ShapeError(f"the server returns {len(fields)} columns where {decision.width} were decided")
    if decision.width is None and decision.kind not in ROWS_WITHOUT_PLAN:
        raise ShapeError("the server returns rows for a statement that has none, as a rule of the table can make it do")
    planned = decision.masks or (None,) * len(fields)
    masks: dict[int, Mask] = {}
    mismatches = []
    for number, described in enumerate(fields):
        refuse_forbidden(described, context)
        mask = planned[number]
        if mask is None and (mask := origin_mask(described, context)) is not None:
            mismatches.append(Mismatch(described.name, origin_name(described, context.catalog)))
        if mask is not None:
            masks[number] = mask
    if not masks:
        return PASS
    cells = {n: cell_masker(mask, fields[n].type_oid, formats[n], context) for n, mask in masks.items()}
    return RowPlan(compile_rewriter(len(fields), cells), tuple(mismatches))


def refuse_forbidden(described: FieldDescription, context: PolicyContext) -> None:
    rule = context.origin_denied(described.table_oid, described.attribute_number) if described.table_oid else None
    if rule:
        raise ShapeError(f'column "{described.name}" comes from a table or column that rule "{rule}" denies')


def origin_mask(described: FieldDescription, context: PolicyContext) -> Mask | None:
    if not described.table_oid:
        return None
    return context.origin_mask(described.table_oid, described.attribute_number)


def origin_name(described: FieldDescription, catalog: Catalog) -> str:
    relation = catalog.by_oid.get(described.table_oid)
    if relation is None:
        return f"oid {described.table_oid} column {described.attribute_number}"
    column = next((c.name for c in relation.columns if c.number == described.attribute_number), "?")
    return f"{relation.schema}.{relation.name}.{column}"


# ---------------------------------------------------------------- one cell


def cell_masker(mask: Mask, type_oid: int, wire_format: int, context: PolicyContext) -> CellMasker | Constant:
    """What a mask does to one column's values in one wire format. What a mask cannot do for a type it redacts."""
    if mask.kind is MaskKind.NULL:
        return Constant(None)
    make = _maker(mask, type_oid, context.catalog)
    if mask.kind is MaskKind.REDACT or make is None:
        return Constant(values.placeholder(type_oid, wire_format))
    return make(mask, type_oid, wire_format, context.policy.mask_key or b"")


Maker = Callable[[Mask, int, int, bytes], CellMasker]


def _maker(mask: Mask, type_oid: int, catalog: Catalog) -> Maker | None:
    if type_oid in (oids.JSON, oids.JSONB):
        return _json
    if values.is_text_like(type_oid) or _is_user_text(type_oid, catalog):
        return _text
    return _HASHES.get(type_oid) if mask.kind is MaskKind.HASH else None


def _is_user_text(type_oid: int, catalog: Catalog) -> bool:
    """Base types of an extension that call themselves strings, as citext; their wire form is text in both formats."""
    found = catalog.type_by_oid.get(type_oid)
    return found is not None and found.kind == "b" and found.category == "S" and found.name == "citext"


def _text(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    """Most cells are short ASCII, where a character is a byte; the others are masked as text."""
    short = _ON_BYTES.get(mask.kind)

    def any_text(cell: bytes) -> bytes:
        return mask_text(mask, str(cell, "utf-8", "replace"), key).encode()

    return short(mask.keep, any_text) if short else any_text


def _keep_last(keep: int, any_text: CellMasker) -> CellMasker:
    def masked(cell: bytes) -> bytes | None:
        hidden = len(cell) - keep
        return STARS[hidden] + cell[hidden:] if 0 < hidden < LONGEST_STARS and cell.isascii() else any_text(cell)

    return masked


def _keep_first(keep: int, any_text: CellMasker) -> CellMasker:
    def masked(cell: bytes) -> bytes | None:
        hidden = len(cell) - keep
        return cell[:keep] + STARS[hidden] if 0 < hidden < LONGEST_STARS and cell.isascii() else any_text(cell)

    return masked


def _email(keep: int, any_text: CellMasker) -> CellMasker:
    def masked(cell: bytes) -> bytes | None:
        local, at, domain = cell.rpartition(b"@")
        if not at or not cell.isascii():
            return any_text(cell)
        return (local[:1] if len(local) > 1 else b"") + b"***@" + domain

    return masked


LONGEST_STARS: Final = 256
STARS: Final = tuple(b"*" * length for length in range(LONGEST_STARS))
_ON_BYTES: Final[dict[MaskKind, Callable[[int, CellMasker], CellMasker]]] = {
    MaskKind.KEEP_LAST: _keep_last,
    MaskKind.KEEP_FIRST: _keep_first,
    MaskKind.EMAIL: _email,
}


def _json(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    """The masked text of the document as a JSON string, which every reader of JSON can read."""
    prefix = JSONB_VERSION if wire_format == BINARY and type_oid == oids.JSONB else b""

    def masked(cell: bytes) -> bytes:
        document = str(cell[len(prefix) :], "utf-8", "replace")
        return prefix + mask_json(mask, document, key).encode()

    return masked


def _hash_uuid(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    def masked(cell: bytes) -> bytes:
        plain = UUID(bytes=cell) if wire_format == BINARY else UUID(str(cell, "ascii"))
        hidden = UUID(bytes=hash_uuid(key, str(plain).encode()))
        return hidden.bytes if wire_format == BINARY else str(hidden).encode()

    return masked


def _hash_bytea(mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    """Hashed by the hex text form, so that both formats of a value give the same; bytea's old escape output is hashed
    as it stands."""

    def masked(cell: bytes) -> bytes:
        hidden = hash_bytes(key, b"\\x" + cell.hex().encode() if wire_format == BINARY else cell)
        return hidden if wire_format == BINARY else b"\\x" + hidden.hex().encode()

    return masked


def _hash_integer(width: int, mask: Mask, type_oid: int, wire_format: int, key: bytes) -> CellMasker:
    def masked(cell: bytes) -> bytes:
        number = int.from_bytes(cell, "big", signed=True) if wire_format == BINARY else int(cell)
        hidden = hash_integer(key, str(number).encode(), width)
        return values.integer_to_wire(hidden, type_oid, wire_format)

    return masked


_HASHES: dict[int, Maker] = {
    oids.UUID: _hash_uuid,
    oids.BYTEA: _hash_bytea,
    oids.INT2: partial(_hash_integer, 2),
    oids.INT4: partial(_hash_integer, 4),
    oids.INT8: partial(_hash_integer, 8),
}
