"""What the supervisor and its children say to each other.

A child reads words from its stdin, one a line, and writes words to its stdout. End of stdin means that the supervisor
is gone: the child ends as if told to drain.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from enum import Enum


class Word(Enum):
    """`READY` comes from the child, the others from the supervisor."""

    READY = "ready"
    RELOAD = "reload"
    DRAIN = "drain"


class Orders(asyncio.Protocol):
    """The supervisor's words, by callback. The end of the pipe counts as DRAIN."""

    def __init__(self, handle: Callable[[Word], None]) -> None:
        self._handle = handle
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._handle(Word(line.decode()))

    def connection_lost(self, exc: Exception | None) -> None:
        self._handle(Word.DRAIN)


async def follow_orders(handle: Callable[[Word], None]) -> asyncio.ReadTransport:
    """Close the transport when the child's work is done."""
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: Orders(handle), sys.stdin.buffer)
    return transport


def say(word: Word) -> None:
    sys.stdout.write(word.value + "\n")
    sys.stdout.flush()
