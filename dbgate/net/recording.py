"""The worker's way to its audit log: tries again while the log takes nothing, and keeps what has already happened."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence

from dbgate.audit.events import AuditDegraded, Event, StatementDecided, WitnessMismatch
from dbgate.audit.ids import EventIds
from dbgate.audit.log import AuditLog, AuditUnavailable

log = logging.getLogger("dbgate.audit")

#: seconds between two tries while the log takes nothing
RETRY = 0.1
#: seconds that the outcome of a statement may wait for the next intent, to share its write
SOON = 0.005
#: events about what has already happened that wait for the log; more are lost and counted
LATE_LIMIT = 100_000


class LogRecorder:
    """One for each worker. Late events are written before newer ones, so the log's order is the order of things."""

    def __init__(self, audit_log: AuditLog, gate: str, *, drop_statements: bool = False) -> None:
        """`drop_statements`: the texts of statements are not kept, since literals in them can be personal data."""
        self._drop_statements = drop_statements
        self._log, self._gate, self._ids = audit_log, gate, EventIds()
        self._late: list[Event] = []
        self._lost = 0
        self._waiting: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._soon: asyncio.TimerHandle | None = None

    @property
    def available(self) -> bool:
        """False while the log takes nothing."""
        return self._timer is None

    @property
    def late(self) -> int:
        return len(self._late)

    def record(self, events: Sequence[Event]) -> None:
        """Raises AuditUnavailable, and then nothing of `events` was recorded. What waits goes first, in one write."""
        self._stamp(events)
        if self._lost or self._timer is not None:
            self._write_late()
        if self._late:
            self._log.append([*self._late, *events])
            self._late.clear()
        else:
            self._log.append(events)

    def record_soon(self, events: Sequence[Event]) -> None:
        """For outcomes: written with the next intent or within SOON. Never raises; a crash before that leaves the
        statement's intent, and the next start closes it as unknown."""
        self._stamp(events)
        room = LATE_LIMIT - len(self._late)
        self._late += events[:room]
        self._lost += len(events[room:])
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_later(SOON, self._write_soon)

    def _write_soon(self) -> None:
        self._soon = None
        try:
            self._write_late()
        except AuditUnavailable:
            self._try_later()

    def record_late(self, events: Sequence[Event]) -> None:
        if not events:
            return
        self._stamp(events)
        room = LATE_LIMIT - len(self._late)
        self._late += events[:room]
        self._lost += len(events[room:])
        try:
            self._write_late()
        except AuditUnavailable:
            self._try_later()

    def when_available(self, callback: Callable[[], None]) -> None:
        """Calls back, in order, when it is worth trying again. The try may fail again."""
        self._waiting.append(callback)
        self._try_later()

    def close(self) -> None:
        """The last try for late events; says in the log how many were lost."""
        for timer in (self._timer, self._soon):
            if timer is not None:
                timer.cancel()
        self._timer = self._soon = None
        self._waiting.clear()
        try:
            self._write_late()
        except AuditUnavailable:
            log.error("audit events lost at the end", extra={"fields": {"lost": len(self._late) + self._lost}})
        self._log.close()

    def _stamp(self, events: Iterable[Event]) -> None:
        """Id, time and gate, which sessions don't know. An event that waited keeps what it has."""
        now = time.time_ns()
        for event in events:
            if not event.id:
                event.id, event.time, event.gate = self._ids.next(now), now, self._gate
                if self._drop_statements and isinstance(event, StatementDecided | WitnessMismatch):
                    event.statement = ""

    def _write_late(self) -> None:
        gap: list[Event] = []
        if self._lost:
            gap = [AuditDegraded(reason="late events were dropped", lost=self._lost)]
            self._stamp(gap)
        if self._late or gap:
            self._log.append([*self._late, *gap])
        self._late.clear()
        self._lost = 0

    def _try_later(self) -> None:
        if self._timer is None:
            log.warning("the audit log takes nothing: sessions wait")
            self._timer = asyncio.get_running_loop().call_later(RETRY, self._try)

    def _try(self) -> None:
        self._timer = None
        try:
            self._write_late()
        except AuditUnavailable:
            self._try_quietly_later()
            return
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()

    def _try_quietly_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(RETRY, self._try)
