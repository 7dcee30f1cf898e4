"""Results that go beyond a limit: what the client sees is what a failure at this place would have shown it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbgate.session.accounts import Share
from dbgate.session.outcome import CancelStatement
from dbgate.session.postgres.masking import RowPlan
from protocols.postgres import backend, frontend
from protocols.postgres.copy_stream import CopyRewriter
from protocols.postgres.copy_text import TextOptions, TextRows
from protocols.postgres.frontend import Bind, Close, Describe, Execute, Flush, Parse, Query, Sync, Target
from rules.limits import Limits
from tests.dbgate.session.limits import RESETS, FakeAccount, LimitServer, Wires, converse, limits, seen, told

TEN = "rows_per_statement: 10"
ROW = len(backend.DataRow((b"x" * 10,)).encode())


def run(sql: str) -> tuple[frontend.FrontendMessage, ...]:
    return Parse("", sql), Bind("", ""), Execute("")


def ended(wires: Wires) -> list[tuple[str, str, int]]:
    """(limit, SQLSTATE, rows) of each statement that a limit has ended."""
    found = [event for event in wires.events if event.type == "statement_finished" and event.limit]
    return [(event.limit, event.sqlstate, event.rows) for event in found]


# ---------------------------------------------------------------- rows and bytes of one statement


@pytest.mark.parametrize("unrestricted", [True, False])
def test_up_to_the_limit_nothing_changes(unrestricted: bool) -> None:
    wires = Wires(limits(TEN), unrestricted=unrestricted)
    assert seen(wires.ask(Query("SELECT rows 10"))) == "T" + "D" * 10 + "CZI"
    assert seen(wires.ask(*run("SELECT rows 10"), Sync())) == "12" + "D" * 10 + "CZI"
    assert ended(wires) == []
    assert wires.server.cancels == 0


@pytest.mark.parametrize("sql", ["SELECT rows 11", "SELECT slow 11", "SELECT slow 200", "SELECT rows 5000"])
@pytest.mark.parametrize("extended", [True, False])
@pytest.mark.parametrize("transaction", [True, False])
def test_a_row_too_many(sql: str, extended: bool, transaction: bool) -> None:
    wires = Wires(limits(TEN))
    if transaction:
        wires.ask(Query("BEGIN"))
    heard = wires.ask(*run(sql), Sync()) if extended else wires.ask(Query(sql))
    status = "E" if transaction else "I"
    assert seen(heard) == ("12" if extended else "T") + "D" * 10 + "EZ" + status
    ((sqlstate, detail),) = told(heard)
    assert sqlstate == "54000"
    assert 'rule "cap" (test.yaml:3): rows_per_statement: 10; the result has more, and 10 rows' in detail
    assert ended(wires) == [("cap", "54000", 10)]
    assert wires.server.cancels == ("slow" in sql)
    assert seen(wires.ask(Query("ROLLBACK" if transaction else "SELECT 1"))).endswith("CZI")


def test_bytes_count_as_well() -> None:
    wires = Wires(limits(f"bytes_per_statement: {3 * ROW + 5}B"))
    heard = wires.ask(Query("SELECT rows 4"))
    assert seen(heard) == "TDDDEZI"
    assert f"{3 * ROW} bytes of it went to the client" in told(heard)[0][1]
    assert seen(wires.ask(Query("SELECT rows 3"))) == "TDDDCZI"


def test_masked_rows_count_as_the_client_gets_them() -> None:
    wires = Wires(limits("rows_per_statement: 1"), unrestricted=False)
    wires.sends(Query("SELECT masked"))
    fields = backend.RowDescription((wires.server.fields("SELECT")[0],)).encode()
    rows = backend.DataRow((b"4111-1111-1111-1234",)).encode() * 3
    end = backend.CommandComplete("SELECT 3").encode() + backend.ReadyForQuery(backend.TransactionStatus.IDLE).encode()
    wires.to_server = b""
    wires.take(wires.session.upstream_sent(fields + rows + end, 0))
    assert seen(wires.received) == "TDEZI"
    assert b"***************1234" in wires.received
    finished = wires.events[-1]
    assert (finished.rows, finished.masked_cells, finished.limit) == (1, 1, "cap")


def test_copy_out_counts() -> None:
    wires = Wires(limits("rows_per_statement: 2"))
    wires.policy.copies_out = True
    wires.sends(Query("COPY t"))
    line = frontend.CopyData(b"1\tx\n").encode()
    start = backend.CopyOutResponse(0, (0, 0)).encode()
    end = frontend.CopyDone().encode() + backend.CommandComplete("COPY 3").encode()
    ready = backend.ReadyForQuery(backend.TransactionStatus.IDLE).encode()
    wires.take(wires.session.upstream_sent(start + line * 3 + end + ready, 0))
    assert seen(wires.received) == "HddEZI"


def test_the_trailer_of_a_binary_copy_is_no_row() -> None:
    for count, expected in ((2, "HdddcCZI"), (3, "HddEZI")):
        wires = Wires(limits("rows_per_statement: 2"))
        wires.policy.copies_out = True
        wires.sends(Query("COPY t"))
        rows = frontend.CopyData(b"\0\1\0\0\0\1x").encode() * count + frontend.CopyData(b"\xff\xff").encode()
        end = frontend.CopyDone().encode() + backend.CommandComplete(f"COPY {count}").encode()
        ready = backend.ReadyForQuery(backend.TransactionStatus.IDLE).encode()
        data = backend.CopyOutResponse(1, (1,)).encode() + rows + end + ready
        wires.take(wires.session.upstream_sent(data, 0))
        assert seen(wires.received) == expected


@pytest.mark.parametrize("rows", [2, 3, 9])
@pytest.mark.parametrize("joined", [False, True])
def test_a_masked_copy_whose_messages_are_not_its_rows(rows: int, joined: bool) -> None:
    """A header is a message without a row; a message may have several rows as well."""
    wires = Wires(limits("rows_per_statement: 2"), unrestricted=False)
    wires.sends(Query("SELECT 1"))
    wires.take(wires.session.upstream_sent(backend.RowDescription((wires.server.fields("SELECT")[0],)).encode(), 0))
    stream = wires.session._state.stream
    assert stream is not None
    each = [frontend.CopyData(b"x\n" * rows if joined else b"x\n").encode()] * (1 if joined else rows)
    made = (b"" if joined else frontend.CopyData(b"header\n").encode()) + b"".join(each)
    stream.plan = RowPlan(lambda buffer, start: (made, len(buffer), rows, rows))
    stream.copy = CopyRewriter(TextRows(1, {}, TextOptions()), 1000)
    before = len(wires.received)
    wires.take(wires.session.upstream_sent(backend.DataRow((b"x",)).encode(), 0))
    heard = wires.received[before:]
    assert heard.count(b"x\n") == (2 if rows == 2 else 0 if joined else 1)
    assert (wires.session._state.cut is None) == (rows == 2)


def test_huge_rows_are_swallowed_in_pieces() -> None:
    """Nothing of a row that doesn't fit reaches the client, and nothing of it is kept."""
    wires = Wires(limits("bytes_per_statement: 1000B"))
    wires.sends(Query("SELECT 1"))
    row = backend.DataRow((b"y" * 100_000,)).encode()
    fields = backend.RowDescription((wires.server.fields("SELECT")[0],)).encode()
    end = backend.CommandComplete("SELECT 1").encode() + backend.ReadyForQuery(backend.TransactionStatus.IDLE).encode()
    data = fields + row + row + end
    wishes: list[Any] = []
    for at in range(0, len(data), 999):
        outcome = wires.session.upstream_sent(data[at : at + 999], 0)
        wires.received += outcome.to_client
        wishes += outcome.wishes
    assert [type(wish) for wish in wishes] == [CancelStatement]
    assert seen(wires.received) == "TEZI"
    assert b"yyy" not in wires.received


