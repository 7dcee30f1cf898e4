"""A client that speaks the PostgreSQL protocol 3.0 byte by byte, for what drivers would never send.

It knows nothing of the gate's own codecs, so that a mistake in those cannot hide here too.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import socket
import ssl
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PROTOCOL = 196608
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102
Parameter = bytes | str | None


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the server: its kind (a letter) and its payload."""

    kind: str
    payload: bytes

    @property
    def fields(self) -> dict[str, str]:
        """An ErrorResponse's or NoticeResponse's fields by their letter."""
        parts = self.payload.rstrip(b"\0").split(b"\0")
        return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in parts if part}

    @property
    def values(self) -> list[bytes | None]:
        """A DataRow's values."""
        found: list[bytes | None] = []
        (count,) = struct.unpack_from(">H", self.payload)
        at = 2
        for _ in range(count):
            (length,) = struct.unpack_from(">i", self.payload, at)
            at += 4
            found.append(None if length < 0 else self.payload[at : at + length])
            at += max(length, 0)
        return found


class ConnectionClosedError(Exception):
    """The server closed the connection where a message was expected."""


class LoginError(Exception):
    """The server refused the login; `message` is its ErrorResponse."""

    def __init__(self, message: Message) -> None:
        super().__init__(str(message.fields))
        self.message = message


# ---------------------------------------------------------------- what a client sends


def frame(kind: str, payload: bytes = b"") -> bytes:
    return kind.encode() + struct.pack(">I", len(payload) + 4) + payload


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def query(sql: str) -> bytes:
    return frame("Q", text(sql))


def parse(sql: str, name: str = "", types: Sequence[int] = ()) -> bytes:
    return frame("P", text(name) + text(sql) + struct.pack(f">H{len(types)}I", len(types), *types))


def bind(name: str = "", portal: str = "", parameters: Sequence[Parameter] = (), results: Sequence[int] = ()) -> bytes:
    """Text parameters; `results` are the result formats (none: text)."""
    body = text(portal) + text(name) + struct.pack(">HH", 0, len(parameters))
    for value in parameters:
        data = value.encode() if isinstance(value, str) else value
        body += struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data
    return frame("B", body + struct.pack(f">H{len(results)}H", len(results), *results))


def describe(name: str = "", kind: str = "P") -> bytes:
    return frame("D", kind.encode() + text(name))


def execute(portal: str = "", rows: int = 0) -> bytes:
    return frame("E", text(portal) + struct.pack(">I", rows))


def close(name: str = "", kind: str = "S") -> bytes:
    return frame("C", kind.encode() + text(name))


SYNC, FLUSH, TERMINATE = frame("S"), frame("H"), frame("X")
COPY_DONE = frame("c")


def copy_data(data: bytes) -> bytes:
    return frame("d", data)


def copy_fail(reason: str) -> bytes:
    return frame("f", text(reason))


def extended(sql: str, parameters: Sequence[Parameter] = (), results: Sequence[int] = ()) -> bytes:
    """Parse, Bind, Describe, Execute, Sync of the unnamed statement."""
    return parse(sql) + bind(parameters=parameters, results=results) + describe() + execute() + SYNC


def startup(**parameters: str) -> bytes:
    body = struct.pack(">I", PROTOCOL)
    body += b"".join(text(key) + text(value) for key, value in parameters.items()) + b"\0"
    return struct.pack(">I", len(body) + 4) + body


# ---------------------------------------------------------------- the connection


