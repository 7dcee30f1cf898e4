"""One worker's connections, from accept to the end: login, upstream, session, driver, cancel."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol

from dbgate.audit.events import LoginRefused as LoginRefusedEvent
from dbgate.audit.events import SessionStarted
from dbgate.audit.ids import EventIds
from dbgate.audit.log import AuditUnavailable
from dbgate.net import client_login, driver
from dbgate.net.accepting import open_client
from dbgate.net.cancel import CancelKeys, hand_on, worker_of
from dbgate.net.client_login import Admission, Door, LoginRefused, Reception, peer_name
from dbgate.net.counters import Counters
from dbgate.net.driver import Driver, log_fault
from dbgate.net.queries import QueryFailed, run_query
from dbgate.net.reaching import UpstreamUnavailable
from dbgate.net.recording import LogRecorder
from dbgate.net.startup import with_time_limit
from dbgate.net.upstream import UpstreamConnection, connect, send_cancel
from dbgate.session.postgres.login import SessionLogin
from dbgate.session.postgres.redacted import TextStyle, style_of
from dbgate.settings.model import Upstream
from protocols.postgres import startup
from protocols.postgres.backend import BackendKeyData, ParameterStatus, ReadyForQuery, TransactionStatus
from protocols.postgres.server_login import CancelRequested

log = logging.getLogger("dbgate.net")

CANNOT_CONNECT_NOW, TOO_MANY_CONNECTIONS, ADMIN_SHUTDOWN = "57P03", "53300", "57P01"
SEARCH_PATH = "SELECT pg_catalog.unnest(pg_catalog.current_schemas(true))"
#: seconds to wait after accept() failed for want of descriptors or memory
ACCEPT_PAUSE = 0.05
#: seconds for the last bytes to leave before the loop ends
LAST_WORDS = 0.1


class Database(driver.Database, Protocol):
    """A database as connections need it. `policy` None: `problem` says to clients why there is none."""

    @property
    def upstream(self) -> Upstream: ...
    @property
    def policy(self) -> Any: ...
    @property
    def problem(self) -> str: ...
    def opened(self, driver: Driver) -> None: ...
    def closed(self, driver: Driver) -> None: ...


#: makes the session of a login under a policy
MakeSession = Callable[[SessionLogin, Any], driver.Session]


class Gateway:
    """`databases` and `door` are replaced by a reload; connections that are open keep what they have."""

    def __init__(
        self,
        *,
        number: int,
        directory: Path,
        door: Door,
        databases: dict[str, Any],
        make_session: MakeSession,
        recorder: LogRecorder,
        counters: Counters,
        authentication_timeout: float = 60.0,
        half_open: int = 200,
        connections: int = 10_000,
    ) -> None:
        self.door = door
        self.databases: dict[str, Database] = databases
        self.counters = counters
        self.draining = False
        self._directory = directory
        self._make_session = make_session
        self._recorder = recorder
        self._timeout, self._half_open, self._connections = authentication_timeout, half_open, connections
        self._keys: CancelKeys[UpstreamConnection] = CancelKeys(number)
        self._ids = EventIds()
        self._tasks: set[asyncio.Task[None]] = set()
        self._logins = 0
        self._drivers: set[Driver] = set()
        self._buffer = bytearray(driver.READ_SIZE)
        self._listeners: set[asyncio.Task[None]] = set()
        self._done = asyncio.Event()

    @property
    def drivers(self) -> frozenset[Driver]:
        return frozenset(self._drivers)

    # ------------------------------------------------------------ listening

    def listen(self, listeners: Iterable[socket.socket]) -> None:
        """Accepts connections on sockets that listen already."""
        for listener in listeners:
            listener.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._accept(listener))
            self._listeners.add(task)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except ConnectionAbortedError:
                continue
            except OSError as fault:
                log.warning("accept failed", extra={"fields": {"fault": fault.strerror or type(fault).__name__}})
                await asyncio.sleep(ACCEPT_PAUSE)
                continue
            self._start(self._serve(client))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (fault := task.exception()) is not None:
            self.counters.gate_errors += 1
            log_fault("a connection ended by a fault of the gate", fault)

    # ------------------------------------------------------------ one client

    async def _serve(self, client: socket.socket) -> None:
        self.counters.connections += 1
        self._logins += 1
        try:
            if self._logins > self._half_open:
                log.warning("too many connections are logging in", extra={"fields": {"limit": self._half_open}})
                client.close()
                return
            async with asyncio.timeout(self._timeout):
                await self._log_in(client)
        except TimeoutError:
            self._count_refusal("timeout")
        except client_login.ENDINGS:
            self._count_refusal("ended")
        finally:
            self._logins -= 1

    def _count_refusal(self, reason: str) -> None:
        self.counters.refused[reason] += 1

    async def _log_in(self, client: socket.socket) -> None:
        stream, tls = await open_client(client, self.door)
        try:
            await self._receive(Reception(stream, self.door, tls=tls))
        except BaseException:
            stream.transport.abort()
            raise

    async def _receive(self, reception: Reception) -> None:
        admission: Admission | None = None
        try:
            event = await reception.admit()
            if isinstance(event, CancelRequested):
                await self._cancel(event)
                reception.stream.transport.close()
                return
            admission = event
            await self._open_session(admission)
        except LoginRefused as refusal:
            self._record_refusal(refusal, reception, admission)
            reception.refuse(refusal)

    def _record_refusal(self, refusal: LoginRefused, reception: Reception, admission: Admission | None) -> None:
        self._count_refusal(refusal.sqlstate)
        user = admission.account.name if admission else refusal.user
        database = admission.startup.database if admission else refusal.database
        event = LoginRefusedEvent(
            identity=user,
            role=admission.account.role if admission else "",
            database=database,
            client_address=peer_name(reception.stream.transport),
            reason=refusal.message,
            sqlstate=refusal.sqlstate,
        )
        self._recorder.record_late([event])

    # ------------------------------------------------------------ the session

    async def _open_session(self, admission: Admission) -> None:
        database = self._database(admission)
        try:
            parameters = with_time_limit(admission.parameters, database.policy.view(admission.account.role).limits)
            upstream = await connect(database.upstream, parameters)
        except UpstreamUnavailable as fault:
            raise self._upstream_failed(fault, admission) from None
        try:
            path = await self._settle(upstream, admission)
            self._join(admission, database, upstream, path)
        except BaseException:
            upstream.close()
            raise

    def _database(self, admission: Admission) -> Database:
        if self.draining:
            raise LoginRefused(CANNOT_CONNECT_NOW, "the gate is shutting down")
        if len(self._drivers) >= self._connections:
            raise LoginRefused(TOO_MANY_CONNECTIONS, "the gate has too many sessions")
        database = self.databases.get(admission.startup.database)
        if database is None:
            raise LoginRefused(client_login.UNKNOWN_DATABASE, "the database is no longer served")
        if database.policy is None:
            raise LoginRefused(CANNOT_CONNECT_NOW, f"the gate cannot serve this database now: {database.problem}")
        return database

    def _upstream_failed(self, fault: UpstreamUnavailable, admission: Admission) -> LoginRefused:
        self.counters.upstream_errors += 1
        fields = {"database": admission.startup.database, "cause": fault.cause}
        log.warning("upstream unavailable", extra={"fields": fields})
        return LoginRefused(fault.sqlstate, fault.message)

    async def _settle(self, upstream: UpstreamConnection, admission: Admission) -> tuple[str, ...]:
        """What the session has to know of the server before its first statement: the effective search path."""
        encoding = upstream.parameters.get("client_encoding"), upstream.parameters.get("standard_conforming_strings")
        if encoding != ("UTF8", "on"):
            raise LoginRefused(CANNOT_CONNECT_NOW, "the database behind the gate does not read statements as UTF-8 "
                               "with standard_conforming_strings")  # fmt: skip
        try:
            rows = await run_query(upstream, SEARCH_PATH)
        except QueryFailed as fault:
            unavailable = UpstreamUnavailable("08006", "the database behind the gate answers no questions", str(fault))
            raise self._upstream_failed(unavailable, admission) from None
        except UpstreamUnavailable as fault:
            raise self._upstream_failed(fault, admission) from None
        return tuple(row[0] for row in rows if row[0] is not None)

    def _join(
        self, admission: Admission, database: Database, upstream: UpstreamConnection, path: tuple[str, ...]
    ) -> None:
        """From here on nothing is awaited: the data path begins with the client's first byte."""
        if admission.stream.ended or upstream.stream.ended or self.draining or database.policy is None:
            raise LoginRefused(CANNOT_CONNECT_NOW, "the gate or the database behind it went away during login")
        login = self._session_login(admission, path, style_of(upstream.parameters))
        self._record_start(login, admission)
        session = self._make_session(login, database.policy)
        process_id, key = self._keys.issue(upstream, long=admission.startup.protocol >= startup.VERSION_3_2)

        def closed(ended: Driver) -> None:
            self._keys.forget(process_id)
            self._ended(ended, database)

        pair = Driver(
            session,
            admission.stream.transport,
            upstream.stream.transport,
            label=login.session,
            recorder=self._recorder,
            counters=self.counters,
            database=database,
            closed=closed,
            cancel=lambda ended: self._start(self._cancel_for(ended, upstream)),
        )
        self._greet(admission, upstream, BackendKeyData(process_id, key))
        self._drivers.add(pair)
        self.counters.sessions += 1
        self.counters.sessions_open += 1
        database.opened(pair)
        client_early = admission.login.rest + admission.stream.take()
        pair.start(self._buffer, client_early, upstream.early + upstream.stream.take())

    def _session_login(self, admission: Admission, path: tuple[str, ...], style: TextStyle) -> SessionLogin:
        account, asked = admission.account, admission.startup
        return SessionLogin(
            session=self._ids.next(),
            identity=account.name,
            role=account.role,
            database=asked.database,
            job=account.job or admission.parameters.get("application_name", ""),
            job_verified=bool(account.job),
            search_path=path,
            protocol=asked.protocol,
            style=style,
        )

    def _record_start(self, login: SessionLogin, admission: Admission) -> None:
        event = SessionStarted(
            session=login.session,
            job=login.job,
            job_verified=login.job_verified,
            identity=login.identity,
            role=login.role,
            database=login.database,
            client_address=peer_name(admission.stream.transport),
            application_name=admission.parameters.get("application_name", ""),
            tls=admission.tls,
            authentication=admission.authentication,
        )
        try:
            self._recorder.record([event])
        except AuditUnavailable:
            raise LoginRefused(CANNOT_CONNECT_NOW, "the gate's audit log takes nothing at the moment",
                               "try again later") from None  # fmt: skip

    def _greet(self, admission: Admission, upstream: UpstreamConnection, key: BackendKeyData) -> None:
        """Everything between the login and the first query, in one write."""
        admission.login.accept()
        statuses = [ParameterStatus(name, value).encode() for name, value in upstream.parameters.items()]
        ready = ReadyForQuery(TransactionStatus.IDLE).encode()
        admission.stream.write(b"".join((admission.login.to_send(), *statuses, key.encode(), ready)))

    def _ended(self, ended: Driver, database: Database) -> None:
        self._drivers.discard(ended)
        self.counters.sessions_open -= 1
        database.closed(ended)
        if not self._drivers:
            self._done.set()

    # ------------------------------------------------------------ cancel

    async def _cancel(self, request: CancelRequested) -> None:
        if worker_of(request.process_id) == self._keys.worker:
            await self._cancel_here(request.process_id, request.secret_key)
        else:
            hand_on(self._directory, request.process_id, request.secret_key)

    async def _cancel_here(self, process_id: int, key: bytes) -> None:
        upstream = self._keys.find(process_id, key)
        if upstream is not None:
            self.counters.cancels += 1
            await send_cancel(upstream)

    async def _cancel_for(self, pair: Driver, upstream: UpstreamConnection) -> None:
        """A session's own wish."""
        certain = await send_cancel(upstream)
        if not pair.closed:
            pair.cancelled(certain)

    def cancel_received(self, process_id: int, key: bytes) -> None:
        """A request that another worker handed on."""
        self._start(self._cancel_here(process_id, key))

    # ------------------------------------------------------------ the end

    async def drain(self, patience: float) -> None:
        """No new sessions; idle ones end now, the others when their transaction does, the rest after `patience`
        seconds. Returns when all are gone."""
        self.draining = True
        await self._stop_listening()
        for pair in self.drivers:
            pair.drain("terminating connection: the gate is shutting down")
        deadline = time.monotonic() + patience
        while (self._drivers or self._tasks) and (left := deadline - time.monotonic()) > 0:
            self._done.clear()
            try:
                await asyncio.wait_for(self._done.wait(), min(left, 0.1))
            except TimeoutError:
                continue
        for pair in self.drivers:
            pair.terminate(ADMIN_SHUTDOWN, "terminating connection: the gate is shutting down")
        await _cancel_all(self._tasks)
        await asyncio.sleep(LAST_WORDS)

    async def _stop_listening(self) -> None:
        await _cancel_all(self._listeners)
        self._listeners.clear()


async def _cancel_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
