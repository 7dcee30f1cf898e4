"""PostgreSQL's own grammar: text -> parse tree, through libpg_query (PostgreSQL 18).

The library is called by postgast's ctypes binding for its JSON form, which with orjson costs a third of the
protobuf form that postgast's Python API walks (measured: 43 us against 132 us for a two-table SELECT).

The C code prints the tree by recursion and does not bound its depth, so a long chain such as `1+1+1...` can
overrun the stack. `bounded` refuses such texts before the parser sees them. Bison itself stops at
10,000 open constructs ("memory exhausted"), so what remains are left-deep chains.
"""

from __future__ import annotations

import re
from typing import Final

import orjson
from postgast import native

from rules.postgres.lexical import Token, tokens
from rules.postgres.nodes import Node, Refused

MAX_BYTES: Final = 1 << 20
"""Longest text that is read; a longer one is refused."""

SHORT_BYTES: Final = 16 << 10
"""Texts up to here cannot overrun the stack: at most 8,000 levels; the first overrun was seen above 50,000 (8 MiB)."""

MAX_CHAIN: Final = 4_000
"""Most levels that a longer text may build."""

MAX_REPEATED: Final = 256 << 10
"""Most source text that the tree may repeat; without a bound 4 KB of `SET (a, a, ...) = (...)` print gigabytes."""

DOT: Final = ord(".")
MOST_OPENINGS: Final = 200
"""Most `/*` in one run of operator characters: at each of them PostgreSQL's scanner reads the run to its end."""

_SIGNS: Final = re.compile(rb"[~!@#^&|`?+\-*/%<>=]{400,}+")
_MEND: Final = "split it into smaller statements, or pass long lists as one array parameter (= ANY($1))"


# ---------------------------------------------------------------- the depth bound


class _Depth:
    """An upper bound of the tree's height, bottom up. A chain's height is its links on top of its highest element; a
    bracket's or CASE's is that of its highest member. Joins and set operations nest over everything at their level
    and are counted over the whole text. `levels`: per open bracket [is a CASE, height of the chain so far, highest].
    """

    __slots__ = ("deepest", "levels", "stacked")

    def __init__(self) -> None:
        self.levels: list[list[int]] = [[0, 0, 0]]
        self.deepest = self.stacked = 0

    def open(self) -> None:
        self.levels.append([0, 0, 0])

    def open_case(self) -> None:
        self.levels.append([1, 0, 0])

    def close(self) -> None:
        """A bracket closes over CASEs that seem open: the word may have been a label."""
        while self.levels[-1][0]:
            self._pop()
        if len(self.levels) > 1:
            self._pop()

    def close_case(self) -> None:
        if self.levels[-1][0]:
            self._pop()

    def _pop(self) -> None:
        _, chain, highest = self.levels.pop()
        top = self.levels[-1]
        top[1] = max(top[1], chain, highest)
        self.link()

    def reset(self) -> None:
        """A separator of siblings: what follows does not nest over what came before."""
        top = self.levels[-1]
        top[1], top[2] = 0, max(top[1], top[2])

    def rows(self) -> None:
        """Brackets around constants, separated by commas; a sign before a constant may be a level."""
        for _ in range(2):
            self.reset()
            self.open()
            self.link()
            self.close()

    def link(self) -> None:
        self.levels[-1][1] += 1
        self.deepest = max(self.deepest, self.levels[-1][1])

    def stack(self) -> None:
        self.stacked += 1


_BY_KIND: Final = {
    Token.ROWS: _Depth.rows,
    Token.OPEN: _Depth.open,
    Token.CLOSE: _Depth.close,
    Token.COMMA: _Depth.reset,
    Token.OPERATOR: _Depth.link,
}
_BY_WORD: Final = {
    b"case": _Depth.open_case,
    b"end": _Depth.close_case,
    **dict.fromkeys((b"and", b"or", b"when", b"then", b"else"), _Depth.reset),
    **dict.fromkeys((b"join", b"union", b"intersect", b"except"), _Depth.stack),
    **dict.fromkeys((b"collate", b"at", b"is", b"isnull", b"notnull", b"in", b"not", b"operator"), _Depth.link),
    **dict.fromkeys((b"like", b"ilike", b"similar", b"between", b"escape", b"overlaps"), _Depth.link),
}


