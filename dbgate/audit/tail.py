"""Reads a stream of the local log from where shipping stopped, as rows for ClickHouse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

import orjson

from dbgate.audit.encoding import decode_event
from dbgate.audit.position import Position
from dbgate.audit.records import Record, read_record, read_records
from dbgate.audit.recovery import SEGMENT_HEAD
from dbgate.audit.schema import TABLE_OF
from dbgate.audit.segments import segment_path, segments, streams

_CHUNK = 4 * 1024 * 1024
_LARGEST_BATCH = 16 * 1024 * 1024
_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something wrong with the log. `record`: the bytes that could not become a row (empty: nothing was set aside)."""

    place: str
    reason: str
    record: bytes = b""


class Row(NamedTuple):
    """One row: its table, its JSON object, and where the record lies."""

    table: str
    json: bytes
    stream: str
    segment: int
    offset: int

    @property
    def place(self) -> str:
        """For people."""
        return place(self.stream, self.segment, self.offset)


class Batch:
    """What to ship, and the position once it is."""

    __slots__ = ("hash", "oddities", "offset", "rows", "segment", "sequence", "size", "stream")

    def __init__(self, stream: str, start: Position) -> None:
        self.stream = stream
        self.segment, self.offset = start.segment, start.offset
        self.sequence, self.hash = start.sequence, bytes.fromhex(start.hash)
        self.rows: list[Row] = []
        self.oddities: list[Oddity] = []
        self.size = 0

    @property
    def position(self) -> Position:
        """Behind the last record of the batch."""
        return Position(self.segment, self.offset, self.sequence, self.hash.hex())

    def is_full(self, limit: int) -> bool:
        """Enough records, or enough bytes."""
        return len(self.rows) >= limit or self.size >= _LARGEST_BATCH

    def odd(self, reason: str, record: bytes = b"") -> None:
        """Note what is wrong at the present place."""
        self.oddities.append(Oddity(place(self.stream, self.segment, self.offset), reason, record))


def read_batch(folder: Path, start: Position, limit: int) -> Batch:
    """Up to `limit` records from `start` on. OSError when a segment cannot be read."""
    numbers = [number for number in segments(folder) if number >= start.segment]
    batch = Batch(folder.name, start)
    for number in numbers:
        if number != batch.segment:
            batch.segment, batch.offset = number, 0
        if not _read_segment(segment_path(folder, number), batch, limit, complete=number != numbers[-1]):
            break
    return batch


def _read_segment(path: Path, batch: Batch, limit: int, *, complete: bool) -> bool:
    """Whether the segment was read to its end. `complete` was known before reading: nothing is added meanwhile."""
    with path.open("rb") as file:
        while not batch.is_full(limit):
            chunk = _read_chunk(file, batch.offset)
            if b"\n" not in chunk:
                if complete and chunk:
                    batch.odd("the last record is cut off", chunk)
                return complete
            _take(batch, chunk, limit)
    return False


def _read_chunk(file: BinaryIO, offset: int) -> bytes:
    """At least one whole line, if there is one."""
    file.seek(offset)
    chunk = file.read(_CHUNK)
    while chunk and b"\n" not in chunk:
        more = file.read(len(chunk))
        if not more:
            break
        chunk += more
    return chunk


def _take(batch: Batch, chunk: bytes, limit: int) -> None:
    offset = 0
    while not batch.is_full(limit) and (line := read_record(chunk, offset)) is not None:
        if isinstance(line, Record):
            _take_record(batch, line)
        else:
            batch.odd("the line is not a record", chunk[line.offset : line.end])
            batch.sequence = -1  # the chain is taken up again by the next record
        size = line.end - offset
        batch.size += size
        batch.offset += size
        offset = line.end


def _take_record(batch: Batch, line: Record) -> None:
    if batch.sequence >= 0 and (reason := _break(batch, line)):
        batch.odd(reason)
    try:
        table, json = to_row(line, batch.stream)
        batch.rows.append(Row(table, json, batch.stream, batch.segment, batch.offset))
    except ValueError as error:
        batch.odd(str(error), line.payload)
    batch.sequence, batch.hash = line.sequence, line.hash


def _break(batch: Batch, line: Record) -> str:
    """What is wrong with the chain here, if anything."""
    if line.sequence != batch.sequence + 1:
        return f"record {line.sequence} comes after record {batch.sequence}: records were removed or inserted"
    return "" if line.follows(batch.hash) else f"record {line.sequence} was changed"


def to_row(line: Record, stream: str) -> tuple[str, bytes]:
    """The table of a record and its row. ValueError when it is no event of ours."""
    fields = decode_event(line.payload)
    kind = fields.get("type")
    table = TABLE_OF.get(kind) if isinstance(kind, str) else None
    if table is None:
        raise ValueError(f"event type {kind!r} is not known; was the log written by a newer dbgate?")
    fields["time"] = timestamp(fields.get("time", 0))
    fields["event"] = kind
    fields["stream"] = stream
    fields["sequence"] = line.sequence
    fields["hash"] = line.hash.hex()
    if not fields.get("id"):
        fields["id"] = str(UUID(bytes=line.hash[:16]))
    return table, orjson.dumps(fields)


def timestamp(nanoseconds: Any) -> str:
    """Nanoseconds since the epoch as ClickHouse reads a DateTime64(9)."""
    if not isinstance(nanoseconds, int):
        raise ValueError(f"time {nanoseconds!r} is not a count of nanoseconds")
    return f"{nanoseconds // _SECOND}.{nanoseconds % _SECOND:09d}"


def place(stream: str, segment: int, offset: int) -> str:
    """A place in the log, for people."""
    return f"{stream}/{segment:08d}.seg byte {offset}"


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
