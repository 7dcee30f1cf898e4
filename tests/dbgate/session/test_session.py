"""The session as a script: what goes in, what each side gets, what the audit says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbgate.session.outcome import CatalogChanged, CloseSession, RefreshCatalog
from dbgate.session.postgres.asking import ASK_PATH
from dbgate.session.postgres.login import Limits
from dbgate.session.postgres.session import TERMINATE, PostgresSession
from protocols.postgres import backend, frontend
from protocols.postgres.backend import TransactionStatus
from protocols.postgres.frames import HEADER_SIZE, split
from tests.dbgate.session.fakes import MASKED_TABLE, FakePolicy, kinds, new_session
from tests.dbgate.session.model_server import SECRET, ModelServer, column

SYNC = frontend.Sync().encode()
READY = backend.ReadyForQuery(TransactionStatus.IDLE).encode()
READY_T = backend.ReadyForQuery(TransactionStatus.IN_TRANSACTION).encode()
ROWS = backend.RowDescription((column(),)).encode()
ONE = backend.CommandComplete("SELECT 1").encode()


def query(sql: str) -> bytes:
    return frontend.Query(sql).encode()


def row(*values: bytes | None) -> bytes:
    return backend.DataRow(values).encode()


def decoded(data: bytes) -> list[backend.BackendMessage]:
    messages, consumed = split(data, 0, 1 << 30)
    assert consumed == len(data)
    return [backend.decode(kind, data[start + HEADER_SIZE : end]) for kind, start, end in messages]


def only_error(data: bytes) -> backend.ErrorResponse:
    errors = [m for m in decoded(data) if isinstance(m, backend.ErrorResponse)]
    assert len(errors) == 1
    return errors[0]


def exchange(session: PostgresSession, server: ModelServer, data: bytes) -> bytes:
    """Both ways until nothing moves."""
    out = b""
    outcome = session.client_sent(data, 0)
    while True:
        out += outcome.to_client
        if not outcome.to_upstream:
            return out
        outcome = session.upstream_sent(server.receive(outcome.to_upstream), 0)


# ---------------------------------------------------------------- passing


def test_an_allowed_query_passes_as_the_bytes_that_came_and_is_recorded_first() -> None:
    session = new_session()
    sent = query("SELECT 1")
    outcome = session.client_sent(sent, 5)
    assert outcome.to_upstream is sent
    assert kinds(outcome) == ["decided"]
    reply = ROWS + row(b"1") + ONE + READY
    answer = session.upstream_sent(reply, 2_000_005)
    assert answer.to_client is reply
    finished = answer.events[0]
    assert kinds(answer) == ["finished"]
    assert (finished.rows, finished.milliseconds, finished.command_tag) == (1, 2.0, "SELECT 1")  # type: ignore[attr-defined]
    assert session.idle


def test_an_empty_query_is_no_statement() -> None:
    session = new_session()
    assert kinds(session.client_sent(query(" "), 0)) == []
    assert session.upstream_sent(backend.EmptyQueryResponse().encode() + READY, 0).to_client


def test_each_statement_of_a_text_has_its_own_events() -> None:
    session, server = new_session(), ModelServer()
    outcome = session.client_sent(query("SELECT 1; SELECT fail; SELECT 3"), 0)
    assert [e.statement for e in outcome.events] == ["SELECT 1", "SELECT fail", "SELECT 3"]  # type: ignore[attr-defined]
    answer = session.upstream_sent(server.receive(outcome.to_upstream), 0)
    assert [e.sqlstate for e in answer.events] == ["", "22012", "not run"]  # type: ignore[attr-defined]


def test_a_role_with_nothing_to_hide_gets_no_extra_message() -> None:
    session = new_session(FakePolicy(unrestricted=True))
    sent = frontend.Parse("", "SELECT 1").encode() + SYNC
    assert session.client_sent(sent, 0).to_upstream is sent


def test_a_row_larger_than_any_buffer_passes_in_pieces() -> None:
    session = new_session()
    session.client_sent(query("SELECT 1"), 0)
    reply = ROWS + row(b"x" * 1_000_000) + ONE + READY
    out = [session.upstream_sent(reply[i : i + 1000], 0) for i in range(0, len(reply), 1000)]
    assert b"".join(o.to_client for o in out) == reply
    assert all(o.to_client for o in out)  # nothing is kept back
    assert [e.rows for o in out for e in o.events] == [1]  # type: ignore[attr-defined]


# ---------------------------------------------------------------- refusals


def test_a_refused_query_is_substituted_and_its_error_is_ours() -> None:
    session, server = new_session(), ModelServer()
    out = exchange(session, server, query("forbidden"))
    error = only_error(out)
    assert (error.get("C"), error.get("H")) == ("42501", "ask for something else")
    assert 'rule "no" (test.yaml:1)' in (error.get("D") or "")
    assert out.endswith(READY)
    assert server.ran == []


def test_a_refused_query_never_reaches_the_server_and_is_recorded() -> None:
    session = new_session()
    outcome = session.client_sent(query("forbidden SECRET-TEXT"), 0)
    assert b"SECRET-TEXT" not in outcome.to_upstream
    (event,) = outcome.events
    assert (event.verdict, event.rules, event.statement) == ("refuse", ("no",), "forbidden SECRET-TEXT")  # type: ignore[attr-defined]


def test_a_refusal_in_a_transaction_leaves_it_failed() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, query("BEGIN"))
    out = exchange(session, server, query("forbidden"))
    assert decoded(out)[-1] == backend.ReadyForQuery(TransactionStatus.FAILED)
    assert only_error(exchange(session, server, query("SELECT 1"))).get("C") == "25P02"
    assert exchange(session, server, query("ROLLBACK")).endswith(READY)


def test_one_forbidden_statement_refuses_the_whole_text() -> None:
    session, server = new_session(), ModelServer()
    out = exchange(session, server, query("INSERT 1; forbidden"))
    assert [type(m).__name__ for m in decoded(out)] == ["ErrorResponse", "ReadyForQuery"]
    assert server.ran == []


def test_a_refused_parse_in_a_pipeline_skips_to_sync() -> None:
    session, server = new_session(), ModelServer()
    batch = b"".join(
        m.encode()
        for sql in ("INSERT 1", "forbidden", "INSERT 2")
        for m in (frontend.Parse("", sql), frontend.Bind("", ""), frontend.Execute(""))
    )
    out = exchange(session, server, batch + SYNC + query("SELECT 1"))
    names = [type(m).__name__ for m in decoded(out)]
    assert names == [
        "ParseComplete", "BindComplete", "CommandComplete", "ErrorResponse", "ReadyForQuery",
        "RowDescription", "DataRow", "CommandComplete", "ReadyForQuery",
    ]  # fmt: skip
    assert server.ran == ["INSERT 1", "SELECT 1"]


def test_function_call_is_refused() -> None:
    session, server = new_session(), ModelServer()
    out = exchange(session, server, frontend.FunctionCall(1598).encode())
    assert only_error(out).get("C") == "0A000"
    assert out.endswith(READY)


def test_a_statement_refused_since_its_parse_is_refused_at_bind() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, frontend.Parse("s", "SELECT unknown_t").encode() + SYNC)
    session.catalog_unavailable("down", 0)
    session = new_session(FakePolicy(generation=1))
    exchange(session, server, frontend.Parse("s2", "SELECT unknown_t").encode() + SYNC)
    session.policy_changed(FakePolicy(generation=0), 0)  # type: ignore[arg-type]
    out = exchange(session, server, frontend.Bind("", "s2").encode() + frontend.Execute("").encode() + SYNC)
    assert [type(m).__name__ for m in decoded(out)] == ["ErrorResponse", "ReadyForQuery"]


# ---------------------------------------------------------------- masks


def test_rows_of_a_simple_query_are_masked() -> None:
    session, server = new_session(), ModelServer()
    out = exchange(session, server, query("SELECT masked"))
    assert SECRET not in out
    assert backend.DataRow((b"***************1234",)) in decoded(out)


@pytest.mark.parametrize("described", [True, False])
def test_rows_of_a_portal_are_masked_whether_the_client_asks_for_their_description_or_not(described: bool) -> None:
    session, server = new_session(), ModelServer()
    ask = frontend.Describe(frontend.Target.PORTAL, "").encode() if described else b""
    parse, bind, run = frontend.Parse("", "SELECT masked"), frontend.Bind("", ""), frontend.Execute("")
    out = exchange(session, server, parse.encode() + bind.encode() + ask + run.encode() + SYNC)
    assert SECRET not in out
    names = [type(m).__name__ for m in decoded(out)]
    assert names.count("RowDescription") == described
    assert "ParameterDescription" not in names


@pytest.mark.parametrize(
    ("first", "second"), [("DECLARE c SELECT masked", "FETCH c"), ("PREPARE p SELECT masked", "EXECUTE p")]
)
@pytest.mark.parametrize("one_text", [True, False])
def test_rows_behind_a_name_are_masked(first: str, second: str, one_text: bool) -> None:
    session, server = new_session(), ModelServer()
    out = exchange(session, server, query("BEGIN"))
    for text in [f"{first}; {second}"] if one_text else [first, second]:
        out += exchange(session, server, query(text))
    assert b"***************1234" in out
    assert SECRET not in out


def test_a_cursor_that_nobody_was_seen_to_open_is_refused() -> None:
    session, server = new_session(), ModelServer(portals={"c": "SELECT masked"}, status="T")
    assert only_error(exchange(session, server, query("FETCH c"))).get("C") == "34000"


def test_a_name_that_failed_to_be_taken_keeps_its_old_mask() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, query("PREPARE p SELECT masked"))
    exchange(session, server, query("PREPARE p SELECT 1"))  # fails: the name is taken
    assert SECRET not in exchange(session, server, query("EXECUTE p"))


def test_a_masked_origin_that_the_plan_left_open_is_masked_and_reported() -> None:
    session = new_session()
    session.client_sent(query("SELECT 1"), 0)
    description = backend.RowDescription((column("x", MASKED_TABLE, 1),)).encode()
    outcome = session.upstream_sent(description + row(SECRET) + ONE + READY, 0)
    assert SECRET not in outcome.to_client
    assert kinds(outcome) == ["witness_mismatch", "finished"]


@pytest.mark.parametrize(
    "fields", [(column("x", MASKED_TABLE + 1, 1),), (column(), column())], ids=["denied origin", "more columns"]
)
def test_a_result_that_was_not_decided_is_stopped_before_its_first_row(
    fields: tuple[backend.FieldDescription, ...],
) -> None:
    session = new_session()
    session.client_sent(query("SELECT masked"), 0)
    outcome = session.upstream_sent(backend.RowDescription(fields).encode() + row(SECRET, SECRET), 0)
    assert SECRET not in outcome.to_client
    assert only_error(outcome.to_client).get("S") == "FATAL"
    assert isinstance(outcome.wishes[0], CloseSession)


def test_the_servers_own_words_about_hidden_data_are_rebuilt() -> None:
    session, server = new_session(), ModelServer()
    error = only_error(exchange(session, server, query("SELECT hidden fail")))
    assert error.get("C") == "22012"
    assert SECRET.decode() not in str(error)
    session.client_sent(query("SELECT hidden"), 0)
    notice = backend.notice("NOTICE", "00000", f"the card is {SECRET.decode()}").encode()
    assert SECRET not in session.upstream_sent(notice, 0).to_client


def test_the_servers_own_words_pass_when_nothing_is_hidden() -> None:
    session, server = new_session(), ModelServer()
    assert only_error(exchange(session, server, query("SELECT fail"))).get("M") == "division by zero near nothing"


# ---------------------------------------------------------------- waiting


def test_an_unknown_relation_waits_for_a_fresh_catalog() -> None:
    session, server = new_session(), ModelServer()
    outcome = session.client_sent(query("SELECT unknown_t") + query("SELECT 2"), 0)
    assert outcome.wishes == [RefreshCatalog((("unknown_t",),))]
    assert outcome.hold_client
    assert not outcome.to_upstream
    fresh = session.policy_changed(FakePolicy(generation=1), 0)  # type: ignore[arg-type]
    assert fresh.to_upstream == query("SELECT unknown_t") + query("SELECT 2")
    assert not fresh.hold_client
    assert server.receive(fresh.to_upstream)


def test_a_catalog_that_cannot_be_read_refuses() -> None:
    session, server = new_session(), ModelServer()
    session.client_sent(query("SELECT unknown_t"), 0)
    outcome = session.catalog_unavailable("upstream down", 0)
    out = session.upstream_sent(server.receive(outcome.to_upstream), 0).to_client
    assert only_error(out).get("C") == "42501"


def test_a_moved_search_path_is_asked_for_before_the_next_statement() -> None:
    session, server = new_session(), ModelServer()
    outcome = session.client_sent(query("SET search_path") + query("SELECT 1"), 0)
    assert outcome.to_upstream == query("SET search_path")
    assert outcome.hold_client
    asked = session.upstream_sent(server.receive(outcome.to_upstream), 0)
    assert asked.to_upstream == ASK_PATH
    after = session.upstream_sent(server.receive(asked.to_upstream), 0)
    assert after.to_client == b""  # the gate's own question stays its own
    assert after.to_upstream == query("SELECT 1")
    assert not after.hold_client


def test_a_rollback_may_move_the_path_back() -> None:
    session, server = new_session(), ModelServer()
    exchange(session, server, query("BEGIN"))
    exchange(session, server, query("SET search_path"))
    outcome = session.client_sent(query("ROLLBACK"), 0)
    assert session.upstream_sent(server.receive(outcome.to_upstream), 0).to_upstream == ASK_PATH


def test_a_path_change_must_come_last_in_a_text_that_cannot_go_statement_by_statement() -> None:
    session, server = new_session(), ModelServer()
    error = only_error(exchange(session, server, query("SET search_path; DECLARE c SELECT 1")))
    assert "search_path" in (error.get("H") or "")


def test_a_client_that_pipelines_without_reading_must_wait() -> None:
    session = new_session(limits=Limits(outstanding=10))
    held = False
    for _ in range(20):
        held = session.client_sent(query("SELECT 1"), 0).hold_client
    assert held
    reply = ROWS + row(b"1") + ONE + READY
    passed = session.upstream_sent(reply * 6, 0)
    assert passed.to_upstream  # room for more of what waited
    assert not session.upstream_sent(reply * 10, 0).hold_client


def test_a_batch_without_an_end_is_bounded_too() -> None:
    """The server is asked to flush what it keeps until Sync, and the client waits for it."""
    session, server = new_session(limits=Limits(outstanding=10)), ModelServer()
    exchange(session, server, frontend.Parse("s", "SELECT 1").encode() + SYNC)
    describe = frontend.Describe(frontend.Target.STATEMENT, "s").encode()
    outcome = session.client_sent(describe * 100, 0)
    assert outcome.to_upstream == describe * 10 + frontend.Flush().encode()
    assert outcome.hold_client
    received, rounds = b"", 0
    while outcome.to_upstream:
        outcome, rounds = session.upstream_sent(server.receive(outcome.to_upstream), 0), rounds + 1
        received += outcome.to_client
    assert (received.count(b"T"), rounds) == (100, 10)
    assert not outcome.hold_client


def test_structure_changes_ask_for_a_new_catalog() -> None:
    session = new_session()
    assert CatalogChanged() in session.client_sent(query("CREATE t"), 0).wishes


# ---------------------------------------------------------------- copy


def test_copy_in_with_a_sync_that_the_server_ignores() -> None:
    session = new_session(FakePolicy(unrestricted=True))
    parse, bind, run = frontend.Parse("", "COPY t FROM STDIN"), frontend.Bind("", ""), frontend.Execute("")
    session.client_sent(parse.encode() + bind.encode() + run.encode() + SYNC, 0)
    acknowledged = backend.ParseComplete().encode() + backend.BindComplete().encode()
    start = backend.CopyInResponse(0, (0,)).encode()
    assert session.upstream_sent(acknowledged + start, 0).to_client == acknowledged + start
    data = frontend.CopyData(b"1\n").encode() + frontend.CopyDone().encode() + SYNC
    assert session.client_sent(data, 0).to_upstream == data
    done = backend.CommandComplete("COPY 1").encode() + READY
    assert session.upstream_sent(done, 0).to_client == done
    assert session.idle


def test_a_query_while_copy_reads_ends_the_session() -> None:
    session = new_session(FakePolicy(unrestricted=True))
    session.client_sent(query("COPY t FROM STDIN"), 0)
    session.upstream_sent(backend.CopyInResponse(0, (0,)).encode(), 0)
    outcome = session.client_sent(query("SELECT 1"), 0)
    assert only_error(outcome.to_client).get("C") == "08P01"


# ---------------------------------------------------------------- ends


@pytest.mark.parametrize(
    "data", [b"\x00\x00\x00\x00\x04", b"Q\x00\x00\x00\x03", b"Q\xff\xff\xff\xff", b"p\x00\x00\x00\x04"]
)
def test_a_client_that_breaks_the_protocol_is_told_and_closed(data: bytes) -> None:
    session = new_session()
    outcome = session.client_sent(query("SELECT 1") + data, 0)
    assert outcome.to_upstream == query("SELECT 1") + TERMINATE
    assert only_error(outcome.to_client).get("S") == "FATAL"
    assert any(isinstance(wish, CloseSession) for wish in outcome.wishes)
    assert kinds(outcome)[-1] == "session_ended"
    assert session.client_sent(query("SELECT 1"), 0).to_upstream == b""


def test_an_upstream_that_breaks_the_protocol_ends_the_session() -> None:
    session = new_session()
    outcome = session.upstream_sent(ONE, 0)
    assert only_error(outcome.to_client).get("C") == "08P01"


@pytest.mark.parametrize("name", ["client_encoding", "standard_conforming_strings"])
def test_a_setting_that_changes_the_grammar_ends_the_session(name: str) -> None:
    session = new_session()
    outcome = session.upstream_sent(backend.ParameterStatus(name, "off").encode(), 0)
    assert only_error(outcome.to_client).get("S") == "FATAL"


def test_a_lost_connection_closes_what_is_open_as_unknown() -> None:
    session = new_session()
    session.client_sent(query("SELECT 1"), 0)
    outcome = session.ended("client went away", 0)
    assert [getattr(e, "sqlstate", None) for e in outcome.events] == ["unknown", None]
    assert outcome.events[-1].statements == 1  # type: ignore[attr-defined]


def test_a_lost_upstream_is_told_to_the_client_once() -> None:
    session = new_session()
    session.client_sent(query("SELECT 1"), 0)
    outcome = session.upstream_lost("connection reset", 0)
    assert only_error(outcome.to_client).get("C") == "08006"
    assert [getattr(e, "sqlstate", None) for e in outcome.events] == ["unknown", None]
    session = new_session()
    session.upstream_sent(backend.error("FATAL", "57P01", "shutting down").encode(), 0)
    assert session.upstream_lost("closed", 0).to_client == b""


def test_terminate_tells_the_client_why() -> None:
    outcome = new_session().terminate("57P01", "the gate is shutting down", 0)
    assert only_error(outcome.to_client).get("M") == "the gate is shutting down"
    assert outcome.to_upstream == TERMINATE


def test_limits_are_plain_values() -> None:
    assert replace(Limits(), outstanding=5).outstanding == 5