def test_the_reply_waits_for_nothing_but_what_follows_waits_for_the_cancel() -> None:
    """The server's end comes before the cancel's: the next statement must not be sent yet, it would be hit."""
    wires = Wires(limits(TEN))
    wires.sends(Query("SELECT slow 20"))
    wires.move_up(1000)
    wires.move_down(1000)
    assert wires.cancelling
    wires.to_session += wires.server.cancel()
    wires.move_down(1000)
    assert seen(wires.received) == "T" + "D" * 10 + "EZI"
    wires.sends(Query("SELECT 2"))
    assert wires.to_server == b""
    wires.cancelling = False
    wires.take(wires.session.cancelled(True, 0))
    assert wires.to_server == Query("SELECT 2").encode()


def test_a_cancel_in_doubt_ends_the_session() -> None:
    wires = Wires(limits(TEN))
    wires.sends(Query("SELECT slow 20"))
    wires.move_up(1000)
    wires.move_down(1000)
    outcome = wires.session.cancelled(False, 0)
    assert seen(outcome.to_client) == "E"
    assert outcome.wishes


# ---------------------------------------------------------------- batches, portals, texts of several statements


def test_in_a_batch_what_follows_does_not_run() -> None:
    wires = Wires(limits(TEN))
    heard = wires.ask(*run("INSERT 1"), *run("SELECT rows 11"), *run("INSERT 2"), Sync())
    assert seen(heard) == "12CZ"[:3] + "12" + "D" * 10 + "EZI"
    assert "INSERT 2" not in wires.server.ran
    assert wires.server.skipping is False
    assert seen(wires.ask(*run("SELECT rows 3"), Sync())) == "12DDDCZI"


