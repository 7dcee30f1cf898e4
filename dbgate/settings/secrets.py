"""Secrets are named in the settings and fetched when they are needed; they are never printed."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

#: seconds that a command may take to print a secret
COMMAND_TIME = 30.0


class SecretUnavailable(Exception):  # noqa: N818
    """The message says where the secret was looked for, never what was found."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Exactly one of the four is set. `read` fetches it anew each time, so that a rotated secret is seen."""

    text: str | None = field(default=None, repr=False)
    env: str | None = None
    file: Path | None = None
    command: tuple[str, ...] = ()

    def read(self) -> str:
        """The secret without a trailing line end. Raises SecretUnavailable. A command may take a while: call this
        in a thread where a loop runs."""
        if self.text is not None:
            return self.text
        if self.env is not None:
            return self._from_environment(self.env)
        if self.file is not None:
            return self._from_file(self.file)
        return self._from_command()

    def _from_environment(self, name: str) -> str:
        value = os.environ.get(name)
        if value is None:
            raise SecretUnavailable(f"the environment variable {name} is not set")
        return value

    def _from_file(self, path: Path) -> str:
        try:
            return path.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as fault:
            raise SecretUnavailable(f"the file {path} cannot be read: {_word(fault)}") from None

    def _from_command(self) -> str:
        program = self.command[0]
        try:
            done = subprocess.run(self.command, capture_output=True, timeout=COMMAND_TIME, check=True)  # noqa: S603
            return done.stdout.decode("utf-8").rstrip("\r\n")
        except subprocess.CalledProcessError as fault:
            raise SecretUnavailable(f"the command {program} ended with exit code {fault.returncode}") from None
        except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as fault:
            raise SecretUnavailable(f"the command {program} gave no secret: {_word(fault)}") from None


def _word(fault: Exception) -> str:
    return getattr(fault, "strerror", None) or type(fault).__name__
