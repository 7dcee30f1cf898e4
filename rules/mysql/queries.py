"""SELECT, VALUES, TABLE, set operations, WITH, and what stands after them: ORDER BY, LIMIT, locks, INTO.

An output that is no plain column and has no alias is named by its own text, as the servers name it, so that an outer
query finds it under that name alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from rules.mysql.into import into
from rules.mysql.keywords import words
from rules.mysql.lexemes import Kind
from rules.mysql.parser import Parser
from rules.mysql.places import Named
from rules.mysql.refusal import unknown
from rules.mysql.rows import table_query, values_query
from rules.mysql.sources import from_clause
from rules.mysql.strings import value_of
from rules.mysql.windows import window
from rules.tree import (
    Call,
    Column,
    CommonTable,
    Derived,
    Expression,
    Literal,
    Operation,
    Output,
    Parameter,
    Query,
    Select,
    SetOperation,
    Star,
)

# ---------------------------------------------------------------- set operations


def query(p: Parser) -> Query:
    """A query expression with its WITH, ORDER BY and LIMIT."""
    p.enter()
    p.levels += 1
    try:
        tables, recursive = with_clause(p)
        made = query_body(p)
    finally:
        p.levels -= 1
    p.leave()
    return _with(made, tables, recursive) if tables else made


def query_body(p: Parser) -> Query:
    """A query expression behind its WITH."""
    bracketed = p.word == "("
    made = _operands(p, _intersected(p), "union", "except", "minus")
    return _tailed(p, made, bracketed and not isinstance(made, SetOperation))


def _with(made: Query, tables: tuple[CommonTable, ...], recursive: bool) -> Query:
    if made.common_tables:
        star = (Output(Star()),)
        return Select(star, (Derived(made),), common_tables=tables, recursive=recursive)
    return replace(made, common_tables=tables, recursive=recursive)


def _intersected(p: Parser) -> Query:
    return _operands(p, _term(p), "intersect")


def _operands(p: Parser, made: Query, *operators: str) -> Query:
    while p.word in operators and p.kind is Kind.WORD and p.word in p.grammar.reserved:
        operator = p.words[p.advance()]
        every = p.accept("all")
        if not every:
            p.accept("distinct")
        right = _term(p) if operator == "intersect" else _intersected(p)
        made = SetOperation(operator, made, right, every)
    return made


def _term(p: Parser) -> Query:
    if p.word == "(":
        p.advance()
        made = query(p)
        p.expect(")")
        return made
    reader = _TERMS.get(p.word)
    if reader is None:
        raise p.failure("SELECT is expected")
    return reader(p)


# ---------------------------------------------------------------- WITH


def with_clause(p: Parser) -> tuple[tuple[CommonTable, ...], bool]:
    """The tables of WITH, and whether it is RECURSIVE; nothing when none comes."""
    if not p.accept("with"):
        return (), False
    recursive = p.accept("recursive")
    found = [_common_table(p)]
    while p.accept(","):
        found.append(_common_table(p))
    return tuple(found), recursive


def _common_table(p: Parser) -> CommonTable:
    name = p.table_part("a name")
    columns = column_list(p) if p.word == "(" else ()
    p.expect("as", "(")
    body = query(p)
    p.expect(")")
    if p.accept("cycle"):
        names(p)
        p.expect("restrict")
    return CommonTable(name, body, columns)


def column_list(p: Parser) -> tuple[str, ...]:
    """`(a, b)`."""
    p.expect("(")
    found = names(p)
    p.expect(")")
    return found


def names(p: Parser) -> tuple[str, ...]:
    found = [p.column_name()]
    while p.accept(","):
        found.append(p.column_name())
    return tuple(found)


# ---------------------------------------------------------------- SELECT

_OPTIONS: Final = words("""
    all distinct distinctrow high_priority straight_join sql_small_result sql_big_result sql_buffer_result sql_no_cache
    sql_calc_found_rows