class Raw:
    """One connection. `received` collects every byte after login."""

    def __init__(self, host: str, port: int, timeout: float = 20.0) -> None:
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()
        self._buffer = bytearray()
        self.parameters: dict[str, str] = {}
        self.key = b""
        self.login_messages: list[Message] = []

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def start_tls(self, context: ssl.SSLContext, name: str = "localhost") -> None:
        self.send(struct.pack(">II", 8, SSL_REQUEST))
        answer = self.socket.recv(1)
        if answer != b"S":
            raise ConnectionClosedError(f"no TLS: {answer!r}")
        self.socket = context.wrap_socket(self.socket, server_hostname=name)

    def login(self, user: str, password: str, database: str, **parameters: str) -> Raw:
        """Startup and authentication (SCRAM, md5 or clear text) up to the first ReadyForQuery."""
        self.send(startup(user=user, database=database, **parameters))
        self._authenticate(user, password)
        for message in self.until("Z"):
            self.login_messages.append(message)
            if message.kind == "E":
                raise LoginError(message)
            if message.kind == "S":
                name, value = message.payload.split(b"\0")[:2]
                self.parameters[name.decode()] = value.decode()
            if message.kind == "K":
                self.key = message.payload
        self.received.clear()
        return self

    def _authenticate(self, user: str, password: str) -> None:
        scram: Scram | None = None
        while True:
            message = self.message()
            if message.kind == "E":
                raise LoginError(message)
            (way,) = struct.unpack_from(">I", message.payload)
            rest = message.payload[4:]
            if way == 0:
                return
            if way == 3:
                self.send(frame("p", text(password)))
            elif way == 5:
                inner = hashlib.md5((password + user).encode()).hexdigest()
                self.send(frame("p", text("md5" + hashlib.md5(inner.encode() + rest).hexdigest())))
            elif way == 10:
                scram = Scram(password)
                first = scram.first()
                self.send(frame("p", text("SCRAM-SHA-256") + struct.pack(">I", len(first)) + first))
            elif way == 11 and scram:
                self.send(frame("p", scram.final(rest)))
            elif way == 12 and scram:
                scram.verify(rest)
            else:
                raise ConnectionClosedError(f"authentication {way} is not known here")

    # ------------------------------------------------------------ receiving

    def message(self) -> Message:
        """The next message; ConnectionClosedError at the end, TimeoutError when nothing comes."""
        self._fill(5)
        (length,) = struct.unpack_from(">I", self._buffer, 1)
        self._fill(length + 1)
        found = Message(chr(self._buffer[0]), bytes(self._buffer[5 : length + 1]))
        self.received += self._buffer[: length + 1]
        del self._buffer[: length + 1]
        return found

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            try:
                data = self.socket.recv(65536)
            except ConnectionError as trouble:
                raise ConnectionClosedError(str(trouble)) from trouble
            if not data:
                raise ConnectionClosedError("end of stream")
            self._buffer += data

    def until(self, kind: str) -> Iterator[Message]:
        """Messages up to and with the first of `kind`."""
        while True:
            message = self.message()
            yield message
            if message.kind == kind:
                return

    def ask(self, data: bytes, replies: int = 1) -> list[Message]:
        """Send, then every message up to and with the n-th ReadyForQuery."""
        self.send(data)
        return [message for _ in range(replies) for message in self.until("Z")]

    def rest(self, limit: float = 5.0) -> list[Message]:
        """Every message until the server closes or stays silent for `limit` seconds."""
        found: list[Message] = []
        self.socket.settimeout(limit)
        with contextlib.suppress(ConnectionClosedError, TimeoutError):
            while True:
                found.append(self.message())
        return found

    def closes(self, limit: float = 5.0) -> bool:
        """True when the server ends the connection within `limit` seconds (messages before that are dropped)."""
        self.socket.settimeout(limit)
        try:
            while True:
                self.message()
        except ConnectionClosedError:
            return True
        except TimeoutError:
            return False


class Scram:
    """The client's side of SCRAM-SHA-256 without channel binding (RFC 5802, RFC 7677)."""

    def __init__(self, password: str) -> None:
        self.password = password.encode()
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.server_signature = b""

    def first(self) -> bytes:
        return f"n,,n=,r={self.nonce}".encode()

    def final(self, challenge: bytes) -> bytes:
        words = dict(part.split("=", 1) for part in challenge.decode().split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(words["s"]), int(words["i"]))
        without_proof = f"c=biws,r={words['r']}"
        signed = f"n=,r={self.nonce},{challenge.decode()},{without_proof}".encode()
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        self.server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, final: bytes) -> None:
        if base64.b64decode(final.decode()[2:]) != self.server_signature:
            raise ConnectionClosedError("the server does not know the password")


def cancel(host: str, port: int, key: bytes) -> None:
    """Send a CancelRequest with BackendKeyData's payload."""
    with socket.create_connection((host, port), 10) as connection:
        connection.sendall(struct.pack(">II", 8 + len(key), CANCEL_REQUEST) + key)
        with contextlib.suppress(ConnectionError):
            connection.recv(1)


def kinds(messages: Sequence[Message]) -> str:
    """The conversation in letters."""
    return "".join(message.kind for message in messages)
