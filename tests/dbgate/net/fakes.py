"""A network in memory: transports that remember, a session that does what a test says, a log that can be full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dbgate.audit.events import Event, StatementDecided
from dbgate.audit.log import AuditUnavailable
from dbgate.net.counters import Counters
from dbgate.net.driver import Driver
from dbgate.session.outcome import DecideElsewhere, Outcome


class FakeTransport(asyncio.Transport):
    """`journal` is shared with the other fakes, so that a test sees the order of things."""

    def __init__(self, name: str, journal: list[Any]) -> None:
        super().__init__()
        self.name, self.journal = name, journal
        self.reading = True
        self.closed = False
        self.protocol: Any = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed, "written after the end"
        self.journal.append((self.name, bytes(data)))

    def pause_reading(self) -> None:
        assert self.reading, "paused twice"
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading, "resumed twice"
        self.reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0


class FakeSession:
    """Passes bytes through, with one event for each client input; `answers` may say otherwise, input by input."""

    def __init__(self) -> None:
        self.idle = True
        self.rows_are_expensive = False
        self.answers: list[Outcome | Exception] = []
        self.inputs: list[tuple[str, Any]] = []

    def _take(self, kind: str, value: Any, default: Outcome) -> Outcome:
        self.inputs.append((kind, value))
        answer = self.answers.pop(0) if self.answers else default
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client_sent(self, data: bytes, now: int) -> Outcome:
        return self._take("client", data, Outcome(to_upstream=data, events=[StatementDecided(statement="s")]))

    def upstream_sent(self, data: bytes, now: int) -> Outcome:
        return self._take("upstream", data, Outcome(to_client=data))

    def policy_changed(self, policy: Any, now: int) -> Outcome:
        return self._take("policy", policy, Outcome())

    def catalog_unavailable(self, reason: str, now: int) -> Outcome:
        return self._take("unavailable", reason, Outcome())

    def decided(self, decisions: Any, now: int) -> Outcome:
        return self._take("decided", decisions, Outcome())

    def cancelled(self, certain: bool, now: int) -> Outcome:
        return self._take("cancelled", certain, Outcome())

    def woken(self, now: int) -> Outcome:
        return self._take("woken", None, Outcome())

    def terminate(self, sqlstate: str, message: str, now: int) -> Outcome:
        return self._take("terminate", sqlstate, Outcome(to_client=sqlstate.encode()))

    def upstream_lost(self, reason: str, now: int) -> Outcome:
        return self._take("lost", reason, Outcome(to_client=b"last words"))

    def ended(self, reason: str, now: int) -> Outcome:
        self.inputs.append(("ended", reason))
        return Outcome(events=[StatementDecided(statement="end")])


class FakeRecorder:
    def __init__(self, journal: list[Any]) -> None:
        self.journal = journal
        self.full = False
        self.waiting: list[Callable[[], None]] = []
        self.late: list[Event] = []

    def record(self, events: Sequence[Event]) -> None:
        if self.full:
            raise AuditUnavailable("full")
        self.journal.append(("audit", [event.type for event in events]))

    def record_soon(self, events: Sequence[Event]) -> None:
        self.journal.append(("soon", [event.type for event in events]))

    def record_late(self, events: Sequence[Event]) -> None:
        self.late += events

    def when_available(self, callback: Callable[[], None]) -> None:
        self.waiting.append(callback)

    def recover(self) -> None:
        self.full = False
        waiting, self.waiting = self.waiting, []
        for callback in waiting:
            callback()


class FakeDatabase:
    def __init__(self) -> None:
        self.refreshing: list[Driver] = []
        self.changed = 0
        self.deciding: list[tuple[DecideElsewhere, Driver]] = []

    def decide_elsewhere(self, wish: DecideElsewhere, driver: Driver) -> None:
        self.deciding.append((wish, driver))

    def refresh(self, driver: Driver) -> None:
        self.refreshing.append(driver)

    def structure_changed(self) -> None:
        self.changed += 1


class Bench:
    """A driver between fakes. Make it inside a running loop."""

    def __init__(self, early: Iterable[bytes] = (b"", b"")) -> None:
        self.journal: list[Any] = []
        self.client = FakeTransport("client", self.journal)
        self.upstream = FakeTransport("upstream", self.journal)
        self.session = FakeSession()
        self.recorder = FakeRecorder(self.journal)
        self.database = FakeDatabase()
        self.counters = Counters()
        self.closed: list[Driver] = []
        self.cancels: list[Driver] = []
        self.driver = Driver(
            self.session,
            self.client,
            self.upstream,
            label="s-1",
            recorder=self.recorder,
            counters=self.counters,
            database=self.database,
            closed=self.closed.append,
            cancel=self.cancels.append,
        )
        self.driver.start(bytearray(64), *early)

    def client_sends(self, data: bytes) -> None:
        self.client.protocol.data_received(data)

    def upstream_sends(self, data: bytes) -> None:
        view = self.upstream.protocol.get_buffer(-1)
        view[: len(data)] = data
        self.upstream.protocol.buffer_updated(len(data))
