"""A client's way in: TLS, who it is, which database it may open. What it sees is what a MySQL server shows."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dbgate.identity.passwords import PasswordMemory
from dbgate.identity.users import Account, Users
from dbgate.net import client_login
from dbgate.net.client_login import HANDSHAKE_TIME, is_local
from dbgate.net.mysql.keys import RsaKeys
from dbgate.net.setup_stream import ConnectionEnded, SetupStream
from dbgate.net.tls import ServerTls
from protocols.errors import PeerError
from protocols.mysql import charsets, packets
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.charsets import Charset
from protocols.mysql.handshake import (
    BAD_HANDSHAKE,
    NONCE_SIZE,
    NOT_SUPPORTED_AUTH_MODE,
    Brand,
    Handshake,
    HandshakeResponse41,
    brand_of,
)
from protocols.mysql.replies import error, fatal
from protocols.mysql.server_login import (
    MAX_LENGTH,
    Event,
    KeyRequested,
    Known,
    PasswordReceived,
    Proven,
    ResponseReceived,
    ServerLogin,
    TlsRequested,
)

ACCESS_DENIED, NO_SUCH_ACCESS, UNKNOWN_DATABASE, NO_DATABASE = 1045, 1044, 1049, 1046
UNKNOWN_CHARSET, INSECURE_TRANSPORT = 1115, 3159

#: characters of an error that clients have room for (MYSQL_ERRMSG_SIZE); it may quote a name of any length
LONGEST_MESSAGE = 500

#: what the gate can do, TLS left aside. Not there: compression, local files, MariaDB's own protocol extensions
OFFERED = (
    Capability.LONG_PASSWORD
    | Capability.FOUND_ROWS
    | Capability.LONG_FLAG
    | Capability.CONNECT_WITH_DB
    | Capability.NO_SCHEMA
    | Capability.ODBC
    | Capability.PROTOCOL_41
    | Capability.INTERACTIVE
    | Capability.IGNORE_SIGPIPE
    | Capability.TRANSACTIONS
    | Capability.RESERVED
    | Capability.SECURE_CONNECTION
    | Capability.MULTI_STATEMENTS
    | Capability.MULTI_RESULTS
    | Capability.PS_MULTI_RESULTS
    | Capability.PLUGIN_AUTH
    | Capability.CONNECT_ATTRS
    | Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA
    | Capability.SESSION_TRACK
    | Capability.DEPRECATE_EOF
    | Capability.QUERY_ATTRIBUTES
)
#: what the gate has even where the server behind it has not: it is between client and gate alone, or translated
ALWAYS_OFFERED = (
    Capability.LONG_PASSWORD
    | Capability.CONNECT_WITH_DB
    | Capability.PROTOCOL_41
    | Capability.SECURE_CONNECTION
    | Capability.PLUGIN_AUTH
    | Capability.CONNECT_ATTRS
    | Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA
    | Capability.DEPRECATE_EOF
)
#: the collation that a greeting names: utf8mb4's usual one of each brand
_COLLATION = {Brand.MYSQL: 255, Brand.MARIADB: 45}


class LoginRefused(client_login.LoginRefused):
    """As PostgreSQL's, with MySQL's error number."""

    def __init__(self, errno: int, sqlstate: str, message: str, hint: str = "") -> None:
        super().__init__(sqlstate, message, hint)
        self.errno = errno


@dataclass(frozen=True, slots=True)
class Door:
    """What is the same for every client of one listener; a reload puts another one in its place.

    `databases`: the names of those that speak MySQL. `database`: the one that the listener belongs to, if it belongs
    to one. `capabilities`: of the server behind; the gate offers no others that are the server's to have.
    `server_version`: what the greeting says, from which clients also tell MySQL and MariaDB apart. `passwords`
    and `keys` outlive a reload."""

    users: Users
    databases: frozenset[str]
    passwords: PasswordMemory
    keys: RsaKeys
    server_version: str
    tls: ServerTls | None = None
    tls_required: bool = False
    database: str = ""
    capabilities: Capability = OFFERED


@dataclass(slots=True)
class Admission:
    """A client that has proven who it is. `login` waits for accept() or refuse().

    `database`: the gate's name of it. `schema`: what the client wants as default database, empty for none; the gate's
    own name stands for the upstream's configured one, another can only be there at a listener of one database.
    `capabilities`: what client and gate agreed on."""

    stream: SetupStream
    login: ServerLogin = field(repr=False)
    account: Account
    response: HandshakeResponse41
    capabilities: Capability
    attributes: Mapping[str, str]
    charset: Charset
    database: str
    schema: str
    tls: str
    authentication: str


class Reception:
    """One client's login. The greeting goes out on the bare socket, and exactly one packet is read from it: a client
    that wants TLS begins with it at once, and not a byte of that may be taken for ours."""

    stream: SetupStream

    def __init__(self, client: socket.socket, door: Door, connection_id: int) -> None:
        """`client`: just accepted; it belongs to us from here on. `connection_id`: the gate's own for this client."""
        self.door = door
        self.connection_id = connection_id
        self.peer = _host(client)
        self._client = client
        self._bare = True
        self.login = ServerLogin(_greeting(door, connection_id), private=client.family == socket.AF_UNIX)

    async def admit(self) -> Admission:
        """Raises LoginRefused (see `refuse`), ConnectionEnded, or what a TLS handshake raises. When it raises anything
        but LoginRefused, the connection is closed."""
        try:
            return await self._admit()
        except PeerError as fault:
            raise _broken(fault) from None
        except LoginRefused:
            raise
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Closes without a word."""
        if self._bare:
            self._client.close()
        elif hasattr(self, "stream"):
            self.stream.transport.abort()

    def refuse(self, refusal: client_login.LoginRefused) -> None:
        """Tells the client and closes."""
        errno = getattr(refusal, "errno", BAD_HANDSHAKE)
        text = f"{refusal.message}; {refusal.hint}" if refusal.hint else refusal.message
        self.login.refuse(error(errno, refusal.sqlstate, text[:LONGEST_MESSAGE]))
        self.stream.write(self.login.to_send())
        self.stream.transport.close()

    # ------------------------------------------------------------ the steps

    async def _admit(self) -> Admission:
        event = await self._first()
        if isinstance(event, TlsRequested):
            event = await self._next()
        assert isinstance(event, ResponseReceived)
        try:
            return await self._prove(event.response)
        except (LoginRefused, PeerError) as fault:
            raise _named(fault, event.response) from None

    async def _first(self) -> Event:
        """The first packet's event; from then on there is a stream, inside TLS when the client asked for that."""
        loop = asyncio.get_running_loop()
        stream = SetupStream()  # not what the loop returns: with TLS, uvloop returns its own protocol
        event, fault = await self._read_first()
        context = self.door.tls.context if isinstance(event, TlsRequested) and self.door.tls is not None else None
        limit = HANDSHAKE_TIME if context is not None else None
        self._bare = False  # from here on the socket belongs to its transport
        await loop.connect_accepted_socket(lambda: stream, self._client, ssl=context, ssl_handshake_timeout=limit)
        self.stream = stream
        if fault is not None:
            raise fault
        assert event is not None
        if isinstance(event, TlsRequested):
            self.login.tls_started()
        return event

    async def _read_first(self) -> tuple[Event | None, PeerError | None]:
        """A fault is handed back instead of raised: it has to be told to the client, and that takes the stream."""
        loop = asyncio.get_running_loop()
        self._client.setblocking(False)
        await loop.sock_sendall(self._client, self.login.to_send())
        try:
            self.login.receive(await _one_packet(self._client))
            return self.login.next_event(), None
        except PeerError as fault:
            return None, fault

    async def _next(self) -> Event:
        while True:
            event = self.login.next_event()
            self.stream.write(self.login.to_send())
            if event is not None:
                return event
            self.login.receive(await self.stream.read())

    async def _prove(self, response: HandshakeResponse41) -> Admission:
        self._check_privacy()
        charset = _charset(response)
        account = self.door.users.find(response.user)
        authentication = await self._authenticate(account)
        database = self._database(account, response.database)
        return Admission(
            stream=self.stream,
            login=self.login,
            account=account,
            response=response,
            capabilities=self.login.capabilities,
            attributes=response.attributes,
            charset=charset,
            database=database,
            schema=response.database,
            tls=self._tls_name(),
            authentication=authentication,
        )

    def _check_privacy(self) -> None:
        if self.door.tls_required and not self.login.tls and not is_local(self.stream.transport):
            raise LoginRefused(INSECURE_TRANSPORT, "HY000", "dbgate accepts only TLS connections",
                               "connect with TLS: --ssl-mode=REQUIRED, ssl={...} or the like")  # fmt: skip

    async def _authenticate(self, account: Account) -> str:
        """How the client has proven itself."""
        known = Known(account.native, self.door.passwords.find(account))
        event = self.login.begin(known, make_nonce()) or await self._next()
        if isinstance(event, KeyRequested):
            await self.door.keys.get()
            self.login.send_key(self.door.keys.pem)
            event = await self._next()
        if isinstance(event, Proven):
            return event.plugin
        if not isinstance(event, PasswordReceived):
            raise self._too_old(account)
        await self._check_password(account, event)
        return event.plugin

    async def _check_password(self, account: Account, given: PasswordReceived) -> None:
        key = self.door.keys.made
        if not await asyncio.to_thread(_is_right, self.door.passwords, account, given, key):
            answer = "NO" if given.empty else "YES"
            text = f"Access denied for user '{account.name}'@'{self.peer}' (using password: {answer})"
            raise LoginRefused(ACCESS_DENIED, "28000", text)

    def _too_old(self, account: Account) -> LoginRefused:
        """One answer for the unknown, the wrong password and the user who may not come this way."""
        text = f"Access denied for user '{account.name}'@'{self.peer}', whose client knows only mysql_native_password"
        mend = "use a client that knows caching_sha2_password, or check password and users.NAME.native_verifier"
        return LoginRefused(NOT_SUPPORTED_AUTH_MODE, "08004", text, mend)

    def _database(self, account: Account, asked: str) -> str:
        """The gate's database that the client gets to."""
        name = self.door.database or asked or self._only(account)
        if name not in self.door.databases:
            raise LoginRefused(UNKNOWN_DATABASE, "42000", f"Unknown database '{name}'",
                               "the gate's settings name the databases it serves")  # fmt: skip
        if not account.may_open(name):
            raise LoginRefused(NO_SUCH_ACCESS, "42000",
                               f"Access denied for user '{account.name}'@'{self.peer}' to database '{name}'",
                               f"ask for it to be added to users.{account.name}.databases")  # fmt: skip
        return name

    def _only(self, account: Account) -> str:
        open_to = sorted(account.databases & self.door.databases)
        if len(open_to) == 1:
            return open_to[0]
        if not open_to:
            raise LoginRefused(NO_SUCH_ACCESS, "42000", f"user '{account.name}' may open no MySQL database",
                               f"ask for one to be added to users.{account.name}.databases")  # fmt: skip
        raise LoginRefused(NO_DATABASE, "3D000", "No database selected",
                           f"name it in the connection: {' or '.join(open_to)}")  # fmt: skip

    def _tls_name(self) -> str:
        tls: Any = self.stream.transport.get_extra_info("ssl_object")
        return f"{tls.version()} {tls.cipher()[0]}" if tls is not None else ""


