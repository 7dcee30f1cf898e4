"""A client that speaks MySQL's protocol byte by byte, for what drivers would never send, and to hear every byte.

It knows nothing of the gate's own codecs, so that a mistake in those cannot hide here too. MySQL internals manual,
"Client/Server Protocol".
"""

from __future__ import annotations

import hashlib
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

LONG_PASSWORD, FOUND_ROWS, CONNECT_WITH_DB, PROTOCOL_41 = 0x1, 0x2, 0x8, 0x200
TRANSACTIONS, SECURE_CONNECTION, MULTI_STATEMENTS, MULTI_RESULTS = 0x2000, 0x8000, 0x10000, 0x20000
PS_MULTI_RESULTS, PLUGIN_AUTH, SESSION_TRACK, DEPRECATE_EOF = 0x40000, 0x80000, 0x800000, 0x1000000
OLD: Final = (
    LONG_PASSWORD | CONNECT_WITH_DB | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | MULTI_STATEMENTS | MULTI_RESULTS
    | PS_MULTI_RESULTS | PLUGIN_AUTH
)  # fmt: skip
#: with an OK in the place of the last EOF, and what the server tells of the session's state
NEW: Final = OLD | SESSION_TRACK | DEPRECATE_EOF
MORE_RESULTS, CURSOR_EXISTS, LAST_ROW_SENT = 0x8, 0x40, 0x80
UTF8MB4 = 45
READ_ONLY_CURSOR = 1
LONGEST = 0xFFFFFF

QUIT, INIT_DB, QUERY, FIELD_LIST, STATISTICS, PROCESS_INFO, PROCESS_KILL = 1, 2, 3, 4, 9, 10, 12
CHANGE_USER, PREPARE, EXECUTE, SEND_LONG_DATA, CLOSE, RESET, FETCH, RESET_CONNECTION = 17, 22, 23, 24, 25, 26, 28, 31


class ConnectionClosedError(Exception):
    """The server closed the connection where a packet was expected."""


class LoginError(Exception):
    """The server refused the login."""


@dataclass(frozen=True, slots=True)
class Reply:
    """All packets (their payloads) that answer one command; `failed`: an ERR is among them."""

    packets: tuple[bytes, ...]
    failed: bool = False

    @property
    def statement(self) -> int:
        """Of a COM_STMT_PREPARE that went well: the statement's number."""
        return int(struct.unpack_from("<I", self.packets[0], 1)[0])


def lenenc(data: bytes, at: int = 0) -> tuple[int, int]:
    """A length-encoded integer and where it ends."""
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(data[at], 0)
    if not size:
        return data[at], at + 1
    return int.from_bytes(data[at + 1 : at + 1 + size], "little"), at + 1 + size


def counted(data: bytes) -> bytes:
    """A length-encoded string."""
    size = len(data)
    if size < 251:
        return bytes([size]) + data
    return b"\xfd" + size.to_bytes(3, "little") + data


