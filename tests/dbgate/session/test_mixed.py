"""Limits, texts that go statement by statement, refusals, failures and cursors, in any pipeline and any chunks: nothing
leaks, no limit is passed, every intent has one outcome, every Query and Sync one answer, and the session goes on."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.postgres import frontend
from protocols.postgres.frontend import Bind, Close, Describe, Execute, Flush, Parse, Query, Sync, Target
from tests.dbgate.session.limits import Wires, converse, limits, seen
from tests.dbgate.session.model_server import SECRET

NAMES = st.sampled_from(["", "a", "b"])
QUICK = st.sampled_from(
    ["SELECT rows 3", "SELECT rows 6", "SELECT rows 40", "SELECT masked", "SELECT 1", "INSERT 1", "BEGIN", "COMMIT",
     "ROLLBACK", "SELECT fail", "SELECT hidden fail", "forbidden", "nonsense", "", "DECLARE a SELECT masked",
     "DECLARE b SELECT rows 4", "FETCH a", "FETCH b", "CLOSE a", "PREPARE a SELECT masked", "EXECUTE a",
     "DEALLOCATE a", "SET search_path", "CREATE t", "SELECT f()", "SELECT f() fail", "SELECT unknown_t"]
)  # fmt: skip
SQL = st.one_of(QUICK, st.just("SELECT slow 40"))
TEXTS = st.lists(QUICK, min_size=1, max_size=4).map("; ".join)
MESSAGES = st.one_of(
    SQL.map(Query),
    TEXTS.map(Query),
    TEXTS.map(lambda text: (Sync(), Query(text))),
    st.builds(Parse, NAMES, SQL),
    st.builds(Bind, NAMES, NAMES),
    st.builds(Execute, NAMES),
    SQL.map(lambda sql: (Parse("", sql), Bind("", ""), Execute(""))),
    SQL.map(lambda sql: (Parse("", sql), Bind("", ""), Execute(""), Sync())),
    st.builds(Describe, st.sampled_from(list(Target)), NAMES),
    st.builds(Close, st.sampled_from(list(Target)), NAMES),
    st.just(Sync()),
    st.just(Flush()),
)
SCHEDULE = st.lists(st.tuples(st.integers(1, 90), st.integers(0, 90), st.integers(0, 120), st.booleans()), max_size=40)
FIGURES = st.sampled_from(
    [None, "rows_per_statement: 5", "bytes_per_statement: 60B", "rows_per_job: 12", "statements_per_minute: 3",
     "rows_per_statement: 5, rows_per_job: 20, statements_per_minute: 9", "statement_time: 5s"]
)  # fmt: skip
OBSERVED = st.sampled_from([None, "rows_per_statement: 2, rows_per_job: 3, statements_per_minute: 1"])
KNOWN = ("SELECT rows 3", "SELECT rows 40", "INSERT 1", "BEGIN", "COMMIT")


def flat(parts: list[Any]) -> list[frontend.FrontendMessage]:
    return [message for part in parts for message in (part if isinstance(part, tuple) else (part,))]


@settings(max_examples=300, deadline=None)
@given(st.lists(MESSAGES, max_size=12), SCHEDULE, st.booleans(), FIGURES, OBSERVED, st.booleans())
def test_any_conversation_under_limits(
    parts: list[Any],
    schedule: list[tuple[int, int, int, bool]],
    unrestricted: bool,
    figures: str | None,
    observed: str | None,
    known: bool,
) -> None:
    messages = [*flat(parts), Sync()]
    wires = Wires(figures and limits(figures), observed and limits(observed), unrestricted=unrestricted)  # type: ignore[arg-type]
    for sql in KNOWN if known else ():
        wires.ask(Query(sql))  # from now on they may go the short way
    forget(wires)
    converse(wires, b"".join(message.encode() for message in messages), schedule)
    assert unrestricted or SECRET not in wires.received
    assert wires.session._state.phase.value != "closed"
    if wires.server.running:
        return  # no limit ends it: it runs on
    assert_one_answer_each(wires, messages)
    assert_one_outcome_each(wires)
    assert_within(wires, figures or "")
    forget(wires)
    assert seen(wires.ask(Query("ROLLBACK"))) == "CZI"
    assert seen(wires.ask(Query("SELECT 1"))) == "TDCZI"
    assert wires.session.idle


def forget(wires: Wires) -> None:
    wires.received = b""
    wires.events.clear()
    wires.account.used.clear()
    wires.account.counted.clear()


def assert_one_answer_each(wires: Wires, messages: list[frontend.FrontendMessage]) -> None:
    """A Query within a batch is skipped if the batch has failed."""
    answers, ends, within = seen(wires.received).count("Z"), 0, False
    certain = True
    for message in messages:
        ended = isinstance(message, Sync | Query)
        certain = certain and not (isinstance(message, Query) and within)
        ends += ended
        within = not ended
    assert answers == ends if certain else answers <= ends
    state = wires.session._state
    assert state.phase.value == "open"
    assert not state.ledger.entries
    assert state.cut is None
    assert state.script is None


def assert_one_outcome_each(wires: Wires) -> None:
    outcomes = Counter(e.statement_id for e in wires.events if e.type == "statement_finished")
    allowed = [e.statement_id for e in wires.events if e.type == "statement_decided" and e.verdict == "allow"]
    assert outcomes == Counter(allowed)


def assert_within(wires: Wires, figures: str) -> None:
    heard = seen(wires.received)
    if "rows_per_statement: 5" in figures:
        assert all(result.count("D") <= 5 for result in heard.replace("E", "C").split("C"))
    if "rows_per_job" in figures:
        assert heard.count("D") == wires.account.used.get(86400, (0, 0, 0))[0] <= (20 if "20" in figures else 12)
