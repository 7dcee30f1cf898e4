"""The corpus: statements with the kind and the relations that reading them must find."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path

from rules.tree import Call, CommonTable, Delete, Insert, Merge, Relation, Statement, Update

FOLDER = Path(__file__).parent / "corpus"
_CASE = re.compile(r"-- (?P<kind>\w+):(?P<tables>[^\n]*)\n(?P<sql>.+?)(?:\n\n|\Z)", re.S)


@dataclass(frozen=True)
class Case:
    sql: str
    kind: str
    tables: frozenset[str]
    file: str


def cases() -> list[Case]:
    return [case for file in sorted(FOLDER.glob("*.sql")) for case in _cases(file.name, file.read_text())]


def _cases(name: str, text: str) -> Iterator[Case]:
    for match in _CASE.finditer(text):
        tables = frozenset(t.strip() for t in match["tables"].split(",") if t.strip())
        yield Case(match["sql"].rstrip("\n"), match["kind"], tables, name)


def walk(value: object) -> Iterator[object]:
    """Every node of a tree, depth first."""
    if isinstance(value, tuple):
        for member in value:
            yield from walk(member)
    elif is_dataclass(value):
        yield value
        for field in fields(value):
            yield from walk(getattr(value, field.name))


def tables(statement: Statement) -> frozenset[str]:
    """Every relation by name that a statement names, CTE names left out where no schema is written."""
    nodes = list(walk(statement.body))
    common = {node.name for node in nodes if isinstance(node, CommonTable)}
    targets = {n.target.name for n in nodes if isinstance(n, Insert | Update | Delete | Merge)}
    read = {n.name for n in nodes if isinstance(n, Relation)}
    named = {name for name in read if len(name) > 1 or name[0] not in common} | targets
    return frozenset(".".join(name) for name in named | {t.name for t in statement.touched})


def calls(statement: Statement) -> frozenset[str]:
    nodes = [*walk(statement.body), *walk(statement.calls)]
    return frozenset(".".join(node.name) for node in nodes if isinstance(node, Call))
