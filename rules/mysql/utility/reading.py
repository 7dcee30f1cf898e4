"""The grammar's hand on the parser: what comes next, what has been noted, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

from rules.mysql.lexemes import Kind
from rules.mysql.parser import Parser
from rules.mysql.refusal import Refused
from rules.mysql.utility.notes import Note

T = TypeVar("T")


class Mark(NamedTuple):
    """A place to go back to."""

    at: int
    notes: int
    relations: int
    calls: int
    parameters: int


class Reading:
    """One statement as it is read. `furthest`: the last token that something was expected at; `worst`: why a part that
    has a reader of its own (an expression, a query) could not be read there."""

    __slots__ = ("furthest", "notes", "parser", "worst")

    def __init__(self, parser: Parser) -> None:
        self.parser = parser
        self.notes: list[Note] = []
        self.furthest = parser.at
        self.worst: Refused | None = None

    @property
    def brand(self) -> str:
        return self.parser.grammar.brand

    @property
    def at(self) -> int:
        return self.parser.at

    @property
    def kind(self) -> Kind:
        return self.parser.kinds[self.parser.at]

    def word(self) -> str:
        """The next token, if it is a bare word or a sign, in lower case."""
        return self.parser.words[self.parser.at]

    def at_end(self) -> bool:
        return self.parser.at_end() or self.fails()

    def keyword(self, word: str) -> bool:
        """Takes this word or sign, given in lower case, if it comes next."""
        parser = self.parser
        if parser.words[parser.at] != word:
            return self.fails()
        parser.at += 1
        return True

    def fails(self) -> bool:
        """Something else was expected here. Always False."""
        self.furthest = max(self.furthest, self.parser.at)
        return False

    def note(self, key: str, value: object) -> bool:
        """Always True."""
        if key:
            self.notes.append((key, value))
        return True

    def attempt(self, part: Callable[[], T]) -> T | None:
        """What one of the parser's own readers makes of what comes next; None when it cannot read it."""
        mark, depth = self.mark(), self.parser.depth
        try:
            return part()
        except Refused as refused:
            if self.parser.at >= self.furthest or self.worst is None:
                self.furthest, self.worst = max(self.parser.at, self.furthest), refused
            self.parser.depth = depth
            self.back(mark)
            return None

    def mark(self) -> Mark:
        parser = self.parser
        return Mark(parser.at, len(self.notes), len(parser.relations), len(parser.calls), parser.parameters)

    def back(self, mark: Mark) -> None:
        parser = self.parser
        parser.at = mark.at
        parser.parameters = mark.parameters
        del self.notes[mark.notes :], parser.relations[mark.relations :], parser.calls[mark.calls :]

    def failure(self) -> Refused:
        """Why no form fits: what stopped the one that came furthest."""
        if self.worst is not None and self.worst.unparsable.at >= self.parser.starts[self.furthest]:
            return self.worst
        self.parser.at = self.furthest
        return self.parser.failure()
