"""`public.orders.id` where the table orders has become a sub-select, which only `orders.id` can name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from rules.filters.refusals import NotSpliced
from rules.filters.splicing import Splicer
from rules.tree import Column, Star, Statement

_NAME: Final = rb"""(?:[A-Za-z_\x80-\xff][\w$\x80-\xff]*|"(?:[^"]|"")*")"""
_SCHEMA: Final = re.compile(_NAME + rb"\s*\.\s*(?=" + _NAME + rb"\s*\.)")


def shortened(splicer: Splicer, statement: Statement) -> None:
    """Takes the schema off the references of every fenced table. Raises NotSpliced where that would be ambiguous."""
    fenced = set(splicer.renamed)
    if not fenced:
        return
    if len({name for _, name in fenced}) < len(fenced):
        raise NotSpliced(None, "two tables of one name are filtered", "give each an alias")
    for path, at in _references(statement.body):
        if path[-2:] in fenced:
            found = _SCHEMA.match(splicer.lexemes.text, at)
            if found is None or len(path) > 2:
                raise NotSpliced(
                    None, "a column is named in a way that is not understood", "call it by its table alone"
                )
            splicer.edits.cut(at, found.end())


def _references(node: Any) -> Iterator[tuple[tuple[str, ...], int]]:
    """What qualifies each column and star, and where it stands."""
    if isinstance(node, Column):
        if len(node.path) > 2:
            yield node.path[:-1], node.at
    elif isinstance(node, Star):
        if len(node.qualifier) > 1:
            yield node.qualifier, node.at
    elif isinstance(node, tuple):
        for each in node:
            yield from _references(each)
    elif hasattr(node, "__dataclass_fields__"):
        for name in node.__slots__:
            yield from _references(getattr(node, name))
