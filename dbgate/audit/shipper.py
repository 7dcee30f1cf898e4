"""Carries the local log's events to ClickHouse.

At least once, and once in effect: a position moves on only after ClickHouse acknowledged everything before it, and
what is sent again replaces itself (the event id ends every sorting key). A segment is deleted when it is complete and
all of it is acknowledged. What can never be inserted is set aside in `<directory>/audit/rejected/` and reported.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import orjson

from dbgate.audit.errors import RecordsRejected, StoreUnavailable
from dbgate.audit.events import AuditDegraded
from dbgate.audit.ids import EventIds
from dbgate.audit.position import Position, read_position, write_position
from dbgate.audit.segments import lock, make_private, segment_path, segments, streams
from dbgate.audit.store import Store
from dbgate.audit.tail import Batch, Oddity, Row, read_batch, timestamp

logger = logging.getLogger(__name__)

SHIPPER_LOCK = "shipper.lock"
_SAY_AGAIN = 60.0  # seconds between two log lines about the same outage


@dataclass(slots=True)
class ShipperStatus:
    """For metrics and /health. `lag_bytes`: bytes of the local log that ClickHouse has not acknowledged."""

    shipped: int = 0
    rejected: int = 0
    failures: int = 0
    lag_bytes: int = 0
    down_since: float | None = None
    error: str = ""


@dataclass(slots=True)
class _Round:
    """One read of all streams; kept until it is acknowledged, so that a retry sends the same rows."""

    batches: dict[str, Batch]
    done: set[str] = field(default_factory=set)  # tables that have their rows

    @property
    def rows(self) -> list[Row]:
        return [row for batch in self.batches.values() for row in batch.rows]

    @property
    def oddities(self) -> list[Oddity]:
        return [oddity for batch in self.batches.values() for oddity in batch.oddities]


class Shipper:
    """One per gate directory. `interval`: seconds between inserts under load; `idle`: between looks at a quiet log."""

    def __init__(
        self,
        directory: str | os.PathLike[str],
        store: Store,
        *,
        max_events: int = 5000,
        interval: float = 0.5,
        idle: float = 0.1,
        longest_pause: float = 30.0,
    ) -> None:
        self.status = ShipperStatus()
        self._directory = Path(directory)
        self._store = store
        self._max_events = max_events
        self._interval = interval
        self._idle = idle
        self._longest_pause = longest_pause
        self._positions: dict[str, Position] = {}
        self._pending: _Round | None = None
        self._turn = asyncio.Lock()
        self._lock: int | None = None
        self._migrated = False
        self._ids = EventIds()
        self._said = 0.0

    async def run(self) -> None:
        """Ship until cancelled; no outage of ClickHouse or of the disk ends this. SchemaTooNewError when the tables are
        a newer dbgate's, ValueError when a remembered position is damaged."""
        failures = 0
        while True:
            try:
                shipped, at_end = await self._ship()
            except (StoreUnavailable, OSError) as error:
                failures += 1
                self._say_down(error)
                await asyncio.sleep(self._pause(failures))
                continue
            failures = 0
            self._say_up()
            await asyncio.sleep(self._rest(shipped, at_end=at_end))

    async def flush(self) -> int:
        """Ship what is in the log now (not what comes meanwhile); how many records. StoreUnavailable or OSError at the
        first failure."""
        total, at_end = 0, False
        while not at_end:
            shipped, at_end = await self._ship()
            total += shipped
        return total

    async def _ship(self) -> tuple[int, bool]:
        """One round: what is there, up to `max_events` of each stream. How many records were dealt with, and whether
        that was all that lay in the log when the round began."""
        async with self._turn:
            await self._prepare()
            fresh = self._pending is None
            if self._pending is None:
                self._pending = await asyncio.to_thread(self._read)
            pending = self._pending
            count = await self._deliver(pending)
            await asyncio.to_thread(self._acknowledge, pending)
            self._pending = None
            return count, fresh and not any(batch.is_full(self._max_events) for batch in pending.batches.values())

    def close(self) -> None:
        """Let another process ship this directory."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _prepare(self) -> None:
        if self._lock is None:
            folder = self._directory / "audit"
            make_private(folder)
            self._lock = lock(folder, SHIPPER_LOCK)
        if self._lock is None:
            raise StoreUnavailable(f"another process ships {self._directory}/audit")
        if not self._migrated:
            await self._store.migrate()
            self._migrated = True

    def _read(self) -> _Round:
        batches = {}
        for folder in streams(self._directory):
            position = self._position(folder.name)
            batch = read_batch(folder, position, self._max_events)
            if batch.position != position or batch.oddities:
                batches[folder.name] = batch
        return _Round(batches)

    def _position(self, stream: str) -> Position:
        if stream not in self._positions:
            self._positions[stream] = read_position(self._directory, stream) or Position()
        return self._positions[stream]

    async def _deliver(self, pending: _Round) -> int:
        rows = pending.rows
        for table, lines in _by_table(rows).items():
            if table not in pending.done:
                await self._insert(table, lines)
                pending.done.add(table)
        for oddity in pending.oddities:
            await self._report(oddity)
        return len(rows) + len(pending.oddities)

    async def _insert(self, table: str, rows: Sequence[Row]) -> None:
        """Insert all rows but those that can never be: these are found by halving."""
        lines = [row.json for row in rows]
        try:
            await self._store.insert(table, lines, sha256(b"\n".join(lines)).hexdigest())
        except RecordsRejected as error:
            if len(rows) == 1:
                await self._report(Oddity(rows[0].place, str(error), rows[0].json))
                return
            middle = len(rows) // 2
            await self._insert(table, rows[:middle])
            await self._insert(table, rows[middle:])

    async def _report(self, oddity: Oddity) -> None:
        """Set the record aside, and tell of it in the audit."""
        if oddity.record:
            self.status.rejected += 1
            await asyncio.to_thread(set_aside, self._directory, oddity)
        logger.error("audit: %s: %s", oddity.place, oddity.reason)
        row = orjson.dumps(self._degraded(oddity))
        await self._store.insert("security", [row], sha256(row).hexdigest())

    def _degraded(self, oddity: Oddity) -> dict[str, object]:
        now = time.time_ns()
        return {
            "id": self._ids.next(now), "time": timestamp(now), "event": AuditDegraded.type,
            "reason": f"{oddity.place}: {oddity.reason}", "lost": int(bool(oddity.record)),
        }  # fmt: skip

    def _acknowledge(self, pending: _Round) -> None:
        for stream, batch in pending.batches.items():
            write_position(self._directory, stream, batch.position)
            self._positions[stream] = batch.position
            self.status.shipped += len(batch.rows)
        self._delete_shipped()
        self.status.lag_bytes = self._lag()

    def _delete_shipped(self) -> None:
        """Segments before a stream's position: complete, and all of them acknowledged."""
        for folder in streams(self._directory):
            position = self._position(folder.name)
            for number in segments(folder):
                if number < position.segment:
                    segment_path(folder, number).unlink()

    def _lag(self) -> int:
        return sum(self._lag_of(folder, self._position(folder.name)) for folder in streams(self._directory))

    def _lag_of(self, folder: Path, position: Position) -> int:
        numbers = (number for number in segments(folder) if number >= position.segment)
        sizes = {number: segment_path(folder, number).stat().st_size for number in numbers}
        return max(0, sum(sizes.values()) - (position.offset if position.segment in sizes else 0))

    def _pause(self, failures: int) -> float:
        longest = min(self._longest_pause, 0.1 * 2.0 ** min(failures, 20))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  spreads the gates of a fleet, no secret

    def _rest(self, shipped: int, *, at_end: bool) -> float:
        if not at_end:
            return 0.0
        return self._interval if shipped else self._idle

    def _say_down(self, error: Exception) -> None:
        now = time.monotonic()
        self.status.failures += 1
        self.status.error = str(error)
        with suppress(OSError):
            self.status.lag_bytes = self._lag()
        if self.status.down_since is None:
            self.status.down_since = time.time()
        elif now < self._said + _SAY_AGAIN:
            return
        self._said = now
        logger.warning("audit: events wait in the local log and cannot be shipped: %s", error)

    def _say_up(self) -> None:
        if self.status.down_since is not None:
            logger.warning("audit: events are shipped again after %.0f s", time.time() - self.status.down_since)
            self.status.down_since = None
            self.status.error = ""


def set_aside(directory: Path, oddity: Oddity) -> None:
    """Append a record that can never be inserted to `<directory>/audit/rejected/<stream>.jsonl`; durable."""
    path = directory / "audit" / "rejected" / f"{oddity.place.split('/')[0]}.jsonl"
    make_private(path.parent)
    text = {"place": oddity.place, "reason": oddity.reason, "record": oddity.record.decode("utf-8", "backslashreplace")}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, orjson.dumps(text, option=orjson.OPT_APPEND_NEWLINE))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _by_table(rows: Sequence[Row]) -> dict[str, list[Row]]:
    tables: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        tables[row.table].append(row)
    return tables
