"""Between the policy and the wire: the decisions of one text, in the light of what the session holds.

One command is outstanding at a time, so everything is decided when all that came before it has been answered: nothing
here is in doubt, and what must wait (a fresh catalog, another process) keeps the client's bytes waiting as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from dbgate.session.long_texts import CHANGING, KEPT, MOST_TRIES, SHORT, Answered, Waits, is_long
from dbgate.session.mysql.laws import changes_reading, lawful, without_diagnostics
from dbgate.session.mysql.refusals import (
    CATALOG_UNREAD,
    EMPTY,
    NESTED_CARRIER,
    NOT_IN_CHARSET,
    ODD_NAME,
    ONE_AT_A_TIME,
    SEND_ALONE,
    SPLICED_OTHERWISE,
    TOO_MANY_PREPARED,
    UNKNOWN_NAME,
    refuse,
    refused,
)
from dbgate.session.mysql.registry import PLAIN_NAME, Prepared
from dbgate.session.mysql.state import Phase, State
from dbgate.session.mysql.world import await_world, objection
from dbgate.session.outcome import DecideElsewhere, RefreshCatalog
from rules.decide import UNKNOWN_RELATION
from rules.decision import Decision, Refusal, Verdict
from rules.policy import PolicyContext
from rules.policy import refused as refused_text
from rules.roles import weakness  # noqa: F401

#: EXECUTE is of this kind: its rows are those of the statement behind the name.
EXECUTES: Final = "prepared"
#: These are about the session alone: what names mean makes no difference to them.
NAMELESS: Final = frozenset({"transaction", "empty"})


# ---------------------------------------------------------------- texts


def in_utf8(state: State, raw: bytes) -> bytes | None:
    """The text as it is decided; None when it cannot be read in the session's character set."""
    if raw.isascii() or state.charset.name.startswith("utf8"):
        return raw
    if state.charset.name == "binary":
        return None
    try:
        return state.charset.decode(raw).encode()
    except UnicodeError:
        return None


def in_charset(state: State, text: bytes) -> bytes | None:
    """A text with row filters spliced in, as it is sent."""
    if text.isascii() or state.charset.name.startswith("utf8"):
        return text
    try:
        return state.charset.encode(text.decode())
    except UnicodeError:
        return None


UNREADABLE: Final = refuse(Decision(Verdict.REFUSE, "unknown", hides=True), NOT_IN_CHARSET)


def decide(state: State, text: bytes | None) -> tuple[Decision, ...]:
    """One decision for each statement. Raises Waits when the command must first wait: for a fresh catalog, or for a
    long text's answer. `text`: in UTF-8, None for what cannot be read."""
    if text is None:
        return (UNREADABLE,)
    await_catalog(state)
    decisions = decisions_of(state, state.context, text)
    await_world(state, decisions)
    ask_for_missing(state, decisions)
    if all(map(is_common, decisions)) and len(decisions) == 1 and not state.catalog_dirty and state.own.settled:
        return decisions
    told = one_reading(state, without_diagnostics(state, tuple(_carried(state, text, decisions))))
    decisions = tuple(_lasting(state, each) for each in told)
    state.own.failed = False
    return decisions


def decide_one(state: State, text: bytes | None) -> Decision:
    """As `decide` for a text that is prepared."""
    decisions = decide(state, text)
    no = refused(decisions)
    if no is None and len(decisions) > 1:
        no = refuse(decisions[0], ONE_AT_A_TIME)
    if no is None and not has_room(state, text or b""):
        no = refuse(decisions[0] if decisions else EMPTY, TOO_MANY_PREPARED)
    return no or (decisions[0] if decisions else EMPTY)


def has_room(state: State, text: bytes) -> bool:
    return state.names.has_room(text, state.limits.prepared, state.limits.prepared_bytes)


def is_common(decision: Decision) -> bool:
    """It touches neither names of prepared statements nor settings, nor temporary tables."""
    nameless = decision.runs is decision.defines is decision.drops is None
    return nameless and not (decision.settings or decision.changes_own)


