"""Where the limits of a role meet its commands: statements that start, rows that pass.

The bytes of rows pass as in any other session while they fit; only at the limit itself are they looked at one by one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from dbgate.session.limiting import Meter
from dbgate.session.mysql.overtime import cancel
from dbgate.session.mysql.refusals import refuse
from dbgate.session.mysql.state import AskedExecute, AskedQuery, Cut, Exchange, FatalError, State
from dbgate.session.runs import Run, Tally
from protocols.mysql.packets import HEADER, HEADER_SIZE, MAX_PAYLOAD
from rules.decision import Decision, Refusal, Verdict
from rules.limits import NO_LIMITS

#: how often the room is measured again when other sessions of the job take of it meanwhile
MOST_TRIES: Final = 8
RAN_ON: Final = (
    "dbgate: a limit ended a statement, and those behind it in its text could not be kept from running; send them "
    "one by one"
)


def admitted(state: State, decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
    """The decisions, the first one refused when a limit does not let them start now."""
    limiter = state.limiter
    if limiter is None or not decisions or any(d.verdict is not Verdict.ALLOW for d in decisions):
        return decisions
    observed = limiter.observation(decisions)
    if observed:
        decisions = tuple(replace(d, observed=tuple(sorted({*d.observed, *observed}))) for d in decisions)
    refusal = limiter.objection(decisions)
    return decisions if refusal is None else (refuse(decisions[0], refusal), *decisions[1:])


def goes_alone(state: State, decision: Decision) -> bool:
    """May a known statement go without a second look? What a limit refuses goes the general way, and so does a
    statement in mode observe's sight: its event tells more."""
    limiter = state.limiter
    if limiter is None:
        return True
    return limiter.observed is NO_LIMITS and limiter.objection((decision,)) is None


def fits_whole(state: State, run: Run, decision: Decision, rows: int, size: int) -> bool:
    """A whole result of a known statement; it is counted if it fits."""
    limiter = state.limiter
    if limiter is None or not limiter.measures or not rows:
        return True
    run.tally = Tally()
    return limiter.may_pass(run.tally, rows, size, rows * decision.sensitive)


def fitting(meter: Meter, data: bytes, start: int, end: int) -> tuple[int, int]:
    """(how far whole row packets reach that may pass, how many rows); they have been counted."""
    for _ in range(MOST_TRIES):
        position, rows = walk(data, start, end, *meter.room())
        if not rows or meter.may_pass(rows, position - start):
            return position, rows
    return start, 0


def walk(data: bytes, start: int, end: int, rows: int, size: int) -> tuple[int, int]:
    """(how far rows reach, how many) of at most so many and so many bytes, within whole packets data[start:end]."""
    position, count = start, 0
    while count < rows and position < end:
        behind = _row_end(data, position, end)
        if behind - start > size:
            break
        position = behind
        count += 1
    return position, count


def _row_end(data: bytes, position: int, end: int) -> int:
    """Where a row's last packet ends."""
    while end - position >= HEADER_SIZE:
        length = HEADER.unpack_from(data, position)[0] & MAX_PAYLOAD
        position += HEADER_SIZE + length
        if length < MAX_PAYLOAD:
            break
    return position


def row_size(data: bytes, position: int) -> int:
    return _row_end(data, position, len(data)) - position


def begin_cut(state: State, exchange: Exchange, run: Run, refusal: Refusal) -> None:
    """The rest of the result must not reach the client: it is swallowed, the server is asked to end the statement, and
    an error stands in the place of the rest."""
    run.limit = refusal
    asked = exchange.asked
    exchange.cut = Cut(refusal, asked.running.at if isinstance(asked, AskedQuery | AskedExecute) else 0)
    cancel(state, exchange)


def none_behind(exchange: Exchange) -> None:
    """An answer has come. Raises FatalError when it is of a statement behind one that was ended: the client was told
    that this text has failed there, and KILL QUERY has come too late to make it true."""
    cut, asked = exchange.cut, exchange.asked
    if cut is not None and isinstance(asked, AskedQuery | AskedExecute) and asked.running.at > cut.at:
        raise FatalError(1105, "HY000", RAN_ON)
