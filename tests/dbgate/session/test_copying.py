"""COPY ... TO STDOUT through a session: masked rows, counted, and results that are not what was decided."""

from __future__ import annotations

from typing import Any

import pytest

from dbgate.session.postgres.login import Limits
from dbgate.session.postgres.session import PostgresSession
from protocols.postgres import backend, frontend, oids
from protocols.postgres.copy_binary import SIGNATURE
from protocols.postgres.frames import HEADER_SIZE, split
from protocols.postgres.frontend import CopyData, CopyDone
from rules.copy_format import CopyFormat, CopyOut
from rules.decision import Decision, Mask, MaskKind, Verdict
from tests.dbgate.session.fakes import LOGIN, MASKED_TABLE, FakeContext, FakePolicy
from tests.dbgate.session.test_session import ONE, READY, ROWS, SYNC, decoded, only_error, query, row

KEEP_4 = Mask(MaskKind.KEEP_LAST, 4, "mask")
REDACT = Mask(MaskKind.REDACT, rule="mask")
FORMATS = {"csv": CopyFormat("csv", ",", ""), "text": CopyFormat(), "binary": CopyFormat("binary")}
DONE = CopyDone().encode() + backend.CommandComplete("COPY 2").encode()
PLAIN = b"1\t4111-1111-1234\n", b"2\t\\N\n"
MASKED = b"1\t**********1234\n", b"2\t\\N\n"


class CopyContext(FakeContext):
    """`COPY masked csv`: two columns, the second masked; `COPY plain`: nothing masked; `COPY unsure`: masked in no
    format that is known."""

    def one(self, sql: str, start: int, end: int) -> Decision:
        words = sql.split()
        if words[0] != "COPY":
            return super().one(sql, start, end)
        at: dict[str, Any] = {"start": start, "end": end, "width": 2}
        if words[1] == "plain":
            return Decision(Verdict.ALLOW, "copy_out", **at)
        masks = (None, KEEP_4 if words[-1] != "redacted" else REDACT)
        made = CopyOut(FORMATS[words[2]], (0, oids.TEXT if words[-1] != "untyped" else 0))
        plan = None if words[1] == "unsure" else made
        return Decision(Verdict.ALLOW, "copy_out", masks=masks, copy=plan, hides=True, **at)


def new_session(unrestricted: bool = False, limits: Limits | None = None) -> PostgresSession:
    def make_context(policy: Any, path: tuple[str, ...]) -> Any:
        return CopyContext(policy, path)

    policy: Any = FakePolicy(unrestricted=unrestricted)
    return PostgresSession(login=LOGIN, policy=policy, make_context=make_context, limits=limits or Limits(), now=0)


def copied(*pieces: bytes) -> bytes:
    return b"".join(CopyData(piece).encode() for piece in pieces)


def out(code: int = 0, width: int = 2) -> bytes:
    return backend.CopyOutResponse(code, (code,) * width).encode()


def asked(text: str, unrestricted: bool = False) -> PostgresSession:
    session = new_session(unrestricted)
    session.client_sent(query(text), 0)
    return session


def finished(outcome: Any) -> Any:
    (event,) = [e for e in outcome.events if e.type == "statement_finished"]
    return event


def test_masked_rows_are_rewritten_and_counted() -> None:
    session = asked("COPY masked text")
    outcome = session.upstream_sent(out() + copied(*PLAIN) + DONE + READY, 0)
    assert outcome.to_client == out() + copied(*MASKED) + DONE + READY
    event = finished(outcome)
    assert (event.rows, event.masked_cells, event.bytes) == (2, 1, len(copied(*MASKED)))
    assert event.command_tag == "COPY 2"
    assert session.idle


def test_a_masked_copy_is_expensive_and_a_plain_one_is_not() -> None:
    for text, expensive in (("COPY masked text", True), ("COPY plain", False)):
        session = asked(text)
        session.upstream_sent(out() + copied(PLAIN[0]), 0)
        assert session.rows_are_expensive is expensive


def test_what_is_not_masked_passes_as_the_bytes_that_came() -> None:
    session = asked("COPY plain")
    reply = out() + copied(*PLAIN) + DONE + READY
    outcome = session.upstream_sent(reply, 0)
    assert outcome.to_client is reply
    assert (finished(outcome).rows, finished(outcome).masked_cells) == (2, 0)


def test_rows_in_pieces_of_any_size() -> None:
    reply = out() + copied(*PLAIN) + DONE + READY
    for size in (1, 3, 7, 20):
        session = asked("COPY masked text")
        outcomes = [session.upstream_sent(reply[i : i + size], 0) for i in range(0, len(reply), size)]
        assert b"".join(o.to_client for o in outcomes) == out() + copied(*MASKED) + DONE + READY


