"""What reading a statement has noted, by key, in the order of the text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

from rules.tree import Call, Expression, Setting, Subquery, Touched

Note: TypeAlias = tuple[str, object]


class Notes:
    """The notes of one statement."""

    __slots__ = ("all",)

    def __init__(self, notes: Sequence[Note]) -> None:
        self.all = notes

    def named(self, key: str) -> Iterator[Any]:
        return (value for name, value in self.all if name == key)

    def first(self, key: str) -> Any:
        return next(self.named(key), None)

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(str(value) for value in self.named(key))

    def text(self, key: str) -> str:
        """The last one; empty when there is none."""
        return next(reversed(self.texts(key)), "")

    def tables(self) -> tuple[Touched, ...]:
        return tuple(self.named("table"))

    def settings(self) -> tuple[Setting, ...]:
        return tuple(self.named("setting"))

    def expressions(self) -> tuple[Expression, ...]:
        return tuple(self.named("expression"))

    def calls(self) -> tuple[Call, ...]:
        """Every function call in the expressions that were noted, inner ones too."""
        return tuple(call for expression in self.expressions() for call in parts(expression, Call))


def parts(node: Any, kind: type[Any]) -> Iterator[Any]:
    """Every node of this kind in a tree, outer ones first."""
    if isinstance(node, kind):
        yield node
    if isinstance(node, tuple):
        for member in node:
            yield from parts(member, kind)
    elif is_dataclass(node):
        for each in fields(node):
            yield from parts(getattr(node, each.name), kind)


def holds_query(expression: Expression) -> bool:
    return next(parts(expression, Subquery), None) is not None
