"""The demo from the first server started to the last one stopped."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from dbgate.demo import display
from dbgate.demo.company import found
from dbgate.demo.embedded_postgres import EmbeddedPostgres
from dbgate.demo.gate import DemoGate, GateNotReadyError
from dbgate.demo.performance import Performance
from dbgate.demo.programs import PostgresUnavailableError

#: Seconds after Ctrl-C until it is noticed, at most.
STOP_DELAY = 0.2


def perform(folder: Path, *, stay: bool) -> int:
    """Run the demo in `folder`, print it; the exit code: 0 only when all went as scripted.

    `stay`: afterwards keep the gate open until Ctrl-C. Raises ClickException when a server does not start."""
    console = display.terminal()
    upstream_password = secrets.token_urlsafe(18)
    try:
        with EmbeddedPostgres() as server:
            found(server, upstream_password)
            with DemoGate(folder, server, upstream_password) as gate:
                return _perform(console, server, gate, stay=stay)
    except (PostgresUnavailableError, GateNotReadyError) as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        console.print("\nstopped")
        return 130


def _perform(console: Console, server: EmbeddedPostgres, gate: DemoGate, *, stay: bool) -> int:
    started = time.monotonic()
    performance = Performance(console, server, gate)
    performance.play()
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
            f"{len(performance.seen)} statements in {seconds:.1f} s, all as scripted. The agent saw none of the "
            f"database's {performance.protected} protected values.",
            style="bold green",
        )


def _invite(console: Console, gate: DemoGate) -> None:
    console.print("\nThe gate stays open; try to get past it. Ctrl-C ends it and removes everything.\n", style="bold")
    lines = (
        ("as the agent", f"psql '{gate.dsn()}'"),
        ("its rulebook", str(gate.directory / "rulebook.yaml")),
        ("its audit", f"dbgate audit query --config {gate.settings} 'SELECT rule, reason FROM refusals'"),  # noqa: S608  shown, not run
        ("its metrics", f"curl http://127.0.0.1:{gate.control_port}/metrics"),
        ("its log", str(gate.log)),
    )
    table = Table.grid(padding=(0, 2))
    for what, how in lines:
        table.add_row(what, how)
    console.print(table, soft_wrap=True)


def _keep_open(console: Console, gate: DemoGate) -> None:
    try:
        _invite(console, gate)
        while True:  # not signal.pause(): a signal just before it would be waited for again
            time.sleep(STOP_DELAY)
    except KeyboardInterrupt:
        console.print("\nstopped")
