"""What the ends of both protocols share: the databases, the sessions that are open, counters and audit."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from dbgate.audit.events import LoginRefused as LoginRefusedEvent
from dbgate.audit.events import SessionStarted
from dbgate.audit.ids import EventIds
from dbgate.audit.log import AuditUnavailable
from dbgate.net import driver
from dbgate.net.client_login import UNKNOWN_DATABASE, LoginRefused
from dbgate.net.counters import Counters
from dbgate.net.driver import Driver
from dbgate.net.faults import log_fault
from dbgate.net.reaching import UpstreamUnavailable
from dbgate.net.recording import LogRecorder
from dbgate.net.setup_stream import SetupStream
from dbgate.session.outcome import Kill
from dbgate.settings.model import Database as DatabaseSettings
from dbgate.settings.model import Upstream

log = logging.getLogger("dbgate.net")

CANNOT_CONNECT_NOW, TOO_MANY_CONNECTIONS = "57P03", "53300"


class Database(driver.Database, Protocol):
    """A database as connections need it. `policy` None: `problem` says to clients why there is none. `server`:
    as a MySQL or MariaDB greeted the gate (net.mysql.greeting.Server); None before, and for PostgreSQL."""

    @property
    def settings(self) -> DatabaseSettings: ...
    @property
    def upstream(self) -> Upstream: ...
    @property
    def policy(self) -> Any: ...
    @property
    def problem(self) -> str: ...
    @property
    def server(self) -> Any: ...
    def opened(self, driver: Driver) -> None: ...
    def closed(self, driver: Driver) -> None: ...


@dataclass(frozen=True, slots=True)
class Pair:
    """The two connections of a session, and how it acts on what others run."""

    client: SetupStream
    upstream: SetupStream
    cancel: Callable[[Driver], None]
    closed: Callable[[], None]
    kill: Callable[[Driver, Kill], None] | None = None


class Sessions:
    """Those of one worker, of all its databases. `databases` is changed by a reload, in place."""

    def __init__(
        self, databases: dict[str, Any], recorder: LogRecorder, counters: Counters, *, most: int = 10_000
    ) -> None:
        self.databases: dict[str, Database] = databases
        self.counters, self._recorder, self._most = counters, recorder, most
        self.draining = False
        self.ids = EventIds()
        self.changed = asyncio.Event()  # the last session has ended
        self.tasks: set[asyncio.Task[None]] = set()
        self._drivers: set[Driver] = set()
        self._buffer = bytearray(driver.READ_SIZE)

    @property
    def drivers(self) -> frozenset[Driver]:
        return frozenset(self._drivers)

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """A task that drain waits for."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.counters.gate_errors += 1
            log_fault("a connection ended by a fault of the gate", fault)

    # ------------------------------------------------------------ logins

    def find(self, name: str) -> Database:
        """The database of a client that has proven itself. Raises LoginRefused."""
        if self.draining:
            raise LoginRefused(CANNOT_CONNECT_NOW, "the gate is shutting down")
        if len(self._drivers) >= self._most:
            raise LoginRefused(TOO_MANY_CONNECTIONS, "the gate has too many sessions")
        database = self.databases.get(name)
        if database is None:
            raise LoginRefused(UNKNOWN_DATABASE, "the database is no longer served")
        if database.policy is None:
            raise LoginRefused(CANNOT_CONNECT_NOW, f"the gate cannot serve this database now: {database.problem}")
        return database

    def count_refusal(self, reason: str) -> None:
        self.counters.refused[reason] += 1

    def record_refusal(self, refusal: LoginRefused, *, identity: str, role: str, database: str, address: str) -> None:
        self.count_refusal(refusal.sqlstate)
        event = LoginRefusedEvent(
            identity=identity,
            role=role,
            database=database,
            client_address=address,
            reason=refusal.message,
            sqlstate=refusal.sqlstate,
        )
        self._recorder.record_late([event])

    def upstream_failed(self, fault: UpstreamUnavailable, database: str) -> None:
        self.counters.upstream_errors += 1
        fields = {"database": database, "cause": fault.cause}
        log.warning("upstream unavailable", extra={"fields": fields})

    def record_start(self, event: SessionStarted) -> None:
        """Raises LoginRefused when the audit log takes nothing."""
        try:
            self._recorder.record([event])
        except AuditUnavailable:
            raise LoginRefused(CANNOT_CONNECT_NOW, "the gate's audit log takes nothing at the moment",
                               "try again later") from None  # fmt: skip

    def check_both(self, client: SetupStream, upstream: SetupStream, database: Database) -> None:
        """Right before the data path begins. Raises LoginRefused when somebody has gone meanwhile."""
        if client.ended or upstream.ended or self.draining or database.policy is None:
            raise LoginRefused(CANNOT_CONNECT_NOW, "the gate or the database behind it went away during login")

    # ------------------------------------------------------------ the data path

    def open(self, session: driver.Session, label: str, database: Database, pair: Pair) -> Driver:
        """The session's driver, which `begin` sets to work."""

        def closed(ended: Driver) -> None:
            pair.closed()
            self._ended(ended, database)

        return Driver(
            session,
            pair.client.transport,
            pair.upstream.transport,
            label=label,
            recorder=self._recorder,
            counters=self.counters,
            database=database,
            closed=closed,
            cancel=pair.cancel,
            kill=pair.kill,
        )

    def begin(self, opened: Driver, database: Database, client_early: bytes, upstream_early: bytes) -> None:
        """`early`: bytes that came with the logins' last ones."""
        self._drivers.add(opened)
        self.counters.sessions += 1
        self.counters.sessions_open += 1
        database.opened(opened)
        opened.start(self._buffer, client_early, upstream_early)

    def _ended(self, ended: Driver, database: Database) -> None:
        self._drivers.discard(ended)
        self.counters.sessions_open -= 1
        database.closed(ended)
        if not self._drivers:
            self.changed.set()
