"""ALTER TABLE in a test's schema: what it does to the columns (`ddl`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from rules.mysql.ddl_builder import Builder, Draft, Drafted, renamed
from rules.mysql.ddl_columns import column, definitions, is_constraint, listed
from rules.mysql.parser import Parser
from rules.tree import Statement

_Alteration = Callable[[Builder, Draft, Parser, int], None]


def alter_table(builder: Builder, statement: Statement, p: Parser, end: int) -> None:
    """`p` stands at ALTER; what is no alteration of columns or names has been found sound and is passed over."""
    while not p.accept("table"):
        p.advance()
    p.accept("if", "exists")
    name = builder.full(p.table_path()[0])
    draft = builder.relation(name)
    if p.accept("wait"):
        p.advance()
    p.accept("nowait")
    for behind in listed(p, end):
        if p.word == "rename" and p.peek() not in ("column", "index", "key"):
            name = _rename(builder, name, p)
        elif (handler := _ALTERATIONS.get(p.word)) is not None:
            p.advance()
            handler(builder, draft, p, behind)


def _rename(builder: Builder, old: tuple[str, str], p: Parser) -> tuple[str, str]:
    p.advance()
    _ = p.accept("to") or p.accept("as") or p.accept("=")
    new = builder.full(p.table_path()[0])
    draft = builder.relations.pop(old)
    builder.add(new, draft)
    return new


def _place(p: Parser, first: int, end: int) -> tuple[int, str | None]:
    """Where the column's own tokens end, and what follows them: `` for FIRST, the column's name for AFTER."""
    if p.words[end - 1] == "first":
        return end - 1, ""
    if end - 2 > first and p.words[end - 2] == "after":
        p.at = end - 1
        after = p.column_name()
        p.at = first
        return end - 2, after
    return end, None


def _put(builder: Builder, draft: Draft, made: Drafted, after: str | None, default: int) -> None:
    place = 0 if after == "" else default
    if after:
        place = _known(builder, draft, after) + 1
    draft.columns.insert(place, made)


def _known(builder: Builder, draft: Draft, name: str) -> int:
    place = draft.place_of(name)
    if place is None:
        raise builder.error(f'the table has no column "{name}"; add it first')
    return place


def _add(builder: Builder, draft: Draft, p: Parser, end: int) -> None:
    if is_constraint(p) or p.word == "partition" or p.ahead("system", "versioning"):
        return
    p.accept("column")
    lenient = p.accept("if", "not", "exists")
    if p.word == "(":
        made, after = definitions(p), None
    else:
        own, after = _place(p, p.at, end)
        made = [column(p, own)]
    for each in made:
        if draft.place_of(each.name) is None:
            _put(builder, draft, each, after, len(draft.columns))
        elif not lenient:
            raise builder.error(f'the table has a column "{each.name}" already; leave one out')


_NO_COLUMNS: Final = frozenset({"constraint", "check", "primary", "foreign", "index", "key", "partition"})


def _drop(builder: Builder, draft: Draft, p: Parser, end: int) -> None:
    if p.word in _NO_COLUMNS or p.ahead("system", "versioning") or p.ahead("period", "for"):
        return
    p.accept("column")
    lenient = p.accept("if", "exists")
    name = p.column_name()
    if lenient and draft.place_of(name) is None:
        return
    del draft.columns[_known(builder, draft, name)]


def _change(builder: Builder, draft: Draft, p: Parser, end: int) -> None:
    p.accept("column")
    lenient = p.accept("if", "exists")
    old = p.column_name()
    _redefine(builder, draft, p, end, old, lenient)


def _modify(builder: Builder, draft: Draft, p: Parser, end: int) -> None:
    p.accept("column")
    lenient = p.accept("if", "exists")
    at = p.at
    old = p.column_name()
    p.at = at
    _redefine(builder, draft, p, end, old, lenient)


def _redefine(builder: Builder, draft: Draft, p: Parser, end: int, old: str, lenient: bool) -> None:
    if lenient and draft.place_of(old) is None:
        return
    place = _known(builder, draft, old)
    own, after = _place(p, p.at, end)
    made = column(p, own)
    del draft.columns[place]
    draft.columns[:] = renamed(draft.columns, old, made.name)
    _put(builder, draft, made, after, place)


def _rename_column(builder: Builder, draft: Draft, p: Parser, end: int) -> None:
    if not p.accept("column"):
        return  # an index
    lenient = p.accept("if", "exists")
    old = p.column_name()
    if lenient and draft.place_of(old) is None:
        return
    _known(builder, draft, old)
    p.expect("to")
    draft.columns[:] = renamed(draft.columns, old, p.column_name())


def _alter(builder: Builder, draft: Draft, p: Parser, end: int) -> None:
    """ALTER COLUMN: MySQL 8.0.23 and later hide and show one by it."""
    if p.word in _NO_COLUMNS or p.words[end - 1] not in ("visible", "invisible"):
        return
    p.accept("column")
    place = _known(builder, draft, p.column_name())
    draft.columns[place] = replace(draft.columns[place], invisible=p.words[end - 1] == "invisible")


def _convert(builder: Builder, draft: Draft, p: Parser, end: int) -> None:
    if p.word != "to":
        raise builder.error("ALTER TABLE ... CONVERT of tables and partitions is not understood; leave it out")


_ALTERATIONS: Final[dict[str, _Alteration]] = {
    "add": _add,
    "drop": _drop,
    "change": _change,
    "modify": _modify,
    "rename": _rename_column,
    "alter": _alter,
    "convert": _convert,
}
