"""Finds what was changed in, removed from or put into a local audit log.

The chain proves that the records that lie here belong together. It has no key: someone who may write to the folder
can compute a new chain. What has been shipped is checked against the position the shipper remembers, and
ClickHouse holds every event's sequence number and hash out of the folder's reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dbgate.audit.encoding import decode_event
from dbgate.audit.position import Position, read_position
from dbgate.audit.records import GENESIS, Garbled, Record, read_records
from dbgate.audit.recovery import SEGMENT_HEAD
from dbgate.audit.segments import is_locked, segment_path, segments, streams


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding: `place` is stream/segment and byte, `what` a sentence."""

    place: str
    what: str

    def __str__(self) -> str:
        return f"{self.place}  {self.what}"


@dataclass(frozen=True, slots=True)
class Verified:
    """One stream: how many records were walked, and what is wrong, in the order of the log."""

    stream: str
    records: int
    problems: tuple[Problem, ...]


def verify(directory: Path) -> list[Verified]:
    """Every stream of the gate's `directory`. OSError when a segment cannot be read."""
    return [verify_stream(folder, read_position(directory, folder.name)) for folder in streams(directory)]


def verify_stream(folder: Path, shipped: Position | None = None) -> Verified:
    """Walk a stream's segments: form, length, hash, chain, order. `shipped` is what the shipper remembers."""
    walk = _Walk(folder.name)
    numbers = segments(folder)
    running = is_locked(folder)
    for number in numbers:
        walk.segment(segment_path(folder, number), number, may_grow=running and number == numbers[-1])
    walk.problems += _cut_after_shipping(folder, numbers, shipped)
    return Verified(folder.name, walk.records, tuple(walk.problems))


class _Walk:
    """The state between two records."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.records = 0
        self.problems: list[Problem] = []
        self._sequence: int | None = None
        self._previous: bytes | None = None
        self._number: int | None = None

    def segment(self, path: Path, number: int, *, may_grow: bool) -> None:
        """Walk one segment. `may_grow`: a running gate may be writing its last record."""
        content = path.read_bytes()
        place = f"{self.stream}/{path.name}"
        if self._number is not None and number != self._number + 1:
            self._report(place, f"segment {self._number + 1} is missing")
            self._sequence = self._previous = None
        self._number = number
        end = 0
        for first, line in _numbered(content):
            self._line(f"{place} byte {line.offset}", line, first=first)
            end = line.end
        if not may_grow and (end < len(content) or not content):
            self._report(f"{place} byte {end}", "the last record is cut off")

    def _line(self, place: str, line: Record | Garbled, *, first: bool) -> None:
        self.records += 1
        if isinstance(line, Garbled):
            self._report(place, f"record {self._expected()} was changed: its length, hash or form is wrong")
            self._sequence, self._previous = None, None
            return
        if first:
            self._take_head(place, line)
        problem = self._order(line) or self._link(line)
        if problem:
            self._report(place, problem)
        self._sequence, self._previous = line.sequence, line.hash

    def _take_head(self, place: str, line: Record) -> None:
        """Where the chain begins here: the oldest segment names the hash of the one deleted before it."""
        stated = _stated_before(line)
        if stated is None:
            self._report(place, "the segment does not begin with its head")
            return
        if self._previous is None and line.sequence == 0 and stated != GENESIS:
            self._report(place, "the first record of the stream does not begin a chain")
        if self._previous is None:
            self._previous = stated
        elif self._previous != stated:
            self._report(place, "the segment before this one ended otherwise: its end was changed or removed")
            self._previous, self._sequence = stated, None

    def _order(self, line: Record) -> str:
        if self._sequence is None or line.sequence == self._sequence + 1:
            return ""
        if line.sequence > self._sequence + 1:
            return f"records {self._sequence + 1} to {line.sequence - 1} were removed"
        return f"record {line.sequence} was inserted after record {self._sequence}"

    def _link(self, line: Record) -> str:
        if self._previous is None or line.follows(self._previous):
            return ""
        return f"record {line.sequence} was changed, or another was put in its place"

    def _expected(self) -> str:
        return "?" if self._sequence is None else str(self._sequence + 1)

    def _report(self, place: str, what: str) -> None:
        self.problems.append(Problem(place, what))


def _numbered(content: bytes) -> Iterator[tuple[bool, Record | Garbled]]:
    for index, line in enumerate(read_records(content)):
        yield index == 0, line


def _stated_before(line: Record) -> bytes | None:
    """The hash of the record before this segment, as its head states it; None when this is no head."""
    try:
        fields = decode_event(line.payload)
        return bytes.fromhex(fields["previous"]) if fields.get("type") == SEGMENT_HEAD else None
    except (KeyError, TypeError, ValueError):
        return None


def _cut_after_shipping(folder: Path, numbers: list[int], shipped: Position | None) -> list[Problem]:
    """Records that were shipped and are gone from the segment in which they lay."""
    if shipped is None or shipped.segment not in numbers:
        return []
    size = segment_path(folder, shipped.segment).stat().st_size
    if size >= shipped.offset:
        return []
    place = f"{folder.name}/{segment_path(folder, shipped.segment).name} byte {size}"
    return [Problem(place, f"records up to byte {shipped.offset} were shipped and are removed here")]
