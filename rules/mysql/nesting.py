"""Which brackets hold a query and which an expression: told by what follows the inner one, without trying both."""

from __future__ import annotations

from typing import Final

from rules.mysql.parser import Parser

#: what goes on with a query after a part of it in brackets
_GOES_ON: Final = frozenset(
    {")", "union", "except", "intersect", "minus", "order", "limit", "for", "lock", "into", "offset", "fetch"}
)


def opens_query(p: Parser, opening: int) -> bool:
    """Does the bracket at this index hold a query, as `(SELECT ...)`, `((SELECT ...) UNION ...)` do?"""
    inner = opening
    while p.words[inner + 1] == "(":
        inner += 1
    if not begins_query(p, inner + 1):
        return False
    return all(p.words[p.partner(at) + 1] in _GOES_ON for at in range(opening + 1, inner + 1))


def begins_query(p: Parser, at: int) -> bool:
    """Does a query start with this token? VALUES is one with ROW after it, on MariaDB with a bracket where VALUES(c)
    means nothing."""
    word = p.words[at]
    if word in ("select", "with", "table"):
        return True
    if word != "values":
        return False
    after = p.words[at + 1]
    return after == "row" if p.grammar.mysql else after == "(" and not p.writes_duplicates
