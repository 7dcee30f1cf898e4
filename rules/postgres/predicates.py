"""A rule's `where` -> a Predicate: one boolean expression over a table's columns, constants and functions that neither
fail nor change.

The text is parsed by the server's grammar twice, with and without parentheses around it, so that `a) OR (b` and
`a ORDER BY b` are no conditions. Names of functions and types are qualified with pg_catalog where they stand, for a
client may set its search path. Operators are not: the splicing refuses a path on which pg_catalog is not first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from rules.postgres import total_functions as total
from rules.postgres.grammar import parse_tree
from rules.postgres.lexical import Token, encode, tokens
from rules.postgres.nodes import Node, Reader, Refused
from rules.postgres.parse import _REGISTERED
from rules.postgres.types import BUILT_IN_TYPES
from rules.predicate import BadPredicateError, Predicate
from rules.tree import Call, Cast, Column, Expression, Literal, Operation

_HEAD: Final = b"SELECT WHERE "
_FORMS: Final = (b"", b"("), (b"", b"\n)")
_READERS: Final = _REGISTERED  # the readers of nodes must be registered before an expression is read
_NAME: Final = rb"""(?:[A-Za-z_\x80-\xff][\w$\x80-\xff]*|"(?:[^"]|"")*")"""
_REFERENCE: Final = re.compile(_NAME + rb"(?:\s*\.\s*" + _NAME + rb")*")
_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")

#: of the total functions, those that look at more than one row
_OVER_ROWS: Final = total.words("""
    any_value array_agg avg bool_and bool_or count cume_dist dense_rank every first_value json_agg jsonb_agg lag
    last_value lead max min mode nth_value ntile percent_rank range_agg rank row_number stddev stddev_pop stddev_samp
    string_agg sum var_pop var_samp variance xmlagg percentile_cont percentile_disc
""")
#: constant for the whole statement
_STEADY: Final = total.words("""
    now transaction_timestamp statement_timestamp current_date current_time current_timestamp localtime localtimestamp
""")
FUNCTIONS: Final = (total.TOTAL | total.WITH_CONSTANTS | total.ON_COLUMNS | _STEADY) - _OVER_ROWS
_OPERATORS: Final = total.OPERATORS | total.PATTERNS | {"+", "-", "*", "/", "%", "subscript"} - {"default", "variadic"}
#: what yields true, false or NULL
_CONDITIONS: Final = (
    total.words("""
    = <> != < > <= >= and or not in not_in between not_between between_symmetric not_between_symmetric is_null
    is_not_null is_true is_not_true is_false is_not_false is_unknown is_not_unknown is_distinct is_not_distinct
    @> <@ ? ?| ?& && is_json
""")
    | total.PATTERNS
)
_BOOLEAN_CALLS: Final = total.words("starts_with regexp_like isfinite")
_BUILT_IN_NAMES: Final = frozenset(known.name for known in BUILT_IN_TYPES)
_BOOLEAN_TYPES: Final = frozenset({"bool", "boolean"})


def read_predicate(text: str) -> Predicate:
    """Raises BadPredicateError for what is no condition, or none that may be a row filter."""
    try:
        raw = encode(text)
        node = _parsed(raw)
        reader = Reader(_HEAD + raw)
        expression = reader.expression(node)
    except Refused as refused:
        found = refused.unparsable
        raise BadPredicateError(
            "where is not a condition", found.reason, "write one condition, as after WHERE"
        ) from None
    _checked(expression)
    if not _is_condition(expression):
        raise BadPredicateError(
            "where is not a condition", "it does not yield true or false", "compare the columns with something"
        )
    return _taken_apart(text, raw, expression, node)


def _parsed(raw: bytes) -> Node:
    for kind, start, end in tokens(raw):
        if kind is Token.END or (kind is Token.GAP and raw[start:end].strip()):
            raise BadPredicateError("where holds a comment or a semicolon", mend="leave the condition alone in it")
    found = [_where(_HEAD + before + raw + after) for before, after in zip(*_FORMS, strict=True)]
    if found[0] is None or found[1] is None:
        raise BadPredicateError("where is not a condition", "it is more than one expression", "write one condition")
    return found[0]


def _where(text: bytes) -> Node | None:
    statements = parse_tree(text)
    body = statements[0]["stmt"].get("SelectStmt", {}) if len(statements) == 1 else {}
    return body["whereClause"] if body.keys() == {"whereClause", "limitOption", "op"} else None


# ---------------------------------------------------------------- what may stand in it


def _checked(e: Expression) -> None:
    handler = _ALLOWED.get(type(e))
    if handler is None:
        what = _FORBIDDEN.get(type(e).__name__, "something else than columns, constants and operators")
        raise BadPredicateError(f"where holds {what}", "a filter looks at one row alone", "use columns and constants")
    for operand in handler(e):
        _checked(operand)


