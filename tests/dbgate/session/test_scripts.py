"""A Query whose statements change what names mean goes as a batch of the extended protocol, and looks like a Query."""

from __future__ import annotations

import pytest

from dbgate.session.postgres.scripts import messages_of
from dbgate.session.postgres.session import PostgresSession
from protocols.postgres import frontend
from rules.decision import Decision, Verdict
from tests.dbgate.session.fakes import FakePolicy, kinds, new_session
from tests.dbgate.session.model_server import SECRET, ModelServer
from tests.dbgate.session.test_session import SYNC, decoded, exchange, only_error, query


def names(data: bytes) -> list[str]:
    return [type(message).__name__ for message in decoded(data)]


def answer_waits(session: PostgresSession, server: ModelServer, data: bytes) -> bytes:
    """As `exchange`, for a session that waits for the catalog."""
    received = exchange(session, server, data)
    while session._state.phase.value == "awaits catalog":
        policy = FakePolicy()
        session.policy_changed(policy, 0)  # type: ignore[arg-type]
        outcome = session.policy_changed(policy, 0)  # type: ignore[arg-type]
        while outcome.to_upstream:
            received += outcome.to_client
            outcome = session.upstream_sent(server.receive(outcome.to_upstream), 0)
        received += outcome.to_client
    return received


@pytest.mark.parametrize("mover", ["SET search_path", "CREATE t", "SELECT f()"])
def test_the_replies_are_those_to_a_query(mover: str) -> None:
    session, server = new_session(), ModelServer()
    received = exchange(session, server, query(f"{mover}; SELECT 1; INSERT t"))
    rows = ["RowDescription", "DataRow", "CommandComplete"]
    first = rows if mover.startswith("SELECT") else ["CommandComplete"]
    assert names(received) == [*first, *rows, "CommandComplete", "ReadyForQuery"]
    assert [sql.strip() for sql in server.ran if "current_schemas" not in sql] == [mover, "SELECT 1", "INSERT t"]
    assert session.idle
    assert not server.statements


def test_between_two_statements_the_server_is_asked() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, query("CREATE t; SELECT 1"))
    asked = next(n for n, sql in enumerate(server.ran) if "json_build_object" in sql)
    ran = [sql.strip() for sql in server.ran]
    assert ran.index("CREATE t") < asked < ran.index("SELECT 1")


def test_masks_hold() -> None:
    session, server = new_session(), ModelServer()
    received = exchange(session, server, query("SET search_path; SELECT masked; SELECT 1"))
    assert SECRET not in received
    assert received.count(b"1234") == 1


@pytest.mark.parametrize("wrong", ["SELECT fail", "SELECT forbidden x unknown_t"])
def test_an_error_ends_the_text(wrong: str) -> None:
    session, server = new_session(), ModelServer()
    received = exchange(session, server, query(f"SET search_path; {wrong}; SELECT 1; SELECT 2"))
    assert names(received)[-2:] == ["ErrorResponse", "ReadyForQuery"]
    assert "SELECT 1" not in [sql.strip() for sql in server.ran]
    assert not server.statements
    assert names(exchange(session, server, query("SELECT 3")))[-1] == "ReadyForQuery"
    assert session.idle


def test_what_a_rule_refuses_refuses_the_whole_text() -> None:
    session, server = new_session(), ModelServer()
    received = exchange(session, server, query("SET search_path; SELECT forbidden"))
    assert names(received) == ["ErrorResponse", "ReadyForQuery"]
    assert not server.ran


def test_what_follows_a_commit_is_decided_by_what_it_has_made_lasting() -> None:
    session, server = new_session(), ModelServer()
    received = answer_waits(session, server, query("BEGIN; CREATE t; COMMIT; SELECT 1"))
    done = ["CommandComplete"] * 3
    assert names(received) == [*done, "RowDescription", "DataRow", "CommandComplete", "ReadyForQuery"]


def test_the_errors_of_earlier_batches_are_not_the_texts_own() -> None:
    session, server = new_session(), ModelServer()
    failing = frontend.Parse("", "SELECT fail").encode() + frontend.Bind("", "").encode()
    failing += frontend.Execute("").encode() + SYNC
    received = exchange(session, server, failing + query("SET search_path; SELECT 1") + query("SELECT 2"))
    assert only_error(received).get("C") == "22012"
    assert [sql.strip() for sql in server.ran][-1] == "SELECT 2"
    assert names(received).count("ReadyForQuery") == 3
    assert session.idle


def test_in_an_open_batch_a_text_is_decided_as_a_whole() -> None:
    session, server = new_session(), ModelServer()
    received = exchange(session, server, frontend.Parse("s", "SELECT 1").encode() + query("SET search_path; SELECT 2"))
    assert "search-path" in (only_error(received).get("D") or "")
    assert "SELECT 2" not in server.ran


def test_each_statement_is_recorded_by_itself() -> None:
    session = new_session()
    outcome = session.client_sent(query("SET search_path; SELECT 1"), 0)
    assert kinds(outcome) == ["decided"]
    server = ModelServer()
    events = kinds(outcome)
    while outcome.to_upstream:
        outcome = session.upstream_sent(server.receive(outcome.to_upstream), 0)
        events += kinds(outcome)
    assert events == ["decided", "finished", "decided", "finished"]


def test_a_role_with_nothing_to_hide_sends_the_text_as_it_is() -> None:
    session = new_session(FakePolicy(unrestricted=True))
    sent = query("SET search_path; SELECT 1")
    assert session.client_sent(sent, 0).to_upstream == sent


def test_statements_keep_their_place_in_the_text() -> None:
    text = "SELECT 'é'; SELECT 2"
    pieces = (Decision(Verdict.ALLOW, "select", start=0, end=11), Decision(Verdict.ALLOW, "select", start=12, end=21))
    sent = [frontend.decode(m[0], m[5:]) for m in messages_of(text.encode(), pieces)]
    parsed = [message.sql for message in sent if isinstance(message, frontend.Parse)]
    assert parsed == ["SELECT 'é'", " " * 11 + " SELECT 2"]
    assert isinstance(sent[-1], frontend.Sync)
