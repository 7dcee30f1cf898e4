"""Relations above and below another: inheritance and partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from rules.catalog import Catalog, Relation


def with_parents(catalog: Catalog, relation: Relation) -> Iterator[Relation]:
    """The relation, then everything above it, each once."""
    return _walk(relation, lambda r: (catalog.by_oid[oid] for oid in r.parents if oid in catalog.by_oid))


def descendants(catalog: Catalog, relation: Relation) -> tuple[Relation, ...]:
    """Every relation below it (inheritance, partitions), each once."""
    return tuple(_walk(relation, lambda r: catalog.children.get(r.oid, ())))[1:]


def _walk(start: Relation, neighbours: Callable[[Relation], Iterable[Relation]]) -> Iterator[Relation]:
    seen: set[int] = set()
    waiting = [start]
    while waiting:
        current = waiting.pop()
        if current.oid not in seen:
            seen.add(current.oid)
            yield current
            waiting.extend(neighbours(current))
