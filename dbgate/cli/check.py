"""`dbgate check`"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dbgate.serve.reading import Parts


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
    from dbgate.cli.reaching import Looked, brand_problems, look

    databases = parts.settings.databases.values()
    looked: list[Looked] = await asyncio.gather(*(look(parts, each) for each in databases))
    return [problem for each in looked for problem in each.problems] + brand_problems(parts.settings, looked)
