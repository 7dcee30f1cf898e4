"""PostgreSQL's lexical rules, as far as offsets and limits need them (manual chapter 4.1, scan.l).

Exact where it matters: nested comments, `--` up to LF or CR, E'' strings and their continuation on the next line,
dollar quotes, identifiers that hold `$`. standard_conforming_strings is on (the gate pins it).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum, auto
from typing import Final

from rules.postgres.nodes import Refused


class Token(IntEnum):
    """What a token means to the depth bound and to the statement's borders; the rest is WORD."""

    GAP = auto()  # white space and comments
    TEXT = auto()  # strings and quoted identifiers
    WORD = auto()
    ROWS = auto()  # (1, 'a'), (2, 'b'): lists of constants in brackets, as bulk INSERT and IN have by the thousand
    OPEN = auto()
    CLOSE = auto()
    COMMA = auto()
    END = auto()  # ;
    OPERATOR = auto()


_SPACE = rb"[ \t\n\r\f\v]*+"
_NUMBER = rb"[+-]?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_CONSTANT = rb"(?>" + _NUMBER + rb"|'[^']*+'(?:'[^']*+')*+|\$[0-9]++|(?i:null|true|false|default))"
_ROW = rb"\((?:S)C(?:S)(?:,(?:S)C(?:S))*+\)".replace(b"C", _CONSTANT).replace(b"(?:S)", _SPACE)
_ONE_ROW: Final = re.compile(_ROW)
_SEVERAL: Final = re.compile(rb"\((?:S)C(?:S),(?:S)C(?:S)[,)]".replace(b"C", _CONSTANT).replace(b"(?:S)", _SPACE))
_FIRST_MEMBER: Final = re.compile(rb"\(" + _SPACE + _CONSTANT)
_CONTINUED = rb"'(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]+|--[^\n\r]*[\n\r])*'"
_SHAPES: Final = rb"""(?P<GAP>(?:[ \t\n\r\f\v]+|--[^\n\r]*)+)
    | (?P<COMMENT>/\*)
    | (?P<TEXT>[eE]'(?:[^'\\]|\\.|''|CONTINUED)*'? | '[^']*'? | "[^"]*"?
        | (?P<dollar>\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$).*?(?:(?P=dollar)|\Z))
    | (?P<WORD>[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]* | \$?[0-9]+(?:\.[0-9]+)?)
    | (?P<ROWS>LIST(?:SPACE,SPACE LIST)*+) | (?P<OPEN>[(\[]) | (?P<CLOSE>[)\]]) | (?P<COMMA>,) | (?P<END>;)
    | (?P<OPERATOR>.)
    """.replace(b"CONTINUED", _CONTINUED)
_TOKEN: Final = re.compile(_SHAPES.replace(b"LIST", _ROW).replace(b"SPACE", _SPACE), re.X | re.S)
#: the same without ROWS: every bracket and comma by itself, and a quoted name with quotes in it as one token
_EACH: Final = re.compile(
    _SHAPES.replace(b"(?P<ROWS>LIST(?:SPACE,SPACE LIST)*+) |", b"").replace(b'"[^"]*"?', b'"(?:[^"]|"")*"?'),
    re.X | re.S,
)
_COMMENT_MARK: Final = re.compile(rb"/\*|\*/")
#: bytes up to which a run of rows stays as it is, and a row when it is cut
SHORT_RUN: Final = 64
LONG_ROW: Final = 1000
_KINDS: Final = {kind.name: kind for kind in Token}


def comment_end(text: bytes, start: int) -> int:
    """Where the (possibly nested) block comment that starts at `start` ends; the text's end if it never does."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(text, start):
        depth += 1 if mark[0] == b"/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def tokens(text: bytes, start: int = 0, *, rows: bool = True) -> Iterator[tuple[Token, int, int]]:
    """(kind, start, end) of every token from `start` on. `rows` False: lists of constant rows are taken apart."""
    shapes = _TOKEN if rows else _EACH
    while start < len(text):
        for match in shapes.finditer(text, start):
            group = match.lastgroup
            if group == "COMMENT":
                break
            yield _KINDS[group or "OPERATOR"], *match.span()
        else:
            return
        end = comment_end(text, match.start())
        yield Token.GAP, match.start(), end
        start = end


def condensed(text: bytes) -> bytes:
    """The text with each run of constant rows cut to its first row, and a long row to its first member."""
    if _SEVERAL.search(text) is None:
        return text
    pieces: list[bytes] = []
    done = 0
    for kind, start, end in tokens(text):
        if kind is Token.ROWS and end - start > SHORT_RUN:
            pieces += text[done:start], _first_row(text, start)
            done = end
    return b"".join(pieces) + text[done:]


def _first_row(text: bytes, start: int) -> bytes:
    row = _ONE_ROW.match(text, start)
    first = _FIRST_MEMBER.match(text, start)
    assert row is not None
    assert first is not None
    return row[0] if len(row[0]) <= LONG_ROW else first[0] + b")"


def encode(text: str) -> bytes:
    """The text as UTF-8. Raises Refused for what the server could never have received as a text."""
    if "\0" in text:
        raise Refused("nul", "it contains a NUL character", "remove the NUL character", text.index("\0"))
    try:
        return text.encode()
    except UnicodeEncodeError as bad:
        raise Refused("encoding", "it is not valid Unicode text", "send valid UTF-8", bad.start) from bad


def leading(text: bytes, start: int) -> tuple[int, bytes]:
    """Where a statement's first token is, and its first word in lower case, parentheses skipped."""
    first = -1
    for kind, begin, end in tokens(text, start):
        if kind is Token.GAP:
            continue
        first = begin if first < 0 else first
        if kind is not Token.OPEN:
            return first, text[begin:end].lower() if kind is Token.WORD else b""
    return max(first, start), b""


def significant_end(text: bytes, start: int, end: int) -> int:
    """Where the last token of text[start:end] ends that is neither white space nor comment."""
    part = text[start:end].rstrip(b" \t\n\r\f\v")
    if b"--" not in part and b"/*" not in part:
        return start + len(part)
    last = start
    for kind, begin, stop in tokens(part):
        if kind is not Token.GAP and begin < stop:
            last = start + stop
    return last
