"""The steady state: one statement that was decided before, sent alone, answered at once.

Most traffic is a client that sends a statement it has sent before and waits for its reply. Then nothing is outstanding,
nothing can overtake anything, and the ledger has nothing to decide. This module handles such an exchange in one step
each way; the bytes are not changed. The moment anything else comes (an error, a second message, a reply in pieces, a
notice) `give_up` enters what was sent in the ledger, as if it had gone the general way from the start, and the general
way goes on: before the whole reply has been seen and found plain, nothing has been noted that would have to be undone.

    client     Query                                                     of a known text
               Bind "", [Describe ""], Execute "", Sync                  of a known statement
               Parse "", Bind "", [Describe ""], Execute "", Sync        of a known text
    upstream   [ParseComplete] [BindComplete] [RowDescription | NoData] DataRow* CommandComplete ReadyForQuery

A decision is plain when it lets the rows pass and changes nothing that the session keeps: no masks, no names, no
settings, no structure, nothing hidden. The witness is asked here too: each RowDescription is found harmless first.
"""

from __future__ import annotations

from typing import Final

from dbgate.session.postgres.masking import PASS, ShapeError, plan_rows
from dbgate.session.postgres.memory import LONGEST_TEXT, Form, Known, Pending
from dbgate.session.postgres.metering import fits_whole, goes_alone, note_started
from dbgate.session.postgres.naming import note_sent
from dbgate.session.postgres.registry import Portal, Prepared
from dbgate.session.postgres.results import read_fields
from dbgate.session.postgres.state import AskedBind, AskedDescribe, AskedExecute, AskedParse, AskedQuery, Phase, State
from dbgate.session.runs import Running
from protocols.errors import PeerError
from protocols.postgres import backend, frontend
from protocols.postgres.frames import HEADER, HEADER_SIZE
from protocols.postgres.ledger import Answer, Ask
from protocols.postgres.rows import count_rows
from rules.decision import Decision, Verdict
from rules.tree import CarrierKind

IDLE: Final = ord("I")
#: Kinds whose statements may be plain. BEGIN and its like are while no search path has moved in the transaction.
PLAIN_KINDS: Final = frozenset({"select", "insert", "update", "delete", "merge", "transaction", "show", "explain"})

_RUN: Final = frontend.Execute("").encode() + frontend.Sync().encode()
_DESCRIBE_AND_RUN: Final = frontend.Describe(frontend.Target.PORTAL, "").encode() + _RUN
_PARSED: Final = backend.ParseComplete().encode()
_BOUND: Final = backend.BindComplete().encode()
_NO_DATA: Final = backend.NoData().encode()
_READY: Final = b"Z\0\0\0\5"
_ROW_DESCRIPTION, _COMMAND_COMPLETE = ord("T"), ord("C")


# ---------------------------------------------------------------- learning


def is_plain(decision: Decision) -> bool:
    """It lets the rows pass as they come and changes nothing that the session keeps."""
    return (
        decision.verdict is Verdict.ALLOW
        and decision.kind in PLAIN_KINDS
        and decision.masks is None
        and not (decision.hides or decision.changes_catalog or decision.calls_user)
        and not (decision.settings or decision.missing or decision.rewrite)
        and decision.runs is decision.defines is decision.drops is None
    )


def learn(state: State, text: bytes, sql: str, decision: Decision) -> Known | None:
    """Remember a statement that has just gone the general way, if it is plain."""
    if state.path_dirty or state.catalog_dirty or not is_plain(decision):
        return None
    known = Known(sql, decision, state.context, state.book.template(sql, decision))
    state.memory.keep(text, known)
    return known


def known_text(state: State, text: bytes) -> Known | None:
    """What this session has learnt, or what another session of the same context has had decided."""
    known = state.memory.texts.get(text)
    if known is not None or len(text) > LONGEST_TEXT or not state.context.knows(text):
        return known
    decisions = state.context.decide(text)
    sql = str(text, "utf-8", "replace").strip()
    return learn(state, text, sql, decisions[0]) if len(decisions) == 1 else None


# ---------------------------------------------------------------- sending


def at_rest(state: State) -> bool:
    """Nothing is outstanding, open or in doubt."""
    ledger = state.ledger
    return (
        state.phase is Phase.OPEN
        and not ledger.entries
        and not (ledger.skipping or ledger.copying or ledger.open_batch)
        and not (state.path_dirty or state.path_moved or state.catalog_dirty or state.answers)
    )


