"""Long texts go to a process of their own (`decider`), so that the worker's other sessions don't wait for a parser.

One process for each worker, started with the first long text. It gets one text at a time; those that wait are served in
turn. When it takes too long, dies or answers nonsense it is killed, the text is refused, and the next one gets a new
process. Whoever hands in a text is called back once, unless the worker stops.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from dbgate.net.decider import LENGTH, Decide, Decided, Reply, Request, Use, decode_reply, encode
from rules.decision import Decision
from rules.policy import Policy, PolicyContext, internal, refused
from rules.tree import Unparsable

log = logging.getLogger("dbgate.net")

Decisions: TypeAlias = tuple[Decision, ...]

#: seconds that one text may take
TIME_LIMIT: Final = 10.0
#: seconds until the process has started and read a policy
START_TIME: Final = 60.0
#: bytes of address space of the process
MEMORY: Final = 4 << 30
COMMAND: Final = (sys.executable, "-m", "dbgate.net.decider")

TOO_SLOW: Final = Unparsable(
    "too-complex",
    "it takes too long to be checked",
    "split it into smaller statements, or pass long lists as one array parameter (= ANY($1))",
)


class DeciderLost(Exception):  # noqa: N818
    """The process died or said what it may not say."""


@dataclass(frozen=True, slots=True)
class Job:
    """`wanted`: does somebody still wait for it? `then`: gets the decisions."""

    context: PolicyContext
    text: bytes
    wanted: Callable[[], bool]
    then: Callable[[Decisions], None]


class Elsewhere:
    """Make and use it inside a running loop. `command`: the process, without its argument (bytes of memory)."""

    def __init__(
        self, *, time_limit: float = TIME_LIMIT, memory: int = MEMORY, command: tuple[str, ...] = COMMAND
    ) -> None:
        self._time_limit, self._memory, self._command = time_limit, memory, command
        self._jobs: deque[Job] = deque()
        self._task: asyncio.Task[None] | None = None
        self._process: Process | None = None
        self.killed = 0

    @property
    def pid(self) -> int | None:
        """The process at work, if there is one."""
        return self._process.pid if self._process is not None else None

    def submit(self, job: Job) -> None:
        self._jobs.append(job)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work_off())

    async def stop(self) -> None:
        """Ends the process. Nobody is called back any more."""
        self._jobs.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._kill()

    # ------------------------------------------------------------ one text after the other

    async def _work_off(self) -> None:
        while self._jobs:
            job = self._jobs.popleft()
            if job.wanted():
                job.then(await self._decided(job))

    async def _decided(self, job: Job) -> Decisions:
        try:
            return await self._ask(job)
        except TimeoutError:
            log.warning("a text was refused: it took too long", extra={"fields": {"bytes": len(job.text)}})
            problem = TOO_SLOW
        except (DeciderLost, OSError) as fault:
            log.error("the process that decides long texts was lost", extra={"fields": {"why": type(fault).__name__}})
            problem = internal(fault)
        await self._kill()
        return (refused(problem),)

    async def _ask(self, job: Job) -> Decisions:
        context = job.context
        async with asyncio.timeout(START_TIME):
            process = await self._ready(context.policy, context.database)
        async with asyncio.timeout(self._time_limit):
            reply = await process.ask(
                Decide(context.database, context.role, context.user, context.search_path, job.text, self._time_limit)
            )
        if not isinstance(reply, Decided):
            raise DeciderLost
        if reply.failure:
            log.error("a long text could not be decided", extra={"fields": {"fault": reply.failure}})
        if reply.lasting:
            context.remember(job.text, reply.decisions)
        return reply.decisions

    # ------------------------------------------------------------ the process

    async def _ready(self, policy: Policy, database: str) -> Process:
        """The process, with this policy for this database."""
        process = self._process
        if process is None or process.ended:
            await self._kill()
            process = self._process = await Process.start(*self._command, str(self._memory))
        if process.policies.get(database) is not policy:
            catalog = replace(policy.catalog)  # without what has been worked out from it
            blob = await asyncio.to_thread(encode, Use(database, policy.rulebook, catalog))
            await process.exchange(blob)
            process.policies[database] = policy
        return process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            self.killed += not process.ended
            await process.kill()


class Process:
    """One decider. `policies`: what it knows by database."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.policies: dict[str, Policy] = {}

    @classmethod
    async def start(cls, *command: str) -> Process:
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def ask(self, request: Request) -> Reply:
        """Raises DeciderLost."""
        return await self.exchange(encode(request))

    async def exchange(self, message: bytes) -> Reply:
        """Raises DeciderLost."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(message)
            await self._process.stdin.drain()
            (length,) = LENGTH.unpack(await self._process.stdout.readexactly(LENGTH.size))
            return decode_reply(await self._process.stdout.readexactly(length))
        except (ConnectionError, asyncio.IncompleteReadError, pickle.UnpicklingError) as fault:
            raise DeciderLost from fault

    async def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
