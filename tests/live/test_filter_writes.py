"""Checks of written rows against a real server: what they let pass, what they refuse, and with which types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from rules.book import load
from rules.decision import ROW_CHECK_FAILED
from rules.policy import Policy, PolicyContext
from tests.live.needed import live_catalog, needed_server

pytestmark = pytest.mark.live

SCHEMA = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE t (
  id integer PRIMARY KEY, country varchar(2), code char(3), flags bit(4), mood mood, day date, n numeric(6,2),
  tags text[], big bigint, doc jsonb, note text, at timestamptz, u uuid
);
CREATE TABLE source (id integer, country text, day date);
INSERT INTO source VALUES (10, 'US', '2024-05-05'), (11, 'DE', '2024-05-05');
INSERT INTO t (id, country, code, mood) VALUES (1, 'US', 'abc', 'good'), (2, 'DE', 'abc', 'good');
"""
COLUMNS = {
    "country": "country = 'US'",
    "code": "code <> 'zzz'",
    "flags": "flags <> B'0000'",
    "mood": "mood = 'good'",
    "day": "day > '2024-01-01' AND day < '2025-01-01'",
    "n": "n < 100",
    "tags": "'a' = ANY (tags)",
    "big": "big IN (1, 5000000000)",
    "doc": "doc ->> 'k' = 'v'",
    "at": "at > '2024-01-01'",
    "u": "u <> '00000000-0000-0000-0000-000000000000'",
}
#: column -> a value in sight, a value out of sight, as texts
VALUES = {
    "country": ("US", "DE"),
    "code": ("abc", "zzz"),
    "flags": ("1010", "0000"),
    "mood": ("good", "bad"),
    "day": ("2024-05-05", "2026-01-01"),
    "n": ("99.99", "100"),
    "tags": ("{a,b}", "{b}"),
    "big": ("5000000000", "2"),
    "doc": ('{"k": "v"}', '{"k": "w"}'),
    "at": ("2024-02-02", "2023-01-01"),
    "u": ("10000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000000"),
}


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection[Any]]:
    with needed_server() as server:
        server.run("CREATE DATABASE checks")
        with server.connect("checks") as opened:
            opened.execute(SCHEMA)  # type: ignore[arg-type]
            yield opened


def context(connection: psycopg.Connection[Any], where: str) -> PolicyContext:
    catalog = live_catalog(connection)
    rules = f"""
version: 1
rules:
  - {{id: all, allow: {{statements: ["*"]}}}}
  - id: sight
    filter:
      table: t
      where: >-
        {where}
"""
    loaded = load({"rules.yaml": rules})
    assert loaded.rulebook is not None, loaded.problems
    return Policy(loaded.rulebook, catalog).context("agent", "checks", "agent", ("public",))


def spliced(policy: PolicyContext, sql: str) -> bytes:
    (decision,) = policy.decide(sql.encode())
    assert policy.failures == 0, policy.last_failure
    assert decision.refusal is None, decision.refusal
    return sql.encode() if decision.rewrite is None else decision.rewrite.apply(sql.encode())


