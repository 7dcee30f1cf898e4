"""The demo from the first server started to the last one stopped."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from dbgate.demo import display
from dbgate.demo.company import found
from dbgate.demo.company_mysql import founded
from dbgate.demo.embedded_mysql import EmbeddedMysql, Mysql, MysqlUnavailableError
from dbgate.demo.embedded_postgres import HOST, EmbeddedPostgres
from dbgate.demo.gate import SHOP_MYSQL, DemoGate, GateNotReadyError
from dbgate.demo.performance import Performance
from dbgate.demo.programs import PostgresUnavailableError
from dbgate.demo.script import AGENT

#: Seconds after Ctrl-C until it is noticed, at most.
STOP_DELAY = 0.2


def perform(folder: Path, *, stay: bool) -> int:
    """Run the demo in `folder`, print it; the exit code: 0 only when all went as scripted.

    `stay`: afterwards keep the gate open until Ctrl-C. Raises ClickException when a server does not start."""
    console = display.terminal()
    upstream_password = secrets.token_urlsafe(18)
    try:
        with ExitStack() as stack:
            coming = _start_mysql(stack)
            server = stack.enter_context(EmbeddedPostgres())
            found(server, upstream_password)
            mysql = _mysql(console, stack, coming, upstream_password)
            gate = stack.enter_context(DemoGate(folder, server, upstream_password, mysql))
            return _perform(console, server, gate, stay=stay)
    except (PostgresUnavailableError, GateNotReadyError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        console.print("\nstopped")
        return 130


def _start_mysql(stack: ExitStack) -> Future[Mysql]:
    """A MySQL or MariaDB, while PostgreSQL starts as well; `stack` ends it."""
    embedded = EmbeddedMysql()
    stack.callback(embedded.stop)  # after the thread's end, which may still be starting it
    starting = stack.enter_context(ThreadPoolExecutor(1))
    return starting.submit(embedded.__enter__)


def _mysql(console: Console, stack: ExitStack, coming: Future[Mysql], password: str) -> Mysql | None:
    """The server with the company on it. Without one the demo goes on, and says what is missing."""
    try:
        server = coming.result()
        stack.enter_context(founded(server, password))
    except MysqlUnavailableError as error:
        console.print(f"PostgreSQL only: {error}", style="yellow", markup=False)
        return None
    return server


def _perform(console: Console, server: EmbeddedPostgres, gate: DemoGate, *, stay: bool) -> int:
    started = time.monotonic()
    performance = Performance(console, server, gate)
    performance.play()
    if gate.mysql is not None:
        performance.play_mysql(gate.mysql)
    performance.audit()
    _verdict(console, performance, time.monotonic() - started)
    if stay:
        _keep_open(console, gate)
    return 1 if performance.problems else 0


def _verdict(console: Console, performance: Performance, seconds: float) -> None:
    console.print()
    for problem in performance.problems:
        console.print(f"not as scripted: {problem}", style="red", markup=False)
    if not performance.problems:
        console.print(
            f"{len(performance.seen)} statements in {seconds:.1f} s, all as scripted. The agent saw none of "
            f"{performance.protected} protected values.",
            style="bold green",
        )


def _invite(console: Console, gate: DemoGate) -> None:
    console.print("\nThe gate stays open; try to get past it. Ctrl-C ends it and removes everything.\n", style="bold")
    lines = (
        ("as the agent", f"psql '{gate.dsn()}'"),
        *_invite_mysql(gate),
        ("its rulebook", str(gate.directory / "rulebook.yaml")),
        ("its audit", f"dbgate audit query --config {gate.settings} 'SELECT rule, reason FROM refusals'"),  # noqa: S608  shown, not run
        ("its metrics", f"curl http://127.0.0.1:{gate.control_port}/metrics"),
        ("its log", str(gate.log)),
    )
    table = Table.grid(padding=(0, 2))
    for what, how in lines:
        table.add_row(what, how)
    console.print(table, soft_wrap=True)


def _invite_mysql(gate: DemoGate) -> list[tuple[str, str]]:
    if gate.mysql is None:
        return []
    words = f"-h {HOST} -P {gate.mysql_port} -u {AGENT} -p{gate.password} {SHOP_MYSQL}"
    return [("on MySQL, too", f"mysql --get-server-public-key {words}    (or: mariadb {words})")]


def _keep_open(console: Console, gate: DemoGate) -> None:
    try:
        _invite(console, gate)
        while True:  # not signal.pause(): a signal just before it would be waited for again
            time.sleep(STOP_DELAY)
    except KeyboardInterrupt:
        console.print("\nstopped")
