"""PostgreSQL's end of a worker: login, upstream, session, and the cancel requests that come on connections of their
own."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dbgate.audit.events import SessionStarted
from dbgate.net import driver
from dbgate.net.accepting import open_client
from dbgate.net.cancel import CancelKeys, hand_on, worker_of
from dbgate.net.client_login import Admission, Door, LoginRefused, Reception, peer_name
from dbgate.net.driver import Driver
from dbgate.net.queries import QueryFailed, run_query
from dbgate.net.reaching import UpstreamUnavailable
from dbgate.net.sessions import CANNOT_CONNECT_NOW, Database, Pair, Sessions
from dbgate.net.startup import with_time_limit
from dbgate.net.upstream import UpstreamConnection, connect, send_cancel
from dbgate.session.postgres.login import SessionLogin
from dbgate.session.postgres.redacted import TextStyle, style_of
from dbgate.settings.model import Protocol
from protocols.postgres import startup
from protocols.postgres.backend import BackendKeyData, ParameterStatus, ReadyForQuery, TransactionStatus
from protocols.postgres.server_login import CancelRequested

SEARCH_PATH = "SELECT pg_catalog.unnest(pg_catalog.current_schemas(true))"

#: makes the session of a login under a policy
MakeSession = Callable[[SessionLogin, Any], driver.Session]


class PostgresEnd:
    """`door` is replaced by a reload; connections that are open keep what they have. `number`: the worker's."""

    def __init__(
        self, sessions: Sessions, door: Door, *, number: int, directory: Path, make_session: MakeSession
    ) -> None:
        self.door = door
        self._sessions, self._directory, self._make_session = sessions, directory, make_session
        self._keys: CancelKeys[UpstreamConnection] = CancelKeys(number)

    async def log_in(self, client: socket.socket) -> None:
        door = self._current_door()
        stream, tls = await open_client(client, door)
        try:
            await self._receive(Reception(stream, door, tls=tls))
        except BaseException:
            stream.transport.abort()
            raise

    def _current_door(self) -> Door:
        databases = self._sessions.databases.items()
        names = frozenset(name for name, each in databases if each.settings.protocol is Protocol.POSTGRESQL)
        return replace(self.door, databases=names)

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
        self._sessions.record_refusal(
            refusal,
            identity=admission.account.name if admission else refusal.user,
            role=admission.account.role if admission else "",
            database=admission.startup.database if admission else refusal.database,
            address=peer_name(reception.stream.transport),
        )

    # ------------------------------------------------------------ the session

    async def _open_session(self, admission: Admission) -> None:
        database = self._sessions.find(admission.startup.database)
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

    def _upstream_failed(self, fault: UpstreamUnavailable, admission: Admission) -> LoginRefused:
        self._sessions.upstream_failed(fault, admission.startup.database)
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
        self._sessions.check_both(admission.stream, upstream.stream, database)
        login = self._session_login(admission, path, style_of(upstream.parameters))
        self._sessions.record_start(_started(login, admission))
        session = self._make_session(login, database.policy)
        process_id, key = self._keys.issue(upstream, long=admission.startup.protocol >= startup.VERSION_3_2)
        pair = Pair(
            admission.stream,
            upstream.stream,
            cancel=lambda ended: self._sessions.start(self._cancel_for(ended, upstream)),
            closed=lambda: self._keys.forget(process_id),
        )
        opened = self._sessions.open(session, login.session, database, pair)
        _greet(admission, upstream, BackendKeyData(process_id, key))
        client_early = admission.login.rest + admission.stream.take()
        self._sessions.begin(opened, database, client_early, upstream.early + upstream.stream.take())

    def _session_login(self, admission: Admission, path: tuple[str, ...], style: TextStyle) -> SessionLogin:
        account, asked = admission.account, admission.startup
        return SessionLogin(
            session=self._sessions.ids.next(),
            identity=account.name,
            role=account.role,
            database=asked.database,
            job=account.job or admission.parameters.get("application_name", ""),
            job_verified=bool(account.job),
            search_path=path,
            protocol=asked.protocol,
            style=style,
        )

    # ------------------------------------------------------------ cancel

    async def _cancel(self, request: CancelRequested) -> None:
        if worker_of(request.process_id) == self._keys.worker:
            await self._cancel_here(request.process_id, request.secret_key)
        else:
            hand_on(self._directory, request.process_id, request.secret_key)

    async def _cancel_here(self, process_id: int, key: bytes) -> None:
        upstream = self._keys.find(process_id, key)
        if upstream is not None:
            self._sessions.counters.cancels += 1
            await send_cancel(upstream)

    async def _cancel_for(self, pair: Driver, upstream: UpstreamConnection) -> None:
        """A session's own wish."""
        certain = await send_cancel(upstream)
        if not pair.closed:
            pair.cancelled(certain)

    def cancel_received(self, process_id: int, key: bytes) -> None:
        """A request that another worker handed on."""
        self._sessions.start(self._cancel_here(process_id, key))


def _started(login: SessionLogin, admission: Admission) -> SessionStarted:
    return SessionStarted(
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


def _greet(admission: Admission, upstream: UpstreamConnection, key: BackendKeyData) -> None:
    """Everything between the login and the first query, in one write."""
    admission.login.accept()
    statuses = [ParameterStatus(name, value).encode() for name, value in upstream.parameters.items()]
    ready = ReadyForQuery(TransactionStatus.IDLE).encode()
    admission.stream.write(b"".join((admission.login.to_send(), *statuses, key.encode(), ready)))
