"""The server's replies: matched with what was asked, masked, counted, and passed on.

The reply's reader says what each piece is; a handler here says what becomes of it. What it does not replace in the
splice passes as it came. `sequence`: the id, on the server's side, of the piece's first packet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dbgate.session.mysql.endings import ending, noted_status, without_default
from dbgate.session.mysql.metering import begin_cut, none_behind
from dbgate.session.mysql.overtime import answered_late, timed_out
from dbgate.session.mysql.refusals import law
from dbgate.session.mysql.registry import Cursor
from dbgate.session.mysql.results import give_owed, open_stream, pass_definitions, pass_rows, plain_eof
from dbgate.session.mysql.sending import query_payload, refusal_packet
from dbgate.session.mysql.state import (
    AskedDatabase,
    AskedExecute,
    AskedFetch,
    AskedFields,
    AskedPlain,
    AskedPrepare,
    AskedQuery,
    AskedReset,
    AskedWorld,
    Exchange,
    FatalError,
    Phase,
    Refused,
    State,
)
from dbgate.session.mysql.texts import failed_check, refusal_error, without_data
from dbgate.session.mysql.working import INTERNAL, WORKED, ended_result
from dbgate.session.mysql.world import hear
from dbgate.session.runs import NOT_RUN, Run, Tally
from dbgate.session.splice import Splice
from protocols.errors import PeerError
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.packets import encode, encode_all
from protocols.mysql.relay import Columns, Expect, Fields, Kind, Piece, Prepared, ReplyReader
from protocols.mysql.replies import Eof, Err, Ok
from rules.decision import Decision, Refusal

Handler = Callable[[State, Exchange, Splice, Piece, int], None]
LOCAL_INFILE: Final = law(
    "local-infile", "the server asks the client for a file (LOAD DATA LOCAL)", "insert the rows with INSERT"
)


def handle(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    """One piece of the outstanding reply."""
    if isinstance(exchange.asked, AskedWorld):
        if isinstance(piece.value, Ok | Eof):
            noted_status(state, piece.value)
        hear(state, exchange, splice, piece)
    else:
        HANDLERS[piece.kind](state, exchange, splice, piece, sequence)


def replace(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int, payload: bytes) -> None:
    """One packet stands in the piece's place."""
    splice.replace(piece.start, piece.end, encode(payload, sequence + exchange.shift))


# ---------------------------------------------------------------- OK and the end of rows