def test_a_batch_goes_on_behind_a_result_that_fits() -> None:
    wires = Wires(limits(TEN))
    heard = wires.ask(*run("SELECT rows 9"), *run("SELECT rows 8"), *run("INSERT 2"), Sync(), Query("SELECT 1"))
    assert seen(heard) == "12" + "D" * 9 + "C12" + "D" * 8 + "C12CZITDCZI"


def test_pipelined_queries_wait_for_rows_and_come_in_order() -> None:
    wires = Wires(limits(TEN))
    heard = wires.ask(Query("SELECT rows 2"), Query("SELECT slow 11"), Query("SELECT 1"), Query("SELECT rows 11"))
    assert seen(heard) == "TDDCZI" + "T" + "D" * 10 + "EZI" + "TDCZI" + "T" + "D" * 10 + "EZI"


def test_a_portal_that_is_read_in_parts_is_one_result() -> None:
    wires = Wires(limits(TEN))
    wires.ask(Query("BEGIN"))
    wires.ask(Query("DECLARE a SELECT rows 6"))
    assert seen(wires.ask(Query("FETCH a"))).startswith("T")
    wires = Wires(limits("rows_per_statement: 2"))
    wires.ask(Query("BEGIN"))
    wires.ask(Query("DECLARE a SELECT 1"))
    assert [seen(wires.ask(Query("FETCH a"))) for _ in range(3)] == ["TDCZT", "TDCZT", "TEZE"]


def opened_by_a_function(figures: str) -> Wires:
    """In a transaction, with a cursor `rc` that the gate has seen nobody open."""
    wires = Wires(limits(figures))
    wires.ask(Query("BEGIN"))
    wires.server.portals["rc"] = "SELECT 1"
    return wires


def test_a_cursor_that_a_function_has_opened_is_one_result() -> None:
    wires = opened_by_a_function("rows_per_statement: 2")
    assert [seen(wires.ask(Query("FETCH rc"))) for _ in range(3)] == ["TDCZT", "TDCZT", "TEZE"]
    wires = opened_by_a_function("rows_per_statement: 2")
    wires.ask(Query("PREPARE rc SELECT 1"))
    told_by = [seen(wires.ask(Query(sql))) for sql in ("FETCH rc", "FETCH rc", "DEALLOCATE rc", "FETCH rc")]
    assert told_by == ["TDCZT", "TDCZT", "CZT", "TEZE"]
    wires = opened_by_a_function("rows_per_statement: 2")
    for _ in range(3):
        assert seen(wires.ask(Query("FETCH rc"))) == "TDCZT"
        assert seen(wires.ask(Query("FETCH rc"))) == "TDCZT"
        assert seen(wires.ask(Query("CLOSE rc"))) == "CZT"
        wires.server.portals["rc"] = "SELECT 1"


def test_its_portal_counts_as_a_statement() -> None:
    wires = opened_by_a_function("statements_per_minute: 2")
    heard = []
    for _ in range(3):
        wires.server.portals["rc"] = "SELECT 1"
        heard.append(seen(wires.ask(Execute("rc"), Sync())))
    assert heard == ["DCZT", "DCZT", "EZE"]
    assert told(wires.received)[0][0] == "53400"


def test_what_is_bound_anew_is_another_result() -> None:
    """Of a statement, too, that the gate has seen nobody prepare."""
    wires = opened_by_a_function("rows_per_statement: 2")
    wires.server.statements["unseen"] = "SELECT rows 2"
    for _ in range(3):
        assert seen(wires.ask(Bind("", "unseen"), Execute(""), Sync())) == "2DDCZT"


