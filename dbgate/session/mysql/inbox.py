"""The client's bytes: cut into commands, each as the packets that came."""

from __future__ import annotations

from dbgate.session.mysql.sending import Sending
from protocols.mysql.faults import out_of_order, too_large
from protocols.mysql.packets import HEADER, HEADER_SIZE, MAX_PAYLOAD


class Inbox:
    """Joins pieces only when the command that they belong to is complete: neither a huge command nor many small ones
    cost quadratic copies. `limit`: of a command, in bytes. `next`: the sequence id that an answer to the last packet
    would have."""

    __slots__ = ("_buffer", "_end", "_have", "_limit", "_need", "_pieces", "_start", "next")

    def __init__(self, limit: int) -> None:
        self._buffer = b""
        self._start = 0  # of the next command in the buffer
        self._end = 0  # of the command that was handed out
        self._pieces: list[bytes] = []  # what came behind the buffer
        self._have = 0
        self._need = HEADER_SIZE
        self._limit = limit
        self.next = 0

    def __len__(self) -> int:
        return self._have

    def add(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)
            self._have += len(data)

    def command(self) -> Sending | None:
        """The next whole command, which stays until `done`. Raises PeerError for wrong sequence ids, and for more than
        the limit."""
        if self._have < self._need:
            return None
        if self._pieces:
            rest = self._buffer[self._start :]
            self._buffer = b"".join((rest, *self._pieces)) if rest or len(self._pieces) > 1 else self._pieces[0]
            self._pieces, self._start = [], 0
        return self._cut()

    def _cut(self) -> Sending | None:
        buffer, position, parts = self._buffer, self._start, list[bytes]()
        while True:
            if len(buffer) - position < HEADER_SIZE:
                self._need = position + HEADER_SIZE - self._start
                return None
            length = self._checked(HEADER.unpack_from(buffer, position)[0], len(parts), position)
            end = position + HEADER_SIZE + length
            if end > len(buffer):
                self._need = end - self._start
                return None
            parts.append(buffer[position + HEADER_SIZE : end])
            position = end
            if length < MAX_PAYLOAD:
                break
        self._need, self._end = HEADER_SIZE, position
        whole = self._start == 0 and position == len(buffer)
        payload = parts[0] if len(parts) == 1 else b"".join(parts)
        return Sending(payload, buffer if whole else buffer[self._start : position], len(parts) & 0xFF)

    def _checked(self, header: int, packets: int, position: int) -> int:
        """The length of a packet."""
        self.next = (header >> 24) + 1 & 0xFF
        if header >> 24 != packets & 0xFF:
            raise out_of_order(packets & 0xFF, header >> 24)
        length = header & MAX_PAYLOAD
        if position - self._start + length > self._limit:
            raise too_large(self._limit)
        return length

    def done(self) -> None:
        """The command has been handled."""
        self._have -= self._end - self._start
        self._start = self._end
        if self._start == len(self._buffer):
            self._buffer, self._start, self._end = b"", 0, 0
