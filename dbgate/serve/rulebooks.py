"""Reading a database's rule files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rules.book import Loaded, Problem, load


def read_rulebook(paths: Iterable[Path]) -> Loaded:
    """The merged rulebook of the files, with every problem; a file that cannot be read is one."""
    sources: dict[str, bytes] = {}
    unreadable = []
    for path in paths:
        try:
            sources[str(path)] = path.read_bytes()
        except OSError as fault:
            unreadable.append(Problem(str(path), 1, 1, "the rule file cannot be read", fault.strerror or ""))
    if unreadable:
        found = load(sources).problems if sources else ()
        return Loaded(None, (*unreadable, *found))
    return load(sources)
