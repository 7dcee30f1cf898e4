"""The ledger: which request each message from the server answers.

Clients pipeline, and a gate sometimes answers in the server's place. So every message that the server will answer
(or ignore) is entered here in the order in which it was sent, and each backend message is matched against the head.
An entry's answer is

* FORWARD     the reply passes to the client;
* SUBSTITUTE  a message that must fail was sent in place of a refused one: its ErrorResponse becomes our refusal,
              and the rollback, the skip to Sync and the transaction status stay the server's own;
* SWALLOW     the gate asked for itself: the reply is read and kept from the client.

The server's rules that the ledger repeats (protocol chapter, "Message Flow"; `tcop/postgres.c`):

* an error in the extended protocol makes the server ignore everything, Query included, until Sync;
* while COPY IN runs, Sync and Flush are ignored, and anything but CopyData, CopyDone and CopyFail is an error;
* CopyData, CopyDone and CopyFail outside a COPY are ignored;
* one ReadyForQuery for each Sync that was not ignored, and for each Query.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from protocols.errors import PeerError

Subject = TypeVar("Subject")


class Step(Enum):
    """What a reply does to the entry at the head."""

    GOES_ON = "goes on"
    ENDS = "ends"
    FAILS = "fails"


class Ask(Enum):
    """What was sent. `steps`: (kind of reply) -> what it does; a reply that is not there breaks the protocol."""

    steps: dict[int, Step]

    QUERY = "Query"
    PARSE = "Parse"
    BIND = "Bind"
    DESCRIBE_STATEMENT = "Describe statement"
    DESCRIBE_PORTAL = "Describe portal"
    EXECUTE = "Execute"
    CLOSE = "Close"
    SYNC = "Sync"
    COPY_END = "CopyDone"


class Answer(Enum):
    FORWARD = "forward"
    SUBSTITUTE = "substitute"
    SWALLOW = "swallow"


@dataclass(slots=True)
class Entry(Generic[Subject]):
    """`subject` is the caller's own note of what was asked."""

    ask: Ask
    answer: Answer
    subject: Subject


def _steps(goes_on: bytes, ends: bytes, fails: bytes = b"E") -> dict[int, Step]:
    steps = dict.fromkeys(goes_on, Step.GOES_ON)
    steps |= dict.fromkeys(ends, Step.ENDS)
    return steps | dict.fromkeys(fails, Step.FAILS)


Ask.QUERY.steps = _steps(b"TDCIEGHdc", b"Z", b"")
Ask.PARSE.steps = _steps(b"", b"1")
Ask.BIND.steps = _steps(b"", b"2")
Ask.DESCRIBE_STATEMENT.steps = _steps(b"t", b"Tn")
Ask.DESCRIBE_PORTAL.steps = _steps(b"", b"Tn")
Ask.EXECUTE.steps = _steps(b"DGHdc", b"CIs")
Ask.CLOSE.steps = _steps(b"", b"3")
Ask.SYNC.steps = _steps(b"E", b"Z", b"")
Ask.COPY_END.steps = {}

ENDS_BATCH = frozenset({Ask.SYNC, Ask.QUERY})


class Ledger(Generic[Subject]):
    """`skipping`: the server ignores everything until the next Sync. `copying`: it reads a COPY from the client.

    A batch ends with a Sync or Query. `batch` counts the ends sent, `answered` those whose reply is over: what was sent
    in batch n has come about or failed when `answered` > n. `open_batch`: the last message sent was no such end."""

    __slots__ = ("_ignored_syncs", "answered", "batch", "copying", "entries", "open_batch", "skipping")

    def __init__(self) -> None:
        self.entries: deque[Entry[Subject]] = deque()
        self.skipping = False
        self.copying = False
        self._ignored_syncs = 0
        self.batch = 0
        self.answered = 0
        self.open_batch = False

    def __len__(self) -> int:
        return len(self.entries)

    def expect(self, ask: Ask, answer: Answer, subject: Subject) -> None:
        """Enter a message that is being sent. While the server skips, only Sync is answered."""
        if self.skipping:
            if ask is not Ask.SYNC:
                return
            self.skipping = False
        self.entries.append(Entry(ask, answer, subject))
        if ask in ENDS_BATCH:
            self.batch += 1
            self.open_batch = False
        else:
            self.open_batch = True

    def expect_sync(self, subject: Subject) -> None:
        """Enter a Sync, unless a COPY is being read, which ignores it."""
        if self.copying:
            self._ignored_syncs += 1
        else:
            self.expect(Ask.SYNC, Answer.FORWARD, subject)

    def end_copy(self, subject: Subject) -> None:
        """CopyDone or CopyFail is being sent."""
        if self.copying:
            self.copying = False
        elif self.entries and not self.skipping:
            self.entries.append(Entry(Ask.COPY_END, Answer.FORWARD, subject))

    def head(self) -> Entry[Subject] | None:
        """The entry that the next reply answers."""
        entries = self.entries
        while entries:
            entry = entries[0]
            if entry.ask is not Ask.COPY_END:
                return entry
            entries.popleft()
        return None

    def step(self, kind: int) -> tuple[Entry[Subject], Step]:
        """Match a reply of this kind with the head; an entry that it ends is taken off. A FAILS is left to `fail`.

        Raises PeerError when no request can be answered so."""
        entry = self.head()
        found = entry.ask.steps.get(kind) if entry else None
        if entry is None or found is None:
            raise PeerError(f"the upstream sent {chr(kind)!r} in answer to {entry.ask.value if entry else 'nothing'}")
        if found is Step.ENDS:
            self.entries.popleft()
            self.answered += entry.ask in ENDS_BATCH
            self.head()  # a CopyDone that nobody waited for is off as well
        return entry, found

    def fail(self) -> list[Entry[Subject]]:
        """The head failed in the extended protocol: it and all up to the next Sync are off; they are returned."""
        dropped: list[Entry[Subject]] = []
        while self.entries and self.entries[0].ask is not Ask.SYNC:
            dropped.append(self.entries.popleft())
            self.answered += dropped[-1].ask in ENDS_BATCH
        self.skipping = not self.entries
        self.copying = False
        return dropped

    def start_copy(self) -> None:
        """CopyInResponse for the head: the server reads a COPY, and so ignores the Syncs that are already under way.

        Raises PeerError when the client has sent something that a COPY cannot read."""
        head = self.entries.popleft()
        ended = False
        while self.entries and not ended:
            entry = self.entries.popleft()
            ended = entry.ask is Ask.COPY_END
            if entry.ask is Ask.SYNC:
                self._ignored_syncs += 1
                self.answered += 1
            if not ended and entry.ask is not Ask.SYNC:
                raise PeerError(f"{entry.ask.value} was sent while COPY FROM STDIN was reading", sqlstate="08P01")
        self.entries.appendleft(head)
        self.copying = not ended

    def stop_copy(self) -> None:
        """The COPY ended well (CommandComplete): the Syncs sent meanwhile were ignored for certain."""
        self.copying = False
        self._ignored_syncs = 0

    def ready_unasked(self) -> bool:
        """A ReadyForQuery that no entry explains: was it a Sync sent while a COPY was failing? Then take it."""
        if self._ignored_syncs == 0:
            return False
        self._ignored_syncs -= 1
        self.skipping = False
        return True