def test_describe_and_close_wait_behind_rows() -> None:
    wires = Wires(limits(TEN))
    heard = wires.ask(
        Parse("s", "SELECT rows 11"), Bind("", "s"), Execute(""), Describe(Target.STATEMENT, "s"), Flush()
    )
    assert seen(heard) == "12" + "D" * 10 + "E"
    assert seen(wires.ask(Close(Target.STATEMENT, "s"), Sync())) == "ZI"


@pytest.mark.parametrize("sql", ["SELECT rows 11; SELECT 1; INSERT 3", "SELECT rows 11; DEALLOCATE ALL; SELECT slow 5"])
def test_a_text_of_several_statements_gives_one_error(sql: str) -> None:
    wires = Wires(limits(TEN))
    heard = wires.ask(Query("SELECT 1; " + sql))
    assert seen(heard) == "TDC" + "T" + "D" * 10 + "EZI"
    wires.ask(Query("BEGIN"))
    assert seen(wires.ask(Query(sql))) == "T" + "D" * 10 + "EZE"
    assert seen(wires.ask(Query("ROLLBACK"))) == "CZI"


def test_begin_and_a_result_in_one_text() -> None:
    wires = Wires(limits(TEN))
    assert seen(wires.ask(Query("BEGIN; SELECT rows 11"))) == "CT" + "D" * 10 + "EZE"


def test_a_copy_behind_a_cut_result_gets_no_data() -> None:
    wires = Wires(limits("rows_per_statement: 1"))
    wires.sends(Query("SELECT 1; COPY t"))
    rows = backend.DataRow((b"x",)).encode() * 2
    fields = backend.RowDescription((wires.server.fields("SELECT")[0],)).encode()
    data = fields + rows + backend.CommandComplete("SELECT 2").encode() + backend.CopyInResponse(0, (0,)).encode()
    outcome = wires.session.upstream_sent(data, 0)
    assert seen(outcome.to_client) == "TDE"
    assert outcome.to_upstream[:1] == b"f"
    failed = backend.error("ERROR", "57014", "COPY from stdin failed").encode()
    ready = backend.ReadyForQuery(backend.TransactionStatus.IDLE).encode()
    wires.take(wires.session.upstream_sent(failed + ready, 0))
    assert seen(wires.received) == "ZI"


def test_names_that_later_statements_of_a_cut_text_move() -> None:
    """They have run on the server: what a cursor shows must be known, or masks would follow the wrong statement."""
    wires = Wires(limits("rows_per_statement: 1"), unrestricted=False)
    wires.ask(Query("BEGIN"))
    wires.ask(Query("DECLARE a SELECT 1"))
    wires.sends(Query("SELECT 1; CLOSE a; DECLARE a SELECT masked"))
    rows = backend.DataRow((b"x",)).encode() * 2
    fields = backend.RowDescription((wires.server.fields("SELECT")[0],)).encode()
    done = b"".join(backend.CommandComplete(tag).encode() for tag in ("SELECT 2", "CLOSE", "DECLARE"))
    ready = backend.ReadyForQuery(backend.TransactionStatus.IN_TRANSACTION).encode()
    wires.to_server = b""
    wires.take(wires.session.upstream_sent(fields + rows + done + ready, 0))
    assert wires.session._state.names.portals["a"].prepared.decision.masks is not None


@pytest.mark.parametrize("next_to_it", [Query("INSERT 7"), Query("SELECT rows 3"), Parse("", "INSERT 7")])
@pytest.mark.parametrize("extended", [False, True])
def test_what_follows_a_known_statement_waits_for_its_rows_as_well(
    extended: bool, next_to_it: frontend.FrontendMessage
) -> None:
    """It went the short way, and then a second message came behind it: the limit is still an error like any other."""
    wires = Wires(limits(TEN))
    again: tuple[frontend.FrontendMessage, ...] = (Bind("", "s"), Execute(""), Sync())
    if extended:
        wires.ask(Parse("s", "SELECT rows 20"), Sync(), *again)
    else:
        again = (Query("SELECT rows 20"),)
        wires.ask(*again)
    before = len(wires.received)
    wires.sends(*again)
    assert wires.session._state.memory.pending is not None
    wires.sends(next_to_it, Sync())
    wires.drain()
    heard = seen(wires.received[before:])
    assert heard.startswith(("2" if extended else "T") + "D" * 10 + "EZI")
    assert heard.count("E") == 1
    assert heard.endswith("ZI")
    assert wires.session.idle


