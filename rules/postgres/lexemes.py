"""A statement's tokens with their partners and neighbours: what outlines are made of."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from rules.postgres.lexical import Token, tokens
from rules.postgres.nodes import words as word_set


def words_of(text: str) -> frozenset[bytes]:
    return frozenset(word.encode() for word in word_set(text))


Cell = tuple[int, int]
"""The first and last token of a list's member."""


class OutlineError(ValueError):
    """The tokens do not go together as expected; nothing may be spliced by such an outline."""


class Lexemes:
    """The tokens of text[start:end] without gaps. `words`: lower case; a quoted name or string as its first byte.
    `partner`: of each bracket the index of the other."""

    __slots__ = ("ends", "partner", "starts", "text", "words")

    def __init__(self, text: bytes, start: int, end: int) -> None:
        self.text = text
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.words: list[bytes] = []
        self.partner: dict[int, int] = {}
        opened: list[int] = []
        for kind, begin, stop in tokens(text[:end], start, rows=False):
            if kind is Token.GAP:
                continue
            here = len(self.starts)
            if kind is Token.OPEN:
                opened.append(here)
            elif kind is Token.CLOSE:
                self._close(opened, here)
            self.starts.append(begin)
            self.ends.append(stop)
            self.words.append(text[begin : begin + 1] if kind is Token.TEXT else text[begin:stop].lower())
        if opened:
            raise OutlineError("a bracket stays open")

    def _close(self, opened: list[int], here: int) -> None:
        if not opened:
            raise OutlineError("a bracket closes nothing")
        self.partner[here] = opened[-1]
        self.partner[opened.pop()] = here

    def __len__(self) -> int:
        return len(self.starts)

    def at(self, offset: int) -> int:
        """The index of the token that starts at `offset`."""
        found = bisect_left(self.starts, offset)
        if found == len(self.starts) or self.starts[found] != offset:
            raise OutlineError("no token starts where the parser says a name does")
        return found

    def is_name(self, index: int) -> bool:
        """A name that only looks like a keyword: after a dot."""
        return index > 0 and self.words[index - 1] == b"."

    def members(self, start: int, end: int) -> list[Cell]:
        """The parts between the commas of a list."""
        found, first, i = [], start, start
        while i < end:
            if self.words[i] in (b"(", b"["):
                i = self.partner[i]
            elif self.words[i] == b",":
                found.append((first, i - 1))
                first = i + 1
            i += 1
        return [*found, (first, end - 1)] if end > start else found

    def slice(self, first: int, last: int) -> str:
        """The text from one token to another, both included."""
        return self.text[self.starts[first] : self.ends[last]].decode()


_LOWER: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def identifier(written: str) -> str:
    """A name as the server folds it."""
    if written.startswith('"'):
        return written[1:-1].replace('""', '"')
    return written.translate(_LOWER)
