"""A decision that was made before, under another rulebook, catalog or search path: does it still hold?"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from dbgate.session.postgres.elsewhere import decisions_of
from dbgate.session.postgres.refusals import EMPTY, PATH_MOVED, SPLICED_OTHERWISE, refuse, refused
from dbgate.session.postgres.registry import Prepared
from dbgate.session.postgres.state import State
from rules.decision import Decision, Mask, Verdict
from rules.policy import PolicyContext
from rules.roles import weakness

#: What EXECUTE may run: it changes neither names nor settings, and the server plans it with its names resolved.
PLANNED_KINDS: Final = frozenset({"select", "insert", "update", "delete", "merge"})

#: What a portal may hold that outlives a change of the search path: its names are not resolved when it runs.
LASTING_KINDS: Final = PLANNED_KINDS | {"cursor", "transaction"}


def redecide(state: State, prepared: Prepared) -> Decision:
    """A statement prepared under another rulebook, catalog or search path is decided again when it is bound. By another
    search path the server reads the text again; with another catalog only its old tables may stand behind the text
    (a new temporary table is not noticed by the server), so the stricter of both decisions holds."""
    before = prepared.context
    if before is not state.context:
        decision = decide_again(state, state.context, prepared)
        if before.search_path == state.context.search_path and before.catalog is not state.context.catalog:
            decision = stricter(prepared.decision, decision)
        prepared.decision, prepared.context = as_sent(prepared, decision), state.context
    return prepared.decision


def redecide_open(state: State, prepared: Prepared) -> Decision:
    """As `redecide` for what an open portal holds: its tables were fixed when it was opened, so it is decided by the
    search path of that time. What resolves names only when it runs is refused by another path."""
    before = prepared.context
    if before is state.context:
        return prepared.decision
    if before.policy.shared is not state.policy:  # the session's own world matters to nothing that is open
        context = state.make_context(state.context.policy, before.search_path)
        decision = stricter(prepared.decision, decide_again(state, context, prepared))
        prepared.decision, prepared.context = as_sent(prepared, decision), context
    decision = prepared.decision
    if before.search_path != state.context.search_path and state.watched and decision.kind not in LASTING_KINDS:
        return refuse(decision, PATH_MOVED)
    return decision


def as_sent(prepared: Prepared, decision: Decision) -> Decision:
    """The server has the text with the splices of its time: they must be those of now."""
    before = prepared.sent.edits if prepared.sent else ()
    after = decision.rewrite.edits if decision.rewrite else ()
    return decision if before == after or decision.refusal is not None else refuse(decision, SPLICED_OTHERWISE)


def decide_again(state: State, context: PolicyContext, prepared: Prepared) -> Decision:
    """The one decision on a prepared text under another context."""
    decisions = decisions_of(state, context, prepared.text)
    return refused(decisions) or (decisions[0] if decisions else EMPTY)


def stricter(old: Decision, new: Decision) -> Decision:
    """The new decision with the masks of both; of two masks on one column the stronger. Where it would have another
    number of columns, the old one's: the server never changes a prepared statement's ("cached plan must not change
    result type")."""
    if new.verdict is not Verdict.ALLOW:
        return new
    if old.width != new.width:
        return replace(new, masks=old.masks, width=old.width, hides=old.hides or new.hides)
    if old.masks is None and not old.hides:
        return new
    masks = old.masks
    if masks is not None and new.masks is not None:
        masks = tuple(stronger(a, b) for a, b in zip(masks, new.masks, strict=True))
    return replace(new, masks=masks or new.masks, hides=True)


def stronger(one: Mask | None, other: Mask | None) -> Mask | None:
    """The stronger of two masks on one column."""
    if one is None or other is None:
        return one or other
    return min(one, other, key=weakness)
