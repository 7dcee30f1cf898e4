"""Row filters against a real server: what a spliced text gives on the whole database is what the client's own text
gives on one that holds only the visible rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import pq

from dbgate.catalog.postgres import Row
from rules.book import check, load
from rules.policy import Policy, PolicyContext
from tests.live.filter_attacks import attacks
from tests.live.filter_world import HIDE, ROWS, RULES, SCHEMA, Maker
from tests.live.needed import live_catalog, needed_server, text_rows

pytestmark = pytest.mark.live

SEEDS = range(120)
TABLES = ("customers", "orders", "animals", "events", "products", "empty_log")


@pytest.fixture(scope="module")
def databases() -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
    """The whole database, and the one that holds only what may be seen."""
    with needed_server() as server:
        for name in ("whole", "visible"):
            server.run(f"CREATE DATABASE {name}")
        with server.connect("whole") as whole, server.connect("visible") as visible:
            for connection in (whole, visible):
                connection.execute(SCHEMA)  # type: ignore[arg-type]
                connection.execute(ROWS)  # type: ignore[arg-type]
            visible.execute(HIDE)  # type: ignore[arg-type]
            yield whole, visible


@pytest.fixture(scope="module")
def context(databases: tuple[psycopg.Connection[Any], psycopg.Connection[Any]]) -> PolicyContext:
    catalog = live_catalog(databases[0])
    loaded = load({"rules.yaml": RULES})
    assert loaded.rulebook is not None, loaded.problems
    assert not check(loaded.rulebook, catalog)
    return Policy(loaded.rulebook, catalog).context("agent", "whole", "agent", ("public",))


def outcome(
    connection: psycopg.Connection[Any], text: bytes, state: bytes, parameters: list[bytes | None] | None = None
) -> tuple[object, ...]:
    """The rows in any order, the tag and SQLSTATE, and the tables afterwards; nothing is kept."""
    connection.pgconn.exec_(b"BEGIN")
    wire = connection.pgconn
    result = wire.exec_(text) if parameters is None else wire.exec_params(text, parameters)
    copied: list[Row] = []
    while result.status == pq.ExecStatus.COPY_OUT:
        length, line = connection.pgconn.get_copy_data(0)
        if length < 0:
            result = connection.pgconn.get_result() or result
            break
        copied.append((bytes(line).decode(),))
    failed = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
    after = connection.pgconn.exec_(state) if not failed else None
    connection.pgconn.exec_(b"ROLLBACK")
    return (
        failed,
        [] if failed else sorted([*text_rows(result), *copied], key=repr),
        b"" if failed else result.command_status,
        None if after is None else text_rows(after),
    )


def state_query(where: dict[str, str]) -> bytes:
    parts = (f"SELECT '{t}' AS t, r::text AS row FROM {t} AS r WHERE {where.get(t, 'true')}" for t in TABLES)
    return (" UNION ALL ".join(parts) + " ORDER BY 1, 2").encode()


VISIBLE = {
    "customers": "country = 'US' OR owner = 'agent'",
    "orders": "total < 100",
    "animals": "name <> 'hidden'",
    "events": "name NOT IN ('hidden', 'other') AND id > 0",
}
HIDDEN = {t: f"({w}) IS NOT true" for t, w in VISIBLE.items()} | {"products": "false", "empty_log": "false"}


def compared(
    databases: tuple[psycopg.Connection[Any], psycopg.Connection[Any]], context: PolicyContext, sql: str
) -> str:
    """`same`, or why there was nothing to compare."""
    decision, *more = context.decide(sql.encode())
    assert not more
    assert context.failures == 0, context.last_failure
    if decision.refusal is not None:
        failed = outcome(databases[1], sql.encode(), b"SELECT 1")[0]
        return f"error {failed}" if failed else f"refused: {decision.refusal.detail}"
    sent = sql.encode() if decision.rewrite is None else decision.rewrite.apply(sql.encode())
    whole, visible = databases
    state = state_query(VISIBLE)
    wanted, found = outcome(visible, sql.encode(), state), outcome(whole, sent, state)
    if found[0] == "0A000" and "FOR UPDATE" in sql:
        return "error 0A000"  # rows of a view over a set operation, or of groups, cannot be locked through a sub-select
    assert found == wanted, f"\n{sql}\n{sent.decode()}"
    return "same" if not wanted[0] else f"error {wanted[0]}"


@pytest.mark.parametrize("trap", [False, True], ids=["plain", "traps"])
def test_queries_see_the_visible_rows(databases: Any, context: PolicyContext, trap: bool) -> None:
    outcomes: dict[str, int] = {}
    for seed in SEEDS:
        sql, _ = Maker(seed, trap).query([], 3)
        found = compared(databases, context, sql)
        outcomes[found] = outcomes.get(found, 0) + 1
    assert outcomes.pop("same") > len(SEEDS) * 0.9, outcomes
    assert not any(word.startswith("refused") for word in outcomes), outcomes


@pytest.mark.parametrize("trap", [False, True], ids=["plain", "traps"])
def test_writes_reach_the_visible_rows(databases: Any, context: PolicyContext, trap: bool) -> None:
    outcomes: dict[str, int] = {}
    hidden = state_query(HIDDEN)
    for seed in SEEDS:
        sql = Maker(seed, trap).write()
        found = compared(databases, context, sql)
        outcomes[found] = outcomes.get(found, 0) + 1
        _hidden_rows_stay(databases[0], context, sql, hidden)
    assert outcomes.pop("same") > len(SEEDS) * 0.7, outcomes
    assert not any(word.startswith("refused") for word in outcomes), outcomes


def _hidden_rows_stay(whole: psycopg.Connection[Any], context: PolicyContext, sql: str, hidden: bytes) -> None:
    (decision,) = context.decide(sql.encode())
    if decision.rewrite is not None:
        before = text_rows(whole.pgconn.exec_(hidden))
        after = outcome(whole, decision.rewrite.apply(sql.encode()), hidden)[-1]
        assert after in (None, before), sql


@pytest.mark.parametrize("sql", attacks())
def test_attacks_learn_nothing(databases: Any, context: PolicyContext, sql: str) -> None:
    found = compared(databases, context, sql)
    assert found == "same" or found.startswith(("error", "refused"))


def test_attacks_are_not_simply_refused(context: PolicyContext) -> None:
    refused = [sql for sql in attacks() if any(d.refusal is not None for d in context.decide(sql.encode()))]
    assert len(refused) < len(attacks()) / 3, refused
