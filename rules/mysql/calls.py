"""Function calls: those with commas between their arguments, those with a syntax of their own, and windows.

Of the own syntaxes the words are dropped and the values kept: EXTRACT(DAY FROM x) is `extract('day', x)`, TRIM(BOTH a
FROM b) `trim(a, b)`, CHAR(x USING y) `char(x)`. COALESCE and IFNULL are an Operation `coalesce`, IF(c, a, b) a `case`,
NULLIF, GREATEST and LEAST their own words, as in PostgreSQL's tree. Sequences: `nextval`, `lastval` (name as Literal).
VALUES(c) is a Column of the row `values()`, see `rules.tree.Insert`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rules.mysql.grammar import Grammar
from rules.mysql.keywords import words
from rules.mysql.lexemes import Kind
from rules.mysql.parser import Parser
from rules.mysql.refusal import Refused
from rules.mysql.types import cast_type
from rules.mysql.windows import over
from rules.tree import Call, Cast, Column, Expression, Literal, Name, Operation, Star

#: reserved words that are functions when a bracket follows
_RESERVED_FUNCTIONS: Final = words("""
    if left right replace insert mod repeat values char character convert database schema current_user current_role
    current_date current_time current_timestamp localtime localtimestamp utc_date utc_time utc_timestamp grouping
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
""")
_NO_BRACKETS: Final = words("""
    current_user current_date current_time current_timestamp localtime localtimestamp utc_date utc_time utc_timestamp
""")
_NO_BRACKETS_MARIADB: Final = _NO_BRACKETS | {"current_role"}
#: what is an operation of its own in the tree
_OPERATIONS: Final = {
    "coalesce": "coalesce", "ifnull": "coalesce", "nvl": "coalesce", "nullif": "nullif", "greatest": "greatest",
    "least": "least", "if": "case", "nvl2": "nvl2",
}  # fmt: skip
_DATE_FIRST: Final = words("date time datetime timestamp")


def no_brackets(grammar: Grammar) -> frozenset[str]:
    """The functions that are called by their bare name."""
    return _NO_BRACKETS if grammar.mysql else _NO_BRACKETS_MARIADB


def is_call(p: Parser) -> bool:
    """Does a function's name with its bracket come next?"""
    at = p.at
    if p.words[at + 1] == "(":
        return p.is_name() or p.words[at] in _RESERVED_FUNCTIONS
    return p.words[at + 1] == "." and p.is_name() and p.peek(3) == "(" and p.kinds[at + 2] is not Kind.OPERATOR


def call(p: Parser) -> Expression:
    """`name(...)` or `db.name(...)`."""
    at = p.start
    p.enter()
    name = _name(p)
    special = SPECIAL.get(name[0]) if len(name) == 1 else None
    made = special(p, name[0], at) if special is not None else _usual(p, name, at)
    p.leave()
    return made


def _name(p: Parser) -> Name:
    at = p.at
    if p.words[at + 1] == ".":
        schema = p.table_part("a database's name")
        p.expect(".")
        return (schema, p.identifier().lower())
    name = p.identifier().lower()
    if name in p.grammar.tight and (p.kinds[at] is not Kind.WORD or p.ends[at] != p.starts[p.at]):
        raise Refused(
            "function-name",
            f"{name} with a space or quotes before its bracket may be a stored function",
            f"write {name}( without a space or quotes",
            p.starts[at],
        )
    return (name,)


# ---------------------------------------------------------------- the usual form


def _usual(p: Parser, name: Name, at: int) -> Expression:
    p.expect("(")
    conditions: list[Expression] = []
    distinct = p.accept("distinct") or (p.accept("all") and False)
    arguments, star = _arguments(p)
    if distinct:
        p.accept("distinct")
        conditions.append(Operation("distinct", arguments))
    conditions += _clauses(p)
    p.expect(")")
    operator = _OPERATIONS.get(name[0]) if len(name) == 1 else None
    if operator is not None:
        return Operation(operator, arguments, (), at)
    partitions, rest = over(p)
    return noted(p, Call(name, arguments, (*conditions, *rest), star, at, partitions))