def _lasting(state: State, decision: Decision) -> Decision:
    """The session's own laws, and what the catalog may read wrongly after this session's own DDL."""
    if decision.verdict is not Verdict.ALLOW:
        return decision
    if state.catalog_dirty and state.watched and decision.kind not in NAMELESS:
        return refuse(decision, CATALOG_UNREAD)
    broken = lawful(state, decision) or objection(state, decision)
    return decision if broken is None else refuse(decision, broken)


def one_reading(state: State, decisions: Iterable[Decision]) -> list[Decision]:
    """In a text of several statements what changes the meaning of names, or how text is read, must come last."""
    found: list[Decision] = []
    moved = False
    for decision in decisions:
        stale = moved and decision.kind not in NAMELESS and decision.verdict is Verdict.ALLOW
        found.append(refuse(decision, SEND_ALONE) if stale else decision)
        moved = moved or changes_reading(decision) or (state.watched and changes_world(decision))
    return found


def changes_world(decision: Decision) -> bool:
    """May there be other relations, or other prepared statements, after it than the gate knows, or more results than
    one (of CALL, which EXECUTE may run), so that nobody could tell whose the next ones are?"""
    return decision.changes_catalog or decision.changes_own or decision.kind == "call" or decision.runs is not None


# ---------------------------------------------------------------- the catalog


def await_catalog(state: State) -> None:
    """Has this session's own DDL been done since the catalog was read? Then the client's bytes wait for a new one."""
    if state.catalog_dirty and state.watched and not state.retried:
        state.retried = True
        wish_catalog(state, ())


def ask_for_missing(state: State, decisions: tuple[Decision, ...]) -> None:
    """A text is refused for names that the catalog does not know: once, the catalog is read again."""
    missing = () if state.retried else missing_names(decisions)
    state.retried = bool(missing)
    if missing:
        wish_catalog(state, missing)


def wish_catalog(state: State, missing: tuple[tuple[str, ...], ...]) -> None:
    state.phase = Phase.AWAITS_CATALOG
    state.reads_own = state.catalog_dirty
    state.wishes.append(RefreshCatalog(missing))
    raise Waits


def missing_names(decisions: tuple[Decision, ...]) -> tuple[tuple[str, ...], ...]:
    if refused(decisions) is None:
        return ()
    return tuple(name for decision in decisions if decision.refusal for name in decision.missing)


# ---------------------------------------------------------------- long texts


def decisions_of(state: State, context: PolicyContext, text: bytes) -> tuple[Decision, ...]:
    """As `context.decide`. Raises Waits for a long text that has no answer yet."""
    if len(text) <= SHORT:
        return context.decide(text)
    answer = state.answers.get(text)
    if answer is not None and answer.context is context:
        return answer.decisions
    return _asked(state, context, text, answer) if is_long(context, text) else context.decide(text)


def _asked(state: State, context: PolicyContext, text: bytes, stale: Answered | None) -> tuple[Decision, ...]:
    tries = 0 if stale is None else stale.tries
    if tries >= MOST_TRIES:
        return (refused_text(CHANGING),)
    state.phase = Phase.AWAITS_DECISION
    state.awaited = Answered(context, text, (), tries + 1)
    state.wishes.append(DecideElsewhere(context, text))
    raise Waits


def take_answer(state: State, decisions: tuple[Decision, ...]) -> None:
    """What the wish has brought."""
    if state.awaited is not None:
        state.answers[state.awaited.text] = replace(state.awaited, decisions=decisions)
        state.awaited = None


def forget_answers(state: State) -> None:
    """The command that asked for them has been handled; the last one is kept for next time if it is not too long."""
    *_, (text, answer) = state.answers.items()
    state.answers = {text: replace(answer, tries=1)} if len(text) <= KEPT else {}


# ---------------------------------------------------------------- prepared statements


