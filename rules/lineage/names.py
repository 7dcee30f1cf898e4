"""The name that PostgreSQL gives an output column without an alias (parse_target.c, FigureColname)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rules.tree import Call, Cast, Column, Expression, Field, Operation, Select, Star, Subquery

UNNAMED: Final = "?column?"

#: Constructs that name their own column.
_CONSTRUCT_WORDS: Final = (
    "array row case coalesce nullif greatest least grouping current_date current_time current_timestamp localtime "
    "localtimestamp current_role current_user user session_user current_catalog current_schema system_user xmlconcat "
    "xmlelement xmlforest xmlparse xmlpi xmlroot xmlserialize merge_action json json_scalar json_serialize json_object "
    "json_array json_objectagg json_arrayagg json_query json_exists json_value"
)
_CONSTRUCTS: Final = frozenset(_CONSTRUCT_WORDS.split())
#: Constructs that pass their operand's name on.
_TRANSPARENT: Final[frozenset[str]] = frozenset({"collate", "subscript", "[]", "indirection", "slice"})


def output_name(expression: Expression) -> str:
    """The name as the client sees it in RowDescription."""
    return _strength(expression)[1] or UNNAMED


def _strength(expression: Expression) -> tuple[int, str]:
    handler = _HANDLERS.get(type(expression))
    return handler(expression) if handler else (0, "")


def _column(e: Column) -> tuple[int, str]:
    return 2, e.path[-1]


def _call(e: Call) -> tuple[int, str]:
    return 2, e.name[-1]


def _cast(e: Cast) -> tuple[int, str]:
    found = _strength(e.operand)
    return found if found[0] >= 1 else (1, e.type_name[-1])


def _field(e: Field) -> tuple[int, str]:
    return (2, e.name) if e.name else _strength(e.operand)


def _operation(e: Operation) -> tuple[int, str]:
    if e.operator == "case":
        return _case(e)
    if e.operator in _TRANSPARENT and e.operands:
        return _strength(e.operands[0])
    return (2, e.operator) if e.operator in _CONSTRUCTS else (0, "")


def _case(e: Operation) -> tuple[int, str]:
    last = e.operands[-1] if e.operands else None
    if last is not None and not (isinstance(last, Operation) and last.operator == "when"):
        found = _strength(last)
        if found[0] >= 1:
            return found
    return 1, "case"


def _subquery(e: Subquery) -> tuple[int, str]:
    if e.form == "exists":
        return 2, "exists"
    if e.form == "array":
        return 2, "array"
    if e.form == "scalar" and isinstance(e.query, Select) and e.query.outputs:
        first = e.query.outputs[0]
        return 2, first.name or output_name(first.expression)
    return 0, ""


def _star(_: Star) -> tuple[int, str]:
    return 0, ""


_HANDLERS: Final[dict[type, Callable[[Any], tuple[int, str]]]] = {
    Column: _column,
    Call: _call,
    Cast: _cast,
    Field: _field,
    Operation: _operation,
    Subquery: _subquery,
    Star: _star,
}
