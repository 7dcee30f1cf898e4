"""Where things end in the middle: an upstream that closes at any byte, a FATAL in a pipeline, messages that come
unasked, a session that prepares without end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbgate.audit.events import SessionEnded
from dbgate.session.postgres.login import Limits
from protocols.postgres import backend, frontend
from protocols.postgres.frames import split
from tests.dbgate.session.fakes import FakePolicy, new_session
from tests.dbgate.session.model_server import SECRET, ModelServer, column
from tests.dbgate.session.test_properties import MESSAGES, Wires
from tests.dbgate.session.test_session import ONE, READY, ROWS, SYNC, decoded, exchange, only_error, query, row

MASKED = query("SELECT masked")
EXTENDED = b"".join(
    message.encode()
    for message in (
        frontend.Parse("", "SELECT masked"),
        frontend.Bind("", ""),
        frontend.Describe(frontend.Target.PORTAL, ""),
        frontend.Execute(""),
        frontend.Sync(),
    )
)
CASES = {
    "masked rows": MASKED,
    "plain rows": query("SELECT 1"),
    "an error about hidden data": query("SELECT masked fail"),
    "the extended protocol": EXTENDED,
    "a refusal": query("forbidden"),
    "a pipeline": query("SELECT 1") + MASKED + EXTENDED + query("SELECT fail"),
    "several statements": query("SELECT 1; SELECT masked; SELECT hidden fail"),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("unrestricted", [False, True])
def test_an_upstream_that_closes_at_any_byte(name: str, unrestricted: bool) -> None:
    sent = CASES[name]
    whole = ModelServer().receive(new_session(FakePolicy(unrestricted)).client_sent(sent, 0).to_upstream)
    for cut in range(len(whole) + 1):
        session = new_session(FakePolicy(unrestricted))
        events = list(session.client_sent(sent, 0).events)
        first = session.upstream_sent(whole[:cut], 0)
        last = session.upstream_lost("closed", 0)
        received = first.to_client + last.to_client
        events += [*first.events, *last.events]
        assert unrestricted or SECRET not in received
        check_end(received, last.to_client)
        assert isinstance(events[-1], SessionEnded)
        decided = [e.statement_id for e in events if e.type == "statement_decided" and e.verdict == "allow"]  # type: ignore[attr-defined]
        finished = [e.statement_id for e in events if e.type == "statement_finished"]  # type: ignore[attr-defined]
        assert sorted(decided) == sorted(finished)


def check_end(received: bytes, last: bytes) -> None:
    """Whole messages and one FATAL at their end; or, in the midst of a row that passes, not one byte more."""
    messages, consumed = split(received, 0, 1 << 30)
    if consumed < len(received):
        assert received[consumed] == ord("D")
        assert last == b""
        return
    told = [m for m in decoded(received) if isinstance(m, backend.ErrorResponse)]
    assert [m.get("S") for m in told].count("FATAL") == 1
    assert chr(messages[-1][0]) == "E"


def test_last_words_are_not_put_into_a_row() -> None:
    reply = ROWS + row(b"x" * 100) + ONE + READY
    for end in ("terminate", "client"):
        session = new_session()
        session.client_sent(query("SELECT 1"), 0)
        assert session.upstream_sent(reply[: len(ROWS) + 50], 0).to_client
        outcome = session.terminate("57P01", "bye", 0) if end == "terminate" else session.client_sent(b"\0" * 9, 0)
        assert outcome.to_client == b""
        assert isinstance(outcome.events[-1], SessionEnded)


def test_a_fatal_in_a_pipeline_is_the_last_message() -> None:
    session, server = new_session(), ModelServer()
    outcome = session.client_sent(query("SELECT 1") + MASKED + query("SELECT 3"), 0)
    replies = server.receive(outcome.to_upstream)
    first = replies[: replies.index(READY) + len(READY)]
    secret = backend.error("FATAL", "XX001", f"terminating while reading {SECRET.decode()}").encode()
    told = session.upstream_sent(first + secret, 0)
    assert SECRET not in told.to_client
    assert only_error(told.to_client).get("C") == "XX001"
    closed = session.upstream_lost("closed", 0)
    assert closed.to_client == b""
    assert [getattr(e, "sqlstate", None) for e in closed.events] == ["unknown", "unknown", None]


UNASKED = st.sampled_from(
    [
        backend.ParameterStatus("application_name", "x").encode(),
        backend.ParameterStatus("client_encoding", "UTF8").encode(),
        backend.notice("NOTICE", "00000", "told").encode(),
        backend.NotificationResponse(1, "channel", "payload").encode(),
    ]
)


class Chatty(ModelServer):
    """A server that says something unasked between any two messages."""

    extra: list[bytes]

    def receive(self, data: bytes) -> bytes:
        told = super().receive(data)
        out = b""
        for _, start, end in split(told, 0, 1 << 30)[0]:
            out += (self.extra.pop() if self.extra else b"") + told[start:end]
        return out


@settings(max_examples=100, deadline=None)
@given(st.lists(MESSAGES, max_size=8), st.lists(st.one_of(st.just(b""), UNASKED), max_size=40), st.integers(1, 50))
def test_what_comes_unasked_changes_nothing_else(
    messages: list[frontend.FrontendMessage], extra: list[bytes], size: int
) -> None:
    data = b"".join(message.encode() for message in messages) + SYNC
    quiet, chatty = Wires(FakePolicy()), Wires(FakePolicy())
    server = Chatty()
    server.extra = list(extra)
    chatty.server = server
    for wires in (quiet, chatty):
        wires.take(wires.session.client_sent(data, 0))
        while wires.to_server or wires.to_session:
            wires.move_up(1 << 20)
            wires.move_down(size)
    heard = [m for m in split_whole(chatty.received) if m[:1] not in b"SNA"]
    assert heard == split_whole(quiet.received)
    told = sum(1 for m in split_whole(chatty.received) if m[:1] in b"SNA")
    assert told == sum(map(bool, extra)) - sum(map(bool, server.extra))


def split_whole(data: bytes) -> list[bytes]:
    messages, consumed = split(data, 0, 1 << 30)
    assert consumed == len(data)
    return [data[start:end] for _, start, end in messages]


# ---------------------------------------------------------------- bounds


def parse(name: str, text: str = "SELECT 1") -> bytes:
    return frontend.Parse(name, text).encode() + SYNC


@pytest.mark.parametrize("unrestricted", [False, True])
def test_a_session_prepares_so_many_statements_and_no_more(unrestricted: bool) -> None:
    session, server = new_session(FakePolicy(unrestricted), Limits(prepared=3)), ModelServer()
    for name in ("a", "b", "c"):
        assert b"1\0\0\0\4" in exchange(session, server, parse(name))
    refused = only_error(exchange(session, server, parse("d")))
    assert (refused.get("C"), "DEALLOCATE" in (refused.get("H") or "")) == ("53400", True)
    exchange(session, server, parse("", "SELECT 2"))
    assert server.statements[""] == "SELECT 2"  # the unnamed one takes no place
    exchange(session, server, frontend.Close(frontend.Target.STATEMENT, "a").encode() + SYNC)
    assert b"1\0\0\0\4" in exchange(session, server, parse("d"))


def test_texts_of_prepared_statements_are_bounded_too() -> None:
    session, server = new_session(limits=Limits(prepared_bytes=100)), ModelServer()
    long = "SELECT " + "1" * 40
    for _ in range(5):
        exchange(session, server, parse("", long))  # each takes the place of the one before
    exchange(session, server, parse("a", long))
    assert only_error(exchange(session, server, parse("b", long))).get("C") == "53400"
    assert "b" not in server.statements
    assert session.idle


def test_a_described_shape_may_come_in_any_pieces() -> None:
    whole = backend.RowDescription((column(),)).encode() + row(SECRET) + ONE + READY
    for cut in range(len(whole)):
        session = new_session()
        session.client_sent(MASKED, 0)
        parts = session.upstream_sent(whole[:cut], 0), session.upstream_sent(whole[cut:], 0)
        received = b"".join(part.to_client for part in parts)
        assert SECRET not in received
        assert received.endswith(ONE + READY)
