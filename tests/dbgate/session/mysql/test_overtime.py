"""The time of statements: what is told to end, what its answer becomes, and that nothing else is hit."""

from __future__ import annotations

from typing import Any

import pytest

from dbgate.audit.events import StatementFinished
from dbgate.session.mysql.session import MysqlSession
from dbgate.session.outcome import CancelStatement, CloseSession, Outcome, Wake
from protocols.mysql import commands
from protocols.mysql.packets import encode
from protocols.mysql.replies import Err, decode_err
from tests.dbgate.session.limits import limits
from tests.dbgate.session.mysql.fakes import CAPABILITIES, MysqlPolicy, new_session, packet, query
from tests.dbgate.session.mysql.model_server import ModelServer

MS = 1_000_000
INTERRUPTED = encode(Err(1317, "70100", b"Query execution was interrupted").encode(CAPABILITIES), 1)
PING = packet(commands.Ping())


class Desk:
    """A session under limits, and the server's answers, which the test hands over when it pleases."""

    def __init__(self, figures: str = "statement_time: 100ms") -> None:
        self.session: MysqlSession = new_session(MysqlPolicy(limits=limits(figures) if figures else None))
        self.server = ModelServer(CAPABILITIES)
        self.events: list[Any] = []

    def note(self, outcome: Outcome) -> Outcome:
        self.events += outcome.events
        return outcome

    def ask(self, data: bytes, at: int) -> tuple[Outcome, bytes]:
        """What the session says to a command, and what the server answers."""
        outcome = self.note(self.session.client_sent(data, at * MS))
        return outcome, self.server.receive(outcome.to_upstream)

    def hear(self, data: bytes, at: int) -> Outcome:
        return self.note(self.session.upstream_sent(data, at * MS))

    def wake(self, at: int) -> Outcome:
        return self.note(self.session.woken(at * MS))

    def cancelled(self, at: int) -> Outcome:
        return self.note(self.session.cancelled(True, at * MS))

    @property
    def last(self) -> StatementFinished:
        return [event for event in self.events if isinstance(event, StatementFinished)][-1]


def told(data: bytes) -> Err:
    return decode_err(data[4:])


def test_one_timer_for_many_statements_and_none_for_the_idle() -> None:
    desk = Desk()
    outcome, reply = desk.ask(query("SELECT rows 1"), 0)
    assert outcome.wishes == [Wake(0.1)]
    desk.hear(reply, 5)
    for at in (10, 20, 90):  # the same statement goes the short way
        outcome, reply = desk.ask(query("SELECT rows 1"), at)
        assert not outcome.wishes
        assert desk.hear(reply, at + 1).to_client == reply
    outcome, reply = desk.ask(query("SELECT rows 1"), 95)
    assert desk.wake(100).wishes == [Wake(0.095)]  # known, and its time is not over
    desk.hear(reply, 101)
    assert not desk.wake(195).wishes
    outcome, reply = desk.ask(query("SELECT rows 2"), 200)
    assert outcome.wishes == [Wake(0.1)]
    desk.hear(reply, 203)
    desk.ask(query("SELECT rows 2"), 250)
    assert desk.wake(300).wishes == [Wake(0.05)]
    assert desk.wake(350).wishes == [CancelStatement(), Wake(0.1)]


def test_roles_without_the_limit_are_not_measured() -> None:
    for figures in ("", "rows_per_statement: 9"):
        desk = Desk(figures)
        outcome, _ = desk.ask(query("SELECT rows 1"), 0)
        assert not outcome.wishes
        assert not desk.wake(10_000).wishes


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("first", ["the error", "the cancel"])
def test_a_statement_is_told_to_end(first: str, again: bool) -> None:
    desk = Desk()
    if again:
        desk.hear(desk.ask(query("UPDATE t"), -90)[1], -80)
        assert not desk.wake(0).wishes
    desk.ask(query("UPDATE t"), 0)
    assert desk.wake(100).wishes == [CancelStatement(), Wake(0.1)]
    assert desk.ask(PING, 101)[0].to_upstream == b""
    if first == "the cancel":
        assert desk.cancelled(102).to_upstream == b""
    outcome = desk.hear(INTERRUPTED, 103)
    assert told(outcome.to_client).errno == 1317
    assert b"statement_time: 100ms" in told(outcome.to_client).message
    assert (outcome.to_upstream == PING) is (first == "the cancel")
    if first == "the error":
        assert desk.cancelled(104).to_upstream == PING
    assert (desk.last.limit, desk.last.sqlstate) == ("cap", "57014")


