"""JSON_TABLE's columns, and the ON EMPTY, ON ERROR clauses that it shares with JSON_VALUE."""

from __future__ import annotations

from rules.mysql.parser import Parser
from rules.mysql.types import cast_type
from rules.tree import Expression, Literal


def on_clauses(p: Parser) -> list[Expression]:
    """`NULL ON EMPTY`, `DEFAULT 'x' ON ERROR`, in any order: the defaults."""
    found: list[Expression] = []
    while p.word in ("null", "error", "default") and _is_clause(p):
        if p.accept("default"):
            found.append(p.expression())
        else:
            p.advance()
        p.expect("on")
        if not p.accept("empty"):
            p.expect("error")
    return found


def _is_clause(p: Parser) -> bool:
    return p.word == "default" or p.peek() == "on"


def table_columns(p: Parser) -> tuple[list[str], list[Expression]]:
    """`COLUMNS (...)`: the columns' names in order, and the defaults' expressions."""
    p.expect("columns", "(")
    names: list[str] = []
    values: list[Expression] = []
    while True:
        _column(p, names, values)
        if not p.accept(","):
            break
    p.expect(")")
    return names, values


def _column(p: Parser, names: list[str], values: list[Expression]) -> None:
    if p.accept("nested"):
        p.accept("path")
        p.string("a JSON path")
        inner, more = table_columns(p)
        names += inner
        values += more
        return
    names.append(p.column_name())
    if p.accept("for", "ordinality"):
        return
    cast_type(p)
    p.accept("exists")
    p.expect("path")
    values.append(Literal(p.string("a JSON path"), p.starts[p.at - 1]))
    values += on_clauses(p)
