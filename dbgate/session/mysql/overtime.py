"""`statement_time`: no statement may be outstanding longer than its role's limit, whatever it is.

The servers' own variables come first, where they help, but MySQL's max_execution_time ends only statements that read,
and an optimizer hint raises it. So the gate measures the time itself: it has itself woken when the time of the
statement at hand may be over, and then wishes for KILL QUERY. A session that works all the time asks for one timer in
each span of the limit, an idle one for none.
"""

from __future__ import annotations

from typing import Final

from dbgate.session.mysql.state import (
    AskedExecute,
    AskedFetch,
    AskedFields,
    AskedPrepare,
    AskedQuery,
    Exchange,
    Phase,
    State,
)
from dbgate.session.outcome import CancelStatement, Wake
from dbgate.session.runs import Run
from protocols.mysql.replies import Err
from rules.decision import Decision, Refusal
from rules.limits import Bound, too_long

#: The server's errors when a time limit or KILL QUERY has ended a statement: MySQL's, and two of MariaDB's.
TIMED_OUT: Final = frozenset({3024, 1969, 1317})
#: Commands whose reply may take the server long.
TIMED: Final = (AskedQuery, AskedExecute, AskedFetch, AskedPrepare, AskedFields)
#: What only reads comes to nothing when its answer does not reach the client.
READING: Final = frozenset({"select", "do", "show", "explain"})
MILLISECOND: Final = 1_000_000  # nanoseconds


def time_limit(state: State) -> Bound | None:
    return None if state.limiter is None else state.limiter.limits.time


def begin(state: State) -> None:
    """A statement begins now."""
    limit = time_limit(state)
    if limit is not None:
        state.due = state.now + limit.amount * MILLISECOND
        if not state.alarmed:
            _wake(state)


def _wake(state: State) -> None:
    state.alarmed = True
    state.wishes.append(Wake(max(state.due - state.now, MILLISECOND) / 1e9))


def woken(state: State) -> None:
    """The answer to Wake: is a statement outstanding whose time is over? Until it has ended it is looked at again: the
    server may have been between two statements of a text when it was told, or be undoing much work. A known statement
    that is late is an outstanding command like any other by now."""
    state.alarmed = False
    exchange, limit = state.exchange, time_limit(state)
    if limit is None or (state.memory.pending is None and not _outstanding(exchange)):
        return
    if exchange is not None and state.now >= state.due:
        exchange.overtime = too_long(limit)
        state.due = state.now + limit.amount * MILLISECOND
        cancel(state, exchange)
    _wake(state)


def _outstanding(exchange: Exchange | None) -> bool:
    return exchange is not None and not exchange.reader.complete and isinstance(exchange.asked, TIMED)


def cancel(state: State, exchange: Exchange) -> None:
    """Ask the server to end what it runs. Nothing is sent before that is over, since it would be hit."""
    state.phase = Phase.AWAITS_CUT
    if not exchange.killing:
        exchange.killing = True
        state.wishes.append(CancelStatement())


def is_late(state: State) -> bool:
    """Is the time of the statement at hand over?"""
    return time_limit(state) is not None and state.now >= state.due


def is_over(state: State, exchange: Exchange) -> Refusal | None:
    """The limit, when the statement's time is over: it was told to end, or would be right now."""
    limit = time_limit(state)
    if limit is None:
        return None
    return exchange.overtime or (too_long(limit) if state.now >= state.due else None)


def timed_out(state: State, exchange: Exchange, run: Run | None, told: Err) -> Refusal | None:
    """Our words in the place of the server's, when the role's time limit has ended the statement."""
    refusal = is_over(state, exchange) if told.errno in TIMED_OUT and exchange.cut is None else None
    if refusal is not None and run is not None:
        run.limit = refusal
    return refusal


def answered_late(state: State, exchange: Exchange, decision: Decision | None) -> Refusal | None:
    """Why the answer of a statement that only reads, and that is its text's last, is withheld: it comes too late. MySQL
    lets a statement that was told to end come to an end as if nothing had happened: a SLEEP that was cut short is 1."""
    asked = exchange.asked
    if not isinstance(asked, AskedQuery | AskedExecute) or asked.running.at < len(asked.running.decisions) - 1:
        return None
    if decision is None or decision.kind not in READING or decision.writes or decision.calls_user:
        return None
    return is_over(state, exchange)
