"""What an expression is made of: constants, names, variables, brackets, CASE and the forms that keywords begin.

Names of `Operation.operator` here: `row`; `case` (argument if any, then condition, result, ..., ELSE result if any;
also `IF(c, a, b)`); `->` `->>` (column, path); `default` (); `default_of` (column); `match` (columns..., what AGAINST
looks for); `binary`; `collate`; `interval_of` (the function INTERVAL); `assign_variable` `user_variable`
`system_variable` `interval` as in `rules.mysql.expressions`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rules.mysql.calls import SPECIAL, call, is_call, no_brackets
from rules.mysql.keywords import CHARACTER_SETS, words
from rules.mysql.lexemes import Kind, decoded
from rules.mysql.nesting import opens_query
from rules.mysql.parser import Parser
from rules.mysql.refusal import Refused
from rules.mysql.strings import value_of
from rules.tree import Column, Expression, Literal, Operation, Parameter, Star, Subquery


def primary(p: Parser) -> Expression:
    """One operand, with the COLLATE and JSON paths after it."""
    kind = p.kinds[p.at]
    reader = _BY_KIND.get(kind)
    made = reader(p) if reader is not None else _worded(p)
    while p.words[p.at] in _SUFFIXES:
        made = _suffix(p, made)
    return made


_SUFFIXES: Final = frozenset({"collate", "->", "->>"})


def _suffix(p: Parser, made: Expression) -> Expression:
    if p.word == "collate":
        at = p.starts[p.advance()]
        if p.kind is Kind.STRING:
            p.string()
        elif not p.accept("binary"):
            p.name("a collation")
        return Operation("collate", (made,), (), at)
    if not p.grammar.mysql or not isinstance(made, Column):
        raise p.failure("an operator is expected")
    at = p.start
    operator = p.words[p.advance()]
    path = Literal(p.string("a JSON path"), p.starts[p.at - 1], text=True)
    return Operation(operator, (made, path), (), at)


def _worded(p: Parser) -> Expression:
    word = p.words[p.at]
    reader = _BY_WORD.get(word)
    if reader is not None:
        return reader(p)
    if is_call(p):
        return call(p)
    if word in no_brackets(p.grammar):
        return SPECIAL[word](p, word, p.starts[p.advance()])
    if p.is_name():
        return column(p)
    raise p.failure("a value is expected")


# ---------------------------------------------------------------- names


def column(p: Parser) -> Expression:
    """`c`, `t.c`, `db.t.c`; `t.*` and `db.t.*` as well."""
    at = p.start
    parts = [_part(p)]
    while len(parts) < 3 and p.accept("."):
        if p.accept("*"):
            return Star(tuple(_tables(p, parts)), at)
        parts.append(_part(p))
    return Column((*_tables(p, parts[:-1]), parts[-1].lower()), at)


def _part(p: Parser) -> str:
    return p.name("a column's name")


def _tables(p: Parser, parts: list[str]) -> list[str]:
    return [part.lower() for part in parts] if p.grammar.folds else parts


def _path(p: Parser) -> Expression:
    """A name that is no keyword: a column's, or a function's with a bracket after it."""
    return call(p) if is_call(p) else column(p)


# ---------------------------------------------------------------- constants


def _number(p: Parser) -> Expression:
    at = p.advance()
    return Literal(p.raw[p.starts[at] : p.ends[at]], p.starts[at])


def _string(p: Parser) -> Expression:
    """One string, or several that stand side by side and make one."""
    at = p.at
    value = p.string()
    while p.kinds[p.at] is Kind.STRING:
        value += p.string()
    return Literal(value, p.starts[at], text=True)


def _national(p: Parser) -> Expression:
    at = p.advance()
    value = value_of(decoded(p.raw[p.starts[at] + 1 : p.ends[at]]))
    while p.kinds[p.at] is Kind.STRING:
        value += p.string()
    return Literal(value, p.starts[at], text=True)


def _parameter(p: Parser) -> Expression:
    at = p.starts[p.advance()]
    p.parameters += 1
    return Parameter(p.parameters, at)


def _keyword_constant(p: Parser) -> Expression:
    at = p.advance()
    word = p.words[at]
    return Literal(None if word == "null" else word, p.starts[at])


def introduced(p: Parser) -> bool:
    """Does `_charset` before a literal come next? Any other `_name` before a string is refused: a server that knows
    that character set reads it otherwise."""
    if not p.word.startswith("_") or p.kinds[p.at + 1] not in _LITERALS:
        return False
    if p.word[1:] in CHARACTER_SETS:
        return True
    if p.kinds[p.at + 1] is Kind.STRING:
        raise Refused("syntax", f"{p.word} is no known character set", "leave it out", p.start)
    return False


_LITERALS: Final = frozenset({Kind.STRING, Kind.BITS})
_DATED: Final = frozenset({"date", "time", "timestamp"})


def _word(p: Parser) -> Expression:
    """A bare word: an introducer, DATE '...', or what the words stand for."""
    word = p.words[p.at]
    if word.startswith("_") and introduced(p):
        p.advance()
        return _BY_KIND[p.kind](p)
    if word in _DATED and p.kinds[p.at + 1] is Kind.STRING:
        p.advance()
        return Literal(p.string(), p.starts[p.at - 2], text=True)
    return _worded(p)


# ---------------------------------------------------------------- variables


def variable_name(p: Parser) -> str:
    """The name of the user variable that comes next, with its @, as the server compares them: in lower case."""
    if p.kind is not Kind.USER:
        raise p.failure("a user variable is expected")
    at = p.advance()
    written = decoded(p.raw[p.starts[at] + 1 : p.ends[at]])
    if written[:1] == "`":
        written = written[1:-1].replace("``", "`")
    elif written[:1] in ("'", '"'):
        written = value_of(written)
    return "@" + written.lower()


def _user_variable(p: Parser) -> Expression:
    at = p.start
    name = Literal(variable_name(p), at)
    if p.accept(":="):
        return Operation("assign_variable", (name, p.expression()), (), at)
    return Operation("user_variable", (name,), (), at)


def _system_variable(p: Parser) -> Expression:
    at = p.advance()
    name = p.raw[p.starts[at] + 2 : p.ends[at]].replace("`", "").lower()
    return Operation("system_variable", (Literal(name, p.starts[at]),), (), p.starts[at])


# ---------------------------------------------------------------- brackets and prefixes


def _bracket(p: Parser) -> Expression:
    at = p.start
    if opens_query(p, p.at):
        p.advance()
        made = p.query()
        p.expect(")")
        return Subquery(made, "scalar", at=at)
    p.advance()
    first = p.expression()
    if p.accept(")"):
        return first
    return _row_of(p, first, at)


def _row_of(p: Parser, first: Expression, at: int) -> Operation:
    found = [first]
    while p.accept(","):
        found.append(p.expression())
    if p.kinds[p.at] is Kind.ROWS:
        raise p.failure("a closing bracket is expected")
    p.expect(")")
    return Operation("row", tuple(found), (), at)


def _row(p: Parser) -> Expression:
    if p.peek() != "(":
        return _worded_name(p)
    at = p.starts[p.advance()]
    p.expect("(")
    return _row_of(p, p.expression(), at)


def _worded_name(p: Parser) -> Expression:
    if not p.is_name():
        raise p.failure("a value is expected")
    return column(p)


def _prefixed(p: Parser) -> Expression:
    """`-x` `~x` `!x` `BINARY x`; `+x` is x."""
    p.enter()
    at = p.start
    word = p.words[p.advance()]
    operand = primary(p)
    p.leave()
    return operand if word == "+" else Operation(_PREFIXES[word], (operand,), (), at)


_PREFIXES: Final = {"-": "-", "~": "~", "!": "not", "binary": "binary"}


def _exists(p: Parser) -> Expression:
    at = p.starts[p.advance()]
    if p.word != "(" or not opens_query(p, p.at):
        raise p.failure("a query in brackets is expected")
    p.advance()
    made = p.query()
    p.expect(")")
    return Subquery(made, "exists", at=at)


def _braces(p: Parser) -> Expression:
    """ODBC's `{d '2024-01-01'}`, `{fn now()}`: the word says nothing to the server beyond dates."""
    p.expect("{")
    if p.is_name(0) and p.kinds[p.at] is Kind.WORD:
        p.advance()
    else:
        raise p.failure("a word is expected")
    made = p.expression()
    p.expect("}")
    return made


