"""Bytes that came but are not a whole message yet."""

from __future__ import annotations


class Inbox:
    """Joins pieces only when the message they belong to is complete: a huge message costs no quadratic copies."""

    __slots__ = ("_have", "_need", "_pieces")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._have = 0
        self._need = 0

    def __len__(self) -> int:
        return self._have

    def take(self, data: bytes) -> bytes | None:
        """All the bytes so far with `data`, or None while they do not reach what `keep` said is needed."""
        if not self._have:
            return data
        self._pieces.append(data)
        self._have += len(data)
        if self._have < self._need:
            return None
        whole = b"".join(self._pieces)
        self.clear()
        return whole

    def keep(self, rest: bytes, need: int = 0) -> None:
        """Keep an incomplete message; `need`: how many bytes complete it, as far as known."""
        self.clear()
        if rest:
            self._pieces.append(rest)
            self._have = len(rest)
            self._need = need

    def add(self, data: bytes) -> None:
        """Keep more without looking at it (while the session waits)."""
        if data:
            self._pieces.append(data)
            self._have += len(data)

    @property
    def incomplete(self) -> bool:
        """A message is known to be unfinished: more must come before there is anything to do."""
        return self._have < self._need or 0 < self._have < 5

    def drain(self) -> bytes:
        """Everything kept, taken out."""
        whole = b"".join(self._pieces)
        self.clear()
        return whole

    def clear(self) -> None:
        self._pieces = []
        self._have = 0
        self._need = 0
