"""What a session remembers of statements that need no second look (see `steady`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from dbgate.audit.events import StatementDecided
from dbgate.session.runs import Run
from rules.decision import Decision
from rules.policy import PolicyContext

MOST_TEXTS: Final = 2000
LONGEST_TEXT: Final = 4096  # bytes: what is longer goes the general way


class Form(Enum):
    """How the statement was sent."""

    QUERY = "Query"
    BOUND = "Bind, Execute, Sync"
    PARSED = "Parse, Bind, Execute, Sync"


@dataclass(slots=True)
class Known:
    """A statement whose decision, made under `context`, lets it pass and changes nothing. `make`: its StatementDecided,
    given the id and the number of parameters."""

    text: str
    decision: Decision
    context: PolicyContext
    make: Callable[..., StatementDecided]


@dataclass(slots=True)
class Pending:
    """A known statement that was sent and not answered. `data`: the client's bytes; `name`: of the prepared statement;
    `described`: a Describe of the portal is among them."""

    known: Known
    run: Run
    form: Form
    data: bytes
    name: str = ""
    described: bool = False


@dataclass(slots=True)
class Memory:
    """`shapes`: RowDescription payloads that were found harmless, with the number of columns decided."""

    texts: dict[bytes, Known] = field(default_factory=dict)
    shapes: set[tuple[bytes, int | None]] = field(default_factory=set)
    pending: Pending | None = None

    def forget(self) -> None:
        """Another rulebook, catalog or search path: nothing is known any more. What is pending stays so."""
        self.texts.clear()
        self.shapes.clear()

    def keep(self, text: bytes, known: Known) -> None:
        if len(self.texts) >= MOST_TEXTS:
            self.texts.clear()
        if len(text) <= LONGEST_TEXT:
            self.texts[text] = known
