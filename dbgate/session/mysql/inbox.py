"""The client's bytes: cut into commands, each as the packets that came."""

from __future__ import annotations

from dbgate.session.mysql.sending import Sending
from protocols.mysql.faults import out_of_order, too_large
from protocols.mysql.packets import HEADER, HEADER_SIZE, MAX_PAYLOAD


class Inbox:
    """Joins pieces only when the command that they belong to is complete: neither a huge command nor many small ones
    cost quadratic copies. `limit`: of a command, in bytes. `next`: the sequence id that an answer to the last packet
    would have."""

    __slots__ = ("_at", "_buffer", "_have", "_limit", "_need", "_packets", "_pieces", "_start", "_whole", "next")

    def __init__(self, limit: int) -> None:
        self._buffer = b""
        self._start = 0  # of the command in the buffer
        self._pieces: list[bytes] = []  # what came behind the buffer
        self._have = 0
        self._limit = limit
        self.next = 0
        self._begin()

    def _begin(self) -> None:
        """Nothing is known of the command that comes now. `_at`: how long it is so far, by its packets' headers."""
        self._at, self._packets, self._whole = 0, 0, False
        self._need = HEADER_SIZE

    def __len__(self) -> int:
        return self._have

    def add(self, data: bytes) -> None:
        if data:
            self._pieces.append(data)
            self._have += len(data)

    def command(self) -> Sending | None:
        """The next whole command, which stays until `done`. Raises PeerError for wrong sequence ids, and for more than
        the limit, as soon as a packet's header tells."""
        if self._have < self._need:
            return None
        while not self._whole:
            length = self._checked(self._header())
            self._at += HEADER_SIZE + length
            self._packets += 1
            self._whole = length < MAX_PAYLOAD
            self._need = self._at if self._whole else self._at + HEADER_SIZE
            if self._have < self._need:
                return None
        if self._pieces:
            self._join()
        return self._cut()

    def _header(self) -> int:
        """Of the packet that begins at `_at`, which may lie far behind in the pieces."""
        position = self._start + self._at
        if position + HEADER_SIZE > len(self._buffer):
            if len(self._pieces) == 1 and self._start == len(self._buffer):
                return int(HEADER.unpack_from(self._pieces[0], self._at)[0])
            behind, tail = self._have - self._at, b""
            for piece in reversed((self._buffer[self._start :], *self._pieces)):
                tail = piece + tail
                if len(tail) >= behind:
                    break
            return int(HEADER.unpack_from(tail, len(tail) - behind)[0])
        return int(HEADER.unpack_from(self._buffer, position)[0])

    def _join(self) -> None:
        rest = self._buffer[self._start :]
        self._buffer = b"".join((rest, *self._pieces)) if rest or len(self._pieces) > 1 else self._pieces[0]
        self._pieces, self._start = [], 0

    def _cut(self) -> Sending:
        buffer, start, end = self._buffer, self._start, self._start + self._at
        if self._packets == 1:
            payload = buffer[start + HEADER_SIZE : end]
        else:
            packets = range(start, end, HEADER_SIZE + MAX_PAYLOAD)
            payload = b"".join(buffer[at + HEADER_SIZE : min(at + HEADER_SIZE + MAX_PAYLOAD, end)] for at in packets)
        whole = start == 0 and end == len(buffer)
        return Sending(payload, buffer if whole else buffer[start:end], self._packets & 0xFF)

    def _checked(self, header: int) -> int:
        """The length of a packet."""
        self.next = (header >> 24) + 1 & 0xFF
        if header >> 24 != self._packets & 0xFF:
            raise out_of_order(self._packets & 0xFF, header >> 24)
        length = header & MAX_PAYLOAD
        if self._at + length > self._limit:
            raise too_large(self._limit)
        return length

    def done(self) -> None:
        """The command has been handled."""
        self._have -= self._at
        self._start += self._at
        self._begin()
        if self._start == len(self._buffer):
            self._buffer, self._start = b"", 0
