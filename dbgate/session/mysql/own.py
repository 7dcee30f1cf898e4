"""What statements may change of the session's temporary tables; what they are the server tells (`world`)."""

from __future__ import annotations

from typing import Final

from dbgate.session.mysql.state import State
from rules.decision import Decision

SHAPING: Final = frozenset({"create", "alter", "drop"})


def note_shaped(state: State, decision: Decision) -> None:
    """A statement is being sent: which names may be temporary tables after it?"""
    own = state.own
    if decision.changes_own or (decision.kind in SHAPING and own.shows(decision.tables)):
        own.doubted.update(decision.tables)
    if decision.calls_user or decision.kind == "call":
        own.unread = True
        own.seen.clear()
        own.doubted.update(own.tables)


def forget(state: State) -> None:
    """COM_RESET_CONNECTION: they are gone."""
    had, own = bool(state.own.tables), state.own
    own.tables = {}
    own.doubted.clear()
    own.seen.clear()
    own.unread = own.failed = False
    if had:
        state.use(state.policy.shared)
