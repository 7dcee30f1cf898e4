"""The packets of a connection's start, in both directions.

Source: MySQL internals manual, "Connection Phase Packets"; MariaDB documentation, "Connection" (extended capabilities).
A payload goes in and comes out, without packet headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from protocols.errors import PeerError, UsageError
from protocols.mysql.capabilities import MARIADB_SHIFT, MYSQL_BITS, Capability, StatusFlag
from protocols.mysql.faults import COMMUNICATION_FAILURE, WireError, malformed
from protocols.mysql.wire import Reader, cstring, integer, lenenc, lenenc_bytes

PROTOCOL_VERSION = 10
NONCE_SIZE = 20
BAD_HANDSHAKE = 1043  # ER_HANDSHAKE_ERROR
NOT_SUPPORTED_AUTH_MODE = 1251  # ER_NOT_SUPPORTED_AUTH_MODE

AUTH_SWITCH, AUTH_MORE_DATA, AUTH_NEXT_FACTOR = 0xFE, 0x01, 0x02
#: bytes of SSLRequest: the head of a HandshakeResponse41
SSL_REQUEST_SIZE = 32

_FIRST_NONCE = 8
_RESERVED = 6
_HEAD_RESERVED = 19
#: what a client must have to be spoken to
_NEEDED = Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION


class Brand(Enum):
    """Whose server it is."""

    MYSQL = "mysql"
    MARIADB = "mariadb"


#: MariaDB puts it before its version for replicas of old; clients cut it off
REPLICATION_PREFIX = "5.5.5-"


def brand_of(server_version: str) -> Brand:
    """As connectors tell them apart."""
    return Brand.MARIADB if "mariadb" in server_version.lower() else Brand.MYSQL


def bad_handshake(what: str, hint: str = "") -> WireError:
    """A peer's first packet makes no sense."""
    return WireError(f"Bad handshake: {what}", BAD_HANDSHAKE, COMMUNICATION_FAILURE, hint)


@dataclass(frozen=True, slots=True)
class Handshake:
    """The server's greeting. `nonce` is 20 bytes without NUL; `capabilities` has MariaDB's own bits from 32 on."""

    server_version: str
    connection_id: int
    nonce: bytes = field(repr=False)
    capabilities: Capability
    character_set: int
    status: StatusFlag
    plugin: str

    @property
    def brand(self) -> Brand:
        return brand_of(self.server_version)

    @property
    def version(self) -> str:
        """The version as SELECT VERSION() tells it."""
        return (
            self.server_version.removeprefix(REPLICATION_PREFIX)
            if self.brand is Brand.MARIADB
            else (self.server_version)
        )

    def encode(self) -> bytes:
        """Raises `UsageError` for a nonce of another size or with a NUL, and for NULs in texts."""
        if len(self.nonce) != NONCE_SIZE or b"\0" in self.nonce:
            raise UsageError(f"a greeting's nonce has {NONCE_SIZE} bytes, none of them NUL")
        low, high = self.capabilities & 0xFFFF, self.capabilities >> 16 & 0xFFFF
        return b"".join(
            (
                integer(PROTOCOL_VERSION, 1),
                cstring(self.server_version.encode()),
                integer(self.connection_id, 4),
                self.nonce[:_FIRST_NONCE] + b"\0",
                integer(low, 2),
                integer(self.character_set & 0xFF, 1),
                integer(self.status, 2),
                integer(high, 2),
                integer(NONCE_SIZE + 1 if self.capabilities & Capability.PLUGIN_AUTH else 0, 1),
                bytes(_RESERVED),
                integer(_extended(self.capabilities, self.capabilities), 4),
                self.nonce[_FIRST_NONCE:] + b"\0",
                cstring(self.plugin.encode()) if self.capabilities & Capability.PLUGIN_AUTH else b"",
            )
        )


def _extended(own: Capability, server: Capability) -> int:
    """MariaDB's own bits, which only count when the server lacks LONG_PASSWORD (CLIENT_MYSQL)."""
    return 0 if server & Capability.LONG_PASSWORD else own >> MARIADB_SHIFT