""")
_OPTIONS_MARIADB: Final = _OPTIONS | {"sql_cache", "unique"}


def _select(p: Parser) -> Query:
    p.expect("select")
    options = _OPTIONS if p.grammar.mysql else _OPTIONS_MARIADB
    distinct = False
    while word := p.accept_any(options):
        distinct = distinct or word in ("distinct", "distinctrow", "unique")
    made = outputs(p)
    into(p)
    first = p.at + 1
    sources = from_clause(p) if p.accept("from") else ()
    last = p.at
    where = p.expression() if p.accept("where") else None
    if p.places is not None:
        p.places.add_block(p.starts, p.ends, p.words, (first, last), (last, p.at))
    if p.word not in _RARE:
        return Select(made, sources, where, distinct=distinct)
    return _rest(p, Select(made, sources, where, distinct=distinct))


_RARE: Final = words("group having window qualify procedure")


def _rest(p: Parser, made: Select) -> Select:
    group = _group_by(p)
    having = p.expression() if p.accept("having") else None
    partitions, windows = _windows(p)
    if p.grammar.mysql and p.accept("qualify"):
        qualify = p.expression()
        having = qualify if having is None else Operation("and", (having, qualify))
    if p.word == "procedure":
        raise unknown("PROCEDURE after a query", p.start)
    return replace(made, group_by=group, having=having, windows=windows, partitions=partitions)


def outputs(p: Parser) -> tuple[Output, ...]:
    """A select or RETURNING list."""
    found = [_output(p)]
    while p.accept(","):
        found.append(_output(p))
    return tuple(found)


def _output(p: Parser) -> Output:
    first = p.at
    if p.accept("*"):
        return Output(Star(at=p.starts[first]))
    value = p.expression()
    last = p.at - 1
    alias = _alias(p)
    if alias is None and not isinstance(value, Column | Star):
        alias = _own_name(p, value, first, last)
        if p.places is not None:
            p.places.outputs.append(Named(p.starts[first], p.ends[last], alias or ""))
    return Output(value, None if alias is None else alias.lower())


def _own_name(p: Parser, value: Expression, first: int, last: int) -> str | None:
    """What the server calls a value without an alias: its text; of a string the value (MySQL: of several that make one
    the first's)."""
    while p.words[first] == "+":
        first += 1
    if not isinstance(value, Literal) or not value.text:
        return p.written(first, last)
    return value_of(p.lexemes.written(first)) if p.grammar.mysql and p.kinds[first] is Kind.STRING else value.value


def _alias(p: Parser) -> str | None:
    named = p.accept("as")
    if p.kind is Kind.STRING:
        return p.alias_string()
    return p.name("an alias") if named or p.is_name() else None


def _group_by(p: Parser) -> tuple[Expression, ...]:
    if not p.accept("group", "by"):
        return ()
    found: list[Expression] = []
    while True:
        key = p.expression()
        found += key.arguments if isinstance(key, Call) and key.name in _ROLLUPS else (key,)
        p.accept_any(_DIRECTIONS)
        if not p.accept(","):
            break
    p.accept("with", "rollup")
    return tuple(found)


_ROLLUPS: Final = (("rollup",), ("cube",))
_DIRECTIONS: Final = words("asc desc")


def _windows(p: Parser) -> tuple[tuple[Expression, ...], tuple[Expression, ...]]:
    if not p.accept("window"):
        return (), ()
    partitions: tuple[Expression, ...] = ()
    conditions: tuple[Expression, ...] = ()
    while True:
        p.name("a window's name")
        p.expect("as")
        one = window(p)
        partitions += one[0]
        conditions += one[1]
        if not p.accept(","):
            return partitions, conditions


_TERMS: Final = {"select": _select, "values": values_query, "table": table_query}


# ---------------------------------------------------------------- the tail


def order_by(p: Parser) -> tuple[Expression, ...]:
    """ORDER BY's keys, none without it."""
    if not p.accept("order", "by"):
        return ()
    found = []
    while True:
        found.append(p.expression())
        p.accept_any(_DIRECTIONS)
        if not p.accept(","):
            return tuple(found)


def limits(p: Parser) -> tuple[Expression | None, Expression | None]:
    """LIMIT's count and offset, in any of the forms."""
    if not p.grammar.mysql and p.word in ("offset", "fetch"):
        return _fetch(p)
    if not p.accept("limit"):
        return None, None
    if _rows_examined(p):
        return None, None
    count, offset = amount(p), None
    if p.accept(","):
        count, offset = amount(p), count
    elif p.accept("offset"):
        offset = amount(p)
    _rows_examined(p)
    return count, offset


def _rows_examined(p: Parser) -> bool:
    if p.grammar.mysql or not p.accept("rows", "examined"):
        return False
    amount(p)
    return True


def _fetch(p: Parser) -> tuple[Expression | None, Expression | None]:
    """MariaDB's `OFFSET n ROWS FETCH FIRST m ROWS ONLY`."""
    offset: Expression | None = None
    count: Expression | None = None
    if p.accept("offset"):
        offset = amount(p)
        p.accept_any(_ROWS)
    if p.accept("fetch"):
        if not p.accept("first"):
            p.expect("next")
        count = Literal("1") if p.word in _ROWS else amount(p)
        if not p.accept_any(_ROWS):
            raise p.failure("ROWS is expected")
        if not p.accept("with", "ties"):
            p.expect("only")
    return count, offset


_ROWS: Final = words("row rows")


def amount(p: Parser) -> Expression:
    """A number or a placeholder."""
    if p.kind not in (Kind.NUMBER, Kind.PARAMETER, Kind.BITS):
        raise p.failure("a number is expected")
    made = p.expression()
    if not isinstance(made, Literal | Parameter):
        raise p.failure("a plain number is expected")
    return made


def locks(p: Parser) -> bool:
    """FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE, as many as there are."""
    found = False
    while p.word in ("for", "lock"):
        found = True
        if p.accept("lock", "in", "share", "mode"):
            _waiting(p)
            continue
        if not p.accept("for", "update"):
            p.expect("for", "share")
        if p.accept("of"):
            p.table_part()
            while p.accept(".") or p.accept(","):
                p.table_part()
        _waiting(p)
    return found


def _waiting(p: Parser) -> None:
    if p.accept("wait"):
        p.number()
    elif not p.accept("nowait"):
        p.accept("skip", "locked")


_TAIL: Final = words("order limit offset fetch for lock into")


def _tailed(p: Parser, made: Query, closed: bool) -> Query:
    """ORDER BY, LIMIT, locks and INTO of the whole. `closed`: it stood in brackets, and may have a tail of its own."""
    if p.word not in _TAIL:
        return made
    order = order_by(p)
    limit, offset = limits(p)
    into(p)
    locked = locks(p)
    into(p)
    fields: dict[str, Any] = {}
    if order:
        fields["order_by"] = order
    if limit is not None or offset is not None:
        fields.update(limit=limit, offset=offset)
    if locked:
        fields["locks"] = True
    if not fields:
        return made
    return _with_tail(made, fields, closed)


def _with_tail(made: Query, fields: dict[str, Any], closed: bool) -> Query:
    if closed and (made.order_by or made.limit or made.offset or made.common_tables):
        return Select((Output(Star()),), (Derived(made),), **fields)
    if "locks" in fields and not hasattr(made, "locks"):
        del fields["locks"]  # VALUES has no rows to lock
    return replace(made, **fields)
