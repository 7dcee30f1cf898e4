"""The gate's own question for the search path: the client's names, batches and replies are as if nobody had asked."""

from __future__ import annotations

import pytest

from dbgate.session.postgres.asking import ASK_IN_BATCH, ASK_PATH, OWN_NAME, RESERVED, read_schemas
from protocols.postgres import backend, frontend
from tests.dbgate.session.fakes import FakePolicy, new_session
from tests.dbgate.session.model_server import ModelServer
from tests.dbgate.session.test_session import SYNC, decoded, exchange, only_error, query

RUN = frontend.Bind("", "").encode() + frontend.Execute("").encode()
MOVE = frontend.Parse("s", "SET search_path").encode() + SYNC
RUN_MOVE = frontend.Bind("p", "s").encode() + frontend.Execute("p").encode()


def names(data: bytes) -> list[str]:
    return [type(message).__name__ for message in decoded(data)]


def test_the_unnamed_statement_outlives_the_question() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, MOVE + frontend.Parse("", "SELECT 1").encode() + SYNC)
    assert names(exchange(session, server, RUN_MOVE + SYNC)) == ["BindComplete", "CommandComplete", "ReadyForQuery"]
    assert any("current_schemas" in sql for sql in server.ran)
    replies = ["BindComplete", "DataRow", "CommandComplete", "ReadyForQuery"]
    assert names(exchange(session, server, RUN + SYNC)) == replies
    assert OWN_NAME not in server.statements
    assert session.idle


def test_the_unnamed_portal_outlives_the_question() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, query("BEGIN") + MOVE)
    exchange(session, server, frontend.Parse("", "SELECT 1").encode() + frontend.Bind("", "").encode() + SYNC)
    exchange(session, server, RUN_MOVE + SYNC)
    moved_since = exchange(session, server, frontend.Execute("").encode() + SYNC)
    assert names(moved_since) == ["DataRow", "CommandComplete", "ReadyForQuery"]
    assert OWN_NAME not in server.portals


def test_a_question_that_fails_half_way_is_asked_again() -> None:
    session, server = new_session(), ModelServer()
    outcome = session.client_sent(query("SET search_path"), 0)
    asked = session.upstream_sent(server.receive(outcome.to_upstream), 0)
    assert asked.to_upstream == ASK_PATH
    server.receive(frontend.Parse(OWN_NAME, "SELECT current_schemas").encode())  # as far as it got
    told = backend.CloseComplete().encode() * 2 + backend.ParseComplete().encode()
    told += backend.error("ERROR", "57014", "canceling statement").encode() + server.receive(SYNC)
    failed = session.upstream_sent(told, 0)
    assert (failed.to_client, failed.hold_client) == (b"", False)
    assert "search-path" in (only_error(exchange(session, server, query("SELECT 1"))).get("D") or "")
    assert names(exchange(session, server, query("SELECT 1")))[-1] == "ReadyForQuery"
    assert server.ran[-1] == "SELECT 1"
    assert not server.statements


def test_an_open_batch_is_not_ended_by_the_question() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, MOVE)
    copy = frontend.Parse("c", "COPY t FROM STDIN").encode() + frontend.Bind("", "c").encode()
    session.client_sent(copy + frontend.Execute("").encode(), 0)
    described = backend.ParseComplete().encode() + backend.ParameterDescription(()).encode() + backend.NoData().encode()
    session.upstream_sent(described + backend.BindComplete().encode() + backend.CopyInResponse(0, (0,)).encode(), 0)
    session._state.path_dirty = True  # as a function called by a column's default may have made it
    assert not session.client_sent(frontend.CopyDone().encode(), 0).hold_client
    copied = session.upstream_sent(backend.CommandComplete("COPY 1").encode(), 0)
    assert copied.to_upstream == b""
    ended = session.client_sent(SYNC, 0)
    assert (ended.to_upstream, ended.hold_client) == (SYNC, True)
    assert session.upstream_sent(server.receive(SYNC), 0).to_upstream == ASK_PATH


@pytest.mark.parametrize(
    "message",
    [
        frontend.Parse(OWN_NAME, "SELECT 1"),
        frontend.Parse(RESERVED, "SELECT 1"),
        frontend.Bind(OWN_NAME, ""),
    ],
)
def test_the_gates_own_names_are_taken_from_nobody(message: frontend.FrontendMessage) -> None:
    outcome = new_session().client_sent(message.encode(), 0)
    assert only_error(outcome.to_client).get("C") == "08P01"


@pytest.mark.parametrize(
    ("array", "schemas"),
    [
        ("{pg_catalog,public}", ("pg_catalog", "public")),
        ('{pg_catalog,"My Schema"}', ("pg_catalog", "My Schema")),
        (r'{"a\"b","c\\d"}', ('a"b', "c\\d")),
        ("{}", ()),
    ],
)
def test_the_answer_is_an_array_of_names(array: str, schemas: tuple[str, ...]) -> None:
    assert read_schemas(array) == schemas