def noted(p: Parser, made: Call) -> Call:
    p.calls.append(made)
    return made


def _arguments(p: Parser) -> tuple[tuple[Expression, ...], bool]:
    """The arguments, and whether they are a lone star."""
    if p.word == ")":
        return (), False
    if p.word == "*" and p.peek() == ")":
        p.advance()
        return (), True
    found = [_argument(p)]
    while p.accept(","):
        found.append(_argument(p))
    return tuple(found), False


def _argument(p: Parser) -> Expression:
    made = p.expression()
    if isinstance(made, Star):
        raise Refused("syntax", "a star stands among a function's arguments", "name the columns", made.at)
    if p.word == "as" or p.is_name():  # loadable functions take names for their arguments
        raise p.failure("a comma or a closing bracket is expected")
    return made


def _clauses(p: Parser) -> list[Expression]:
    """What GROUP_CONCAT and its like have after the arguments."""
    from rules.mysql.queries import limits, order_by

    found = list(order_by(p))
    if p.accept("separator"):
        p.string("the separator")
    if p.word == "limit":
        found += [e for e in limits(p) if e is not None]
    for words_ in (("null", "on", "null"), ("absent", "on", "null")):
        p.accept(*words_)
    return found


# ---------------------------------------------------------------- own syntaxes


def _bare(p: Parser, name: str, at: int) -> Expression:
    """CURRENT_TIMESTAMP, also with brackets and a precision."""
    if p.accept("("):
        if p.kind is Kind.NUMBER:
            p.number()
        p.expect(")")
    return noted(p, Call((name,), at=at))


def _cast(p: Parser, name: str, at: int) -> Expression:
    p.expect("(")
    operand = p.expression()
    if p.accept("at"):
        p.expect("time", "zone")
        p.accept("interval")
        p.string("a time zone")
    p.expect("as")
    type_name, modifiers, is_array = cast_type(p)
    p.expect(")")
    return Cast(operand, type_name, at, is_array, modifiers)


def _convert(p: Parser, name: str, at: int) -> Expression:
    p.expect("(")
    operand = p.expression()
    if p.accept("using"):
        _character_set(p)
        p.expect(")")
        return Operation("convert_using", (operand,), (), at)
    p.expect(",")
    type_name, modifiers, is_array = cast_type(p)
    p.expect(")")
    return Cast(operand, type_name, at, is_array, modifiers)


def _character_set(p: Parser) -> None:
    if not p.accept("binary") and not (p.kind is Kind.STRING and p.string()):
        p.name("a character set")


def _extract(p: Parser, name: str, at: int) -> Expression:
    p.expect("(")
    unit = Literal(p.identifier().lower(), p.starts[p.at - 1])
    p.expect("from")
    return _closed(p, (name,), (unit, p.expression()), at)


def _with_unit(p: Parser, name: str, at: int) -> Expression:
    p.expect("(")
    unit = Literal(p.identifier().lower(), p.starts[p.at - 1])
    p.expect(",")
    first = p.expression()
    p.expect(",")
    return _closed(p, (name,), (unit, first, p.expression()), at)


def _get_format(p: Parser, name: str, at: int) -> Expression:
    p.expect("(")
    if p.word not in _DATE_FIRST:
        raise p.failure("DATE, TIME or DATETIME is expected")
    unit = Literal(p.identifier().lower(), p.starts[p.at - 1])
    p.expect(",")
    return _closed(p, (name,), (unit, p.expression()), at)


def _closed(p: Parser, name: Name, arguments: tuple[Expression, ...], at: int) -> Expression:
    p.expect(")")
    return noted(p, Call(name, arguments, at=at))