def send(state: State, data: bytes) -> bool:
    """Are these bytes one known statement? Then it is recorded, and they may go as they are."""
    reader = _READERS.get(data[0]) if len(data) > HEADER_SIZE else None
    pending = reader(state, data) if reader is not None and at_rest(state) else None
    state.memory.pending = pending
    return pending is not None


def _query(state: State, data: bytes) -> Pending | None:
    if HEADER.unpack_from(data)[1] + 1 != len(data) or data[-1]:
        return None
    known = known_text(state, data[HEADER_SIZE:-1])
    return _start(state, known, Form.QUERY, data, 0) if known is not None else None


def _bind(state: State, data: bytes) -> Pending | None:
    end, described = _run_follows(data)
    if not end or HEADER.unpack_from(data)[1] + 1 != end or data[HEADER_SIZE]:
        return None
    name_end = data.find(b"\0", HEADER_SIZE + 1, end)
    try:
        name = data[HEADER_SIZE + 1 : name_end].decode()
    except UnicodeDecodeError:
        return None
    prepared = state.names.statements.get(name)
    known = prepared.known if prepared is not None else None
    if prepared is None or known is None or known.context is not state.context:
        return None
    if state.watched and not (described or _known_shape(state, prepared)):
        return None
    return _start(
        state, known, Form.BOUND, data, frontend.read_bind_parameter_count(data, name_end + 1, end), name, described
    )


def _parse(state: State, data: bytes) -> Pending | None:
    """For watched roles the general way asks for the statement's own description after each Parse."""
    end, described = _run_follows(data)
    parse_end = HEADER.unpack_from(data)[1] + 1
    if not end or state.watched or data[HEADER_SIZE] or end - parse_end < HEADER_SIZE + 2:
        return None
    kind, length = HEADER.unpack_from(data, parse_end)
    unnamed = data[parse_end + HEADER_SIZE : parse_end + HEADER_SIZE + 2] == b"\0\0"
    if kind != ord("B") or parse_end + 1 + length != end or not unnamed:
        return None
    known = known_text(state, data[HEADER_SIZE + 1 : data.find(b"\0", HEADER_SIZE + 1, parse_end)])
    if known is None:
        return None
    return _start(
        state,
        known,
        Form.PARSED,
        data,
        frontend.read_bind_parameter_count(data, parse_end + HEADER_SIZE + 2, end),
        "",
        described,
    )


_READERS: Final = {ord("Q"): _query, ord("B"): _bind, ord("P"): _parse}


def _run_follows(data: bytes) -> tuple[int, bool]:
    """Where the rest begins that runs the unnamed portal, and whether it describes it first; 0 when none does."""
    if data.endswith(_DESCRIBE_AND_RUN):
        return len(data) - len(_DESCRIBE_AND_RUN), True
    return (len(data) - len(_RUN), False) if data.endswith(_RUN) else (0, False)


def _known_shape(state: State, prepared: Prepared) -> bool:
    """Rows will come undescribed: was the statement's own description harmless?"""
    if prepared.shape is not None and prepared.looked_at is not prepared.known:
        payload = backend.RowDescription(prepared.shape).encode()[HEADER_SIZE:]
        prepared.looked_at = prepared.known if _harmless(state, payload, prepared.decision) else None
    return prepared.looked_at is prepared.known


def _start(
    state: State, known: Known, form: Form, data: bytes, parameters: int, name: str = "", described: bool = False
) -> Pending | None:
    if state.limiter is not None and not goes_alone(state, known.decision):
        return None
    run = state.book.start_again(state.now)
    state.events.append(known.make(statement_id=run.id, parameters=parameters))
    return Pending(known, run, form, data, name, described)


# ---------------------------------------------------------------- the reply


def receive(state: State, pending: Pending, data: bytes) -> bool:
    """Is this the whole plain reply? Then all of it is noted, and the bytes may go as they are."""
    end = len(data) - HEADER_SIZE - 1
    position = _acknowledged(pending, data)
    if position < 0 or not data.startswith(_READY, end) or pending.known.context is not state.context:
        return False
    position = _described(state, pending, data, position)
    if position < 0:
        return False
    try:
        reached, rows = count_rows(data, position)
    except PeerError:
        return False
    if end - reached < HEADER_SIZE:
        return False
    kind, length = HEADER.unpack_from(data, reached)
    if kind != _COMMAND_COMPLETE or reached + 1 + length != end:
        return False
    run = pending.run
    if state.limiter is not None and not fits_whole(state, run, pending.known.decision, rows, reached - position):
        return False
    run.rows, run.bytes = rows, reached - position
    _finish(state, pending, str(data[reached + HEADER_SIZE : end - 1], "utf-8", "replace"), data[-1])
    return True


