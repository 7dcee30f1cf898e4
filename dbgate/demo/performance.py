"""The demo from curtain to curtain: every step of the script, the audit of it, and the verdict."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.types.string import TextLoader
from rich.console import Console

from dbgate.demo import display
from dbgate.demo.agent import Secrets, Seen, ask, judge
from dbgate.demo.company import DATABASE, protected_values
from dbgate.demo.embedded_postgres import EmbeddedPostgres
from dbgate.demo.gate import DemoGate
from dbgate.demo.script import CHAPTERS, Step

#: How long the audit may take to arrive in ClickHouse.
SHIPPING_LIMIT = 20.0

#: The questions that the demo asks of its own audit.
QUESTIONS = (
    (
        "What the audit says of it: verdicts",
        "SELECT verdict, count() AS statements, uniqExact(session) AS sessions FROM statements GROUP BY verdict ORDER BY 1",
    ),
    (
        "Which rules refused",
        "SELECT arrayJoin(rules) AS rule, count() AS refusals, any(reason) AS for_example FROM statements"
        " WHERE verdict = 'refuse' GROUP BY rule ORDER BY refusals DESC, rule",
    ),
    (
        "Who read restricted columns, and how many cells were masked",
        "SELECT identity, arrayJoin(masked_columns) AS masked_column, count() AS statements, sum(masked_cells) AS cells"
        " FROM statements GROUP BY identity, masked_column ORDER BY masked_column",
    ),
)


class Performance:
    """Plays the script through `gate` and judges it by what `server` really holds."""

    def __init__(self, console: Console, server: EmbeddedPostgres, gate: DemoGate) -> None:
        self.console = console
        self.server = server
        self.gate = gate
        self.seen: list[Seen] = []

    def play(self) -> None:
        with _connected(self.server.dsn(DATABASE)) as direct, _connected(self.gate.dsn()) as agent:
            secrets = protected_values(direct)
            for number, chapter in enumerate(CHAPTERS, 1):
                display.chapter(self.console, number, chapter.title)
                for step in chapter.steps:
                    self._step(step, direct, agent, secrets)

    def _step(self, step: Step, direct: psycopg.Connection, agent: psycopg.Connection, secrets: Secrets) -> None:
        truth = ask(direct, step) if step.compare else None
        answer = ask(agent, step)
        seen = Seen(step, answer, truth, judge(step, answer, truth, secrets))
        self.seen.append(seen)
        display.step(self.console, len(self.seen), seen)

    @property
    def problems(self) -> list[str]:
        return [f"{seen.step.title}: {problem}" for seen in self.seen for problem in seen.problems]


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn, autocommit=True, application_name="dbgate demo") as connection:
        for name in ("json", "jsonb"):
            connection.adapters.register_loader(name, TextLoader)
        yield connection
