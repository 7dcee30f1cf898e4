"""PostgreSQL's lexical rules, as far as offsets and limits need them (manual chapter 4.1, scan.l).

Exact where it matters: nested comments, `--` up to LF or CR, E'' strings and their continuation on the next line,
dollar quotes, identifiers that hold `$`. standard_conforming_strings is on (the gate pins it).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

from rules.postgres.nodes import Refused


class Token(Enum):
    """What a token means to the depth bound and to the statement's borders; the rest is WORD."""

    GAP = "gap"  # white space and comments
    TEXT = "text"  # strings and quoted identifiers
    WORD = "word"
    OPEN = "open"
    CLOSE = "close"
    COMMA = "comma"
    END = "end"  # ;
    OPERATOR = "operator"


_CONTINUED = rb"'(?:[ \t\f\v]|--[^\n\r]*)*[\n\r](?:[ \t\n\r\f\v]+|--[^\n\r]*[\n\r])*'"
_TOKEN: Final = re.compile(
    rb"""(?P<GAP>(?:[ \t\n\r\f\v]+|--[^\n\r]*)+)
    | (?P<COMMENT>/\*)
    | (?P<TEXT>[eE]'(?:[^'\\]|\\.|''|CONTINUED)*'? | '[^']*'? | "[^"]*"?
        | (?P<dollar>\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$).*?(?:(?P=dollar)|\Z))
    | (?P<WORD>[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]* | \$?[0-9]+(?:\.[0-9]+)?)
    | (?P<OPEN>[(\[]) | (?P<CLOSE>[)\]]) | (?P<COMMA>,) | (?P<END>;)
    | (?P<OPERATOR>.)
    """.replace(b"CONTINUED", _CONTINUED),
    re.X | re.S,
)
_COMMENT_MARK: Final = re.compile(rb"/\*|\*/")
_KINDS: Final = {kind.name: kind for kind in Token}


def comment_end(text: bytes, start: int) -> int:
    """Where the (possibly nested) block comment that starts at `start` ends; the text's end if it never does."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(text, start):
        depth += 1 if mark[0] == b"/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def tokens(text: bytes, start: int = 0) -> Iterator[tuple[Token, int, int]]:
    """(kind, start, end) of every token from `start` on."""
    while match := _TOKEN.match(text, start):
        kind, end = _KINDS.get(match.lastgroup or "", Token.TEXT), match.end()
        if match.lastgroup == "COMMENT":
            kind, end = Token.GAP, comment_end(text, start)
        yield kind, start, end
        start = end


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