def state(connection: psycopg.Connection[Any], text: bytes, parameters: list[bytes | None] | None = None) -> str:
    """The SQLSTATE of a statement that is not kept, empty for success."""
    connection.pgconn.exec_(b"BEGIN")
    sent = connection.pgconn
    result = sent.exec_(text) if parameters is None else sent.exec_params(text, parameters)
    connection.pgconn.exec_(b"ROLLBACK")
    return (result.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode()


@pytest.mark.parametrize("column", COLUMNS)
def test_values_of_every_type(connection: psycopg.Connection[Any], column: str) -> None:
    policy = context(connection, COLUMNS[column])
    inside, outside = VALUES[column]
    for form in (
        f"INSERT INTO t (id, {column}) VALUES (5, %s)",
        f"INSERT INTO t (id, {column}) VALUES (5, %s), (6, %s)",
        f"INSERT INTO t (id, {column}) SELECT 5, %s",
        f"UPDATE t SET note = 'x', {column} = %s WHERE true",
        f"INSERT INTO t (id, {column}) VALUES (1, %s) ON CONFLICT (id) DO UPDATE SET {column} = excluded.{column}",
    ):
        for value, wanted in ((f"'{inside}'", ""), (f"'{outside}'", ROW_CHECK_FAILED), ("NULL", ROW_CHECK_FAILED)):
            if form.startswith("UPDATE") and column not in ("country", "code", "mood"):
                continue  # no row is in sight
            text = spliced(policy, form.replace("%s", value))
            assert state(connection, text) == wanted, text
        text = spliced(policy, form.replace("%s", "$1"))
        if form.startswith("UPDATE") and column not in ("country", "code", "mood"):
            continue
        assert state(connection, text, [inside.encode()]) == "", text
        assert state(connection, text, [outside.encode()]) == ROW_CHECK_FAILED, text
        assert state(connection, text, [None]) == ROW_CHECK_FAILED, text


@pytest.mark.parametrize("column", COLUMNS)
def test_parameters_keep_the_types_that_the_server_infers(connection: psycopg.Connection[Any], column: str) -> None:
    policy = context(connection, COLUMNS[column])
    plain = f"INSERT INTO t (id, {column}, note) VALUES ($1, $2, $3)"
    types = []
    for text in (plain.encode(), spliced(policy, plain)):
        connection.pgconn.prepare(b"", text)
        described = connection.pgconn.describe_prepared(b"")
        assert not described.error_message, described.error_message
        types.append([described.param_type(n) for n in range(described.nparams)])
    assert types[0] == types[1]


def test_lengths_are_still_the_servers_to_check(connection: psycopg.Connection[Any]) -> None:
    policy = context(connection, "country LIKE 'U%'")
    assert state(connection, spliced(policy, "UPDATE t SET country = 'USA'")) == "22001"
    assert state(connection, spliced(policy, "UPDATE t SET country = $1"), [b"USA"]) == "22001"
    assert state(connection, spliced(policy, "UPDATE t SET country = 'UK'")) == ""


def test_other_columns_of_the_filter_are_read_from_the_new_row(connection: psycopg.Connection[Any]) -> None:
    policy = context(connection, "country = 'US' AND (note IS NULL OR note <> big::text) AND id < 100")
    passing = {
        "INSERT INTO t (id, country, note, big) VALUES (5, 'US', '3', 4)": "",
        "INSERT INTO t (id, country, note, big) VALUES (5, 'US', '4', 4)": ROW_CHECK_FAILED,
        "INSERT INTO t (id, country, note, big) VALUES (500, 'US', '3', 4)": ROW_CHECK_FAILED,
        "UPDATE t SET note = 'x', big = 5": "",
        "UPDATE t SET note = '5', big = 5": ROW_CHECK_FAILED,
        "UPDATE t SET id = id + 1000": ROW_CHECK_FAILED,
        "UPDATE t SET id = id + 10": "",
        "UPDATE t SET day = now()": "",
    }
    found = {sql: state(connection, spliced(policy, sql)) for sql in passing}
    assert found == passing


def test_rows_from_queries_and_merge(connection: psycopg.Connection[Any]) -> None:
    policy = context(connection, "country = 'US'")
    passing = {
        "INSERT INTO t (id, country) SELECT id, country FROM source WHERE country = 'US'": "",
        "INSERT INTO t (id, country) SELECT id, country FROM source": ROW_CHECK_FAILED,
        "INSERT INTO t (id, country) SELECT DISTINCT ON (id) id, country FROM source WHERE id = 10 ORDER BY id": "",
        "INSERT INTO t (country, id) SELECT country, max(id) FROM source GROUP BY country": ROW_CHECK_FAILED,
        "INSERT INTO t (id, country) VALUES (9, (SELECT country FROM source WHERE id = 10))": "",
        "INSERT INTO t (id, country) VALUES (9, (SELECT country FROM source WHERE id = 11))": ROW_CHECK_FAILED,
        "UPDATE t SET country = s.country FROM source s WHERE s.id = 10": "",
        "UPDATE t SET country = s.country FROM source s WHERE s.id = 11": ROW_CHECK_FAILED,
        "UPDATE t SET country = (SELECT s.country FROM source s WHERE s.id = t.id + 9)": "",
        "MERGE INTO t USING source s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, country)"
        " VALUES (s.id, s.country)": ROW_CHECK_FAILED,
        "MERGE INTO t USING source s ON t.id = s.id WHEN NOT MATCHED AND s.country = 'US' THEN"
        " INSERT (id, country) VALUES (s.id, s.country)": "",
        "MERGE INTO t USING source s ON t.id = 1 AND s.id = 10 WHEN MATCHED THEN UPDATE SET country = s.country": "",
        "MERGE INTO t USING source s ON t.id = 1 AND s.id = 11 WHEN MATCHED THEN UPDATE SET country = s.country":
            ROW_CHECK_FAILED,
        "WITH n AS (INSERT INTO t (id, country) VALUES (7, 'DE') RETURNING id) SELECT * FROM n": ROW_CHECK_FAILED,
    }  # fmt: skip
    found = {sql: state(connection, spliced(policy, sql)) for sql in passing}
    assert found == passing
