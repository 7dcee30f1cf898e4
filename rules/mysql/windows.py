"""OVER (...) and named windows."""

from __future__ import annotations

from typing import Final

from rules.mysql.keywords import words
from rules.mysql.parser import Parser
from rules.tree import Expression

Window = tuple[tuple[Expression, ...], tuple[Expression, ...]]
"""PARTITION BY; ORDER BY and the frame's bounds."""

_FRAMES: Final = words("rows range groups")
_FROM_SIDES: Final = words("first last")


def over(p: Parser) -> Window:
    """What stands after a function's bracket: FROM FIRST, IGNORE NULLS, WITHIN GROUP, OVER. Empty without."""
    if p.accept("within"):
        from rules.mysql.queries import order_by

        p.expect("group", "(")
        rest: tuple[Expression, ...] = order_by(p)
        p.expect(")")
    else:
        rest = ()
    if p.word == "from" and p.peek() in _FROM_SIDES and p.peek(2) in ("over", "respect", "ignore"):
        p.advance()
        p.advance()
    if p.word in ("respect", "ignore") and p.peek() == "nulls":
        p.advance()
        p.advance()
    if not p.accept("over"):
        return (), rest
    if p.word != "(":
        p.name("a window's name")
        return (), rest
    partitions, conditions = window(p)
    return partitions, rest + conditions


def window(p: Parser) -> Window:
    """`([name] [PARTITION BY ...] [ORDER BY ...] [frame])`."""
    from rules.mysql.queries import order_by

    p.expect("(")
    if p.is_name() and p.word not in _FRAMES:
        p.name()
    partitions = _partitions(p)
    conditions = [*order_by(p)]
    if p.accept_any(_FRAMES):
        conditions += _frame(p)
    p.expect(")")
    return tuple(partitions), tuple(conditions)


def _partitions(p: Parser) -> list[Expression]:
    if not p.accept("partition", "by"):
        return []
    found = [p.expression()]
    while p.accept(","):
        found.append(p.expression())
    return found


def _frame(p: Parser) -> list[Expression]:
    found: list[Expression] = []
    if p.accept("between"):
        found += _bound(p)
        p.expect("and")
    found += _bound(p)
    if p.accept("exclude") and not (
        p.accept("no", "others") or p.accept("current", "row") or p.accept("group") or p.accept("ties")
    ):
        raise p.failure("what is excluded is expected")
    return found


def _bound(p: Parser) -> list[Expression]:
    if p.accept("current", "row"):
        return []
    found = []
    if not p.accept("unbounded"):
        from rules.mysql.expressions import BITS, expression

        found.append(expression(p, BITS))
    if not p.accept("preceding"):
        p.expect("following")
    return found
