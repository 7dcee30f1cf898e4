"""The end of a result that goes beyond a limit.

The rows that fit have been sent. The rest is swallowed, the server is asked to cancel (CancelRequest, a connection of
its own, so an Outcome's wish), and the client is told once. What the client sees is what a failure of the statement at
this place would have shown it:

    the server fails (57014, or another error)      its error becomes ours; what follows is the server's own
    it ends well before the cancel comes            in a batch: a Bind that must fail is sent in place of the rest,
                                                    and its error becomes ours, the skip to Sync is the server's own;
                                                    else our error stands for its end, and when ReadyForQuery says that
                                                    a transaction is open, that is made to fail before the client hears

Nothing of the client's is sent before the cancel's connection has ended: it would hit the next statement.
"""

from __future__ import annotations

from typing import Final

from dbgate.session.outcome import CancelStatement
from dbgate.session.postgres import back
from dbgate.session.postgres.asking import NO_STATEMENT
from dbgate.session.postgres.state import (
    AskedExecute,
    AskedQuery,
    Cut,
    FatalError,
    Refused,
    Stage,
    State,
    Unpassed,
)
from dbgate.session.postgres.texts import refusal_message
from dbgate.session.splice import Splice
from protocols.errors import PeerError
from protocols.postgres import frontend
from protocols.postgres.frames import HEADER, HEADER_SIZE, LENGTH_SIZE, bad_length
from protocols.postgres.ledger import Answer, Ask
from rules.limits import after_all

IN_TRANSACTION: Final = ord("T")
MUST_FAIL: Final = frontend.Bind("", NO_STATEMENT).encode()
FLUSH: Final = frontend.Flush().encode()
SYNC: Final = frontend.Sync().encode()
NO_DATA: Final = frontend.CopyFail("a limit has ended this text").encode()


# ---------------------------------------------------------------- what still comes


def swallow_rows(splice: Splice, kind: int, start: int) -> int:
    """Rows or COPY data from `start` on; returns where they end, which may be behind the buffer."""
    buffer, size, position = splice.buffer, len(splice.buffer), start
    while size - position >= HEADER_SIZE and buffer[position] == kind:
        length = HEADER.unpack_from(buffer, position)[1]
        if length < LENGTH_SIZE:
            raise bad_length(kind, length, size)
        position += 1 + length
    splice.replace(start, min(position, size))
    return position


def on_message(state: State, cut: Cut, splice: Splice, kind: int, start: int, end: int) -> bool:
    """One message that is no row, while a result is cut; False: it is handled as ever."""
    handler = HANDLERS[cut.stage].get(kind)
    if handler is None:
        return False
    handler(state, cut, splice, start, end)
    return True


def _failed(state: State, cut: Cut, splice: Splice, start: int, end: int) -> None:
    """The statement has failed, by the cancel or by itself. `on_error` puts our words in place of the server's."""
    back.on_error(state, splice, start, end)
    if not state.farewell:
        cut.stage = Stage.DONE


def _ended(state: State, cut: Cut, splice: Splice, start: int, end: int) -> None:
    """The statement has come to its end all the same."""
    entry = state.ledger.head()
    asked = None if entry is None else entry.subject
    back.HANDLERS[splice.buffer[start]](state, splice, start, end)
    if isinstance(asked, AskedExecute) and not state.ledger.entries:
        splice.replace(start, end)
        cut.stage = Stage.MUST_FAIL
        return
    cut.stage = Stage.ENDS
    changed = isinstance(asked, AskedQuery) and any(d.writes or d.calls_user for d in asked.running.decisions)
    splice.replace(start, end, refusal_message(after_all(cut.refusal) if changed else cut.refusal))


def _dropped(state: State, cut: Cut, splice: Splice, start: int, end: int) -> None:
    splice.replace(start, end)


def _later_end(state: State, cut: Cut, splice: Splice, start: int, end: int) -> None:
    """A later statement of the same text has run: names may mean something else now."""
    back.HANDLERS[splice.buffer[start]](state, splice, start, end)
    splice.replace(start, end)


