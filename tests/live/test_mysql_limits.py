"""Limits against real MySQL and MariaDB: test_limits for these servers."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import time
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from tests.live import mysql_raw as raw
from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream, await_true, verifier
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer

#: Minutes on a small machine: part of the longer run (`-m fuzz`).
pytestmark = pytest.mark.fuzz

ALLOW = 'version: 1\nrules:\n  - id: all\n    allow: {statements: ["*"], tables: ["*"], functions: ["*"]}\n'
MASK = "  - id: hide\n    roles: [agent]\n    mask: {columns: [big.ssn], with: redact}\n"
LABELS = "labels: {secret: [big.ssn]}\n"


def book(figures: str, rest: str = "") -> str:
    return f"{ALLOW}  - id: cap\n    roles: [agent]\n    limit: {{{figures}}}\n{rest}"


BOOKS = {
    "rows": book("rows_per_statement: 100"),
    "masked": book("rows_per_statement: 100, bytes_per_statement: 1MB", MASK),
    "bytes": book("bytes_per_statement: 64KiB"),
    "time": book("statement_time: 300ms"),
    "rate": book("statements_per_minute: 5"),
    "budget": book("rows_per_job: 1000, per: day"),
    "cells": book("sensitive_cells_per_job: 50", LABELS),
    "killed": book("rows_per_job: 500, per: day"),
}
WORLD = """
CREATE TABLE tens (n INT);
INSERT INTO tens VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
CREATE TABLE big (id INT PRIMARY KEY, pad VARCHAR(200), ssn VARCHAR(20));
INSERT INTO big SELECT n + 1, repeat('x', 200), concat('900-00-', n) FROM
  (SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS n FROM tens a, tens b, tens c, tens d) AS numbers;
