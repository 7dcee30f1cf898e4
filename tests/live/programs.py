"""Running PostgreSQL's own client programs and node against a place."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.live.places import Place
from tests.live.servers import find_programs


def client_program(name: str) -> str:
    """psql or pgbench: on PATH, or beside the server; the test is skipped where there is none."""
    if found := shutil.which(name):
        return found
    directory = find_programs()
    if directory is not None and (directory / name).exists():
        return str(directory / name)
    pytest.skip(f"the program {name} is not installed")


def run(
    place: Place,
    command: Sequence[str | Path],
    text: str = "",
    extra: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    limit: float = 90,
) -> subprocess.CompletedProcess[str]:
    """Run a program that reads libpq's environment; its output as text."""
    environment = {**os.environ, **place.environment(), **(extra or {})}
    return subprocess.run(
        command, input=text, capture_output=True, text=True, env=environment, cwd=cwd, timeout=limit, check=False
    )
