"""COPY ... TO STDOUT: what is masked is what the text says, and what the server says of the columns where it could be
asked (`columns`). CopyOutResponse (text or binary, how many columns) must be what was decided, or the result ends
before its first row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from dbgate.session.postgres.cells import cell_masker
from dbgate.session.postgres.columns import copied_fields
from dbgate.session.postgres.masking import PASS, Mismatch, RowPlan, ShapeError, agreed_masks
from dbgate.session.postgres.naming import behind_portal
from dbgate.session.postgres.redacted import ISO, TextStyle
from dbgate.session.postgres.results import note_mismatch
from dbgate.session.postgres.state import (
    Asked,
    AskedColumns,
    AskedExecute,
    AskedQuery,
    FatalError,
    State,
    Stream,
)
from dbgate.session.runs import Run
from protocols.postgres import backend
from protocols.postgres.copy_binary import BinaryRows
from protocols.postgres.copy_csv import CsvOptions, CsvRows
from protocols.postgres.copy_stream import COPY_DATA, CopyRewriter, Maskers, RowFormat
from protocols.postgres.copy_text import TextOptions, TextRows
from protocols.postgres.rows import Constant
from rules.copy_format import CopyOut
from rules.decision import Decision, Mask
from rules.policy import PolicyContext

BINARY: Final = "binary"
IN_FAILED_TRANSACTION: Final = "25P02"


def open_copy_stream(state: State, asked: Asked, data: bytes) -> Stream:
    """`data`: the payload of CopyOutResponse. Raises FatalError when what comes may not pass."""
    told = backend.decode(ord("H"), data)
    run, decision, text = _running(state, asked)
    if run is None or not isinstance(told, backend.CopyOutResponse):
        raise FatalError("42501", "dbgate stopped a COPY that was not decided")
    if not state.watched:
        return Stream(PASS, run, COPY_DATA)
    try:
        agreed = agree(told, decision, _columns(asked), state.context, state.style)
    except ShapeError as problem:
        note_mismatch(state, run, text, Mismatch("", str(problem)), "aborted")
        raise FatalError("42501", "dbgate stopped this COPY before its first row", str(problem)) from None
    for mismatch in agreed.mismatches:
        note_mismatch(state, run, text, mismatch, "masked")
    if agreed.rows is None:
        return Stream(PASS, run, COPY_DATA)
    copy = CopyRewriter(agreed.rows, state.limits.upstream_message)
    return Stream(RowPlan(copy.rewrite), run, COPY_DATA, copy)


def _running(state: State, asked: Asked) -> tuple[Run | None, Decision | None, str]:
    """What the server is at, as it stands now."""
    if isinstance(asked, AskedQuery):
        running = asked.running
        return running.run, running.decision, running.texts[running.at] if running.run is not None else ""
    portal = state.names.portals.get(asked.portal) if isinstance(asked, AskedExecute) else None
    if portal is None or not isinstance(asked, AskedExecute):
        return None, None, ""
    return asked.run, behind_portal(state, portal), str(portal.prepared.text, "utf-8", "replace")


def _columns(asked: Asked) -> AskedColumns | None:
    return asked.columns if isinstance(asked, AskedQuery | AskedExecute) else None


@dataclass(frozen=True, slots=True)
class Agreed:
    """`rows`: what masks the rows; None when they pass as they are."""

    rows: RowFormat | None = None
    mismatches: tuple[Mismatch, ...] = ()


def agree(
    told: backend.CopyOutResponse,
    decision: Decision | None,
    columns: AskedColumns | None,
    context: PolicyContext,
    style: TextStyle = ISO,
) -> Agreed:
    """Raises ShapeError when the rows must not pass."""
    if decision is None or decision.refusal is not None or decision.kind != "copy_out" or decision.width is None:
        raise ShapeError("the server sends a COPY that was not decided")
    width, plan = len(told.column_formats), decision.copy
    if width != decision.width:
        raise ShapeError(f"the server copies {width} columns where {decision.width} were decided")
    if plan is None and decision.masks is None:
        return Agreed()
    if plan is None or len(plan.types) != width:
        raise ShapeError("the columns of this COPY have changed since it was decided")
    masks, types, mismatches = _witnessed(decision, plan, columns, context)
    if not masks:
        return Agreed()
    code = int(plan.format.name == BINARY)
    if plan.format.problem or told.format != code or any(each != code for each in told.column_formats):
        raise ShapeError("the server copies in another format than was decided")
    maskers: Maskers = {
        number: cell_masker(mask, types[number], code, context, style) if types[number] else Constant(None)
        for number, mask in masks.items()
    }
    return Agreed(_row_format(width, maskers, plan), mismatches)


def _witnessed(
    decision: Decision, plan: CopyOut, columns: AskedColumns | None, context: PolicyContext
) -> tuple[dict[int, Mask], tuple[int, ...], tuple[Mismatch, ...]]:
    """(masks by column, type OIDs, surprises): of both witnesses, or of the text alone."""
    fields = copied_fields(columns, plan.format, context.catalog)
    if fields is None:
        planned = enumerate(decision.masks or ())
        return {number: mask for number, mask in planned if mask is not None}, plan.types, ()
    if len(fields) != len(plan.types):
        raise ShapeError(f"the server describes {len(fields)} columns where {len(plan.types)} were decided")
    masks, mismatches = agreed_masks(fields, decision, context)
    return masks, tuple(field.type_oid for field in fields), mismatches


def _row_format(width: int, maskers: Maskers, plan: CopyOut) -> RowFormat:
    written = plan.format
    delimiter, null = written.delimiter.encode(), written.null.encode()
    if written.name == BINARY:
        return BinaryRows(width, maskers)
    if written.name == "text":
        return TextRows(width, maskers, TextOptions(delimiter, null, written.header))
    quote, escape, forced = written.quote.encode(), written.escape.encode(), frozenset(plan.force_quote)
    return CsvRows(width, maskers, CsvOptions(delimiter, null, quote, escape, written.header, forced))


def end_copy_stream(stream: Stream) -> bytes:
    """CopyDone: what has waited for the end of a row. Raises PeerError when the rows have no end."""
    if stream.copy is None:
        return b""
    made, _, rows, cells = stream.copy.finish()
    run = stream.run
    run.rows, run.bytes, run.masked_cells = run.rows + rows, run.bytes + len(made), run.masked_cells + cells
    return made


# ---------------------------------------------------------------- the question's own failure


def note_failure(asked: Asked, told: backend.ErrorResponse) -> None:
    """The question for the columns has failed by itself; positions in it mean nothing to the client."""
    if isinstance(asked, AskedColumns):
        asked.failed = backend.ErrorResponse(tuple(field for field in told.fields if field[0] != "P"))


def first_failure(asked: Asked, told: backend.ErrorResponse) -> backend.ErrorResponse:
    """Within a transaction the COPY then fails because the question did: the client is told the question's error."""
    columns = _columns(asked)
    failed = columns.failed if columns is not None else None
    return failed if failed is not None and told.get("C") == IN_FAILED_TRANSACTION else told
