"""Cancel keys of our own, and the way of a cancel request to the worker that has the session.

The client never sees the upstream's key. The process id we give out carries the worker's number, so a request that
lands on another worker is handed on, one datagram through the gate's own directory.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

#: bits of a process id that hold the worker's number; the rest counts. Bit 31 stays 0: drivers read a signed number
WORKER_BITS = 8
_SERIALS = 1 << 23

SHORT_KEY, LONG_KEY = 4, 32


class ConnectionIds:
    """Fresh ids of one worker, none given out twice at the same time. `worker` counts from 0."""

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self._next = secrets.randbelow(_SERIALS)
        self._used: set[int] = set()

    def issue(self) -> int:
        while True:
            self._next = (self._next + 1) % _SERIALS
            found = (self._next << WORKER_BITS) | self.worker
            if found and found not in self._used:
                self._used.add(found)
                return found

    def forget(self, found: int) -> None:
        self._used.discard(found)


class CancelKeys(Generic[T]):
    """The sessions of one worker by process id and secret key. `worker` counts from 0."""

    def __init__(self, worker: int) -> None:
        self.worker = worker
        self._ids = ConnectionIds(worker)
        self._sessions: dict[int, tuple[bytes, T]] = {}

    def issue(self, session: T, long: bool) -> tuple[int, bytes]:
        """A fresh (process id, key). `long`: 32 bytes, for protocol 3.2."""
        process_id = self._ids.issue()
        key = secrets.token_bytes(LONG_KEY if long else SHORT_KEY)
        self._sessions[process_id] = (key, session)
        return process_id, key

    def forget(self, process_id: int) -> None:
        self._sessions.pop(process_id, None)
        self._ids.forget(process_id)

    def find(self, process_id: int, key: bytes) -> T | None:
        """The session, when the key is right; compared in constant time."""
        known, session = self._sessions.get(process_id, (b"", None))
        return session if hmac.compare_digest(known, key) and known else None


def worker_of(process_id: int) -> int:
    return process_id & ((1 << WORKER_BITS) - 1)


def socket_path(directory: Path, worker: int) -> Path:
    """Where a worker hears of cancel requests that others received. `directory`: gate.directory."""
    return directory / "run" / f"worker-{worker}.sock"


class CancelPost(asyncio.DatagramProtocol):
    """Receives requests for this worker: 4 bytes of process id, then the key."""

    def __init__(self, received: Callable[[int, bytes], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: object) -> None:
        if 4 < len(data) <= 4 + 256:
            self._received(int.from_bytes(data[:4], "big"), data[4:])


async def open_post(path: Path, received: Callable[[int, bytes], None]) -> asyncio.DatagramTransport:
    """Listens at `path`, in a directory that only the gate's own user may enter."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    post = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        post.bind(str(path))
        post.setblocking(False)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: CancelPost(received), sock=post
        )
    except BaseException:
        post.close()
        raise
    return transport


def hand_on(directory: Path, process_id: int, key: bytes) -> None:
    """Sends a request to the worker whose session it is. A worker that isn't there has no such session."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as post, suppress(OSError):
        post.setblocking(False)
        post.sendto(process_id.to_bytes(4, "big") + key, str(socket_path(directory, worker_of(process_id))))
