"""The server's messages: matched with what was asked, masked, counted, and passed on.

Everything that depends on the server's state happens here, in the order of its replies: which statement a name stands
for, which portal sends rows, whether a transaction is open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from dbgate.session.postgres.asking import swallow_own, take_world
from dbgate.session.postgres.copying import end_copy_stream, first_failure, note_failure, open_copy_stream
from dbgate.session.postgres.metering import copy_meter, limit_message, passes_rest
from dbgate.session.postgres.naming import effective
from dbgate.session.postgres.registry import Portal, Prepared
from dbgate.session.postgres.results import note_shape, open_query_stream, read_fields
from dbgate.session.postgres.rewriting import failed_check, rewrite_of_piece, told_in_place
from dbgate.session.postgres.scripts import fail_script
from dbgate.session.postgres.state import (
    Asked,
    AskedBind,
    AskedClose,
    AskedColumns,
    AskedDescribe,
    AskedExecute,
    AskedParse,
    AskedPath,
    AskedQuery,
    FatalError,
    Phase,
    Refused,
    State,
    Unpassed,
)
from dbgate.session.postgres.texts import refusal_message, without_data
from dbgate.session.runs import NOT_RUN
from dbgate.session.splice import Splice
from protocols.errors import PeerError
from protocols.postgres import backend
from protocols.postgres.frames import HEADER_SIZE
from protocols.postgres.ledger import Answer, Ask, Entry
from rules.decision import Decision, Rewrite
from rules.tree import CarrierKind

Promised = TypeVar("Promised")
Handler = Callable[[State, Splice, int, int], None]
IDLE: Final = ord("I")
FATAL_SEVERITIES: Final = ("FATAL", "PANIC")


def payload(splice: Splice, start: int, end: int) -> bytes:
    return splice.buffer[start + HEADER_SIZE : end]


def swallow(entry: Entry[Asked], splice: Splice, start: int, end: int) -> None:
    if entry.answer is Answer.SWALLOW:
        splice.replace(start, end)


# ---------------------------------------------------------------- the extended protocol's acknowledgements


def on_parse_complete(state: State, splice: Splice, start: int, end: int) -> None:
    entry, _ = state.ledger.step(ord("1"))
    if swallow_own(state, entry, splice, start, end):
        return
    swallow(entry, splice, start, end)
    asked = as_promised(entry, AskedParse)
    state.names.statements[asked.name] = asked.prepared


def on_bind_complete(state: State, splice: Splice, start: int, end: int) -> None:
    entry, _ = state.ledger.step(ord("2"))
    if swallow_own(state, entry, splice, start, end):
        return
    swallow(entry, splice, start, end)
    asked = as_promised(entry, AskedBind)
    prepared = state.names.statements.get(asked.statement)
    if prepared is None and state.watched:
        raise FatalError("XX000", f'dbgate: the server knows a statement "{asked.statement}" that the gate never saw')
    own = None if prepared is None else Portal(replace(prepared, known=None, looked_at=None), asked.formats)
    state.names.bind(asked.portal, own)


def on_close_complete(state: State, splice: Splice, start: int, end: int) -> None:
    entry, _ = state.ledger.step(ord("3"))
    if swallow_own(state, entry, splice, start, end):
        return
    swallow(entry, splice, start, end)
    asked = as_promised(entry, AskedClose)
    names: dict[str, Prepared] | dict[str, Portal]
    names = state.names.statements if asked.target == ord("S") else state.names.portals
    names.pop(asked.name, None)
    if asked.target == ord("P"):
        state.names.unseen.pop(asked.name, None)


def on_parameter_description(state: State, splice: Splice, start: int, end: int) -> None:
    entry, _ = state.ledger.step(ord("t"))
    swallow(entry, splice, start, end)


def on_no_data(state: State, splice: Splice, start: int, end: int) -> None:
    entry, _ = state.ledger.step(ord("n"))
    if isinstance(entry.subject, AskedDescribe) and entry.subject.of_script:
        splice.replace(start, end)
    else:
        swallow(entry, splice, start, end)


def on_portal_suspended(state: State, splice: Splice, start: int, end: int) -> None:
    entry, _ = state.ledger.step(ord("s"))
    state.finish_run(as_promised(entry, AskedExecute).run, tag="suspended")
    state.stream = None


# ---------------------------------------------------------------- descriptions and rows


def on_row_description(state: State, splice: Splice, start: int, end: int) -> None:
    entry, _ = state.ledger.step(ord("T"))
    swallow(entry, splice, start, end)
    asked = entry.subject
    fields = read_fields(payload(splice, start, end)) if state.watched else ()
    if isinstance(asked, AskedQuery):
        open_query_stream(state, asked, fields)
    elif state.watched and isinstance(asked, AskedDescribe):
        note_shape(state, entry.ask, asked.name, fields)
    elif isinstance(asked, AskedColumns):
        asked.fields = fields


def on_own_row(state: State, splice: Splice, start: int, end: int) -> None:
    """The one row of the gate's own question for the search path."""
    entry = state.ledger.head()
    row = backend.decode(ord("D"), payload(splice, start, end))
    if entry and isinstance(entry.subject, AskedPath) and isinstance(row, backend.DataRow) and row.values:
        entry.subject.answer = str(row.values[0] or b"", "utf-8", "replace")
    splice.replace(start, end)


