"""A client that keeps every byte of the server's answers: to texts (COM_QUERY), and to statements that are prepared and
run in binary (COM_STMT_PREPARE, COM_STMT_EXECUTE). PyMySQL logs in."""

from __future__ import annotations

import struct
from typing import Any, Final

import pymysql

QUERY: Final = 0x03
PREPARE: Final = 0x16
EXECUTE: Final = 0x17
CLOSE: Final = 0x19
RESET_CONNECTION: Final = 0x1F
MORE_RESULTS: Final = 8
MODES: Final = ("text", "binary")


class Bytes:
    """A session. `frames`: the packets of the last command, with their headers."""

    def __init__(self, port: int, user: str, password: str, database: str, **options: Any) -> None:
        words = {"charset": "utf8mb4", "autocommit": True, "read_timeout": 30, "ssl_disabled": True, **options}
        flags = pymysql.constants.CLIENT.MULTI_STATEMENTS
        self._under: Any = pymysql.connect(
            host="127.0.0.1", port=port, user=user, password=password, database=database, client_flag=flags, **words
        )
        self.frames: list[bytes] = []

    def close(self) -> None:
        self._under.close()

    def ask(self, statement: str, mode: str = "text", charset: str = "utf8") -> bytes:
        """Everything that comes back. Identifiers of prepared statements, which are the gate's own, read as zero."""
        text = statement.encode(charset)
        if mode == "binary":
            return self._prepared(text)
        self._send(QUERY, text)
        self._results()
        return b"".join(self.frames)

    def reset(self) -> None:
        """As after login."""
        self._send(RESET_CONNECTION, b"")
        self._packet()
        self.ask("SET NAMES utf8mb4")
        self.ask("ROLLBACK")

    def _prepared(self, text: bytes) -> bytes:
        self._send(PREPARE, text)
        first = self._packet()
        if first[0] == 0xFF:
            return self.frames[0]
        number = first[1:5]
        self.frames[-1] = self.frames[-1][:5] + bytes(4) + self.frames[-1][9:]
        for count in struct.unpack("<HH", first[5:9]):
            for _ in range(count + bool(count)):
                self._packet()
        heard = b"".join(self.frames)
        self._send(EXECUTE, number + b"\0" + struct.pack("<I", 1))
        self._results()
        heard += b"".join(self.frames)
        self._send(CLOSE, number)
        return heard

    def _send(self, command: int, payload: bytes) -> None:
        self.frames = []
        self._under._write_bytes(struct.pack("<I", len(payload) + 1)[:3] + b"\0" + bytes([command]) + payload)

    def _results(self) -> None:
        while self._result() & MORE_RESULTS:
            pass

    def _result(self) -> int:
        """The server's status after one result; 0 after an error."""
        first = self._packet()
        if first[0] == 0xFF:
            return 0
        if first[0] == 0:
            return _status_of_ok(first)
        while not is_end(self._packet()):
            pass
        while not is_end(last := self._packet()):
            pass
        return 0 if last[0] == 0xFF else int.from_bytes(last[3:5], "little")

    def _packet(self) -> bytes:
        header = bytes(self._under._read_bytes(4))
        payload = bytes(self._under._read_bytes(int.from_bytes(header[:3], "little")))
        self.frames.append(header + payload)
        return payload


def is_end(payload: bytes) -> bool:
    return payload[:1] == b"\xff" or (payload[:1] == b"\xfe" and len(payload) < 9)


def _status_of_ok(payload: bytes) -> int:
    at = 1
    for _ in range(2):
        at += {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(payload[at], 1)
    return int.from_bytes(payload[at : at + 2], "little")


def error(heard: bytes) -> tuple[int, str] | None:
    """The number and words of an answer that is one error."""
    payload = heard[4:]
    return (int.from_bytes(payload[1:3], "little"), payload[9:].decode()) if payload[:1] == b"\xff" else None
