"""`dbgate audit`: ask the audit, check the local log, follow it, bring the tables up to date."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dbgate.audit.errors import QueryRefused, StoreUnavailable
from dbgate.audit.query import ask_control, handle_query, require_reading
from dbgate.audit.schema import SchemaTooNewError
from dbgate.audit.settings import AuditSettings
from dbgate.settings import SecretUnavailable, SettingsError, load_settings
from dbgate.settings.auditing import audit_settings

T = TypeVar("T")
Answer = dict[str, Any]

_EXPECTED = (QueryRefused, StoreUnavailable, SchemaTooNewError, SecretUnavailable, SettingsError, OSError, ValueError)

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("dbgate.yaml"),
    show_default=True,
    help="The gate's settings file.",
)


@click.group()
def audit() -> None:
    """Ask the audit, check the local log, follow it."""


@audit.command()
@click.argument("sql")
@config_option
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
def query(sql: str, config: Path, form: str) -> None:
    """Put a question to the audit's tables in ClickHouse, for instance "SELECT * FROM statement_log". json: one object
    a line."""
    with_errors(lambda: _query(sql, config, form))


@audit.command()
@config_option
def migrate(config: Path) -> None:
    """Create the audit's tables, or bring them up to date."""
    version = with_errors(lambda: run(_migrate(audit_settings(load_settings(config.absolute())))))
    click.echo(f"the audit tables have version {version}")


@audit.command()
@config_option
def verify(config: Path) -> None:
    """Check the local log: every record's length, hash, link and order. Exit code 1 when something was changed."""
    from dbgate.audit.verify import verify as verify_all

    directory = with_errors(lambda: load_settings(config.absolute()).gate.directory)
    streams = with_errors(lambda: verify_all(directory))
    for stream in streams:
        click.echo(f"{stream.stream}: {stream.records} records, {len(stream.problems) or 'no'} problems")
        for problem in stream.problems:
            click.echo(f"  {problem}")
    if any(stream.problems for stream in streams):
        raise SystemExit(1)
    if not streams:
        click.echo(f"no local audit log in {directory}")


@audit.command()
@config_option
@click.option("--follow/--no-follow", default=True, show_default=True, help="Wait for more.")
def tail(config: Path, follow: bool) -> None:
    """Show the local log's events, oldest first, as they come."""
    from dbgate.audit.tail import Follower
    from dbgate.cli.audit_lines import line

    follower = Follower(with_errors(lambda: load_settings(config.absolute()).gate.directory))
    while True:
        for event in with_errors(follower.read):
            click.echo(line(event))
        if not follow:
            return
        time.sleep(0.2)


def with_errors(work: Callable[[], T]) -> T:
    """What the user can mend is said in one line."""
    try:
        return work()
    except _EXPECTED as error:
        raise click.ClickException(str(error)) from error


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end."""
    return asyncio.run(work)


def _query(sql: str, config: Path, form: str) -> None:
    require_reading(sql)
    answer = run(_ask(audit_settings(load_settings(config.absolute())), sql))
    if "error" in answer:
        raise QueryRefused(answer["error"])
    for text in _FORMS[form](answer):
        click.echo(text)


async def _ask(settings: AuditSettings, sql: str) -> Answer:
    """A server is asked directly, a running gate through its control socket, else the folder is opened here."""
    if settings.clickhouse is None:
        answer = await ask_control(settings.directory, sql)
        if answer is not None:
            return answer
    return await _ask_store(settings, sql)


async def _ask_store(settings: AuditSettings, sql: str) -> Answer:
    from dbgate.audit.shipper import Shipper
    from dbgate.audit.store import open_store

    store = open_store(settings)
    shipper = Shipper(settings.directory, store) if settings.clickhouse is None else None
    try:
        return await handle_query(store, sql, shipper.flush if shipper is not None else None)
    finally:
        if shipper is not None:
            shipper.close()
        await store.close()


async def _migrate(settings: AuditSettings) -> int:
    from dbgate.audit.store import open_store

    store = open_store(settings)
    try:
        return await store.migrate()
    finally:
        await store.close()


def _as_table(answer: Answer) -> Iterator[str]:
    table = Table()
    for name in answer["columns"]:
        table.add_column(Text(name), overflow="fold")
    for row in answer["rows"]:
        table.add_row(*(Text(_cell(value)) for value in row))
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(table)
    yield capture.get().rstrip("\n")


def _as_json(answer: Answer) -> Iterator[str]:
    for row in answer["rows"]:
        yield orjson.dumps(dict(zip(answer["columns"], row, strict=True))).decode()


def _as_csv(answer: Answer) -> Iterator[str]:
    """RFC 4180."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(answer["columns"])
    writer.writerows([_cell(value) for value in row] for row in answer["rows"])
    yield text.getvalue().removesuffix("\r\n")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


_FORMS: dict[str, Callable[[Answer], Iterator[str]]] = {"table": _as_table, "json": _as_json, "csv": _as_csv}