_FORBIDDEN: Final = {
    "Subquery": "a subquery",
    "Parameter": "a parameter",
    "Star": "a star",
    "Field": "a field of a composite value",
}


def _call(e: Call) -> tuple[Expression, ...]:
    name = ".".join(e.name)
    if e.conditions or e.partitions or e.star or e.name[-1] in _OVER_ROWS:
        raise BadPredicateError(
            f"where calls {name} over several rows", "a filter looks at one row alone", "use columns"
        )
    if e.name[-1] not in FUNCTIONS or e.name[:-1] not in ((), ("pg_catalog",)):
        why = "a filter may call only built-in functions that never fail, change nothing and depend on their arguments"
        raise BadPredicateError(f"where calls {name}", why, "for example: lower, coalesce, date_trunc, now")
    return e.arguments


def _operation(e: Operation) -> tuple[Expression, ...]:
    word = e.operator.removesuffix(" any").removesuffix(" all")
    if word not in _OPERATORS or e.qualifier not in ((), ("pg_catalog",)):
        why = "it is not known to give one value and never fail"
        raise BadPredicateError(f"where uses {e.operator}", why, "use comparisons, IN, LIKE, AND, OR, NOT")
    return e.operands


def _cast(e: Cast) -> tuple[Expression, ...]:
    if len(e.type_name) == 1 and e.type_name[0] not in _BUILT_IN_NAMES:
        name = e.type_name[0]
        why = "a client may set the search path by which it is found"
        raise BadPredicateError(f"where casts to {name}", why, f"qualify it with its schema: public.{name}")
    return (e.operand,)


def _nothing(e: Expression) -> tuple[Expression, ...]:
    return ()


_ALLOWED: Final[dict[type, Callable[[Any], tuple[Expression, ...]]]] = {
    Column: _nothing,
    Literal: _nothing,
    Call: _call,
    Operation: _operation,
    Cast: _cast,
}


def _is_condition(e: Expression) -> bool:
    if isinstance(e, Operation):
        return e.operator in _CONDITIONS or e.operator.endswith((" any", " all")) or e.operator in ("case", "coalesce")
    if isinstance(e, Cast):
        return e.type_name[-1] in _BOOLEAN_TYPES
    if isinstance(e, Call):
        return e.name[-1] in _BOOLEAN_CALLS
    return isinstance(e, Column) or (isinstance(e, Literal) and e.value in ("true", "false"))


# ---------------------------------------------------------------- taken apart


def _taken_apart(text: str, raw: bytes, expression: Expression, node: Node) -> Predicate:
    """Columns become holes, names of functions and types are qualified."""
    columns = {column.at - len(_HEAD): column for column in _columns(expression)}
    qualified = {at - len(_HEAD) for at in (*_calls(expression), *_types(node))}
    pieces, names, done = [""], [], 0
    for at in sorted(columns.keys() | qualified):
        pieces[-1] += raw[done:at].decode()
        done = at
        if at in qualified:
            pieces[-1] += "pg_catalog."
            continue
        found = _REFERENCE.match(raw, at)
        if found is None:
            raise BadPredicateError("where names a column in a way that is not understood", mend="write its plain name")
        names.append(columns[at].path[-1])
        pieces.append("")
        done = found.end()
    pieces[-1] += raw[done:].decode()
    return Predicate(text, tuple(pieces), tuple(names))


def _within(e: Expression) -> Iterator[Expression]:
    yield e
    for operand in _ALLOWED[type(e)](e):
        yield from _within(operand)


def _columns(e: Expression) -> list[Column]:
    return [found for found in _within(e) if isinstance(found, Column)]


def _calls(e: Expression) -> list[int]:
    """Where functions are called by a bare name; keywords (CURRENT_DATE, EXTRACT) come qualified from the grammar."""
    return [found.at for found in _within(e) if isinstance(found, Call) and len(found.name) == 1]


def _types(node: Any) -> Iterator[int]:
    """Where types are written by a bare name; keywords (int, varchar) come qualified from the grammar."""
    for each in node if isinstance(node, list) else node.values() if isinstance(node, dict) else ():
        if isinstance(each, dict) and "names" in each and len(each["names"]) == 1:
            yield each["location"]
        yield from _types(each)


def quoted(name: str) -> str:
    """The identifier as SQL writes it."""
    return f'"{name.replace(chr(34), chr(34) * 2)}"'


@lru_cache(maxsize=4096)
def condition_of(text: str) -> Expression:
    """A rendered condition as the parser reads it. Raises Refused, which no predicate that was read before does."""
    raw = _HEAD + text.encode()
    (statement,) = parse_tree(raw)
    return Reader(raw).expression(statement["stmt"]["SelectStmt"]["whereClause"])
