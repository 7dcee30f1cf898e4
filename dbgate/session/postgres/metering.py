"""Where the limits of a role meet its messages: statements that start, batches that wait, rows that pass.

The bytes of rows pass as in any other session while they fit; only at the limit itself are they looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from dbgate.session.accounts import UNBOUNDED
from dbgate.session.limiting import Limiter, Meter, brings_rows
from dbgate.session.postgres.naming import effective, find_named
from dbgate.session.postgres.refusals import refuse
from dbgate.session.postgres.state import Asked, AskedExecute, AskedQuery, Cut, FatalError, Phase, Stage, State, Stream
from dbgate.session.postgres.texts import refusal_message
from dbgate.session.runs import Run, Tally
from dbgate.session.splice import Splice
from protocols.postgres import frontend
from protocols.postgres.backend import ErrorResponse
from protocols.postgres.frames import HEADER, HEADER_SIZE
from protocols.postgres.ledger import Ask
from rules.decision import Decision, Refusal, Verdict
from rules.limits import CANCELED, NO_LIMITS, too_long
from rules.tree import CarrierKind

#: What may follow a statement at once: data for a COPY, Flush and Terminate run nothing.
RUNS_NOTHING: Final = frozenset(b"dcfHX")
SYNC: Final = ord("S")
FLUSH: Final = frontend.Flush().encode()
#: What the client's bytes may be waiting for when a result is cut: the wait goes on afterwards.
WAITS: Final = frozenset({Phase.OPEN, Phase.AWAITS_END, Phase.AWAITS_QUIET, Phase.AWAITS_REPLIES, Phase.AWAITS_NAMES})
COPY_DATA: Final = ord("d")
#: the last message of a COPY in binary (reference page of COPY, "File Trailer"), which is no row
BINARY_TRAILER: Final = frontend.CopyData(b"\xff\xff").encode()
#: how often the room is measured again when other sessions of the job take of it meanwhile
MOST_TRIES: Final = 8


# ---------------------------------------------------------------- before a statement starts


def admitted(state: State, decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
    """The decisions, the first one refused when a limit does not let them start now."""
    limiter = state.limiter
    if limiter is None or not decisions or any(d.verdict is not Verdict.ALLOW for d in decisions):
        return decisions
    sensible = [_with_sensitive(state, decision) for decision in decisions]
    observed = limiter.observation(sensible)
    if observed:
        decisions = tuple(replace(d, observed=tuple(sorted({*d.observed, *observed}))) for d in decisions)
    refusal = limiter.objection(sensible)
    return decisions if refusal is None else (refuse(decisions[0], refusal), *decisions[1:])


def _with_sensitive(state: State, decision: Decision) -> Decision:
    """FETCH and EXECUTE bring the sensitive cells of what is behind the name."""
    carrier = decision.runs
    known = None if carrier is None else find_named(state, carrier.kind, carrier.name or "")
    return decision if known is None else replace(decision, sensitive=known.decision.sensitive)


def note_started(state: State, decisions: Iterable[Decision], runs: list[Run]) -> None:
    """These statements are being sent, in one message."""
    limiter = state.limiter
    if limiter is None:
        return
    batch, limiter.batch = limiter.batch, state.ledger.batch
    bringing = [(d, run) for d, run in zip(decisions, runs, strict=True) if brings_rows(d)]
    if bringing:
        decision, limiter.last = bringing[-1]
        limiter.alone = batch != state.ledger.batch and only_reads(decision)


def goes_alone(state: State, decision: Decision) -> bool:
    """May a statement that is sent alone go without a second look? What a limit refuses, and what writes and brings
    rows, goes the general way. A statement in mode observe's sight does so too: its event tells more."""
    limiter = state.limiter
    if limiter is None:
        return True
    if limiter.observed is not NO_LIMITS or (decision.writes and brings_rows(decision)):
        return False
    return limiter.objection((decision,)) is None


def fits_whole(state: State, run: Run, decision: Decision, rows: int, size: int) -> bool:
    """As `pass_rows` for a whole result of a statement that went alone; it is counted if it fits."""
    limiter = state.limiter
    if limiter is None or not limiter.measures or not rows:
        return True
    run.tally = Tally()
    return limiter.may_pass(run.tally, rows, size, rows * decision.sensitive)


def only_reads(decision: Decision) -> bool:
    return not decision.writes and not decision.calls_user and decision.kind not in ("prepared", "call")


def waits_for_rows(state: State, limiter: Limiter, kind: int, splice: Splice, start: int) -> bool:
    """Must this message wait until the rows of the statement before it have all come? A limit may end them, and then
    nothing behind must have run, nor be hit by the cancel. In a batch the server is asked for what it has."""
    own_sync = kind == SYNC and limiter.alone and state.ledger.open_batch
    if kind in RUNS_NOTHING or own_sync or not limiter.waits:
        return False
    if state.ledger.open_batch:
        splice.insert(start, FLUSH)
    if state.phase is Phase.OPEN:
        state.phase = Phase.AWAITS_END
    return True


# ---------------------------------------------------------------- rows


def meter_of(state: State, run: Run, decision: Decision | None, portal: str | None, width: int) -> Meter | None:
    """For the rows of a run. `decision`: the statement's own; `portal`: that it reads from, None for its own result;
    `width`: how many columns come, for rows of whose origin nothing is known."""
    limiter = state.limiter
    if limiter is None or not limiter.measures:
        return None
    behind = None if decision is None else effective(state, decision)
    cursor = _cursor(decision)
    name = portal if cursor is None else cursor
    run.tally = Tally() if name is None else state.names.tally(name)
    return Meter(limiter, run.tally, behind.sensitive if behind is not None else max(width, 1))


