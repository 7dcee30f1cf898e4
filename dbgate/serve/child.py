"""The start of a child process: a program of its own (`python -m dbgate.serve.child`), not a fork, so that nothing of
a running loop is inherited but the listening sockets."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import logging
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from dbgate.logs import start_logging
from dbgate.serve.listening import inherit

log = logging.getLogger("dbgate.serve")

#: role -> module whose `main(settings file, number, listeners)` is the child's work
ROLES = {"worker": "dbgate.serve.worker", "control": "dbgate.control.process"}


def run(main: Coroutine[Any, Any, None]) -> None:
    """On uvloop where it is installed, on asyncio's own loop otherwise."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        return importlib.import_module("uvloop").new_event_loop  # type: ignore[no-any-return]
    except ImportError:
        log.info("uvloop is not installed: the standard loop costs about a third more")
        return None


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="dbgate child")
    parser.add_argument("role", choices=ROLES)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--number", type=int, default=0)
    parser.add_argument("--listeners", type=inherit, default=[])
    options = parser.parse_args(arguments)
    # a terminal or a service manager signals the whole group; the supervisor alone decides what that means
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    start_logging(f"{options.role}-{options.number}" if options.role == "worker" else options.role)
    module = importlib.import_module(ROLES[options.role])
    run(module.main(options.config, options.number, options.listeners))


if __name__ == "__main__":
    main()
