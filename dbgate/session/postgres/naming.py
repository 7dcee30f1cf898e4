"""What names stand for: prepared statements, portals and cursors, and the decisions on what is behind them.

A message that is sent meets what was sent before it (`find_named`); rows that come follow what the server had when it
answered (`effective`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from dbgate.session.postgres.redeciding import PLANNED_KINDS, redecide, redecide_open
from dbgate.session.postgres.refusals import EXECUTES_MORE, NESTED_CARRIER, refuse, unknown_name
from dbgate.session.postgres.registry import Portal, Prepared, Sent
from dbgate.session.postgres.state import Phase, State
from rules.decision import Decision, Verdict
from rules.tree import Carrier, CarrierKind

#: The kinds of FETCH, MOVE and EXECUTE: their rows are those of the statement behind the name.
CARRIED_KINDS: Final = frozenset({"cursor", "prepared"})


def carried(state: State, decisions: Iterable[Decision]) -> list[Decision]:
    """FETCH and EXECUTE take on what is known of the statement behind the name."""
    found: list[Decision] = []
    opened: dict[tuple[CarrierKind, str], Decision] = {}
    for decision in decisions:
        found.append(behind_name(state, decision, opened) if decision.runs else decision)
        if decision.defines:
            opened[(decision.defines.kind, decision.defines.name or "")] = decision
    return found


def behind_name(state: State, decision: Decision, opened: dict[tuple[CarrierKind, str], Decision]) -> Decision:
    """Refuses what carries rows that no plan covers: an unknown cursor, EXPLAIN or CREATE TABLE AS of a name.
    `opened`: what earlier statements of the same text define."""
    carrier = decision.runs
    if carrier is None or decision.verdict is not Verdict.ALLOW:
        return decision
    if decision.kind not in CARRIED_KINDS:
        return refuse(decision, NESTED_CARRIER)
    behind = opened.get((carrier.kind, carrier.name or ""))
    if behind is None and (known := find_named(state, carrier.kind, carrier.name or "")) is not None:
        behind = redecide(state, known) if carrier.kind is CarrierKind.STATEMENT else redecide_open(state, known)
        if carrier.kind is CarrierKind.STATEMENT and not executable(known, behind):
            return refuse(decision, behind.refusal or EXECUTES_MORE)
    if behind is None:
        return refuse(decision, unknown_name(carrier))
    if behind.refusal is not None:
        return refuse(decision, behind.refusal)
    return replace(
        decision,
        tables=behind.tables,
        columns=behind.columns,
        masked_columns=behind.masked_columns,
        hides=decision.hides or behind.hides,
        calls_user=decision.calls_user or behind.calls_user,
    )


def executable(known: Prepared, behind: Decision) -> bool:
    """EXECUTE also runs what a Parse message prepared, which can be any statement, one that moves names included."""
    return behind.kind in PLANNED_KINDS and (known.carried or behind.defines is None)


def find_named(state: State, kind: CarrierKind, name: str) -> Prepared | None:
    """The statement that a message sent now meets under the name; ask `awaits_name` before."""
    names, ledger = state.names, state.ledger
    sent = names.sent(kind).get(name)
    return sent.prepared if sent is not None and sent.batch == ledger.batch else names.held(kind, name)


def awaits_name(state: State, carrier: Carrier) -> bool:
    """Does what the name stands for depend on replies to an earlier batch? Then the client's bytes wait for them."""
    sent = state.names.sent(carrier.kind).get(carrier.name or "")
    if sent is None or sent.batch == state.ledger.batch or sent.batch < state.ledger.answered:
        return False
    state.phase = Phase.AWAITS_NAMES
    state.awaited_batch = sent.batch
    return True


def note_sent(state: State, kind: CarrierKind, name: str, prepared: Prepared | None) -> None:
    """A message is being sent that gives the name this meaning, or with None takes it away."""
    state.names.sent(kind)[name] = Sent(prepared, state.ledger.batch)


def effective(state: State, decision: Decision, depth: int = 8) -> Decision | None:
    """The decision whose plan the rows follow: for FETCH and EXECUTE that of the statement behind the name, as the
    server has it at this point of its replies. None: the gate does not know the name, or names stand for names (EXECUTE
    of a prepared FETCH of a cursor ...) more than `depth` times."""
    carrier = decision.runs
    if carrier is None:
        return decision
    name = carrier.name or ""
    if depth == 0:
        return None
    if carrier.kind is CarrierKind.STATEMENT:
        found = state.names.statements.get(name)
        return effective(state, redecide(state, found), depth - 1) if found else None
    portal = state.names.portals.get(name)
    return behind_portal(state, portal, depth - 1) if portal else None


def behind_portal(state: State, portal: Portal, depth: int = 8) -> Decision | None:
    """The decision that a portal's rows follow. The server computes all rows of FETCH and EXECUTE when they first run:
    what the name stands for later is of no matter to a portal that goes on."""
    decision = redecide_open(state, portal.prepared)
    if decision.runs is None:
        return decision
    if portal.behind is None:
        portal.behind = effective(state, decision, depth)
    return portal.behind
