"""A second parser's view of SELECT, INSERT, UPDATE, DELETE, MERGE and VALUES.

The server's grammar decides. sqlglot, written independently, reads the same text; when it sees a table that our
tree does not have, or calls the statement another kind, one of the two is mistaken and the statement is refused.
Where sqlglot cannot parse, or returns its opaque Command, the server's grammar stands alone. It also does so for
what is longer than `LONGEST` once each list of plain constants is cut to one row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import sqlglot.parser
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError

from rules.postgres.lexical import condensed
from rules.postgres.nodes import Refused
from rules.postgres.special_syntax import VALUE_FUNCTIONS
from rules.tree import Delete, Insert, Merge, Name, Query, Update, Write

# sqlglot warns on its logger about texts it does not understand; those texts are the client's and may hold secrets.
sqlglot.parser.logger.setLevel("CRITICAL")

_POSTGRES: Final = Dialect.get_or_raise("postgres")
_IDENTIFIER_BYTES: Final = 63
#: bytes; sqlglot takes 1 to 6 us for each
LONGEST: Final = 16 << 10
#: bytes above which cutting a text's lists is worth the look
SHORT: Final = 2 << 10

_ROOTS: Final[dict[type[exp.Expr], str]] = {exp.Insert: "insert", exp.Update: "update", exp.Delete: "delete"}
_ROOTS.update({exp.Merge: "merge"})
_BODIES: Final[dict[type[object], str]] = {Insert: "insert", Update: "update", Delete: "delete", Merge: "merge"}
_UPPER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def check(text: str, body: Query | Write, relations: Iterable[Name]) -> None:
    """Compare with sqlglot's reading of one statement. Raises Refused (`parser-disagreement`).

    `relations`: every relation name in our tree of the statement, as written and folded.
    """
    tree = _parse(text)
    if tree is None:
        return
    kind, ours = _kind(tree), _BODIES.get(type(body), "select")
    if kind != ours:
        raise _disagreement(f"a second parser reads it as {kind.upper()}, PostgreSQL's grammar as {ours.upper()}")
    known = {name[-parts:] for name in relations for parts in range(1, len(name) + 1)}
    for name in _tables(tree):
        if name not in known:
            raise _disagreement(f"a second parser sees the table {'.'.join(name)}, which PostgreSQL's grammar does not")


def _parse(text: str) -> exp.Expr | None:
    if len(text) > SHORT:
        text = condensed(text.encode()).decode()
    if len(text) > LONGEST:
        return None
    try:
        found = _POSTGRES.parse(text)
    except (SqlglotError, RecursionError, ValueError, TypeError, AttributeError, KeyError, IndexError):
        return None  # the server's grammar is the more exact one and has accepted the text
    tree = found[0] if len(found) == 1 else None
    return None if isinstance(tree, exp.Command) else tree


def _kind(tree: exp.Expr) -> str:
    return _ROOTS.get(type(tree), "select" if isinstance(tree, _READS) else tree.key)


_READS: Final = (exp.Query, exp.Values, exp.Table)
_NOT_SOURCES: Final = (exp.Opclass, exp.Lock)  # an operator class; FOR UPDATE OF alias


def _tables(tree: exp.Expr) -> set[Name]:
    """The tables that sqlglot sees, CTE names left out."""
    common: set[Name] = set()
    found: set[Name] = set()
    for node in tree.find_all(exp.Table, exp.CTE):
        if isinstance(node, exp.Table):
            found.add(_name(node))
        elif node.args.get("alias"):
            common.add((_folded(node.args["alias"].this),))
    return found - common - {()}


def _name(table: exp.Table) -> Name:
    """A table's name; empty for a function in FROM and where the node stands for another kind of name."""
    if not isinstance(table.this, exp.Identifier) or isinstance(table.parent, _NOT_SOURCES):
        return ()
    parts = (table.args.get("catalog"), table.args.get("db"), table.this)
    name = tuple([_folded(part) for part in parts if part])
    return () if name in _FUNCTIONS and not table.this.args.get("quoted") else name


#: functions without parentheses, which sqlglot takes for tables in FROM
_FUNCTIONS: Final = frozenset((name,) for name in (*VALUE_FUNCTIONS, "system_user"))


def _folded(identifier: exp.Identifier) -> str:
    """As the server folds: ASCII letters of unquoted names, cut at 63 bytes."""
    name = str(identifier.this)
    if not identifier.args.get("quoted"):
        name = name.translate(_UPPER)
    return name.encode()[:_IDENTIFIER_BYTES].decode("utf-8", "ignore")


def _disagreement(what: str) -> Refused:
    mend = "write the statement in plainer SQL: no comments, names in plain lower case"
    return Refused("parser-disagreement", what, mend)
