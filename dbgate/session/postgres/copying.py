"""COPY ... TO STDOUT: the plan alone says what is masked, since the server does not tell where a COPY's columns come
from. What CopyOutResponse does tell (text or binary, how many columns) must be what was decided, or the result ends
before its first row.
"""

from __future__ import annotations

from typing import Final

from dbgate.session.postgres.cells import cell_masker
from dbgate.session.postgres.masking import PASS, Mismatch, RowPlan, ShapeError
from dbgate.session.postgres.naming import behind_portal
from dbgate.session.postgres.results import note_mismatch
from dbgate.session.postgres.runs import Run
from dbgate.session.postgres.state import Asked, AskedExecute, AskedQuery, FatalError, State, Stream
from protocols.postgres import backend
from protocols.postgres.copy_binary import BinaryRows
from protocols.postgres.copy_csv import CsvOptions, CsvRows
from protocols.postgres.copy_stream import COPY_DATA, CopyRewriter, Maskers, RowFormat
from protocols.postgres.copy_text import TextOptions, TextRows
from protocols.postgres.rows import Constant
from rules.copy_format import CopyOut
from rules.decision import Decision
from rules.policy import PolicyContext

BINARY: Final = "binary"


def open_copy_stream(state: State, asked: Asked, data: bytes) -> Stream:
    """`data`: the payload of CopyOutResponse. Raises FatalError when what comes may not pass."""
    told = backend.decode(ord("H"), data)
    run, decision, text = _running(state, asked)
    if run is None or not isinstance(told, backend.CopyOutResponse):
        raise FatalError("42501", "dbgate stopped a COPY that was not decided")
    if not state.watched:
        return Stream(PASS, run, COPY_DATA)
    try:
        copy = copy_rewriter(told, decision, state.context, state.limits.upstream_message)
    except ShapeError as problem:
        note_mismatch(state, run, text, Mismatch("", str(problem)), "aborted")
        raise FatalError("42501", "dbgate stopped this COPY before its first row", str(problem)) from None
    return Stream(PASS if copy is None else RowPlan(copy.rewrite), run, COPY_DATA, copy)


def _running(state: State, asked: Asked) -> tuple[Run | None, Decision | None, str]:
    """What the server is at, as it stands now."""
    if isinstance(asked, AskedQuery):
        running = asked.running
        return running.run, running.decision, running.texts[running.at] if running.run is not None else ""
    portal = state.names.portals.get(asked.portal) if isinstance(asked, AskedExecute) else None
    if portal is None or not isinstance(asked, AskedExecute):
        return None, None, ""
    return asked.run, behind_portal(state, portal), str(portal.prepared.text, "utf-8", "replace")


def copy_rewriter(
    told: backend.CopyOutResponse, decision: Decision | None, context: PolicyContext, limit: int
) -> CopyRewriter | None:
    """What masks the rows; None: they pass as they are. Raises ShapeError when they must not pass."""
    if decision is None or decision.refusal is not None or decision.kind != "copy_out" or decision.width is None:
        raise ShapeError("the server sends a COPY that was not decided")
    if len(told.column_formats) != decision.width:
        raise ShapeError(f"the server copies {len(told.column_formats)} columns where {decision.width} were decided")
    if decision.masks is None:
        return None
    plan = decision.copy
    if plan is None or len(plan.types) != decision.width or plan.format.problem:
        raise ShapeError("the columns of this COPY have changed since it was decided")
    code = int(plan.format.name == BINARY)
    if told.format != code or any(each != code for each in told.column_formats):
        raise ShapeError("the server copies in another format than was decided")
    maskers: Maskers = {
        number: cell_masker(mask, plan.types[number], code, context) if plan.types[number] else Constant(None)
        for number, mask in enumerate(decision.masks)
        if mask is not None
    }
    return CopyRewriter(_row_format(decision.width, maskers, plan), limit)


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
