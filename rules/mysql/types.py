"""The types of CAST, CONVERT, RETURNING and JSON_TABLE's columns."""

from __future__ import annotations

from typing import Final

from rules.mysql.keywords import words
from rules.mysql.lexemes import Kind
from rules.mysql.parser import Parser
from rules.tree import Name

_TYPES: Final = words("""
    binary varbinary char character nchar varchar nvarchar date datetime time timestamp year decimal dec numeric fixed
    float double real signed unsigned int integer tinyint smallint mediumint bigint json text tinytext mediumtext
    longtext blob tinyblob mediumblob longblob bit bool boolean enum set point linestring polygon multipoint
    multilinestring multipolygon geometrycollection geomcollection geometry vector inet4 inet6 uuid
""")
_AFTER: Final = words("integer int unsigned signed zerofill precision varying binary ascii unicode byte")


def cast_type(p: Parser) -> tuple[Name, tuple[int, ...] | None, bool]:
    """The type's name, its modifiers as `rules.tree.Cast` has them, and whether ARRAY follows."""
    if p.accept("national"):
        pass
    name = p.accept_any(_TYPES)
    if not name:
        raise p.failure("a type is expected")
    p.accept_any(_AFTER)
    modifiers = _modifiers(p)
    while p.accept_any(_AFTER):
        pass
    _character_set(p)
    return (name,), modifiers, p.accept("array")


def _modifiers(p: Parser) -> tuple[int, ...] | None:
    if not p.accept("("):
        return ()
    found: list[str] = []
    while not p.accept(")"):
        found.append(p.string() if p.kind is Kind.STRING else p.number())
        if p.word != ")":
            p.expect(",")
    return tuple(map(int, found)) if all(number.isdecimal() for number in found) else None


def _character_set(p: Parser) -> None:
    if p.accept("character", "set") or p.accept("char", "set") or p.accept("charset"):
        if p.kind is Kind.STRING:
            p.string()
        elif not p.accept("binary"):
            p.name("a character set")
    p.accept("binary")
    if p.accept("collate") and not p.accept("binary"):
        p.name("a collation")
