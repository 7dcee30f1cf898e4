"""`dbgate user`"""

from __future__ import annotations

import os
import sys

import click

SALT_SIZE = 16


@click.group()
def user() -> None:
    """Users of the gate."""


@user.command()
@click.option("--iterations", type=click.IntRange(1, 1_000_000), default=4096, show_default=True)
@click.option("--native", is_flag=True, help="Print a mysql_native_password verifier instead. It is weak.")
def verifier(iterations: int, native: bool) -> None:
    """Print the SCRAM verifier of a password, for `verifier:` in the settings. It serves MySQL's clients too; only
    those that know no caching_sha2_password need `native_verifier:`, which --native prints. The password is asked for,
    or read from standard input; it is stored nowhere."""
    from protocols.mysql import native_password
    from protocols.postgres.scram import Verifier

    password = _password()
    if not password:
        raise click.UsageError("the password is empty")
    if native:
        click.echo(native_password.verifier(password))
        return
    click.echo(Verifier.make(password, os.urandom(SALT_SIZE), iterations).encode())


def _password() -> str:
    if sys.stdin.isatty():
        answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return answer
    return sys.stdin.readline().rstrip("\r\n")