def chain_depth(text: bytes, limit: int = MAX_CHAIN) -> int:
    """An upper bound (within a small factor) of how high the parse tree of `text` can be, from its tokens alone.

    Stops counting once it is above `limit`."""
    depth = _Depth()
    dotted = False  # a word after a dot is a name
    for kind, start, end in tokens(text):
        if kind is Token.GAP:
            continue
        is_word = kind is Token.WORD and not dotted
        note = _BY_WORD.get(text[start:end].lower()) if is_word else _BY_KIND.get(kind)
        if note:
            note(depth)
            if depth.deepest + depth.stacked > limit:
                break
        dotted = kind is Token.OPERATOR and text[start] == DOT
    return depth.deepest + depth.stacked


# ---------------------------------------------------------------- the size bound


class _Level:
    """One open bracket. `copies`: how often the tree prints its contents; `inside`: the same for what opens next."""

    __slots__ = ("copies", "inside", "listed", "members")

    def __init__(self, listed: bool, copies: int) -> None:
        self.listed, self.members = listed, 1
        self.copies = self.inside = copies


def repeated_bytes(text: bytes) -> int:
    """How much source text the printed tree can repeat: `SET (a, b, c) = source` prints `source` for each column, and
    such sources can stand in each other.

    A list counts when SET or a comma stands before it, so row comparisons in WHERE do not."""
    total, previous, columns = 0, b"", 0
    levels = [_Level(False, 1)]
    for kind, start, end in tokens(text):
        if kind is Token.GAP:
            continue
        token, top = text[start:end].lower(), levels[-1]
        if kind is Token.OPEN:
            levels.append(_Level(previous in (b"set", b","), top.inside))
        elif kind in (Token.COMMA, Token.END):
            top.members, top.inside = top.members + 1, top.copies
        elif token == b"=" and previous == b")" and columns > 1:
            top.inside = top.copies * columns
            total += top.inside * (len(text) - end)
        elif kind is Token.ROWS:
            columns = 0  # no list of columns
        elif kind is Token.CLOSE and len(levels) > 1:
            columns = top.members if top.listed else 0
            levels.pop()
        previous = token
    return total


_LIST_IS_SET: Final = re.compile(rb"\)[ \t\n\r\f\v]*(?:=|--|/\*)")


def _may_repeat(text: bytes) -> bool:
    """A cheap test that spares most texts the counting: a list of columns ends in `) =`, and one SET repeats at most
    each column's share of the text."""
    if _LIST_IS_SET.search(text) is None:
        return False
    return text.lower().count(b"set") > 1 or (text.count(b",") + 1) * len(text) > MAX_REPEATED


def bounded(text: bytes) -> None:
    """Raise Refused for a text that is too long or too deep for the C parser."""
    if len(text) > MAX_BYTES:
        raise Refused("too-long", f"it is longer than {MAX_BYTES} bytes", "use COPY or parameters for bulk data")
    if text.count(b"/*") > MOST_OPENINGS and any(run.count(b"/*") > MOST_OPENINGS for run in _SIGNS.findall(text)):
        raise too_complex()
    if _may_repeat(text) and repeated_bytes(text) > MAX_REPEATED:
        raise too_complex()
    if len(text) > SHORT_BYTES and chain_depth(text) > MAX_CHAIN:
        raise too_complex()


def too_complex() -> Refused:
    return Refused("too-complex", "it nests too deeply to be checked", _MEND)


# ---------------------------------------------------------------- the parser


def parse_tree(text: bytes) -> list[Node]:
    """The RawStmt objects of `text` (UTF-8, no NUL). Raises Refused with the server's own message."""
    bounded(text)
    result = native.lib.pg_query_parse(text)
    try:
        if result.error:
            error = result.error.contents
            raise _syntax_error(text, error.message.decode("utf-8", "replace"), error.cursorpos)
        return _statements(result.parse_tree)
    finally:
        native.lib.pg_query_free_parse_result(result)


def _statements(json: bytes) -> list[Node]:
    try:
        found: list[Node] = orjson.loads(json)["stmts"]
    except orjson.JSONDecodeError as too_deep:  # orjson's own bound: 1,024 levels
        raise too_complex() from too_deep
    return found


def _syntax_error(text: bytes, message: str, position: int) -> Refused:
    """`position`: the server's, in characters from 1; 0 when there is none."""
    if message.startswith(("memory exhausted", "stack depth")):
        return too_complex()
    at = len(text.decode()[: position - 1].encode()) if position else -1
    if text.lstrip().startswith(b"\\"):
        return Refused(
            "psql-command",
            f"{message}: backslash commands belong to the psql program, not to SQL",
            "query information_schema.columns or pg_catalog.pg_class instead",
            at,
        )
    return Refused("syntax", message, "correct the statement's syntax", at, said=message)
