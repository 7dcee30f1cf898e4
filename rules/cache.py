"""Decisions kept by their exact text, in a bounded number of bytes.

The bound is one for all caches of a policy (`Memory`), and counts what is kept: texts, decisions with all that hangs
on them, and the tables that hold both. `weight` is an upper estimate; `python -m bench.decisions` measures it against
the interpreter's own count.
"""

from __future__ import annotations

import weakref
from dataclasses import fields
from enum import Enum
from sys import getsizeof
from typing import Any, Final

from rules.decision import Decision, Verdict

MOST_ENTRIES: Final = 16384  # in each of two generations
MOST_BYTES: Final = 32 << 20
LONGEST_ADMITTED: Final = 16 << 10

#: a dictionary's share of one entry, half empty as it may be after it has grown, and the old table beside the new one
#: while it grows
_ENTRY: Final = 184
_NAMES: Final = tuple(field.name for field in fields(Decision))
_DECISION: Final = getsizeof(Decision(Verdict.ALLOW, ""))
_INTEGER: Final = 32
#: kinds, verdicts, empty tuples: there once for all
_SHARED: Final = (type(None), bool, Enum)


def weight(text: bytes, decisions: tuple[Decision, ...]) -> int:
    """Bytes of memory that keeping this text costs. What decisions may share (masks, rule ids) counts each time."""
    total = _ENTRY + getsizeof(text) + getsizeof(decisions)
    for decision in decisions:
        total += _DECISION
        for name in _NAMES:
            value = getattr(decision, name)
            if value:  # numbers below 257, empty texts and tuples, None and False are there once for all
                total += _weight(value)
    return total


def _weight(value: Any) -> int:
    kind = type(value)
    if kind is str or kind is bytes:
        return getsizeof(value)
    if kind is tuple:
        return getsizeof(value) + sum(map(_weight, value))
    if kind is int:
        return _INTEGER
    if isinstance(value, _SHARED):
        return 0
    return getsizeof(value) + sum(_weight(getattr(value, name)) for name in kind.__slots__)


class Memory:
    """What the caches of a policy may hold together, `most_bytes`, and what they hold: `young` and `old` bytes.

    Whenever the young generations fill half of it, all caches turn at once."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self.most_bytes = most_bytes
        self.young = self.old = 0
        self._caches: weakref.WeakSet[Cache] = weakref.WeakSet()

    def add(self, cache: Cache) -> None:
        self._caches.add(cache)

    def take(self, size: int) -> None:
        """Counts `size` bytes more in a young generation, after making room for them."""
        if (self.young + size) * 2 > self.most_bytes or self.young + self.old + size > self.most_bytes:
            for cache in self._caches:
                cache.turn()
            self.old = sum(cache.old_bytes for cache in self._caches)  # without those that are gone
            self.young = 0
        self.young += size


class Cache:
    """Exact text -> its decisions, in two generations: when the young one is full it becomes the old one, and what is
    still asked for moves back. Bounded by entries and by its share of `memory`."""

    def __init__(self, most_entries: int = MOST_ENTRIES, memory: Memory | None = None) -> None:
        self.young: dict[bytes, tuple[Decision, ...]] = {}
        self.old: dict[bytes, tuple[Decision, ...]] = {}
        self.young_bytes = self.old_bytes = 0
        self._most_entries = most_entries
        self._memory = memory or Memory()
        self._memory.add(self)

    def put(self, text: bytes, decisions: tuple[Decision, ...]) -> None:
        if len(text) > LONGEST_ADMITTED or text in self.young:
            return
        size, memory = weight(text, decisions), self._memory
        if size * 2 > memory.most_bytes:
            return
        if len(self.young) >= self._most_entries:
            memory.old += self.young_bytes - self.old_bytes
            memory.young -= self.young_bytes
            self.turn()
        memory.take(size)
        self.young[text] = decisions
        self.young_bytes += size

    def turn(self) -> None:
        """The young generation becomes the old one."""
        self.old, self.young = self.young, {}
        self.old_bytes, self.young_bytes = self.young_bytes, 0
