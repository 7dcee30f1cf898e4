"""What an earlier run left in a stream: where its chain ended, and what had begun and not ended."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbgate.audit.encoding import decode_event
from dbgate.audit.records import GENESIS, Garbled, Record, read_records
from dbgate.audit.segments import segment_path, segments
from dbgate.audit.unfinished import Unfinished

SEGMENT_HEAD = "segment"


@dataclass(slots=True)
class Recovered:
    """The end of a stream. `findings` are sentences for the audit itself."""

    segment: int = 0
    sequence: int = 0
    previous: bytes = GENESIS
    unfinished: Unfinished = field(default_factory=Unfinished)
    findings: list[str] = field(default_factory=list)


def recover(folder: Path) -> Recovered:
    """Read the last segment of a stream, whose lock the caller holds. A torn tail, bytes after the last whole line,
    is cut and kept beside it as `NNNNNNNN.torn`. Whole lines are never touched, whatever is wrong with them."""
    numbers = segments(folder)
    found = Recovered(segment=numbers[-1] if numbers else 0)
    for number in reversed(numbers):
        path = segment_path(folder, number)
        content = path.read_bytes()
        if b"\n" in content:
            _read(found, path, content)
            break
        path.rename(path.with_suffix(".torn"))  # a power cut took even its head; the one before it knows enough
        found.findings.append(f"{path.name}: all of it was lost, {len(content)} bytes are kept in {path.stem}.torn")
    return found


def _read(found: Recovered, path: Path, content: bytes) -> None:
    end = content.rfind(b"\n") + 1
    for line in read_records(content[:end]):
        _follow(found, line, path)
    if end < len(content):
        _cut(path, content, end)
        found.findings.append(f"{path.name}: a record of {len(content) - end} bytes was cut off by a crash")


def _follow(found: Recovered, line: Record | Garbled, path: Path) -> None:
    if isinstance(line, Garbled):
        found.findings.append(f"{path.name}: the line at byte {line.offset} is not a record")
        found.sequence += 1
        return
    fields = _fields(line.payload)
    if fields.get("type") == SEGMENT_HEAD:
        found.unfinished.restore(fields.get("open"))
    elif not line.follows(found.previous):
        found.findings.append(f"{path.name}: record {line.sequence} does not follow the one before it")
    found.unfinished.note_record(fields)
    found.sequence = line.sequence + 1
    found.previous = line.hash


def _fields(payload: bytes) -> dict[str, Any]:
    try:
        return decode_event(payload)
    except ValueError:
        return {}


def _cut(path: Path, content: bytes, end: int) -> None:
    torn = os.open(path.with_suffix(".torn"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(torn, content[end:])
    finally:
        os.close(torn)
    os.truncate(path, end)
