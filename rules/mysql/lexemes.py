"""A text's tokens as the server's scanner makes them (sql/sql_lex.cc of both servers).

What is exact here because the reading of a statement hangs on it: which words are keywords (none directly after a dot,
none that starts with a digit), where strings and names in quotes end, which comments are comments (`--` needs a space
after it, `#` ends at a line feed alone) and which are run (`/*! ... */`, `/*M! ... */`). sql_mode has neither
ANSI_QUOTES nor NO_BACKSLASH_ESCAPES, PIPES_AS_CONCAT, ORACLE (the gate pins it). What the two servers or two of their
versions scan in different ways is refused.

Offsets are byte offsets of the text's UTF-8 form. The scanner works on that form with one character for each byte.
Bytes that are not UTF-8, which come as lone surrogates (PEP 383), may stand in strings alone, where drivers write
BLOBs. The servers take each for a character of its own, and never for a part of a quote or a backslash.
"""

from __future__ import annotations

import re
from enum import IntEnum, auto
from itertools import repeat
from typing import Final

from rules.mysql.grammar import Grammar
from rules.mysql.identifiers import check_written
from rules.mysql.refusal import Refused
from rules.mysql.runs import following_rows


class Kind(IntEnum):
    """What a token is to the parser."""

    WORD = auto()  # a bare word: a keyword, or a name where it is not reserved
    NAME = auto()  # a name that is no keyword: after a dot, starting with a digit, with other letters than ASCII's
    QUOTED = auto()  # `a name`
    STRING = auto()
    NATIONAL = auto()  # N'...'
    BITS = auto()  # x'41' 0x41 b'01' 0b01
    NUMBER = auto()
    USER = auto()  # @x @`x` @'x'
    SYSTEM = auto()  # @@x @@global.x
    PARAMETER = auto()  # ?
    OPERATOR = auto()
    ROWS = auto()  # , (1, 'a'), (2, 'b'): what follows the first row of VALUES, constants alone, each row as wide as it
    END = auto()


_I: Final = r"[A-Za-z0-9_$\x80-\xff]"
_SHAPES: Final = r"""
    (?:[ \t\n\v\f\r]++ | --(?=[ \t\n\v\f\r]|\Z)[^\n]*+ | \#[^\n]*+)*+
    (?:
      (?P<BITS>[xX]'[0-9A-Fa-f]*+' | 0x[0-9A-Fa-f]++(?!I) | [bB]'[01]*+' | 0b[01]++(?!I))
    | (?P<NATIONAL>[nN]'(?:[^'\\]++|\\.|'')*+')
    | (?P<WORD>[A-Za-z_$\x80-\xff]I*+(?:\.I++)*+)
    | (?P<NUMBER>[0-9]++[eE][+-]?[0-9]++ | [0-9]++(?!I|\.)
        | (?:[0-9]++\.[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++|(?![eE])))
    | (?P<NAME>[0-9]++I++(?:\.I++)*+)
    | (?P<QUOTED>`(?:[^`]++|``)++`)
    | (?P<STRING>'(?:[^'\\]++|\\.|'')*+' | "(?:[^"\\]++|\\.|"")*+")
    | (?P<DOT>\.(?![0-9.])(?:I++(?:\.I++)*+)?)
    | (?P<COMMENT>/\*)
    | (?P<CLOSE>\*/)
    | (?P<OPERATOR>[(),;] | :=(?![=<>!]) | :(?!=) | ->>? | <=>(?![=<>!]) | <=(?![=<>!]) | <>(?![=<>!]) | <<(?![=<>!])
        | >=(?![=<>!]) | >>(?![=<>!]) | !=(?![=<>!]) | [=<>!](?![=<>!]) | && | \|\| | [-+*/%^~&|{}])
    | (?P<PARAMETER>\?(?!I))
    | (?P<SYSTEM>@@(?:I++|`[^`]++`)(?:\.(?:I++|`[^`]++`)){0,2})
    | (?P<USER>@(?:[A-Za-z0-9._$]++(?!I) | `(?:[^`]++|``)*+` | '(?:[^'\\]++|\\.|'')*+' | "(?:[^"\\]++|\\.|"")*+"))
    | (?P<END>\Z)
    )"""