# ---------------------------------------------------------------- within a batch


def one(sql: str) -> bytes:
    return frontend.Parse("", sql).encode() + RUN


def ready_count(data: bytes) -> int:
    return names(data).count("ReadyForQuery")


@pytest.mark.parametrize("mover", ["SET search_path", "SELECT f()"])
@pytest.mark.parametrize("last", [one("SELECT 1") + SYNC, query("SELECT 1")])
def test_within_a_batch_the_path_is_asked_for_before_the_next_names(mover: str, last: bytes) -> None:
    session, server = new_session(), ModelServer()
    outcome = session.client_sent(one(mover) + last, 0)
    assert outcome.hold_client
    assert outcome.to_upstream.endswith(ASK_IN_BATCH)
    answered = session.upstream_sent(server.receive(outcome.to_upstream), 0)
    assert "ReadyForQuery" not in names(answered.to_client)
    assert b"SELECT 1" in answered.to_upstream
    assert answered.to_upstream.count(b"current_schemas") == 0
    received = session.upstream_sent(server.receive(answered.to_upstream), 0)
    assert received.to_upstream == ASK_PATH  # what the batch did may have been undone with it
    assert ready_count(received.to_client) == 1
    session.upstream_sent(server.receive(received.to_upstream), 0)
    assert session.idle


def test_a_batch_that_fails_before_the_question_skips_it_too() -> None:
    session, server = new_session(), ModelServer()
    received = exchange(session, server, one("SET search_path") + one("SELECT fail") + one("SELECT 1") + SYNC)
    assert names(received)[-2:] == ["ErrorResponse", "ReadyForQuery"]
    failing = one("SELECT f() fail") + one("SELECT 1") + SYNC
    assert names(exchange(session, server, failing))[-2:] == ["ErrorResponse", "ReadyForQuery"]
    assert "SELECT 1" not in server.ran
    assert session.idle


def test_a_question_within_a_batch_that_is_cancelled_fails_the_batch() -> None:
    session, server = new_session(), ModelServer()
    outcome = session.client_sent(one("SELECT f()") + one("SELECT 1") + SYNC, 0)
    whole = server.receive(outcome.to_upstream)
    till = whole.rindex(backend.BindComplete().encode())  # that of the question
    cancelled = whole[:till] + backend.error("ERROR", "57014", "canceling statement").encode()
    server.skipping = True
    told = session.upstream_sent(cancelled, 0)
    assert only_error(told.to_client).get("C") == "57014"
    assert told.to_upstream.startswith(SYNC)
    after = session.upstream_sent(server.receive(told.to_upstream), 0)
    assert names(after.to_client) == ["ReadyForQuery"]
    assert "SELECT 1" not in server.ran


def test_a_function_of_a_user_is_called_without_a_question_in_the_midst_of_its_own_batch() -> None:
    session, server = new_session(), ModelServer()
    sent = one("SELECT f()") + SYNC
    outcome = session.client_sent(sent, 0)
    assert b"current_schemas" not in outcome.to_upstream
    assert session.upstream_sent(server.receive(outcome.to_upstream), 0).to_upstream == ASK_PATH


def test_the_same_path_leaves_every_decision_as_it_is() -> None:
    session, server = new_session(), ModelServer()
    before = session._state.context
    exchange(session, server, query("SELECT f()"))
    assert session._state.context is before
    assert not session._state.path_dirty


def test_a_role_with_nothing_to_hide_is_never_asked_about() -> None:
    session = new_session(FakePolicy(unrestricted=True))
    sent = one("SELECT f()") + one("SELECT 1") + SYNC + query("SELECT f()")
    assert session.client_sent(sent, 0).to_upstream == sent


def test_inside_a_transaction_the_question_waits_for_the_first_names() -> None:
    """The server refuses an isolation level after any query, the gate's own too."""
    session, server = new_session(), ModelServer()
    exchange(session, server, query("BEGIN") + query("SET search_path"))
    exchange(session, server, query("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"))
    assert not any("current_schemas" in sql for sql in server.ran)
    exchange(session, server, query("SELECT 1"))
    assert "current_schemas" in server.ran[-2]
    assert server.ran[-1] == "SELECT 1"


@pytest.mark.parametrize("last", [query("SELECT 1"), frontend.Parse("", "SELECT 1").encode() + RUN + SYNC])
def test_what_is_about_the_transaction_alone_goes_before_the_question(last: bytes) -> None:
    """In one buffer, and in the extended protocol."""
    session, server = new_session(), ModelServer()
    transaction = frontend.Parse("", "SET TRANSACTION").encode() + RUN + SYNC
    exchange(session, server, query("BEGIN") + MOVE + RUN_MOVE + SYNC + transaction + last)
    ran = [sql if "current_schemas" not in sql else "?" for sql in server.ran]
    assert ran[-3:] == ["SET TRANSACTION", "?", "SELECT 1"]
    assert session.idle is False
