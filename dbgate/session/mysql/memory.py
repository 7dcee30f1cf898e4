"""What a session remembers of statements that need no second look (see `steady`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from dbgate.audit.events import StatementDecided
from dbgate.session.runs import Run
from rules.decision import Decision
from rules.policy import PolicyContext

MOST_TEXTS: Final = 2000
LONGEST_TEXT: Final = 4096  # bytes: what is longer goes the general way
LONGEST_HEAD: Final = 16384
MOST_BYTES: Final = 1 << 20  # of texts and heads: then all is forgotten


@dataclass(slots=True)
class Known:
    """A statement whose decision, made under `context`, lets it pass and changes nothing. `make`: its StatementDecided,
    given the id and the number of parameters. `head`: the packets with which its result began the last time, from the
    column count up to the first row, found harmless; `binary_head` those of its execution as a prepared statement."""

    text: str
    decision: Decision
    context: PolicyContext
    make: Callable[..., StatementDecided]
    head: bytes = b""
    binary_head: bytes = b""


@dataclass(slots=True)
class Pending:
    """A known statement that was sent and not answered. `number`: of the prepared statement that was executed, 0 for
    COM_QUERY."""

    known: Known
    run: Run
    number: int = 0


@dataclass(slots=True)
class Memory:
    """`texts`: by the whole packet that brings them."""

    texts: dict[bytes, Known] = field(default_factory=dict)
    pending: Pending | None = None
    size: int = 0

    def forget(self) -> None:
        """Another rulebook, catalog or default database: nothing is known any more. What is pending stays so."""
        self.texts.clear()
        self.size = 0

    def keep(self, packet: bytes, known: Known) -> None:
        self._make_room(len(packet))
        self.texts[packet] = known

    def keep_head(self, known: Known, head: bytes, binary: bool) -> None:
        if len(head) > LONGEST_HEAD:
            return
        self._make_room(len(head))
        if binary:
            known.binary_head = head
        else:
            known.head = head

    def _make_room(self, more: int) -> None:
        self.size += more
        if len(self.texts) >= MOST_TEXTS or self.size > MOST_BYTES:
            self.forget()
