"""The supervisor: opens the sockets, starts the children, starts them again, and ends them in order.

It does no work of its own, so that it has nothing to fail at. SIGTERM and SIGINT drain, SIGHUP reloads.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dbgate.control.orders import Word
from dbgate.serve.listening import Open, close_listeners, hand_down, open_listeners
from dbgate.settings.listeners import listeners
from dbgate.settings.model import Settings

log = logging.getLogger("dbgate.serve")

#: seconds before a child that ended is started again: doubled each time it ends young
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0
#: seconds after which a child counts as healthy
GROWN_UP = 10.0
#: seconds that children get beyond gate.drain
GRACE = 5.0
#: seconds for the control process to ship the last events
CONTROL_GRACE = 15.0
#: seconds until all children must be ready at the start
START_LIMIT = 60.0


class CannotStart(Exception):  # noqa: N818
    """The message says why, for the person who started the gate."""


class Child:
    """One child process, kept alive until told to end."""

    def __init__(self, name: str, arguments: list[str], descriptors: list[int]) -> None:
        self.name = name
        self.ready = asyncio.Event()
        self._command = [sys.executable, "-m", "dbgate.serve.child", *arguments]
        self._descriptors = descriptors
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self._pause = FIRST_PAUSE

    async def keep(self) -> None:
        """Starts the child, and again whenever it ends. Returns when it ended after `end`."""
        while not self._ending:
            began = time.monotonic()
            code = await self._run()
            await self._mourn(code, time.monotonic() - began)

    async def _mourn(self, code: int, lived: float) -> None:
        if not self._ending:
            log.error("child ended", extra={"fields": {"child": self.name, "code": code}})
            await asyncio.sleep(self._next_pause(lived))

    def _next_pause(self, lived: float) -> float:
        pause = FIRST_PAUSE if lived > GROWN_UP else self._pause
        self._pause = min(2 * pause, LONGEST_PAUSE)
        return pause

    async def _run(self) -> int:
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=self._descriptors,
            start_new_session=True,
        )
        assert process.stdout is not None
        async for line in process.stdout:
            if line.strip() == Word.READY.value.encode():
                self.ready.set()
        self.ready.clear()
        return await process.wait()

    def tell(self, word: Word) -> None:
        process = self._process
        if process is not None and process.returncode is None and process.stdin is not None:
            with suppress(OSError):
                process.stdin.write(word.value.encode() + b"\n")

    def end(self) -> None:
        """Tells it to drain; it is not started again."""
        self._ending = True
        self.tell(Word.DRAIN)

    def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            log.error("child killed: it did not end in time", extra={"fields": {"child": self.name}})
            self._process.kill()


class Supervisor:
    """`announce` is called once with the addresses, when every worker accepts connections."""

    def __init__(self, settings: Settings, announce: Callable[[str], None]) -> None:
        self._settings, self._announce = settings, announce
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Until SIGTERM or SIGINT. Raises CannotStart, CannotListen."""
        lock = _prepare(self._settings.gate.directory)
        shares = open_listeners(listeners(self._settings), self._settings.gate.workers)
        try:
            await self._supervise(shares)
        finally:
            close_listeners(shares)
            _remove_unix(self._settings)
            os.close(lock)

    async def _supervise(self, shares: list[list[Open]]) -> None:
        control = Child("control", ["control", *self._config()], [])
        workers = [self._worker(number, share) for number, share in enumerate(shares)]
        children = [control, *workers]
        self._handle_signals(children)
        keepers = {child: asyncio.create_task(child.keep()) for child in children}
        try:
            if await self._become_ready(children):
                self._announce(", ".join(map(str, shares[0])))
                await self._stop.wait()
            await _end(workers, keepers, self._settings.gate.drain + GRACE)
            await _end([control], keepers, CONTROL_GRACE)
        finally:
            for child in children:
                child.kill()
            await asyncio.gather(*keepers.values(), return_exceptions=True)

    def _config(self) -> list[str]:
        return ["--config", str(self._settings.file)]

    def _worker(self, number: int, share: list[Open]) -> Child:
        descriptors = [each.socket.fileno() for each in share]
        arguments = ["worker", *self._config(), "--number", str(number), "--listeners", hand_down(share)]
        return Child(f"worker-{number}", arguments, descriptors)

    def _handle_signals(self, children: list[Child]) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, _tell_all, children, Word.RELOAD)

    async def _become_ready(self, children: list[Child]) -> bool:
        """False when told to stop before. Raises CannotStart when the children don't get ready."""
        ready = asyncio.gather(*(child.ready.wait() for child in children))
        stopped = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((ready, stopped), timeout=START_LIMIT, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done() and not stopped.done():
                missing = ", ".join(child.name for child in children if not child.ready.is_set())
                raise CannotStart(f"not ready within {START_LIMIT:.0f} s: {missing}; the log above says why")
            return ready.done()
        finally:
            for waiting in (ready, stopped):
                waiting.cancel()
            await asyncio.gather(ready, stopped, return_exceptions=True)


def _tell_all(children: list[Child], word: Word) -> None:
    for child in children:
        child.tell(word)


async def _end(children: list[Child], keepers: dict[Child, asyncio.Task[None]], limit: float) -> None:
    for child in children:
        child.end()
    _, late = await asyncio.wait([keepers[child] for child in children], timeout=limit)
    if late:
        for child in children:
            child.kill()
        await asyncio.wait(late)


def _prepare(directory: Path) -> int:
    """Makes the directory private and takes its lock: a descriptor to close at the end. Raises CannotStart."""
    try:
        for each in (directory, directory / "run"):
            each.mkdir(parents=True, exist_ok=True)
            each.chmod(0o700)
        lock = os.open(directory / "run" / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise CannotStart(f"gate.directory {directory} cannot be used: {fault.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise CannotStart(f"another gate runs in {directory}; give this one its own gate.directory") from None
    return lock


def _remove_unix(settings: Settings) -> None:
    for listener in listeners(settings):
        if (path := listener.address.path) is not None:
            with suppress(FileNotFoundError):
                path.unlink()
