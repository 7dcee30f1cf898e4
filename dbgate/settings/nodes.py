"""Reading a YAML mapping key by key, with a place for every complaint."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from dbgate.settings.problems import Problem
from dbgate.settings.secrets import Secret

T = TypeVar("T")
E = TypeVar("E", bound=Enum)


#: the name of the whole file; what is in it goes by its own name
ROOT = "settings"


class Report:
    """Collects the problems of one file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, place: tuple[int, int], what: str, why: str = "", mend: str = "") -> None:
        """`place`: line and column as ruamel counts them, from 0."""
        self.problems.append(Problem(str(self.file), place[0] + 1, place[1] + 1, what, why, mend))

    def path(self, text: str) -> Path:
        return (self.file.parent / Path(text).expanduser()).absolute()


class Node:
    """A mapping that is read with a known set of keys. Readers return the default when a key is absent or wrong:
    a wrong one is reported, and the settings are then never used."""

    def __init__(self, report: Report, name: str, data: CommentedMap, keys: tuple[str, ...]) -> None:
        self.report, self.name, self.data = report, name, data
        for key in data:
            if key not in keys:
                self._unknown(key, keys)

    @classmethod
    def of(cls, report: Report, name: str, value: Any, place: tuple[int, int], keys: tuple[str, ...]) -> Node:
        """A node of `value`, which has to be a mapping; an empty one otherwise."""
        if not isinstance(value, CommentedMap):
            if value is not None:
                report.add(place, f"{name} has to be a mapping", mend=f"its keys are {', '.join(keys)}")
            value = CommentedMap()
            value.lc.line, value.lc.col = place
        return cls(report, name, value, keys)

    def _unknown(self, key: Any, keys: tuple[str, ...]) -> None:
        near = difflib.get_close_matches(str(key), keys, 1)
        mend = f'did you mean "{near[0]}"?' if near else f"known keys are {', '.join(keys)}"
        self.report.add(self.place(key), f'unknown key "{key}" in {self.name}', mend=mend)

    def place(self, key: Any) -> tuple[int, int]:
        try:
            line, column = self.data.lc.key(key)
        except (KeyError, AttributeError, TypeError):
            return self.at
        return line, column

    @property
    def at(self) -> tuple[int, int]:
        return (self.data.lc.line or 0, self.data.lc.col or 0)

    def wrong(self, key: str, what: str, mend: str = "", why: str = "") -> None:
        self.report.add(self.place(key), f"{self.name}.{key} {what}", why, mend)

    def missing(self, key: str, mend: str) -> None:
        self.report.add(self.at, f"{self.name}.{key} is missing", mend=mend)

    # ------------------------------------------------------------ readers

    def text(self, key: str, default: str = "", required: str = "") -> str:
        """`required`: the mend to print when the key is absent."""
        value = self.data.get(key)
        if value is None:
            if required:
                self.missing(key, required)
            return default
        if not isinstance(value, str) or not value or "\0" in value:
            self.wrong(key, "has to be a text", "write it in quotes")
            return default
        return str(value)

    def number(self, key: str, default: int, low: int, high: int) -> int:
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.wrong(key, f"has to be a whole number from {low} to {high}")
            return default
        return int(value)

    def flag(self, key: str, default: bool) -> bool:
        value = self.data.get(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.wrong(key, "has to be true or false")
        return default

    def parsed(self, key: str, default: T, parse: Callable[[str], T]) -> T:
        """A text that `parse` turns into a value or refuses with a ValueError."""
        value = self.data.get(key)
        return default if value is None else self._parse(key, value, default, parse)

    def _parse(self, key: str, value: Any, default: T, parse: Callable[[str], T]) -> T:
        try:
            return parse(str(value))
        except ValueError as fault:
            self.wrong(key, f'"{value}" {fault}')
            return default

    def choice(self, key: str, default: E, other_names: Mapping[str, str] | None = None) -> E:
        """`other_names`: a wrong word -> the right one, for the mend."""
        value = self.data.get(key)
        if value is None:
            return default
        words = {member.value: member for member in type(default)}
        if value not in words:
            right = (other_names or {}).get(str(value).lower(), "")
            self.wrong(key, f'"{value}" is none of {", ".join(words)}', f"write {right}" if right else "")
            return default
        return words[value]

    def path(self, key: str) -> Path | None:
        text = self.text(key)
        return self.report.path(text) if text else None

    def texts(self, key: str, required: str = "") -> tuple[str, ...]:
        """One text or a list of texts."""
        value = self.data.get(key)
        if value is None and required:
            self.missing(key, required)
        items = [] if value is None else list(value) if isinstance(value, CommentedSeq) else [value]
        if not all(isinstance(item, str) and item for item in items):
            self.wrong(key, "has to be a text or a list of texts")
            return ()
        return tuple(str(item) for item in items)

    def parsed_list(self, key: str, default: tuple[T, ...], parse: Callable[[str], T]) -> tuple[T, ...]:
        found: list[T] = []
        for text in self.texts(key):
            try:
                found.append(parse(text))
            except ValueError as fault:
                self.wrong(key, f'"{text}" {fault}')
        return tuple(found) or default

    def child(self, key: str, keys: tuple[str, ...]) -> Node:
        name = key if self.name == ROOT else f"{self.name}.{key}"
        return Node.of(self.report, name, self.data.get(key), self.place(key), keys)

    def has(self, key: str) -> bool:
        return self.data.get(key) is not None

    def entries(self) -> Iterator[tuple[str, Any]]:
        yield from self.data.items()

    def secret(self, key: str) -> Secret | None:
        """A plain text, or one of {env: NAME}, {file: path}, {command: [program, argument]}."""
        value = self.data.get(key)
        if value is None or isinstance(value, str):
            return None if value is None else Secret(text=str(value))
        if not isinstance(value, CommentedMap) or len(value) != 1:
            self.wrong(key, "is no secret", "write {env: NAME}, {file: path}, {command: [program, argument]} or a text")
            return None
        return self._named_secret(self.child(key, ("env", "file", "command")))

    def _named_secret(self, node: Node) -> Secret | None:
        if node.has("command"):
            command = node.texts("command")
            return Secret(command=command) if command else None
        if node.has("file"):
            return Secret(file=node.path("file"))
        name = node.text("env")
        return Secret(env=name) if name else None