def _acknowledged(pending: Pending, data: bytes) -> int:
    """The position behind ParseComplete and BindComplete, as far as they are due; -1 when they are not there."""
    due = _DUE[pending.form]
    return len(due) if data.startswith(due) else -1


_DUE: Final = {Form.QUERY: b"", Form.BOUND: _BOUND, Form.PARSED: _PARSED + _BOUND}


def _described(state: State, pending: Pending, data: bytes, position: int) -> int:
    """The position behind RowDescription or NoData; -1 when it is not what was asked for, or not harmless."""
    asked = pending.described or pending.form is Form.QUERY
    if not asked or len(data) - position < HEADER_SIZE:
        return position
    kind, length = HEADER.unpack_from(data, position)
    if kind == _ROW_DESCRIPTION:
        end = position + 1 + length
        harmless = not state.watched or _harmless(state, data[position + HEADER_SIZE : end], pending.known.decision)
        return end if harmless else -1
    if pending.described:
        return position + len(_NO_DATA) if data.startswith(_NO_DATA, position) else -1
    return position


def _harmless(state: State, payload: bytes, decision: Decision) -> bool:
    """Does the witness see nothing masked or forbidden in these columns, and as many as were decided?"""
    key = (payload, decision.width)
    if key in state.memory.shapes:
        return True
    try:
        fields = read_fields(payload)
        plan = plan_rows(fields, (0,) * len(fields), decision, state.context)
    except (PeerError, ShapeError):
        return False
    if plan is PASS:
        state.memory.shapes.add(key)
    return plan is PASS


def _finish(state: State, pending: Pending, tag: str, status: int) -> None:
    state.memory.pending = None
    state.finish_run(pending.run, tag=tag)
    if pending.form is Form.PARSED:
        state.names.statements[""] = _prepared(state, pending)
    if status != IDLE and pending.form is not Form.QUERY:
        state.names.portals[""] = Portal(_prepared(state, pending))
    state.status = status
    if status == IDLE:
        state.names.end_transaction()
        state.hidden = False


def _prepared(state: State, pending: Pending) -> Prepared:
    """A portal's own statement, or what a Parse has just made."""
    if pending.form is Form.BOUND:
        found = state.names.statements[pending.name]
        return Prepared(found.text, found.decision, found.context, found.shape, known=found.known)
    known = pending.known
    return Prepared(known.text.encode(), known.decision, known.context, known=known)


# ---------------------------------------------------------------- the general way after all


def give_up(state: State) -> None:
    """Enter what is pending in the ledger, as the general way would have done."""
    pending = state.memory.pending
    if pending is None:
        return
    state.memory.pending = None
    known, expect = pending.known, state.ledger.expect
    note_started(state, (known.decision,), [pending.run])
    if pending.form is Form.QUERY:
        expect(Ask.QUERY, Answer.FORWARD, AskedQuery(Running((known.decision,), [pending.run], [known.text])))
        return
    prepared = _prepared(state, pending)
    if pending.form is Form.PARSED:
        note_sent(state, CarrierKind.STATEMENT, "", prepared)
        expect(Ask.PARSE, Answer.FORWARD, AskedParse("", prepared))
    note_sent(state, CarrierKind.CURSOR, "", prepared)
    expect(Ask.BIND, Answer.FORWARD, AskedBind("", pending.name, _formats(pending)))
    if pending.described:
        expect(Ask.DESCRIBE_PORTAL, Answer.FORWARD, AskedDescribe(""))
    expect(Ask.EXECUTE, Answer.FORWARD, AskedExecute("", pending.run, prepared))
    state.ledger.expect_sync(None)


def _formats(pending: Pending) -> tuple[int, ...]:
    start = HEADER.unpack_from(pending.data)[1] + 1 if pending.form is Form.PARSED else 0
    end = start + HEADER.unpack_from(pending.data, start)[1] + 1
    return frontend.read_bind_result_formats(pending.data, start + HEADER_SIZE, end)
