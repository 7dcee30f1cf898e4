"""Output made of slices of the input: what is not replaced passes as the very bytes that came."""

from __future__ import annotations


class Splice:
    """Walks one buffer. When nothing was replaced `finish` returns the buffer itself, not a copy."""

    __slots__ = ("_kept", "_parts", "at", "buffer")

    def __init__(self, buffer: bytes) -> None:
        self.buffer = buffer
        self._parts: list[bytes] = []
        self._kept = 0
        self.at = 0  # where the message that is being handled starts

    def replace(self, start: int, end: int, instead: bytes = b"") -> None:
        """buffer[start:end] becomes `instead`; calls come in ascending order."""
        if start > self._kept:
            self._parts.append(self.buffer[self._kept : start])
        if instead:
            self._parts.append(instead)
        self._kept = end

    def replace_rows(self, start: int, end: int, instead: bytes) -> int:
        """As `replace`; returns the size of what was put in."""
        self.replace(start, end, instead)
        return len(instead)

    def insert(self, position: int, extra: bytes) -> None:
        """`extra` goes before buffer[position]."""
        self.replace(position, position, extra)

    def finish(self, end: int) -> bytes:
        """The output for buffer[:end]."""
        if not self._parts:
            return self.buffer if self._kept == 0 and end == len(self.buffer) else self.buffer[self._kept : end]
        if end > self._kept:
            self._parts.append(self.buffer[self._kept : end])
        return b"".join(self._parts)
