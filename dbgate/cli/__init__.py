"""The `dbgate` command. Each subcommand lives in a module of its own and is imported only when it is called."""

from __future__ import annotations

from importlib import import_module

import click

#: subcommand -> "module:attribute" of its click command
COMMANDS = {
    "serve": "dbgate.cli.serve:serve",
    "check": "dbgate.cli.check:check",
    "rules": "dbgate.cli.rules:rules",
    "audit": "dbgate.cli.audit:audit",
    "user": "dbgate.cli.user:user",
    "demo": "dbgate.cli.demo:demo",
}


class LazyGroup(click.Group):
    """Looks subcommands up in COMMANDS, so that `dbgate --help` costs no import of sqlglot or chDB."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, attribute = target.split(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup)
@click.version_option(package_name="dbgate")
def main() -> None:
    """A database firewall for AI agents."""