def _cursor(decision: Decision | None) -> str | None:
    """The cursor that a FETCH reads from."""
    carrier = None if decision is None else decision.runs
    return (carrier.name or "") if carrier is not None and carrier.kind is CarrierKind.CURSOR else None


def pass_rows(state: State, splice: Splice, stream: Stream, meter: Meter, start: int, reached: int, rows: int) -> None:
    """Rows (or COPY data) that pass as they are, buffer[start:reached]; the last one may go on behind the buffer."""
    run, size = stream.run, reached - start
    if stream.kind == COPY_DATA and splice.buffer.startswith(BINARY_TRAILER, reached - len(BINARY_TRAILER)):
        rows -= 1
    if meter.may_pass(rows, size):
        run.rows += rows
        run.bytes += size
        return
    buffer = splice.buffer
    end, fitting = _fitting(meter, buffer, start, reached)
    run.rows += fitting
    run.bytes += end - start
    if end == reached:
        return  # a new window of the budget has begun meanwhile
    splice.replace(end, min(reached, len(buffer)))
    begin_cut(state, run, meter.broken(1, HEADER.unpack_from(buffer, end)[1] + 1))


def masked_rows(state: State, splice: Splice, stream: Stream, meter: Meter, start: int) -> int:
    """As the unmetered way; what counts is what the client gets. Returns how far whole rows reach."""
    assert stream.plan.rewriter is not None
    run, rewrite = stream.run, stream.plan.rewriter
    made, reached, rows, cells = rewrite(splice.buffer, start)
    if reached == start:
        return reached
    if meter.may_pass(rows, len(made)):
        run.rows += rows
        run.bytes += splice.replace_rows(start, reached, made)
        run.masked_cells += cells
        return reached
    messages = walk(made, 0, len(made), UNBOUNDED, UNBOUNDED)[1]
    if messages < rows:  # no telling which message has which rows
        splice.replace(start, reached)
        begin_cut(state, run, meter.broken(rows, len(made)))
        return reached
    end, fitting = _fitting(meter, made, 0, len(made))  # a COPY's header or trailer stands for a row here
    run.rows += fitting
    run.bytes += splice.replace_rows(start, reached, made[:end])
    if stream.copy is None:  # a COPY can be masked only once; what was masked of it and not sent counts
        until, _ = walk(splice.buffer, start, reached, fitting, len(splice.buffer))
        cells = rewrite(splice.buffer[:until], start)[3]
    run.masked_cells += cells
    if end < len(made):
        begin_cut(state, run, meter.broken(1, HEADER.unpack_from(made, end)[1] + 1))
    return reached


def copy_meter(state: State, asked: Asked) -> Meter | None:
    """For COPY data, in answer to this request."""
    run = run_of(asked)
    if state.limiter is None or run is None:
        return None
    if isinstance(asked, AskedQuery):
        return meter_of(state, run, asked.running.decision, None, 1)
    if not isinstance(asked, AskedExecute):
        return meter_of(state, run, None, None, 1)
    portal = state.names.portals.get(asked.portal)
    return meter_of(state, run, None if portal is None else portal.prepared.decision, asked.portal, 1)


def passes_rest(state: State, stream: Stream, made: bytes) -> bool:
    """The last bytes of a COPY's last row, which were counted as sent."""
    if stream.meter is None or stream.meter.may_pass(0, len(made)):
        return True
    stream.run.bytes -= len(made)
    begin_cut(state, stream.run, stream.meter.broken(0, len(made)))
    return False


def _fitting(meter: Meter, data: bytes, start: int, end: int) -> tuple[int, int]:
    """(how far the messages reach that may pass, how many); they have been counted."""
    for _ in range(MOST_TRIES):
        position, rows = walk(data, start, end, *meter.room())
        if not rows or meter.may_pass(rows, position - start):
            return position, rows
    return start, 0


def walk(data: bytes, start: int, end: int, rows: int, size: int) -> tuple[int, int]:
    """(how far messages reach, how many) of at most so many and so many bytes; the last may go on behind the data, but
    not behind `end`."""
    position, count = start, 0
    while count < rows and end - position >= HEADER_SIZE:
        behind = position + 1 + HEADER.unpack_from(data, position)[1]
        if behind - start > size or behind > end:
            break
        position = behind
        count += 1
    return position, count


# ---------------------------------------------------------------- the end


def begin_cut(state: State, run: Run, refusal: Refusal) -> None:
    """The rest of the result at the ledger's head must not reach the client: `cutting` goes on from here."""
    entries = state.ledger.entries
    only_its_sync = len(entries) == 1 or (len(entries) == 2 and entries[1].ask is Ask.SYNC)
    if state.phase not in WAITS or not only_its_sync:
        raise FatalError(refusal.sqlstate, refusal.message, refusal.detail, refusal.hint)
    run.limit = refusal
    state.cut = Cut(refusal, state.phase)
    state.phase = Phase.AWAITS_CUT


def limit_message(state: State, asked: Asked, told: ErrorResponse) -> bytes | None:
    """Our words in the place of the server's, when a limit has ended the statement; none when they were said."""
    if state.cut is not None:
        return refusal_message(state.cut.refusal) if state.cut.stage is Stage.RUNS else b""
    limit = None if state.limiter is None else state.limiter.limits.time
    run = run_of(asked)
    if limit is None or run is None or told.get("C") != CANCELED or "user request" in (told.get("M") or ""):
        return None
    if state.now - run.started < limit.amount * 1_000_000:
        return None  # a shorter timeout, of the client's own
    run.limit = too_long(limit)
    return refusal_message(run.limit)


def run_of(asked: Asked) -> Run | None:
    """The run that the server is at."""
    if isinstance(asked, AskedQuery):
        return asked.running.run
    return asked.run if isinstance(asked, AskedExecute) else None
