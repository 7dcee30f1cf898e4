"""Between the policy and the wire: the decisions of one text, in the light of what the session holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from dbgate.session.outcome import CatalogChanged, RefreshCatalog
from dbgate.session.postgres.registry import Prepared
from dbgate.session.postgres.state import Phase, State
from rules.decision import Decision, Refusal, Verdict
from rules.tree import Carrier, CarrierKind

MESSAGE: Final = "dbgate refused this statement"
#: Settings whose change moves the meaning of unqualified names.
PATH_SETTINGS: Final = frozenset({"search_path", "role", "session_authorization", "all"})
#: The kinds of FETCH, MOVE and EXECUTE: their rows are those of the statement behind the name.
CARRIED_KINDS: Final = frozenset({"cursor", "prepared"})
#: An empty text decides nothing and does nothing.
EMPTY: Final = Decision(Verdict.ALLOW, "empty")


def decide(state: State, text: bytes) -> tuple[Decision, ...] | None:
    """One decision for each statement, or None when the session must first wait for a fresh catalog."""
    decisions = state.context.decide(text)
    if not state.retried and (missing := missing_relations(decisions)):
        state.retried = True
        state.phase = Phase.AWAITS_CATALOG
        state.wishes.append(RefreshCatalog(missing))
        return None
    state.retried = False
    if state.watched and (len(decisions) != 1 or decisions[0].runs is not None):
        decisions = tuple(one_path_for_all(state, carried(state, decisions)))
    return decisions


def missing_relations(decisions: tuple[Decision, ...]) -> tuple[tuple[str, ...], ...]:
    """What a refused text names that the catalog does not know."""
    missing = tuple(name for decision in decisions if decision.missing for name in decision.missing)
    return missing if missing and refused(decisions) is not None else ()


def decide_one(state: State, text: bytes) -> Decision | None:
    """As `decide` for a Parse: the server itself refuses a text of several statements, unless one is ours to refuse."""
    decisions = decide(state, text)
    if decisions is None:
        return None
    if state.watched and state.path_dirty and decisions and decisions[0].kind != "transaction":
        return refuse(decisions[0], PATH_MOVED)
    return refused(decisions) or (decisions[0] if decisions else EMPTY)


def redecide(state: State, prepared: Prepared) -> Decision:
    """A statement prepared under another rulebook, catalog or search path is decided again when it is bound."""
    if prepared.context is not state.context:
        decisions = state.context.decide(prepared.text)
        prepared.decision = refused(decisions) or (decisions[0] if decisions else EMPTY)
        prepared.context = state.context
    return prepared.decision


def refused(decisions: tuple[Decision, ...]) -> Decision | None:
    for decision in decisions:
        if decision.verdict is not Verdict.ALLOW:
            return decision
    return None


def refuse(decision: Decision, refusal: Refusal) -> Decision:
    return replace(decision, verdict=Verdict.REFUSE, refusal=refusal, rules=(*decision.rules, refusal.rule))


# ---------------------------------------------------------------- what only the session knows


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
    if behind is None and (known := find_carried(state, carrier)) is not None:
        behind = redecide(state, known)
    if behind is None:
        return refuse(decision, _unknown(carrier))
    if behind.refusal is not None:
        return refuse(decision, behind.refusal)
    return replace(
        decision,
        tables=behind.tables,
        columns=behind.columns,
        masked_columns=behind.masked_columns,
        hides=decision.hides or behind.hides,
    )


def find_carried(state: State, carrier: Carrier) -> Prepared | None:
    """The statement that a cursor or a prepared statement stands for, as far as the session knows now."""
    name = carrier.name or ""
    return state.names.portal(name) if carrier.kind is CarrierKind.CURSOR else state.names.statement(name)


def effective(state: State, decision: Decision) -> Decision | None:
    """The decision whose plan the rows follow: for FETCH and EXECUTE that of the statement behind the name, as the
    server has it at this point of its replies. None: the gate does not know the name."""
    seen = decision
    for _ in range(8):  # EXECUTE of a prepared FETCH of a cursor ...: names can stand for names
        carrier = seen.runs
        if carrier is None:
            return seen
        name = carrier.name or ""
        if carrier.kind is CarrierKind.CURSOR:
            portal = state.names.portals.get(name)
            found = portal.prepared if portal else None
        else:
            found = state.names.statements.get(name)
        if found is None:
            return None
        seen = redecide(state, found)
    return None


def one_path_for_all(state: State, decisions: list[Decision]) -> list[Decision]:
    """In a text of several statements a change of the search path must come last: what follows was read by the old."""
    found: list[Decision] = []
    moved = False
    for decision in decisions:
        moved_before = moved and decision.kind != "transaction"
        found.append(refuse(decision, PATH_MOVED) if moved_before and decision.verdict is Verdict.ALLOW else decision)
        moved = moved or moves_path(decision) or (state.path_moved and decision.kind == "transaction")
    return found


def moves_path(decision: Decision) -> bool:
    """May the meaning of unqualified names differ after this statement?"""
    if decision.changes_catalog:
        return True
    if decision.detail.startswith("DISCARD"):
        return True
    return bool(decision.settings) and any(setting.name in PATH_SETTINGS for setting in decision.settings)


def note_effects(state: State, decision: Decision) -> None:
    """A statement is being sent: remember what it may change."""
    if decision.changes_catalog:
        state.wishes.append(CatalogChanged())
    if decision.hides:
        state.hidden = True
    if not state.watched:
        return
    if moves_path(decision):
        state.path_dirty = state.path_moved = True
    elif decision.kind == "transaction" and state.path_moved:
        state.path_dirty = True


PATH_MOVED: Final = Refusal(
    "dbgate:search-path",
    MESSAGE,
    'rule "dbgate:search-path": an earlier statement of the same text or batch changes what names mean',
    "send the statements one at a time, or write schema-qualified names and set search_path in a query of its own",
)
NESTED_CARRIER: Final = Refusal(
    "dbgate:carrier",
    MESSAGE,
    'rule "dbgate:carrier": it runs a prepared statement or cursor by name inside another one; masks cannot follow',
    "write the query itself in place of the name",
)


def _unknown(carrier: Carrier) -> Refusal:
    return Refusal(
        "dbgate:carrier",
        MESSAGE,
        f'rule "dbgate:carrier": the gate saw nothing open {carrier.kind.value} "{carrier.name}" in this session',
        "open it with DECLARE or PREPARE in this session first",
        sqlstate="34000" if carrier.kind is CarrierKind.CURSOR else "26000",
    )
