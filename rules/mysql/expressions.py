"""Expressions with the servers' precedence, from OR down to what binds tightest.

Names of `Operation.operator`, operands in the order of the text; where PostgreSQL's tree has the same, the same words:

- `and` (also &&) `or` (also ||) `xor` `not` (also !); `=` `<>` (also !=) `<` ... ; `<=>` is `is_not_distinct`
- `is_null` `is_not_null` `is_true` `is_not_true` `is_false` `is_not_false` `is_unknown` `is_not_unknown`
- `in` `not_in` (left, *items); `like` `not_like` (left, pattern, escape if any); `regexp` `not_regexp`; `sounds_like`;
  `between` `not_between`; `member_of`
- `|` `&` `<<` `>>` `+` `-` `*` `/` `div` `%` (also MOD) `^` `~`; `collate`; `interval` (the amount)
- `assign_variable` (the variable `@x` as a Literal, value) for `@x := value` and SELECT ... INTO @x;
  `user_variable` (`@x` as a Literal); `system_variable` (`@@global.x` as a Literal without its @@)
- the rest is in `rules.mysql.primaries` and `rules.mysql.calls`
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rules.mysql.nesting import opens_query
from rules.mysql.parser import Parser
from rules.mysql.primaries import primary
from rules.tree import Expression, Operation, Query, Subquery

OR: Final = 1
XOR: Final = 2
AND: Final = 3
NOT: Final = 4
COMPARISON: Final = 5
PREDICATE: Final = 6
BITS: Final = 7
SUM: Final = 10
UNARY: Final = 13

#: word -> (level, the operator's name); each takes operands of the next level on its right, and stands to the left
_BINARY: Final[dict[str, tuple[int, str]]] = {
    "or": (OR, "or"), "||": (OR, "or"), "xor": (XOR, "xor"), "and": (AND, "and"), "&&": (AND, "and"),
    "=": (COMPARISON, "="), "<=>": (COMPARISON, "is_not_distinct"), "<>": (COMPARISON, "<>"), "!=": (COMPARISON, "<>"),
    "<": (COMPARISON, "<"), ">": (COMPARISON, ">"), "<=": (COMPARISON, "<="), ">=": (COMPARISON, ">="),
    "|": (BITS, "|"), "&": (8, "&"), "<<": (9, "<<"), ">>": (9, ">>"), "+": (SUM, "+"), "-": (SUM, "-"),
    "*": (11, "*"), "/": (11, "/"), "div": (11, "div"), "%": (11, "%"), "mod": (11, "%"), "^": (12, "^"),
}  # fmt: skip
_NONE: Final = (0, "")
#: which operators may follow: `a IN (1) LIKE b` the two brands read in different ways
_AFTER_PREDICATE: Final = {PREDICATE: COMPARISON, COMPARISON: COMPARISON}
_FLAT: Final = frozenset({"and", "or"})


def expression(p: Parser, least: int = 0) -> Expression:
    """An expression of operators that bind at least as tight as `least`."""
    p.enter()
    made = _not(p, least) if p.words[p.at] == "not" else primary(p)
    most = UNARY
    while True:
        word = p.words[p.at]
        level, operator = _BINARY.get(word, _NONE)
        if not level:
            level = _predicate_level(p, word)
        if level < least or not level:
            break
        if level > most:
            raise p.failure("the condition before it in brackets, or another sign, is expected")
        if operator:
            made, most = _binary(p, made, word, level, operator), level
        else:
            made, most = _PREDICATES[word][1](p, made), _AFTER_PREDICATE[level]
    p.leave()
    return made


def _predicate_level(p: Parser, word: str) -> int:
    """The level of IN, LIKE, IS and their kin; 0 for all other words."""
    found = _PREDICATES.get(word)
    if found is None or (word in _FOLLOWED and p.words[p.at + 1] not in _FOLLOWED[word]):
        return 0
    return found[0]


def _not(p: Parser, least: int) -> Expression:
    if least > NOT:
        raise p.failure("a value is expected: put NOT ... in brackets")
    at = p.starts[p.advance()]
    return Operation("not", (expression(p, NOT),), (), at)


def _binary(p: Parser, left: Expression, word: str, level: int, operator: str) -> Expression:
    at = p.starts[p.advance()]
    if level == COMPARISON and p.word in _QUANTIFIERS and p.peek() == "(" and opens_query(p, p.at + 1):
        return _quantified(p, left, operator, at)
    right = expression(p, level + 1)
    if operator not in _FLAT or p.words[p.at] != word:
        return Operation(operator, (left, right), (), at)
    operands = [left, right]
    while p.accept(word):
        operands.append(expression(p, level + 1))
    return Operation(operator, tuple(operands), (), at)


_QUANTIFIERS: Final = {"any": "any", "some": "any", "all": "all"}


def _quantified(p: Parser, left: Expression, operator: str, at: int) -> Expression:
    form = _QUANTIFIERS[p.words[p.advance()]]
    return Subquery(bracketed_query(p), form, left, operator, at)


def bracketed_query(p: Parser) -> Query:
    p.expect("(")
    made = p.query()
    p.expect(")")
    return made


# ---------------------------------------------------------------- predicates


def _is(p: Parser, left: Expression) -> Expression:
    at = p.starts[p.advance()]
    negated = "not_" if p.accept("not") else ""
    word = p.accept_any(_TESTS)
    if not word:
        raise p.failure("NULL, TRUE, FALSE or UNKNOWN is expected")
    return Operation(f"is_{negated}{word}", (left,), (), at)


_TESTS: Final = frozenset({"null", "true", "false", "unknown"})


def _in(p: Parser, left: Expression, negated: str, at: int) -> Expression:
    if p.word == "(" and opens_query(p, p.at):
        made: Expression = Subquery(bracketed_query(p), "in", left, "", at)
        return Operation("not", (made,), (), at) if negated else made
    p.expect("(")
    return Operation(negated + "in", (left, *expressions(p)), (), at)


def expressions(p: Parser) -> list[Expression]:
    """One or more expressions up to the closing bracket, which is taken."""
    found = [expression(p)]
    while p.accept(","):
        found.append(expression(p))
    p.expect(")")
    return found


def _between(p: Parser, left: Expression, negated: str, at: int) -> Expression:
    low = expression(p, BITS)
    p.expect("and")
    return Operation(negated + "between", (left, low, expression(p, PREDICATE)), (), at)


def _like(p: Parser, left: Expression, negated: str, at: int) -> Expression:
    operands = [left, expression(p, BITS)]
    if p.accept("escape"):
        operands.append(expression(p, UNARY))
    return Operation(negated + "like", tuple(operands), (), at)


def _regexp(p: Parser, left: Expression, negated: str, at: int) -> Expression:
    return Operation(negated + "regexp", (left, expression(p, BITS)), (), at)


def _sounds(p: Parser, left: Expression) -> Expression:
    at = p.start
    p.expect("sounds", "like")
    return Operation("sounds_like", (left, expression(p, BITS)), (), at)


def _member(p: Parser, left: Expression) -> Expression:
    at = p.start
    p.expect("member")
    p.accept("of")
    p.expect("(")
    right = expression(p)
    p.expect(")")
    return Operation("member_of", (left, right), (), at)


def _negatable(p: Parser, left: Expression) -> Expression:
    at = p.start
    negated = "not_" if p.accept("not") else ""
    return _NEGATABLE[p.words[p.advance()]](p, left, negated, at)


_NEGATABLE: Final[dict[str, Callable[[Parser, Expression, str, int], Expression]]] = {
    "in": _in,
    "between": _between,
    "like": _like,
    "regexp": _regexp,
    "rlike": _regexp,
}
#: words that are operators only before these
_FOLLOWED: Final = {"not": frozenset(_NEGATABLE), "sounds": frozenset({"like"}), "member": frozenset({"of", "("})}
_PREDICATES: Final[dict[str, tuple[int, Callable[[Parser, Expression], Expression]]]] = {
    **dict.fromkeys((*_NEGATABLE, "not"), (PREDICATE, _negatable)),
    "is": (COMPARISON, _is),
    "sounds": (PREDICATE, _sounds),
    "member": (PREDICATE, _member),
}
