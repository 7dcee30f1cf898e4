"""VALUES and TABLE as queries, and the rows of INSERT."""

from __future__ import annotations

from rules.mysql.lexemes import Kind
from rules.mysql.parser import Parser
from rules.tree import Expression, Literal, Output, Parameter, Query, Relation, Select, Star, Values

Row = tuple[Expression, ...]


def table_query(p: Parser) -> Query:
    """`TABLE t`."""
    word = p.start
    p.expect("table")
    name, start, end = p.table_path()
    if p.places is not None:
        p.places.table_words[start] = word
    return Select((Output(Star()),), (Relation(name, start=start, end=end),))


def values_query(p: Parser) -> Query:
    """MySQL's `VALUES ROW(1, 2), ROW(3, 4)`, MariaDB's `VALUES (1, 2), (3, 4)`."""
    p.expect("values")
    return Values(rows(p, "row" if p.grammar.mysql else ""))


def rows(p: Parser, word: str = "") -> tuple[Row, ...]:
    """Rows in brackets, commas between, each behind `word`. Of those of constants alone one for each width stays,
    unless places are noted."""
    found: list[Row] = []
    widths: set[int] = set()
    while True:
        if word:
            p.expect(word)
        row = _row(p)
        if p.places is not None or not all(isinstance(cell, Literal | Parameter) for cell in row):
            found.append(row)
        elif len(row) not in widths:
            widths.add(len(row))
            found.append(row)
        if p.kinds[p.at] is Kind.ROWS:
            p.advance()
        if not p.accept(","):
            return tuple(found)


def _row(p: Parser) -> Row:
    p.expect("(")
    if p.accept(")"):
        return ()
    found = [p.expression()]
    while p.accept(","):
        found.append(p.expression())
    p.expect(")")
    return tuple(found)
