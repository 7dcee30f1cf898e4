"""The statements of a text, each by its first word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rules.mysql import second_opinion
from rules.mysql.into import FILE, into_variables
from rules.mysql.parser import Parser
from rules.mysql.queries import query, with_clause
from rules.mysql.refusal import Refused, unknown
from rules.mysql.writes import delete, insert, update
from rules.tree import Delete, Insert, JoinedDelete, JoinedUpdate, Query, Statement, Update, Write

MOST_STATEMENTS: Final = 1000


def statements(p: Parser) -> tuple[Statement, ...]:
    """Every statement up to the text's end; none for an empty text. Raises Refused."""
    found: list[Statement] = []
    while True:
        while p.accept(";"):
            pass
        if p.at_end():
            return tuple(found)
        found.append(one_statement(p))
        if len(found) > MOST_STATEMENTS:
            raise Refused("length", f"the text has more than {MOST_STATEMENTS} statements", "send them in parts")


def one_statement(p: Parser) -> Statement:
    """The statement that begins here, up to its semicolon or the text's end. Raises Refused."""
    first = p.at
    del p.relations[:], p.calls[:]
    p.into = ()
    p.parameters = 0
    made = _READERS[p.word](p) if p.word in _READERS else _utility(p)
    if not p.at_end():
        raise p.failure("the statement's end is expected")
    start, end = p.starts[first], p.ends[p.at - 1]
    object.__setattr__(made, "start", start)  # fresh, and seen by nobody else; a copy of its fields costs 5 us
    object.__setattr__(made, "end", end)
    return made


def _utility(p: Parser) -> Statement:
    from rules.mysql.utility import is_utility, utility  # its statements hold queries

    if not is_utility(p.word):
        raise unknown(f"a statement that begins with {p.lexemes.written(p.at)!r}", p.start)
    return utility(p)


# ---------------------------------------------------------------- queries and writes


def body(p: Parser) -> Query | Write:
    """A query, INSERT, REPLACE, UPDATE or DELETE. Raises Refused, also for one with INTO."""
    made = _body(p)
    if p.into:
        raise Refused("syntax", "INTO stands where the query only is a part", "leave INTO out", p.start)
    return made


def _body(p: Parser) -> Query | Write:
    word = p.word
    if word == "with":
        return _with_body(p)
    return _WRITES[word](p) if word in _WRITES else query(p)


def _with_body(p: Parser) -> Query | Write:
    """WITH before UPDATE and DELETE is known when it is over."""
    first = p.at
    common = with_clause(p)
    if p.word in _WITH_WRITES:
        return _WITH_WRITES[p.word](p, common)
    p.at = first
    del p.relations[:], p.calls[:]
    p.parameters = 0
    return query(p)


_WRITES: Final[dict[str, Callable[[Parser], Write]]] = {
    "insert": insert,
    "replace": insert,
    "update": update,
    "delete": delete,
}
_WITH_WRITES: Final[dict[str, Callable[[Parser, Any], Write]]] = {"update": update, "delete": delete}
_KINDS: Final[dict[type[object], str]] = {
    Insert: "insert",
    Update: "update",
    JoinedUpdate: "update",
    Delete: "delete",
    JoinedDelete: "delete",
}


def _queried(p: Parser) -> Statement:
    first = p.start
    made = _body(p)
    kind = _KINDS.get(type(made), "select")
    second_opinion.check(p, first, made, kind)
    if not p.into:
        return Statement(kind, made, detail=kind.upper() if not _is_replace(made) else "REPLACE")
    if kind != "select":
        raise Refused("syntax", "INTO stands in a statement that writes", "leave INTO out", first)
    return _into(p, made)  # type: ignore[arg-type]  # the kind tells


def _is_replace(made: Query | Write) -> bool:
    return isinstance(made, Insert) and made.replaces


def _into(p: Parser, made: Query) -> Statement:
    if p.into == FILE:
        return Statement("file_io", made, detail="SELECT INTO OUTFILE", returns_body=False)
    return Statement("select", into_variables(made, p.into), detail="SELECT INTO", returns_body=False)


_READERS: Final[dict[str, Callable[[Parser], Statement]]] = dict.fromkeys(
    ("select", "with", "values", "table", "(", *_WRITES), _queried
)
