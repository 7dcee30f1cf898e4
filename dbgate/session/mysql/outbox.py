"""Bytes of the server's that are no whole piece of a reply yet."""

from __future__ import annotations

from protocols.mysql.faults import too_large
from protocols.mysql.packets import HEADER, HEADER_SIZE, MAX_PAYLOAD


class Outbox:
    """Joins pieces only when the packet that is awaited has come whole. `limit`: of what is kept, in bytes."""

    __slots__ = ("_have", "_limit", "_need", "_pieces")

    def __init__(self, limit: int) -> None:
        self._pieces: list[bytes] = []
        self._have = 0
        self._need = 0
        self._limit = limit

    def __len__(self) -> int:
        return self._have

    def take(self, data: bytes) -> bytes | None:
        """All the bytes so far with `data`, or None while they do not reach what is needed."""
        if not self._have:
            return data
        self._pieces.append(data)
        self._have += len(data)
        if self._have < self._need:
            return None
        whole = b"".join(self._pieces)
        self._pieces, self._have = [], 0
        return whole

    def keep(self, rest: bytes) -> None:
        """Raises PeerError for more than the limit."""
        if len(rest) > self._limit:
            raise too_large(self._limit)
        self._pieces, self._have = [rest], len(rest)
        self._need = needed(rest)


def needed(rest: bytes) -> int:
    """Where the first packet ends that is not whole."""
    position = 0
    while len(rest) - position >= HEADER_SIZE:
        length: int = HEADER.unpack_from(rest, position)[0] & MAX_PAYLOAD
        position += HEADER_SIZE + length
        if position > len(rest):
            return position
    return position + HEADER_SIZE