class Raw:
    """One connection. `received` collects every byte after login."""

    def __init__(self, host: str, port: int, capabilities: int = NEW, timeout: float = 10.0) -> None:
        self.socket = socket.create_connection((host, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray()
        self.capabilities = capabilities
        self._buffer = bytearray()
        self._sequence = 0

    def close(self) -> None:
        self.socket.close()

    # ------------------------------------------------------------ packets

    def send(self, payload: bytes, sequence: int = 0) -> None:
        try:
            self.socket.sendall(len(payload).to_bytes(3, "little") + bytes([sequence]) + payload)
        except ConnectionError as trouble:
            raise ConnectionClosedError(str(trouble)) from trouble

    def packet(self) -> bytes:
        """The next packet's payload; ConnectionClosedError at the end, TimeoutError when nothing comes."""
        joined = b""
        while True:
            self._fill(4)
            size = int.from_bytes(self._buffer[:3], "little")
            self._fill(size + 4)
            self._sequence = self._buffer[3]
            joined += self._buffer[4 : size + 4]
            self.received += self._buffer[: size + 4]
            del self._buffer[: size + 4]
            if size < LONGEST:
                return joined

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            try:
                data = self.socket.recv(65536)
            except ConnectionError as trouble:
                raise ConnectionClosedError(str(trouble)) from trouble
            if not data:
                raise ConnectionClosedError("end of stream")
            self._buffer += data

    # ------------------------------------------------------------ login

    def login(self, user: str, password: str, database: str) -> Raw:
        greeting = self.packet()
        at = greeting.index(b"\0", 1) + 5
        rest = at + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10
        scramble = greeting[at : at + 8] + greeting[rest : rest + 12]
        plugin = greeting[rest + 13 :].split(b"\0")[0]
        proof = _proof(plugin, password.encode(), scramble)
        offered = int.from_bytes(greeting[at + 9 : at + 11] + greeting[at + 14 : at + 16], "little")
        self.capabilities &= offered
        head = struct.pack("<IIB23x", self.capabilities, 1 << 24, UTF8MB4)
        words = user.encode() + b"\0" + bytes([len(proof)]) + proof + database.encode() + b"\0" + plugin + b"\0"
        self.send(head + words, 1)
        self._authenticate(plugin, password.encode(), scramble)
        self.received.clear()
        return self

    def _authenticate(self, plugin: bytes, password: bytes, scramble: bytes) -> None:
        while True:
            packet = self.packet()
            if packet[0] == 0:
                return
            if packet[0] == 0xFF:
                raise LoginError(packet[9:].decode("utf-8", "replace"))
            if packet[0] == 0xFE:
                plugin, _, data = packet[1:].partition(b"\0")
                scramble = data[:20]
                self.send(_proof(plugin, password, scramble), self._sequence + 1)
            elif packet == b"\x01\x04":
                self.send(b"\x02", self._sequence + 1)
                key = load_pem_public_key(self.packet()[1:])
                assert isinstance(key, rsa.RSAPublicKey)
                hidden = bytes(a ^ scramble[n % 20] for n, a in enumerate(password + b"\0"))
                way = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
                self.send(key.encrypt(hidden, way), self._sequence + 1)

    # ------------------------------------------------------------ commands

    def query(self, sql: bytes | str) -> Reply:
        self.send(bytes([QUERY]) + _bytes(sql))
        return self.results()

    def command(self, code: int, payload: bytes = b"") -> Reply:
        """A command that is answered by one packet."""
        self.send(bytes([code]) + payload)
        packet = self.packet()
        return Reply((packet,), packet[:1] == b"\xff")

    def field_list(self, table: bytes) -> Reply:
        self.send(bytes([FIELD_LIST]) + table + b"\0")
        packets = [self.packet()]
        while packets[-1][0] != 0xFF and not (packets[-1][0] == 0xFE and len(packets[-1]) < 9):
            packets.append(self.packet())
        return Reply(tuple(packets), packets[-1][0] == 0xFF)

    def prepare(self, sql: bytes | str) -> Reply:
        """The answer with its definitions of parameters and columns."""
        self.send(bytes([PREPARE]) + _bytes(sql))
        packets = [self.packet()]
        if packets[0][0] == 0xFF:
            return Reply(tuple(packets), True)
        columns, parameters = struct.unpack_from("<HH", packets[0], 5)
        for count in (parameters, columns):
            ends = bool(count) and not self.capabilities & DEPRECATE_EOF
            packets += [self.packet() for _ in range(count + ends)]
        return Reply(tuple(packets))

    def execute(self, statement: int, parameters: Sequence[str] = (), cursor: int = 0) -> Reply:
        """Parameters as texts."""
        body = struct.pack("<IBI", statement, cursor, 1)
        if parameters:
            body += bytes((len(parameters) + 7) // 8) + b"\x01" + b"\xfd\0" * len(parameters)
            body += b"".join(counted(each.encode()) for each in parameters)
        self.send(bytes([EXECUTE]) + body)
        return self.results()

    def send_long_data(self, statement: int, parameter: int, data: bytes) -> None:
        self.send(bytes([SEND_LONG_DATA]) + struct.pack("<IH", statement, parameter) + data)

    def fetch(self, statement: int, rows: int) -> Reply:
        self.send(bytes([FETCH]) + struct.pack("<II", statement, rows))
        packets: list[bytes] = []
        self._rows(packets)
        return Reply(tuple(packets), packets[-1][0] == 0xFF)

    def close_statement(self, statement: int) -> None:
        self.send(bytes([CLOSE]) + struct.pack("<I", statement))

    # ------------------------------------------------------------ results

    def results(self) -> Reply:
        """All results of one command."""
        packets: list[bytes] = []
        while self._one_result(packets) & MORE_RESULTS:
            pass
        return Reply(tuple(packets), packets[-1][0] == 0xFF)

    def _one_result(self, packets: list[bytes]) -> int:
        """Adds one result's packets; its last status flags."""
        packets.append(self.packet())
        first = packets[-1][0]
        if first == 0xFF:
            return 0
        if first == 0:
            return _status(packets[-1])
        if first == 0xFB:
            self.send(b"", self._sequence + 1)
            return self._one_result(packets)
        count, _ = lenenc(packets[-1])
        packets += [self.packet() for _ in range(count)]
        if not self.capabilities & DEPRECATE_EOF:
            packets.append(self.packet())
            if _status(packets[-1]) & CURSOR_EXISTS:
                return 0
        return self._rows(packets)

    def _rows(self, packets: list[bytes]) -> int:
        while True:
            packets.append(self.packet())
            first = packets[-1][0]
            if first == 0xFF:
                return 0
            if first == 0xFE and len(packets[-1]) < (LONGEST if self.capabilities & DEPRECATE_EOF else 9):
                return _status(packets[-1])


def _status(packet: bytes) -> int:
    """Of an OK or EOF packet."""
    if packet[0] == 0xFE and len(packet) == 5:
        return int.from_bytes(packet[3:5], "little")
    _, at = lenenc(packet, 1)
    _, at = lenenc(packet, at)
    return int.from_bytes(packet[at : at + 2], "little")


def _bytes(sql: bytes | str) -> bytes:
    return sql.encode() if isinstance(sql, str) else sql


def _proof(plugin: bytes, password: bytes, scramble: bytes) -> bytes:
    if plugin == b"mysql_native_password":
        inner = hashlib.sha1(password).digest()
        return _xor(inner, hashlib.sha1(scramble[:20] + hashlib.sha1(inner).digest()).digest())
    inner = hashlib.sha256(password).digest()
    return _xor(inner, hashlib.sha256(hashlib.sha256(inner).digest() + scramble[:20]).digest())


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
