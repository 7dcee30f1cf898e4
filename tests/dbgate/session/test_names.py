"""What a name stands for: cut as the server cuts it, certain when the replies are in, fixed when a portal opens."""

from __future__ import annotations

import pytest

from dbgate.session.outcome import RefreshCatalog
from dbgate.session.postgres.registry import NAME_BYTES, server_name
from dbgate.session.postgres.session import PostgresSession
from protocols.postgres import backend, frontend
from protocols.postgres.backend import TransactionStatus
from tests.dbgate.session.fakes import FakePolicy, kinds, new_session
from tests.dbgate.session.model_server import SECRET, ModelServer
from tests.dbgate.session.test_session import exchange, only_error, query

SYNC = frontend.Sync().encode()
IN_TRANSACTION = backend.ReadyForQuery(TransactionStatus.IN_TRANSACTION).encode()


def run(name: str, portal: str = "") -> bytes:
    return frontend.Bind(portal, name).encode() + frontend.Execute(portal).encode()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("", ""),
        ("short", "short"),
        ("n" * NAME_BYTES, "n" * NAME_BYTES),
        ("n" * NAME_BYTES + "x", "n" * NAME_BYTES),
        ("é" * 40, "é" * 31 + "\udcc3"),
    ],
)
def test_names_are_cut_at_63_bytes(sent: str, kept: str) -> None:
    assert server_name(sent) == kept


def test_a_name_waits_for_the_replies_of_an_earlier_batch() -> None:
    """The second Parse may fail, and then the Bind meets the first statement: only the server knows."""
    session, server = new_session(), ModelServer()
    exchange(session, server, frontend.Parse("s", "SELECT masked").encode() + SYNC)
    batch = frontend.Parse("s", "SELECT 1").encode() + SYNC
    outcome = session.client_sent(batch + run("s") + SYNC, 0)
    assert kinds(outcome) == []
    assert outcome.hold_client
    answer = session.upstream_sent(server.receive(outcome.to_upstream), 0)
    assert only_error(answer.to_client).get("C") == "42P05"
    assert [event.statement for event in answer.events] == ["SELECT masked"]  # type: ignore[attr-defined]
    assert SECRET not in session.upstream_sent(server.receive(answer.to_upstream), 0).to_client


def test_a_name_of_the_same_batch_does_not_wait() -> None:
    outcome = new_session().client_sent(frontend.Parse("s", "SELECT 1").encode() + run("s") + SYNC, 0)
    assert kinds(outcome) == ["decided"]
    assert not outcome.hold_client


def test_a_closed_name_of_an_earlier_batch_waits_too() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, frontend.Parse("s", "SELECT masked").encode() + SYNC)
    close = frontend.Close(frontend.Target.STATEMENT, "s").encode()
    assert session.client_sent(close + SYNC + run("s") + SYNC, 0).hold_client


def test_a_declared_cursor_can_be_executed_as_a_portal() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, query("BEGIN") + query("DECLARE c SELECT masked"))
    received = exchange(session, server, frontend.Execute("c").encode() + SYNC)
    assert SECRET not in received
    assert [chr(received[0]), received.count(b"1234")] == ["D", 1]


def test_execute_runs_no_statement_that_a_parse_prepared_and_that_moves_names() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, frontend.Parse("s", "SET search_path").encode() + SYNC)
    assert only_error(exchange(session, server, query("EXECUTE s"))).get("C") == "42501"


def test_a_batch_that_has_committed_a_change_of_the_structure_runs_nothing_more() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, query("BEGIN") + frontend.Parse("r", "SELECT 1").encode() + SYNC)
    moved = frontend.Parse("", "CREATE t").encode() + run("") + frontend.Parse("", "COMMIT").encode() + run("")
    assert "search-path" in (only_error(exchange(session, server, moved + run("r") + SYNC)).get("D") or "")
    assert "SELECT 1" not in server.ran


# ---------------------------------------------------------------- the catalog after one's own DDL


def created(policy: FakePolicy) -> tuple[PostgresSession, ModelServer]:
    session, server = new_session(policy), ModelServer()
    exchange(session, server, query("CREATE t"))
    return session, server


def test_the_next_statement_waits_for_a_catalog_read_since() -> None:
    policy = FakePolicy()
    session, _ = created(policy)
    outcome = session.client_sent(query("SELECT 1"), 0)
    assert outcome.wishes == [RefreshCatalog(())]
    assert not outcome.to_upstream
    later = FakePolicy()
    told_to_all = session.policy_changed(later, 0)  # type: ignore[arg-type]  # a reading that began before the DDL
    assert not told_to_all.to_upstream
    assert session.policy_changed(later, 0).to_upstream == query("SELECT 1")  # type: ignore[arg-type]
    assert not session.client_sent(query("SELECT 2"), 0).wishes


def test_without_a_fresh_catalog_nothing_is_decided() -> None:
    session, server = created(FakePolicy())
    session.client_sent(query("SELECT 1"), 0)
    outcome = session.catalog_unavailable("down", 0)
    assert only_error(session.upstream_sent(server.receive(outcome.to_upstream), 0).to_client).get("C") == "55000"
    assert session.client_sent(query("SELECT 1"), 0).wishes == [RefreshCatalog(())]


def test_in_a_transaction_nobody_waits_for_what_nobody_can_see() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, query("BEGIN") + query("CREATE t"))
    assert session.client_sent(query("SELECT 1"), 0).to_upstream == query("SELECT 1")


def test_a_role_that_becomes_watched_asks_for_its_path_first() -> None:
    session, server = new_session(FakePolicy(unrestricted=True)), ModelServer()
    exchange(session, server, query("SET search_path"))
    session.policy_changed(FakePolicy(), 0)  # type: ignore[arg-type]
    assert "search-path" in (only_error(exchange(session, server, query("SELECT 1"))).get("D") or "")
    exchange(session, server, query("SELECT 1"))
    assert server.ran[-1] == "SELECT 1"
