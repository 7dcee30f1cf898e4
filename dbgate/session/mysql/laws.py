"""What no rule can allow: settings by which the server would read texts otherwise than the gate, or lift its limits.

The rules refuse most of these already. This is the session's own look at each statement's settings, by the names of the
variables in lower case; what the server then reports is looked at again (`back`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from dbgate.session.mysql import saved
from dbgate.session.mysql.login import CHARSETS, TIMEOUT, lexical_modes
from dbgate.session.mysql.refusals import CHARSET, DIAGNOSTICS, SQL_MODE, law, refuse
from dbgate.session.mysql.state import State
from rules.decision import Decision, Refusal, Verdict
from rules.tree import Setting

DATABASE: Final = "database"
#: Settings after which the rest of a text would be read otherwise than it was decided.
READING: Final = frozenset({DATABASE, "names", "character_set_client", "charset", "character set", "sql_mode"})
#: Statements that show what is in the diagnostics area.
SHOWS_DIAGNOSTICS: Final = re.compile(r"\s*(SHOW\s+(COUNT|WARNINGS|ERRORS)\b|GET\b.*\bDIAGNOSTICS\b)", re.I | re.S)


def changes_reading(decision: Decision) -> bool:
    return any(setting.name in READING for setting in decision.settings)


def lawful(state: State, decision: Decision) -> Refusal | None:
    """Why the session must not let this allowed statement run."""
    for setting in decision.settings:
        if saved.restores(setting):
            if (unknown := saved.objection(state, decision, setting)) is not None:
                return unknown
        elif (law_of := LAWS.get(setting.name)) is not None and (broken := law_of(state, setting)) is not None:
            return broken
    if state.tainted and "GET DIAGNOSTICS" in decision.detail.upper():
        return DIAGNOSTICS
    return None


def without_diagnostics(state: State, decisions: Sequence[Decision]) -> Iterator[Decision]:
    """In a text of several statements nothing shows the diagnostics that one on hidden data may have left. (EXECUTE is
    taken for showing them, whatever it runs.)"""
    could_tell = state.tainted
    for decision in decisions:
        shows = decision.runs is not None or SHOWS_DIAGNOSTICS.match(decision.detail) is not None
        told = could_tell and shows and len(decisions) > 1 and decision.verdict is Verdict.ALLOW
        yield refuse(decision, DIAGNOSTICS) if told else decision
        could_tell = could_tell or decision.hides or decision.runs is not None or decision.calls_user


def _sql_mode(state: State, setting: Setting) -> Refusal | None:
    value = setting.value
    if value is None or len(value) != 1 or value[0].strip().isdigit() or lexical_modes(value[0]):
        return SQL_MODE
    return None


def _charset(state: State, setting: Setting) -> Refusal | None:
    value = setting.value
    return None if value and value[0].lower() in CHARSETS else CHARSET


def _results(state: State, setting: Setting) -> Refusal | None:
    """The results' character set: rows are masked in any that the gate knows, and in the columns' own."""
    value = (setting.value or ("",))[0].lower()
    return None if value in CHARSETS or value in ("null", "binary") else CHARSET


def _time(state: State, setting: Setting) -> Refusal | None:
    """The role's limit may be set lower, neither higher nor off."""
    limit = None if state.limiter is None else state.limiter.limits.time
    name, unit = TIMEOUT[state.login.brand]
    if limit is None or setting.name != name:
        return None
    amount = _number(setting)
    if amount is not None and 0 < amount * unit <= limit.amount:
        return None
    told = f"{name} may be set lower than {limit.amount / unit:g}, but neither higher nor off"
    return law("time", f'by rule "{limit.rule.id}" {told}', f"SET SESSION {name} = {limit.amount / unit:g}, or lower")


def _number(setting: Setting) -> float | None:
    try:
        return float((setting.value or ("",))[0])
    except ValueError:
        return None


LAWS: Final[dict[str, Callable[[State, Setting], Refusal | None]]] = {
    "sql_mode": _sql_mode,
    "names": _charset,
    "charset": _charset,
    "character set": _charset,
    "character_set_client": _charset,
    "character_set_results": _results,
    "max_execution_time": _time,
    "max_statement_time": _time,
}
