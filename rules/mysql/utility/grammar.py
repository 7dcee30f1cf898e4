"""A small grammar language in which the statements are written down as both manuals print them.

    SHOW [EXTENDED] [FULL] (COLUMNS | FIELDS) (FROM | IN) <table:OTHER> [<like>]

Words in capitals are keywords, "=" in quotes is punctuation, `[x]` may be left out, `{x}` comes any number of times,
`(x | y)` is the first that fits, `x ...` one or more with commas between. `<name>` and `<name:argument>` are a rule or
a terminal: terminals read identifiers, expressions and queries, and note what they found.

Choices are ordered, and what has been taken is not given back (a parsing expression grammar), so that reading takes
time in proportion to the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from rules.mysql.utility.reading import Reading

Matcher: TypeAlias = "Callable[[Reading], bool]"
"""Reads what it stands for and moves on; else False, with position and notes as they were."""

Terminal: TypeAlias = "Callable[[Reading, str], bool]"

_PARTS: Final = re.compile(r'\s*(<[a-z_]+(?::[^>]*)?>|"[^"]+"|[A-Z_][A-Z0-9_]*|\.\.\.|[][(){}|])')


class GrammarError(ValueError):
    """A rule that cannot be understood: a fault of this program, found when it is imported."""


class Grammar:
    """Named rules over terminals; `compile` makes a matcher of a pattern."""

    def __init__(self, terminals: Mapping[str, Terminal]) -> None:
        self.terminals = terminals
        self.rules: dict[str, Matcher] = {}
        self.used: set[str] = set()

    def rule(self, name: str, pattern: str) -> None:
        if name in self.rules or name in self.terminals:
            raise GrammarError(f"<{name}> is there twice")
        self.rules[name] = self.compile(pattern)

    def compile(self, pattern: str) -> Matcher:
        return _Compiler(self, pattern).whole()

    def reference(self, text: str) -> Matcher:
        """`<name>` or `<name:argument>`. A rule may be defined later than it is used."""
        name, _, argument = text[1:-1].partition(":")
        terminal = self.terminals.get(name)
        if terminal is not None:
            return lambda reading: terminal(reading, argument)
        rules = self.rules
        self.used.add(name)
        return lambda reading: rules[name](reading)

    def check(self) -> None:
        """Raises GrammarError for names that stand for nothing."""
        wrong = sorted(name for name in self.used if name not in self.rules)
        if wrong:
            raise GrammarError(f"no rule is called {', '.join(wrong)}")


class _Compiler:
    """Recursive descent over the pattern's own parts."""

    def __init__(self, grammar: Grammar, pattern: str) -> None:
        self.grammar = grammar
        self.parts = _PARTS.findall(pattern)
        if "".join(self.parts) != "".join(pattern.split()):
            raise GrammarError(f"not a pattern: {pattern}")
        self.at = 0

    def whole(self) -> Matcher:
        made = self.choice()
        if self.at != len(self.parts):
            raise GrammarError(f"unbalanced at {self.parts[self.at :]}")
        return made

    def choice(self) -> Matcher:
        made = [self.sequence()]
        while self._is("|"):
            self.at += 1
            made.append(self.sequence())
        return made[0] if len(made) == 1 else first_of(made)

    def sequence(self) -> Matcher:
        made: list[Matcher] = []
        while self.at < len(self.parts) and self.parts[self.at] not in ("|", ")", "]", "}"):
            made.append(self.element())
            if self._is("..."):
                self.at += 1
                made.append(listed(made.pop()))
        return made[0] if len(made) == 1 else all_of(made)

    def element(self) -> Matcher:
        part = self.parts[self.at]
        self.at += 1
        if part in _CLOSERS:
            inner = self.choice()
            if not self._is(_CLOSERS[part]):
                raise GrammarError(f"{part} is not closed")
            self.at += 1
            return _WRAPPERS[part](inner)
        if part[0] == "<":
            return self.grammar.reference(part)
        return keyword(part.strip('"').lower())

    def _is(self, part: str) -> bool:
        return self.at < len(self.parts) and self.parts[self.at] == part


# ---------------------------------------------------------------- matchers


def keyword(word: str) -> Matcher:
    return lambda reading: reading.keyword(word)


def all_of(parts: list[Matcher]) -> Matcher:
    def match(reading: Reading) -> bool:
        mark = reading.mark()
        for part in parts:
            if not part(reading):
                reading.back(mark)
                return False
        return True

    return match


def first_of(parts: list[Matcher]) -> Matcher:
    return lambda reading: any(part(reading) for part in parts)


def optional(part: Matcher) -> Matcher:
    def match(reading: Reading) -> bool:
        part(reading)
        return True

    return match


def repeated(part: Matcher) -> Matcher:
    def match(reading: Reading) -> bool:
        at = reading.at
        while part(reading) and reading.at > at:
            at = reading.at
        return True

    return match


def listed(part: Matcher) -> Matcher:
    def match(reading: Reading) -> bool:
        if not part(reading):
            return False
        mark = reading.mark()
        while reading.keyword(",") and part(reading):
            mark = reading.mark()
        reading.back(mark)
        return True

    return match


_CLOSERS: Final = {"(": ")", "[": "]", "{": "}"}
_WRAPPERS: Final[dict[str, Callable[[Matcher], Matcher]]] = {
    "(": lambda inner: inner,
    "[": optional,
    "{": repeated,
}