def _trim(p: Parser, name: str, at: int) -> Expression:
    p.expect("(")
    p.accept_any(_SIDES)
    found = [] if p.word == "from" else [p.expression()]
    if p.accept("from"):
        found.append(p.expression())
    return _closed(p, (name,), tuple(found), at)


_SIDES: Final = words("leading trailing both")


def _substring(p: Parser, name: str, at: int) -> Expression:
    p.expect("(")
    found = [p.expression()]
    while p.accept(",") or p.accept("from") or p.accept("for"):
        found.append(p.expression())
    return _closed(p, ("substring",), tuple(found), at)


def _position(p: Parser, name: str, at: int) -> Expression:
    from rules.mysql.expressions import BITS, expression

    p.expect("(")
    part = expression(p, BITS)
    p.expect("in")
    return _closed(p, (name,), (part, p.expression()), at)


def _char(p: Parser, name: str, at: int) -> Expression:
    p.expect("(")
    found = [p.expression()]
    while p.accept(","):
        found.append(p.expression())
    if p.accept("using"):
        _character_set(p)
    return _closed(p, ("char",), tuple(found), at)


def _weight_string(p: Parser, name: str, at: int) -> Expression:
    p.expect("(")
    found = [p.expression()]
    if p.accept("as"):
        cast_type(p)
    while p.accept(","):
        found.append(Literal(p.number()))
    if p.accept("level"):
        p.number()
    return _closed(p, (name,), tuple(found), at)


def _json_value(p: Parser, name: str, at: int) -> Expression:
    from rules.mysql.json_clauses import on_clauses

    p.expect("(")
    found = [p.expression()]
    while p.accept(","):
        found.append(p.expression())
    cast = cast_type(p) if p.accept("returning") else None
    found += on_clauses(p)
    made = _closed(p, (name,), tuple(found), at)
    return made if cast is None else Cast(made, cast[0], at, cast[2], cast[1])


def _json_pair(p: Parser, name: str, at: int) -> Expression:
    """JSON_OBJECTAGG(k, v), which has a window as aggregates have."""
    return _usual(p, (name,), at)


def _proposed(p: Parser, name: str, at: int) -> Expression:
    """VALUES(c) and MariaDB's VALUE(c): the value that was to be inserted."""
    if not p.writes_duplicates:
        raise Refused("syntax", "VALUES(...) stands outside ON DUPLICATE KEY UPDATE", "leave it out", at)
    p.expect("(")
    path = [p.column_name()]
    while p.accept("."):
        path.append(p.column_name())
    p.expect(")")
    return Column((PROPOSED, path[-1]), at)


#: the name by which VALUES(c) reaches the row; no alias can be it
PROPOSED: Final = "values()"


def _value(p: Parser, name: str, at: int) -> Expression:
    return _proposed(p, name, at) if p.writes_duplicates and not p.grammar.mysql else _usual(p, (name,), at)


def _sequence(p: Parser, name: str, at: int) -> Expression:
    """MariaDB's NEXTVAL(s), LASTVAL(s), SETVAL(s, n): the sequence is a relation that is read."""
    if p.grammar.mysql:
        return _usual(p, (name,), at)
    raise Refused("unknown-node", "it uses a sequence", "use AUTO_INCREMENT columns", at)


SPECIAL: Final[dict[str, Callable[[Parser, str, int], Expression]]] = {
    **dict.fromkeys(_NO_BRACKETS_MARIADB, _bare),
    "cast": _cast,
    "convert": _convert,
    "extract": _extract,
    "timestampadd": _with_unit,
    "timestampdiff": _with_unit,
    "get_format": _get_format,
    "trim": _trim,
    "substring": _substring,
    "substr": _substring,
    "mid": _substring,
    "position": _position,
    "char": _char,
    "weight_string": _weight_string,
    "json_value": _json_value,
    "values": _proposed,
    "value": _value,
    "nextval": _sequence,
    "lastval": _sequence,
    "setval": _sequence,
}
