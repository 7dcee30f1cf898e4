"""Columns out of the tokens of CREATE TABLE and ALTER TABLE, which the grammar has read and found sound before.

Types come as information_schema's DATA_TYPE has them (`rules.mysql.column_types`). MySQL manual, chapter "Data Types".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rules.mysql.ddl_builder import Drafted
from rules.mysql.lexemes import Kind
from rules.mysql.parser import Parser

_SAME: Final = {
    "tinyint": "int1 bool boolean",
    "smallint": "int2",
    "mediumint": "int3 middleint",
    "int": "integer int4",
    "bigint": "int8 serial",
    "float": "float4",
    "double": "real float8",
    "decimal": "dec numeric fixed number",
    "char": "character nchar",
    "varchar": "varcharacter nvarchar varchar2",
    "mediumtext": "long",
    "longtext": "clob",
    "varbinary": "raw",
}
_PLAIN: Final = {other: name for name, others in _SAME.items() for other in others.split()}
#: types of several words, by the words behind the first
_LONGER: Final = (
    (("char", "character", "nchar"), ("varying", "varchar"), "varchar"),
    (("char",), ("byte",), "binary"),
    (("long",), ("varbinary",), "mediumblob"),
)
#: character types, by what CHARACTER SET binary makes of them
_AS_BYTES: Final = {
    "char": "binary", "varchar": "varbinary", "tinytext": "tinyblob", "text": "blob", "mediumtext": "mediumblob",
    "longtext": "longblob",
}  # fmt: skip
_BRANDS_OWN: Final = {("mariadb", "json"): "longtext", ("mysql", "geometrycollection"): "geomcollection"}
_CHARACTER_SET: Final = (("character", "set"), ("char", "set"), ("charset",))
_SIGNS: Final = frozenset({"unsigned", "zerofill"})
_CONSTRAINTS: Final = frozenset("index key fulltext spatial constraint primary unique foreign check".split())  # noqa: SIM905
#: FLOAT of more digits than this is a DOUBLE
_FLOAT_DIGITS: Final = 24


def listed(p: Parser, end: int) -> Iterator[int]:
    """The parts between commas, from here to the token `end`: `p` stands at each in turn, whose end is told."""
    while p.at < end:
        behind = p.at
        while behind < end and p.words[behind] != ",":
            behind = p.partner(behind) + 1 if p.words[behind] == "(" else behind + 1
        yield behind
        p.at = behind + 1


def definitions(p: Parser) -> list[Drafted]:
    """The columns of `(a int, b text, KEY (a))`, which comes next; constraints are passed over."""
    end = p.partner(p.at)
    p.at += 1
    found = [column(p, behind) for behind in listed(p, end) if not is_constraint(p)]
    p.at = end + 1
    return found


def is_constraint(p: Parser) -> bool:
    return p.word in _CONSTRAINTS or p.ahead("period", "for")


def column(p: Parser, end: int) -> Drafted:
    """`a int unsigned GENERATED ALWAYS AS (b + 1) INVISIBLE`, up to the token `end`."""
    name = p.column_name()
    at_type = p.at
    outside = list(_outside(p, end))
    words = [p.words[at] for at in outside]
    type_, modifier = _type(p, at_type, words)
    expression = next((at + 1 for at in outside if p.words[at] == "as"), None)
    p.at = end
    return Drafted(
        name,
        type_,
        frozenset() if expression is None else frozenset(_names(p, expression)),
        generated=expression is not None,
        modifier=modifier,
        invisible="invisible" in words,
    )


def _outside(p: Parser, end: int) -> Iterator[int]:
    """The tokens from here that are not in brackets."""
    at = p.at
    while at < end:
        yield at
        at = p.partner(at) + 1 if p.words[at] == "(" else at + 1


def _names(p: Parser, opening: int) -> Iterator[str]:
    """All that may be a column's name in brackets. `AS ROW START` has none."""
    if p.words[opening] != "(":
        return
    for at in range(opening + 1, p.partner(opening)):
        if p.kinds[at] in (Kind.WORD, Kind.NAME, Kind.QUOTED):
            p.at = at
            yield p.identifier().lower()


def _type(p: Parser, first: int, words: list[str]) -> tuple[str, int]:
    """The type's name and modifier. `words`: of the whole column, without what stands in brackets."""
    national = words[0] == "national"
    head, behind = words[national], words[national + 1 :]
    name = _PLAIN.get(head, head)
    for heads, following, instead in _LONGER:
        if head in heads and behind[:1] and behind[0] in following:
            name = instead
    sizes = _sizes(p, first + national)
    if name == "float" and len(sizes) == 1 and sizes[0] > _FLOAT_DIGITS:
        name = "double"
    if any(tuple(words[at : at + len(s) + 1]) == (*s, "binary") for s in _CHARACTER_SET for at in range(len(words))):
        name = _AS_BYTES.get(name, name)
    name = _BRANDS_OWN.get((p.grammar.brand, name), name)
    unsigned = head == "serial" or not _SIGNS.isdisjoint(words)
    return name + " unsigned" * unsigned, _modifier(sizes) if name == "decimal" else -1


def _sizes(p: Parser, at: int) -> list[int]:
    """The numbers in the brackets behind the type's name."""
    if p.words[at + 1] != "(":
        return []
    inside = range(at + 2, p.partner(at + 1))
    return [int(p.lexemes.written(each)) for each in inside if p.kinds[each] is Kind.NUMBER]


def _modifier(sizes: list[int]) -> int:
    precision, scale = (*sizes, *(10, 0)[len(sizes) :])
    return (precision << 16 | scale) + 4
