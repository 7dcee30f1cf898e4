"""Reads a stream of the local log from where shipping stopped, as rows for ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from dbgate.audit.encoding import decode_event
from dbgate.audit.position import Position
from dbgate.audit.records import Garbled, Record, read_record, read_records
from dbgate.audit.recovery import SEGMENT_HEAD
from dbgate.audit.schema import TABLE_OF
from dbgate.audit.segments import segment_path, segments, streams

_CHUNK = 4 * 1024 * 1024
_LARGEST_BATCH = 16 * 1024 * 1024
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its table, its JSON object, and where the record lies."""

    table: str
    json: bytes
    place: str


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something wrong with the log. `record`: the bytes that could not become a row (empty: nothing was set aside)."""

    place: str
    reason: str
    record: bytes = b""


@dataclass(slots=True)
class Batch:
    """What to ship, and the position once it is."""

    position: Position
    rows: list[Row] = field(default_factory=list)
    oddities: list[Oddity] = field(default_factory=list)
    size: int = 0

    def is_full(self, limit: int) -> bool:
        """Enough records, or enough bytes."""
        return len(self.rows) >= limit or self.size >= _LARGEST_BATCH


def read_batch(folder: Path, position: Position, limit: int) -> Batch:
    """Up to `limit` records from `position` on. OSError when a segment cannot be read."""
    numbers = [number for number in segments(folder) if number >= position.segment]
    batch = Batch(position)
    for number in numbers:
        if number != batch.position.segment:
            batch.position = Position(number, 0, batch.position.sequence, batch.position.hash)
        whole = _read_segment(folder, batch, limit, complete=number != numbers[-1])
        if not whole:
            break
    return batch


def _read_segment(folder: Path, batch: Batch, limit: int, *, complete: bool) -> bool:
    """Whether the segment was read to its end. `complete` was known before reading: nothing is added meanwhile."""
    path = segment_path(folder, batch.position.segment)
    with path.open("rb") as file:
        while not batch.is_full(limit):
            chunk = _read_chunk(file, batch.position.offset)
            if b"\n" not in chunk:
                return _end(folder, batch, chunk) if complete else not chunk
            _take(folder, batch, chunk, limit)
    return False


def _read_chunk(file: Any, offset: int) -> bytes:
    """At least one whole line, if there is one."""
    file.seek(offset)
    chunk: bytes = file.read(_CHUNK)
    while chunk and b"\n" not in chunk:
        more = file.read(len(chunk))
        if not more:
            break
        chunk += more
    return chunk


def _end(folder: Path, batch: Batch, rest: bytes) -> bool:
    if rest:
        place = _place(folder, batch.position, batch.position.offset)
        batch.oddities.append(Oddity(place, "the last record is cut off", rest))
    return True


def _take(folder: Path, batch: Batch, chunk: bytes, limit: int) -> None:
    start = batch.position.offset
    offset = 0
    while not batch.is_full(limit) and (line := read_record(chunk, offset)) is not None:
        place = _place(folder, batch.position, start + line.offset)
        if isinstance(line, Garbled):
            batch.oddities.append(Oddity(place, "the line is not a record", chunk[line.offset : line.end]))
        else:
            _take_record(folder, batch, line, place)
        offset = line.end
        batch.size += line.end - line.offset
        batch.position = _after(batch.position, line, start + line.end)


def _take_record(folder: Path, batch: Batch, line: Record, place: str) -> None:
    before = batch.position
    if before.sequence >= 0 and line.sequence != before.sequence + 1:
        reason = f"record {line.sequence} comes after record {before.sequence}: records were removed or inserted"
        batch.oddities.append(Oddity(place, reason))
    elif before.sequence >= 0 and not line.follows(bytes.fromhex(before.hash)):
        batch.oddities.append(Oddity(place, f"record {line.sequence} was changed"))
    try:
        batch.rows.append(to_row(line, folder.name, place))
    except ValueError as error:
        batch.oddities.append(Oddity(place, str(error), line.payload))


def _after(position: Position, line: Record | Garbled, offset: int) -> Position:
    if isinstance(line, Garbled):
        return Position(position.segment, offset)  # the chain is taken up again by the next record
    return Position(position.segment, offset, line.sequence, line.hash.hex())


def to_row(line: Record, stream: str, place: str) -> Row:
    """The row of a record. ValueError when it is no event of ours."""
    fields = decode_event(line.payload)
    kind = fields.pop("type", None)
    if not isinstance(kind, str) or kind not in TABLE_OF:
        raise ValueError(f"event type {kind!r} is not known; was the log written by a newer dbgate?")
    digest = line.hash.hex()
    fields.update(
        id=fields.get("id") or str(UUID(bytes=line.hash[:16])),
        time=_timestamp(fields.get("time", 0)),
        event=kind,
        stream=stream,
        sequence=line.sequence,
        hash=digest,
    )
    return Row(TABLE_OF[kind], orjson.dumps(fields), place)


def _timestamp(nanoseconds: Any) -> str:
    if not isinstance(nanoseconds, int):
        raise ValueError(f"time {nanoseconds!r} is not a count of nanoseconds")
    return f"{nanoseconds // _SECOND}.{nanoseconds % _SECOND:09d}"


def _place(folder: Path, position: Position, offset: int) -> str:
    return f"{folder.name}/{position.segment:08d}.seg byte {offset}"


class Follower:
    """Reads the events of all streams as they are appended, for people: nothing is checked, nothing remembered."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._offsets: dict[Path, int] = {}

    def read(self) -> list[dict[str, Any]]:
        """The events since the last call, by time. OSError when a segment cannot be read."""
        events = [event for folder in streams(self._directory) for event in self._stream(folder)]
        return sorted(events, key=_time)

    def _stream(self, folder: Path) -> Iterator[dict[str, Any]]:
        for number in segments(folder):
            yield from self._segment(segment_path(folder, number))

    def _segment(self, path: Path) -> Iterator[dict[str, Any]]:
        try:
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                content = file.read()
        except FileNotFoundError:  # shipped and deleted since it was listed
            return
        for line in read_records(content):
            self._offsets[path] = self._offsets.get(path, 0) + line.end - line.offset
            if isinstance(line, Record) and (event := _event(line)) is not None:
                yield event


def _time(event: dict[str, Any]) -> int:
    time = event.get("time")
    return time if isinstance(time, int) else 0


def _event(line: Record) -> dict[str, Any] | None:
    try:
        fields = decode_event(line.payload)
    except ValueError:
        return None
    return None if fields.get("type") == SEGMENT_HEAD else fields
