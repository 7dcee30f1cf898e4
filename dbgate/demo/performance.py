"""The demo from curtain to curtain: every step of the script, the audit of it, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
from psycopg.types.string import TextLoader
from rich.console import Console

from dbgate.demo import auditing, display
from dbgate.demo.agent import Secrets, Seen, ask, judge
from dbgate.demo.company import DATABASE, protected_values
from dbgate.demo.embedded_postgres import EmbeddedPostgres
from dbgate.demo.gate import DemoGate
from dbgate.demo.script import AGENT, CHAPTERS, REPORT, Step


class Performance:
    """Plays the script through `gate` and judges it by what `server` really holds."""

    def __init__(self, console: Console, server: EmbeddedPostgres, gate: DemoGate) -> None:
        self.console = console
        self.server = server
        self.gate = gate
        self.seen: list[Seen] = []
        self.protected = 0

    def play(self) -> None:
        with _connected(self.server.dsn(DATABASE)) as direct, ExitStack() as sessions:
            secrets = protected_values(direct)
            self.protected = len(secrets.values)
            agents = {user: sessions.enter_context(_connected(self.gate.dsn(user))) for user in (AGENT, REPORT)}
            for number, chapter in enumerate(CHAPTERS, 1):
                display.chapter(self.console, number, chapter.title)
                for step in chapter.steps:
                    self._step(step, direct, agents[chapter.user], secrets)

    def _step(self, step: Step, direct: psycopg.Connection, agent: psycopg.Connection, secrets: Secrets) -> None:
        truth = ask(direct, step) if step.compare else None
        answer = ask(agent, step)
        seen = Seen(step, answer, truth, judge(step, answer, truth, secrets))
        self.seen.append(seen)
        display.step(self.console, len(self.seen), seen)

    def audit(self) -> None:
        """Show what the audit kept of it all. Raises GateNotReadyError when the events do not arrive."""
        auditing.wait(self.gate, sum(len(seen.step.runs) or 1 for seen in self.seen))
        self.console.print()
        self.console.print("[bold underline]The audit: real SQL on the embedded ClickHouse[/]")
        for question in auditing.QUESTIONS:
            self.console.print()
            display.question(self.console, question.title, question.sql, auditing.ask(self.gate, question.sql))

    @property
    def problems(self) -> list[str]:
        return [f"{seen.step.title}: {problem}" for seen in self.seen for problem in seen.problems]


@contextmanager
def _connected(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn, autocommit=True, application_name="dbgate demo") as connection:
        for name in ("json", "jsonb"):
            connection.adapters.register_loader(name, TextLoader)
        yield connection
