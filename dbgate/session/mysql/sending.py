"""One command of the client's, and what may be done with it: send it on, send something in its place, answer it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from dbgate.session.mysql.memory import Known
from dbgate.session.mysql.overtime import begin
from dbgate.session.mysql.state import Asked, Exchange, Phase, Refused, State
from dbgate.session.mysql.texts import refusal_error, signal
from protocols.mysql.commands import Query
from protocols.mysql.packets import encode, packet_count
from protocols.mysql.relay import Expect, ReplyReader
from protocols.mysql.replies import Err, Ok
from rules.decision import Decision, Refusal


@dataclass(slots=True)
class Sending:
    """A whole command: its payload, the packets as they came, and the sequence id of the reply's first packet."""

    payload: bytes
    raw: bytes
    next: int


class Out(NamedTuple):
    """What one command makes go out at once."""

    to_upstream: bytes = b""
    to_client: bytes = b""


NOTHING: Final = Out()


def forward(
    state: State,
    sending: Sending,
    asked: Asked,
    expect: Expect,
    payload: bytes | None = None,
    known: Known | None = None,
) -> Out:
    """Sends the client's own packets, or `payload` in their place, and waits for the reply."""
    raw, due = sending.raw, sending.next
    if payload is not None:
        raw, due = encode(payload, 0), packet_count(len(payload)) & 0xFF
    reader = ReplyReader(expect, state.login.upstream, due, whole_rows=False)
    state.exchange = Exchange(asked, reader, shift=sending.next - due & 0xFF, known=known)
    state.phase = Phase.ANSWERING
    if state.limiter is not None:
        begin(state)
    return Out(raw)


def answer(state: State, sending: Sending, reply: Ok | Err) -> Out:
    """The gate's own reply; the server hears nothing of the command."""
    return Out(b"", encode(reply.encode(state.login.client), sending.next))


def refuse_command(state: State, sending: Sending, text: str, decision: Decision, refusal: Refusal) -> Out:
    """A statement that must fail goes in the refused one's place: the server's diagnostics, ROW_COUNT() and the state
    of its transaction are then what a failure leaves behind."""
    state.start_run(text, decision)
    state.tainted = False
    return forward(state, sending, Refused(refusal), Expect.TEXT_RESULT, query_payload(state, signal(refusal)))


def query_payload(state: State, sql: bytes) -> bytes:
    return Query(sql).encode(state.login.upstream)


def refusal_packet(state: State, refusal: Refusal, sequence: int) -> bytes:
    return encode(refusal_error(refusal).encode(state.login.client), sequence)
