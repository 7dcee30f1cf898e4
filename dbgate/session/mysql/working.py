"""What a command has changed when it has worked: names, settings, and the audit's outcomes of a text's statements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dbgate.session.mysql.effects import note_done, server_name
from dbgate.session.mysql.overtime import begin
from dbgate.session.mysql.own import forget
from dbgate.session.mysql.state import (
    AskedDatabase,
    AskedExecute,
    AskedFetch,
    AskedFields,
    AskedOption,
    AskedPlain,
    AskedPrepare,
    AskedQuery,
    AskedReset,
    AskedStatementReset,
    AskedWorld,
    Exchange,
    FatalError,
    State,
)
from dbgate.session.runs import Running
from protocols.errors import PeerError
from protocols.mysql.charsets import BY_NAME
from protocols.mysql.replies import Eof, Ok
from rules.decision import Decision

INTERNAL: Final = (1105, "HY000")


def ended_result(state: State, exchange: Exchange, value: Ok | Eof) -> None:
    stream, exchange.stream = exchange.stream, None
    asked = exchange.asked
    if isinstance(asked, AskedQuery | AskedExecute):
        running = asked.running
        tag = "" if stream is None else f"ROWS {stream.run.rows}"
        if not follows(running.decision) and running.decision is not None:
            step(state, running, tag)
        if exchange.reader.complete:
            end_text(state, running, tag)
    elif isinstance(asked, AskedFetch):
        state.finish_run(asked.run, tag=f"ROWS {asked.run.rows}")


def follows(decision: Decision | None) -> bool:
    """May more results of the same statement come behind a result?"""
    return decision is not None and (decision.kind == "call" or decision.runs is not None)


def step(state: State, running: Running, tag: str) -> None:
    """The statement that the server was at has worked."""
    if running.decision is not None and running.run is not None:
        note_done(state, running.decision, running.text)
        state.finish_run(running.run, tag=tag)
    running.at += 1
    if state.limiter is not None and running.decision is not None:
        begin(state)


def end_text(state: State, running: Running, tag: str) -> None:
    """The last reply of a text is through."""
    while running.decision is not None:
        step(state, running, tag)


def _query_worked(state: State, exchange: Exchange, value: Ok | Eof) -> None:
    asked = exchange.asked
    assert isinstance(asked, AskedQuery | AskedExecute)
    running = asked.running
    if running.decision is None and state.watched:
        raise PeerError("the upstream answered more statements than the text holds")
    tag = f"OK {value.affected_rows}" if isinstance(value, Ok) else "OK"
    if running.at < len(running.decisions) - 1:
        step(state, running, tag)
    if exchange.reader.complete:
        end_text(state, running, tag)


def _database_worked(state: State, exchange: Exchange, value: Ok | Eof) -> None:
    asked = exchange.asked
    assert isinstance(asked, AskedDatabase)
    state.use_database(server_name(state, asked.name))
    state.finish_run(asked.run, tag="OK")


def _option_worked(state: State, exchange: Exchange, value: Ok | Eof) -> None:
    asked = exchange.asked
    assert isinstance(asked, AskedOption)
    state.multi = asked.multi


def _statement_reset(state: State, exchange: Exchange, value: Ok | Eof) -> None:
    asked = exchange.asked
    assert isinstance(asked, AskedStatementReset)
    asked.prepared.cursor = None
    asked.prepared.long_data.clear()


def _plain_worked(state: State, exchange: Exchange, value: Ok | Eof) -> None:
    asked = exchange.asked
    if isinstance(asked, AskedPlain) and asked.run is not None:
        state.finish_run(asked.run, tag="OK")


def _nothing(state: State, exchange: Exchange, value: Ok | Eof) -> None:
    raise FatalError(*INTERNAL, "dbgate: the server answered a command as no server does")


def _reset_worked(state: State, exchange: Exchange, value: Ok | Eof) -> None:
    state.names.clear()
    state.tainted = False
    state.charset = state.results = BY_NAME[state.login.charset]
    state.own_zone = True
    state.memory.forget()
    forget(state)


WORKED: Final[dict[type, Callable[[State, Exchange, Ok | Eof], None]]] = {
    AskedQuery: _query_worked,
    AskedExecute: _query_worked,
    AskedDatabase: _database_worked,
    AskedOption: _option_worked,
    AskedStatementReset: _statement_reset,
    AskedReset: _reset_worked,
    AskedPlain: _plain_worked,
    AskedPrepare: _nothing,
    AskedFetch: _nothing,
    AskedFields: _nothing,
    AskedWorld: _nothing,
}
