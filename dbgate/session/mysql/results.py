"""Results: the plan that masks their rows, and the rows' way through."""

from __future__ import annotations

from typing import Final

from dbgate.session.accounts import UNBOUNDED
from dbgate.session.mysql.masking import PASS, Mismatch, RowPlan, ShapeError, row_plan
from dbgate.session.mysql.metering import fitting, row_size, walk
from dbgate.session.mysql.state import AskedFetch, Exchange, FatalError, State, Stream
from dbgate.session.runs import Run
from dbgate.session.splice import Splice
from protocols.errors import PeerError
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.packets import HEADER, HEADER_SIZE, MAX_PAYLOAD, encode, encode_all, resequence
from protocols.mysql.relay import Columns, Piece
from protocols.mysql.replies import EOF_HEADER, ColumnDefinition, Eof, Ok
from protocols.mysql.wire import lenenc
from rules.decision import Decision, Refusal

MOST_PLANS: Final = 512  # plans kept by one session
LASTING: Final = StatusFlag.AUTOCOMMIT | StatusFlag.IN_TRANS | StatusFlag.IN_TRANS_READONLY
OF_OUT_PARAMETERS: Final = StatusFlag.PS_OUT_PARAMS | StatusFlag.MORE_RESULTS_EXISTS
HEAD_CHANGES: Final = Capability.DEPRECATE_EOF | Capability.MARIADB_EXTENDED_METADATA


def open_stream(
    state: State,
    exchange: Exchange,
    definitions: tuple[ColumnDefinition, ...],
    binary: bool,
    decision: Decision | None,
    run: Run,
) -> None:
    plan = PASS
    if state.watched:
        plan = plan_for(state, definitions, binary, decision, run)
    asked = exchange.asked
    tally = asked.cursor.tally if isinstance(asked, AskedFetch) else None
    meter = state.meter(run, decision, len(definitions), tally)
    exchange.stream = Stream(plan, run, definitions, meter)
    shifts = exchange.shift or (state.login.client ^ state.login.upstream) & Capability.DEPRECATE_EOF
    exchange.reader.whole_rows = plan.rewriter is not None or meter is not None or bool(shifts)


def plan_for(
    state: State, definitions: tuple[ColumnDefinition, ...], binary: bool, decision: Decision | None, run: Run
) -> RowPlan:
    """The plan for these rows, made once for each shape."""
    if decision is None or decision.refusal is not None:
        raise FatalError(1142, "42000", "dbgate: the server returns rows of a statement that may not be read")
    key = (definitions, binary, decision.masks, decision.width, decision.kind, state.results.name, state.own_zone)
    plan = state.plans.get(key)
    if plan is None:
        try:
            plan = row_plan(definitions, decision, state.context, binary, state.results, state.own_zone)
        except ShapeError as problem:
            note_mismatch(state, run, Mismatch("", str(problem)), "aborted")
            raise FatalError(1142, "42000", f"dbgate stopped this result before its first row: {problem}") from None
        if len(state.plans) >= MOST_PLANS:
            state.plans.clear()
        state.plans[key] = plan
    for mismatch in plan.mismatches:
        note_mismatch(state, run, mismatch, "masked")
    return plan


def note_mismatch(state: State, run: Run, mismatch: Mismatch, action: str) -> None:
    state.events.append(state.book.mismatch(run, "", mismatch.column, mismatch.origin, action))


def pass_definitions(
    state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int, columns: Columns
) -> None:
    """The column count and the definitions. An EOF that only the client wants behind them is owed until it is clear
    what comes next."""
    client, upstream = state.login.client, state.login.upstream
    told = exchange.stream.plan.definitions if exchange.stream is not None else {}
    if not exchange.shift and not told and not (client ^ upstream) & HEAD_CHANGES:
        if exchange.known is not None and sequence == 1 and exchange.stream is not None:
            note_head(state, exchange, exchange.stream, splice.buffer[piece.start : piece.end], columns.binary)
        return
    first = sequence + exchange.shift
    payloads = [lenenc(len(columns.payloads))]
    payloads += [told.get(n, each).encode(client) for n, each in enumerate(columns.definitions(upstream))]
    if Capability.DEPRECATE_EOF not in client:
        exchange.owes_eof = columns.eof is None
        payloads += [columns.eof.encode(client)] if columns.eof is not None else []
    elif columns.eof is not None and StatusFlag.CURSOR_EXISTS in columns.eof.status:
        payloads.append(Ok(0, 0, columns.eof.status, columns.eof.warnings, header=EOF_HEADER).encode(client))
    elif columns.eof is not None:
        _keep_promise(exchange, columns.eof)
        exchange.shift = exchange.shift - 1 & 0xFF
    splice.replace(piece.start, piece.end, encode_all(payloads, first)[0])


