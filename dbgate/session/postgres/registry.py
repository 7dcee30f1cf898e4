"""What the server holds under which name: prepared statements, portals and cursors.

Two views. `statements` and `portals` change only when the server's reply says so, in the order of the replies: they are
what the server has, whatever a pipeline's error skipped, and masks are taken from them. `sent` holds what has been sent
but not answered. Inside one batch it is certain, since what follows a failure there is skipped; after the batch's end
it is not, and a message that uses such a name waits for the replies (`Uncertain`).
SQL shares these names with the wire: PREPARE makes a statement, DECLARE CURSOR a portal. The server keeps both in hash
tables with keys of NAMEDATALEN bytes, so that longer names are cut (`server_name`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from dbgate.session.postgres.memory import Known
from dbgate.session.runs import Tally
from protocols.postgres.backend import FieldDescription
from rules.decision import Decision, Rewrite
from rules.policy import PolicyContext
from rules.tree import Carrier, CarrierKind

NAME_BYTES: Final = 63  # NAMEDATALEN - 1


def server_name(name: str) -> str:
    """The name of a statement or portal in a message, as the server keeps it: its first 63 bytes. (Names in SQL are cut
    at a whole character; the parser has done that.)"""
    if len(name) * 4 <= NAME_BYTES:
        return name
    return name.encode()[:NAME_BYTES].decode("utf-8", "surrogateescape")


@dataclass(slots=True)
class Prepared:
    """A statement with the decision that was made on it under `context`. `shape`: its RowDescription once seen.
    `carried`: the text is SQL's PREPARE or DECLARE, and what the name stands for is the statement inside. `known`: it
    needs no second look while its context holds; `looked_at`: the same, once its shape was found harmless. `sent`: what
    was spliced into the text that the server has."""

    text: bytes
    decision: Decision
    context: PolicyContext
    shape: tuple[FieldDescription, ...] | None = None
    carried: bool = False
    known: Known | None = None
    looked_at: Known | None = None
    sent: Rewrite | None = None


@dataclass(slots=True)
class Portal:
    """`prepared` is the portal's own: the server fixed what it means when the portal was made. `formats`: the Bind's
    result format codes: none (all text), one for all, or one for each column. `behind`: the decision that the rows of
    FETCH and EXECUTE follow, fixed when they first ran. `tally`: what was sent of its rows, where that is limited."""

    prepared: Prepared
    formats: tuple[int, ...] = ()
    holdable: bool = False
    behind: Decision | None = None
    tally: Tally | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """What a name will stand for, if the messages of this batch of the ledger succeed. `prepared` None: nothing."""

    prepared: Prepared | None
    batch: int


@dataclass(slots=True)
class Names:
    statements: dict[str, Prepared] = field(default_factory=dict)
    portals: dict[str, Portal] = field(default_factory=dict)
    sent_statements: dict[str, Sent] = field(default_factory=dict)
    sent_portals: dict[str, Sent] = field(default_factory=dict)
    unseen: dict[str, Tally] = field(default_factory=dict)  # of cursors that a function has opened
    text_bytes: int = 0

    def sent(self, kind: CarrierKind) -> dict[str, Sent]:
        return self.sent_statements if kind is CarrierKind.STATEMENT else self.sent_portals

    def held(self, kind: CarrierKind, name: str) -> Prepared | None:
        """What the server is known to have."""
        if kind is CarrierKind.STATEMENT:
            return self.statements.get(name)
        portal = self.portals.get(name)
        return portal.prepared if portal else None

    def tally(self, name: str) -> Tally:
        """What was sent of a portal's rows."""
        portal = self.portals.get(name)
        if portal is None:
            return self.unseen.setdefault(name, Tally())
        if portal.tally is None:
            portal.tally = Tally()
        return portal.tally

    def bind(self, name: str, portal: Portal | None) -> None:
        """A new portal has this name; None: of a statement that nobody saw prepared."""
        self.unseen.pop(name, None)
        if portal is not None:
            self.portals[name] = portal
        else:
            self.portals.pop(name, None)

    def has_room(self, name: str, text: bytes, most: int, most_bytes: int) -> bool:
        """May the server keep one more prepared statement? `text_bytes` only grows, until it reaches the bound: then
        the texts are measured."""
        named = len(self.statements) - ("" in self.statements) + len(self.sent_statements)
        if name and name not in self.statements and named >= most:
            return False
        self.text_bytes += len(text)
        if self.text_bytes > most_bytes:
            sent = [sent.prepared for sent in self.sent_statements.values() if sent.prepared is not None]
            self.text_bytes = len(text) + sum(len(kept.text) for kept in (*self.statements.values(), *sent))
        return self.text_bytes <= most_bytes

    def settle(self) -> None:
        """Nothing is outstanding: what was hoped for has come about or failed."""
        self.sent_statements.clear()
        self.sent_portals.clear()

    def end_transaction(self) -> None:
        """Portals end with their transaction, cursors WITH HOLD excepted."""
        if self.unseen:
            self.unseen.clear()
        if self.portals:
            self.portals = {name: portal for name, portal in self.portals.items() if portal.holdable}

    def drop(self, carrier: Carrier) -> None:
        """DEALLOCATE, CLOSE: one name, or with None all of its kind."""
        held: tuple[dict[str, Any], ...]
        held = (self.statements,) if carrier.kind is CarrierKind.STATEMENT else (self.portals, self.unseen)
        for names in held:
            if carrier.name is None:
                names.clear()
            else:
                names.pop(carrier.name, None)
