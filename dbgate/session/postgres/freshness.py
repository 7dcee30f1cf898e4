"""Does the gate still know what names mean? The search path and the catalog, as the session itself changes them.

Before such a statement is answered its effects are taken for possible; afterwards the server is asked for the search
path (`asking`), and the catalog is read again. In between, what rests on the old meaning waits or is refused.
"""

from __future__ import annotations

from typing import Final

from dbgate.session.outcome import CatalogChanged, RefreshCatalog
from dbgate.session.postgres.redeciding import PLANNED_KINDS
from dbgate.session.postgres.refusals import CATALOG_UNREAD, PATH_MOVED, UNCOVERED, refuse
from dbgate.session.postgres.state import Phase, State
from rules.decision import Decision, Verdict
from rules.policy import PolicyContext

#: The transaction statuses of ReadyForQuery: in a failed transaction; in none.
FAILED: Final = ord("E")
IDLE: Final = ord("I")

#: Settings whose change moves the meaning of unqualified names.
PATH_SETTINGS: Final = frozenset({"search_path", "role", "session_authorization", "all"})


def is_stale(state: State, decision: Decision) -> bool:
    """Was it made by a search path that an earlier message may have moved? Statements that end a transaction have no
    names; and after a failed one, with nothing under way, the server refuses all others itself."""
    if not state.path_dirty or not state.watched or decision.kind == "transaction":
        return False
    ledger = state.ledger
    return state.status != FAILED or ledger.open_batch or bool(ledger.entries)


def awaits_catalog(state: State) -> bool:
    """Has this session's own DDL been committed since the catalog was read? Then the client's bytes wait for a new one.
    What is under way, or in a transaction, nobody else can see: see `fresh`."""
    if not state.catalog_dirty or not state.watched or state.retried or not at_rest(state):
        return False
    state.retried = True
    state.phase = Phase.AWAITS_CATALOG
    state.wishes.append(RefreshCatalog(()))
    return True


def at_rest(state: State) -> bool:
    """No transaction is open, and everything was answered."""
    return state.status == IDLE and not state.ledger.open_batch and not state.ledger.entries


def fresh(state: State, decision: Decision) -> Decision:
    """Refuses what the catalog may read wrongly after this session's own DDL: everything if it could not be read again,
    and in a transaction that dropped or renamed something, where two tables on the search path have one name."""
    if not state.watched or decision.kind == "transaction" or decision.verdict is not Verdict.ALLOW:
        return decision
    if state.catalog_dirty and at_rest(state):
        return refuse(decision, CATALOG_UNREAD)
    if state.uncovered and has_twins(state.context):
        return refuse(decision, UNCOVERED)
    return decision


def has_twins(context: PolicyContext) -> bool:
    """Are there two relations of one name in different schemas of the search path?"""
    schemas = {schema for schema in context.search_path if schema != "pg_catalog"}
    names = [relation.name for relation in context.catalog.relations if relation.schema in schemas]
    return len(names) != len(set(names))


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
    if decision.changes_catalog or decision.calls_user:
        return True
    if decision.detail.startswith("DISCARD"):
        return True
    return bool(decision.settings) and any(setting.name in PATH_SETTINGS for setting in decision.settings)


def note_call(state: State, decision: Decision) -> None:
    """A Bind plans, and so may run functions that are declared immutable."""
    if state.watched and decision.calls_user and decision.kind in PLANNED_KINDS:
        state.path_dirty = state.path_moved = True


def note_effects(state: State, decision: Decision) -> None:
    """A statement is being sent: remember what it may change."""
    if decision.changes_catalog:
        state.wishes.append(CatalogChanged())
    if decision.hides:
        state.hidden = True
    if not state.watched:
        return
    if decision.changes_catalog or decision.detail.startswith("DISCARD"):
        state.catalog_dirty = True
        state.uncovered = state.uncovered or decision.kind != "create"
    if moves_path(decision):
        state.path_dirty = state.path_moved = True
    elif decision.kind == "transaction" and state.path_moved:
        state.path_dirty = True
