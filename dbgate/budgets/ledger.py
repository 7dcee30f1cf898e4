"""One file of fixed slots, shared by the workers of a gate: read and written in place under a lock of the file.

    header   magic, the number of slots, how often one was given away
    slot     key (16 bytes), the second after which it may be given away, then what is counted there:
             a window's start with rows, bytes and cells, or the statements of each of the last 61 seconds

An addition is some five microseconds: a lock, one read, one write. A killed process loses nothing, since what was
written lies with the operating system, and its lock ends with it. A machine that fails may lose the last half minute.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import Final

MAGIC: Final = b"dbgate budgets 1"
HEADER: Final = Struct("<16sQQ")
#: key, expiry in seconds since the epoch
HEAD: Final = Struct("<16sQ")
#: start of the window (seconds since the epoch), rows, bytes, cells
SUMS: Final = Struct("<QQQQ")
#: the second that was counted last, statements in the second n of each 61
SECONDS: Final = 61
RATE: Final = Struct(f"<Q{SECONDS}I")
KEY_SIZE: Final = 16
SLOT_SIZE: Final = 288
FIRST: Final = 64
#: slots between two looks for some that may be given away
BLOCK: Final = 1024
#: seconds that somebody else may keep the lock: a stopped process must not stop the gate
LOCK_TIME: Final = 0.1
LOCK_PAUSE: Final = 0.0002
#: seconds that a slot is kept beyond its use, for clocks that differ
KEPT: Final = 120
LARGEST: Final = (1 << 63) - 1


class LedgerUnusable(Exception):  # noqa: N818
    """It can be neither read nor written; the text says why, and names the file."""


class Ledger:
    """`clock`: seconds since the epoch. The file is opened when it is first needed."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.clock = clock
        self._file = -1
        self._slots: dict[bytes, int] = {}
        self._seen = self._given_away = 0
        self._free: list[int] = []

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    # ------------------------------------------------------------ sums

    def sums(self, key: bytes, window: int) -> tuple[int, int, int]:
        """(rows, bytes, cells) of the window that is open now."""
        with self._locked() as file:
            slot = self._find(file, key)
            return self._read_sums(file, slot, self.window_start(window))[1:]

    def add(self, parts: tuple[tuple[bytes, int, tuple[int, int, int]], ...], more: tuple[int, int, int]) -> bool:
        """Adds to the windows of several keys, (key, window, the most that each sum may become): to all or to none."""
        with self._locked() as file:
            writes = []
            for key, window, most in parts:
                start = self.window_start(window)
                slot = self._find(file, key)
                began, *before = self._read_sums(file, slot, start)
                after = [min(a + b, LARGEST) for a, b in zip(before, more, strict=True)]
                if any(new > limit and extra for new, limit, extra in zip(after, most, more, strict=True)):
                    return False
                writes.append((key, slot, began + window, SUMS.pack(began, *after)))
            for key, slot, until, data in writes:
                self._write(file, self._make(file, key) if slot < 0 else slot, key, until, data)
        return True

    def window_start(self, window: int) -> int:
        now = int(self.clock())
        return now - now % window

    def _read_sums(self, file: int, slot: int, start: int) -> tuple[int, int, int, int]:
        """The window's start and sums. One that began later than ours is of a clock that went back: it holds on."""
        if slot < 0:
            return start, 0, 0, 0
        began, rows, size, cells = SUMS.unpack_from(self._read(file, slot), HEAD.size)
        return (began, rows, size, cells) if began >= start else (start, 0, 0, 0)

    # ------------------------------------------------------------ statements in a minute

    def tick(self, key: bytes, count: int, most: int) -> float:
        """Counts statements, at most so many in any 60 seconds: 0.0, or the seconds to wait, and none was counted."""
        with self._locked() as file:
            now = self.clock()
            slot = self._find(file, key)
            last, seconds = self._read_rate(file, slot) if slot >= 0 else (0, [0] * SECONDS)
            second = max(int(now), last)
            _forget(seconds, last, second)
            if sum(seconds) + count > most:
                return _wait(seconds, second, sum(seconds) + count - most) - (now - second)
            seconds[second % SECONDS] += count
            data = RATE.pack(second, *seconds)
            self._write(file, self._make(file, key) if slot < 0 else slot, key, second + SECONDS, data)
        return 0.0

    def _read_rate(self, file: int, slot: int) -> tuple[int, list[int]]:
        last, *seconds = RATE.unpack_from(self._read(file, slot), HEAD.size)
        return last, seconds

    # ------------------------------------------------------------ slots

    def _find(self, file: int, key: bytes) -> int:
        """The key's slot, -1 when it has none."""
        slot = self._slots.get(key, -1)
        if slot >= 0 and self._read(file, slot).startswith(key):
            return slot
        self._slots.pop(key, None)  # given away
        self._look(file)
        return self._slots.get(key, -1)

    def _look(self, file: int) -> None:
        """Slots that others have made, or taken over, since the last look."""
        count, given_away = self._header(file)
        for slot in range(self._seen if given_away == self._given_away else 0, count):
            self._slots[self._read(file, slot)[:KEY_SIZE]] = slot
        self._seen, self._given_away = count, given_away

    def _make(self, file: int, key: bytes) -> int:
        """A slot for a new key: one that has expired, or a new one at the end."""
        count, given_away = self._header(file)
        if count and count % BLOCK == 0 and not self._free:
            self._free = [slot for slot in range(count) if self._expired(file, slot)]
        while self._free:
            slot = self._free.pop()
            if self._expired(file, slot):
                os.pwrite(file, HEADER.pack(MAGIC, count, given_away + 1), 0)
                self._slots[key] = slot
                return slot
        os.pwrite(file, bytes(SLOT_SIZE), FIRST + count * SLOT_SIZE)
        os.pwrite(file, HEADER.pack(MAGIC, count + 1, given_away), 0)
        self._slots[key] = count
        return count

    def _expired(self, file: int, slot: int) -> bool:
        return HEAD.unpack_from(self._read(file, slot))[1] + KEPT < self.clock()  # type: ignore[no-any-return]

    def _read(self, file: int, slot: int) -> bytes:
        data = os.pread(file, SLOT_SIZE, FIRST + slot * SLOT_SIZE)
        return data if len(data) == SLOT_SIZE else data.ljust(SLOT_SIZE, b"\0")

    def _write(self, file: int, slot: int, key: bytes, until: int, data: bytes) -> None:
        os.pwrite(file, HEAD.pack(key, until) + data, FIRST + slot * SLOT_SIZE)

    def _header(self, file: int) -> tuple[int, int]:
        """(slots, how often one was given away)."""
        magic, count, given_away = HEADER.unpack(os.pread(file, HEADER.size, 0).ljust(HEADER.size, b"\0"))
        if magic not in (MAGIC, bytes(len(MAGIC))):
            raise LedgerUnusable(f"{self.path} is no file of budgets of this version; move it away")
        return count, given_away

    # ------------------------------------------------------------ the file

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """The open file, locked. Every fault of the system comes out as LedgerUnusable."""
        try:
            if self._file < 0:
                self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._lock(self._file)
            try:
                yield self._file
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
        except OSError as fault:
            raise LedgerUnusable(f"{self.path}: {fault.strerror or type(fault).__name__}") from fault

    def _lock(self, file: int) -> None:
        end = None
        while True:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                end = end or time.monotonic() + LOCK_TIME
                if time.monotonic() > end:
                    raise
                time.sleep(LOCK_PAUSE)
            else:
                return


def _forget(seconds: list[int], last: int, second: int) -> None:
    """Clears what lies more than 60 seconds before `second`."""
    for passed in range(last + 1, min(second, last + SECONDS) + 1):
        seconds[passed % SECONDS] = 0


def _wait(seconds: list[int], second: int, excess: int) -> float:
    """Whole seconds from `second` until so many statements are forgotten."""
    for later in range(1, SECONDS + 1):
        excess -= seconds[(second + later) % SECONDS]
        if excess <= 0:
            return float(later)
    return float(SECONDS)