def redecide(state: State, prepared: Prepared) -> Decision:
    """A statement that was prepared under other rules, or another catalog, is decided again, with the default database
    of that time. May raise Waits."""
    context = state.context_for(prepared.database)
    if prepared.context is context:
        return prepared.decision
    decisions = decisions_of(state, context, prepared.text)
    decision = refused(decisions) or (decisions[0] if decisions else EMPTY)
    if decision.refusal is None and edits(decision) != edits_sent(prepared):
        return refuse(decision, SPLICED_OTHERWISE)
    prepared.context, prepared.decision, prepared.known = context, decision, None
    return decision


def edits(decision: Decision) -> tuple[object, ...]:
    return decision.rewrite.edits if decision.rewrite is not None else ()


def edits_sent(prepared: Prepared) -> tuple[object, ...]:
    return prepared.sent.edits if prepared.sent is not None else ()


def decide_execution(state: State, prepared: Prepared) -> Decision:
    """For COM_STMT_EXECUTE and COM_STMT_FETCH. May raise Waits."""
    await_catalog(state)
    decision = redecide(state, prepared)
    await_world(state, (decision,))
    state.retried = False
    if is_common(decision) and not state.catalog_dirty and state.own.settled:
        return decision
    decision = _lasting(state, decision)
    state.own.failed = False
    return decision


def _carried(state: State, text: bytes, decisions: tuple[Decision, ...]) -> list[Decision]:
    """EXECUTE takes on what is known of the statement behind the name."""
    found: list[Decision] = []
    opened: dict[str, Prepared] = {}
    for decision in decisions:
        taken = decision
        if decision.defines is not None and decision.verdict is Verdict.ALLOW:
            taken = _defining(state, decision, text)
            opened[key(decision.defines.name)] = carried_statement(state, text, taken)
        elif decision.runs is not None and decision.verdict is Verdict.ALLOW:
            taken = _behind(state, decision, opened)
        found.append(taken)
    return found


def key(name: str | None) -> str:
    return (name or "").lower()


def carried_statement(state: State, text: bytes, decision: Decision) -> Prepared:
    """What SQL's PREPARE has the server keep."""
    piece = text[decision.start : decision.end] if decision.end else text
    return Prepared(piece, decision, state.context, state.database, sent=decision.rewrite, carried=True)


def _defining(state: State, decision: Decision, text: bytes) -> Decision:
    name = decision.defines.name if decision.defines is not None else ""
    if not PLAIN_NAME.match(name or ""):
        return refuse(decision, ODD_NAME)
    return decision if has_room(state, text) else refuse(decision, TOO_MANY_PREPARED)


def _behind(state: State, decision: Decision, opened: dict[str, Prepared]) -> Decision:
    """The decision of an EXECUTE: that of the statement behind the name. For a role from which nothing is hidden the
    name may be one that nobody saw prepared."""
    assert decision.runs is not None
    if not PLAIN_NAME.match(decision.runs.name or ""):
        return refuse(decision, ODD_NAME)
    known = opened.get(key(decision.runs.name)) or state.names.named.get(key(decision.runs.name))
    if known is None:
        return refuse(decision, UNKNOWN_NAME)
    if decision.kind != EXECUTES:
        return refuse(decision, NESTED_CARRIER)
    behind = redecide(state, known)
    if behind.refusal is not None:
        return refuse(decision, behind.refusal)
    return _taken_on(decision, behind)


def _taken_on(decision: Decision, behind: Decision) -> Decision:
    rules = tuple(sorted({*decision.rules, *behind.rules}))
    return replace(
        behind,
        detail=decision.detail,
        rules=rules,
        defines=None,
        runs=decision.runs,
        rewrite=decision.rewrite,
        start=decision.start,
        end=decision.end,
    )


def is_unknown(refusal: Refusal | None) -> bool:
    return refusal is not None and refusal.rule == UNKNOWN_RELATION
