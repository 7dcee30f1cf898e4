"""Results: which decision the rows that come in follow, and the plan that masks them.

The rows of a Query follow the statement that the server is at; those of an Execute follow the portal, whose shape was
learnt when its statement was prepared; those of FETCH and EXECUTE follow the statement behind the name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dbgate.session.postgres.masking import PASS, Mismatch, RowPlan, ShapeError, plan_rows
from dbgate.session.postgres.metering import meter_of
from dbgate.session.postgres.naming import behind_portal, effective
from dbgate.session.postgres.state import AskedExecute, AskedPath, AskedQuery, FatalError, State, Stream
from dbgate.session.runs import Run
from protocols.errors import PeerError
from protocols.postgres import backend
from protocols.postgres.backend import FieldDescription
from protocols.postgres.frontend import column_formats
from protocols.postgres.ledger import Ask
from rules.decision import Decision

MAX_PLANS: Final = 512  # plans kept by one session


def read_fields(data: bytes) -> tuple[FieldDescription, ...]:
    described = backend.decode(ord("T"), data)
    return described.fields if isinstance(described, backend.RowDescription) else ()


def note_shape(state: State, ask: Ask, name: str, fields: tuple[FieldDescription, ...]) -> None:
    if ask is Ask.DESCRIBE_STATEMENT:
        prepared = state.names.statements.get(name)
    else:
        portal = state.names.portals.get(name)
        prepared = portal.prepared if portal else None
    if prepared is not None:
        prepared.shape = fields


def open_query_stream(state: State, asked: AskedQuery, fields: tuple[FieldDescription, ...]) -> None:
    """Rows of a simple query: formats are in the description (binary only for FETCH from a binary cursor)."""
    running = asked.running
    if running.decision is None or running.run is None:
        raise PeerError("the upstream returned rows for more statements than the query holds")
    plan = PASS
    if state.watched:
        formats = tuple(f.format for f in fields)
        behind = effective(state, running.decision)
        plan = plan_for(state, fields, formats, behind, running.run, running.texts[running.at])
    state.stream = Stream(plan, running.run, meter=meter_of(state, running.run, running.decision, None, len(fields)))


def open_portal_stream(state: State, asked: AskedExecute) -> Stream:
    """Rows of an Execute: what they look like was learnt when the statement was prepared."""
    plan, portal = PASS, state.names.portals.get(asked.portal)
    if state.watched:
        if portal is None or portal.prepared.shape is None:
            raise FatalError("XX000", "dbgate: the server returns rows whose description the gate has not seen")
        shape = portal.prepared.shape
        formats = column_formats(portal.formats, len(shape))
        text = str(portal.prepared.text, "utf-8", "replace")
        plan = plan_for(state, shape, formats, behind_portal(state, portal), asked.run, text)
    decision = None if portal is None else portal.prepared.decision
    state.stream = Stream(plan, asked.run, meter=meter_of(state, asked.run, decision, asked.portal, 1))
    return state.stream


def plan_for(
    state: State,
    fields: tuple[FieldDescription, ...],
    formats: Sequence[int],
    behind: Decision | None,
    run: Run,
    text: str,
) -> RowPlan:
    """The plan for these rows, made once for each shape. `behind`: the decision that they follow."""
    if behind is None or behind.refusal is not None:
        raise FatalError(
            "XX000", "dbgate: the server returns rows of a cursor or prepared statement that may not be read"
        )
    key = (fields, tuple(formats), behind.masks, behind.width)
    plan = state.plans.get(key)
    if plan is None:
        try:
            plan = plan_rows(fields, formats, behind, state.context, state.style)
        except ShapeError as problem:
            note_mismatch(state, run, text, Mismatch("", str(problem)), "aborted")
            raise FatalError("42501", "dbgate stopped this result before its first row", str(problem)) from None
        if len(state.plans) >= MAX_PLANS:
            state.plans.clear()
        state.plans[key] = plan
    for mismatch in plan.mismatches:
        note_mismatch(state, run, text, mismatch, "masked")
    return plan


def note_mismatch(state: State, run: Run, text: str, mismatch: Mismatch, action: str) -> None:
    state.events.append(state.book.mismatch(run, text, mismatch.column, mismatch.origin, action))


def current_stream(state: State, kind: int) -> Stream | None:
    """The result that a DataRow or CopyData belongs to; None for an answer to the gate's own question."""
    entry, _ = state.ledger.step(kind)
    asked = entry.subject
    if isinstance(asked, AskedPath):
        return None
    if state.stream is not None:
        if state.stream.kind != kind:
            raise PeerError("the upstream mixed rows and COPY data")
        return state.stream
    if isinstance(asked, AskedExecute):
        return open_portal_stream(state, asked)
    raise PeerError("the upstream sent a row before its RowDescription")