def _case(p: Parser) -> Expression:
    at = p.starts[p.advance()]
    operands = [] if p.word == "when" else [p.expression()]
    while p.accept("when"):
        operands.append(p.expression())
        p.expect("then")
        operands.append(p.expression())
    if p.accept("else"):
        operands.append(p.expression())
    p.expect("end")
    return Operation("case", tuple(operands), (), at)


def _default(p: Parser) -> Expression:
    at = p.starts[p.advance()]
    if not p.accept("("):
        return Operation("default", (), (), at)
    made = column(p)
    p.expect(")")
    return Operation("default_of", (made,), (), at)


def _match(p: Parser) -> Expression:
    at = p.starts[p.advance()]
    bracket = p.accept("(")
    operands = [column(p)]
    while p.accept(","):
        operands.append(column(p))
    if bracket:
        p.expect(")")
    p.expect("against", "(")
    from rules.mysql.expressions import BITS, expression  # expressions are made of these

    operands.append(expression(p, BITS))
    for mode in _MODES:
        p.accept(*mode)
    p.expect(")")
    return Operation("match", tuple(operands), (), at)


_MODES: Final = (("in", "natural", "language", "mode"), ("in", "boolean", "mode"), ("with", "query", "expansion"))


def _interval(p: Parser) -> Expression:
    """`INTERVAL x DAY`; `INTERVAL(x, a, b ...)` is the function."""
    at = p.starts[p.advance()]
    if p.word == "(" and _has_comma(p):
        p.advance()
        made = _row_of(p, p.expression(), at)
        return Operation("interval_of", made.operands, (), at)
    amount = p.expression()
    if not p.accept_any(UNITS):
        raise p.failure("a unit such as DAY is expected")
    return Operation("interval", (amount,), (), at)


