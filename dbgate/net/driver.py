"""The data path of one session: two transports, one session object, nothing else.

The session (dbgate.session) decides; the driver carries out. For every input there is one Outcome, and its parts
happen in this order: audit events, one write for each direction, wishes. Events with bytes for the upstream are intents
and are in the log before these are sent; outcomes may share the next intent's write. When the log takes nothing, the
outcome waits, both sides stop being read and nothing is forwarded until the log works again.

No task, future or queue exists for a query. See SPEED.md 3 and 7 for the reasons behind the read buffer and the yield.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol, cast

from dbgate.audit.events import Event
from dbgate.audit.log import AuditUnavailable
from dbgate.net.counters import Counters
from dbgate.net.faults import log_fault
from dbgate.net.flow import AUDIT_HOLDS, FAIRNESS, PEER_FULL, SESSION_HOLDS, Flow, close_soon
from dbgate.net.sides import ClientSide, UpstreamSide
from dbgate.session.outcome import (
    CancelStatement,
    CatalogChanged,
    CloseSession,
    DecideElsewhere,
    Kill,
    Outcome,
    RefreshCatalog,
    Wake,
)

#: bytes read from an upstream at once: bounds how long one session keeps the loop
READ_SIZE = 64 * 1024


class Session(Protocol):
    """What the driver needs of dbgate.session's state machines. `now`: time.perf_counter_ns()."""

    @property
    def idle(self) -> bool: ...
    @property
    def rows_are_expensive(self) -> bool: ...
    def client_sent(self, data: bytes, now: int) -> Outcome: ...
    def upstream_sent(self, data: bytes, now: int) -> Outcome: ...
    def policy_changed(self, policy: Any, now: int) -> Outcome: ...
    def catalog_unavailable(self, reason: str, now: int) -> Outcome: ...
    def decided(self, decisions: Any, now: int) -> Outcome: ...
    def cancelled(self, certain: bool, now: int) -> Outcome: ...
    def terminate(self, sqlstate: str, message: str, now: int) -> Outcome: ...
    def upstream_lost(self, reason: str, now: int) -> Outcome: ...
    def ended(self, reason: str, now: int) -> Outcome: ...


class KillingSession(Session, Protocol):
    """One whose protocol lets a client end another session of its own, and that measures its statements' time."""

    def woken(self, now: int) -> Outcome: ...
    def killed(self, found: bool, now: int) -> Outcome: ...


class Recorder(Protocol):
    """The way to the local audit log."""

    def record(self, events: Sequence[Event]) -> None:
        """Raises AuditUnavailable, and then nothing was recorded."""

    def record_soon(self, events: Sequence[Event]) -> None:
        """For outcomes, which nothing waits for: never raises."""

    def record_late(self, events: Sequence[Event]) -> None:
        """For what has happened already: never raises, keeps the events until the log takes them."""

    def when_available(self, callback: Callable[[], None]) -> None: ...


class Database(Protocol):
    """A database's policy, as far as a session can wish for something."""

    def refresh(self, driver: Driver) -> None:
        """Read the catalog, then call the driver's policy_changed or catalog_unavailable."""

    def decide_elsewhere(self, wish: DecideElsewhere, driver: Driver) -> None:
        """Decide a long text in another process, then call the driver's decided."""

    def structure_changed(self) -> None: ...


class Phase(Enum):
    OPEN = "open"
    DRAINING = "draining"  # ends as soon as the session is idle
    CLOSED = "closed"


