"""FROM: tables, derived tables, JSON_TABLE, and joins with the servers' precedence."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rules.mysql.json_clauses import table_columns
from rules.mysql.keywords import words
from rules.mysql.nesting import opens_query
from rules.mysql.parser import Parser
from rules.tree import Derived, Expression, FunctionSource, Join, JoinKind, Operation, Relation, Source


def from_clause(p: Parser) -> tuple[Source, ...]:
    """What stands behind FROM. DUAL is no table."""
    if p.accept("dual"):
        return ()
    return sources(p)


def sources(p: Parser) -> tuple[Source, ...]:
    """Table references with commas between."""
    found = [joined(p)]
    while p.accept(","):
        found.append(joined(p))
    return tuple(found)


# ---------------------------------------------------------------- joins

_JOINS: Final = words("join inner cross left right natural straight_join")


def joined(p: Parser) -> Source:
    """A table reference: one factor and the joins after it."""
    made = _factor(p)
    while p.word in _JOINS:
        made, _ = _join(p, made)
    return made


def _join(p: Parser, left: Source) -> tuple[Source, int]:
    """The join that goes on from `left`, and how many joins it is above it.

    `a JOIN b JOIN c ON x ON y` is a JOIN (b JOIN c ON x) ON y; without the second ON it is (a CROSS JOIN b) JOIN c."""
    if p.accept("natural"):
        kind = _kind(p)
        return Join(kind, left, _factor(p), natural=True), 1
    kind = JoinKind.INNER if p.accept("straight_join") else _kind(p)
    right, levels = _factor(p), 0
    if p.word in _JOINS:
        p.enter()
        while p.word in _JOINS:
            right, more = _join(p, right)
            levels += more
        p.leave()
    if p.word in ("on", "using"):
        return _conditioned(p, kind, left, right), 1
    if kind in _OUTER:
        raise p.failure("ON is expected")
    return _crossed(left, right, levels), levels + 1


def _crossed(left: Source, right: Source, levels: int) -> Source:
    """A join without a condition, below the joins that its right side goes on with."""
    spine: list[Join] = []
    for _ in range(levels):
        assert isinstance(right, Join)
        spine.append(right)
        right = right.left
    made: Source = Join(JoinKind.CROSS, left, right)
    for each in reversed(spine):
        made = replace(each, left=made)
    return made


def _conditioned(p: Parser, kind: JoinKind, left: Source, right: Source) -> Source:
    if p.accept("on"):
        return Join(kind, left, right, p.expression())
    p.expect("using", "(")
    found = [p.column_name()]
    while p.accept(","):
        found.append(p.column_name())
    p.expect(")")
    return Join(kind, left, right, using=tuple(found))


_OUTER: Final = frozenset({JoinKind.LEFT, JoinKind.RIGHT})


def _kind(p: Parser) -> JoinKind:
    for word, kind in (("left", JoinKind.LEFT), ("right", JoinKind.RIGHT)):
        if p.accept(word):
            p.accept("outer")
            p.expect("join")
            return kind
    if not p.accept("inner"):
        p.accept("cross")
    p.expect("join")
    return JoinKind.INNER


# ---------------------------------------------------------------- factors


def _factor(p: Parser) -> Source:
    word = p.word
    if word == "(":
        return _bracketed(p)
    if word == "lateral":
        p.advance()
        return _derived(p, lateral=True)
    if word == "json_table" and p.peek() == "(":
        return _json_table(p)
    if word == "{":
        return _escaped(p)
    return table(p)


def _bracketed(p: Parser) -> Source:
    if opens_query(p, p.at):
        return _derived(p, lateral=False)
    p.enter()
    p.expect("(")
    found = sources(p)
    p.expect(")")
    p.leave()
    made = found[0]
    for each in found[1:]:
        made = Join(JoinKind.CROSS, made, each)
    return made


def _derived(p: Parser, lateral: bool) -> Source:
    p.expect("(")
    made = p.query()
    p.expect(")")
    alias, columns = _alias(p)
    return Derived(made, alias, columns, lateral)


def _alias(p: Parser) -> tuple[str | None, tuple[str, ...]]:
    if not p.accept("as") and not _may_be_alias(p):
        return None, ()
    alias = p.table_part("an alias")
    return alias, _columns(p) if p.word == "(" else ()


def _may_be_alias(p: Parser) -> bool:
    """WINDOW is not reserved on MariaDB, but no alias of a table."""
    return p.is_name() and p.word != "window"


def _columns(p: Parser) -> tuple[str, ...]:
    from rules.mysql.queries import column_list  # queries have sources

    return column_list(p)


def _escaped(p: Parser) -> Source:
    """ODBC's `{ OJ a LEFT JOIN b ON ... }`."""
    p.expect("{")
    p.name("OJ")
    made = joined(p)
    p.expect("}")
    return made


def _json_table(p: Parser) -> Source:
    at = p.starts[p.advance()]
    p.expect("(")
    operands = [p.expression()]
    p.expect(",")
    p.string("a JSON path")
    names, values = table_columns(p)
    p.expect(")")
    made = Operation("json_table", (*operands, *values), (), at)
    alias, _ = _alias(p)
    return FunctionSource((made,), alias, tuple(names), lateral=True)


# ---------------------------------------------------------------- tables


def table(p: Parser) -> Relation:
    """A table by name, with partitions, system time, alias and index hints."""
    name, start, end = p.table_path()
    partitions(p)
    moments = _system_time(p)
    alias = None
    if p.accept("as") or _may_be_alias(p):
        alias = p.table_part("an alias")
    while p.word in _HINTS and p.peek() in ("index", "key"):
        _index_hint(p)
    if p.places is not None:
        p.places.factors[start] = p.ends[p.at - 1]
    return Relation(name, alias, start=start, end=end, sample=moments)


def partitions(p: Parser) -> None:
    """`PARTITION (p0, p1)`: fewer rows of the same table."""
    if not p.accept("partition"):
        return
    p.expect("(")
    p.name("a partition")
    while p.accept(","):
        p.name("a partition")
    p.expect(")")


_HINTS: Final = words("use ignore force")


def _index_hint(p: Parser) -> None:
    p.advance()
    p.advance()
    if p.accept("for") and not (p.accept("join") or p.accept("order", "by") or p.accept("group", "by")):
        raise p.failure("JOIN is expected")
    p.expect("(")
    while not p.accept(")"):
        if not p.accept("primary"):
            p.name("an index")
        if p.word != ")":
            p.expect(",")


def _system_time(p: Parser) -> tuple[Expression, ...]:
    """MariaDB's FOR SYSTEM_TIME: the values that say of when."""
    if p.grammar.mysql or not p.accept("for", "system_time"):
        return ()
    from rules.mysql.expressions import BITS, expression

    if p.accept("all"):
        return ()
    if p.accept("as", "of"):
        return (_moment(p),)
    words_ = ("and",) if p.accept("between") else ("to",)
    if words_ == ("to",):
        p.expect("from")
    _moment_word(p)
    first = expression(p, BITS)
    p.expect(*words_)
    _moment_word(p)
    return first, expression(p, BITS)


def _moment(p: Parser) -> Expression:
    from rules.mysql.expressions import BITS, expression

    _moment_word(p)
    return expression(p, BITS)


def _moment_word(p: Parser) -> None:
    if p.word == "transaction":
        p.advance()
