"""What the server holds under which name: prepared statements, portals and cursors.

Two views. `statements` and `portals` change only when the server's reply says so, in the order of the replies: they are
what the server has, whatever a pipeline's error skipped, and masks are taken from them. `sent` is the hopeful view of
what has been sent but not answered; it serves the audit and re-decisions, and is dropped when nothing is outstanding.
SQL shares these names with the wire: PREPARE makes a statement, DECLARE CURSOR a portal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from protocols.postgres.backend import FieldDescription
from rules.decision import Decision
from rules.policy import PolicyContext
from rules.tree import Carrier, CarrierKind


@dataclass(slots=True)
class Prepared:
    """A statement with the decision that was made on it under `context`. `shape`: its RowDescription once seen."""

    text: bytes
    decision: Decision
    context: PolicyContext
    shape: tuple[FieldDescription, ...] | None = None


@dataclass(slots=True)
class Portal:
    """`formats`: the Bind's result format codes: none (all text), one for all, or one for each column."""

    prepared: Prepared
    formats: tuple[int, ...] = ()
    holdable: bool = False


@dataclass(slots=True)
class Names:
    statements: dict[str, Prepared] = field(default_factory=dict)
    portals: dict[str, Portal] = field(default_factory=dict)
    sent_statements: dict[str, Prepared] = field(default_factory=dict)
    sent_portals: dict[str, Prepared] = field(default_factory=dict)

    def statement(self, name: str) -> Prepared | None:
        """The statement that a message sent now will most likely meet."""
        return self.sent_statements.get(name) or self.statements.get(name)

    def portal(self, name: str) -> Prepared | None:
        """The statement of the portal that a message sent now will most likely meet."""
        found = self.portals.get(name)
        return self.sent_portals.get(name) or (found.prepared if found else None)

    def settle(self) -> None:
        """Nothing is outstanding: what was hoped for has come about or failed."""
        self.sent_statements.clear()
        self.sent_portals.clear()

    def end_transaction(self) -> None:
        """Portals end with their transaction, cursors WITH HOLD excepted."""
        if self.portals:
            self.portals = {name: portal for name, portal in self.portals.items() if portal.holdable}

    def drop(self, carrier: Carrier) -> None:
        """DEALLOCATE, CLOSE: one name, or with None all of its kind."""
        held: dict[str, Prepared] | dict[str, Portal]
        held = self.statements if carrier.kind is CarrierKind.STATEMENT else self.portals
        if carrier.name is None:
            held.clear()
        else:
            held.pop(carrier.name, None)
