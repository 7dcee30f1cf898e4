"""SELECT ... INTO: variables and files, in any of the places where the servers take it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from rules.mysql.keywords import words
from rules.mysql.lexemes import Kind
from rules.mysql.parser import Parser
from rules.mysql.primaries import variable_name
from rules.mysql.refusal import Refused
from rules.tree import Column, Literal, Operation, Output, Query, Select, SetOperation, Values

#: what `Parser.into` holds for OUTFILE and DUMPFILE
FILE: Final = ("file",)


def into(p: Parser) -> None:
    """INTO, if it comes next; noted in `Parser.into`. Raises Refused where it stands in a part of a query."""
    if p.word != "into":
        return
    if p.levels > 1 or p.into:
        raise Refused("syntax", "INTO stands inside a query", "put it at the statement's end", p.start)
    p.advance()
    if p.word in ("outfile", "dumpfile"):
        _file(p)
        return
    found = [variable_name(p)]
    while p.accept(","):
        found.append(variable_name(p))
    p.into = tuple(found)


def _file(p: Parser) -> None:
    p.advance()
    p.string("a file's name")
    p.into = FILE
    while p.accept_any(_EXPORT) or (p.kind is Kind.STRING and p.string() is not None):
        pass


_EXPORT: Final = words("""
    character charset set fields columns lines terminated optionally enclosed escaped starting by utf8 utf8mb3 utf8mb4
    latin1 binary ascii
""")


def into_variables(made: Query, variables: tuple[str, ...]) -> Query:
    """The query with every output as the value of a variable: what is copied shows in the tree."""
    if isinstance(made, SetOperation):
        left, right = into_variables(made.left, variables), into_variables(made.right, variables)
        return replace(made, left=left, right=right)
    if isinstance(made, Values):
        return made
    return _select(made, variables)


def _select(made: Select, variables: tuple[str, ...]) -> Query:
    found = []
    for position, output in enumerate(made.outputs):
        name = Literal(variables[min(position, len(variables) - 1)])
        value = output.expression
        label = output.name or (value.path[-1] if isinstance(value, Column) else None)
        found.append(Output(Operation("assign_variable", (name, value)), label))
    return replace(made, outputs=tuple(found))
