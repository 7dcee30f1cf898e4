"""Limits against a real server: what a result too large looks like, and budgets that nobody gets round."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import pytest

from tests.live import raw
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream, await_true, verifier
from tests.live.places import Place
from tests.live.raw import FLUSH, SYNC, bind, describe, execute, parse, query
from tests.live.servers import PASSWORD, Postgres

ALLOW = 'version: 1\nrules:\n  - id: all\n    allow: {statements: ["*"], tables: ["*"], functions: ["*"]}\n'
MASK = "  - id: hide\n    roles: [agent]\n    mask: {columns: [big.ssn], with: redact}\n"
LABELS = "labels: {secret: [big.ssn]}\n"


def book(figures: str, rest: str = "") -> str:
    return f"{ALLOW}  - id: cap\n    roles: [agent]\n    limit: {{{figures}}}\n{rest}"


BOOKS = {
    "rows": book("rows_per_statement: 100"),
    "masked": book("rows_per_statement: 100, bytes_per_statement: 1MB", MASK),
    "bytes": book("bytes_per_statement: 64KiB"),
    "time": book("statement_time: 500ms"),
    "rate": book("statements_per_minute: 5"),
    "budget": book("rows_per_job: 1000, per: day"),
    "cells": book("sensitive_cells_per_job: 50", LABELS),
    "watching": ALLOW + "  - id: seen\n    mode: observe\n    limit: {rows_per_statement: 3}\n",
    "free": ALLOW,
}
TABLE = """
SET ROLE app;
CREATE TABLE big (id int, pad text, ssn text);
INSERT INTO big SELECT n, repeat('x', 200), '900-00-' || n FROM generate_series(1, 20000) AS n;
CREATE TABLE notes (id int);
"""
ALL = "SELECT * FROM big"


def user(job: str) -> dict[str, Any]:
    return {"role": "agent", "verifier": verifier(CLIENT_PASSWORD), "databases": list(BOOKS), "job": job}


@pytest.fixture(scope="module")
def limited(server: Postgres, make_gate: GateMaker) -> Iterator[Gate]:
    server.drop_database("limited")
    server.create_database("limited", owner="app")
    server.run(TABLE, "limited")
    users = {f"worker{n}": user(f"job-{n}") for n in range(4)}
    return make_gate(
        {name: Upstream("limited", name) for name in BOOKS}, rulebooks=BOOKS, workers=2, extra={"users": users}
    )


@pytest.fixture
def native(server: Postgres, limited: Gate) -> Place:
    return Place(server.host, server.port, "limited", "app", PASSWORD)


def heard(messages: list[raw.Message]) -> str:
    """Letters without notices, the status behind each Z."""
    return "".join(m.kind + (m.payload.decode() if m.kind == "Z" else "") for m in messages if m.kind not in "NS")


# ---------------------------------------------------------------- one statement


@pytest.mark.parametrize("rows", [101, 150, 20_000])
@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("transaction", [False, True])
@pytest.mark.parametrize("name", ["rows", "masked"])
def test_a_row_too_many(limited: Gate, name: str, rows: int, extended: bool, transaction: bool) -> None:
    sql = f"SELECT * FROM big LIMIT {rows}"
    with gate_place(limited, name).raw() as client:
        if transaction:
            client.ask(query("BEGIN"))
        messages = client.ask(parse(sql) + bind() + execute() + SYNC if extended else query(sql))
        expected = ("12" if extended else "T") + "D" * 100 + "EZ" + ("E" if transaction else "I")
        assert heard(messages) == expected
        fields = messages[-2].fields
        assert fields["C"] == "54000"
        assert 'rule "cap"' in fields["D"]
        assert "rows_per_statement: 100" in fields["D"]
        assert "LIMIT" in fields["H"]
        assert heard(client.ask(query("ROLLBACK"))) == "CZI"
        assert heard(client.ask(query("SELECT id FROM big LIMIT 100"))) == "T" + "D" * 100 + "CZI"


@pytest.mark.parametrize("options", ["", "(FORMAT csv, HEADER)", "(FORMAT text, HEADER)", "(FORMAT binary)"])
@pytest.mark.parametrize("name", ["rows", "masked"])
def test_copies_of_each_format(limited: Gate, name: str, options: str) -> None:
    """A header line may count as a row; more than the limit never comes, and the session goes on."""
    with gate_place(limited, name).raw() as client:
        header = "HEADER" in options
        for rows in (99, 100, 101, 150, 3000):
            told = heard(client.ask(query(f"COPY (SELECT * FROM big LIMIT {rows}) TO STDOUT {options}")))
            assert told.count("d") <= 100 + bool(options), rows
            if rows < 100 or (rows == 100 and not header):
                assert told.endswith("cCZI"), rows
            if rows > 100:
                assert told.endswith("dEZI"), rows
            assert heard(client.ask(query("SELECT 1"))) == "TDCZI"


def test_late_cancels_never_hit_the_next_statement(limited: Gate) -> None:
    """Results of every length, so that the cancel comes before, at and after the end; what follows always works."""
    with gate_place(limited, "rows").raw() as client:
        for turn in range(300):
            rows = 101 + (turn * 37) % 3000
            data = query(f"SELECT * FROM big LIMIT {rows}") + query("SELECT count(*) FROM notes") + query("SELECT 1")
            assert heard(client.ask(data, 3)) == "T" + "D" * 100 + "EZI" + "TDCZI" * 2, rows
        for turn in range(150):
            rows = 101 + (turn * 53) % 3000
            sql = f"SELECT * FROM big LIMIT {rows}"
            data = parse(sql) + bind() + execute() + SYNC + parse("SELECT 1") + bind() + execute() + SYNC
            assert heard(client.ask(data, 2)) == "12" + "D" * 100 + "EZI" + "12DCZI", rows


THROUGH_THE_GATE = {
    "ALL": ALL,
    "BIT": f"{ALL} LIMIT 101",
    "insert": "INSERT INTO notes VALUES (1)",
    "SELECT": "SELECT 1",
}
FAILING = "SELECT 1/(101 - id), pad, ssn FROM big"
NATIVELY = {**THROUGH_THE_GATE, "ALL": FAILING, "BIT": f"{FAILING} LIMIT 101"}
CONVERSATIONS = {
    "a batch": "insert;ALL;insert",
    "a batch in a transaction": "BEGIN|insert;ALL;insert|SELECT|COMMIT",
    "behind a batch": "insert;ALL|insert;SELECT",
    "a savepoint": "BEGIN|SAVEPOINT s|ALL|ROLLBACK TO s|insert|COMMIT",
    "two in one batch": "ALL;ALL",
    "rows behind rows": "SELECT;SELECT;insert;ALL",
    "one row too many": "insert;BIT;insert",
    "one row too many in a transaction": "BEGIN|insert;BIT;insert|SELECT|COMMIT",
    "nothing but one row too many": "BIT|insert",
}


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_limit_ends_a_batch_as_a_failure_does(
    limited: Gate, native: Place, server: Postgres, name: str, at_once: bool
) -> None:
    """The same messages, statuses and data as where the statement divides by zero at its hundred and first row."""
    told = []
    for place in (native, gate_place(limited, "rows")):
        server.run("TRUNCATE notes", "limited")
        parts = []
        for part in CONVERSATIONS[name].split("|"):
            batch = b""
            for word in part.split(";"):
                words = THROUGH_THE_GATE if place.gate else NATIVELY
                text = words.get(word, word)
                batch += parse(text) + bind() + execute()
            parts.append(batch + SYNC)
        with place.raw() as client:
            if at_once:
                answers = client.ask(b"".join(parts), len(parts))
            else:
                answers = [message for part in parts for message in client.ask(part)]
            told.append((heard(answers), heard(client.ask(query("ROLLBACK"))), raw_count(client)))
    assert told[1] == told[0]


def raw_count(client: raw.Raw) -> bytes:
    return next(m.payload for m in client.ask(query("SELECT count(*) FROM notes")) if m.kind == "D")


def test_simple_queries_in_a_transaction(limited: Gate, server: Postgres) -> None:
    with gate_place(limited, "rows").raw() as client:
        server.run("TRUNCATE notes", "limited")
        client.ask(query("BEGIN"))
        client.ask(query("INSERT INTO notes VALUES (1)"))
        assert heard(client.ask(query(ALL))) == "T" + "D" * 100 + "EZE"
        assert heard(client.ask(query("SELECT 1"))) == "EZE"
        assert heard(client.ask(query("COMMIT"))) == "CZI"
        assert raw_count(client) == b"\0\1\0\0\0\x010"
        assert heard(client.ask(query(f"BEGIN; INSERT INTO notes VALUES (1); {ALL}"))).endswith("DEZE")
        client.ask(query("ROLLBACK"))
        assert heard(client.ask(query(f"SELECT 1; {ALL}; SELECT 2"))) == "TDCT" + "D" * 100 + "EZI"
        assert raw_count(client) == b"\0\1\0\0\0\x010"


def test_portals_and_cursors_are_one_result(limited: Gate) -> None:
    with gate_place(limited, "rows").raw() as client:
        client.ask(query("BEGIN"))
        client.send(parse(ALL) + bind("", "p") + execute("p", 60) + FLUSH)
        assert raw.kinds(list(client.until("s"))) == "12" + "D" * 60 + "s"
        assert heard(client.ask(execute("p", 60) + SYNC)) == "D" * 40 + "EZE"
        client.ask(query("ROLLBACK"))
        client.ask(query("BEGIN"))
        client.ask(query(f"DECLARE c CURSOR FOR {ALL}"))
        assert heard(client.ask(query("FETCH 70 FROM c"))) == "T" + "D" * 70 + "CZT"
        assert heard(client.ask(query("FETCH 70 FROM c"))) == "T" + "D" * 30 + "EZE"
        assert heard(client.ask(query("ROLLBACK"))) == "CZI"
        assert heard(client.ask(parse(ALL) + bind() + describe() + execute("", 100) + SYNC)) == (
            "12T" + "D" * 100 + "sZI"
        )


def test_copy_out(limited: Gate) -> None:
    with psycopg.connect(limited.dsn("rows"), autocommit=True) as connection:
        copy = connection.cursor().copy("COPY big TO STDOUT")
        with pytest.raises(psycopg.errors.ProgramLimitExceeded), copy as rows:
            list(rows.rows())
        with connection.cursor().copy("COPY (SELECT * FROM big LIMIT 100) TO STDOUT") as copy:
            assert len(list(copy.rows())) == 100
        with connection.cursor().copy("COPY notes FROM STDIN") as copy_in:
            for number in range(300):
                copy_in.write_row((number,))


def test_bytes(limited: Gate) -> None:
    with gate_place(limited, "bytes").raw() as client:
        messages = client.ask(query(ALL))
        size = sum(len(message.payload) + 5 for message in messages if message.kind == "D")
        assert 64 * 1024 - 300 < size <= 64 * 1024
        assert heard(messages).endswith("DEZI")
        messages = client.ask(query("SELECT repeat('y', 10000000)"))
        assert heard(messages) == "TEZI"


# ---------------------------------------------------------------- drivers


def test_psycopg_pipeline(limited: Gate) -> None:
    with psycopg.connect(limited.dsn("rows"), autocommit=True) as connection:
        with connection.pipeline() as pipeline:
            fine = [connection.execute("SELECT id FROM big LIMIT %s", (size,)) for size in (5, 100)]
            pipeline.sync()
            assert [len(each.fetchall()) for each in fine] == [5, 100]
            connection.execute("SELECT id FROM big LIMIT %s", (101,))
            connection.execute("INSERT INTO notes VALUES (-77)")
            with pytest.raises(psycopg.errors.ProgramLimitExceeded):
                pipeline.sync()
            again = connection.execute("SELECT count(*) FROM notes WHERE id = -77")
            assert again.fetchone() == (0,)
        assert connection.execute("SELECT 3").fetchone() == (3,)


def test_psycopg_server_side_cursor(limited: Gate) -> None:
    with psycopg.connect(limited.dsn("rows")) as connection:
        with connection.cursor("named") as cursor:
            cursor.itersize = 30
            cursor.execute("SELECT id FROM big")
            with pytest.raises(psycopg.errors.ProgramLimitExceeded):
                cursor.fetchall()
        connection.rollback()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_asyncpg_cursor(limited: Gate) -> None:
    async def rows_of(connection: Any, got: list[int]) -> None:
        async with connection.transaction():
            async for row in connection.cursor("SELECT id FROM big", prefetch=15):
                got.append(row[0])

    async def read() -> tuple[int, Any]:
        connection = await asyncpg.connect(limited.dsn("rows"), ssl=False)
        got: list[int] = []
        try:
            with pytest.raises(asyncpg.exceptions.ProgramLimitExceededError):
                await rows_of(connection, got)
            return len(got), await connection.fetchval("SELECT count(*) FROM notes WHERE false")
        finally:
            await connection.close()

    got, after = asyncio.run(read())
    assert 90 <= got <= 100
    assert after == 0


# ---------------------------------------------------------------- time and rate


def test_statement_time(limited: Gate) -> None:
    with psycopg.connect(limited.dsn("time"), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.QueryCanceled) as slow:
            connection.execute("SELECT count(*) FROM generate_series(1, 1000000000)")
        assert "statement_time: 500ms" in (slow.value.diag.message_detail or "")
        for refused in ("SET statement_timeout = 0", "SET LOCAL statement_timeout = '1h'",
                        "SELECT set_config('statement_timeout', '0', false)"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="dbgate"):
                connection.execute(refused)
        connection.execute("SET statement_timeout = '200ms'")
        with pytest.raises(psycopg.errors.QueryCanceled) as sooner:
            connection.execute("SELECT count(*) FROM generate_series(1, 1000000000)")
        assert "statement_time" not in (sooner.value.diag.message_detail or "")
        for back in ("RESET statement_timeout", "RESET ALL", "DISCARD ALL"):
            connection.execute(back)
            assert connection.execute("SHOW statement_timeout").fetchone() == ("500ms",)
    for asked, got in (("100", "100ms"), ("0", "500ms"), ("1h", "500ms")):
        with psycopg.connect(limited.dsn("time"), options=f"-c statement_timeout={asked}") as connection:
            assert connection.execute("SHOW statement_timeout").fetchone() == (got,)
    with psycopg.connect(limited.dsn("free")) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)


def test_statements_in_a_minute_over_all_sessions(limited: Gate) -> None:
    """Of one job, on two workers; another job has its own."""
    for _ in range(5):
        with psycopg.connect(limited.dsn("rate", user="worker0"), autocommit=True) as connection:
            connection.execute("SELECT 1")
    for _ in range(4):
        with (
            psycopg.connect(limited.dsn("rate", user="worker0"), autocommit=True) as connection,
            pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as refused,
        ):
            connection.execute("SELECT 1")
        assert "0 statements are left in this minute" in (refused.value.diag.message_detail or "")
        assert "wait" in (refused.value.diag.message_hint or "")
    with psycopg.connect(limited.dsn("rate", user="worker1")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


# ---------------------------------------------------------------- budgets


def rows_until_refused(gate: Gate, name: str, who: str, sql: str = "SELECT id FROM big LIMIT 130") -> int:
    """How many rows one session after the other gets, in turns."""
    total = 0
    sessions = [psycopg.connect(gate.dsn(name, user=who), autocommit=True) for _ in range(4)]
    try:
        for turn in range(40):
            try:
                total += len(sessions[turn % 4].execute(sql).fetchall())
            except psycopg.errors.ConfigurationLimitExceeded:
                break
    finally:
        for session in sessions:
            session.close()
    return total


def left(gate: Gate, name: str, who: str) -> str:
    with psycopg.connect(gate.dsn(name, user=who), autocommit=True) as connection:
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as refused:
            connection.execute("SELECT id FROM big LIMIT 1000")
        return refused.value.diag.message_detail or ""


def test_sessions_and_workers_share_a_budget(limited: Gate) -> None:
    assert rows_until_refused(limited, "budget", "worker0") == 7 * 130
    detail = left(limited, "budget", "worker0")
    assert "1000 of 1000 rows are used and 0 left; the budget resets at" in detail
    assert "00:00:00 UTC" in detail
    with psycopg.connect(limited.dsn("budget", user="worker0"), autocommit=True) as connection:
        connection.execute("INSERT INTO notes VALUES (1)")  # brings no rows
        connection.execute("BEGIN")
        connection.execute("ROLLBACK")
    assert rows_until_refused(limited, "budget", "worker1") == 7 * 130


def test_application_name_is_no_job(limited: Gate) -> None:
    assert rows_until_refused(limited, "budget", "agent") == 7 * 130
    with psycopg.connect(limited.dsn("budget"), application_name="another job") as connection:
        connection.execute("INSERT INTO notes VALUES (1)")
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
            connection.execute("SELECT id FROM big LIMIT 500")


def test_sensitive_cells(limited: Gate) -> None:
    with psycopg.connect(limited.dsn("cells", user="worker2"), autocommit=True) as connection:
        assert len(connection.execute("SELECT id, pad FROM big LIMIT 500").fetchall()) == 500
        assert len(connection.execute("SELECT ssn, left(ssn, 3) FROM big LIMIT 20").fetchall()) == 20
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as refused:
            connection.execute("SELECT * FROM big LIMIT 11")
        assert "50 of 50 sensitive cells are used" in (refused.value.diag.message_detail or "")
        with pytest.raises(psycopg.errors.ConfigurationLimitExceeded):
            connection.execute("SELECT ssn FROM big LIMIT 1")
        assert len(connection.execute("SELECT id FROM big LIMIT 500").fetchall()) == 500


def test_a_killed_gate_forgets_nothing(make_gate: GateMaker, server: Postgres, limited: Gate) -> None:
    gate = make_gate({"budget": Upstream("limited", "budget")}, rulebooks=BOOKS, workers=2)
    with psycopg.connect(gate.dsn("budget"), autocommit=True) as connection:
        assert len(connection.execute("SELECT id FROM big LIMIT 700").fetchall()) == 700
        for pid in gate.pids():
            os.kill(pid, signal.SIGKILL)
    gate.process.wait(20)
    for reader in gate._readers:
        reader.join(5)
    for stream in (gate.process.stdout, gate.process.stderr):
        if stream is not None:
            stream.close()
    gate.process = gate._start()
    assert "1000 of 1000 rows" in left(gate, "budget", "agent")
    with (
        psycopg.connect(gate.dsn("budget"), autocommit=True) as connection,
        pytest.raises(psycopg.errors.ConfigurationLimitExceeded),
    ):
        connection.execute("SELECT id FROM big LIMIT 1")


# ---------------------------------------------------------------- audit, observe, reload


def test_the_audit_names_the_limit(limited: Gate) -> None:
    with (
        psycopg.connect(limited.dsn("rows"), autocommit=True) as connection,
        pytest.raises(psycopg.errors.ProgramLimitExceeded),
    ):
        connection.execute("SELECT id, 'audited' FROM big")

    def ended() -> list[dict[str, Any]]:
        return [e for e in limited.audit() if e["type"] == "statement_finished" and e.get("limit") == "cap"]

    await_true(lambda: bool(ended()), 10, "the outcome")
    assert {(event["sqlstate"], event["rows"]) for event in ended()} >= {("54000", 100)}


def test_observed_limits_do_nothing(limited: Gate) -> None:
    with psycopg.connect(limited.dsn("watching"), autocommit=True) as connection:
        assert len(connection.execute("SELECT id FROM big LIMIT 50").fetchall()) == 50

    def seen() -> list[dict[str, Any]]:
        return [e for e in limited.audit() if e["type"] == "statement_finished" and e.get("observed") == ["seen"]]

    await_true(lambda: bool(seen()), 10, "the observation")


def test_a_reload_brings_the_limit_to_open_sessions(make_gate: GateMaker, server: Postgres, limited: Gate) -> None:
    gate = make_gate({"x": Upstream("limited", "reloaded")}, rulebooks={"reloaded": ALLOW})
    with gate_place(gate, "x").raw() as client:
        assert heard(client.ask(query("SELECT id FROM big LIMIT 200"))) == "T" + "D" * 200 + "CZI"
        gate.reload("reloaded", book("rows_per_statement: 7"))

        def holds() -> bool:
            return heard(client.ask(query("SELECT id FROM big LIMIT 200"))) == "T" + "D" * 7 + "EZI"

        await_true(holds, 15, "the new limit")


def test_what_a_text_did_is_undone_when_its_result_is_ended(limited: Gate, server: Postgres) -> None:
    """A simple Query commits by itself: not before its rows have been seen, if a limit may end them."""
    server.run("TRUNCATE notes", "limited")
    with gate_place(limited, "rows").raw() as client:
        for rows in (101, 5000):
            written = f"INSERT INTO notes SELECT n FROM generate_series(1, {rows}) n RETURNING id"
            assert heard(client.ask(query(written))) == "T" + "D" * 100 + "EZI"
            text = f"INSERT INTO notes VALUES (1); SELECT * FROM big LIMIT {rows}; INSERT INTO notes VALUES (2)"
            assert heard(client.ask(query(text))) == "CT" + "D" * 100 + "EZI"
            client.ask(query("BEGIN"))
            assert heard(client.ask(query(f"SELECT * FROM big LIMIT {rows}; COMMIT"))) == "T" + "D" * 100 + "EZE"
            client.ask(query("ROLLBACK"))
        assert raw_count(client) == b"\0\1\0\0\0\x010"
        assert heard(client.ask(query("INSERT INTO notes VALUES (1), (2) RETURNING id; SELECT 1"))) == "TDDCTDCZI"
        assert raw_count(client) == b"\0\1\0\0\0\x012"