def test_what_ended_at_the_same_moment_stays_and_the_next_waits_for_the_late_kill() -> None:
    desk = Desk()
    _, reply = desk.ask(query("UPDATE t"), 0)
    desk.wake(100)
    assert desk.hear(reply, 101).to_client == reply
    assert desk.last.limit == ""
    assert desk.ask(query("UPDATE u"), 102)[0].to_upstream == b""
    outcome = desk.cancelled(103)
    assert outcome.to_upstream == query("UPDATE u")
    assert not outcome.wishes  # the timer that runs already will do
    assert desk.wake(200).wishes == [Wake(0.003)]


@pytest.mark.parametrize("text", ["SELECT rows 2", "SHOW WARNINGS"])
def test_the_late_answer_of_a_statement_that_reads_is_withheld(text: str) -> None:
    """MySQL's SLEEP returns 1 when it is told to end; max_execution_time may have done it before the gate."""
    desk = Desk()
    _, reply = desk.ask(query(text), 0)
    outcome = desk.hear(reply, 101)
    assert told(outcome.to_client).errno == 1317
    assert CancelStatement() in outcome.wishes
    assert desk.cancelled(102).to_client == b""
    assert (desk.last.limit, desk.last.sqlstate) == ("cap", "57014")
    assert desk.ask(PING, 103)[0].to_upstream == PING


def test_errors_before_the_time_are_the_servers_own() -> None:
    desk = Desk()
    desk.ask(query("SELECT rows 1"), 0)
    assert desk.hear(INTERRUPTED, 99).to_client == INTERRUPTED
    desk.ask(query("SELECT rows 1"), 200)
    assert b"statement_time" in desk.hear(INTERRUPTED, 300).to_client


def test_each_statement_of_a_text_has_its_own_time() -> None:
    desk = Desk()
    _, reply = desk.ask(query("SELECT rows 1; UPDATE t"), 0)
    split = reply.rindex(b"\x07\x00\x00") if b"\x07\x00\x00" in reply else len(reply) - 11
    desk.hear(reply[:split], 80)
    assert desk.wake(100).wishes == [Wake(0.08)]
    assert desk.wake(180).wishes == [CancelStatement(), Wake(0.1)]


def test_a_kill_that_missed_is_repeated() -> None:
    desk = Desk()
    desk.ask(query("UPDATE t"), 0)
    desk.wake(100)
    desk.cancelled(101)
    assert desk.wake(200).wishes == [CancelStatement(), Wake(0.1)]


@pytest.mark.parametrize("text", ["SELECT rows 5; INSERT x", "SELECT rows 5; SELECT rows 1"])
def test_nothing_runs_behind_a_result_that_was_ended(text: str) -> None:
    desk = Desk("rows_per_statement: 2")
    _, reply = desk.ask(query(text), 0)
    outcome = desk.hear(reply, 1)
    assert any(isinstance(wish, CloseSession) for wish in outcome.wishes)
    assert b"one by one" in outcome.to_client


def test_a_call_that_was_ended_late_keeps_its_session() -> None:
    desk = Desk("bytes_per_statement: 8")
    _, reply = desk.ask(query("CALL p"), 0)
    outcome = desk.hear(reply, 1)
    assert outcome.wishes == [CancelStatement()]
    assert not desk.cancelled(2).wishes
    assert desk.ask(PING, 3)[0].to_upstream == PING
