"""Readers for the values of a rule file: each takes a node, reports what is wrong with it and gives what is right."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from rules.book.model import Place, Problem, Severity
from rules.book.nodes import Mapping, Node, Scalar, Sequence
from rules.matching import BadPatternError

T = TypeVar("T")

#: Plain words that some YAML readers (1.1, editors, linters) take for something else than text.
_NOT_TEXT: Final = frozenset("yes no on off true false null ~ .nan .inf -.inf +.inf".split())  # noqa: SIM905
_NUMBER: Final = re.compile(r"[-+]?(\d[\d_]*(\.\d*)?|\.\d+)([eE][-+]?\d+)?|0[xob][\da-fA-F_]+|\d+(:[0-5]?\d)+(\.\d*)?")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "columns"?`, or nothing when no known word is near."""
    near = difflib.get_close_matches(word[:200].lower(), list(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def one_of(words: Iterable[str]) -> str:
    return "one of " + ", ".join(words)


@dataclass(slots=True)
class Report:
    """Collects the problems of one file."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def add(self, node: Node, what: str, why: str = "", mend: str = "", severity: Severity = Severity.ERROR) -> None:
        self.problems.append(Problem(self.file, node.line, node.column, what, why, mend, severity))

    def place(self, node: Node) -> Place:
        return Place(self.file, node.line, node.column)


def read_mapping(node: Node, report: Report, what: str) -> Mapping | None:
    if isinstance(node, Mapping):
        return node
    report.add(node, f"{what} must be a mapping", f"this is {_shape(node)}", "write key: value lines")
    return None


def check_keys(node: Mapping, known: Iterable[str], report: Report, where: str) -> None:
    """Reports the keys that are not known."""
    words = list(known)
    for key, _ in node.entries:
        if key.text not in words:
            mend = did_you_mean(key.text, words) or one_of(words)
            report.add(key, f'unknown key "{key.text[:80]}" in {where}', mend=mend)


def read_word(node: Node, report: Report, what: str) -> str | None:
    """A short text: an id, a name, a pattern."""
    if not isinstance(node, Scalar):
        report.add(node, f"{what} must be a text", f"this is {_shape(node)}")
        return None
    if not node.text.strip():
        report.add(node, f"{what} is empty")
        return None
    if node.plain and (node.text.lower() in _NOT_TEXT or _NUMBER.fullmatch(node.text)):
        why = "YAML readers take it for a boolean, a number or null"
        report.add(node, f"{what} is the plain word {node.text}", why, f'put it in quotes: "{node.text}"')
        return None
    return node.text


def read_sentence(node: Node, report: Report, what: str) -> str:
    """A text for people, on one line."""
    word = read_word(node, report, what)
    return " ".join(word.split()) if word else ""


def read_list(node: Node, report: Report, what: str, read: Callable[[str, Node], T | None]) -> tuple[T, ...]:
    """A list that is not empty; `read` turns each entry's text into its value or reports it and gives None."""
    if not isinstance(node, Sequence):
        mend = f"write it in brackets: [{node.text}]" if isinstance(node, Scalar) and node.text else ""
        report.add(node, f"{what} must be a list", f"this is {_shape(node)}", mend)
        return ()
    if not node.items:
        report.add(node, f"{what} is an empty list", "it would match nothing", "name something or leave the key out")
    words = ((read_word(item, report, f"an entry of {what}"), item) for item in node.items)
    values = (read(word, item) for word, item in words if word is not None)
    return tuple(value for value in values if value is not None)


def pattern_reader(report: Report, read: Callable[[str], T]) -> Callable[[str, Node], T | None]:
    """Wraps a pattern reader of `rules.matching`, which raises BadPatternError."""

    def read_pattern(word: str, node: Node) -> T | None:
        try:
            return read(word)
        except BadPatternError as fault:
            report.add(node, f"bad pattern: {fault}", mend=fault.mend)
            return None

    return read_pattern


def word_reader(report: Report, known: Iterable[str], what: str) -> Callable[[str, Node], str | None]:
    words = tuple(known)

    def read(word: str, node: Node) -> str | None:
        if word in words:
            return word
        report.add(node, f'unknown {what} "{word[:80]}"', mend=did_you_mean(word, words) or one_of(words))
        return None

    return read


def _shape(node: Node) -> str:
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    return "a text" if node.text else "empty"
