"""The client's messages: what each may do, and what goes upstream in its place.

A handler looks at one message, `buffer[start:end]`, enters it in the ledger and returns True; what it does not replace
in the splice passes as it came. It returns False when the message must wait: nothing of it has then been noted.

A refused message is *substituted* by one that must fail in its place: a Parse or Query by the same message with a text
that is no SQL, a Bind or Execute by the Bind of a statement that cannot exist. So the server itself aborts the
transaction, drops the unnamed statement, skips to Sync, and says the transaction status.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dbgate.session.long_texts import Waits
from dbgate.session.postgres.asking import NO_STATEMENT, end_batch, require_unreserved
from dbgate.session.postgres.before_names import asks_first
from dbgate.session.postgres.columns import ask_columns, ask_columns_in_batch
from dbgate.session.postgres.deciding import decide, decide_one
from dbgate.session.postgres.elsewhere import forget_answers
from dbgate.session.postgres.freshness import awaits_catalog, fresh, is_stale, note_call, note_effects
from dbgate.session.postgres.metering import admitted, note_started, waits_for_rows
from dbgate.session.postgres.naming import awaits_name, behind_name, find_named, note_sent
from dbgate.session.postgres.redeciding import LASTING_KINDS, redecide, redecide_open
from dbgate.session.postgres.refusals import PATH_MOVED, TOO_MANY_PREPARED, refuse, refused
from dbgate.session.postgres.registry import Prepared, server_name
from dbgate.session.postgres.rewriting import parameter_types, rewrite_of, rewrite_of_piece
from dbgate.session.postgres.scripts import script_of
from dbgate.session.postgres.state import (
    AskedBind,
    AskedClose,
    AskedDescribe,
    AskedExecute,
    AskedParse,
    AskedQuery,
    Phase,
    Refused,
    State,
)
from dbgate.session.postgres.steady import learn
from dbgate.session.runs import Running
from dbgate.session.splice import Splice
from protocols.errors import PeerError
from protocols.postgres import frontend
from protocols.postgres.frames import HEADER_SIZE
from protocols.postgres.ledger import Answer, Ask
from rules.decision import Decision, Refusal, Rewrite, Verdict
from rules.tree import Carrier, CarrierKind

#: No SQL, whatever the server's version: stands in for a refused text.
NO_SQL: Final = "dbgate refused this statement"
MOST_PORTALS: Final = 1000  # whose numbers of parameters are kept
FLUSH: Final = frontend.Flush().encode()

Handler = Callable[[State, Splice, int, int], bool]


def on_query(state: State, splice: Splice, start: int, end: int) -> bool:
    text = frontend.read_query(splice.buffer, start + HEADER_SIZE, end)
    state.script = script_of(state, text)
    if state.script is not None:
        splice.replace(start, end)
        return True
    decisions = decide(state, text)
    if decisions is None:
        return False
    no = refused(decisions)
    if no is None and decisions and is_stale(state, decisions[0]):
        no = refuse(decisions[0], PATH_MOVED)
    started = decisions if no is not None else admitted(state, decisions)
    no = no or refused(started)
    if no is not None and no.refusal is not None:
        state.start_run(statement_text(text), no)
        splice.replace(start, end, substitute_query(state, no.refusal))
        end_batch(state)
        if state.path_dirty:
            await_quiet(state)
        return True
    running = Running(started, [], [], text=text, rewrite=rewrite_of(decisions))
    for decision in started:
        piece = text[decision.start : decision.end] if len(decisions) > 1 else text
        start_statement(state, running, decision, statement_text(piece))
    note_started(state, started, running.runs)
    columns = ask_columns(state, splice, start, text, decisions)
    state.ledger.expect(Ask.QUERY, Answer.FORWARD, AskedQuery(running, columns))
    if running.rewrite is not None:
        splice.replace(start, end, frontend.Query(running.rewrite.apply(text).decode()).encode())
    end_batch(state)
    if len(decisions) == 1:
        learn(state, text, running.texts[0], decisions[0])
    if state.path_dirty:
        await_quiet(state)
    return True


def start_statement(state: State, running: Running, decision: Decision, text: str) -> None:
    """The intent of one statement of a Query, and what it may change."""
    running.texts.append(text)
    running.runs.append(state.start_run(text, decision))
    note_effects(state, decision)
    if decision.defines is not None:
        piece = text.encode()
        note_names(state, decision, piece, rewrite_of_piece(running.text, piece, decision))


def substitute_query(state: State, refusal: Refusal) -> bytes:
    state.ledger.expect(Ask.QUERY, Answer.SUBSTITUTE, Refused(refusal))
    return frontend.Query(NO_SQL).encode()


def on_parse(state: State, splice: Splice, start: int, end: int) -> bool:
    sent_name, text, types = frontend.read_parse(splice.buffer, start + HEADER_SIZE, end)
    name = server_name(sent_name)
    require_unreserved(name, "statement")
    decision = decide_one(state, text)
    if decision is None:
        return False
    limits = state.limits
    if decision.refusal is None and not state.names.has_room(name, text, limits.prepared, limits.prepared_bytes):
        decision = refuse(decision, TOO_MANY_PREPARED)
    if decision.refusal is not None:
        state.start_run(statement_text(text), decision)
        state.ledger.expect(Ask.PARSE, Answer.SUBSTITUTE, Refused(decision.refusal))
        splice.replace(start, end, frontend.Parse(sent_name, NO_SQL).encode())
        return True
    known = learn(state, text, statement_text(text), decision)
    prepared = Prepared(text, decision, state.context, known=known, sent=decision.rewrite)
    if decision.rewrite is not None:
        sent = decision.rewrite.apply(text).decode()
        splice.replace(start, end, frontend.Parse(sent_name, sent, parameter_types(text, types)).encode())
    state.hidden = state.hidden or decision.hides
    note_sent(state, CarrierKind.STATEMENT, name, prepared)
    state.ledger.expect(Ask.PARSE, Answer.FORWARD, AskedParse(name, prepared))
    if state.watched:
        describe_for_ourselves(state, splice, frontend.Target.STATEMENT, sent_name, end)
    return True


def describe_for_ourselves(state: State, splice: Splice, target: frontend.Target, name: str, end: int) -> None:
    """Rows can come without the client ever having asked for their description; masks and witness need it."""
    ask = Ask.DESCRIBE_STATEMENT if target is frontend.Target.STATEMENT else Ask.DESCRIBE_PORTAL
    state.ledger.expect(ask, Answer.SWALLOW, AskedDescribe(server_name(name)))
    splice.insert(end, frontend.Describe(target, name).encode())


def on_bind(state: State, splice: Splice, start: int, end: int) -> bool:
    payload = start + HEADER_SIZE
    sent_portal, sent_name = frontend.read_bind_names(splice.buffer, payload, end)
    portal, name = server_name(sent_portal), server_name(sent_name)
    require_unreserved(portal, "portal")
    if awaits_name(state, Carrier(CarrierKind.STATEMENT, name)) or awaits_catalog(state):
        return False
    state.retried = False
    formats = frontend.read_bind_result_formats(splice.buffer, payload, end) if state.watched else ()
    prepared = find_named(state, CarrierKind.STATEMENT, name)
    decision = fresh(state, redecide(state, prepared)) if prepared is not None else UNKNOWN_PORTAL
    if prepared is not None and is_stale(state, decision):
        decision = refuse(decision, PATH_MOVED)
    if prepared is not None and decision.refusal is not None:
        return refuse_in_place(state, splice, start, end, decision, decision.refusal, prepared)
    state.hidden = state.hidden or decision.hides
    note_call(state, decision)
    note_sent(state, CarrierKind.CURSOR, portal, prepared)
    note_parameters(state, portal, splice.buffer, payload, end)
    state.ledger.expect(Ask.BIND, Answer.FORWARD, AskedBind(portal, name, formats))
    if state.watched and prepared is not None and (prepared.carried or decision.runs is not None):
        describe_for_ourselves(state, splice, frontend.Target.PORTAL, sent_portal, end)
    return True


def note_parameters(state: State, portal: str, buffer: bytes, payload: int, end: int) -> None:
    """How many parameters a portal has, for the audit of its runs. The names are two NULs long."""
    if len(state.parameters) >= MOST_PORTALS:
        state.parameters.clear()
    names_end = buffer.find(b"\0", buffer.find(b"\0", payload) + 1) + 1
    state.parameters[portal] = frontend.read_bind_parameter_count(buffer, names_end, end)


def refuse_in_place(
    state: State, splice: Splice, start: int, end: int, decision: Decision, refusal: Refusal, prepared: Prepared | None
) -> bool:
    """A Bind or Execute that the rules have come to refuse since its Parse."""
    state.start_run(statement_text(prepared.text) if prepared else "", decision)
    state.ledger.expect(Ask.BIND, Answer.SUBSTITUTE, Refused(refusal))
    splice.replace(start, end, frontend.Bind("", NO_STATEMENT).encode())
    return True


def on_describe(state: State, splice: Splice, start: int, end: int) -> bool:
    target, name = frontend.read_target(splice.buffer, start + HEADER_SIZE, end)
    ask = Ask.DESCRIBE_STATEMENT if target == ord("S") else Ask.DESCRIBE_PORTAL
    state.ledger.expect(ask, Answer.FORWARD, AskedDescribe(server_name(name)))
    return True


def on_execute(state: State, splice: Splice, start: int, end: int) -> bool:
    sent_portal, _ = frontend.read_execute(splice.buffer, start + HEADER_SIZE, end)
    portal = server_name(sent_portal)
    if awaits_name(state, Carrier(CarrierKind.CURSOR, portal)):
        return False
    prepared = find_named(state, CarrierKind.CURSOR, portal)
    decision = UNKNOWN_PORTAL
    if prepared is not None:
        decision = redecide_open(state, prepared)
        if decision.runs is not None:
            if awaits_name(state, decision.runs):
                return False
            decision = run_by_name(state, decision)
        if decision.kind not in LASTING_KINDS:
            decision = fresh(state, decision)
            if is_stale(state, decision):
                decision = refuse(decision, PATH_MOVED)
    (decision,) = admitted(state, (decision,))
    if decision.refusal is not None:
        return refuse_in_place(state, splice, start, end, decision, decision.refusal, prepared)
    if prepared is not None:
        note_run(state, prepared, decision)
        if state.watched and prepared.carried and prepared.shape is None:
            describe_for_ourselves(state, splice, frontend.Target.PORTAL, sent_portal, start)
    text = statement_text(prepared.text) if prepared else ""
    run = state.start_run(text, decision, state.parameters.get(portal, 0))
    note_started(state, (decision,), [run])
    columns = ask_columns_in_batch(state, splice, start, decision, prepared)
    state.ledger.expect(Ask.EXECUTE, Answer.FORWARD, AskedExecute(portal, run, prepared, columns))
    return True


def run_by_name(state: State, decision: Decision) -> Decision:
    """FETCH and EXECUTE were prepared when the name may have stood for another statement."""
    return behind_name(state, decision, {}) if state.watched else decision


def note_run(state: State, prepared: Prepared, decision: Decision) -> None:
    """A portal is about to run. One that was opened by DECLARE, or that runs what PREPARE prepared, defines no name."""
    note_effects(state, decision)
    if not prepared.carried:
        note_names(state, decision, prepared.text, prepared.sent)


#: Execute of a portal that the gate saw nobody open: the server will refuse it; the audit has it all the same.
UNKNOWN_PORTAL: Final = Decision(Verdict.ALLOW, "unknown", detail="EXECUTE of an unknown portal")


def on_close(state: State, splice: Splice, start: int, end: int) -> bool:
    target, sent_name = frontend.read_target(splice.buffer, start + HEADER_SIZE, end)
    name = server_name(sent_name)
    note_sent(state, CarrierKind.STATEMENT if target == ord("S") else CarrierKind.CURSOR, name, None)
    state.ledger.expect(Ask.CLOSE, Answer.FORWARD, AskedClose(target, name))
    return True


def on_sync(state: State, splice: Splice, start: int, end: int) -> bool:
    require_length(end - start, HEADER_SIZE, "Sync")
    state.ledger.expect_sync(None)
    end_batch(state)
    if state.path_dirty:
        await_quiet(state)
    return True


def on_flush(state: State, splice: Splice, start: int, end: int) -> bool:
    require_length(end - start, HEADER_SIZE, "Flush")
    return True


def on_copy_data(state: State, splice: Splice, start: int, end: int) -> bool:
    return True


def on_copy_end(state: State, splice: Splice, start: int, end: int) -> bool:
    state.ledger.end_copy(None)
    if state.path_dirty:
        await_quiet(state)
    return True


def on_function_call(state: State, splice: Splice, start: int, end: int) -> bool:
    state.start_run("", FUNCTION_CALL)
    splice.replace(start, end, substitute_query(state, FAST_PATH))
    return True


FAST_PATH: Final = Refusal(
    "dbgate:function-call",
    "dbgate refused this function call",
    'rule "dbgate:function-call": the message names a function by OID and carries no statement to decide',
    "call the function in a SELECT",
    sqlstate="0A000",
)
FUNCTION_CALL: Final = Decision(
    Verdict.REFUSE, "call", detail="FunctionCall", refusal=FAST_PATH, rules=(FAST_PATH.rule,)
)


def on_terminate(state: State, splice: Splice, start: int, end: int) -> bool:
    state.close("client terminated")
    return True


HANDLERS: Final[dict[int, Handler]] = {
    ord("Q"): on_query,
    ord("P"): on_parse,
    ord("B"): on_bind,
    ord("D"): on_describe,
    ord("E"): on_execute,
    ord("C"): on_close,
    ord("S"): on_sync,
    ord("H"): on_flush,
    ord("d"): on_copy_data,
    ord("c"): on_copy_end,
    ord("f"): on_copy_end,
    ord("F"): on_function_call,
    ord("X"): on_terminate,
}

#: What the server itself reads while COPY FROM STDIN runs; anything else there is an error.
IN_COPY: Final = frozenset(b"dcfSHX")
#: What the server still reads after an error in the extended protocol.
ENDS_SKIPPING: Final = frozenset(b"SX")


def handle(state: State, kind: int, splice: Splice, start: int, end: int) -> bool:
    """One message. Raises PeerError for one that the protocol does not have or that cannot come now."""
    handler = HANDLERS.get(kind)
    if handler is None:
        raise PeerError(f"invalid frontend message type {kind}")
    ledger = state.ledger
    if ledger.skipping and kind not in ENDS_SKIPPING:
        splice.replace(start, end)  # the server would ignore it: it need not be decided, nor sent
        return True
    if ledger.copying and kind not in IN_COPY:
        raise PeerError(f"unexpected message type 0x{kind:02x} during COPY from stdin")
    if state.limiter is not None and waits_for_rows(state, state.limiter, kind, splice, start):
        return False
    if state.path_dirty and asks_first(state, kind, splice, start, end):
        return False
    try:
        handled = handler(state, splice, start, end)
    except Waits:
        return False
    if handled and state.answers:
        forget_answers(state)
    if handled and len(ledger.entries) >= state.limits.outstanding:
        await_replies(state, kind, splice, end)
    return handled


# ---------------------------------------------------------------- details


def await_replies(state: State, kind: int, splice: Splice, end: int) -> None:
    """Too many requests are outstanding. Without a Sync the server may keep its replies: it is asked to flush."""
    if state.phase is Phase.OPEN and not state.ledger.copying:
        state.phase = Phase.AWAITS_REPLIES
        if kind not in b"SQ":
            splice.insert(end, FLUSH)


def await_quiet(state: State) -> None:
    """After a Query or Sync that may have moved the search path the client waits, so that the gate can ask for it.

    The Sync of an open batch is still to come: only then does the server send all replies, and may be asked."""
    if state.watched and state.phase is Phase.OPEN and not state.ledger.skipping and not state.ledger.open_batch:
        state.phase = Phase.AWAITS_QUIET


def note_names(state: State, decision: Decision, text: bytes, sent: Rewrite | None) -> None:
    """SQL's own PREPARE and DECLARE: the names, as hoped for."""
    carrier = decision.defines
    if carrier is None:
        return
    prepared = Prepared(text, decision, state.context, carried=True, sent=sent)
    note_sent(state, carrier.kind, carrier.name or "", prepared)


def statement_text(text: bytes) -> str:
    return str(text, "utf-8", "replace").strip()


def require_length(have: int, want: int, name: str) -> None:
    if have != want:
        raise PeerError(f"invalid message format: {name} has no payload")
