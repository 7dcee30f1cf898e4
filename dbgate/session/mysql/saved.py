"""Session settings that a client puts aside in user variables and sets again later, as every dump does:

    SET @saved = @@character_set_client;  SET character_set_client = utf8mb4;  ...  SET character_set_client = @saved;

What a variable holds is known while nothing has run that could have given it another value: what `@@name` was when it
was put aside, the same variable may be again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dbgate.session.mysql.refusals import law, refuse
from dbgate.session.mysql.state import State
from protocols.mysql.capabilities import Capability
from rules.decision import Decision, Refusal, Verdict
from rules.mysql_settings import RESTORED, is_variable
from rules.tree import Setting

NOT_SAVED: Final = law(
    "setting",
    "the gate does not know what the user variable holds: it takes one that SET @name = @@variable has filled, with "
    "nothing after it that could have filled it again",
    "give the value itself",
)

#: Statements that assign a user variable with `:=` alone: what else has an @ there is a DEFINER, or a value.
BY_SIGN: Final = frozenset({"insert", "update", "delete", "merge", "create", "alter", "drop"})


def restores(setting: Setting) -> bool:
    """Does it take its value from a user variable?"""
    return setting.name in RESTORED and bool(setting.value) and is_variable((setting.value or ("",))[0])


def objection(state: State, decision: Decision, setting: Setting) -> Refusal | None:
    """Why a setting that `restores` may not do so: other assignments of the same statement may come before it."""
    (source,) = setting.value or ("",)
    reported = Capability.SESSION_TRACK in state.login.upstream
    assigns = any(each.value == () or each.name.startswith("@") for each in decision.settings)
    known = reported and not assigns and state.names.saved.get(source) == setting.name
    return None if known else NOT_SAVED


def in_order(decisions: tuple[Decision, ...]) -> tuple[Decision, ...]:
    """What restores a setting stands alone: other statements of one text may fill the variable before it."""
    if len(decisions) < 2:
        return decisions
    return tuple(
        refuse(each, NOT_SAVED) if each.verdict is Verdict.ALLOW and any(map(restores, each.settings)) else each
        for each in decisions
    )


def note_sent(state: State, text: bytes, decisions: Iterable[Decision]) -> None:
    """What the statements may assign is unknown until they have worked."""
    saved = state.names.saved
    for decision in decisions if saved else ():
        if decision.kind == "session" and decision.runs is None and all(s.value != () for s in decision.settings):
            for setting in decision.settings:
                saved.pop(setting.name, None)
        elif _may_assign(decision, text) or decision.runs is not None or decision.calls_user or decision.kind == "call":
            saved.clear()


def _may_assign(decision: Decision, text: bytes) -> bool:
    return b"@" in text and (b":=" in text or decision.kind not in BY_SIGN)


def note_done(state: State, setting: Setting) -> None:
    """`SET @name = @@variable` has worked, or another assignment."""
    if not setting.name.startswith("@"):
        return
    source = setting.value[0] if setting.value and len(setting.value) == 1 else ""
    if source.startswith("@@") and source[2:] in RESTORED and is_variable(setting.name):
        state.names.saved[setting.name] = source[2:]
    else:
        state.names.saved.pop(setting.name, None)
