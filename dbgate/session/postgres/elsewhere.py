"""Long texts are decided in another process, so that the other sessions of the worker go on meanwhile.

The session waits (`Phase.AWAITS_DECISION`, wish `DecideElsewhere`); the answer holds for exactly this text and context,
and is asked for again when rules or catalog have changed in the meantime.
"""

from __future__ import annotations

from dataclasses import replace

from dbgate.session.long_texts import CHANGING, KEPT, MOST_TRIES, SHORT, Answered, Waits, is_long
from dbgate.session.outcome import DecideElsewhere
from dbgate.session.postgres.state import Phase, State
from rules.decision import Decision
from rules.policy import PolicyContext
from rules.policy import refused as refused_text


def decisions_of(state: State, context: PolicyContext, text: bytes) -> tuple[Decision, ...]:
    """As `context.decide`. Raises Waits for a long text that has no answer yet.

    While replies are read nothing can wait: a long text is then decided at once (an EXECUTE whose rules changed after
    it was sent)."""
    if len(text) <= SHORT or not state.may_wait:
        return context.decide(text)
    answer = state.answers.get(text)
    if answer is not None and answer.context is context:
        return answer.decisions
    return _asked(state, context, text, answer) if is_long(context, text) else context.decide(text)


def _asked(state: State, context: PolicyContext, text: bytes, stale: Answered | None) -> tuple[Decision, ...]:
    if stale is not None and (tries := stale.tries) >= MOST_TRIES:
        return (refused_text(CHANGING),)
    state.phase = Phase.AWAITS_DECISION
    state.awaited = Answered(context, text, (), 1 if stale is None else tries + 1)
    state.wishes.append(DecideElsewhere(context, text))
    raise Waits


def take_answer(state: State, decisions: tuple[Decision, ...]) -> None:
    """What the wish has brought."""
    if state.awaited is not None:
        state.answers[state.awaited.text] = replace(state.awaited, decisions=decisions)
        state.awaited = None


def forget_answers(state: State) -> None:
    """The message that asked for them has been handled; the last one is kept for next time if it is not too long."""
    *_, (text, answer) = state.answers.items()
    state.answers = {text: replace(answer, tries=1)} if len(text) <= KEPT else {}