def test_rows_that_reach_over_several_messages() -> None:
    session = asked("COPY masked text")
    whole = b"".join(PLAIN)
    outcome = session.upstream_sent(out() + copied(whole[:5], whole[5:9], whole[9:]) + DONE + READY, 0)
    payloads = [m.data for m in decoded(outcome.to_client) if isinstance(m, CopyData)]
    assert b"".join(payloads) == b"".join(MASKED)
    assert (finished(outcome).rows, finished(outcome).masked_cells) == (2, 1)


def test_rows_that_wait_for_their_end_come_before_copy_done() -> None:
    session = asked("COPY masked text")
    session.upstream_sent(out() + copied(b"1\t4111-1111-12"), 0)  # waits until it has doubled
    outcome = session.upstream_sent(copied(b"34\n") + DONE + READY, 0)
    assert outcome.to_client == copied(MASKED[0]) + DONE + READY
    assert finished(outcome).rows == 1


def test_csv_and_binary() -> None:
    session = asked("COPY masked csv redacted")
    reply = session.upstream_sent(out() + copied(b'1,"a, b"\n', b"2,\n") + DONE + READY, 0).to_client
    assert reply == out() + copied(b"1,[redacted]\n", b"2,\n") + DONE + READY
    session = asked("COPY masked binary")
    cells = b"\0\2\0\0\0\4\0\0\0\1\0\0\0\x0a4111-11234"
    hidden = b"\0\2\0\0\0\4\0\0\0\1\0\0\0\x0a******1234"
    start = SIGNATURE + bytes(8)
    reply = session.upstream_sent(out(1) + copied(start + cells, cells, b"\xff\xff") + DONE + READY, 0).to_client
    assert reply == out(1) + copied(start + hidden, hidden, b"\xff\xff") + DONE + READY


def test_a_column_of_no_certain_type_becomes_null() -> None:
    session = asked("COPY masked text untyped")
    assert copied(b"1\t\\N\n") in session.upstream_sent(out() + copied(PLAIN[0]) + DONE + READY, 0).to_client


def test_the_extended_protocol() -> None:
    session = new_session()
    parse, bind, run = frontend.Parse("c", "COPY masked text"), frontend.Bind("", "c"), frontend.Execute("")
    outcome = session.client_sent(parse.encode() + bind.encode() + run.encode() + SYNC, 0)
    assert outcome.to_upstream.endswith(SYNC)
    described = backend.ParameterDescription(()).encode() + backend.NoData().encode()
    reply = [backend.ParseComplete().encode(), described, backend.BindComplete().encode(), out(), copied(*PLAIN), DONE]
    answer = session.upstream_sent(b"".join(reply) + READY, 0)
    assert answer.to_client.endswith(out() + copied(*MASKED) + DONE + READY)
    assert finished(answer).masked_cells == 1


def test_in_the_midst_of_several_statements() -> None:
    session = asked("SELECT 1; COPY masked text; SELECT 2")
    reply = ROWS + row(b"1") + ONE + out() + copied(*PLAIN) + DONE + ROWS + row(b"2") + ONE + READY
    answer = session.upstream_sent(reply, 0)
    assert answer.to_client == reply.replace(copied(*PLAIN), copied(*MASKED))
    assert [e.rows for e in answer.events] == [1, 2, 1]  # type: ignore[attr-defined]


def test_a_copy_that_fails_half_way() -> None:
    session = asked("COPY masked text")
    error = backend.error("ERROR", "57014", "canceling statement").encode()
    outcome = session.upstream_sent(out() + copied(PLAIN[0], b"2\t41") + error + READY, 0)
    assert copied(MASKED[0]) in outcome.to_client
    assert b"41" not in outcome.to_client.replace(copied(MASKED[0]), b"")
    assert (finished(outcome).rows, finished(outcome).sqlstate) == (1, "57014")
    session.client_sent(query("SELECT 1"), 0)
    assert session.upstream_sent(ROWS + row(b"1") + ONE + READY, 0).to_client == ROWS + row(b"1") + ONE + READY


def test_a_role_from_which_nothing_is_hidden() -> None:
    session = asked("COPY masked text", unrestricted=True)
    reply = out() + copied(*PLAIN) + DONE + READY
    assert session.upstream_sent(reply, 0).to_client is reply


# ---------------------------------------------------------------- what was not decided