def _greeting(door: Door, connection_id: int) -> Handshake:
    return Handshake(
        server_version=door.server_version,
        connection_id=connection_id,
        nonce=make_nonce(),
        capabilities=OFFERED & (door.capabilities | ALWAYS_OFFERED)
        | (Capability.SSL if door.tls is not None else Capability(0)),
        character_set=_COLLATION[brand_of(door.server_version)],
        status=StatusFlag.AUTOCOMMIT,
        plugin="caching_sha2_password",
    )


def make_nonce() -> bytes:
    """Random bytes without NUL; in ASCII, as servers send them, for clients that take a nonce for a text."""
    return bytes(33 + secrets.randbelow(94) for _ in range(NONCE_SIZE))


async def _one_packet(client: socket.socket) -> bytes:
    """One packet, header included, and not a byte more; of one that is too long the header alone, which is enough to
    refuse it. Raises ConnectionEnded."""
    header = await _exactly(client, packets.HEADER_SIZE)
    length = int.from_bytes(header[:3], "little")
    return header if length > MAX_LENGTH else header + await _exactly(client, length)


async def _exactly(client: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        data = await asyncio.get_running_loop().sock_recv(client, size - len(found))
        if not data:
            raise ConnectionEnded
        found += data
    return bytes(found)


def _is_right(passwords: PasswordMemory, account: Account, given: PasswordReceived, key: Any) -> bool:
    return passwords.check(account, given.read(key))


def _charset(response: HandshakeResponse41) -> Charset:
    found = charsets.of_collation(response.character_set or charsets.DEFAULT_COLLATION)
    if found is None or found is charsets.BINARY:
        raise LoginRefused(UNKNOWN_CHARSET, "42000",
                           f"the character set of collation {response.character_set} cannot pass through dbgate",
                           "connect with utf8mb4, utf8mb3, latin1 or ascii")  # fmt: skip
    return found


def _broken(fault: PeerError) -> LoginRefused:
    told = fatal(fault)
    return LoginRefused(told.errno, told.sqlstate, told.text)


def _named(fault: LoginRefused | PeerError, response: HandshakeResponse41) -> LoginRefused:
    refusal = _broken(fault) if isinstance(fault, PeerError) else fault
    refusal.user, refusal.database = response.user, response.database
    return refusal


def _host(client: socket.socket) -> str:
    """How an error names where the client is: its address, or localhost for a unix socket."""
    if client.family == socket.AF_UNIX:
        return "localhost"
    try:
        return str(client.getpeername()[0])
    except OSError:  # it is gone already
        return "unknown"
