"""Does the gate still know what names mean? The search path and the structure, as the session itself changes them.

Before such a statement is answered its effects are taken for possible; afterwards the server is asked (`asking`) for
the search path, and for the session's own world if that may have changed. What was committed for all to see is in a
catalog that is read again. In between, what rests on the old meaning waits or is refused.
"""

from __future__ import annotations

from typing import Final

from dbgate.session.outcome import CatalogChanged, RefreshCatalog
from dbgate.session.postgres.redeciding import PLANNED_KINDS
from dbgate.session.postgres.refusals import CATALOG_UNREAD, PATH_MOVED, refuse
from dbgate.session.postgres.state import Phase, State
from rules.decide import CALLING_KINDS
from rules.decision import Decision, Verdict
from rules.own_world import TEMPORARY

#: The transaction statuses of ReadyForQuery: in a failed transaction; in none.
FAILED: Final = ord("E")
IDLE: Final = ord("I")

#: Settings whose change moves the meaning of unqualified names.
PATH_SETTINGS: Final = frozenset({"search_path", "role", "session_authorization", "all"})


def is_nameless(decision: Decision) -> bool:
    """Is it about the transaction, or settings, alone? What names mean makes no difference to it."""
    settings = decision.kind == "session" and bool(decision.settings)
    return decision.kind in ("transaction", "show") or (settings and not changes_world(decision))


def is_stale(state: State, decision: Decision) -> bool:
    """Was it made by a search path that an earlier message may have moved? After a failed transaction, with nothing
    under way, the server refuses all but its end itself."""
    if not state.path_dirty or not state.watched or is_nameless(decision):
        return False
    ledger = state.ledger
    return state.status != FAILED or ledger.open_batch or bool(ledger.entries)


def awaits_catalog(state: State) -> bool:
    """Has this session's own DDL been committed since the catalog was read? Then the client's bytes wait for a new one.
    What is under way, or in a transaction, nobody else can see: that is the session's own world."""
    if not state.catalog_dirty or not state.watched or state.retried or not is_committed(state):
        return False
    state.retried = True
    wish_catalog(state, ())
    return True


def wish_catalog(state: State, missing: tuple[tuple[str, ...], ...]) -> None:
    """The client's bytes wait until the catalog was read again."""
    state.phase = Phase.AWAITS_CATALOG
    state.reads_own = is_committed(state)
    state.wishes.append(RefreshCatalog(missing))


def is_committed(state: State) -> bool:
    """Can the others see what was changed? The transaction may have gone on as another (COMMIT AND CHAIN)."""
    quiet = not state.ledger.open_batch and not state.ledger.entries
    return quiet and (state.status == IDLE or (state.catalog_behind and state.status != FAILED))


def at_rest(state: State) -> bool:
    """No transaction is open, and everything was answered."""
    return state.status == IDLE and not state.ledger.open_batch and not state.ledger.entries


def fresh(state: State, decision: Decision) -> Decision:
    """Refuses what the catalog may read wrongly since it could not be read again after this session's own DDL."""
    if not state.watched or decision.kind == "transaction" or decision.verdict is not Verdict.ALLOW:
        return decision
    return refuse(decision, CATALOG_UNREAD) if state.catalog_dirty and is_committed(state) else decision


def one_path_for_all(state: State, decisions: list[Decision]) -> list[Decision]:
    """In a text of several statements a change of the search path must come last: what follows was read by the old."""
    found: list[Decision] = []
    moved = False
    for decision in decisions:
        moved_before = moved and not is_nameless(decision)
        found.append(refuse(decision, PATH_MOVED) if moved_before and decision.verdict is Verdict.ALLOW else decision)
        moved = moved or may_move(state, decision)
    return found


def may_move(state: State, decision: Decision) -> bool:
    """As `moves_path`; the end of a transaction undoes what was changed in it."""
    return moves_path(decision) or (state.path_moved and decision.kind == "transaction")


def moves_path(decision: Decision) -> bool:
    """May the meaning of unqualified names differ after this statement?"""
    if decision.calls_user or changes_world(decision):
        return True
    return bool(decision.settings) and any(setting.name in PATH_SETTINGS for setting in decision.settings)


def changes_world(decision: Decision) -> bool:
    """May there be other relations, or relations of another shape, after this statement?"""
    return decision.changes_catalog or decision.changes_own or decision.detail.startswith("DISCARD")


def note_call(state: State, decision: Decision) -> None:
    """A Bind plans, and so may run functions that are declared immutable."""
    if state.watched and decision.calls_user and decision.kind in PLANNED_KINDS:
        state.path_dirty = state.path_moved = True
        note_own(state)


def note_own(state: State) -> None:
    """Code that the gate has not read is about to run: it may change the temporary relations that there are."""
    if TEMPORARY in state.login.search_path:
        state.world_dirty = state.world_moved = True


def note_effects(state: State, decision: Decision) -> None:
    """A statement is being sent: remember what it may change."""
    if decision.changes_catalog:
        state.wishes.append(CatalogChanged())
    if decision.hides:
        state.hidden = True
    if not state.watched:
        return
    if decision.changes_catalog:
        state.catalog_dirty = True
        state.catalog_behind = state.catalog_behind or commits(state, decision)
    if changes_world(decision):
        state.world_dirty = state.world_moved = True
    if decision.kind == "transaction":
        note_transaction(state, decision)
    elif moves_path(decision):
        state.path_dirty = state.path_moved = True
        if decision.calls_user:
            note_own(state)


def commits(state: State, decision: Decision) -> bool:
    """May others see at once what it changes? Outside of a transaction, procedures and blocks of code can commit."""
    return decision.kind == "two_phase" or (decision.kind in CALLING_KINDS and state.status == IDLE)


#: What leaves the transaction open.
WITHIN: Final = frozenset({"SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT", "SET TRANSACTION"})


def note_transaction(state: State, decision: Decision) -> None:
    """The end of a transaction, or a return to a savepoint, may undo what it has changed."""
    state.catalog_behind = state.catalog_behind or (state.catalog_dirty and decision.detail not in WITHIN)
    state.path_dirty = state.path_dirty or state.path_moved
    state.world_dirty = state.world_dirty or state.world_moved