@pytest.mark.parametrize(
    ("text", "told", "why"),
    [
        ("COPY masked text", out(0, 3), "the server copies 3 columns where 2 were decided"),
        ("COPY plain", out(0, 3), "the server copies 3 columns where 2 were decided"),
        ("COPY masked text", out(1), "the server copies in another format than was decided"),
        ("COPY masked binary", out(0), "the server copies in another format than was decided"),
        (
            "COPY masked binary",
            backend.CopyOutResponse(1, (1, 0)).encode(),
            "the server copies in another format than was decided",
        ),
        ("COPY unsure text", out(), "the columns of this COPY have changed since it was decided"),
        ("SELECT 1", out(), "the server sends a COPY that was not decided"),
    ],
)
def test_what_was_not_decided_ends_before_its_first_row(text: str, told: bytes, why: str) -> None:
    session = asked(text)
    outcome = session.upstream_sent(told + copied(*PLAIN) + DONE + READY, 0)
    assert b"1234" not in outcome.to_client
    error = only_error(outcome.to_client)
    assert (error.get("S"), error.get("C"), error.get("D")) == ("FATAL", "42501", why)
    assert [e.action for e in outcome.events if e.type == "witness_mismatch"] == ["aborted"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "data", [b"1\t4111-1111-1234\tx\n", b"4111-1111-1234\n", b"1\t4111-1111-1234"], ids=["more", "fewer", "no end"]
)
def test_a_row_that_is_not_what_was_announced_ends_the_session(data: bytes) -> None:
    session = asked("COPY masked text")
    outcome = session.upstream_sent(out() + copied(PLAIN[0]) + copied(data) + DONE + READY, 0)
    assert b"4111-1111-1234" not in outcome.to_client
    error = only_error(outcome.to_client)
    assert error.get("S") == "FATAL"
    assert "COPY data" in (error.get("M") or "")


@pytest.mark.parametrize("reply", [out() + copied(PLAIN[0]) + row(b"4111"), ROWS + row(b"1") + copied(b"4111")])
def test_rows_and_copy_data_do_not_mix(reply: bytes) -> None:
    session = asked("COPY masked text" if reply.startswith(b"H") else "SELECT masked")
    outcome = session.upstream_sent(reply, 0)
    assert b"mixed rows and COPY data" in outcome.to_client
    assert b"4111" not in outcome.to_client


def test_data_after_copy_done_does_not_pass() -> None:
    session = asked("COPY masked text")
    outcome = session.upstream_sent(out() + copied(*PLAIN) + CopyDone().encode() + copied(b"3\tsecret\n"), 0)
    assert b"secret" not in outcome.to_client


def test_a_row_longer_than_the_gate_keeps() -> None:
    session = new_session(limits=Limits(upstream_message=1000))
    session.client_sent(query("COPY masked text"), 0)
    outcome = session.upstream_sent(out() + copied(*[b"x" * 200] * 10), 0)
    assert only_error(outcome.to_client).get("C") == "54000"
    assert b"xxx" not in outcome.to_client


# ---------------------------------------------------------------- the second witness


class WitnessContext(FakeContext):
    """`COPY t`: two columns, of which the text masks none, by a role from which data is hidden."""

    def one(self, sql: str, start: int, end: int) -> Decision:
        if not sql.startswith("COPY"):
            return super().one(sql, start, end)
        written = CopyFormat(relation=("t",)) if "(" not in sql else CopyFormat()
        plan = CopyOut(written, (0, 0))
        return Decision(Verdict.ALLOW, "copy_out", width=2, copy=plan, hides=True, start=start, end=end)


def witnessed(text: str = "COPY t TO STDOUT") -> tuple[PostgresSession, bytes]:
    """A session that has sent this Query, and what went upstream."""

    def make_context(policy: Any, path: tuple[str, ...]) -> Any:
        return WitnessContext(policy, path)

    policy: Any = FakePolicy()
    session = PostgresSession(login=LOGIN, policy=policy, make_context=make_context, limits=Limits(), now=0)
    return session, session.client_sent(query(text), 0).to_upstream


CLOSED = backend.CloseComplete().encode()
PARSED = backend.ParseComplete().encode() + backend.ParameterDescription(()).encode()


def answer(*origins: tuple[int, int], alone: bool = True) -> bytes:
    """The server's reply to the gate's question: columns of these origins."""
    fields = tuple(backend.FieldDescription(f"c{n}", *o, oids.TEXT, -1, -1, 0) for n, o in enumerate(origins))
    described = backend.RowDescription(fields).encode() if origins else backend.NoData().encode()
    return CLOSED + PARSED + described + CLOSED + (READY if alone else b"")


def test_the_server_is_asked_for_the_columns_first() -> None:
    _, sent = witnessed()
    asks = [type(m).__name__ for m in decoded_requests(sent)]
    assert asks == ["Close", "Parse", "Describe", "Close", "Sync", "Query"]
    assert b'SELECT * FROM ONLY "t"' in sent
    assert b"SELECT a, b FROM t" in witnessed("COPY (SELECT a, b FROM t) TO STDOUT")[1]