def decode_handshake(payload: bytes) -> Handshake:
    """A server's greeting. Raises `PeerError`, also for servers older than 4.1 and protocols other than 10."""
    reader = Reader(payload, "server greeting")
    protocol = reader.u8("protocol version")
    if protocol != PROTOCOL_VERSION:
        raise bad_handshake(f"the server speaks protocol version {protocol}, {PROTOCOL_VERSION} is known")
    version = reader.cstring("server version").decode("utf-8", "replace")
    connection_id = reader.u32("connection id")
    first = reader.take(_FIRST_NONCE, "nonce")
    reader.u8("filler")
    low, character_set, status = reader.u16("capabilities"), reader.u8("character set"), reader.u16("status")
    high, nonce_size = reader.u16("capabilities"), reader.u8("nonce size")
    reader.take(_RESERVED, "reserved bytes")
    capabilities = Capability(low | high << 16)
    extended = reader.u32("MariaDB capabilities")
    if not capabilities & Capability.LONG_PASSWORD:
        capabilities |= Capability(extended << MARIADB_SHIFT)
    _require(capabilities, "the server")
    nonce = first + _second_nonce(reader, nonce_size)
    plugin = _last_text(reader) if capabilities & Capability.PLUGIN_AUTH else "mysql_native_password"
    return Handshake(version, connection_id, nonce, capabilities, character_set, StatusFlag(status), plugin)


def _second_nonce(reader: Reader, size: int) -> bytes:
    """Whatever size a server claims, its field is at least 13 bytes, and 12 of them are used."""
    found = reader.take(max(NONCE_SIZE - _FIRST_NONCE + 1, size - _FIRST_NONCE), "nonce")
    return found[: NONCE_SIZE - _FIRST_NONCE]


def _require(capabilities: Capability, who: str) -> None:
    if capabilities & _NEEDED != _NEEDED:
        raise WireError(
            f"{who} speaks the protocol from before MySQL 4.1, which dbgate does not",
            NOT_SUPPORTED_AUTH_MODE,
            COMMUNICATION_FAILURE,
            "use a driver of this century" if who == "the client" else "",
        )


def _last_text(reader: Reader) -> str:
    """A text up to its NUL, or to the packet's end where a NUL was forgotten (servers of 5.5.7 to 5.5.9)."""
    return reader.rest().split(b"\0", 1)[0].decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class SslRequest:
    """What a client sends before it begins with TLS: the head of its response."""

    capabilities: Capability
    max_packet_size: int
    character_set: int

    def encode(self, server: Capability) -> bytes:
        """`server`: the greeting's capabilities."""
        return _head(self.capabilities | Capability.SSL, self.max_packet_size, self.character_set, server)


def _head(capabilities: Capability, max_packet_size: int, character_set: int, server: Capability) -> bytes:
    return b"".join(
        (
            integer(capabilities & MYSQL_BITS, 4),
            integer(max_packet_size, 4),
            integer(character_set & 0xFF, 1),
            bytes(_HEAD_RESERVED),
            integer(_extended(capabilities, server), 4),
        )
    )


@dataclass(frozen=True, slots=True)
class HandshakeResponse41:
    """Who wants in, and how. Texts are UTF-8 (drivers write names in their own charset: utf8mb4 nearly always).

    `auth_response`: the plugin's first data. `database` and `plugin` are empty when the client named none. `zstd_level`
    is 0 when not sent.
    """

    capabilities: Capability
    max_packet_size: int
    character_set: int
    user: str
    auth_response: bytes = field(default=b"", repr=False)
    database: str = ""
    plugin: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    zstd_level: int = 0

    def encode(self, server: Capability) -> bytes:
        """`server`: the greeting's capabilities. Raises `UsageError` for what the capabilities leave no place for."""
        caps = self.capabilities
        parts = [_head(caps, self.max_packet_size, self.character_set, server), cstring(self.user.encode())]
        parts.append(self._encode_auth())
        if caps & Capability.CONNECT_WITH_DB:
            parts.append(cstring(self.database.encode()))
        if caps & Capability.PLUGIN_AUTH:
            parts.append(cstring(self.plugin.encode()))
        if caps & Capability.CONNECT_ATTRS:
            parts.append(_encode_attributes(self.attributes))
        if caps & Capability.ZSTD_COMPRESSION:
            parts.append(integer(self.zstd_level, 1))
        return b"".join(parts)

    def _encode_auth(self) -> bytes:
        if self.capabilities & Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA:
            return lenenc_bytes(self.auth_response)
        return integer(len(self.auth_response), 1) + self.auth_response


def _encode_attributes(attributes: Mapping[str, str]) -> bytes:
    pairs = b"".join(lenenc_bytes(name.encode()) + lenenc_bytes(value.encode()) for name, value in attributes.items())
    return lenenc(len(pairs)) + pairs


def decode_response(payload: bytes, server: Capability) -> SslRequest | HandshakeResponse41:
    """A client's answer to a greeting with the capabilities `server`. Raises `PeerError`.

    The response's capabilities keep bits that the server never offered: what counts is what both have.
    """
    reader = Reader(payload, "handshake response")
    _refuse_old(payload)
    low, max_packet_size = reader.u32("capabilities"), reader.u32("maximum packet size")
    character_set = reader.u8("character set")
    reader.take(_HEAD_RESERVED, "reserved bytes")
    extended = reader.u32("MariaDB capabilities")
    caps = Capability(low)
    if not server & Capability.LONG_PASSWORD:
        caps |= Capability(extended << MARIADB_SHIFT)
    if not reader.remaining:
        return _ssl_request(caps, max_packet_size, character_set)
    _require(caps, "the client")
    return _read_response(reader, caps, max_packet_size, character_set)


