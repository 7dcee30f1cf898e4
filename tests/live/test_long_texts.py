"""Long and hostile texts keep nobody waiting but their own session."""

from __future__ import annotations

import contextlib
import threading
import time

import psycopg
import pytest

from tests.live.conftest import GateMaker
from tests.live.gate import Gate, Upstream

RULES = "version: 1\nrules:\n  - id: all\n    allow: {statements: [select, insert], tables: ['*']}\n"
ROWS = ", ".join(f"({n}, lower('the name of {n}'), {n}.25)" for n in range(20_000))
BULK = f"SELECT count(*) FROM (VALUES {ROWS}) AS v (a, b, c)"
#: seconds of the slowest neighbour's statement; the bulk text itself takes seconds to decide
SLOWEST = 0.5
HOSTILE = {
    "parentheses": "select " + "(" * 10_000 + "1" + ")" * 10_000,
    "members": "select 1 where 1 in (" + ",".join(["1"] * 100_000) + ")",
    "signs": "select 1" + "+1" * 300_000,
    "comments": "select 1 " + "/*" * 400_000,
    "quotes": "'" * 900_001,
    "ors": "select 1 where " + " or ".join(["1 = 1"] * 5000),
    "too long": "select '" + "x" * (2 << 20) + "'",
}


@pytest.fixture(scope="module")
def own_gate(make_gate: GateMaker, database: str) -> Gate:
    return make_gate({"x": Upstream(database, "open")}, rulebooks={"open": RULES})


def connect(gate: Gate) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(gate.dsn("x"), autocommit=True)


def test_a_long_text_does_not_slow_the_neighbours(own_gate: Gate) -> None:
    assert 700_000 < len(BULK) < 1 << 20
    took: list[float] = []
    waits: list[float] = []

    def bulk() -> None:
        with connect(own_gate) as connection:
            before = time.monotonic()
            assert connection.execute(BULK).fetchone() == (20_000,)  # type: ignore[arg-type]
            took.append(time.monotonic() - before)

    with connect(own_gate) as neighbour:
        neighbour.execute("SELECT 1")
        sender = threading.Thread(target=bulk)
        sender.start()
        while sender.is_alive():
            before = time.monotonic()
            neighbour.execute("SELECT 1")
            waits.append(time.monotonic() - before)
        sender.join()
    waits.sort()
    assert took
    assert waits[len(waits) * 99 // 100] < 0.1, (took, waits[-5:])
    assert waits[-1] < max(SLOWEST, took[0] / 4), (took, waits[-5:])


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_end_in_an_answer_and_not_in_the_gate(own_gate: Gate, name: str) -> None:
    with connect(own_gate) as connection:
        with contextlib.suppress(psycopg.errors.DatabaseError):  # a lost connection shows in the next statement
            connection.execute(HOSTILE[name])  # type: ignore[arg-type]
        assert connection.execute("SELECT 1").fetchone() == (1,)
    own_gate.check()
