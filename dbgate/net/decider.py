"""A process that decides long texts for a worker (`python -m dbgate.net.decider`; the worker's side is `elsewhere`).

Messages both ways on standard input and output: 8 bytes of length, then a pickle. It ends with its input. Its memory is
bounded, and for each text its processor time, so that it also ends when its worker was killed in the middle of one.
"""

from __future__ import annotations

import gc
import io
import pickle
import resource
import signal
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, TypeAlias

from rules.book import Rulebook
from rules.catalog import Catalog
from rules.decision import Decision
from rules.policy import Policy, postgres_front_end

LENGTH: Final = struct.Struct(">Q")
#: In place of the real key, which only the process that masks needs; without one a hash mask is refused.
NO_KEY: Final = b"decisions need no key"


@dataclass(frozen=True, slots=True)
class Use:
    """Decide by these from now on. Answered by `Ready`."""

    database: str
    rulebook: Rulebook
    catalog: Catalog


@dataclass(frozen=True, slots=True)
class Ready:
    pass


@dataclass(frozen=True, slots=True)
class Decide:
    """`seconds`: processor time after which the process ends. Answered by `Decided`."""

    database: str
    role: str
    user: str
    search_path: tuple[str, ...]
    text: bytes
    seconds: float


@dataclass(frozen=True, slots=True)
class Decided:
    """`lasting`: may be cached. `failure`: the kind of the exception that refused the text, for the log."""

    decisions: tuple[Decision, ...]
    lasting: bool
    failure: str = ""


Request: TypeAlias = Use | Decide
Reply: TypeAlias = Ready | Decided


def encode(message: Request | Reply) -> bytes:
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


class _ReplyReader(pickle.Unpickler):
    """The process that read a client's text is trusted with values only: no other class can be made from its words."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("rules.decision", "rules.tree") or (module, name) in _REPLIES:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a decision")


_REPLIES: Final = {("dbgate.net.decider", name) for name in ("Ready", "Decided")}


def decode_reply(body: bytes) -> Reply:
    """Raises pickle.UnpicklingError for anything but a reply."""
    found = _ReplyReader(io.BytesIO(body)).load()
    if not isinstance(found, Ready | Decided):
        raise pickle.UnpicklingError("no reply")
    return found


# ---------------------------------------------------------------- the process


class Decider:
    """Answers one request after the other."""

    def __init__(self) -> None:
        self._policies: dict[str, Policy] = {}

    def answer(self, request: Request) -> Reply:
        return _HANDLERS[type(request)](self, request)

    def use(self, request: Use) -> Reply:
        self._policies[request.database] = Policy(request.rulebook, request.catalog, NO_KEY)
        gc.collect()
        gc.freeze()
        return Ready()

    def decide(self, request: Decide) -> Reply:
        limit_processor_time(request.seconds)
        policy = self._policies[request.database]
        context = policy.context(request.role, request.database, request.user, request.search_path)
        before = context.failures
        decisions, lasting = context.decide_anew(request.text)
        failure = type(context.last_failure).__name__ if context.failures > before else ""
        return Decided(decisions, lasting, failure)


_HANDLERS: Final[dict[type, Callable[[Decider, Any], Reply]]] = {Use: Decider.use, Decide: Decider.decide}


def limit_processor_time(seconds: float) -> None:
    """SIGXCPU ends the process when it has used so much more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def read_request(source: BinaryIO) -> Request | None:
    """None at the end of the input."""
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = source.read(length)
    found: Request | None = pickle.loads(body) if len(body) == length else None  # noqa: S301 - from our own worker
    return found


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Collecting garbage waits until the answer is out: a parse tree is many objects that live shortly."""
    decider = Decider()
    while (request := read_request(source)) is not None:
        gc.disable()
        sink.write(encode(decider.answer(request)))
        sink.flush()
        del request
        gc.enable()
        gc.collect()


def main() -> None:
    # the worker ends this process; a terminal or a service manager signals the whole group
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold clients' texts
    postgres_front_end()
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    from dbgate.net import decider  # the classes under their own name, not as __main__'s

    decider.main()
