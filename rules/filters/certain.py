"""Values that are in sight for certain, so that no check needs to be spliced: constants that the filter itself names.

`country = 'US'` holds for a row written with the very constant 'US', whatever collation, comparison or input function
there is. Bulk inserts of constants pass unchanged this way. Of the rows of VALUES every one is looked at in the
parser's own tree, since ours keeps only the first of those that are alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rules.filters.checks import Check
from rules.filters.values import Written
from rules.postgres.grammar import parse_tree
from rules.postgres.predicates import condition_of
from rules.tree import Column, Expression, Literal, Operation

#: types that store what is written, whatever their length; a numeric(6, 2) rounds
_EXACT: Final = frozenset({
    "text", "character varying", "character", "integer", "bigint", "smallint", "boolean", "uuid", "date",
})  # fmt: skip
_CONSTANTS: Final = {"sval": "sval", "ival": "ival"}


def in_sight(check: Check, text: bytes, insert_at: int) -> bool:
    """`text`: the whole text; `insert_at`: where it names the target, for the rows of an INSERT's VALUES."""
    allowed = _allowed(check)
    if allowed is None or not allowed.keys() <= check.written.values.keys():
        return False
    if check.written.kind == "values":
        return _every_row(check.written, allowed, text, insert_at)
    return all(_named(value, allowed[c]) for c in allowed for value in check.written.values[c])


def _named(value: Expression, constants: frozenset[str]) -> bool:
    return isinstance(value, Literal) and value.value in constants


def _allowed(check: Check) -> dict[str, frozenset[str]] | None:
    """Column -> the constants for which the filters hold; None when they are of another form."""
    found: dict[str, frozenset[str]] = {}
    for _, predicate in check.found:
        for part in _conjuncts(condition_of(predicate.render(lambda name: f'"{name}"'))):
            pair = _comparison(part)
            column = None if pair is None else check.stored.column(pair[0])
            if pair is None or column is None or column.type not in _EXACT:
                return None
            found[pair[0]] = found.get(pair[0], pair[1]) & pair[1]
    return found


def _conjuncts(e: Expression) -> Iterator[Expression]:
    if isinstance(e, Operation) and e.operator == "and":
        for operand in e.operands:
            yield from _conjuncts(operand)
    else:
        yield e


def _comparison(e: Expression) -> tuple[str, frozenset[str]] | None:
    """`column = constant` or `column IN (constants)`. Trailing spaces are cut where a column has a length."""
    if not isinstance(e, Operation) or e.operator not in ("=", "in") or not isinstance(e.operands[0], Column):
        return None
    constants = [o.value for o in e.operands[1:] if isinstance(o, Literal)]
    if len(constants) < len(e.operands) - 1:
        return None
    return e.operands[0].path[-1], frozenset(c for c in constants if c is not None and c == c.rstrip())


def _every_row(written: Written, allowed: dict[str, frozenset[str]], text: bytes, insert_at: int) -> bool:
    lists = next(_inserts(parse_tree(text), insert_at), None)
    if not lists:
        return False
    rows = [node["List"]["items"] for node in lists]
    return all(_constant(row[written.positions[c]]) in known for row in rows for c, known in allowed.items())


def _inserts(node: Any, at: int) -> Iterator[Sequence[Any]]:
    """The rows of the INSERT whose target stands there."""
    if isinstance(node, list):
        for each in node:
            yield from _inserts(each, at)
    elif isinstance(node, dict):
        found = node.get("InsertStmt")
        if found is not None and found["relation"].get("location", 0) == at:
            yield found.get("selectStmt", {}).get("SelectStmt", {}).get("valuesLists", ())
        for each in node.values():
            yield from _inserts(each, at)


def _constant(cell: Any) -> str | None:
    body = cell.get("A_Const", {})
    for kind, field in _CONSTANTS.items():
        if kind in body:
            return str(body[kind].get(field, 0 if kind == "ival" else ""))
    return None
