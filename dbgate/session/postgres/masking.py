"""From a plan and a RowDescription to the function that masks rows.

Two witnesses must agree before a value passes: the plan (what the statement's text says each output column is made of)
and the server (each output column's table OID and attribute number in RowDescription). Where the server names a masked
origin that the plan left open, the column is masked all the same and reported; where it names a forbidden one, or the
number of columns differs, the result is aborted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dbgate.session.postgres.cells import cell_masker
from dbgate.session.postgres.redacted import ISO, TextStyle
from protocols.postgres.backend import FieldDescription
from protocols.postgres.rows import RowRewriter, compile_rewriter
from rules.catalog import Catalog
from rules.decision import Decision, Mask
from rules.policy import PolicyContext


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
    fields: Sequence[FieldDescription],
    formats: Sequence[int],
    decision: Decision,
    context: PolicyContext,
    style: TextStyle = ISO,
) -> RowPlan:
    """Raises ShapeError when the result must not pass. `formats`: one code for each field."""
    if decision.width is not None and decision.width != len(fields):
        raise ShapeError(f"the server returns {len(fields)} columns where {decision.width} were decided")
    if decision.width is None and decision.kind not in ROWS_WITHOUT_PLAN:
        raise ShapeError("the server returns rows for a statement that has none, as a rule of the table can make it do")
    masks, mismatches = agreed_masks(fields, decision, context)
    if not masks:
        return PASS
    cells = {n: cell_masker(mask, fields[n].type_oid, formats[n], context, style) for n, mask in masks.items()}
    return RowPlan(compile_rewriter(len(fields), cells), mismatches)


def agreed_masks(
    fields: Sequence[FieldDescription], decision: Decision, context: PolicyContext
) -> tuple[dict[int, Mask], tuple[Mismatch, ...]]:
    """The masks by column, of both witnesses. Raises ShapeError for a column that no rule lets pass."""
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
    return masks, tuple(mismatches)


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