class LateAccount(FakeAccount):
    """Its window ends between the refusal to spend and the look at what is left."""

    def spend(self, shares: tuple[Share, ...], rows: int, size: int, cells: int) -> bool:
        spent = super().spend(shares, rows, size, cells)
        if not spent:
            self.used.clear()
        return spent


@pytest.mark.parametrize("sql", ["SELECT 1", "SELECT masked", "COPY t"])
def test_a_window_that_ends_at_the_very_limit(sql: str) -> None:
    """All of it fits after all: the result goes on."""
    wires = Wires(limits("rows_per_job: 6"), unrestricted="masked" not in sql, account=LateAccount())
    wires.policy.copies_out = True
    wires.sends(Query(sql))
    wires.account.used = {86400: (6, 0, 0)}
    copies = sql.startswith("COPY")
    fields = backend.RowDescription((wires.server.fields("SELECT")[0],)).encode()
    start = backend.CopyOutResponse(0, (0, 0)).encode() if copies else fields
    row = frontend.CopyData(b"1\tx\n").encode() if copies else backend.DataRow((b"4111-1111-1111-1234",)).encode()
    end = (frontend.CopyDone().encode() if copies else b"") + backend.CommandComplete("SELECT 3").encode()
    ready = backend.ReadyForQuery(backend.TransactionStatus.IDLE).encode()
    wires.to_server = b""
    wires.take(wires.session.upstream_sent(start + row * 3 + end + ready, 0))
    assert seen(wires.received) == ("HdddcCZI" if copies else "TDDDCZI")
    assert wires.account.used == {86400: (3, wires.account.used[86400][1], 0)}


# ---------------------------------------------------------------- properties

NAMES = st.sampled_from(["", "a"])
SQL = st.sampled_from(
    ["SELECT rows 3", "SELECT rows 5", "SELECT rows 6", "SELECT rows 40", "SELECT slow 40", "SELECT slow 6", "SELECT 1",
     "INSERT 1", "BEGIN", "COMMIT", "ROLLBACK", "SELECT fail", "nonsense", "forbidden", "", "DECLARE a SELECT 1",
     "PREPARE a SELECT 1"]
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(["SELECT rows 3", "SELECT rows 6", "INSERT 1", "INSERT 2", "BEGIN"]),
                 min_size=2, max_size=4).map("; ".join)  # fmt: skip
MESSAGES = st.one_of(
    SQL.map(Query),
    TEXTS.map(lambda text: (Sync(), Query(text))),
    st.builds(Parse, NAMES, SQL),
    st.builds(Bind, NAMES, NAMES),
    st.builds(Execute, NAMES),
    st.tuples(SQL).map(lambda sql: run(sql[0])),
    st.tuples(SQL).map(lambda sql: (*run(sql[0]), Sync())),
    st.builds(Describe, st.sampled_from(list(Target)), NAMES),
    st.builds(Close, st.sampled_from(list(Target)), NAMES),
    st.just(Sync()),
    st.just(Flush()),
)
SCHEDULE = st.lists(st.tuples(st.integers(1, 90), st.integers(0, 90), st.integers(0, 120), st.booleans()), max_size=40)


def flat(parts: list[Any]) -> list[frontend.FrontendMessage]:
    return [message for part in parts for message in (part if isinstance(part, tuple) else (part,))]


@settings(max_examples=200, deadline=None)
@given(st.lists(MESSAGES, max_size=12), SCHEDULE, st.booleans())
def test_a_limit_is_a_failure_like_any_other(
    parts: list[Any], schedule: list[tuple[int, int, int, bool]], unrestricted: bool
) -> None:
    """The same messages, the same statuses, the same statements run as on a server that fails beyond five rows itself,
    for any pipeline, any chunks, and cancels that come at any moment."""
    messages = flat(parts)
    data = b"".join(message.encode() for message in messages) + Sync().encode()
    native = LimitServer(most=5)
    expected = native.receive(data)
    wires = Wires(limits("rows_per_statement: 5"), unrestricted=unrestricted)
    converse(wires, data, schedule)
    if b'rule "dbgate:' in wires.received:
        return  # where the gate is stricter than the server by design
    assert seen(wires.received) == seen(expected)
    assert side_effects(wires.server) == side_effects(native)
    assert wires.session.idle or wires.server.status != "I"