class Driver:
    """Joins a client and an upstream transport through a session. `label`: the session's id, for the log. `cancel`:
    cancels what the upstream runs, then calls `cancelled`. `kill`: ends another session, then calls `killed`. `closed`
    is called once, at the very end."""

    __slots__ = (
        "_backlog",
        "_cancel",
        "_client_flow",
        "_clock",
        "_closed",
        "_counters",
        "_database",
        "_drain_reason",
        "_held",
        "_kill",
        "_loop",
        "_phase",
        "_recorder",
        "_upstream_flow",
        "_waking",
        "client",
        "label",
        "session",
        "upstream",
    )

    def __init__(
        self,
        session: Session,
        client: asyncio.Transport,
        upstream: asyncio.Transport,
        *,
        label: str,
        recorder: Recorder,
        counters: Counters,
        database: Database,
        closed: Callable[[Driver], None],
        cancel: Callable[[Driver], None],
        kill: Callable[[Driver, Kill], None] | None = None,
    ) -> None:
        self.session, self.client, self.upstream, self.label = session, client, upstream, label
        self._recorder, self._counters, self._database, self._closed = recorder, counters, database, closed
        self._cancel, self._kill = cancel, kill
        self._loop = asyncio.get_running_loop()
        self._clock = time.perf_counter_ns
        self._client_flow, self._upstream_flow = Flow(client), Flow(upstream)
        self._phase = Phase.OPEN
        self._drain_reason = ""
        self._held: Outcome | None = None
        self._waking: asyncio.TimerHandle | None = None
        self._backlog: list[tuple[bool, bytes]] = []  # (from the client?, bytes) that came in spite of a pause

    def start(self, buffer: bytearray, client_early: bytes = b"", upstream_early: bytes = b"") -> None:
        """Attaches both sides. `early`: bytes that arrived during login. `buffer`: the loop's shared read buffer."""
        for transport in (self.client, self.upstream):
            transport.pause_reading()
        self.client.set_protocol(ClientSide(self))
        self.upstream.set_protocol(UpstreamSide(self, buffer))
        for transport in (self.client, self.upstream):
            transport.resume_reading()
        if upstream_early:
            self.upstream_sent(upstream_early)
        if client_early:
            self.client_sent(client_early)

    # ------------------------------------------------------------ inputs

    def client_sent(self, data: bytes) -> None:
        if self._client_flow.reasons & (AUDIT_HOLDS | SESSION_HOLDS) or self._backlog:
            self._backlog.append((True, data))
        elif self._phase is not Phase.CLOSED:
            self._step(self.session.client_sent, data)

    def upstream_sent(self, data: bytes) -> None:
        if self._held is not None:
            self._backlog.append((False, data))
            return
        if self._phase is Phase.CLOSED:
            return
        self._step(self.session.upstream_sent, data)
        if self.session.rows_are_expensive:
            self._upstream_flow.pause(FAIRNESS)
            self._loop.call_soon(self._upstream_flow.resume, FAIRNESS)
        if self._backlog:
            self._work_off_backlog()
        if self._phase is Phase.DRAINING:
            self._end_when_idle()

    def policy_changed(self, policy: Any) -> None:
        self._input(self.session.policy_changed, policy)

    def catalog_unavailable(self, reason: str) -> None:
        self._input(self.session.catalog_unavailable, reason)

    def decided(self, decisions: Any) -> None:
        self._input(self.session.decided, decisions)

    def cancelled(self, certain: bool) -> None:
        self._input(self.session.cancelled, certain)

    def killed(self, found: bool) -> None:
        self._input(cast(KillingSession, self.session).killed, found)

    def woken(self) -> None:
        self._waking = None
        self._input(lambda _none, now: cast(KillingSession, self.session).woken(now), None)

    @property
    def closed(self) -> bool:
        return self._phase is Phase.CLOSED

    def terminate(self, sqlstate: str, message: str) -> None:
        """Ends the session now, whatever it does."""
        if self._phase is Phase.CLOSED:
            return
        if self._held is None:
            self._step(lambda _none, now: self.session.terminate(sqlstate, message, now), None)
        self.close(message)

    def drain(self, reason: str) -> None:
        """Ends the session with 57P01 as soon as no transaction is open and nothing is outstanding."""
        if self._phase is Phase.OPEN:
            self._phase, self._drain_reason = Phase.DRAINING, reason
            self._end_when_idle()

    def _end_when_idle(self) -> None:
        if self.session.idle and self._held is None and not self._backlog:
            self.terminate("57P01", self._drain_reason)

    # ------------------------------------------------------------ outcomes

    def _input(self, happened: Callable[[Any, int], Outcome], value: Any) -> None:
        """An input that is not bytes: it may come while the audit log holds, then it waits its turn."""
        if self._held is not None:
            self._recorder.when_available(lambda: self._input(happened, value))
        elif self._phase is not Phase.CLOSED:
            self._step(happened, value)
            self._work_off_backlog()

    def _step(self, happened: Callable[[Any, int], Outcome], value: Any) -> None:
        try:
            self._apply(happened(value, self._clock()))
        except Exception as fault:
            self._fail(fault)

    def _apply(self, outcome: Outcome) -> None:
        if outcome.events:
            if outcome.to_upstream:
                try:
                    self._recorder.record(outcome.events)
                except AuditUnavailable:
                    self._hold(outcome)
                    return
            else:
                self._recorder.record_soon(outcome.events)
            self._counters.count(outcome.events)
        self._carry_out(outcome)

    def _carry_out(self, outcome: Outcome) -> None:
        if outcome.to_upstream:
            self._counters.bytes_to_upstream += len(outcome.to_upstream)
            self.upstream.write(outcome.to_upstream)
        if outcome.to_client:
            self._counters.bytes_to_client += len(outcome.to_client)
            self.client.write(outcome.to_client)
        if outcome.hold_client:
            self._client_flow.pause(SESSION_HOLDS)
        elif self._client_flow.reasons & SESSION_HOLDS:
            self._client_flow.resume(SESSION_HOLDS)
        for wish in outcome.wishes:
            _WISHES[type(wish)](self, wish)

    # ------------------------------------------------------------ the audit log takes nothing

    def _hold(self, outcome: Outcome) -> None:
        self._held = outcome
        self._counters.audit_holds += 1
        self._client_flow.pause(AUDIT_HOLDS)
        self._upstream_flow.pause(AUDIT_HOLDS)
        self._recorder.when_available(self._retry)

    def _retry(self) -> None:
        held, self._held = self._held, None
        if held is None or self._phase is Phase.CLOSED:
            return
        self._apply(held)
        if self._held is None:
            self._client_flow.resume(AUDIT_HOLDS)
            self._upstream_flow.resume(AUDIT_HOLDS)
            self._work_off_backlog()

    def _work_off_backlog(self) -> None:
        while self._backlog and self._held is None and self._phase is not Phase.CLOSED:
            if (index := self._next_in_backlog()) is None:
                return
            from_client, data = self._backlog.pop(index)
            self._step(self.session.client_sent if from_client else self.session.upstream_sent, data)

    def _next_in_backlog(self) -> int | None:
        """The oldest input that may go on: what a client sent waits while the session holds it."""
        client_held = bool(self._client_flow.reasons & SESSION_HOLDS)
        return next((i for i, (client, _) in enumerate(self._backlog) if not (client and client_held)), None)

    # ------------------------------------------------------------ the end

    def close(self, reason: str) -> None:
        """Flushes and closes both sides; what the session still has to say goes to the audit log. Idempotent."""
        if self._phase is Phase.CLOSED:
            return
        self._phase = Phase.CLOSED
        if self._waking is not None:
            self._waking.cancel()
        self._record_end(reason)
        for transport in (self.client, self.upstream):
            close_soon(transport)
        self._closed(self)

    def _record_end(self, reason: str) -> None:
        try:
            outcome = self.session.ended(reason, self._clock())
        except Exception as fault:
            self._counters.gate_errors += 1
            log_fault("the session could not end cleanly", fault, self.label)
            return
        events = [*(self._held.events if self._held is not None else ()), *outcome.events]
        self._held = None
        self._counters.count(events)
        self._recorder.record_late(events)

    def _fail(self, fault: Exception) -> None:
        """A fault of the gate itself: nothing more passes in this session."""
        self._counters.gate_errors += 1
        log_fault("session closed by a fault of the gate", fault, self.label)
        self._held = None
        self.close("a fault of the gate")

    # ------------------------------------------------------------ events of the transports

    def side_lost(self, which: str, error: Exception | None) -> None:
        reason = f"{which} connection lost: {type(error).__name__}" if error else f"{which} closed the connection"
        if which == "upstream" and self._phase is not Phase.CLOSED and self._held is None:
            self._step(lambda _none, now: self.session.upstream_lost(reason, now), None)
        self.close(reason)

    def side_full(self, client: bool) -> None:
        """The write buffer towards the client (or upstream) is full: stop reading from the other side."""
        (self._upstream_flow if client else self._client_flow).pause(PEER_FULL)

    def side_drained(self, client: bool) -> None:
        (self._upstream_flow if client else self._client_flow).resume(PEER_FULL)

    # ------------------------------------------------------------ wishes

    def _refresh(self, _wish: RefreshCatalog) -> None:
        self._database.refresh(self)

    def _decide_elsewhere(self, wish: DecideElsewhere) -> None:
        self._database.decide_elsewhere(wish, self)

    def _cancel_statement(self, _wish: CancelStatement) -> None:
        self._cancel(self)

    def _wake(self, wish: Wake) -> None:
        self._waking = self._loop.call_later(wish.seconds, self.woken)

    def _kill_session(self, wish: Kill) -> None:
        assert self._kill is not None, "only sessions that may kill are given a wish to"
        self._kill(self, wish)

    def _structure_changed(self, _wish: CatalogChanged) -> None:
        self._database.structure_changed()

    def _close(self, wish: CloseSession) -> None:
        self.close(wish.reason)


_WISHES: dict[type, Callable[[Driver, Any], None]] = {
    RefreshCatalog: Driver._refresh,
    DecideElsewhere: Driver._decide_elsewhere,
    CancelStatement: Driver._cancel_statement,
    Wake: Driver._wake,
    Kill: Driver._kill_session,
    CatalogChanged: Driver._structure_changed,
    CloseSession: Driver._close,
}
