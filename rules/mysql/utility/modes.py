"""The values of sql_mode that drivers compute from the one at hand: CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES'),
REPLACE(@@sql_mode, 'ONLY_FULL_GROUP_BY', ''), and these in each other or as a SELECT in brackets.

The mode at hand has no lexical part, since the gate lets none in; it is written `@@sql_mode` here.
"""

from __future__ import annotations

from typing import Final

from rules.tree import Call, Column, Expression, Literal, Operation, Select, Subquery

AT_HAND: Final = "@@sql_mode"
#: `@@sql_mode` as front ends of drivers spell it. The global one may be another.
_SPELLINGS: Final = frozenset({"sql_mode", "session.sql_mode", "local.sql_mode", "@@sql_mode", "@@session.sql_mode"})


def written_modes(value: Expression) -> tuple[str, ...]:
    """One text of modes with commas between, `@@sql_mode` for the mode at hand; () when it cannot be told."""
    made = _text(value)
    return () if made is None else (made,)


def _text(value: Expression) -> str | None:
    if isinstance(value, Literal):
        return value.value
    if isinstance(value, Column):
        return value.path[0] if len(value.path) == 1 else None
    if isinstance(value, Operation):
        return AT_HAND if _is_at_hand(value) else None
    if isinstance(value, Subquery):
        return _selected(value)
    if isinstance(value, Call) and not value.conditions:
        maker = _CALLS.get(value.name[-1].lower()) if len(value.name) == 1 else None
        return maker(tuple(map(_text, value.arguments))) if maker else None
    return None


def _is_at_hand(value: Operation) -> bool:
    operand = value.operands[0] if len(value.operands) == 1 else None
    if value.operator != "system_variable" or not isinstance(operand, Literal):
        return False
    return (operand.value or "").lower().replace("`", "") in _SPELLINGS


def _selected(value: Subquery) -> str | None:
    """`(SELECT expression)`."""
    query = value.query
    if value.form != "scalar" or not isinstance(query, Select) or query != Select(query.outputs):
        return None
    return _text(query.outputs[0].expression) if len(query.outputs) == 1 else None


def _concat(parts: tuple[str | None, ...]) -> str | None:
    """No two modes may grow together: after what is at hand, and before it, stands a comma."""
    if None in parts:
        return None
    made = "".join(part or "" for part in parts)
    pieces = made.split(",")
    return made if all(AT_HAND not in piece or piece.strip() == AT_HAND for piece in pieces) else None


def _concat_ws(parts: tuple[str | None, ...]) -> str | None:
    return None if None in parts or parts[:1] != (",",) else ",".join(part or "" for part in parts[1:])


def _replace(parts: tuple[str | None, ...]) -> str | None:
    """Whole modes are taken out of what is at hand, so that nothing new can come of the rest."""
    if len(parts) != 3 or parts[0] is None or parts[1] is None or parts[2] not in ("", ","):
        return None
    taken = [mode for mode in parts[1].split(",") if mode]
    if not all(mode.strip() == mode and mode.upper() in REMOVABLE for mode in taken):
        return None
    return parts[0] if AT_HAND in parts[0] else None


_CALLS: Final = {"concat": _concat, "concat_ws": _concat_ws, "replace": _replace}

#: modes whose name is no part of another's, and whose absence can make no other name out of its neighbours
REMOVABLE: Final = frozenset(
    """
    ONLY_FULL_GROUP_BY STRICT_TRANS_TABLES STRICT_ALL_TABLES NO_ZERO_IN_DATE NO_ZERO_DATE ERROR_FOR_DIVISION_BY_ZERO
    NO_ENGINE_SUBSTITUTION NO_AUTO_VALUE_ON_ZERO NO_AUTO_CREATE_USER NO_UNSIGNED_SUBTRACTION PAD_CHAR_TO_FULL_LENGTH
    ALLOW_INVALID_DATES TIME_TRUNCATE_FRACTIONAL EMPTY_STRING_IS_NULL SIMULTANEOUS_ASSIGNMENT TIME_ROUND_FRACTIONAL
    NO_DIR_IN_CREATE NO_FIELD_OPTIONS NO_KEY_OPTIONS NO_TABLE_OPTIONS REAL_AS_FLOAT
    """.split()  # noqa: SIM905
)
