"""The client's commands: what each may do, and what goes upstream in its place.

A handler looks at one whole command, when nothing is outstanding, and returns what goes out at once. It raises `Waits`
when the command must wait: nothing of it has then been noted.

A refused statement is *substituted* by one that must fail in its place (SIGNAL), whose error becomes the refusal. What
the gate never sends on whatever the rules say, it answers itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dbgate.session.mysql import plain, prepared, saved
from dbgate.session.mysql.deciding import decide, in_charset, in_utf8
from dbgate.session.mysql.effects import note_sent
from dbgate.session.mysql.killing import KILL_TEXT, kill_session, never_sent
from dbgate.session.mysql.metering import admitted
from dbgate.session.mysql.refusals import NOT_IN_CHARSET, refuse, refused
from dbgate.session.mysql.sending import Out, Sending, answer, forward, refuse_command
from dbgate.session.mysql.state import AskedQuery, State
from dbgate.session.mysql.steady import learn
from dbgate.session.mysql.texts import UNKNOWN_COMMAND
from dbgate.session.runs import Running
from protocols.mysql.capabilities import Capability
from protocols.mysql.commands import Code, Query, decode
from protocols.mysql.relay import Expect
from rules.decision import Decision, Rewrite

Handler = Callable[[State, Sending], Out]


def handle(state: State, sending: Sending) -> Out:
    """One command. Raises PeerError for one that cannot be read, and Waits."""
    code = sending.payload[0] if sending.payload else Code.SLEEP
    handler = HANDLERS.get(code)
    return answer(state, sending, UNKNOWN_COMMAND) if handler is None else handler(state, sending)


# ---------------------------------------------------------------- COM_QUERY


def on_query(state: State, sending: Sending) -> Out:
    command = decode(sending.payload, state.login.client)
    assert isinstance(command, Query)
    raw = plain.server_database(state, command.sql)
    text = in_utf8(state, raw)
    if text is not None and (asked := KILL_TEXT.match(text)):
        return kill_session(state, sending, int(asked[2]), bool(asked[1]), statement_text(text))
    decisions = saved.in_order(decide(state, text))
    decisions = tuple(map(never_sent, decisions))
    started = decisions if refused(decisions) is not None else admitted(state, decisions)
    sent = sent_text(state, raw, text or b"", decisions)
    no = refused(started)
    if no is None and sent is None:
        no = refuse(started[0], NOT_IN_CHARSET)
    if no is not None and no.refusal is not None:
        return refuse_command(state, sending, statement_text(text or raw), no, no.refusal)
    return run_query(state, sending, command, text or b"", started, sent or b"")


def run_query(
    state: State, sending: Sending, command: Query, text: bytes, decisions: tuple[Decision, ...], sent: bytes
) -> Out:
    running = Running(decisions, [], [], text=text, rewrite=rewrite_of(decisions))
    for decision in decisions:
        piece = text[decision.start : decision.end] if len(decisions) > 1 else text
        running.texts.append(statement_text(piece))
        running.runs.append(state.start_run(running.texts[-1], decision, len(command.attributes)))
    if not decisions:
        running.runs.append(state.start_run(statement_text(text), plain.NO_STATEMENT))
        running.texts.append("")
        running.decisions = (plain.NO_STATEMENT,)
    payload, known = None, None
    shown = plain.without_diagnostics(state, decisions, text) or sent
    if shown is not command.sql or lacks_attributes(state):
        payload = Query(shown, command.attributes).encode(state.login.upstream)
    elif len(decisions) == 1:
        known = learn(state, sending.raw, running.texts[0], decisions[0])
    out = forward(state, sending, AskedQuery(running), Expect.TEXT_RESULT, payload, known)
    saved.note_sent(state, text, decisions)
    note_sent(state, decisions)
    return out


def lacks_attributes(state: State) -> bool:
    """The client speaks of query attributes, which the server does not know."""
    return Capability.QUERY_ATTRIBUTES in state.login.client & ~state.login.upstream


def sent_text(state: State, raw: bytes, text: bytes, decisions: tuple[Decision, ...]) -> bytes | None:
    """What the server is to read: the client's own bytes, or with row filters spliced in."""
    rewrite = rewrite_of(decisions)
    return raw if rewrite is None else in_charset(state, rewrite.apply(text))


def rewrite_of(decisions: tuple[Decision, ...]) -> Rewrite | None:
    """The splices of all statements of one text, or None when the client's own bytes go."""
    edits = tuple(edit for decision in decisions if decision.rewrite is not None for edit in decision.rewrite.edits)
    return Rewrite(edits) if edits else None


def statement_text(text: bytes) -> str:
    return str(text, "utf-8", "replace").strip()


HANDLERS: Final[dict[int, Handler]] = {
    Code.QUERY: on_query,
    Code.QUIT: plain.on_quit,
    Code.INIT_DB: plain.on_init_db,
    Code.PING: plain.on_ping,
    Code.STATISTICS: plain.on_statistics,
    Code.FIELD_LIST: plain.on_field_list,
    Code.SET_OPTION: plain.on_set_option,
    Code.RESET_CONNECTION: plain.on_reset_connection,
    Code.STMT_PREPARE: prepared.on_prepare,
    Code.STMT_EXECUTE: prepared.on_execute,
    Code.STMT_FETCH: prepared.on_fetch,
    Code.STMT_SEND_LONG_DATA: prepared.on_send_long_data,
    Code.STMT_CLOSE: prepared.on_close,
    Code.STMT_RESET: prepared.on_reset,
    **plain.CLOSED,
}
