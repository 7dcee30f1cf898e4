"""One worker's connections of both protocols: accepting them, the bounds on logins, and draining."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterable
from typing import Protocol

from dbgate.net import client_login
from dbgate.net.driver import Driver
from dbgate.net.sessions import Sessions

log = logging.getLogger("dbgate.net")

ADMIN_SHUTDOWN = "57P01"
SHUTTING_DOWN = "terminating connection: the gate is shutting down"
#: seconds to wait after accept() failed for want of descriptors or memory
ACCEPT_PAUSE = 0.05
#: seconds for the last bytes to leave before the loop ends
LAST_WORDS = 0.1


class End(Protocol):
    """One protocol's way from an accepted connection to a session."""

    async def log_in(self, client: socket.socket) -> None:
        """Returns when the session has begun or the client was told why not. Raises client_login.ENDINGS; the
        connection is closed then, and when it is cancelled."""


class Gateway:
    """`half_open`: connections that may be logging in at once, of all listeners together."""

    def __init__(self, sessions: Sessions, *, authentication_timeout: float = 60.0, half_open: int = 200) -> None:
        self.sessions = sessions
        self._timeout, self._half_open = authentication_timeout, half_open
        self._logins = 0
        self._listeners: set[asyncio.Task[None]] = set()

    @property
    def drivers(self) -> frozenset[Driver]:
        return self.sessions.drivers

    # ------------------------------------------------------------ listening

    def listen(self, listeners: Iterable[tuple[socket.socket, End]]) -> None:
        """Accepts connections on sockets that listen already."""
        for listener, end in listeners:
            listener.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._accept(listener, end))
            self._listeners.add(task)

    async def _accept(self, listener: socket.socket, end: End) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except ConnectionAbortedError:
                continue
            except OSError as fault:
                log.warning("accept failed", extra={"fields": {"fault": fault.strerror or type(fault).__name__}})
                await asyncio.sleep(ACCEPT_PAUSE)
                continue
            self.sessions.start(self._serve(client, end))

    async def _serve(self, client: socket.socket, end: End) -> None:
        self.sessions.counters.connections += 1
        self._logins += 1
        try:
            if self._logins > self._half_open:
                log.warning("too many connections are logging in", extra={"fields": {"limit": self._half_open}})
                client.close()
                return
            async with asyncio.timeout(self._timeout):
                await end.log_in(client)
        except TimeoutError:
            self.sessions.count_refusal("timeout")
        except client_login.ENDINGS:
            self.sessions.count_refusal("ended")
        finally:
            self._logins -= 1

    # ------------------------------------------------------------ the end

    async def drain(self, patience: float) -> None:
        """No new sessions; idle ones end now, the others when their transaction does, the rest after `patience`
        seconds. Returns when all are gone."""
        self.sessions.draining = True
        await self._stop_listening()
        for pair in self.drivers:
            pair.drain(SHUTTING_DOWN)
        await self._until_all_ended(time.monotonic() + patience)
        for pair in self.drivers:
            pair.terminate(ADMIN_SHUTDOWN, SHUTTING_DOWN)
        await _cancel_all(self.sessions.tasks)
        await asyncio.sleep(LAST_WORDS)

    async def _until_all_ended(self, deadline: float) -> None:
        sessions = self.sessions
        while (sessions.drivers or sessions.tasks) and (left := deadline - time.monotonic()) > 0:
            sessions.changed.clear()
            try:
                await asyncio.wait_for(sessions.changed.wait(), min(left, 0.1))
            except TimeoutError:
                continue

    async def _stop_listening(self) -> None:
        await _cancel_all(self._listeners)
        self._listeners.clear()


async def _cancel_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    waiting = list(tasks)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