CREATE TABLE notes (id INT);
CREATE TABLE slow (id INT PRIMARY KEY, n INT);
INSERT INTO slow SELECT id, 0 FROM big LIMIT 1000;
CREATE PROCEDURE two() BEGIN SELECT id FROM big LIMIT 60; SELECT id FROM big LIMIT 60; END;
CREATE PROCEDURE lasting() BEGIN DECLARE i INT DEFAULT 0; WHILE i < 2000000000 DO SET i = i + 1; END WHILE; END;
"""
HEAVY = "(SELECT count(*) FROM big a, big b, big c WHERE a.id + b.id + c.id < {})"


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: brand.value)
def server(request: pytest.FixtureRequest) -> Iterator[MysqlServer]:
    with needed_mysql(request.param) as started:
        started.create_database("limited")
        with started.connect("limited", autocommit=True) as direct, direct.cursor() as cursor:
            for text in WORLD.replace("END WHILE; END;", "END WHILE\\; END;").split(";\n"):
                if text.strip():
                    cursor.execute(text.strip().removesuffix(";").replace("\\;", ";"))
        yield started


def user(job: str) -> dict[str, Any]:
    return {"role": "agent", "verifier": verifier(CLIENT_PASSWORD), "databases": list(BOOKS), "job": job}


@pytest.fixture(scope="module")
def limited(server: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    users = {f"worker{n}": user(f"job-{n}") for n in range(4)}
    databases = {name: Upstream("limited", name) for name in BOOKS}
    directory = tmp_path_factory.mktemp("limited")
    started = Gate(directory, server, databases, workers=2, rulebooks=BOOKS, extra={"users": users})
    yield started
    started.stop()


@contextlib.contextmanager
def talk(gate: Gate, database: str, user: str = "agent", capabilities: int = raw.NEW) -> Iterator[raw.Raw]:
    client = raw.Raw(gate.host, gate.mysql_ports[""], capabilities, 20.0)
    with contextlib.closing(client):
        yield client.login(user, CLIENT_PASSWORD, database)


def connect(gate: Gate, database: str, user: str = "agent") -> Any:
    return pymysql.connect(
        host="127.0.0.1", port=gate.mysql_ports[""], user=user, password=CLIENT_PASSWORD, database=database,
        autocommit=True, read_timeout=20, ssl_disabled=True,
    )  # fmt: skip


def ask(connection: Any, text: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


def error(connection: Any, text: str) -> tuple[int, str]:
    with pytest.raises(pymysql.MySQLError) as caught:
        ask(connection, text)
    return caught.value.args[0], caught.value.args[1]


def told(reply: raw.Reply) -> tuple[int, str]:
    """Of the ERR that ends a reply."""
    last = reply.packets[-1]
    assert last[0] == 0xFF, reply.packets[-1]
    return struct.unpack_from("<H", last, 1)[0], last[9:].decode()


def rows(reply: raw.Reply, columns: int = 3, old: bool = False) -> int:
    """Of one result: what lies between its definitions and its last packet."""
    return len(reply.packets) - 1 - columns - old - 1


# ---------------------------------------------------------------- one statement


@pytest.mark.parametrize("name", ["rows", "masked"])
def test_a_row_too_many(limited: Gate, name: str) -> None:
    for capabilities in (raw.NEW, raw.OLD):
        with talk(limited, name, capabilities=capabilities) as client:
            old = capabilities == raw.OLD
            for count in (101, 150, 9000):
                sql = f"SELECT * FROM big LIMIT {count}"
                prepared = client.prepare(sql)
                for reply in (client.query(sql), client.execute(prepared.statement)):
                    assert rows(reply, old=old) == 100
                    errno, words = told(reply)
                    assert errno == 1317
                    assert 'rule "cap"' in words
                    assert "rows_per_statement: 100" in words
                whole = client.query("SELECT id FROM big LIMIT 100")
                assert not whole.failed
                assert rows(whole, 1, old) == 100


def test_bytes(limited: Gate) -> None:
    with talk(limited, "bytes") as client:
        reply = client.query("SELECT * FROM big")
        size = sum(len(packet) + 4 for packet in reply.packets[4:-1])
        assert 64 * 1024 - 300 < size <= 64 * 1024
        assert "bytes_per_statement" in told(reply)[1]
        reply = client.query("SELECT repeat('y', 3000000)")
        assert len(reply.packets) == 3
        assert reply.failed
        assert not client.query("SELECT 1").failed


def test_late_kills_never_hit_the_next_statement(limited: Gate) -> None:
    """Results of every length, so that KILL comes before, at and after the end; what follows always works."""
    with talk(limited, "rows") as client:
        for turn in range(60):
            reply = client.query(f"SELECT * FROM big LIMIT {101 + turn * 37 % 3000}")
            assert rows(reply) == 100
            for follows in ("SELECT count(*) FROM notes", "SELECT 1"):
                assert not client.query(follows).failed


def test_cursors_are_one_result(limited: Gate) -> None:
    with talk(limited, "rows", capabilities=raw.OLD) as client:
        prepared = client.prepare("SELECT id FROM big")
        assert not client.execute(prepared.statement, cursor=raw.READ_ONLY_CURSOR).failed
        assert len(client.fetch(prepared.statement, 60).packets) == 61
        reply = client.fetch(prepared.statement, 60)
        assert len(reply.packets) == 41
        assert told(reply)[0] == 1317
        assert not client.query("SELECT 1").failed


def test_texts_of_several_statements(limited: Gate, server: MysqlServer) -> None:
    """What comes behind a result that was ended does not run, or the session ends: nobody is told otherwise."""
    server.run("TRUNCATE notes", "limited")
    for count in (101, 9000):
        with talk(limited, "rows") as client:
            reply = client.query(f"INSERT INTO notes VALUES (1); SELECT * FROM big LIMIT {count}; SELECT sleep(0.05); "
                                 "INSERT INTO notes VALUES (2)")  # fmt: skip
            assert told(reply)[0] == 1317
            with contextlib.suppress(raw.ConnectionClosedError):
                after = client.query("SELECT count(*) FROM notes WHERE id = 2")
                assert after.failed or after.packets[2] == b"\x010"


def test_several_results(limited: Gate) -> None:
    """Those of one procedure are one statement's; each statement of a text has its own."""
    with talk(limited, "rows") as client:
        assert not client.query("SELECT id FROM big LIMIT 60; SELECT id FROM big LIMIT 60").failed
        client.query("CALL two()")
        assert not client.query("SELECT 1").failed