# ---------------------------------------------------------------- the end of a statement


def on_command_complete(state: State, splice: Splice, start: int, end: int) -> None:
    entry, _ = state.ledger.step(ord("C"))
    swallow(entry, splice, start, end)
    tag = str(splice.buffer[start + HEADER_SIZE : end - 1], "utf-8", "replace")
    state.ledger.stop_copy()
    finish_statement(state, entry.subject, tag)


def on_empty_query(state: State, splice: Splice, start: int, end: int) -> None:
    entry, _ = state.ledger.step(ord("I"))
    finish_statement(state, entry.subject, "")


def finish_statement(state: State, asked: Asked, tag: str) -> None:
    state.stream = None
    if isinstance(asked, AskedQuery):
        running = asked.running
        if running.decision is not None and running.run is not None:
            piece = running.texts[running.at].encode()
            apply_names(state, running.decision, piece, rewrite_of_piece(running.text, piece, running.decision))
            state.finish_run(running.run, tag=tag)
        running.at += 1
    elif isinstance(asked, AskedExecute):
        portal = state.names.portals.get(asked.portal)
        if portal is not None and not portal.prepared.carried:
            apply_names(state, portal.prepared.decision, portal.prepared.text, portal.prepared.sent)
        state.finish_run(asked.run, tag=tag)


def apply_names(state: State, decision: Decision, text: bytes, sent: Rewrite | None) -> None:
    """SQL's PREPARE, DECLARE, DEALLOCATE, CLOSE and DISCARD have worked: the names mean something else now; so have
    FETCH and MOVE, which run a portal that may not have run before."""
    if decision.runs is not None:
        effective(state, decision)
    if decision.defines is not None:
        carrier = decision.defines
        prepared = Prepared(text, decision, state.context, carried=True, sent=sent)
        if carrier.kind is CarrierKind.STATEMENT:
            state.names.statements[carrier.name or ""] = prepared
        else:
            state.names.portals[carrier.name or ""] = Portal(prepared, holdable=carrier.holdable)
    if decision.drops is not None:
        state.names.drop(decision.drops)


def on_copy_in(state: State, splice: Splice, start: int, end: int) -> None:
    state.ledger.step(ord("G"))
    state.ledger.start_copy()
    if state.phase in (Phase.AWAITS_QUIET, Phase.AWAITS_REPLIES, Phase.AWAITS_NAMES, Phase.AWAITS_END):
        state.phase = Phase.OPEN  # the server waits for the client's data


def on_copy_out(state: State, splice: Splice, start: int, end: int) -> None:
    entry, _ = state.ledger.step(ord("H"))
    stream = state.stream = open_copy_stream(state, entry.subject, payload(splice, start, end))
    stream.meter = copy_meter(state, entry.subject)


def on_copy_done(state: State, splice: Splice, start: int, end: int) -> None:
    state.ledger.step(ord("c"))
    stream = state.stream
    if stream is not None and (made := end_copy_stream(stream)) and passes_rest(state, stream, made):
        splice.insert(start, made)
    state.stream = None


def on_ready(state: State, splice: Splice, start: int, end: int) -> None:
    state.status = splice.buffer[end - 1]
    state.stream = None
    if not state.ledger.entries and state.ledger.ready_unasked():
        return
    entry, _ = state.ledger.step(ord("Z"))
    swallow(entry, splice, start, end)
    asked = entry.subject
    if isinstance(asked, AskedQuery):
        for run in asked.running.runs:
            state.finish_run(run, sqlstate=NOT_RUN)
    elif isinstance(asked, AskedPath):
        take_world(state, asked)
    settle(state)


def settle(state: State) -> None:
    """A ReadyForQuery has come: what ended with the transaction, and what ended with the last reply."""
    if state.status == IDLE:
        state.names.end_transaction()
    if not state.ledger.entries:
        state.names.settle()
        if state.status == IDLE:
            state.hidden = False
            state.path_moved = state.path_moved and state.path_dirty
            state.world_moved = state.world_moved and state.world_dirty


# ---------------------------------------------------------------- errors and what comes unasked


