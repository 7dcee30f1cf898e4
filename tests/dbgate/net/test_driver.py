"""The driver: audit before bytes, one write for each direction, nothing unrecorded, nobody starved."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from dbgate.audit.events import StatementDecided
from dbgate.session.outcome import CancelStatement, CatalogChanged, CloseSession, Outcome, RefreshCatalog, Wake
from tests.dbgate.net.fakes import Bench


def in_loop(test: Callable[[], Any]) -> Callable[[], None]:
    """The test as a coroutine on a fresh loop."""

    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@in_loop
async def test_the_audit_comes_before_the_bytes() -> None:
    bench = Bench()
    bench.client_sends(b"query")
    bench.upstream_sends(b"rows")
    assert bench.journal == [("audit", ["statement_decided"]), ("upstream", b"query"), ("client", b"rows")]


@in_loop
async def test_one_write_for_each_direction_and_then_the_wishes() -> None:
    bench = Bench()
    bench.session.answers = [Outcome(b"to client", b"to upstream", wishes=[CatalogChanged()])]
    bench.client_sends(b"x")
    assert bench.journal == [("upstream", b"to upstream"), ("client", b"to client")]
    assert bench.database.changed == 1


@in_loop
async def test_bytes_that_came_during_login_come_first() -> None:
    bench = Bench((b"early", b"notice"))
    bench.client_sends(b"late")
    assert [value for _, value in bench.session.inputs] == [b"notice", b"early", b"late"]


@in_loop
async def test_nothing_is_forwarded_while_the_audit_takes_nothing() -> None:
    bench = Bench()
    bench.recorder.full = True
    bench.client_sends(b"query")
    assert bench.journal == []
    assert (bench.client.reading, bench.upstream.reading) == (False, False)
    bench.client_sends(b"more")  # a transport may deliver what it had read before the pause
    bench.upstream_sends(b"notice")
    assert bench.journal == []
    bench.recorder.recover()
    assert bench.journal == [
        ("audit", ["statement_decided"]), ("upstream", b"query"),
        ("audit", ["statement_decided"]), ("upstream", b"more"), ("client", b"notice"),
    ]  # fmt: skip
    assert (bench.client.reading, bench.upstream.reading) == (True, True)
    assert bench.counters.audit_holds == 1


@in_loop
async def test_an_audit_that_fails_again_holds_again() -> None:
    bench = Bench()
    bench.recorder.full = True
    bench.client_sends(b"query")
    waiting, bench.recorder.waiting = bench.recorder.waiting, []
    for callback in waiting:
        callback()
    assert bench.journal == []
    assert not bench.client.reading
    bench.recorder.recover()
    assert bench.journal == [("audit", ["statement_decided"]), ("upstream", b"query")]
    assert bench.client.reading


@in_loop
async def test_what_was_held_when_the_client_left_is_recorded_and_never_forwarded() -> None:
    bench = Bench()
    bench.recorder.full = True
    bench.client_sends(b"query")
    bench.client.protocol.connection_lost(None)
    assert bench.journal == []
    assert [event.statement for event in bench.recorder.late if isinstance(event, StatementDecided)] == ["s", "end"]
    bench.recorder.recover()
    assert bench.journal == []


@in_loop
async def test_a_session_that_holds_its_client_stops_reading_from_it() -> None:
    bench = Bench()
    bench.session.answers = [Outcome(hold_client=True, wishes=[RefreshCatalog((("t",),))])]
    bench.client_sends(b"query")
    assert (bench.client.reading, bench.upstream.reading) == (False, True)
    assert bench.database.refreshing == [bench.driver]
    bench.client_sends(b"more")
    assert bench.session.inputs == [("client", b"query")]
    bench.driver.policy_changed("policy")
    assert bench.session.inputs == [("client", b"query"), ("policy", "policy"), ("client", b"more")]
    assert bench.client.reading


@in_loop
async def test_a_hold_that_a_reply_ends_lets_the_waiting_bytes_go_on() -> None:
    bench = Bench()
    bench.session.answers = [Outcome(hold_client=True)]
    bench.client_sends(b"many")
    bench.client_sends(b"more")
    bench.upstream_sends(b"reply")
    assert [value for _, value in bench.session.inputs] == [b"many", b"reply", b"more"]
    bench.client_sends(b"last")
    assert bench.session.inputs[-1] == ("client", b"last")


@in_loop
async def test_a_slow_client_stops_the_upstream_and_the_other_way_round() -> None:
    bench = Bench()
    bench.client.protocol.pause_writing()
    assert (bench.client.reading, bench.upstream.reading) == (True, False)
    bench.upstream.protocol.pause_writing()
    assert (bench.client.reading, bench.upstream.reading) == (False, False)
    bench.client.protocol.resume_writing()
    bench.upstream.protocol.resume_writing()
    assert (bench.client.reading, bench.upstream.reading) == (True, True)


@in_loop
async def test_expensive_rows_give_the_others_a_turn() -> None:
    bench = Bench()
    bench.session.rows_are_expensive = True
    bench.upstream_sends(b"rows")
    assert not bench.upstream.reading
    await asyncio.sleep(0)
    assert bench.upstream.reading


@in_loop
async def test_the_turn_for_others_does_not_lift_back_pressure() -> None:
    bench = Bench()
    bench.session.rows_are_expensive = True
    bench.upstream_sends(b"rows")
    bench.client.protocol.pause_writing()
    await asyncio.sleep(0)
    assert not bench.upstream.reading
    bench.client.protocol.resume_writing()
    assert bench.upstream.reading


@in_loop
async def test_the_end_of_one_side_ends_the_other_and_is_recorded_once() -> None:
    bench = Bench()
    bench.upstream.protocol.connection_lost(ConnectionResetError())
    bench.client.protocol.connection_lost(None)
    reason = "upstream connection lost: ConnectionResetError"
    assert bench.session.inputs == [("lost", reason), ("ended", reason)]
    assert (bench.client.closed, bench.upstream.closed) == (True, True)
    assert bench.closed == [bench.driver]
    assert len(bench.recorder.late) == 1


@in_loop
async def test_a_session_may_close_itself_after_its_last_words() -> None:
    bench = Bench()
    bench.session.answers = [Outcome(b"FATAL", b"X", wishes=[CloseSession("protocol")])]
    bench.client_sends(b"garbage")
    assert bench.journal == [("upstream", b"X"), ("client", b"FATAL")]
    assert bench.session.inputs[-1] == ("ended", "protocol")
    bench.client_sends(b"more")
    bench.upstream_sends(b"more")
    assert len(bench.session.inputs) == 2


def test_a_fault_of_the_gate_closes_the_session_and_tells_no_values(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        bench = Bench()
        bench.session.answers = [ValueError("secret value")]
        bench.client_sends(b"query")
        assert (bench.client.closed, bench.upstream.closed) == (True, True)
        assert bench.journal == []
        assert bench.counters.gate_errors == 1

    with caplog.at_level(logging.ERROR):
        asyncio.run(main())
    assert "secret value" not in caplog.text
    assert caplog.records[0].__dict__["fields"]["fault"] == "ValueError"


@in_loop
async def test_drain_ends_an_idle_session_at_once() -> None:
    bench = Bench()
    bench.driver.drain("bye")
    assert bench.journal == [("client", b"57P01")]
    assert bench.closed == [bench.driver]


@in_loop
async def test_drain_waits_for_the_end_of_a_transaction() -> None:
    bench = Bench()
    bench.session.idle = False
    bench.driver.drain("bye")
    assert bench.closed == []
    bench.upstream_sends(b"row")
    assert bench.closed == []
    bench.session.idle = True
    bench.upstream_sends(b"commit")
    assert bench.journal == [("client", b"row"), ("client", b"commit"), ("client", b"57P01")]
    assert bench.closed == [bench.driver]


@in_loop
async def test_terminate_does_not_wait() -> None:
    bench = Bench()
    bench.session.idle = False
    bench.driver.terminate("57P01", "bye")
    bench.driver.terminate("57P01", "bye")
    assert bench.journal == [("client", b"57P01")]
    assert bench.closed == [bench.driver]


@in_loop
async def test_a_policy_that_changes_while_the_audit_holds_waits_its_turn() -> None:
    bench = Bench()
    bench.recorder.full = True
    bench.client_sends(b"query")
    bench.driver.policy_changed("new")
    assert bench.session.inputs == [("client", b"query")]
    bench.recorder.recover()
    assert bench.session.inputs == [("client", b"query"), ("policy", "new")]


@in_loop
async def test_a_session_that_wishes_for_a_cancel_hears_of_its_end() -> None:
    bench = Bench()
    bench.session.answers = [Outcome(wishes=[CancelStatement()]), Outcome(to_upstream=b"next")]
    bench.upstream_sends(b"rows")
    assert bench.cancels == [bench.driver]
    bench.driver.cancelled(True)
    assert bench.session.inputs[-1] == ("cancelled", True)
    assert bench.journal == [("upstream", b"next")]
    bench.driver.close("test")
    bench.driver.cancelled(False)
    assert bench.session.inputs[-1] != ("cancelled", False)


@in_loop
async def test_a_session_is_woken_when_it_wished_and_not_after_its_end() -> None:
    bench = Bench()
    bench.session.answers = [Outcome(wishes=[Wake(0.001)]), Outcome(to_upstream=b"next", wishes=[Wake(0.001)])]
    bench.client_sends(b"query")
    await asyncio.sleep(0.01)
    assert bench.session.inputs[-2:] == [("woken", None), ("woken", None)]
    assert bench.journal == [("upstream", b"next")]
    bench.session.answers = [Outcome(wishes=[Wake(0.001)])]
    bench.client_sends(b"query")
    bench.driver.close("test")
    await asyncio.sleep(0.01)
    assert bench.session.inputs.count(("woken", None)) == 2
