"""MySQL's and MariaDB's end of a worker: greeting, login, upstream, session, KILL."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from dbgate.audit.events import SessionStarted
from dbgate.net import client_login, driver
from dbgate.net.client_login import peer_name
from dbgate.net.driver import Driver
from dbgate.net.mysql import greeting
from dbgate.net.mysql.client_login import Admission, Door, LoginRefused, Reception
from dbgate.net.mysql.greeting import Greeted
from dbgate.net.mysql.killing import Killer, Running, kill_upstream
from dbgate.net.mysql.settling import Ground, brand_of, settle
from dbgate.net.mysql.upstream import CANNOT_CONNECT, MysqlUnavailable, UpstreamConnection, connect
from dbgate.net.reaching import QueryFailed, UpstreamUnavailable
from dbgate.net.sessions import Database, Pair, Sessions
from dbgate.session.mysql.login import SessionLogin
from dbgate.session.outcome import Kill
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.replies import Ok

#: our own words for PostgreSQL's SQLSTATEs, in which the parts that both protocols share speak
_ERRORS = {
    client_login.UNKNOWN_DATABASE: (1049, "42000"),
    "53300": (1040, "08004"),
    "57P03": (CANNOT_CONNECT, "HY000"),
    "08004": (CANNOT_CONNECT, "08004"),
}
#: what the gate wants of a server whatever the client has: the default database and sql_mode as they change
WANTED = Capability.SESSION_TRACK
#: what clients call themselves, in order: libmysqlclient's programs, then what connectors send
_PROGRAM = ("program_name", "_client_name")

#: makes the session of a login under a policy
MakeSession = Callable[[SessionLogin, Any], driver.Session]


@dataclass(frozen=True, slots=True)
class Listening:
    """The end of one listener. `database`: the only one there; empty: those without a listener of their own."""

    end: MysqlEnd
    database: str = ""

    async def log_in(self, client: socket.socket) -> None:
        await self.end.log_in(client, self.database)


class MysqlEnd:
    """`door` is replaced by a reload; connections that are open keep what they have. Its databases and its version are
    filled in for each client."""

    def __init__(self, sessions: Sessions, door: Door, killer: Killer, make_session: MakeSession) -> None:
        self.door = door
        self._sessions, self._killer, self._make_session = sessions, killer, make_session

    def at(self, database: str = "") -> Listening:
        """The end of a listener that belongs to this database, or to all that have none of their own."""
        return Listening(self, database)

    async def log_in(self, client: socket.socket, database: str) -> None:
        greeted = greeting.of(self._sessions.databases, database)
        if isinstance(greeted, client_login.LoginRefused):
            self._sessions.count_refusal(greeted.sqlstate)
            await greeting.turn_away(client, greeted)
            return
        connection_id = self._killer.ids.issue()
        try:
            await self._receive(Reception(client, self._door(greeted, database), connection_id), greeted)
        except BaseException:
            self._killer.closed(connection_id)
            raise

    def _door(self, greeted: Greeted, database: str) -> Door:
        return replace(
            self.door,
            databases=greeted.databases,
            database=database,
            server_version=greeted.server_version,
            capabilities=greeted.capabilities,
        )

    async def _receive(self, reception: Reception, greeted: Greeted) -> None:
        admission: Admission | None = None
        try:
            admission = await reception.admit()
            await self._open_session(admission, reception.connection_id, greeted)
        except client_login.LoginRefused as refusal:
            told = _in_own_words(refusal)
            self._record_refusal(told, reception, admission)
            reception.refuse(told)
            self._killer.closed(reception.connection_id)
        except BaseException:
            if (stream := getattr(reception, "stream", None)) is not None:  # before, it closes the socket itself
                stream.transport.abort()
            raise

    def _record_refusal(self, refusal: LoginRefused, reception: Reception, admission: Admission | None) -> None:
        self._sessions.record_refusal(
            refusal,
            identity=admission.account.name if admission else refusal.user,
            role=admission.account.role if admission else "",
            database=admission.database if admission else refusal.database,
            address=peer_name(reception.stream.transport),
        )

    # ------------------------------------------------------------ the session

    async def _open_session(self, admission: Admission, connection_id: int, greeted: Greeted) -> None:
        database = self._sessions.find(admission.database)
        greeted.check(admission.database, database)
        try:
            upstream = await connect(
                database.upstream,
                admission.capabilities | WANTED,
                admission.response.character_set & 0xFF,
                schema_of(admission, database),
                admission.attributes,
            )
        except UpstreamUnavailable as fault:
            raise self._upstream_failed(fault, admission) from None
        try:
            ground = await self._settle(upstream, admission, database)
            self._join(admission, connection_id, database, upstream, ground)
        except BaseException:
            upstream.close()
            raise

    async def _settle(self, upstream: UpstreamConnection, admission: Admission, database: Database) -> Ground:
        limits = database.policy.view(admission.account.role).limits
        try:
            async with asyncio.timeout(database.upstream.connect_timeout):
                return await settle(upstream, admission.charset.name, limits)
        except (QueryFailed, TimeoutError) as fault:
            cause = str(fault) or "no answer in time"
            unavailable = UpstreamUnavailable("08006", "the database behind the gate answers no questions", cause)
            raise self._upstream_failed(unavailable, admission) from None
        except UpstreamUnavailable as fault:
            raise self._upstream_failed(fault, admission) from None

    def _upstream_failed(self, fault: UpstreamUnavailable, admission: Admission) -> LoginRefused:
        self._sessions.upstream_failed(fault, admission.database)
        if isinstance(fault, MysqlUnavailable):
            return LoginRefused(fault.errno, fault.sqlstate, fault.message)
        return LoginRefused(CANNOT_CONNECT, "HY000", fault.message)

    def _join(
        self, admission: Admission, connection_id: int, database: Database, upstream: UpstreamConnection, ground: Ground
    ) -> None:
        """From here on nothing is awaited: the data path begins with the client's first byte."""
        self._sessions.check_both(admission.stream, upstream.stream, database)
        login = self._session_login(admission, connection_id, upstream, ground)
        self._sessions.record_start(_started(login, admission))
        session = self._make_session(login, database.policy)
        pair = Pair(
            admission.stream,
            upstream.stream,
            cancel=lambda asking: self._sessions.start(self._cancel_for(asking, upstream)),
            closed=lambda: self._killer.closed(connection_id),
            kill=lambda asking, wish: self._sessions.start(self._kill_for(asking, login.identity, wish)),
        )
        opened = self._sessions.open(session, login.session, database, pair)
        self._killer.opened(connection_id, Running(login.identity, opened, upstream))
        admission.login.accept(Ok(status=upstream.status & ~StatusFlag.SESSION_STATE_CHANGED))
        admission.stream.write(admission.login.to_send())
        client_early = admission.login.take_rest() + admission.stream.take()
        self._sessions.begin(opened, database, client_early, upstream.early + upstream.stream.take())

    def _session_login(
        self, admission: Admission, connection_id: int, upstream: UpstreamConnection, ground: Ground
    ) -> SessionLogin:
        account = admission.account
        return SessionLogin(
            session=self._sessions.ids.next(),
            identity=account.name,
            role=account.role,
            database=admission.database,
            job=account.job or program_of(admission),
            job_verified=bool(account.job),
            default_database=ground.database,
            client=admission.capabilities,
            upstream=upstream.capabilities,
            brand=brand_of(upstream),
            server_version=ground.version,
            connection_id=connection_id,
            charset=admission.charset.name,
        )

    # ------------------------------------------------------------ wishes of sessions

    async def _cancel_for(self, asking: Driver, upstream: UpstreamConnection) -> None:
        certain = await kill_upstream(upstream, query_only=True)
        if not asking.closed:
            asking.cancelled(certain)

    async def _kill_for(self, asking: Driver, identity: str, wish: Kill) -> None:
        found = await self._killer.kill(identity, wish.connection_id, query_only=wish.query_only)
        self._sessions.counters.cancels += found
        if not asking.closed:
            asking.killed(found)


def schema_of(admission: Admission, database: Database) -> str:
    """The server's name of the default database that the client asks for; empty for none."""
    return database.upstream.database if admission.schema == admission.database else admission.schema


def program_of(admission: Admission) -> str:
    return next((name for key in _PROGRAM if (name := admission.attributes.get(key))), "")


def _in_own_words(refusal: client_login.LoginRefused) -> LoginRefused:
    if isinstance(refusal, LoginRefused):
        return refusal
    errno, sqlstate = _ERRORS[refusal.sqlstate]
    told = LoginRefused(errno, sqlstate, refusal.message, refusal.hint)
    told.user, told.database = refusal.user, refusal.database
    return told


def _started(login: SessionLogin, admission: Admission) -> SessionStarted:
    return SessionStarted(
        protocol="mysql",
        session=login.session,
        job=login.job,
        job_verified=login.job_verified,
        identity=login.identity,
        role=login.role,
        database=login.database,
        client_address=peer_name(admission.stream.transport),
        application_name=program_of(admission),
        tls=admission.tls,
        authentication=admission.authentication,
    )