# ---------------------------------------------------------------- time


SLOW = {
    "select": f"SELECT {HEAVY.format(1)}",
    "update": "UPDATE slow SET n = n + sleep(0.01)",
    "delete": "DELETE FROM slow WHERE n = sleep(0.01) + 1",
    "insert": f"INSERT INTO notes SELECT {HEAVY.format(2)}",
    "do": f"DO {HEAVY.format(3)}",
    "sleep": "SELECT sleep(20)",
    "do sleep": "DO sleep(20)",
    "call": "CALL lasting()",
    "two": "SELECT 1; UPDATE slow SET n = n + sleep(0.01)",
}
LIFTED = {
    Brand.MYSQL: (
        ("SET max_execution_time = 0", True),
        ("SET SESSION max_execution_time = DEFAULT", True),
        ("SET @@session.max_execution_time = 100000", True),
        (f"SELECT /*+ MAX_EXECUTION_TIME(100000) */ {HEAVY.format(4)}", False),
        (f"SELECT /*+ SET_VAR(max_execution_time = 0) */ {HEAVY.format(5)}", True),
    ),
    Brand.MARIADB: (
        ("SET max_statement_time = 0", True),
        ("SET @@session.max_statement_time = 100", True),
        (f"SET STATEMENT max_statement_time = 100 FOR SELECT {HEAVY.format(4)}", True),
        (f"SET STATEMENT max_statement_time = 0 FOR SELECT {HEAVY.format(5)}", True),
    ),
}


@pytest.mark.parametrize("name", SLOW)
def test_statement_time(limited: Gate, name: str) -> None:
    with talk(limited, "time") as client:
        began = time.monotonic()
        reply = client.query(SLOW[name])
        assert time.monotonic() - began < 5
        assert told(reply)[0] == 1317
        assert 'rule "cap"' in told(reply)[1]
        assert "statement_time: 300ms" in told(reply)[1]
        assert not client.query("SELECT 1").failed


def test_time_of_prepared_statements(limited: Gate) -> None:
    with talk(limited, "time") as client:
        prepared = client.prepare("UPDATE slow SET n = n + sleep(?)")
        for _ in range(2):
            errno, words = told(client.execute(prepared.statement, ("0.01",)))
            assert (errno, "statement_time: 300ms" in words) == (1317, True)
        assert not client.query("SELECT 1").failed


def test_nothing_lifts_the_time(limited: Gate, server: MysqlServer) -> None:
    with connect(limited, "time") as connection:
        for text, refused in LIFTED[server.brand]:
            began = time.monotonic()
            errno, words = error(connection, text)
            assert time.monotonic() - began < 5
            assert errno == (1142 if refused else 1317), (text, words)
            assert refused or '"cap"' in words
        lower = "max_execution_time = 50" if server.brand is Brand.MYSQL else "max_statement_time = 0.05"
        ask(connection, f"SET {lower}")
        assert "statement_time: 300ms" not in error(connection, f"SELECT {HEAVY.format(6)}")[1]


def test_statements_that_end_at_the_limit(limited: Gate) -> None:
    """KILL comes before, at and after their end: each works or fails by the limit, and the next one always works."""
    with talk(limited, "time") as client:
        for turn in range(12):
            reply = client.query(f"UPDATE notes SET id = id + sleep(0.29 + {turn} * 0.002); "
                                 f"UPDATE slow SET n = sleep(0.29 + {turn} * 0.002) WHERE id = 1")  # fmt: skip
            if reply.failed:
                assert "statement_time" in told(reply)[1]
            assert not client.query("SELECT 1").failed


