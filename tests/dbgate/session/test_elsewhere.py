"""Long texts wait for another process; everything else of the session goes on as ever."""

from __future__ import annotations

from dbgate.session.long_texts import KEPT, LONGEST_AT_ONCE, MOST_SEMICOLONS, MOST_TRIES
from dbgate.session.outcome import CloseSession, DecideElsewhere, Outcome, RefreshCatalog
from dbgate.session.postgres.session import PostgresSession
from protocols.postgres import backend, frontend
from tests.dbgate.session.fakes import FakePolicy, kinds, new_session

PAD = " /* " + "x" * LONGEST_AT_ONCE + " */"
LONG = "SELECT 1" + PAD
SYNC = frontend.Sync().encode()
READY = backend.ReadyForQuery(backend.TransactionStatus.IDLE).encode()


def query(sql: str) -> bytes:
    return frontend.Query(sql).encode()


def wish(outcome: Outcome) -> DecideElsewhere:
    """The one wish of an outcome that waits."""
    assert outcome.hold_client
    assert (outcome.to_client, outcome.to_upstream, list(outcome.events)) == (b"", b"", [])
    (found,) = outcome.wishes
    assert isinstance(found, DecideElsewhere)
    return found


def answer(session: PostgresSession, asked: DecideElsewhere) -> Outcome:
    return session.decided(asked.context.decide(asked.text), 2)


def test_a_short_text_is_decided_at_once() -> None:
    outcome = new_session().client_sent(query("SELECT 1"), 1)
    assert (outcome.to_upstream, outcome.hold_client) == (query("SELECT 1"), False)


def test_a_long_text_waits_and_then_goes_its_way() -> None:
    session = new_session()
    asked = wish(session.client_sent(query(LONG), 1))
    assert asked.text == LONG.encode()
    outcome = answer(session, asked)
    assert (outcome.to_upstream, outcome.hold_client, kinds(outcome)) == (query(LONG), False, ["decided"])


def test_a_long_text_is_refused_like_any_other() -> None:
    session = new_session()
    outcome = answer(session, wish(session.client_sent(query("SELECT forbidden" + PAD), 1)))
    assert b"forbidden" not in outcome.to_upstream
    assert kinds(outcome) == ["decided"]
    assert outcome.events[0].verdict == "refuse"  # type: ignore[attr-defined]


def test_what_the_client_sends_meanwhile_waits_in_order() -> None:
    session = new_session()
    asked = wish(session.client_sent(query(LONG) + query("SELECT 2"), 1))
    assert session.client_sent(query("SELECT 3"), 1).to_upstream == b""
    assert not session.idle
    assert answer(session, asked).to_upstream == query(LONG) + query("SELECT 2") + query("SELECT 3")


def test_replies_pass_meanwhile() -> None:
    session = new_session(FakePolicy(unrestricted=True))
    session.client_sent(query("SELECT 1"), 1)
    asked = wish(session.client_sent(query(LONG), 1))
    reply = backend.CommandComplete("SELECT 0").encode() + READY
    assert session.upstream_sent(reply, 1).to_client == reply
    assert answer(session, asked).to_upstream == query(LONG)


def test_many_statements_are_a_long_text() -> None:
    many = ";".join(["SELECT hidden_x"] * (MOST_SEMICOLONS * 2))
    session = new_session()
    assert answer(session, wish(session.client_sent(query(many), 1))).to_upstream == query(many)


def test_beyond_the_hard_limit_a_text_is_refused_at_once() -> None:
    session = new_session()
    outcome = session.client_sent(query("SELECT " + "1" * (1 << 20)), 1)
    assert (outcome.hold_client, list(outcome.wishes)) == (False, [])  # the context itself knows the limit


def test_the_same_text_again_needs_no_other_process() -> None:
    session = new_session(FakePolicy(unrestricted=True))
    answer(session, wish(session.client_sent(query(LONG), 1)))
    assert session.client_sent(query(LONG), 1).to_upstream == query(LONG)


def test_a_very_long_text_is_not_kept() -> None:
    very = query("SELECT 1 /*" + "x" * KEPT + "*/")
    session = new_session(FakePolicy(unrestricted=True))
    answer(session, wish(session.client_sent(very, 1)))
    wish(session.client_sent(very, 1))


def test_decisions_by_old_rules_do_not_count() -> None:
    session = new_session()
    asked = wish(session.client_sent(query(LONG), 1))
    session.policy_changed(FakePolicy(generation=1), 1)  # type: ignore[arg-type]
    again = wish(answer(session, asked))
    assert again.context is not asked.context
    assert answer(session, again).to_upstream == query(LONG)


def test_rules_that_change_all_the_time_end_in_a_refusal() -> None:
    session = new_session()
    asked = wish(session.client_sent(query(LONG), 1))
    for generation in range(1, MOST_TRIES):
        session.policy_changed(FakePolicy(generation=generation), 1)  # type: ignore[arg-type]
        asked = wish(answer(session, asked))
    session.policy_changed(FakePolicy(generation=9), 1)  # type: ignore[arg-type]
    outcome = answer(session, asked)
    assert outcome.events[0].rules == ("dbgate:policy-changing",)  # type: ignore[attr-defined]


def test_an_unknown_table_refreshes_the_catalog_as_ever() -> None:
    session = new_session()
    sql = "SELECT unknown_t" + PAD
    outcome = answer(session, wish(session.client_sent(query(sql), 1)))
    assert outcome.wishes == [RefreshCatalog((("unknown_t",),))]
    again = wish(session.policy_changed(FakePolicy(generation=1), 1))  # type: ignore[arg-type]
    assert answer(session, again).to_upstream == query(sql)


def test_a_long_prepared_statement_is_decided_again_elsewhere_when_the_rules_change() -> None:
    session = new_session(FakePolicy(unrestricted=True))
    parse = frontend.Parse("p", LONG).encode()
    assert answer(session, wish(session.client_sent(parse + SYNC, 1))).to_upstream == parse + SYNC
    session.upstream_sent(backend.ParseComplete().encode() + READY, 1)
    session.policy_changed(FakePolicy(unrestricted=True, generation=1), 1)  # type: ignore[arg-type]
    run = frontend.Bind("", "p").encode() + frontend.Execute("").encode() + SYNC
    asked = wish(session.client_sent(run, 1))
    assert asked.text == LONG.encode()
    assert answer(session, asked).to_upstream == run


def test_a_long_text_that_runs_a_long_statement_by_name_asks_for_both() -> None:
    session = new_session()
    prepare, run = "PREPARE p AS SELECT 1" + PAD, "EXECUTE p" + PAD
    answer(session, wish(session.client_sent(query(prepare), 1)))
    session.upstream_sent(backend.CommandComplete("PREPARE").encode() + READY, 1)
    session.policy_changed(FakePolicy(generation=1), 1)  # type: ignore[arg-type]
    first = wish(session.client_sent(query(run), 1))
    second = wish(answer(session, first))
    assert [first.text, second.text] == [run.encode(), prepare.encode()]
    assert answer(session, second).to_upstream == query(run)


def test_a_session_that_ends_meanwhile_forwards_nothing() -> None:
    session = new_session()
    asked = wish(session.client_sent(query(LONG), 1))
    assert session.terminate("57P01", "drained", 1).wishes == [CloseSession("drained")]
    assert answer(session, asked).to_upstream == b""


def test_an_answer_that_nobody_asked_for_does_nothing() -> None:
    assert new_session().decided((), 1) == Outcome()