def decoded_requests(data: bytes) -> list[object]:
    messages, end = split(data, 0, 1 << 20)
    assert end == len(data)
    return [frontend.decode(kind, data[start + HEADER_SIZE : stop]) for kind, start, stop in messages]


def test_a_column_that_the_text_left_open_is_masked_and_reported() -> None:
    session, _ = witnessed()
    outcome = session.upstream_sent(answer((900, 1), (MASKED_TABLE, 1)) + out() + copied(*PLAIN) + DONE + READY, 0)
    assert outcome.to_client == out() + copied(*MASKED) + DONE + READY
    assert [e.action for e in outcome.events if e.type == "witness_mismatch"] == ["masked"]  # type: ignore[attr-defined]
    assert finished(outcome).masked_cells == 1
    assert session.idle


def test_harmless_origins_let_the_bytes_pass() -> None:
    session, _ = witnessed()
    outcome = session.upstream_sent(answer((900, 1), (900, 2)) + out() + copied(*PLAIN) + DONE + READY, 0)
    assert outcome.to_client == out() + copied(*PLAIN) + DONE + READY


@pytest.mark.parametrize("origins", [((900, 1), (MASKED_TABLE + 1, 1)), ((900, 1),), ((900, 1), (900, 2), (900, 3))])
def test_forbidden_origins_and_other_numbers_of_columns_end_the_copy(origins: tuple[tuple[int, int], ...]) -> None:
    session, _ = witnessed()
    outcome = session.upstream_sent(answer(*origins) + out() + copied(*PLAIN), 0)
    assert only_error(outcome.to_client).get("C") == "42501"
    assert b"1234" not in outcome.to_client


def test_without_an_answer_the_text_decides() -> None:
    for text in ("COPY t TO STDOUT; SELECT 1", "SELECT 1; COPY t TO STDOUT"):
        _, sent = witnessed(text)
        assert sent == query(text)
    session, _ = witnessed()
    outcome = session.upstream_sent(answer() + out() + copied(*PLAIN) + DONE + READY, 0)
    assert outcome.to_client == out() + copied(*PLAIN) + DONE + READY


ERROR = backend.ErrorResponse((("S", "ERROR"), ("C", "42P01"), ("M", 'relation "t" does not exist'), ("P", "20")))
NO_TRANSACTION = backend.error("ERROR", "25P02", "current transaction is aborted").encode()


def test_a_question_that_fails_by_itself_is_not_seen() -> None:
    session, _ = witnessed()
    own = backend.error("ERROR", "42P01", 'relation "t" does not exist').encode()
    outcome = session.upstream_sent(CLOSED + ERROR.encode() + READY + own + READY, 0)
    error = only_error(outcome.to_client)
    assert error.get("C") == "42P01"
    assert outcome.to_client.count(READY) == 1
    assert finished(outcome).sqlstate == "42P01"


def test_a_question_that_fails_a_transaction_tells_why() -> None:
    session, _ = witnessed()
    failed = backend.ReadyForQuery(backend.TransactionStatus("E")).encode()
    outcome = session.upstream_sent(CLOSED + ERROR.encode() + failed + NO_TRANSACTION + failed, 0)
    error = only_error(outcome.to_client)
    assert (error.get("C"), error.get("P")) == ("42P01", None)
    assert outcome.to_client.endswith(failed)


def test_the_question_within_a_batch() -> None:
    session, _ = witnessed("SELECT 1")
    session.upstream_sent(ROWS + row(b"1") + ONE + READY, 0)
    parse, bind, run = frontend.Parse("c", "COPY t TO STDOUT"), frontend.Bind("", "c"), frontend.Execute("")
    sent = session.client_sent(parse.encode() + bind.encode() + run.encode() + SYNC, 0).to_upstream
    asks = [type(m).__name__ for m in decoded_requests(sent)]
    assert asks == ["Parse", "Describe", "Bind", "Close", "Parse", "Describe", "Close", "Execute", "Sync"]
    begun = PARSED + backend.NoData().encode() + backend.BindComplete().encode()
    reply = begun + answer((900, 1), (MASKED_TABLE, 1), alone=False) + out() + copied(*PLAIN) + DONE + READY
    outcome = session.upstream_sent(reply, 0)
    wanted = backend.ParseComplete().encode() + backend.BindComplete().encode() + out() + copied(*MASKED) + DONE + READY
    assert outcome.to_client == wanted
    session.client_sent(bind.encode() + run.encode() + SYNC, 0)
    reply = backend.BindComplete().encode() + CLOSED + ERROR.encode() + READY
    outcome = session.upstream_sent(reply, 0)
    assert only_error(outcome.to_client).get("C") == "42P01"
    assert finished(outcome).sqlstate in ("42P01", "not run")
