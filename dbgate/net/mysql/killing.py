"""Connection ids of the gate's own, and KILL by them: of sessions of one's own, on whichever worker they are.

An id carries its worker's number. What is asked of another worker goes as a datagram through the gate's own directory,
which only the gate's user may enter, and so does the answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias

from dbgate.net.cancel import ConnectionIds, worker_of
from dbgate.net.driver import Driver
from dbgate.net.mysql.queries import MysqlQueryFailed, run_query
from dbgate.net.mysql.upstream import UpstreamConnection, connect
from dbgate.net.reaching import QueryFailed, UpstreamUnavailable

#: seconds that another worker may take for its answer
ANSWER_TIME = 10.0
#: bytes of a question or an answer
MAX_DATAGRAM = 4096
NO_SUCH_THREAD = 1094
KILLED = "killed by another session of the same user"


async def kill_upstream(upstream: UpstreamConnection, *, query_only: bool) -> bool:
    """KILL over a connection of its own. Returns whether it is certain that no signal is still to come: the server has
    answered, or was never asked."""
    asked = False
    try:
        async with asyncio.timeout(upstream.settings.connect_timeout):
            side = await connect(upstream.settings)
            try:
                asked = True
                await run_query(side, f"KILL {'QUERY' if query_only else 'CONNECTION'} {upstream.connection_id}")
            finally:
                side.close()
    except MysqlQueryFailed:
        return True  # the server knows no such connection any more, or does not let the gate's user
    except (UpstreamUnavailable, QueryFailed, OSError, TimeoutError):
        return not asked
    return True


@dataclass(frozen=True, slots=True)
class Running:
    """An open session, as KILL sees it."""

    identity: str
    driver: Driver
    upstream: UpstreamConnection


Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]


class Killer:
    """The sessions of one worker by connection id. `start` runs what an answer takes."""

    def __init__(self, worker: int, directory: Path, start: Spawn) -> None:
        self.ids = ConnectionIds(worker)
        self._directory, self._start = directory, start
        self._running: dict[int, Running] = {}
        self._questions = count(1)
        self._asked: dict[int, asyncio.Future[bool]] = {}

    def opened(self, connection_id: int, running: Running) -> None:
        self._running[connection_id] = running

    def closed(self, connection_id: int) -> None:
        self._running.pop(connection_id, None)
        self.ids.forget(connection_id)

    async def kill(self, identity: str, connection_id: int, *, query_only: bool) -> bool:
        """Ends what the session runs, or the session. False when this identity has no such session."""
        if worker_of(connection_id) == self.ids.worker or connection_id >> 32:
            return await self.kill_here(identity, connection_id, query_only=query_only)
        return await self._ask(identity, connection_id, query_only)

    async def kill_here(self, identity: str, connection_id: int, *, query_only: bool) -> bool:
        running = self._running.get(connection_id)
        if running is None or running.identity != identity:
            return False
        await kill_upstream(running.upstream, query_only=query_only)
        if not query_only:
            running.driver.close(KILLED)
        return True

    # ------------------------------------------------------------ other workers

    async def _ask(self, identity: str, connection_id: int, query_only: bool) -> bool:
        number = next(self._questions)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        question = {"number": number, "from": self.ids.worker, "identity": identity}
        try:
            self._send(worker_of(connection_id), {**question, "id": connection_id, "query_only": query_only})
            return await asyncio.wait_for(answer, ANSWER_TIME)
        except (OSError, TimeoutError):  # no such worker, or one that is stuck: its sessions cannot be ended either
            return False
        finally:
            del self._asked[number]

    def received(self, data: bytes) -> None:
        """A datagram of another worker: a question or an answer."""
        with suppress(ValueError, KeyError, TypeError):
            message = json.loads(data)
            handle = self._answered if "found" in message else self._asked_by
            handle(message)

    def _answered(self, message: dict[str, Any]) -> None:
        answer = self._asked.get(int(message["number"]))
        if answer is not None and not answer.done():
            answer.set_result(bool(message["found"]))

    def _asked_by(self, message: dict[str, Any]) -> None:
        number, worker, connection_id = (int(message[key]) for key in ("number", "from", "id"))
        work = self.kill_here(str(message["identity"]), connection_id, query_only=bool(message["query_only"]))
        self._start(self._answer(worker, number, work))

    async def _answer(self, worker: int, number: int, work: Awaitable[bool]) -> None:
        found = await work
        with suppress(OSError):
            self._send(worker, {"number": number, "found": found})

    def _send(self, worker: int, message: dict[str, Any]) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as post:
            post.setblocking(False)
            post.sendto(json.dumps(message).encode(), str(post_path(self._directory, worker)))


def post_path(directory: Path, worker: int) -> Path:
    """Where a worker hears of KILL from others. `directory`: gate.directory."""
    return directory / "run" / f"kill-{worker}.sock"


class KillPost(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: object) -> None:
        if len(data) <= MAX_DATAGRAM:
            self._received(data)


async def open_kill_post(path: Path, received: Callable[[bytes], None]) -> asyncio.DatagramTransport:
    """Listens at `path`, in a directory that only the gate's own user may enter."""
    with suppress(FileNotFoundError):
        os.unlink(path)
    post = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        post.bind(str(path))
        post.setblocking(False)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: KillPost(received), sock=post)
    except BaseException:
        post.close()
        raise
    return transport
