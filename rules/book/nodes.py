"""YAML text -> a small tree in which every node knows its line and column.

The tree is built from the parser's events, so nothing is constructed but text: no tags, no types guessed, no
objects. Anchors work, within a limit on the expanded size. Any text gives a tree or a problem, never an exception.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ruamel.yaml import YAML, events
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from rules.book.model import Problem

MOST_CHARACTERS: Final = 1 << 20
MOST_NODES: Final = 100_000
DEEPEST: Final = 24

#: What the YAML parser raises on odd texts besides its own errors (escapes beyond Unicode, broken directives).
PARSER_FAULTS: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError,
                        NotImplementedError, RecursionError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scalar:
    """`plain`: written without quotes, so that YAML readers may take it for a number, a boolean or null."""

    text: str
    plain: bool
    line: int
    column: int
    size: int = 1


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]
    line: int
    column: int
    size: int = 1


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys as written, in order; doubled and non-scalar keys were reported and left out."""

    entries: tuple[tuple[Scalar, Node], ...]
    line: int
    column: int
    size: int = 1

    def get(self, key: str) -> Node | None:
        return next((node for k, node in self.entries if k.text == key), None)


Node: TypeAlias = Scalar | Sequence | Mapping


class _FaultError(Exception):
    def __init__(self, mark: Any, what: str, why: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.mark, self.what, self.why, self.mend = mark, what, why, mend


def read_text(file: str, source: str | bytes) -> tuple[str | None, tuple[Problem, ...]]:
    """The text of a source, without a byte order mark; a problem when it is not UTF-8 or is too long."""
    try:
        text = source.decode("utf-8") if isinstance(source, bytes) else source
        text.encode("utf-8")
    except UnicodeDecodeError as fault:
        return None, (_encoding_problem(file, fault.object[: fault.start].decode("utf-8", "replace")),)
    except UnicodeEncodeError as fault:
        return None, (_encoding_problem(file, fault.object[: fault.start]),)
    if len(text) > MOST_CHARACTERS:
        mend = "split the rules over several files"
        return None, (Problem(file, 1, 1, f"the file is longer than {MOST_CHARACTERS} characters", mend=mend),)
    return text.removeprefix("\ufeff"), ()


def _encoding_problem(file: str, before: str) -> Problem:
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return Problem(file, line, column, "the file is not valid UTF-8", mend="save it as UTF-8")


def read_nodes(file: str, text: str) -> tuple[Node | None, tuple[Problem, ...]]:
    """The one document of a file. None when it is empty or cannot be read; the problems say why."""
    builder = _Builder(file)
    try:
        return builder.document(text), tuple(builder.problems)
    except _FaultError as fault:
        builder.report(fault.mark, fault.what, fault.why, fault.mend)
    except MarkedYAMLError as fault:
        builder.report(fault.problem_mark or fault.context_mark, *_explain(fault))
    except YAMLError as fault:
        what = f"not readable as YAML: {str(fault).splitlines()[0]}"
        builder.problems.append(Problem(file, *_reader_place(fault, text), what))
    except PARSER_FAULTS as fault:
        builder.problems.append(Problem(file, 1, 1, f"not readable as YAML ({type(fault).__name__})"))
    return None, tuple(builder.problems)


def _reader_place(fault: YAMLError, text: str) -> tuple[int, int]:
    position = getattr(fault, "position", 0)
    before = text[: position if isinstance(position, int) else 0]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _explain(fault: MarkedYAMLError) -> tuple[str, str, str]:
    what = str(fault.problem or fault.context or "not readable")
    mend = "indent with spaces, never with tabs" if "\\t" in what else ""
    if what.startswith("found character '*'") or "alias" in what:
        mend = 'quote names that start with a star: "*.ssn"'
    return f"not readable as YAML: {what}", str(fault.context or ""), mend


class _Builder:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.anchors: dict[str, Node] = {}
        self.nodes = 0

    def report(self, mark: Any, what: str, why: str = "", mend: str = "") -> None:
        line, column = _place(mark)
        self.problems.append(Problem(self.file, line, column, what, why, mend))

    def document(self, text: str) -> Node | None:
        stream: Iterator[Any] = iter(YAML(typ="safe", pure=True).parse(text))
        root: Node | None = None
        documents = 0
        for event in stream:
            if isinstance(event, events.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _FaultError(
                        event.start_mark, "a second document starts here", mend="keep one document per file"
                    )
                root = self.node(next(stream), stream, 0)
        return root

    def node(self, event: Any, stream: Iterator[Any], depth: int) -> Node:
        if depth > DEEPEST:
            raise _FaultError(event.start_mark, f"nested deeper than {DEEPEST} levels")
        if isinstance(event, events.AliasEvent):
            return self.alias(event)
        self.count(event, 1)
        tag = getattr(event, "tag", None)
        if tag is not None and str(tag) not in ("!", "None"):
            self.report(event.start_mark, f'the tag "{tag}" means nothing here', mend="leave it out")
        node = self.fresh(event, stream, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        return node

    def alias(self, event: Any) -> Node:
        target = self.anchors.get(event.anchor)
        if target is None:
            raise _FaultError(event.start_mark, f'the alias "*{event.anchor}" has no anchor before it',
                         mend='quote names that start with a star: "*.ssn"')  # fmt: skip
        self.count(event, target.size)
        return target

    def count(self, event: Any, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MOST_NODES:
            raise _FaultError(event.start_mark, f"more than {MOST_NODES} entries once aliases are expanded",
                         mend="use fewer aliases or split the rules over several files")  # fmt: skip

    def fresh(self, event: Any, stream: Iterator[Any], depth: int) -> Node:
        line, column = _place(event.start_mark)
        if isinstance(event, events.SequenceStartEvent):
            items = tuple(self.items(stream, depth))
            return Sequence(items, line, column, 1 + sum(i.size for i in items))
        if isinstance(event, events.MappingStartEvent):
            entries = tuple(self.entries(stream, depth))
            return Mapping(entries, line, column, 1 + sum(1 + v.size for _, v in entries))
        return Scalar(event.value, event.style is None, line, column)

    def items(self, stream: Iterator[Any], depth: int) -> Iterator[Node]:
        while not isinstance(event := next(stream), events.SequenceEndEvent):
            yield self.node(event, stream, depth + 1)

    def entries(self, stream: Iterator[Any], depth: int) -> Iterator[tuple[Scalar, Node]]:
        seen: dict[str, int] = {}
        while not isinstance(event := next(stream), events.MappingEndEvent):
            key = self.node(event, stream, depth + 1)
            value = self.node(next(stream), stream, depth + 1)
            if not isinstance(key, Scalar):
                self.report(event.start_mark, "a key must be a plain word, not a list or a mapping")
            elif key.text in seen:
                self.report(event.start_mark, f'the key "{key.text}" stands here twice',
                            f"first on line {seen[key.text]}", "keep one of them")  # fmt: skip
            else:
                seen[key.text] = key.line
                yield key, value


def _place(mark: Any) -> tuple[int, int]:
    return (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
