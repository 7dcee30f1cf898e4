"""The commands about prepared statements, each known by the number that the server gave it.

A statement is decided when it is prepared, and again at each execution if rules, catalog or its default database are
others by then. Rows of a cursor follow the definitions that its execution brought.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from dbgate.session.mysql import saved
from dbgate.session.mysql.deciding import decide_execution, decide_one, in_charset, in_utf8
from dbgate.session.mysql.effects import note_sent
from dbgate.session.mysql.login import Brand
from dbgate.session.mysql.metering import admitted
from dbgate.session.mysql.parameters import CURSOR, statement_id, translated
from dbgate.session.mysql.refusals import NOT_IN_CHARSET, law, refuse
from dbgate.session.mysql.registry import Prepared
from dbgate.session.mysql.sending import NOTHING, Out, Sending, answer, forward, refuse_command
from dbgate.session.mysql.state import (
    AskedExecute,
    AskedFetch,
    AskedPrepare,
    AskedStatementReset,
    State,
)
from dbgate.session.mysql.steady import learn
from dbgate.session.runs import Running
from protocols.errors import PeerError
from protocols.mysql.capabilities import Capability
from protocols.mysql.commands import StmtClose, StmtFetch, StmtReset, StmtSendLongData, decode
from protocols.mysql.packets import encode
from protocols.mysql.relay import Expect
from protocols.mysql.replies import Err

UNKNOWN_STATEMENT: Final = 1243  # ER_UNKNOWN_STMT_HANDLER
NO_OPEN_CURSOR: Final = 1421  # ER_STMT_HAS_NO_OPEN_CURSOR
ATTRIBUTES_UNKNOWN: Final = law(
    "attributes",
    "the database knows no query attributes, and the execution brings some",
    "execute the statement without query attributes",
    "0A000",
)


def on_prepare(state: State, sending: Sending) -> Out:
    raw = sending.payload[1:]
    text = in_utf8(state, raw)
    decision = decide_one(state, text)
    sent: bytes | None = raw
    if decision.refusal is None and decision.rewrite is not None:
        sent = in_charset(state, decision.rewrite.apply(text or b""))
        decision = decision if sent is not None else refuse(decision, NOT_IN_CHARSET)
    if decision.refusal is not None:
        state.names.last = None
        return refuse_command(state, sending, said(text or raw), decision, decision.refusal)
    prepared = Prepared(text or b"", decision, state.context, state.database, sent=decision.rewrite)
    payload = None if sent is raw else sending.payload[:1] + (sent or b"")
    state.names.last = None
    out = forward(state, sending, AskedPrepare(prepared), Expect.PREPARE, payload)
    note_hidden(state, prepared)
    return out


def note_hidden(state: State, prepared: Prepared) -> None:
    """The server's own words about the statement are not for the client."""
    if prepared.decision.hides:
        state.tainted = True
        if state.exchange is not None:
            state.exchange.hides = True


def on_execute(state: State, sending: Sending) -> Out:
    number, flags = statement_id(sending.payload)
    prepared = find(state, number)
    if prepared is None:
        return unknown(state, sending, number, "mysqld_stmt_execute")
    (decision,) = admitted(state, (decide_execution(state, prepared),))
    try:
        payload = translated(state, sending.payload, prepared) if differs(state, number) else None
    except PeerError:
        decision, payload = refuse(decision, ATTRIBUTES_UNKNOWN), None
    if decision.refusal is not None:
        return refuse_command(state, sending, said(prepared.text), decision, decision.refusal)
    prepared.cursor = None
    prepared.long_data.clear()
    run = state.start_run(said(prepared.text), decision, prepared.parameters)
    running = Running((decision,), [run], [said(prepared.text)], text=prepared.text)
    asked = AskedExecute(prepared, decision, running, bool(flags & CURSOR))
    if prepared.known is None and prepared.context is state.context:
        prepared.known = learn(state, b"", said(prepared.text), decision)
    known = prepared.known if payload is None and sending.next == 1 else None
    out = forward(state, sending, asked, Expect.BINARY_RESULT, payload, known)
    saved.note_sent(state, prepared.text, (decision,))
    note_sent(state, (decision,))
    return out


