"""Stamps events and puts them into a log, as a worker does, for tests of the audit alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from dbgate.audit.events import Event
from dbgate.audit.ids import EventIds
from dbgate.audit.log import AuditLog


class Recorder:
    """One per gate worker. Sessions set who and what; the recorder sets id, time and gate."""

    __slots__ = ("_clock", "_gate", "_ids", "_log")

    def __init__(self, log: AuditLog, gate: str, clock: Callable[[], int] = time.time_ns) -> None:
        self._log = log
        self._gate = gate
        self._clock = clock
        self._ids = EventIds(clock)

    def record(self, events: Sequence[Event]) -> None:
        """Stamp and append, in order, with one write. AuditUnavailable: none of them is recorded, and nothing that
        they announce may happen."""
        if events:
            for event in events:
                self.stamp(event)
            self._log.append(events)

    def stamp(self, event: Event) -> None:
        """Set id, time (UTC nanoseconds) and gate."""
        event.time = now = self._clock()
        event.id = self._ids.next(now)
        event.gate = self._gate