def on_error(state: State, splice: Splice, start: int, end: int) -> None:
    told = backend.decode(ord("E"), payload(splice, start, end))
    if not isinstance(told, backend.ErrorResponse):
        raise PeerError("the upstream sent an ErrorResponse that cannot be read")
    entry = state.ledger.head()
    if entry is None or told.get("S") in FATAL_SEVERITIES or told.get("V") in FATAL_SEVERITIES:
        state.farewell = True
        pass_error(state, splice, start, end, told)
        return
    state.stream = None
    sqlstate = told.get("C") or ""
    if entry.answer is Answer.SUBSTITUTE and isinstance(entry.subject, Refused):
        splice.replace(start, end, refusal_message(entry.subject.refusal))
    elif isinstance(entry.subject, AskedPath | AskedColumns) and not entry.subject.in_batch:
        splice.replace(start, end)
        note_failure(entry.subject, told)
    elif isinstance(entry.subject, Unpassed):
        splice.replace(start, end)
    elif (limit := limit_message(state, entry.subject, told)) is not None:
        splice.replace(start, end, limit)
    else:
        sqlstate = pass_error(state, splice, start, end, told, entry.subject)
    fail_head(state, entry, sqlstate)


def pass_error(
    state: State, splice: Splice, start: int, end: int, told: backend.ErrorResponse, asked: Asked = None
) -> str:
    """The SQLSTATE that the client is told."""
    if state.hidden:
        refusal = failed_check(state, asked, told)
        told = told_in_place(state, asked, first_failure(asked, told))
        splice.replace(start, end, refusal_message(refusal) if refusal else without_data(told))
        return refusal.sqlstate if refusal else told.get("C") or ""
    return told.get("C") or ""


def fail_head(state: State, entry: Entry[Asked], sqlstate: str) -> None:
    """A Query's error is followed by its ReadyForQuery; in the extended protocol all up to Sync is skipped."""
    state.ledger.copying = False
    fail_script(state, entry.subject)
    if isinstance(entry.subject, AskedQuery):
        running = entry.subject.running
        if running.run is not None:
            state.finish_run(running.run, sqlstate=sqlstate)
        return
    if entry.ask in (Ask.QUERY, Ask.SYNC):
        return
    for dropped in state.ledger.fail():
        forget(state, dropped, sqlstate if dropped is entry else NOT_RUN)


def forget(state: State, dropped: Entry[Asked], sqlstate: str) -> None:
    asked = dropped.subject
    if isinstance(asked, AskedExecute):
        state.finish_run(asked.run, sqlstate=sqlstate)
    elif isinstance(asked, AskedPath) and asked.in_batch:
        state.phase = Phase.OPEN
    elif isinstance(asked, AskedQuery):
        for run in asked.running.runs:
            state.finish_run(run, sqlstate=sqlstate)


def on_notice(state: State, splice: Splice, start: int, end: int) -> None:
    if not state.hidden:
        return
    told = backend.decode(ord("N"), payload(splice, start, end))
    if isinstance(told, backend.NoticeResponse):
        splice.replace(start, end, without_data(told))


#: Settings that the gate's reading of SQL rests on. The server reports each change of them.
PINNED: Final = {"client_encoding": ("UTF8",), "standard_conforming_strings": ("on",)}


def on_parameter_status(state: State, splice: Splice, start: int, end: int) -> None:
    name, _, value = payload(splice, start, end)[:-1].partition(b"\0")
    setting, told = str(name, "utf-8", "replace"), str(value, "utf-8", "replace")
    allowed = PINNED.get(setting)
    if allowed is not None and told not in allowed:
        raise FatalError("0A000", f"dbgate: {setting} became {told}; the gate reads SQL with {allowed[0]} only")
    if (style := state.style.told(setting, told)) != state.style:
        state.style = style
        state.plans.clear()


def on_notification(state: State, splice: Splice, start: int, end: int) -> None:
    """LISTEN was allowed by a rule; the payload passes."""


def as_promised(entry: Entry[Asked], kind: type[Promised]) -> Promised:
    """The ledger's step table lets no other subject come here, unless a message that must fail did not."""
    if not isinstance(entry.subject, kind):
        raise FatalError("XX000", "dbgate: a message that had to fail did not; the session cannot go on safely")
    return entry.subject


HANDLERS: Final[dict[int, Handler]] = {
    ord("1"): on_parse_complete,
    ord("2"): on_bind_complete,
    ord("3"): on_close_complete,
    ord("t"): on_parameter_description,
    ord("n"): on_no_data,
    ord("s"): on_portal_suspended,
    ord("T"): on_row_description,
    ord("C"): on_command_complete,
    ord("I"): on_empty_query,
    ord("G"): on_copy_in,
    ord("H"): on_copy_out,
    ord("c"): on_copy_done,
    ord("Z"): on_ready,
    ord("E"): on_error,
    ord("N"): on_notice,
    ord("S"): on_parameter_status,
    ord("A"): on_notification,
}