def _keep_promise(exchange: Exchange, eof: Eof) -> None:
    """MySQL says only here that a row is of OUT parameters, and that another reply follows it."""
    if exchange.stream is not None and StatusFlag.PS_OUT_PARAMS in eof.status:
        exchange.stream.promised = eof.status & OF_OUT_PARAMETERS


def note_head(state: State, exchange: Exchange, stream: Stream, head: bytes, binary: bool) -> None:
    """A known statement's result has begun with these packets, which pass as they are: so it may again."""
    known = exchange.known
    if known is not None and stream.plan is PASS and known.context is state.context:
        state.memory.keep_head(known, head, binary)


def pass_rows(
    state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int
) -> tuple[int, int, Refusal] | None:
    """Rows that are whole where they are looked at. Returns what broke a limit (see `back.limited`)."""
    stream = exchange.stream
    assert stream is not None
    if exchange.owes_eof:
        give_owed(state, exchange, splice, piece, sequence)
    if stream.plan.rewriter is not None:
        return _masked(exchange, stream, splice, piece, sequence)
    return _plain(exchange, stream, splice, piece, sequence)


def plain_eof(state: State) -> Eof:
    """The EOF behind definitions that came without: what it says of the session is what the last reply said."""
    return Eof(state.status & LASTING)


def give_owed(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    """The EOF behind the definitions, before the first row or an error in its place."""
    exchange.owes_eof = False
    splice.insert(piece.start, encode(plain_eof(state).encode(state.login.client), sequence + exchange.shift))
    exchange.shift = exchange.shift + 1 & 0xFF


def _plain(
    exchange: Exchange, stream: Stream, splice: Splice, piece: Piece, sequence: int
) -> tuple[int, int, Refusal] | None:
    run, size = stream.run, piece.end - piece.start
    data = splice.buffer
    end = piece.end
    if stream.meter is None or stream.meter.may_pass(piece.rows, size):
        rows = piece.rows
    else:
        end, rows = fitting(stream.meter, data, piece.start, piece.end)
    run.rows += rows
    run.bytes += end - piece.start
    if exchange.shift:
        splice.replace(piece.start, piece.end, resequence(data[piece.start : end], sequence + exchange.shift & 0xFF)[0])
    elif end < piece.end:
        splice.replace(end, piece.end)
    if end == piece.end or stream.meter is None:
        return None
    following = sequence + exchange.shift + packets_in(data, piece.start, end)
    return end, following, stream.meter.broken(1, row_size(data, end))


def _masked(
    exchange: Exchange, stream: Stream, splice: Splice, piece: Piece, sequence: int
) -> tuple[int, int, Refusal] | None:
    assert stream.plan.rewriter is not None
    run, before = stream.run, exchange.shift
    made = stream.plan.rewriter(splice.buffer, piece.start, piece.end, sequence, before)
    if made.consumed != piece.end or made.rows != piece.rows:
        raise PeerError("the upstream sent rows that are not of the announced columns")
    exchange.shift = made.shift & 0xFF
    data, rows, cells = made.data, made.rows, made.cells
    if stream.meter is not None and not stream.meter.may_pass(rows, len(data)):
        end, rows = fitting(stream.meter, data, 0, len(data))
        until, _ = walk(splice.buffer, piece.start, piece.end, rows, UNBOUNDED)
        data, cells = data[:end], stream.plan.rewriter(splice.buffer, piece.start, until, sequence, before).cells
    run.rows += rows
    run.masked_cells += cells
    run.bytes += splice.replace_rows(piece.start, piece.end, data)
    if len(data) == len(made.data) or stream.meter is None:
        return None
    following = sequence + before + packets_in(data, 0, len(data))
    return len(data), following, stream.meter.broken(1, row_size(made.data, len(data)))


def packets_in(data: bytes, start: int, end: int) -> int:
    count = 0
    while start < end:
        start += HEADER_SIZE + (HEADER.unpack_from(data, start)[0] & MAX_PAYLOAD)
        count += 1
    return count
