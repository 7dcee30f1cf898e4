"""`dbgate check`"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dbgate.serve.reading import Parts
    from dbgate.settings.model import Database


@click.command()
@click.option("--config", type=click.Path(path_type=Path), default="dbgate.yaml", show_default=True)
@click.option("--connect", is_flag=True, help="Log in to every upstream too, and check rules against its catalog.")
def check(config: Path, connect: bool) -> None:
    """Check settings, certificates, secrets and rules: every problem at once. Exit code 1 when there is one."""
    problems, warnings = find_problems(config, connect=connect)
    for line in (*warnings, *problems):
        click.echo(line)
    if problems:
        raise SystemExit(1)
    click.echo(f"{config}: no problems")


def find_problems(config: Path, *, connect: bool) -> tuple[list[str], list[str]]:
    """(errors, warnings), one line each."""
    from dbgate.serve.reading import NotUsable, read_parts, rule_problems
    from dbgate.settings import SettingsError, load_settings

    try:
        parts = read_parts(load_settings(config))
    except (SettingsError, NotUsable) as fault:
        return [str(problem) for problem in fault.problems], []
    errors = rule_problems(parts)
    if connect:
        errors += asyncio.run(_connection_problems(parts))
    return errors, _warnings(parts)


def _warnings(parts: Parts) -> list[str]:
    found = [p for loaded in parts.rulebooks.values() if loaded.rulebook is not None for p in loaded.problems]
    return list(dict.fromkeys(str(problem) for problem in found))


async def _connection_problems(parts: Parts) -> list[str]:
    found = await asyncio.gather(*(_database_problems(parts, each) for each in parts.settings.databases.values()))
    return [problem for problems in found for problem in problems]


async def _database_problems(parts: Parts, database: Database) -> Iterable[str]:
    from dbgate.catalog.postgres import read_catalog
    from dbgate.net.queries import QueryFailed, run_query
    from dbgate.net.reaching import UpstreamUnavailable
    from dbgate.net.upstream import connect
    from rules.book import check as check_rules

    place = f"{parts.settings.file}  databases.{database.name}.upstream:"
    try:
        connection = await connect(database.upstream, {"application_name": "dbgate check"})
    except UpstreamUnavailable as fault:
        return [f"{place} {fault.message}  {fault.cause}"]
    try:
        catalog = await read_catalog(lambda sql: run_query(connection, sql))
    except (QueryFailed, UpstreamUnavailable) as fault:
        return [f"{place} the catalog cannot be read  {fault}"]
    finally:
        connection.close()
    rulebook = parts.rulebooks[database.name].rulebook
    return [str(problem) for problem in check_rules(rulebook, catalog)] if rulebook is not None else []
