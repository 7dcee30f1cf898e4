"""The gate's own random secret, made once and kept in its directory."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

SIZE = 32


def gate_secret(directory: Path) -> bytes:
    """Reads `directory/secret`, or makes it. Safe when several workers do this at once. Raises OSError."""
    path = directory / "secret"
    try:
        found = path.read_bytes()
    except FileNotFoundError:
        return _make(path)
    if len(found) != SIZE:
        raise OSError(f"{path} has {len(found)} bytes instead of {SIZE}; delete it and the gate makes a new one")
    return found


def _make(path: Path) -> bytes:
    draft = path.with_name(f"secret.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SIZE))
    try:
        os.link(draft, path)  # fails when another worker was first: its secret then counts
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_bytes()