def _has_comma(p: Parser) -> bool:
    """Does the bracket that comes next hold several values?"""
    at, end = p.at + 1, p.partner(p.at)
    while at < end:
        if p.words[at] == ",":
            return True
        at = p.partner(at) + 1 if p.words[at] == "(" else at + 1
    return False


UNITS: Final = words("""
    microsecond second minute hour day week month quarter year second_microsecond minute_microsecond minute_second
    hour_microsecond hour_second hour_minute day_microsecond day_second day_minute day_hour year_month
    sql_tsi_second sql_tsi_minute sql_tsi_hour sql_tsi_day sql_tsi_week sql_tsi_month sql_tsi_quarter sql_tsi_year
""")

_BY_WORD: Final[dict[str, Callable[[Parser], Expression]]] = {
    "(": _bracket,
    "-": _prefixed,
    "+": _prefixed,
    "~": _prefixed,
    "!": _prefixed,
    "binary": _prefixed,
    "{": _braces,
    "null": _keyword_constant,
    "true": _keyword_constant,
    "false": _keyword_constant,
    "row": _row,
    "exists": _exists,
    "case": _case,
    "default": _default,
    "match": _match,
    "interval": _interval,
}
_BY_KIND: Final[dict[Kind, Callable[[Parser], Expression]]] = {
    Kind.WORD: _word,
    Kind.NAME: _path,
    Kind.QUOTED: _path,
    Kind.STRING: _string,
    Kind.NATIONAL: _national,
    Kind.BITS: _number,
    Kind.NUMBER: _number,
    Kind.USER: _user_variable,
    Kind.SYSTEM: _system_variable,
    Kind.PARAMETER: _parameter,
}