def on_ok(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    value = piece.value
    assert isinstance(value, Ok | Eof)
    noted_status(state, value)
    asked = exchange.asked
    if isinstance(asked, Refused):
        _refused_after_all(state, exchange, splice, piece, sequence, asked)
        return
    none_behind(exchange)
    if isinstance(asked, AskedQuery | AskedExecute) and (late := _late_ok(state, exchange)) is not None:
        splice.replace(piece.start, piece.end, refusal_packet(state, late, sequence + exchange.shift & 0xFF))
    elif not isinstance(asked, AskedReset):
        _pass_ending(state, exchange, splice, piece, sequence, value)
    WORKED[type(asked)](state, exchange, value)
    if isinstance(asked, AskedReset):
        _hold(state, asked, splice, piece, sequence, value)


def _late_ok(state: State, exchange: Exchange) -> Refusal | None:
    """The limit, in the place of an OK that comes too late."""
    decision, run = current(exchange)
    late = answered_late(state, exchange, decision) if exchange.cut is None else None
    if run is not None and late is not None:
        run.limit = late
    return late


def _pass_ending(
    state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int, value: Ok | Eof
) -> None:
    if exchange.cut is not None:
        splice.replace(piece.start, piece.end)
        return
    payload = ending(state, exchange, value)
    if payload is not None:
        replace(state, exchange, splice, piece, sequence, payload)


def on_rows_end(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    value = piece.value
    assert isinstance(value, Ok | Eof)
    noted_status(state, value)
    if exchange.owes_eof:
        _end_of_owed(state, exchange, splice, piece, sequence, value)
    else:
        _pass_ending(state, exchange, splice, piece, sequence, value)
    if StatusFlag.CURSOR_EXISTS in value.status and isinstance(exchange.asked, AskedExecute):
        note_cursor(state, exchange, exchange.asked)
    ended_result(state, exchange, value)


def _end_of_owed(
    state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int, value: Ok | Eof
) -> None:
    """Definitions without an EOF of their own, and no rows: for a client that wants one behind them."""
    exchange.owes_eof = False
    last = ending(state, exchange, value) or Eof(value.status, value.warnings).encode(state.login.client)
    first = plain_eof(state).encode(state.login.client)
    payloads = [last] if StatusFlag.CURSOR_EXISTS in value.status else [first, last]
    data, _ = encode_all(payloads, sequence + exchange.shift)
    exchange.shift = exchange.shift + len(payloads) - 1 & 0xFF
    splice.replace(piece.start, piece.end, b"" if exchange.cut is not None else data)


def _hold(state: State, asked: AskedReset, splice: Splice, piece: Piece, sequence: int, value: Ok | Eof) -> None:
    """COM_RESET_CONNECTION, or one of the pins after it, has worked: the next pin goes out, or the client hears."""
    exchange = state.exchange
    assert exchange is not None
    if not asked.held:
        payload = ending(state, exchange, value) or value.encode(state.login.client)
        asked.held = encode(payload, sequence + exchange.shift)
    if not asked.pins:
        splice.replace(piece.start, piece.end, asked.held)
        return
    splice.replace(piece.start, piece.end)
    state.send_up += encode(query_payload(state, asked.pins.pop(0).encode()), 0)
    exchange.reader = ReplyReader(Expect.TEXT_RESULT, state.login.upstream)
    exchange.goes_on = True


def _refused_after_all(
    state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int, asked: Refused
) -> None:
    """Only the answer to a file that was not sent may be OK."""
    if asked.must_fail:
        raise FatalError(*INTERNAL, "dbgate: a statement that had to fail did not; the session cannot go on safely")
    splice.replace(piece.start, piece.end, refusal_packet(state, asked.refusal, sequence + exchange.shift))


# ---------------------------------------------------------------- errors


def on_err(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    told = piece.value
    assert isinstance(told, Err)
    asked = exchange.asked
    if isinstance(asked, AskedReset) and asked.held:
        raise FatalError(*INTERNAL, "dbgate: after the reset the session could not be set up again")
    sqlstate = told.sqlstate
    shown = error_for_client(state, exchange, told)
    if exchange.owes_eof and exchange.cut is None:
        give_owed(state, exchange, splice, piece, sequence)
    if exchange.cut is not None:
        splice.replace(piece.start, piece.end)
    elif shown is not told:
        sqlstate = shown.sqlstate
        replace(state, exchange, splice, piece, sequence, shown.encode(state.login.client))
    elif exchange.shift:
        replace(state, exchange, splice, piece, sequence, told.encode(state.login.client))
    fail(state, exchange, sqlstate)


def error_for_client(state: State, exchange: Exchange, told: Err) -> Err:
    """The server's own error, or what stands in its place."""
    asked = exchange.asked
    if isinstance(asked, Refused):
        return refusal_error(asked.refusal)
    decision, run = current(exchange)
    if (limit := timed_out(state, exchange, run, told)) is not None:
        return refusal_error(limit)
    if not exchange.hides:
        return told
    rewrite = None if decision is None else decision.rewrite
    refusal = failed_check(told, None if rewrite is None else rewrite.check)
    if refusal is not None:
        return refusal_error(refusal)
    return without_data(told, rewrite is not None, decision is None or decision.calls_user)


def current(exchange: Exchange) -> tuple[Decision | None, Run | None]:
    """The statement that the server is at, and its run."""
    asked = exchange.asked
    if isinstance(asked, AskedQuery | AskedExecute):
        return asked.running.decision, asked.running.run
    if isinstance(asked, AskedPrepare):
        return asked.prepared.decision, None
    if isinstance(asked, AskedFetch):
        return asked.cursor.decision, asked.run
    return (asked.decision, asked.run) if isinstance(asked, AskedFields) else (None, None)


def fail(state: State, exchange: Exchange, sqlstate: str) -> None:
    """The command has failed; of a text, the statement at hand, and what follows it did not run."""
    asked = exchange.asked
    exchange.stream = None
    if isinstance(asked, AskedQuery | AskedExecute):
        if asked.running.run is not None:
            state.finish_run(asked.running.run, sqlstate=sqlstate)
        for run in asked.running.runs:
            state.finish_run(run, sqlstate=NOT_RUN)
    elif isinstance(asked, AskedFetch | AskedDatabase | AskedFields | AskedPlain) and asked.run is not None:
        state.finish_run(asked.run, sqlstate=sqlstate)


# ---------------------------------------------------------------- results


def on_columns(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    columns = piece.value
    assert isinstance(columns, Columns)
    if columns.eof is not None:
        noted_status(state, columns.eof)
    if isinstance(exchange.asked, Refused):
        raise FatalError(*INTERNAL, "dbgate: a statement that had to fail did not; the session cannot go on safely")
    none_behind(exchange)
    decision, run = current(exchange)
    if run is None:
        raise PeerError("the upstream returned rows for more statements than the text holds")
    definitions = columns.definitions(state.login.upstream)
    open_stream(state, exchange, definitions, columns.binary, decision, run)
    if exchange.cut is not None:
        splice.replace(piece.start, piece.end)
    elif (late := answered_late(state, exchange, decision)) is not None:
        splice.replace(piece.start, piece.end, refusal_packet(state, late, sequence + exchange.shift & 0xFF))
        begin_cut(state, exchange, run, late)
    else:
        pass_definitions(state, exchange, splice, piece, sequence, columns)
    if columns.eof is not None and StatusFlag.CURSOR_EXISTS in columns.eof.status:
        if isinstance(exchange.asked, AskedExecute):
            note_cursor(state, exchange, exchange.asked)
        ended_result(state, exchange, columns.eof)


def note_cursor(state: State, exchange: Exchange, asked: AskedExecute) -> None:
    """The rows wait for COM_STMT_FETCH."""
    stream = exchange.stream
    if stream is not None:
        tally = stream.meter.tally if stream.meter is not None else Tally()
        asked.prepared.cursor = Cursor(asked.decision, stream.definitions, tally)


def on_rows(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    if exchange.cut is not None:
        splice.replace(piece.start, min(piece.end, len(splice.buffer)))
        return
    asked = exchange.asked
    if exchange.stream is None:
        if not isinstance(asked, AskedFetch):
            raise PeerError("the upstream sent a row before its column definitions")
        open_stream(state, exchange, asked.cursor.definitions, True, asked.cursor.decision, asked.run)
    broken = pass_rows(state, exchange, splice, piece, sequence)
    if broken is not None:
        limited(state, exchange, splice, piece, broken)


def limited(state: State, exchange: Exchange, splice: Splice, piece: Piece, broken: tuple[int, int, Refusal]) -> None:
    """(where in the buffer the rows end that pass, the client's sequence id there, the limit)."""
    _, sequence, refusal = broken
    _, run = current(exchange)
    assert run is not None
    splice.insert(piece.end, refusal_packet(state, refusal, sequence & 0xFF))
    exchange.reader.whole_rows = False
    begin_cut(state, exchange, run, refusal)


# ---------------------------------------------------------------- other replies


def on_prepared(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    found, asked = piece.value, exchange.asked
    assert isinstance(found, Prepared)
    if not isinstance(asked, AskedPrepare):
        raise PeerError("the upstream has prepared what nobody asked for")
    asked.prepared.number = found.ok.statement_id
    asked.prepared.parameters = found.ok.parameters
    state.names.prepared(asked.prepared)
    client, upstream = state.login.client, state.login.upstream
    if not exchange.shift and not (client ^ upstream) & (
        Capability.DEPRECATE_EOF | Capability.MARIADB_EXTENDED_METADATA
    ):
        return
    payloads = [found.ok.encode(client)]
    for columns in (found.parameters, found.columns):
        payloads += [each.encode(client) for each in columns.definitions(upstream)]
        if columns.payloads and Capability.DEPRECATE_EOF not in client:
            payloads.append((columns.eof or plain_eof(state)).encode(client))
    splice.replace(piece.start, piece.end, encode_all(payloads, sequence + exchange.shift)[0])


def on_fields(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    found, asked = piece.value, exchange.asked
    assert isinstance(found, Fields)
    if not isinstance(asked, AskedFields):
        raise PeerError("the upstream lists columns that nobody asked for")
    noted_status(state, found.end)
    state.finish_run(asked.run, tag=f"COLUMNS {len(found.payloads)}")
    end = ending(state, exchange, found.end)
    if not (asked.decision.masks or exchange.shift or end or state.translates):
        return
    client = state.login.client
    definitions = found.definitions(state.login.upstream)
    payloads = [without_default(each, bool(asked.decision.masks)).encode(client) for each in definitions]
    payloads.append(end or found.end.encode(client))
    splice.replace(piece.start, piece.end, encode_all(payloads, sequence + exchange.shift)[0])


def on_text(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    if not isinstance(exchange.asked, AskedPlain):
        raise PeerError("the upstream sent a text that nobody asked for")
    if exchange.asked.run is not None:
        state.finish_run(exchange.asked.run, tag="TEXT")


def on_local_infile(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    """The server gets an empty file, the client the refusal, in the place of the server's last word."""
    asked = exchange.asked
    if not isinstance(asked, AskedQuery):
        raise FatalError(*INTERNAL, "dbgate: the server asks for a file; the session cannot go on safely")
    splice.replace(piece.start, piece.end)
    for run in asked.running.runs:
        state.finish_run(run, sqlstate=LOCAL_INFILE.sqlstate)
    exchange.asked = Refused(LOCAL_INFILE, must_fail=False)
    exchange.reader.expect(sequence + 2)
    exchange.shift = exchange.shift - 2 & 0xFF
    state.send_up += encode(b"", sequence + 1)


def on_auth(state: State, exchange: Exchange, splice: Splice, piece: Piece, sequence: int) -> None:
    raise PeerError("the upstream asks for authentication again")


HANDLERS: Final[dict[Kind, Handler]] = {
    Kind.OK: on_ok,
    Kind.ERR: on_err,
    Kind.COLUMNS: on_columns,
    Kind.ROWS: on_rows,
    Kind.ROWS_END: on_rows_end,
    Kind.PREPARED: on_prepared,
    Kind.FIELDS: on_fields,
    Kind.TEXT: on_text,
    Kind.LOCAL_INFILE: on_local_infile,
    Kind.AUTH: on_auth,
}


def settle(state: State, exchange: Exchange) -> None:
    """A whole piece has been handled: is the reply over?"""
    if exchange.goes_on:
        exchange.goes_on = False
        return
    if not exchange.reader.complete:
        return
    if exchange.killing:
        return
    state.exchange = None
    state.phase = Phase.OPEN
