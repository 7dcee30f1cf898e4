"""A client's way in: TLS, who it is, which database it may open. What it sees is what a PostgreSQL server shows."""

from __future__ import annotations

import asyncio
import ipaddress
import secrets
import ssl
from dataclasses import dataclass, field
from typing import Any, NoReturn

from dbgate.identity.users import Account, Users
from dbgate.net.setup_stream import ConnectionEnded, SetupStream
from dbgate.net.startup import StartupRefused, read_parameters
from dbgate.net.tls import ServerTls
from dbgate.settings.model import Authentication
from protocols.errors import PeerError
from protocols.postgres.diagnostics import error
from protocols.postgres.server_login import (
    CancelRequested,
    Event,
    PasswordReceived,
    ScramFinished,
    ServerLogin,
    StartupReceived,
    TlsRequested,
)

UNAUTHORIZED, WRONG_PASSWORD, UNKNOWN_DATABASE = "28000", "28P01", "3D000"
#: seconds for a TLS handshake; the whole login has its own limit
HANDSHAKE_TIME = 30.0


class LoginRefused(Exception):  # noqa: N818
    """The client is told; `user` and `database` are what it asked for, as far as known."""

    def __init__(self, sqlstate: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.sqlstate, self.message, self.hint = sqlstate, message, hint
        self.user = self.database = ""


@dataclass(frozen=True, slots=True)
class Door:
    """What is the same for every client; a reload puts another one in its place. `databases`: their names."""

    users: Users
    databases: frozenset[str]
    tls: ServerTls | None = None
    tls_required: bool = False


@dataclass(slots=True)
class Admission:
    """A client that has proven who it is. `login` waits for accept() or refuse()."""

    stream: SetupStream
    login: ServerLogin = field(repr=False)
    account: Account
    startup: StartupReceived
    parameters: dict[str, str]
    authentication: str
    tls: str


class Reception:
    """One client's login."""

    def __init__(self, stream: SetupStream, door: Door, *, tls: bool = False) -> None:
        """`tls`: the client began with TLS, and the handshake is done."""
        self.stream, self.door = stream, door
        self.login = ServerLogin(tls)

    async def admit(self) -> Admission | CancelRequested:
        """Raises LoginRefused (see `refuse`), ConnectionEnded, or what a TLS handshake raises."""
        try:
            return await self._admit()
        except PeerError as fault:
            raise LoginRefused(fault.sqlstate, fault.message, fault.hint) from None

    async def _admit(self) -> Admission | CancelRequested:
        event = await self._next()
        while isinstance(event, TlsRequested):
            await self._answer_tls()
            event = await self._next()
        if isinstance(event, CancelRequested):
            return event
        assert isinstance(event, StartupReceived)
        try:
            return await self._prove(event)
        except (LoginRefused, PeerError) as fault:
            raise _named(fault, event) from None

    async def _prove(self, startup: StartupReceived) -> Admission:
        self._check_privacy()
        parameters = self._check_startup(startup)
        account = self.door.users.find(startup.user)
        authentication = await self._authenticate(account)
        self._check_database(account, startup)
        return Admission(self.stream, self.login, account, startup, parameters, authentication, self._tls_name())

    def refuse(self, refusal: LoginRefused) -> None:
        """Tells the client and closes."""
        text = error("FATAL", refusal.sqlstate, refusal.message, hint=refusal.hint)
        self.login.refuse(text)
        self.stream.write(self.login.to_send())
        self.stream.transport.close()

    # ------------------------------------------------------------ the steps

    async def _next(self) -> Event:
        while True:
            event = self.login.next_event()
            self.stream.write(self.login.to_send())
            if event is not None:
                return event
            self.login.receive(await self.stream.read())

    async def _answer_tls(self) -> None:
        if self.door.tls is None:
            self.login.decline_tls()
            return
        if self.stream.unread:
            raise PeerError("received unencrypted data after SSL request")
        self.login.accept_tls()
        self.stream.write(self.login.to_send())
        # nothing may be awaited between the answer and the handshake: a byte read now would be one sent in clear
        await self.stream.start_tls(self.door.tls.context, server=True, name=None, limit=HANDSHAKE_TIME)

    def _check_privacy(self) -> None:
        if self.door.tls_required and not self.login.tls and not is_local(self.stream.transport):
            raise LoginRefused(UNAUTHORIZED, "dbgate accepts only TLS connections", "connect with sslmode=require")

    def _check_startup(self, startup: StartupReceived) -> dict[str, str]:
        if startup.replication:
            raise LoginRefused("0A000", "dbgate does not pass replication connections",
                               "connect without the replication parameter")  # fmt: skip
        try:
            return read_parameters(startup.parameters, startup.options)
        except StartupRefused as fault:
            raise LoginRefused(fault.sqlstate, fault.message, fault.hint) from None

    def _check_database(self, account: Account, startup: StartupReceived) -> None:
        name = startup.database
        if name not in self.door.databases:
            raise LoginRefused(UNKNOWN_DATABASE, f'database "{name}" does not exist',
                               "the gate's settings name the databases it serves")  # fmt: skip
        if not account.may_open(name):
            raise LoginRefused(UNAUTHORIZED, f'user "{account.name}" may not open database "{name}"',
                               f"ask for it to be added to users.{account.name}.databases")  # fmt: skip

    async def _authenticate(self, account: Account) -> str:
        if account.authentication is Authentication.PASSWORD:
            return await self._by_password(account)
        binding = self.door.tls.binding if self.login.tls and self.door.tls is not None else None
        self.login.begin_scram(account.verifier, secrets.token_urlsafe(18), binding, account.doomed)
        finished = await self._next()
        assert isinstance(finished, ScramFinished)
        if not finished.ok:
            _wrong_password(account)
        return "scram-sha-256"

    async def _by_password(self, account: Account) -> str:
        if not self.login.tls and not is_local(self.stream.transport):
            raise LoginRefused(UNAUTHORIZED, "this user's password may only come through TLS",
                               "connect with sslmode=require")  # fmt: skip
        self.login.request_password()
        given = await self._next()
        assert isinstance(given, PasswordReceived)
        if account.doomed or not await asyncio.to_thread(account.verifier.matches, given.password):
            _wrong_password(account)
        return "password"

    def _tls_name(self) -> str:
        tls: Any = self.stream.transport.get_extra_info("ssl_object")
        return f"{tls.version()} {tls.cipher()[0]}" if tls is not None else ""


def _wrong_password(account: Account) -> NoReturn:
    raise LoginRefused(WRONG_PASSWORD, f'password authentication failed for user "{account.name}"')


def _named(fault: LoginRefused | PeerError, startup: StartupReceived) -> LoginRefused:
    refusal = LoginRefused(fault.sqlstate, fault.message, fault.hint)
    refusal.user, refusal.database = startup.user, startup.database
    return refusal


def is_local(transport: asyncio.Transport) -> bool:
    """Whether the peer is on this machine: a unix socket or loopback."""
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple) or not peer:
        return True  # a unix socket's peer has no name
    try:
        return ipaddress.ip_address(peer[0]).is_loopback
    except ValueError:
        return False


def peer_name(transport: asyncio.Transport) -> str:
    peer = transport.get_extra_info("peername")
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) and peer else "unix"


#: what may end a login without a word from us
ENDINGS = (ConnectionEnded, ssl.SSLError, OSError)