# ---------------------------------------------------------------- rate and budgets


def test_statements_per_minute(limited: Gate) -> None:
    with connect(limited, "rate", "worker3") as connection:
        found = [failure(connection, "SELECT 1") for _ in range(8)]
        assert found.count(1226) >= 2
        assert found.count(0) >= 4
        assert failure(connection, "ROLLBACK") == 0


def failure(connection: Any, text: str) -> int:
    try:
        ask(connection, text)
    except pymysql.MySQLError as fault:
        return int(fault.args[0])
    return 0


def test_rows_of_a_job_in_two_sessions(limited: Gate) -> None:
    with connect(limited, "budget", "worker0") as first, connect(limited, "budget", "worker0") as second:
        got = 0
        for turn in range(7):
            got += len(ask((first, second)[turn % 2], "SELECT id FROM big LIMIT 130"))
        assert got == 910
        assert error(second, "SELECT id FROM big LIMIT 130")[0] == 1226
        errno, words = error(first, "SELECT id FROM big LIMIT 1")
        assert errno == 1226
        assert "1000 of 1000 rows are used and 0 left" in words
        ask(first, "INSERT INTO notes VALUES (1)")
        ask(first, "BEGIN")
        ask(first, "ROLLBACK")
    with connect(limited, "budget", "worker1") as other:
        assert len(ask(other, "SELECT id FROM big LIMIT 130")) == 130


def test_sensitive_cells_in_two_sessions(limited: Gate) -> None:
    with connect(limited, "cells", "worker2") as first, connect(limited, "cells", "worker2") as second:
        assert len(ask(first, "SELECT id, pad FROM big LIMIT 500")) == 500
        assert len(ask(second, "SELECT ssn, left(ssn, 3) FROM big LIMIT 20")) == 20
        assert "50 of 50 sensitive cells are used" in error(first, "SELECT * FROM big LIMIT 11")[1]
        assert error(second, "SELECT ssn FROM big LIMIT 1")[0] == 1226
        assert len(ask(second, "SELECT id FROM big LIMIT 500")) == 500


# ---------------------------------------------------------------- the audit, and the gate's end


def test_the_audit_names_the_limit(limited: Gate) -> None:
    with connect(limited, "rows") as rows_of, connect(limited, "time") as time_of:
        error(rows_of, "SELECT id, 'audited' FROM big")
        error(time_of, "SELECT sleep(3), 'audited'")

    def ended() -> set[tuple[str, int]]:
        events = limited.audit()
        ids = {event["statement_id"] for event in events if "'audited'" in str(event.get("statement", ""))}
        return {
            (event["sqlstate"], event["rows"])
            for event in events
            if event["type"] == "statement_finished" and event.get("limit") == "cap" and event["statement_id"] in ids
        }

    await_true(lambda: ended() == {("54000", 100), ("57014", 0)}, 10, "the outcomes")


def test_a_killed_gate_forgets_nothing(limited: Gate) -> None:
    """The last of the module: the gate is another one afterwards."""
    with connect(limited, "killed") as connection:
        assert len(ask(connection, "SELECT id FROM big LIMIT 400")) == 400
        for pid in limited.pids():
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(pymysql.MySQLError):
            ask(connection, "SELECT 1")
    limited.process.wait(20)
    for reader in limited._readers:
        reader.join(5)
    for stream in (limited.process.stdout, limited.process.stderr):
        if stream is not None:
            stream.close()
    limited.process = limited._start()
    with connect(limited, "killed") as connection:
        assert "500 of 500 rows" in error(connection, "SELECT id FROM big LIMIT 101")[1]
        assert error(connection, "SELECT id FROM big LIMIT 1")[0] == 1226
