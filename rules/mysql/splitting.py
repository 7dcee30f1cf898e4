"""A file of SQL as the texts that a client would send, one for each statement."""

from __future__ import annotations

from rules.mysql.grammar import grammar_of
from rules.mysql.lexemes import Lexemes, decoded
from rules.mysql.parse import read
from rules.mysql.refusal import Refused
from rules.tree import Unparsable


def statement_texts(text: str, brand: str, version: int) -> list[str]:
    """A routine's body stays whole where all of the text is understood; else every semicolon ends a statement, and what
    is not even made of tokens stays one text."""
    try:
        lexemes = Lexemes(text, grammar_of(brand, version))
    except Refused:
        return [text.strip()] if text.strip() else []
    found = read(text, brand, version)
    if not isinstance(found, Unparsable):
        return [decoded(lexemes.raw[each.start : each.end]) for each in found]
    return [part for part in _between_semicolons(lexemes) if part]


def _between_semicolons(lexemes: Lexemes) -> list[str]:
    ends = [lexemes.starts[at] for at, word in enumerate(lexemes.words) if word == ";"]
    starts = [0, *(end + 1 for end in ends)]
    return [decoded(lexemes.raw[a:b]).strip() for a, b in zip(starts, [*ends, len(lexemes.raw)], strict=True)]
