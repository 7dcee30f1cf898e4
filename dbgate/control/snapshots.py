"""The workers' counters, as the control process last heard of them."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

#: a worker that was silent for this many seconds is not ready
SILENCE = 5.0


def metrics_path(directory: Path) -> Path:
    """Where workers send snapshots. `directory`: gate.directory."""
    return directory / "run" / "control.sock"


class Snapshots:
    """`workers`: how many there should be."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._latest: dict[int, dict[str, Any]] = {}
        self._heard: dict[int, float] = {}

    def take(self, snapshot: dict[str, Any]) -> None:
        number = int(snapshot["worker"])
        self._latest[number] = snapshot
        self._heard[number] = time.monotonic()

    def latest(self) -> list[dict[str, Any]]:
        return [self._latest[number] for number in sorted(self._latest)]

    def problems(self) -> list[str]:
        """Why the gate is not ready; empty when it is."""
        found = []
        for number in range(self.workers):
            if time.monotonic() - self._heard.get(number, -SILENCE) > SILENCE:
                found.append(f"worker {number} is silent")
            else:
                found += _problems(self._latest[number])
        return found


def _problems(snapshot: dict[str, Any]) -> list[str]:
    number = snapshot["worker"]
    found = [] if snapshot["listening"] else [f"worker {number} accepts no connections"]
    if not snapshot["audit_available"]:
        found.append(f"worker {number}: the audit log takes nothing")
    unloaded = [name for name, loaded in snapshot["databases"].items() if not loaded]
    return found + [f"worker {number}: the catalog of {name} is not loaded" for name in unloaded]


class SnapshotPost(asyncio.DatagramProtocol):
    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def datagram_received(self, data: bytes, addr: object) -> None:
        with suppress(ValueError, KeyError, TypeError):  # the directory is ours alone: only a torn datagram is possible
            self._snapshots.take(json.loads(data))


async def open_post(directory: Path, snapshots: Snapshots) -> asyncio.DatagramTransport:
    path = str(metrics_path(directory))
    with suppress(FileNotFoundError):
        os.unlink(path)
    post = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        post.bind(path)
        post.setblocking(False)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: SnapshotPost(snapshots), sock=post
        )
    except BaseException:
        post.close()
        raise
    return transport
