"""The local audit log: events are in it before anything they tell of happens.

`append` returns when the operating system has the records (`durability="os"`: they survive the death of the process)
or the disk has them (`"fsync"`: they survive a power cut). It raises AuditUnavailable otherwise, and then nothing of
the batch is in the log.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import orjson

from dbgate.audit.encoding import encode_event
from dbgate.audit.events import AuditDegraded, Event, SessionEnded, StatementFinished
from dbgate.audit.ids import EventIds
from dbgate.audit.records import write_record
from dbgate.audit.recovery import SEGMENT_HEAD, Recovered, recover
from dbgate.audit.segments import create_segment, lock, log_folder, make_private, used_bytes, write_whole
from dbgate.audit.settings import MIB, Durability, WhenFull

AnyEvent = TypeVar("AnyEvent", bound=Event)

_OUTCOMES = (StatementFinished, SessionEnded, AuditDegraded)  # these may use the reserve: what began must end
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_MEASURE_AGAIN = 0.05  # seconds between two looks at the folder of a full log


class AuditUnavailable(Exception):  # noqa: N818  a state of the gate, spelt as operators say it
    """The events were not recorded; nothing that they announce may happen."""


class _Full(Exception):  # noqa: N818
    """No room in the log or on its disk."""


class AuditLog:
    """One stream, written by one process and one thread."""

    def __init__(
        self,
        folder: Path,
        lock_descriptor: int,
        recovered: Recovered,
        *,
        durability: Durability,
        max_bytes: int,
        segment_bytes: int,
        when_full: WhenFull,
        gate: str,
        clock: Callable[[], int],
    ) -> None:
        """Use `open`."""
        self.folder = folder
        self.gate = gate
        self._lock = lock_descriptor
        self._clock = clock
        self._ids = EventIds(clock)
        self._durable = durability == "fsync"
        self._pass = when_full == "pass"
        self._max_bytes = max_bytes
        self._reserve = min(MIB, max_bytes // 8)
        self._segment_bytes = min(segment_bytes, max(max_bytes // 4, 1))
        self._segment = recovered.segment
        self._sequence = recovered.sequence
        self._previous = recovered.previous
        self._unfinished = recovered.unfinished
        self._descriptor = -1
        self._offset = 0
        self._head = 0
        self._used = 0
        self._room = 0
        self._measured = 0.0
        self._lost = 0
        self._broken = ""

    @classmethod
    def open(
        cls,
        directory: str | os.PathLike[str],
        stream: str,
        *,
        durability: Durability = "os",
        max_bytes: int = 1024 * MIB,
        segment_bytes: int = 16 * MIB,
        when_full: WhenFull = "hold",
        gate: str = "",
        clock: Callable[[], int] = time.time_ns,
    ) -> AuditLog:
        """Open the stream in the gate's `directory`, closing what an earlier run left open.

        `max_bytes` bounds this stream (to one batch of events and one segment's head). AuditUnavailable when another
        process writes to it, or the disk does not take it.
        """
        folder = log_folder(Path(directory)) / stream
        try:
            make_private(folder)
            descriptor = lock(folder)
            if descriptor is None:
                raise AuditUnavailable(f"{folder} is written by another gate; give this one its own gate.directory")
            recovered = recover(folder)
            log = cls(
                folder, descriptor, recovered, durability=durability, max_bytes=max_bytes,
                segment_bytes=segment_bytes, when_full=when_full, gate=gate, clock=clock,
            )  # fmt: skip
            log._begin(recovered.findings)
        except (OSError, _Full) as error:
            raise AuditUnavailable(f"the audit log cannot be opened: {error}") from error
        return log

    @property
    def lost(self) -> int:
        """Events dropped since the log became full (`when_full="pass"`) and not reported in it yet."""
        return self._lost

    def append(self, events: Sequence[Event]) -> None:
        """Record the events, in order, with one write. AuditUnavailable: none of them is recorded."""
        if self._broken:
            raise AuditUnavailable(self._broken)
        try:
            if self._room <= 0 or self._lost:
                self._append_slowly(events)
            else:
                self._write(events)
        except _Full as full:
            self._refuse_or_drop(events, full)
        except OSError as error:
            raise AuditUnavailable(f"the audit log {self.folder} cannot be written: {error}") from error

    def close(self) -> None:
        """Give the stream back. What is open in it is closed by the next `open`."""
        if self._lost and not self._broken:
            self._try_write(self._gap())
        for descriptor in (self._descriptor, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._descriptor = self._lock = -1
        self._broken = f"the audit log {self.folder} is closed"

    def _begin(self, findings: list[str]) -> None:
        reports = [AuditDegraded(reason=finding) for finding in findings]
        endings = list(self._unfinished.endings("gate stopped"))
        self._rotate()
        if reports or endings:
            self._write([self._stamp(event) for event in (*reports, *endings)])

    def _write(self, events: Sequence[Event]) -> None:
        sequence, previous, lines = self._sequence, self._previous, []
        for event in events:
            line, previous = write_record(sequence, previous, encode_event(event))
            lines.append(line)
            sequence += 1
        data = b"".join(lines)
        self._write_or_cut_back(data)
        self._sequence, self._previous = sequence, previous
        self._count(len(data))
        for event in events:
            self._unfinished.note(event)

    def _count(self, size: int) -> None:
        self._offset += size
        self._used += size
        self._room -= size

    def _write_or_cut_back(self, data: bytes) -> None:
        try:
            write_whole(self._descriptor, data)
        except OSError as error:
            self._cut_back()
            if error.errno in _FULL:
                raise _Full(f"its disk is full ({error.strerror})") from error
            raise
        if self._durable:
            self._sync()

    def _sync(self) -> None:
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            # The kernel may have dropped the pages: trying again would tell of a success that is none.
            self._cut_back()
            self._broken = f"the audit log {self.folder} could not be synced ({error}); mend the disk, restart the gate"
            raise

    def _cut_back(self) -> None:
        try:
            os.ftruncate(self._descriptor, self._offset)
        except OSError as error:
            self._broken = f"the audit log {self.folder} has a torn record ({error}); mend the disk, restart the gate"

    def _append_slowly(self, events: Sequence[Event]) -> None:
        limit = self._max_bytes
        if not all(isinstance(event, _OUTCOMES) for event in events):
            limit -= self._reserve
        self._find_room(limit)
        gap = [self._gap()] if self._lost else []
        self._write([*gap, *events])
        self._lost = 0
        in_segment = self._segment_bytes - (self._offset - self._head)
        self._room = min(in_segment, self._max_bytes - self._reserve - self._used)

    def _find_room(self, limit: int) -> None:
        if self._used >= limit:
            self._measure()
        if self._used >= limit:
            self._complete_segment()
            raise _Full(f"{self._used} of {self._max_bytes} bytes are used")
        if self._offset - self._head >= self._segment_bytes:
            self._rotate()

    def _measure(self) -> None:
        now = time.monotonic()
        if now >= self._measured + _MEASURE_AGAIN:
            self._measured = now
            self._used = used_bytes(self.folder)

    def _complete_segment(self) -> None:
        """Only a complete segment can be deleted after shipping: without this a full log would stay full."""
        if self._offset > self._head:
            self._rotate()

    def _rotate(self) -> None:
        head = {
            "type": SEGMENT_HEAD, "version": 1, "stream": self.folder.name, "segment": self._segment + 1,
            "time": self._clock(), "gate": self.gate, "previous": self._previous.hex(),
            "open": self._unfinished.entries(),
        }  # fmt: skip
        line, previous = write_record(self._sequence, self._previous, orjson.dumps(head))
        try:
            descriptor = create_segment(self.folder, self._segment + 1, line, durable=self._durable)
        except OSError as error:
            if error.errno in _FULL:
                raise _Full(f"its disk is full ({error.strerror})") from error
            raise
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._segment = descriptor, self._segment + 1
        self._sequence, self._previous = self._sequence + 1, previous
        self._offset = self._head = len(line)
        self._used = used_bytes(self.folder)
        self._room = 0

    def _refuse_or_drop(self, events: Sequence[Event], full: _Full) -> None:
        if not self._pass:
            raise AuditUnavailable(
                f"the audit log {self.folder} is full: {full}. Statements wait until its events are shipped to "
                "ClickHouse; look at the shipper, or raise audit.max_bytes"
            ) from full
        if not self._lost:
            self._try_write(AuditDegraded(reason=f"the audit log is full ({full}): events are dropped from here on"))
        self._lost += len(events)
        for event in events:
            self._unfinished.note(event)

    def _try_write(self, event: AuditDegraded) -> None:
        """Into the reserve. A full disk has none: then the gap is told of when there is room again."""
        with suppress(_Full):
            self._write([self._stamp(event)])

    def _gap(self) -> AuditDegraded:
        return self._stamp(AuditDegraded(reason="events were dropped while the audit log was full", lost=self._lost))

    def _stamp(self, event: AnyEvent) -> AnyEvent:
        event.time = self._clock()
        event.id = self._ids.next(event.time)
        event.gate = event.gate or self.gate
        return event
