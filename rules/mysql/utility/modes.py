"""The values of sql_mode that drivers compute from the one at hand: CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES'),
REPLACE(@@sql_mode, 'ONLY_FULL_GROUP_BY', ''), and these in each other or as a SELECT in brackets. The list of tracked
variables goes the same way.

The mode at hand has no lexical part, since the gate lets none in; it is written `@@sql_mode` here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from rules.tree import Call, Column, Expression, Literal, Operation, Select, Subquery

#: variables that are lists of words
LISTS: Final = frozenset({"sql_mode", "session_track_system_variables"})

Parts: TypeAlias = "tuple[str | None, ...]"


def written_list(value: Expression, name: str) -> tuple[str, ...]:
    """One text of words with commas between, `@@name` for those at hand; () when it cannot be told."""
    made = _text(value, name)
    return () if made is None else (made,)


def _text(value: Expression, name: str) -> str | None:
    if isinstance(value, Literal):
        return value.value
    if isinstance(value, Column):
        return value.path[0] if len(value.path) == 1 else None
    if isinstance(value, Operation):
        return "@@" + name if _is_at_hand(value, name) else None
    if isinstance(value, Subquery):
        return _selected(value, name)
    if isinstance(value, Call) and len(value.name) == 1 and not value.conditions:
        maker = _CALLS.get(value.name[0].lower())
        return maker(tuple([_text(each, name) for each in value.arguments]), "@@" + name) if maker else None
    return None


def _is_at_hand(value: Operation, name: str) -> bool:
    """`@@name` and `@@session.name`. The global one may be another."""
    operand = value.operands[0] if len(value.operands) == 1 else None
    if value.operator != "system_variable" or not isinstance(operand, Literal):
        return False
    return operand.value in (name, f"session.{name}", f"local.{name}")


def _selected(value: Subquery, name: str) -> str | None:
    """`(SELECT expression)`."""
    query = value.query
    if value.form != "scalar" or not isinstance(query, Select) or query != Select(query.outputs):
        return None
    return _text(query.outputs[0].expression, name) if len(query.outputs) == 1 else None


def _concat(parts: Parts, at_hand: str) -> str | None:
    """No two words may grow together: after what is at hand, and before it, stands a comma."""
    if None in parts:
        return None
    made = "".join(part or "" for part in parts)
    return made if all(at_hand not in piece or piece.strip() == at_hand for piece in made.split(",")) else None


def _concat_ws(parts: Parts, at_hand: str) -> str | None:
    return None if None in parts or parts[:1] != (",",) else ",".join(part or "" for part in parts[1:])


def _replace(parts: Parts, at_hand: str) -> str | None:
    """Whole modes are taken out of what is at hand, so that nothing new can come of the rest."""
    if len(parts) != 3 or parts[0] is None or parts[1] is None or parts[2] not in ("", ","):
        return None
    taken = [mode for mode in parts[1].split(",") if mode]
    known = bool(taken) and all(mode.strip() == mode and mode.upper() in REMOVABLE for mode in taken)
    return parts[0] if known and at_hand in parts[0] else None


_CALLS: Final[dict[str, Callable[[Parts, str], str | None]]] = {
    "concat": _concat,
    "concat_ws": _concat_ws,
    "replace": _replace,
}

#: modes whose name is no part of another's, and whose absence can make no other name out of its neighbours
REMOVABLE: Final = frozenset(
    """
    ONLY_FULL_GROUP_BY STRICT_TRANS_TABLES STRICT_ALL_TABLES NO_ZERO_IN_DATE NO_ZERO_DATE ERROR_FOR_DIVISION_BY_ZERO
    NO_ENGINE_SUBSTITUTION NO_AUTO_VALUE_ON_ZERO NO_AUTO_CREATE_USER NO_UNSIGNED_SUBTRACTION PAD_CHAR_TO_FULL_LENGTH
    ALLOW_INVALID_DATES TIME_TRUNCATE_FRACTIONAL EMPTY_STRING_IS_NULL SIMULTANEOUS_ASSIGNMENT TIME_ROUND_FRACTIONAL
    NO_DIR_IN_CREATE NO_FIELD_OPTIONS NO_KEY_OPTIONS NO_TABLE_OPTIONS REAL_AS_FLOAT
    """.split()  # noqa: SIM905
)
