"""When the gate asks what names mean by now: before the first message that has any.

A path that was set inside a transaction is not asked for sooner. The server takes a snapshot for a question, after
which it refuses SET TRANSACTION ISOLATION LEVEL, and which a transaction of REPEATABLE READ keeps (manual, "SET
TRANSACTION"). What changes the structure has taken one already: that is asked about at once.
"""

from __future__ import annotations

from typing import Final

from dbgate.session.long_texts import SHORT
from dbgate.session.postgres.asking import ask_in_batch, ask_path, may_ask, may_ask_in_batch
from dbgate.session.postgres.freshness import is_nameless
from dbgate.session.postgres.naming import find_named
from dbgate.session.postgres.registry import server_name
from dbgate.session.postgres.state import Phase, State
from dbgate.session.splice import Splice
from protocols.postgres import frontend
from protocols.postgres.frames import HEADER_SIZE
from rules.tree import CarrierKind

#: What the server reads names in, at once or when it runs; within a batch an Execute was preceded by its Bind.
HAS_NAMES: Final = frozenset(b"QPB")
WITHIN_TRANSACTION: Final = ord("T")
QUERY, PARSE, EXECUTE = ord("Q"), ord("P"), ord("E")


def asks_first(state: State, kind: int, splice: Splice, start: int, end: int) -> bool:
    """Must the message wait for a question? Then that is sent in front of it."""
    if kind not in HAS_NAMES and kind != EXECUTE:
        return False
    if may_ask_in_batch(state):
        if kind == EXECUTE or without_names(state, kind, splice.buffer, start, end):
            return False
        splice.insert(start, ask_in_batch(state))
        return True
    within = state.status == WITHIN_TRANSACTION and may_ask(state)
    if not (state.watched and within) or without_names(state, kind, splice.buffer, start, end):
        return False
    if state.unanswered:
        state.unanswered = False  # the message is refused; asking again and again would hold the client for ever
        return False
    if state.ledger.entries:
        state.phase = Phase.AWAITS_QUIET
    else:
        splice.insert(start, ask_path(state))
    return True


def without_names(state: State, kind: int, buffer: bytes, start: int, end: int) -> bool:
    """Is it about the transaction or settings alone? Long texts are not looked at twice."""
    payload = start + HEADER_SIZE
    if kind in (QUERY, PARSE):
        text = read_text(kind, buffer, payload, end)
        return len(text) <= SHORT and all(map(is_nameless, state.context.decide(text)))
    if kind == EXECUTE:
        carrier, name = CarrierKind.CURSOR, frontend.read_execute(buffer, payload, end)[0]
    else:
        carrier, name = CarrierKind.STATEMENT, frontend.read_bind_names(buffer, payload, end)[1]
    prepared = find_named(state, carrier, server_name(name))
    return prepared is not None and is_nameless(prepared.decision)


def read_text(kind: int, buffer: bytes, start: int, end: int) -> bytes:
    return frontend.read_query(buffer, start, end) if kind == QUERY else frontend.read_parse(buffer, start, end)[1]
