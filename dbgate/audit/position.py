"""How far a stream is shipped: `<directory>/audit/shipped/<stream>.json`, replaced whole and synced."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from dbgate.audit.records import GENESIS
from dbgate.audit.segments import make_private, sync_folder


@dataclass(frozen=True, slots=True)
class Position:
    """The next byte to ship, and the sequence number and hash of the last record before it."""

    segment: int = 0
    offset: int = 0
    sequence: int = -1
    hash: str = GENESIS.hex()


def read_position(directory: Path, stream: str) -> Position | None:
    """None when nothing of the stream is shipped yet. ValueError when the file is damaged."""
    path = _path(directory, stream)
    if not path.exists():
        return None
    try:
        return Position(**orjson.loads(path.read_bytes()))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}); remove it to ship the stream again from its start") from error


def write_position(directory: Path, stream: str, position: Position) -> None:
    """Durable when it returns."""
    path = _path(directory, stream)
    make_private(path.parent)
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, orjson.dumps(position))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    draft.replace(path)
    sync_folder(path.parent)


def _path(directory: Path, stream: str) -> Path:
    return directory / "audit" / "shipped" / f"{stream}.json"
