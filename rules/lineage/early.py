"""What may fail before a condition has rejected a row.

The planner may evaluate the parts of a WHERE in any order, and pull those of a subquery up. Where a row filter hides
rows, an expression that fails on one of them would tell that it is there, whatever the expression is made of: so here
constants, parameters and values without base columns count as well, other than in `rules.lineage.hazards`, whose
question is whose value shows. An expression may fail early unless it is known not to. What is computed from the rows
that a statement returns or writes is evaluated when every condition has been met (`Reader.settled`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from rules.lineage.reader import Reader
from rules.postgres import total_functions as total
from rules.tree import Call, Cast, Expression, Literal, Operation, Parameter, Query, Select, Subquery

_SUMS: Final = frozenset({"+", "-"})
_MODEST: Final = re.compile(
    r"\s*(?:-?\d{1,3} ?(?:years?|mons?|months?|weeks?|days?|hours?|min|mins|minutes?|secs?|seconds?)\s*)+", re.I
)
#: regular expressions that every server takes
_PLAIN_PATTERN: Final = re.compile(r"\^?[\w\s@,:/=%&'\"~!#<>;-]*(?:\.[*+]?)?[\w\s@,:/=%&'\"~!#<>;-]*\$?")
LIKES: Final = total.words("like not_like ilike not_ilike ~~ !~~ ~~* !~~* ^@")
_UNITS: Final = total.words("""
    microseconds milliseconds second minute hour day week month quarter year decade century millennium
""")
_FIELDS: Final = _UNITS | total.words("dow doy epoch isodow isoyear")
_DATED: Final = total.words("date_trunc date_part extract")
_ANY_CONSTANTS: Final = total.words("replace translate to_char left right lpad rpad repeat format")
_COUNTS: Final = total.words("substr substring split_part")


def of_call(reader: Reader, e: Call, is_total: bool) -> None:
    """`is_total`: what the hazards say of it, where its arguments have base columns."""
    if not reader.settled and not safe_call(e, is_total):
        reader.fails_early = True


def safe_call(e: Call, is_total: bool) -> bool:
    """It gives a value for certain, its constants included."""
    name = e.name[-1]
    if not e.arguments and not e.star:
        return name != "lastval"
    if not is_total:
        return False
    if name in total.TOTAL or name in total.ON_COLUMNS:
        return True
    if name in _DATED:
        return _is_unit(e.arguments[0], name)
    if name in _ANY_CONSTANTS:
        return all(map(_is_literal, e.arguments[1:] if name != "format" else e.arguments[:1]))
    return name in _COUNTS and all(map(_is_count, e.arguments[1 if name != "split_part" else 2 :]))


def _is_unit(e: Expression, name: str) -> bool:
    known = _UNITS if name == "date_trunc" else _FIELDS
    return isinstance(e, Literal) and (e.value or "").lower() in known


def _is_literal(e: Expression) -> bool:
    return isinstance(e, Literal)


def _is_count(e: Expression) -> bool:
    return isinstance(e, Literal) and (e.value or "").isdecimal() and 0 < int(e.value or "") < 10_000


def of_cast(reader: Reader, e: Cast, has_sources: bool) -> None:
    """A constant becomes a value of its type when the statement is parsed. So does a parameter's type, as long as it
    is cast to the same everywhere; a cast of any other value runs with the rows."""
    if isinstance(e.operand, Parameter):
        reader.parameters[e.operand.number][-1] = e.type_name[-1]
    elif not (reader.settled or has_sources or isinstance(e.operand, Literal) or e.type_name[-1] in total.TEXTS):
        reader.fails_early = reader.fails_early or not is_steady(e)


def of_operation(reader: Reader, e: Operation, is_total: bool, has_sources: bool) -> None:
    if reader.settled or reader.fails_early:
        return
    word = e.operator.removesuffix(" any").removesuffix(" all")
    if word in total.PATTERNS:
        safe = is_total and all(safe_pattern(word, p) for p in e.operands[1:])
    else:
        safe = (is_total and has_sources) or word in total.OPERATORS or is_steady(e)
    reader.fails_early = not safe


def safe_pattern(word: str, e: Expression) -> bool:
    """A constant pattern with which matching by the operator `word` never fails, whatever the text is."""
    if isinstance(e, Cast) and e.type_name[-1] in total.TEXTS:
        return safe_pattern(word, e.operand)
    if isinstance(e, Operation) and e.operator in ("array", "list"):
        return all(safe_pattern(word, each) for each in e.operands)
    if not isinstance(e, Literal):
        return False
    if word in LIKES:
        return not (e.value or "").endswith("\\")
    return _PLAIN_PATTERN.fullmatch(e.value or "") is not None


def of_subquery(reader: Reader, e: Subquery) -> None:
    """A scalar subquery fails when it returns two rows."""
    if e.form == "scalar" and not reader.settled and not gives_one_row(e.query):
        reader.fails_early = True


def gives_one_row(q: Query) -> bool:
    """For certain no more than one."""
    if isinstance(q.limit, Literal) and q.limit.value == "1":
        return True
    if not isinstance(q, Select) or q.group_by:
        return False
    return not q.sources or all(isinstance(o.expression, Call) and o.expression.name[-1] in _GATHER for o in q.outputs)


_GATHER: Final = total.words("""
    count sum min max avg bool_and bool_or every array_agg json_agg jsonb_agg string_agg
""")


def is_steady(e: Expression) -> bool:
    """Made of constants and the clock alone, within bounds: `now() - interval '7 days'`, `current_date - 30`."""
    handler = _STEADY.get(type(e))
    return handler is not None and handler(e)


def _steady_cast(e: Cast) -> bool:
    if e.type_name[-1] == "interval":
        return isinstance(e.operand, Literal) and _MODEST.fullmatch(e.operand.value or "") is not None
    return is_steady(e.operand) and (isinstance(e.operand, Literal) or e.type_name[-1] in ("date", "timestamptz"))


def _steady_sum(e: Operation) -> bool:
    return e.operator in _SUMS and not e.qualifier and len(e.operands) <= 2 and all(map(_steady_part, e.operands))


def _steady_part(e: Expression) -> bool:
    return is_steady(e) and (not isinstance(e, Literal) or len(e.value or "") <= 5)


_STEADY: Final[dict[type, Callable[..., bool]]] = {
    Literal: lambda e: True,
    Call: lambda e: not e.arguments and e.name[-1] in total.CLOCKS,
    Cast: _steady_cast,
    Operation: _steady_sum,
}


def torn_parameters(reader: Reader, declared: bool = False) -> bool:
    """Whether a parameter is cast to one type here and used as another there: one of the casts runs with the rows. So
    does each cast of a parameter whose type may have been `declared` as another one (SQL's PREPARE)."""
    fewest = 0 if declared else 1
    return any(len(set(t)) > fewest and not set(t) <= {"", *total.TEXTS} for t in reader.parameters.values())