def _later_copy(state: State, cut: Cut, splice: Splice, start: int, end: int) -> None:
    """A later statement of the same text waits for data that nobody will send."""
    splice.replace(start, end)
    cut.send = NO_DATA


def _later_error(state: State, cut: Cut, splice: Splice, start: int, end: int) -> None:
    """The client was told already (`on_error` drops it); of a FATAL one it hears."""
    back.on_error(state, splice, start, end)


def _ready(state: State, cut: Cut, splice: Splice, start: int, end: int) -> None:
    entry = state.ledger.head()
    cut.swallowed = entry is not None and entry.answer is Answer.SWALLOW
    back.on_ready(state, splice, start, end)
    if splice.buffer[end - 1] == IN_TRANSACTION:
        splice.replace(start, end)
        cut.stage = Stage.MUST_ABORT
    else:
        cut.stage = Stage.DONE


_RUNS: Final = {
    ord("E"): _failed,
    ord("C"): _ended,
    ord("s"): _ended,
    ord("I"): _ended,
    ord("c"): _dropped,
}
_ENDS: Final = {
    ord("T"): _dropped,
    ord("H"): _dropped,
    ord("c"): _dropped,
    ord("N"): _dropped,
    ord("C"): _later_end,
    ord("I"): _later_end,
    ord("G"): _later_copy,
    ord("E"): _later_error,
    ord("Z"): _ready,
}
HANDLERS: Final = {
    Stage.RUNS: _RUNS,
    Stage.ENDS: _ENDS,
    Stage.MUST_FAIL: {},
    Stage.MUST_ABORT: {},
    Stage.DONE: {},
}


# ---------------------------------------------------------------- going on


def go_on(state: State, cut: Cut) -> bytes:
    """After a buffer from the upstream, or the cancel's end: what is to be sent upstream now. When nothing is left to
    do the cut is over, and the phase is the one before."""
    if cut.send:
        out, cut.send = cut.send, b""
        return out
    if cut.stage in (Stage.RUNS, Stage.ENDS):
        if not cut.asked and something_runs(state, cut):
            cut.asked = True
            state.wishes.append(CancelStatement())
        return b""
    if cut.asked and not cut.over:
        return b""
    state.cut, state.phase = None, cut.before
    return ENDINGS[cut.stage](state, cut) if cut.stage in ENDINGS else b""


def something_runs(state: State, cut: Cut) -> bool:
    """Is there a statement to cancel: the one at hand, or a later one of the same text?"""
    asked = state.ledger.entries[0].subject if state.ledger.entries else None
    return cut.stage is Stage.RUNS or (isinstance(asked, AskedQuery) and asked.running.decision is not None)


def _fail_batch(state: State, cut: Cut) -> bytes:
    state.ledger.expect(Ask.BIND, Answer.SUBSTITUTE, Refused(cut.refusal))
    return MUST_FAIL + FLUSH


def _abort(state: State, cut: Cut) -> bytes:
    """Its ReadyForQuery stands for the one that has come, and goes to the client if that would have."""
    state.ledger.expect(Ask.BIND, Answer.SWALLOW, Unpassed())
    state.ledger.expect(Ask.SYNC, Answer.SWALLOW if cut.swallowed else Answer.FORWARD, None)
    return MUST_FAIL + SYNC


ENDINGS: Final = {Stage.MUST_FAIL: _fail_batch, Stage.MUST_ABORT: _abort}


def cancelled(state: State, certain: bool) -> None:
    """The cancel's connection has ended. Raises FatalError when nobody can say whether the server has read it: it
    could still hit whatever comes next."""
    if state.cut is None:
        raise PeerError("a cancel has ended that nobody has asked for")
    state.cut.over = True
    if not certain:
        raise FatalError("57P05", "dbgate: a statement was to be cancelled, and the server did not answer in time")