_TOKEN: Final = re.compile(re.sub(r"\bI(?=[*+]|\)|\|)", lambda _: _I, _SHAPES), re.X | re.S)
_GAP: Final = re.compile(r"(?:[ \t\n\v\f\r]++|--(?=[ \t\n\v\f\r]|\Z)[^\n]*+|#[^\n]*+)*+")
_EXECUTABLE: Final = re.compile(r"/\*(?P<M>M?)!(?P<version>[0-9]*)(?P<next>.?)", re.S)
_HINTS: Final = re.compile(r"(?:[A-Za-z0-9_$@.,()=%\s]|`[^`*]*`)*")
_FORBIDDEN_HINTS: Final = re.compile(r"set_var|resource_group", re.I)
_ROW_WORDS: Final = frozenset({"values", "value"})
_SPACE: Final = " \t\n\v\f\r"
#: a text of more tokens than this is refused: it would hold the worker for seconds
MOST_TOKENS: Final = 1_000_000


class Lexemes:
    """The tokens of a text without gaps; the last ones are END.

    `words`: a WORD or an operator in lower case, '' for all others. `tight`: is the next character a bracket?"""

    __slots__ = ("ends", "every_row", "grammar", "kinds", "raw", "starts", "words")

    def __init__(self, text: str, grammar: Grammar, every_row: bool = False) -> None:
        """`every_row`: runs of constant rows are taken apart as well. Raises Refused."""
        self.grammar = grammar
        self.every_row = every_row
        self.raw = one_for_each_byte(text)
        self.kinds: list[Kind] = []
        self.words: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        _scan(self)
        if "\0" in text or not text.isascii():
            _check_bytes(self)

    def add(self, kind: Kind, word: str, start: int, end: int) -> None:
        self.kinds.append(kind)
        self.words.append(word)
        self.starts.append(start)
        self.ends.append(end)

    def __len__(self) -> int:
        return len(self.kinds)

    def written(self, index: int) -> str:
        """A token as it stands in the text."""
        return decoded(self.raw[self.starts[index] : self.ends[index]])


