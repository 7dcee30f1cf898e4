"""`dbgate serve`"""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from dbgate.logs import start_logging


@click.command()
@click.option("--config", type=click.Path(path_type=Path), default="dbgate.yaml", show_default=True)
def serve(config: Path) -> None:
    """Run the gate until SIGTERM. SIGHUP reads users, certificates and rules again."""
    from dbgate.serve.listening import CannotListen
    from dbgate.serve.reading import NotUsable, read_parts, rule_problems
    from dbgate.serve.supervisor import CannotStart, Supervisor
    from dbgate.settings import SettingsError, load_settings

    start_logging("supervisor")
    try:
        settings = load_settings(config)
        if problems := rule_problems(read_parts(settings)):
            raise NotUsable(problems)
        asyncio.run(Supervisor(settings, _announce).run())
    except (SettingsError, NotUsable, CannotListen, CannotStart) as fault:
        click.echo(str(fault), err=True)
        raise SystemExit(2) from None


def _announce(addresses: str) -> None:
    click.echo(f"ready: listening on {addresses}")
