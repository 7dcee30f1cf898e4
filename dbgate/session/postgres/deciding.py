"""Between the policy and the wire: the decisions of one text, in the light of what the session holds."""

from __future__ import annotations

from dbgate.session.postgres.elsewhere import decisions_of
from dbgate.session.postgres.freshness import (
    at_rest,
    awaits_catalog,
    fresh,
    is_stale,
    one_path_for_all,
    wish_catalog,
)
from dbgate.session.postgres.naming import awaits_name, carried
from dbgate.session.postgres.refusals import EMPTY, PATH_MOVED, refuse, refused
from dbgate.session.postgres.state import State
from rules.decide import UNKNOWN_RELATION
from rules.decision import Decision


def decide(state: State, text: bytes) -> tuple[Decision, ...] | None:
    """One decision for each statement, or None when the message must first wait: for a fresh catalog, or for replies
    that settle what a name stands for. Raises Waits for a long text that is decided elsewhere."""
    if awaits_catalog(state):
        return None
    decisions = decisions_of(state, state.context, text)
    if asks_for_missing(state, decisions):
        return None
    if any(decision.runs is not None and awaits_name(state, decision.runs) for decision in decisions):
        return None
    if state.catalog_dirty:
        decisions = tuple(fresh(state, decision) for decision in decisions)
    if state.watched and (len(decisions) != 1 or decisions[0].runs is not None):
        decisions = tuple(one_path_for_all(state, carried(state, decisions)))
    return decisions


def asks_for_missing(state: State, decisions: tuple[Decision, ...]) -> bool:
    """Is a text refused for names that the catalog does not know? Then, once, the catalog is read again."""
    missing = () if state.retried else missing_names(state, decisions)
    state.retried = bool(missing)
    if missing:
        wish_catalog(state, missing)
    return bool(missing)


def missing_names(state: State, decisions: tuple[Decision, ...]) -> tuple[tuple[str, ...], ...]:
    """What a refused text names that the catalog does not know.

    Columns and functions count while nothing is under way: an open transaction may have changed its tables, which
    nobody else sees, and its locks would keep the catalog's reader waiting."""
    if refused(decisions) is None:
        return ()
    asked = [d for d in decisions if d.refusal and (d.refusal.rule == UNKNOWN_RELATION or at_rest(state))]
    return tuple(name for decision in asked for name in decision.missing)


def decide_one(state: State, text: bytes) -> Decision | None:
    """As `decide` for a Parse: the server itself refuses a text of several statements, unless one is ours to refuse."""
    decisions = decide(state, text)
    if decisions is None:
        return None
    if decisions and is_stale(state, decisions[0]):
        return refuse(decisions[0], PATH_MOVED)
    return refused(decisions) or (decisions[0] if decisions else EMPTY)