def differs(state: State, number: int) -> bool:
    """Is the command to be written anew: for a server without query attributes, or with a number for "the last"?"""
    lacking = Capability.QUERY_ATTRIBUTES in state.login.client & ~state.login.upstream
    return lacking or number not in state.names.statements


def find(state: State, number: int) -> Prepared | None:
    return state.names.find(number, state.login.brand is Brand.MARIADB)


def unknown(state: State, sending: Sending, number: int, function: str) -> Out:
    """As the server answers a number that it does not know."""
    asked = function if state.login.brand is Brand.MARIADB else "mysql_stmt_precheck"
    told = f"Unknown prepared statement handler ({number}) given to {asked}"
    return answer(state, sending, Err(UNKNOWN_STATEMENT, "HY000", told.encode()))


def on_fetch(state: State, sending: Sending) -> Out:
    command = decode(sending.payload, state.login.client)
    assert isinstance(command, StmtFetch)
    prepared = find(state, command.statement_id)
    if prepared is None:
        return unknown(state, sending, command.statement_id, "mysqld_stmt_fetch")
    cursor = prepared.cursor
    if cursor is None:
        told = f"The statement ({command.statement_id}) has no open cursor"
        return answer(state, sending, Err(NO_OPEN_CURSOR, "HY000", told.encode()))
    (decision,) = admitted(state, (replace(decide_execution(state, prepared), detail="FETCH"),))
    if decision.refusal is not None:
        return refuse_command(state, sending, said(prepared.text), decision, decision.refusal)
    run = state.start_run(said(prepared.text), decision)
    asked = AskedFetch(prepared, replace(cursor, decision=decision), run)
    payload = None
    if prepared.number != command.statement_id:
        payload = StmtFetch(prepared.number, command.rows).encode(state.login.upstream)
    out = forward(state, sending, asked, Expect.FETCH, payload)
    note_sent(state, (decision,))
    return out


def on_send_long_data(state: State, sending: Sending) -> Out:
    """There is no reply. Data for a statement that nobody knows is dropped, as the server drops it."""
    command = decode(sending.payload, state.login.client)
    assert isinstance(command, StmtSendLongData)
    prepared = find(state, command.statement_id)
    if prepared is None:
        return NOTHING
    prepared.long_data.add(command.parameter)
    if prepared.number == command.statement_id:
        return Out(sending.raw)
    return rewritten(state, sending, replace(command, statement_id=prepared.number))


def on_close(state: State, sending: Sending) -> Out:
    """There is no reply."""
    command = decode(sending.payload, state.login.client)
    assert isinstance(command, StmtClose)
    prepared = find(state, command.statement_id)
    if prepared is None:
        return NOTHING
    state.names.close(prepared.number)
    if prepared.number == command.statement_id:
        return Out(sending.raw)
    return rewritten(state, sending, StmtClose(prepared.number))


def rewritten(state: State, sending: Sending, command: StmtClose | StmtSendLongData) -> Out:
    return Out(encode(command.encode(state.login.upstream), 0))


def on_reset(state: State, sending: Sending) -> Out:
    command = decode(sending.payload, state.login.client)
    assert isinstance(command, StmtReset)
    prepared = find(state, command.statement_id)
    if prepared is None:
        return unknown(state, sending, command.statement_id, "mysqld_stmt_reset")
    payload = None
    if prepared.number != command.statement_id:
        payload = StmtReset(prepared.number).encode(state.login.upstream)
    return forward(state, sending, AskedStatementReset(prepared), Expect.OK, payload)


def said(text: bytes) -> str:
    return str(text, "utf-8", "replace").strip()
