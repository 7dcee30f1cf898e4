"""The steady state gives the same bytes and the same audit as the general way, and gives up in time."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbgate.session.postgres import steady
from protocols.postgres import backend, frontend
from protocols.postgres.backend import TransactionStatus
from tests.dbgate.session.fakes import MASKED_TABLE, FakePolicy, kinds, new_session
from tests.dbgate.session.model_server import SECRET, ModelServer, column

SYNC = frontend.Sync().encode()
READY = backend.ReadyForQuery(TransactionStatus.IDLE).encode()
ONE = backend.CommandComplete("SELECT 1").encode()
DESCRIBE = frontend.Describe(frontend.Target.PORTAL, "").encode()
RUN = frontend.Execute("").encode() + SYNC
NOTICE = backend.notice("NOTICE", "00000", "by the way").encode()


def query(sql: str) -> bytes:
    return frontend.Query(sql).encode()


def bound(name: str, described: bool, values: tuple[bytes | None, ...] = (b"1",)) -> bytes:
    return frontend.Bind("", name, (), values).encode() + (DESCRIBE if described else b"") + RUN


def parsed(sql: str, described: bool) -> bytes:
    return frontend.Parse("", sql).encode() + bound("", described)


class Line:
    """A session with its model server; `steps` counts what took the short way."""

    def __init__(self, policy: FakePolicy, short: bool) -> None:
        self.session, self.server, self.short = new_session(policy), ModelServer(), short
        self.client = b""
        self.events: list[tuple[Any, ...]] = []

    def exchange(self, data: bytes, pieces: int, notice: bool) -> None:
        with patch.object(steady, "send", steady.send if self.short else lambda state, data: False):
            outcome = self.session.client_sent(data, 0)
            self.note(outcome)
            while outcome.to_upstream:
                reply = self.server.receive(outcome.to_upstream)
                reply = NOTICE + reply if notice else reply
                outcome = self.answer(reply, pieces)
                notice = False

    def answer(self, reply: bytes, pieces: int) -> Any:
        size = max(1, -(-len(reply) // pieces))
        outcome: Any = None
        for start in range(0, len(reply), size):
            outcome = self.session.upstream_sent(reply[start : start + size], 0)
            self.note(outcome)
        return outcome

    def note(self, outcome: Any) -> None:
        self.client += outcome.to_client
        for event in outcome.events:
            facts = (
                getattr(event, name, None) for name in ("statement", "statement_id", "verdict", "rows", "sqlstate")
            )
            self.events.append((event.type, *facts))


TEXTS = st.sampled_from(
    ["SELECT 1", "SELECT masked", "SELECT fail", "SELECT hidden fail", "forbidden", "BEGIN", "COMMIT", "ROLLBACK",
     "INSERT 1", "nonsense", "SET search_path", "CREATE t", "DECLARE c SELECT 1", "FETCH c", ""]
)  # fmt: skip
EXCHANGES = st.one_of(
    TEXTS.map(query),
    st.builds(bound, st.sampled_from(["a", "b", ""]), st.booleans()),
    st.builds(parsed, TEXTS, st.booleans()),
    st.builds(lambda name, sql: frontend.Parse(name, sql).encode() + SYNC, st.sampled_from(["a", "b"]), TEXTS),
    st.builds(
        lambda name: frontend.Close(frontend.Target.STATEMENT, name).encode() + SYNC, st.sampled_from(["a", "b"])
    ),
    st.just(query("SELECT 1") + query("SELECT 1")),
)


@settings(max_examples=250, deadline=None)
@given(st.booleans(), st.lists(st.tuples(EXCHANGES, st.integers(1, 4), st.booleans()), max_size=14))
def test_the_short_way_and_the_general_way_are_one(
    nothing_to_hide: bool, script: list[tuple[bytes, int, bool]]
) -> None:
    short, general = (Line(FakePolicy(unrestricted=nothing_to_hide), way) for way in (True, False))
    for data, pieces, notice in script:
        short.exchange(data, pieces, notice)
        general.exchange(data, pieces, notice)
    assert short.client == general.client
    assert short.events == general.events
    assert short.server.ran == general.server.ran
    assert short.session.idle == general.session.idle
    if not nothing_to_hide:
        assert SECRET not in short.client


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize(
    ("first", "again"),
    [
        (query("SELECT 1"), query("SELECT 1")),
        (frontend.Parse("p", "SELECT 1").encode() + bound("p", True), bound("p", True)),
        (frontend.Parse("p", "SELECT 1").encode() + bound("p", False), bound("p", False)),
    ],
)
def test_the_second_time_is_short(watched: bool, first: bytes, again: bytes) -> None:
    line = Line(FakePolicy(unrestricted=not watched), True)
    line.exchange(first, 1, False)
    outcome = line.session.client_sent(again, 7)
    assert outcome.to_upstream is again
    assert kinds(outcome) == ["decided"]
    assert line.session._state.memory.pending is not None
    assert not line.session.idle
    reply = line.server.receive(again)
    answer = line.session.upstream_sent(reply, 7)
    assert answer.to_client is reply
    assert [(e.rows, e.command_tag) for e in answer.events] == [(1, "SELECT 1")]  # type: ignore[attr-defined]
    assert line.session.idle


@pytest.mark.parametrize("short", [True, False])
def test_parameters_are_counted(short: bool) -> None:
    line = Line(FakePolicy(unrestricted=True), True)
    line.exchange(frontend.Parse("p", "SELECT 1" if short else "SELECT hidden").encode() + SYNC, 1, False)
    outcome = line.session.client_sent(bound("p", True, (b"1", None, b"x" * 300)), 0)
    assert outcome.events[0].parameters == 3  # type: ignore[attr-defined]


def test_a_masked_origin_is_seen_here_too() -> None:
    session = new_session()
    plain = backend.RowDescription((column(),)).encode() + backend.DataRow((b"x",)).encode() + ONE + READY
    masked = backend.RowDescription((column("c", MASKED_TABLE, 1),)).encode() + backend.DataRow((SECRET,)).encode()
    session.client_sent(query("SELECT 1"), 0)
    session.upstream_sent(plain, 0)
    session.client_sent(query("SELECT 1"), 0)
    assert session._state.memory.pending is not None
    assert SECRET not in session.upstream_sent(masked + ONE + READY, 0).to_client


def test_a_new_policy_while_a_reply_is_due_takes_the_general_way() -> None:
    session, server = new_session(), ModelServer()
    for _ in range(2):
        reply = server.receive(session.client_sent(query("SELECT 1"), 0).to_upstream)
        session.upstream_sent(reply, 0)
    reply = server.receive(session.client_sent(query("SELECT 1"), 0).to_upstream)
    session.policy_changed(FakePolicy(generation=2), 0)  # type: ignore[arg-type]
    assert session.upstream_sent(reply, 0).to_client == reply
    assert session.idle


def test_a_lost_connection_closes_what_is_pending() -> None:
    line = Line(FakePolicy(), True)
    line.exchange(query("SELECT 1"), 1, False)
    line.session.client_sent(query("SELECT 1"), 0)
    assert [getattr(e, "sqlstate", None) for e in line.session.ended("gone", 0).events] == ["unknown", None]