def side_effects(server: LimitServer) -> list[str]:
    return [sql.strip() for sql in server.ran if not sql.strip().startswith("SELECT")]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.sampled_from(["rows", "slow"])), max_size=10),
    st.integers(1, 25),
    st.integers(1, 60),
    st.integers(1, 200),
)
def test_a_job_never_gets_more_than_its_budget(
    results: list[tuple[int, bool, str]], per_statement: int, per_job: int, chunk: int
) -> None:
    """Two sessions of one job: together never more rows than the budget, each result never more than its own limit."""
    account = FakeAccount()
    both = limits(f"rows_per_statement: {per_statement}, rows_per_job: {per_job}")
    wires = [Wires(both, account=account) for _ in range(2)]
    total = 0
    for count, second, word in results:
        each = wires[second]
        before = len(each.received)
        each.sends(Query(f"SELECT {word} {count + 1}"))
        while each.to_server or each.to_session or each.cancelling:
            each.move_up(1 << 20)
            each.move_down(chunk)
            each.cancel()
            if each.server.running and not (each.to_session or each.cancelling):
                each.to_session += each.server.cancel()  # it would run for ever
        heard = seen(each.received[before:])
        rows = heard.count("D")
        assert rows <= per_statement
        assert heard.count("Z") == 1
        total += rows
        if count + 1 <= min(per_statement, per_job - total + rows) and word == "rows":
            assert rows == count + 1
    assert total <= per_job
    assert account.used.get(86400, (0, 0, 0))[0] == total


# ---------------------------------------------------------------- budgets and rates


def test_a_budget_that_is_used_up_refuses_to_start() -> None:
    wires = Wires(limits("rows_per_job: 15"))
    assert seen(wires.ask(Query("SELECT rows 10"))).endswith("DCZI")
    heard = wires.ask(Query("SELECT rows 10"))
    assert seen(heard) == "TDDDDDEZI"
    ((sqlstate, detail),) = told(heard)
    assert sqlstate == "53400"
    assert f"15 of 15 rows are used and 0 left; the budget resets at {RESETS}" in detail
    heard = wires.ask(*run("SELECT 1"), Sync())
    assert seen(heard) == "12EZI"
    assert told(heard)[0][0] == "53400"
    assert "SELECT 1" not in wires.server.ran
    refused = [event for event in wires.events if event.type == "statement_decided" and event.verdict == "refuse"]
    assert [event.rules[-1] for event in refused] == ["cap"]
    assert refused[0].reason.startswith("dbgate refused this statement: a limit is reached")


def test_transactions_can_always_be_ended() -> None:
    wires = Wires(limits("rows_per_job: 1, statements_per_minute: 2"))
    wires.ask(Query("BEGIN"))
    wires.ask(Query("SELECT 1"))
    assert seen(wires.ask(Query("SELECT 1"))) == "EZE"
    assert seen(wires.ask(Query("ROLLBACK"))) == "CZI"
    assert seen(wires.ask(*run("COMMIT"), Sync())) == "12CZI"


def test_sensitive_cells() -> None:
    wires = Wires(limits("sensitive_cells_per_job: 7"))
    wires.policy.sensitive = 2
    assert seen(wires.ask(Query("SELECT rows 3"))) == "TDDDCZI"
    heard = wires.ask(Query("SELECT rows 3"))
    assert seen(heard) == "TEZI"
    assert "6 of 7 sensitive cells are used and 1 left" in told(heard)[0][1]
    wires.policy.sensitive = 0
    assert seen(wires.ask(Query("SELECT rows 4"))) == "TDDDDCZI"


def test_statements_in_a_minute() -> None:
    wires = Wires(limits("statements_per_minute: 3"))
    assert seen(wires.ask(Query("SELECT 1; SELECT 1"))) == "TDCTDCZI"
    heard = wires.ask(Query("SELECT 1; SELECT 1"))
    assert seen(heard) == "EZI"
    ((sqlstate, detail),) = told(heard)
    assert sqlstate == "53400"
    assert "statements_per_minute: 3; 0 statements are left in this minute; the next may come in 12 s" in detail
    assert seen(wires.ask(*run("SELECT 1"), Sync())) == "12DCZI"  # a refused one has not counted
    assert seen(wires.ask(*run("SELECT 1"), Sync())) == "12EZI"
    assert seen(wires.ask(Query("forbidden"))) == "EZI"


