"""The demo from curtain to curtain: every step of the script, the audit of it, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import psycopg
from psycopg.types.string import TextLoader
from rich.console import Console

from dbgate.demo import agent_mysql, auditing, company_mysql, display, script_mysql
from dbgate.demo.agent import Answer, Secrets, Seen, ask, judge
from dbgate.demo.company import DATABASE, protected_values
from dbgate.demo.embedded_mysql import Mysql
from dbgate.demo.embedded_postgres import EmbeddedPostgres
from dbgate.demo.gate import DemoGate
from dbgate.demo.script import AGENT, CHAPTERS, REPORT, Chapter, Step

#: asks one step's statement of a database or of the gate
Asking = Callable[[Step], Answer]


class Performance:
    """Plays the script through `gate` and judges it by what `server` really holds."""

    def __init__(self, console: Console, server: EmbeddedPostgres, gate: DemoGate) -> None:
        self.console = console
        self.server = server
        self.gate = gate
        self.seen: list[Seen] = []
        self.protected = 0
        self.chapters = 0

    def play(self) -> None:
        with _connected(self.server.dsn(DATABASE)) as direct, ExitStack() as sessions:
            secrets = protected_values(direct)
            self.protected += len(secrets.values)
            agents = {user: sessions.enter_context(_connected(self.gate.dsn(user))) for user in (AGENT, REPORT)}
            for chapter in CHAPTERS:
                self._chapter(chapter, chapter.title, partial(ask, direct), partial(ask, agents[chapter.user]), secrets)

    def play_mysql(self, server: Mysql) -> None:
        """The same company on `server`, through the same gate. Raises pymysql.MySQLError when a login fails."""
        name = server.version
        with server.connect(company_mysql.DATABASES[0]) as direct, ExitStack() as sessions:
            secrets = company_mysql.protected_values(direct)
            self.protected += len(secrets.values)
            agents = {user: sessions.enter_context(self.gate.connect_mysql(user)) for user in (AGENT, REPORT)}
            for chapter in script_mysql.CHAPTERS:
                truth, agent = (partial(agent_mysql.ask, each) for each in (direct, agents[chapter.user]))
                self._chapter(chapter, f"{name}: {chapter.title}", truth, agent, secrets)

    def _chapter(self, chapter: Chapter, title: str, truth: Asking, agent: Asking, secrets: Secrets) -> None:
        self.chapters += 1
        display.chapter(self.console, self.chapters, title)
        for step in chapter.steps:
            self._step(step, truth, agent, secrets)

    def _step(self, step: Step, direct: Asking, agent: Asking, secrets: Secrets) -> None:
        truth = direct(step) if step.compare else None
        answer = agent(step)
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
