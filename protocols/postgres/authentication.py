"""The Authentication messages a server sends (kind `R`), told apart by the code that starts their payload.

Source: PostgreSQL documentation, "Message Formats". What we do not speak has a name, so that a refusal can name it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from protocols.errors import PeerError
from protocols.postgres.frames import message
from protocols.postgres.reader import ByteReader
from protocols.postgres.writer import cstring, pack

OK, CLEARTEXT_PASSWORD, MD5_PASSWORD, SASL, SASL_CONTINUE, SASL_FINAL = 0, 3, 5, 10, 11, 12
MD5_SALT_SIZE = 4

UNSUPPORTED = {
    1: "Kerberos V4",
    2: "Kerberos V5",
    4: "crypt password",
    6: "SCM credentials",
    7: "GSSAPI",
    8: "GSSAPI (continued)",
    9: "SSPI",
}


def _message(code: int, data: bytes = b"") -> bytes:
    return message(b"R", pack("I", code) + data)


@dataclass(frozen=True, slots=True)
class AuthenticationOk:
    """The login is accepted."""

    def encode(self) -> bytes:
        return _message(OK)


@dataclass(frozen=True, slots=True)
class AuthenticationCleartextPassword:
    """The server wants the password itself."""

    def encode(self) -> bytes:
        return _message(CLEARTEXT_PASSWORD)


@dataclass(frozen=True, slots=True)
class AuthenticationMD5Password:
    """The server wants the password hashed with md5 and this salt (4 bytes)."""

    salt: bytes

    def encode(self) -> bytes:
        return _message(MD5_PASSWORD, self.salt)


@dataclass(frozen=True, slots=True)
class AuthenticationSASL:
    """The server offers SASL mechanisms, best first."""

    mechanisms: tuple[str, ...]

    def encode(self) -> bytes:
        return _message(SASL, b"".join(map(cstring, self.mechanisms)) + b"\0")


@dataclass(frozen=True, slots=True)
class AuthenticationSASLContinue:
    """A challenge of the SASL exchange."""

    data: bytes

    def encode(self) -> bytes:
        return _message(SASL_CONTINUE, self.data)


@dataclass(frozen=True, slots=True)
class AuthenticationSASLFinal:
    """The last message of the SASL exchange: the server's own proof."""

    data: bytes

    def encode(self) -> bytes:
        return _message(SASL_FINAL, self.data)


@dataclass(frozen=True, slots=True)
class AuthenticationUnsupported:
    """A method we know by `name` only."""

    code: int
    name: str
    data: bytes = b""

    def encode(self) -> bytes:
        return _message(self.code, self.data)


Authentication: TypeAlias = (
    AuthenticationOk | AuthenticationCleartextPassword | AuthenticationMD5Password | AuthenticationSASL
    | AuthenticationSASLContinue | AuthenticationSASLFinal | AuthenticationUnsupported
)  # fmt: skip


def _mechanisms(reader: ByteReader) -> AuthenticationSASL:
    names = []
    while name := reader.text():
        names.append(name)
    return AuthenticationSASL(tuple(names))


_READERS: dict[int, Callable[[ByteReader], Authentication]] = {
    OK: lambda reader: AuthenticationOk(),
    CLEARTEXT_PASSWORD: lambda reader: AuthenticationCleartextPassword(),
    MD5_PASSWORD: lambda reader: AuthenticationMD5Password(reader.take(MD5_SALT_SIZE)),
    SASL: _mechanisms,
    SASL_CONTINUE: lambda reader: AuthenticationSASLContinue(reader.rest()),
    SASL_FINAL: lambda reader: AuthenticationSASLFinal(reader.rest()),
}


def read_authentication(reader: ByteReader) -> Authentication:
    """The Authentication message of a payload. Raises `PeerError` for a code no version of the protocol has."""
    code = reader.u32()
    if code in UNSUPPORTED:
        return AuthenticationUnsupported(code, UNSUPPORTED[code], reader.rest())
    if code not in _READERS:
        raise PeerError(f"unknown authentication request {code}")
    return _READERS[code](reader)
