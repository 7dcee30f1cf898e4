"""Event ids: UUIDv7 text (RFC 9562, 5.7), rising within a process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_COUNTER_START = 2**47  # the counter starts below, so 2^47 ids fit into one millisecond's prefix


class EventIds:
    """Makes UUIDv7 texts: 48 bits of milliseconds, 26 random bits per millisecond, 48 bits that start at random and
    count up (RFC 9562, 6.2, method 1). Ids rise even when the clock steps back. One instance per process.
    """

    __slots__ = ("_clock", "_counter", "_millisecond", "_prefix", "_random")

    def __init__(self, clock: Callable[[], int] = time.time_ns, random: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random = random
        self._millisecond = -1
        self._prefix = ""
        self._counter = 0

    def next(self, now: int | None = None) -> str:
        """The next id. `now`: nanoseconds since the epoch, when the caller has just read the clock."""
        millisecond = (self._clock() if now is None else now) // 1_000_000
        if millisecond > self._millisecond:
            self._begin(millisecond)
        self._counter += 1
        return f"{self._prefix}{self._counter:012x}"

    def _begin(self, millisecond: int) -> None:
        noise = int.from_bytes(self._random(10), "big")
        self._millisecond = millisecond
        self._counter = noise % _COUNTER_START
        stamp = f"{millisecond & 0xFFFF_FFFF_FFFF:012x}"
        self._prefix = f"{stamp[:8]}-{stamp[8:]}-7{noise >> 68 & 0xFFF:03x}-{0x8000 | noise >> 54 & 0x3FFF:04x}-"
