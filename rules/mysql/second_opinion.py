"""A second parser's view of SELECT, INSERT, REPLACE, UPDATE and DELETE.

Our own grammar decides. sqlglot, written independently, reads the same text; when it sees a table that our tree does
not have, or calls the statement another kind, one of the two is mistaken and the statement is refused. Where sqlglot
cannot parse, or returns its opaque Command, our grammar stands alone; so it does for what is longer than `LONGEST`.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

import sqlglot.parser
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from rules.mysql.lexemes import decoded
from rules.mysql.parser import Parser
from rules.mysql.refusal import Refused
from rules.mysql.writes import after_delete
from rules.tree import JoinedDelete, Name, Query, Write

# sqlglot warns on its logger about texts it does not understand; those texts are the client's and may hold secrets.
sqlglot.parser.logger.setLevel("CRITICAL")

_MYSQL: Final = Dialect.get_or_raise("mysql")
#: bytes; sqlglot takes 1 to 6 us for each
LONGEST: Final = 8 << 10

_ROOTS: Final[dict[type[exp.Expr], str]] = {exp.Insert: "insert", exp.Update: "update", exp.Delete: "delete"}
_READS: Final = (exp.Query, exp.Values, exp.Table)


def check(p: Parser, start: int, body: Query | Write, kind: str) -> None:
    """Compare with sqlglot's reading of the statement from `start` to the last token. Raises Refused."""
    text = decoded(_plainer(p, start))
    tree = _parse(p, text)
    if tree is None:
        return
    theirs = _ROOTS.get(type(tree), "select" if isinstance(tree, _READS) else tree.key)
    if theirs != kind:
        raise _disagreement(f"a second parser reads it as {theirs.upper()}, dbgate as {kind.upper()}")
    targets = [each.name for each in body.targets] if isinstance(body, JoinedDelete) else []
    known = {_folded(name[-parts:]) for name in (*p.relations, *targets) for parts in range(1, len(name) + 1)}
    for name in _tables(tree):
        if name not in known:
            raise _disagreement(f"a second parser sees the table {'.'.join(name)}, which dbgate does not")


def _plainer(p: Parser, start: int) -> str:
    """The statement's text, without the options of DELETE, which sqlglot takes for tables."""
    at, end = bisect_left(p.starts, start), p.ends[p.at - 1]
    if p.words[at] != "delete":
        return p.raw[start:end]
    return p.raw[start : p.ends[at]] + " " + p.raw[p.starts[after_delete(p, at)] : end]


def _parse(p: Parser, text: str) -> exp.Expr | None:
    if len(text) > LONGEST or "/*!" in text or "/*M!" in text:
        return None
    try:
        found = _MYSQL.parse(text)
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, KeyError, IndexError):
        return None
    tree = found[0] if len(found) == 1 else None
    return None if isinstance(tree, exp.Command) else tree


def _tables(tree: exp.Expr) -> set[Name]:
    """The tables that sqlglot sees, CTE names left out, in lower case."""
    common: set[Name] = set()
    found: set[Name] = set()
    for node in tree.find_all(exp.Table, exp.CTE):
        if isinstance(node, exp.Table):
            found.add(_name(node))
        elif node.args.get("alias"):
            common.add((str(node.args["alias"].this.this).lower(),))
    return found - common - {()}


def _name(table: exp.Table) -> Name:
    """A table's name; empty for what stands in FROM and is no table, and where the node names an alias."""
    if not isinstance(table.this, exp.Identifier) or isinstance(table.parent, exp.Lock):
        return ()
    parts = (table.args.get("catalog"), table.args.get("db"), table.this)
    name = tuple([str(part.this).lower() for part in parts if part])
    return () if name == ("dual",) else name


def _folded(name: Name) -> Name:
    return tuple([part.lower() for part in name])


def _disagreement(what: str) -> Refused:
    mend = "write the statement in plainer SQL: no comments, names in plain lower case"
    return Refused("parser-disagreement", what, mend)
