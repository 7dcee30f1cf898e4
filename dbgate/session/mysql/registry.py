"""Prepared statements: those of the binary protocol by the server's number, those of SQL's PREPARE by name.

The server keeps with each the default database that it was prepared by; so does the gate with its decision.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from dbgate.session.mysql.memory import Known
from dbgate.session.runs import Tally
from protocols.mysql.replies import ColumnDefinition
from rules.decision import Decision, Rewrite
from rules.policy import PolicyContext

#: MariaDB: stands for the statement that was prepared last.
LAST_PREPARED: Final = 0xFFFFFFFF
#: Names that the server's collation of names takes for different whenever they differ in lower case.
PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_$]{1,64}\Z")


@dataclass(slots=True)
class Cursor:
    """An open one (CURSOR_TYPE_READ_ONLY). Its rows follow the definitions that the execution has brought."""

    decision: Decision
    definitions: tuple[ColumnDefinition, ...]
    tally: Tally


@dataclass(slots=True)
class Prepared:
    """`text`: in UTF-8, as it was decided under `context`, with the default database `database`. `sent`: what was
    spliced into the text that the server has. `parameters`: how many it has; `types`: of them, as last bound.
    `long_data`: the numbers of parameters that were sent in pieces. `carried`: SQL's PREPARE."""

    text: bytes
    decision: Decision
    context: PolicyContext
    database: str
    sent: Rewrite | None = None
    carried: bool = False
    number: int = 0
    parameters: int = 0
    types: tuple[tuple[int, bytes | None], ...] | None = None
    long_data: set[int] = field(default_factory=set)
    cursor: Cursor | None = None
    known: Known | None = None


@dataclass(slots=True)
class Names:
    """`last`: the number of the statement that was prepared last, if that worked. `saved`: user variables -> the system
    variable whose value they hold (see `saved`)."""

    statements: dict[int, Prepared] = field(default_factory=dict)
    named: dict[str, Prepared] = field(default_factory=dict)
    saved: dict[str, str] = field(default_factory=dict)
    last: int | None = None
    text_bytes: int = 0

    def find(self, number: int, by_last: bool) -> Prepared | None:
        """`by_last`: the server is MariaDB."""
        if number == LAST_PREPARED and by_last:
            return None if self.last is None else self.statements.get(self.last)
        return self.statements.get(number)

    def has_room(self, text: bytes, most: int, most_bytes: int) -> bool:
        """May the server keep one more? `text_bytes` only grows until it reaches the bound: then texts are measured."""
        if len(self.statements) + len(self.named) >= most:
            return False
        self.text_bytes += len(text)
        if self.text_bytes > most_bytes:
            kept = (*self.statements.values(), *self.named.values())
            self.text_bytes = len(text) + sum(len(prepared.text) for prepared in kept)
        return self.text_bytes <= most_bytes

    def prepared(self, prepared: Prepared) -> None:
        self.statements[prepared.number] = prepared
        self.last = prepared.number

    def close(self, number: int) -> None:
        self.statements.pop(number, None)
        if self.last == number:
            self.last = None

    def clear(self) -> None:
        """COM_RESET_CONNECTION: all are gone."""
        self.statements.clear()
        self.named.clear()
        self.saved.clear()
        self.last = None
        self.text_bytes = 0