def _refuse_old(payload: bytes) -> None:
    """Clients without CLIENT_PROTOCOL_41 have a layout of their own (HandshakeResponse320)."""
    flags = Reader(payload, "handshake response").u16("capabilities")
    _require(Capability(flags) | Capability.SECURE_CONNECTION, "the client")


def _ssl_request(caps: Capability, max_packet_size: int, character_set: int) -> SslRequest:
    if not caps & Capability.SSL:
        raise malformed("handshake response", "the user is missing, and no TLS was asked for")
    return SslRequest(caps, max_packet_size, character_set)


def _read_response(reader: Reader, caps: Capability, max_packet_size: int, character_set: int) -> HandshakeResponse41:
    user = _text(reader.cstring("user"), "user")
    auth_response = _read_auth(reader, caps)
    database = _text(reader.cstring("database"), "database") if _has(reader, caps, Capability.CONNECT_WITH_DB) else ""
    plugin = _last_plugin(reader) if _has(reader, caps, Capability.PLUGIN_AUTH) else ""
    attributes = _read_attributes(reader) if _has(reader, caps, Capability.CONNECT_ATTRS) else {}
    level = reader.u8("zstd level") if _has(reader, caps, Capability.ZSTD_COMPRESSION) else 0
    return HandshakeResponse41(
        caps, max_packet_size, character_set, user, auth_response, database, plugin, attributes, level
    )


def _has(reader: Reader, caps: Capability, wanted: Capability) -> bool:
    """Some clients set a flag and end their packet before its field (PHP's mysqlnd without a database)."""
    return bool(caps & wanted) and reader.remaining > 0


def _read_auth(reader: Reader, caps: Capability) -> bytes:
    if caps & Capability.PLUGIN_AUTH_LENENC_CLIENT_DATA:
        return reader.lenenc_bytes("authentication response")
    return reader.take(reader.u8("authentication response"), "authentication response")


def _last_plugin(reader: Reader) -> str:
    return reader.cstring("plugin").decode("utf-8", "replace")


def _read_attributes(reader: Reader) -> dict[str, str]:
    """What the client says of itself; nothing depends on it, so a text that is no UTF-8 is not an error."""
    pairs = Reader(reader.lenenc_bytes("connection attributes"), "connection attributes")
    found: dict[str, str] = {}
    while pairs.remaining:
        name = pairs.lenenc_bytes("name").decode("utf-8", "replace")
        found[name] = pairs.lenenc_bytes("value").decode("utf-8", "replace")
    return found


def _text(value: bytes, field_name: str) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise bad_handshake(f"the {field_name} name is no UTF-8") from None


@dataclass(frozen=True, slots=True)
class AuthSwitchRequest:
    """The server wants another plugin, and sends the data that it begins with."""

    plugin: str
    data: bytes = field(repr=False)

    def encode(self) -> bytes:
        return bytes([AUTH_SWITCH]) + cstring(self.plugin.encode()) + self.data

    @property
    def nonce(self) -> bytes:
        """The data without the NUL that servers put behind it."""
        return self.data[:-1] if self.data.endswith(b"\0") else self.data


def decode_auth_switch(payload: bytes) -> AuthSwitchRequest:
    """Raises `PeerError`; a lone 0xFE is a server from before 4.1 that wants mysql_old_password."""
    reader = Reader(payload, "authentication switch request")
    if reader.u8("header") != AUTH_SWITCH:
        raise malformed("authentication switch request", f"header 0x{payload[0]:02x}")
    if not reader.remaining:
        return AuthSwitchRequest("mysql_old_password", b"")
    plugin = reader.cstring("plugin").decode("utf-8", "replace")
    return AuthSwitchRequest(plugin, reader.rest())


@dataclass(frozen=True, slots=True)
class AuthMoreData:
    """A plugin's further data from the server."""

    data: bytes = field(repr=False)

    def encode(self) -> bytes:
        return bytes([AUTH_MORE_DATA]) + self.data


def decode_auth_more_data(payload: bytes) -> AuthMoreData:
    """Raises `PeerError`."""
    if not payload or payload[0] != AUTH_MORE_DATA:
        raise PeerError("the server sent something else where a plugin's further data was due")
    return AuthMoreData(payload[1:])
