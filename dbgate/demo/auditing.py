"""The demo's questions to its own audit: real SQL on the embedded ClickHouse, asked as `dbgate audit query` asks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from dbgate.audit.errors import StoreUnavailable
from dbgate.audit.query import ask_control
from dbgate.demo.gate import DemoGate, GateNotReadyError

#: Seconds that the audit may take to arrive in ClickHouse.
SHIPPING_LIMIT = 20.0


@dataclass(frozen=True, slots=True)
class Question:
    title: str
    sql: str


QUESTIONS = (
    Question(
        "What was asked, and what came of it",
        "SELECT verdict, kind, count() AS statements, sum(rows) AS row_count, sum(masked_cells) AS cells_masked\n"
        "FROM statement_log GROUP BY verdict, kind ORDER BY verdict, kind",
    ),
    Question(
        "Which rules refused, and what",
        "SELECT rule, count() AS refusals, argMin(statement, time) AS first_statement\n"
        "FROM refusals GROUP BY rule ORDER BY refusals DESC, rule",
    ),
    Question(
        "Who reached for customers' social security numbers",
        "SELECT database, identity, role, masked, count() AS statements, min(time) AS first, max(time) AS last\n"
        "FROM column_reads WHERE column_name LIKE '%customers.ssn' GROUP BY database, identity, role, masked",
    ),
)


def ask(gate: DemoGate, sql: str) -> list[dict[str, object]]:
    """One audit query's rows. Raises GateNotReadyError."""
    try:
        answer = asyncio.run(ask_control(gate.directory / "dbgate-data", sql))
    except StoreUnavailable as error:
        raise GateNotReadyError(str(error)) from error
    if answer is None or "error" in answer:
        raise GateNotReadyError(f"the audit did not answer: {answer['error'] if answer else 'no control socket'}")
    return [dict(zip(answer["columns"], row, strict=True)) for row in answer["rows"]]


def wait(gate: DemoGate, statements: int) -> None:
    """Until the audit holds that many statements. Raises GateNotReadyError after SHIPPING_LIMIT seconds."""
    deadline = time.monotonic() + SHIPPING_LIMIT
    while (arrived := _count(gate)) < statements:
        if time.monotonic() > deadline:
            raise GateNotReadyError(f"{arrived} of {statements} statements are in ClickHouse after {SHIPPING_LIMIT} s")
        time.sleep(0.2)


def _count(gate: DemoGate) -> int:
    return int(str(ask(gate, "SELECT count() AS statements FROM statement_log")[0]["statements"]))