def one_for_each_byte(text: str) -> str:
    """The UTF-8 form of a text with one character for each byte. Raises Refused for what no server can receive."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError as bad:
        mend = "SET NAMES utf8mb4, and send valid UTF-8"
        raise Refused("encoding", "it is not valid Unicode text", mend, bad.start) from bad


def decoded(raw: str) -> str:
    """A part of `Lexemes.raw` as text again."""
    return raw if raw.isascii() else raw.encode("latin-1").decode("utf-8", "surrogateescape")


# ---------------------------------------------------------------- the scanner


def _scan(found: Lexemes) -> None:
    raw, position, inside = found.raw, 0, False
    match = _TOKEN.match
    kinds, words, starts, ends = found.kinds, found.words, found.starts, found.ends
    rows: tuple[int, int] | None = None  # where the first row of VALUES ends, and where the run of rows ends
    for _ in repeat(None, MOST_TOKENS):
        token = match(raw, position)
        if token is None:
            raise _bad(raw, position)
        name = token.lastgroup
        assert name is not None
        start, position = token.span(name)
        if name == "OPERATOR":
            kinds.append(Kind.OPERATOR)
            words.append(raw[start:position])
            starts.append(start)
            ends.append(position)
            if rows is not None and position == rows[0]:
                position = rows[1]
                found.add(Kind.ROWS, "", rows[0], position)
                rows = None
        elif name == "WORD":
            _word(found, start, position)
            if words[-1] in _ROW_WORDS and not found.every_row:
                rows = following_rows(raw, position)
        elif name == "END":
            break
        elif name == "COMMENT":
            position, inside = _comment(found.grammar, raw, start, inside)
        elif name == "CLOSE":
            inside = _closed(inside, start)
        elif name in _PATHS:
            _path(found, start, position)
        else:
            found.add(_KINDS[name], "", start, position)
    else:
        raise Refused("length", f"it has more than {MOST_TOKENS} words and signs", "send it in parts")
    if inside:
        raise Refused("comment", "a comment is not closed", "close it with */", position)
    for _ in range(1 + _BEYOND):
        found.add(Kind.END, "", position, position)


def _check_bytes(found: Lexemes) -> None:
    """Raises Refused when something else than strings is not UTF-8, or has a NUL, at which a comment ends."""
    position, rest = 0, list[str]()
    for kind, start, end in zip(found.kinds, found.starts, found.ends, strict=True):
        if kind in _HOLD_BYTES:
            rest.append(found.raw[position:start])
            position = end
    rest.append(found.raw[position:])
    outside = "'".join(rest)
    if "\0" in outside:
        raise Refused("nul", "it contains a NUL character outside its strings", "remove the NUL character")
    try:
        outside.encode("latin-1").decode()
    except UnicodeDecodeError as bad:
        mend = "SET NAMES utf8mb4, and send valid UTF-8; other bytes may stand in strings"
        raise Refused("encoding", "it is not valid UTF-8 outside its strings", mend) from bad


_HOLD_BYTES: Final = frozenset({Kind.STRING, Kind.ROWS})
_KINDS: Final = {kind.name: kind for kind in Kind}
#: as many tokens further than the text's end the parser may look
_BEYOND: Final = 3
_PATHS: Final = frozenset({"DOT", "NAME"})


def _closed(inside: bool, at: int) -> bool:
    if not inside:
        raise Refused("comment", "a comment is closed that was not opened", "remove the */", at)
    return False


def _word(found: Lexemes, start: int, end: int) -> None:
    """A bare word, or a path of several: none of it is a keyword then."""
    written = found.raw[start:end]
    if not written.isascii() or "." in written or "$" in written[:1]:
        _path(found, start, end)
    else:
        found.add(Kind.WORD, written.lower(), start, end)


def _path(found: Lexemes, start: int, end: int) -> None:
    """Names and dots without gaps between them. A name directly after a dot, or before one, is no keyword."""
    first = True
    for part in found.raw[start:end].split("."):
        if not first:
            found.add(Kind.OPERATOR, ".", start, start + 1)
            start += 1
        first = False
        if part:
            if part[0] == "$" or not part.isascii():
                check_written(decoded(part), found.grammar, start)
            found.add(Kind.NAME, "", start, start + len(part))
            start += len(part)


# ---------------------------------------------------------------- comments


def _comment(grammar: Grammar, raw: str, start: int, inside: bool) -> tuple[int, bool]:
    """What follows `/*`: where the scanner goes on, and whether it then is inside a comment that is run."""
    end = raw.find("*/", start + 2)
    if end < 0:
        raise Refused("comment", "a comment is not closed", "close it with */", start)
    mark = _EXECUTABLE.match(raw, start)
    if mark is None or (mark["M"] and grammar.mysql):
        _plain(grammar, raw[start + 2 : end], start, inside)
        return end + 2, inside
    if inside or "/*" in raw[start + 2 : end]:
        raise Refused("comment", "comments that servers run hold other comments", "write it without comments", start)
    if not mark["version"]:
        return start + (4 if mark["M"] else 3), True
    if len(mark["version"]) not in (5, 6) or mark["next"] not in _SPACE + "\\*":
        mend = "write it without the comment, or as /*!50700 ... */ with a space after the number"
        raise Refused("comment", "servers read a comment with this version number in different ways", mend, start)
    if grammar.runs(int(mark["version"]), bool(mark["M"])):
        if mark["next"] not in _SPACE:
            raise Refused("comment", "a comment that is run has no space after its number", "put a space there", start)
        return mark.end("version"), True
    return end + 2, inside


def _plain(grammar: Grammar, body: str, start: int, inside: bool) -> None:
    if inside or "/*" in body:
        raise Refused("comment", "a comment stands inside another", "write it without the comment inside", start)
    if not body.startswith("+") or not grammar.mysql:
        return
    if _FORBIDDEN_HINTS.search(body) or not _HINTS.fullmatch(body, 1):
        mend = "leave SET_VAR and RESOURCE_GROUP out, and anything but plain names and numbers"
        raise Refused(
            "hint", "it has an optimizer hint that changes settings or that dbgate does not know", mend, start
        )


# ---------------------------------------------------------------- refusals

_UNCLOSED: Final = {"'": "a string", '"': "a string", "`": "a quoted name"}


def _bad(raw: str, position: int) -> Refused:
    """The refusal of what is no token."""
    gap = _GAP.match(raw, position)
    at = gap.end() if gap else position
    character = raw[at : at + 1]
    if character in _UNCLOSED:
        return Refused("syntax", f"{_UNCLOSED[character]} is empty or not closed", "close it", at)
    if character in "=<>!:":
        mend = "put spaces between the operators"
        return Refused("syntax", "signs stand together that servers read in different ways", mend, at)
    shown = character if character.isprintable() and character.isascii() else f"byte 0x{ord(character or chr(0)):02x}"
    return Refused("syntax", f"it has a character that no statement has there: {shown}", "remove it", at)