def test_what_cannot_be_counted_does_not_pass() -> None:
    wires = Wires(limits("rows_per_job: 100"))
    wires.account.broken = True
    heard = wires.ask(Query("SELECT 1"))
    assert (seen(heard), told(heard)[0][0]) == ("EZI", "58030")
    wires.account.broken = False
    wires.sends(Query("SELECT rows 3"))
    wires.account.broken = True
    wires.drain()
    assert seen(wires.received[len(heard) :]) == "TEZI"


def test_observed_limits_are_recorded_and_do_nothing() -> None:
    wires = Wires(None, observed=limits("rows_per_statement: 3, rows_per_job: 8, statements_per_minute: 3"))
    for _ in range(4):
        assert seen(wires.ask(Query("SELECT rows 4"))) == "TDDDDCZI"
    finished = [event.observed for event in wires.events if event.type == "statement_finished"]
    assert finished == [("cap",)] * 4
    decided = [event.observed for event in wires.events if event.type == "statement_decided"]
    assert decided == [(), (), ("cap",), ("cap",)]
    assert all(event.limit == "" for event in wires.events if event.type == "statement_finished")


# ---------------------------------------------------------------- time


def test_the_servers_timeout_is_told_in_the_rules_words() -> None:
    wires = Wires(limits("statement_time: 2s"))
    ready = backend.ReadyForQuery(backend.TransactionStatus.IDLE).encode()
    said = backend.error("ERROR", "57014", "canceling statement due to statement timeout").encode()
    for after, ours in ((1_900_000_000, False), (2_000_000_001, True)):
        wires.session.client_sent(Query("SELECT 1").encode(), 0)
        outcome = wires.session.upstream_sent(said + ready, after)
        ((sqlstate, detail),) = told(outcome.to_client)
        assert sqlstate == "57014"
        assert ("statement_time: 2s" in detail) == ours
        assert outcome.events[-1].limit == ("cap" if ours else "")  # type: ignore[attr-defined]


def test_a_users_cancel_is_no_timeout() -> None:
    wires = Wires(limits("statement_time: 2s"))
    wires.session.client_sent(Query("SELECT 1").encode(), 0)
    said = backend.error("ERROR", "57014", "canceling statement due to user request").encode()
    outcome = wires.session.upstream_sent(said, 10**10)
    assert "statement_time" not in told(outcome.to_client)[0][1]


# ---------------------------------------------------------------- the fast path


def test_without_limits_nothing_is_asked() -> None:
    wires = Wires(None)
    wires.account.broken = True
    for _ in range(3):
        assert seen(wires.ask(Query("SELECT rows 50"))) == "T" + "D" * 50 + "CZI"


@pytest.mark.parametrize("given_limits", [None, limits("rows_per_statement: 10, rows_per_job: 25")])
def test_the_short_way_is_taken_with_limits_and_without(given_limits: Limits | None) -> None:
    wires = Wires(given_limits)
    wires.ask(Query("SELECT rows 10"))
    wires.sends(Query("SELECT rows 10"))
    assert wires.session._state.memory.pending is not None
    wires.drain()
    assert wires.session._state.ledger.batch == 1  # the second one never came into it
    heard = wires.ask(Query("SELECT rows 10"))
    assert seen(heard) == ("T" + "D" * 10 + "CZI" if given_limits is None else "TDDDDDEZI")


def test_limits_come_and_go_with_the_rulebook() -> None:
    wires = Wires(None)
    assert seen(wires.ask(Query("SELECT rows 20"))) == "T" + "D" * 20 + "CZI"
    wires.policy.limits = limits(TEN)
    wires.take(wires.session.policy_changed(wires.policy, 0))  # type: ignore[arg-type]
    assert seen(wires.ask(Query("SELECT rows 20"))) == "T" + "D" * 10 + "EZI"
    wires.policy.limits = None
    wires.take(wires.session.policy_changed(wires.policy, 0))  # type: ignore[arg-type]
    assert seen(wires.ask(Query("SELECT rows 20"))) == "T" + "D" * 20 + "CZI"
