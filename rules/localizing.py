"""How the names in rules are read for one database: which schemas are the system's, what an unqualified name means, and
whether upper and lower case differ.

A rulebook is read by PostgreSQL's rules, as no database is known then. `localized` gives the rulebook as it holds for a
catalog of another dialect:

* MySQL's schemas are its databases. An unqualified name in an **allow** speaks of the server's default database.
* A **deny**, a **mask** or a **filter** means its names in any case of letters. An **allow** means them exactly as
  written where the server tells them apart (lower_case_table_names = 0), since `Orders` and `orders` are two tables.
* Names of columns and functions are the same in any case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from rules.book.model import Allow, Rule, Rulebook
from rules.catalog import Catalog
from rules.matching import ColumnPattern, NamePattern, Part, read_parts
from rules.naming import POSTGRES, is_mysql_database


@dataclass(frozen=True, slots=True)
class _AnyCase(Part):
    """`text` is lower case."""

    def matches(self, name: str) -> bool:
        return name.lower() == self.text if self.shape is None else self.shape.fullmatch(name) is not None


def localized(rulebook: Rulebook, catalog: Catalog) -> Rulebook:
    """The rulebook as it holds for the catalog; itself on PostgreSQL."""
    if catalog.dialect == POSTGRES:
        return rulebook
    rules = tuple(_rule(rule, catalog) for rule in rulebook.rules)
    labels = {name: tuple(_column(p) for p in patterns) for name, patterns in rulebook.labels.items()}
    return replace(rulebook, rules=rules, labels=labels)


def _rule(rule: Rule, catalog: Catalog) -> Rule:
    verb = rule.verb
    default = catalog.default_schema if isinstance(verb, Allow) else None
    exact = isinstance(verb, Allow) and catalog.lower_case_table_names == 0
    changed: dict[str, Any] = {}
    for key in ("tables", "functions"):
        patterns: Iterable[NamePattern] | None = getattr(verb, key, None)
        if patterns is not None:
            changed[key] = tuple(_name(p.text, default, exact, key == "functions") for p in patterns)
    columns: Iterable[ColumnPattern] | None = getattr(verb, "columns", None)
    if columns is not None:
        changed["columns"] = tuple(map(_column, columns))
    return replace(rule, verb=replace(verb, **changed)) if changed else rule


def _name(text: str, default: str | None, exact: bool, function: bool) -> NamePattern:
    parts = read_parts(text, fold=False)
    name = _part(parts[-1], exact and not function)
    if len(parts) == 2:
        return NamePattern(text, _part(parts[0], exact), name, is_mysql_database)
    schema = None if default is None or name.everything else Part(default)
    return NamePattern(text, schema, name, is_mysql_database)


def _column(pattern: ColumnPattern) -> ColumnPattern:
    parts = read_parts(pattern.text, fold=False)
    schema = _part(parts[0], exact=False) if len(parts) == 3 else None
    table = NamePattern(pattern.table.text, schema, _part(parts[-2], exact=False), is_mysql_database)
    return ColumnPattern(table, _part(parts[-1], exact=False), pattern.text)


def _part(part: Part, exact: bool) -> Part:
    """`exact`: upper and lower case differ."""
    if exact:
        return part
    shape = None if part.shape is None else re.compile(part.shape.pattern, re.DOTALL | re.IGNORECASE)
    return _AnyCase(part.text.lower(), shape)
