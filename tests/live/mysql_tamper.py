"""A relay before a real MySQL or MariaDB that can lie: it answers marked statements with bytes of its own choosing.

It knows nothing of the gate's codecs. A packet of the client that holds MARK and a name is kept from the server, and
the lie of that name is sent in the reply's place; all else passes. `heard` keeps what reached it of each statement.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from typing import Final

MARK: Final = b"tampered "
VAR_STRING, LONG = 0xFD, 3
#: sends bytes in the place of a reply; the connection is the one to the gate
Lie = Callable[[socket.socket], None]


class Tampering:
    """`lies`: by name. `cut` ends all connections with a reset."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self.lies: dict[bytes, Lie] = {}
        self.heard: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target)
                for one in (near, far):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets += [near, far]
                for pump in (self._up, self._down):
                    threading.Thread(target=pump, args=(near, far), daemon=True).start()

    def _up(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := near.recv(65536):
                _, mark, rest = data.partition(MARK)
                if mark:
                    self.heard.append(data)
                    self.lies[rest.split(b"*")[0].strip()](near)
                else:
                    far.sendall(data)
        end(near, far)

    def _down(self, near: socket.socket, far: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(65536):
                near.sendall(data)
        end(near, far)

    def cut(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end(*self._sockets)
        self._sockets.clear()

    def close(self) -> None:
        end(self.listener)
        self._accepting.join(5)
        self.listener.close()
        self.cut()


def end(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


# ---------------------------------------------------------------- bytes


def packets(*payloads: bytes, first: int = 1) -> bytes:
    """Packets with ids from `first` on."""
    return b"".join(
        len(payload).to_bytes(3, "little") + bytes([first + n & 0xFF]) + payload for n, payload in enumerate(payloads)
    )


def text(word: bytes) -> bytes:
    return bytes([len(word)]) + word


def column(table: bytes, name: bytes, alias: bytes = b"", schema: bytes = b"tampered", kind: int = VAR_STRING) -> bytes:
    words = (b"def", schema, table, table, alias or name, name)
    return b"".join(map(text, words)) + b"\x0c" + struct.pack("<HIBHB2x", 45, 1020, kind, 0, 0)


def eof(status: int = 2, warnings: int = 0) -> bytes:
    return b"\xfe" + struct.pack("<HH", warnings, status)


def ok(status: int = 2, header: int = 0) -> bytes:
    return bytes([header, 0, 0]) + struct.pack("<HH", status, 0)


def error(message: bytes, errno: int = 1064) -> bytes:
    return b"\xff" + struct.pack("<H", errno) + b"#42000" + message


def result(columns: Sequence[bytes], rows: Sequence[bytes], status: int = 2, count: int | None = None) -> bytes:
    """A text result for a client that wants EOF packets."""
    head = bytes([len(columns) if count is None else count])
    return packets(head, *columns, eof(status), *rows, eof(status))
