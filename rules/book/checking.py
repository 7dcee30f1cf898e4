"""A rulebook against a live catalog: names that do not exist, and masks that a column's type cannot bear."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final, TypeAlias

from rules.book.checking_filters import check_filter
from rules.book.model import Deny, Masking, Place, Problem, RowFilter, Rule, Rulebook, Severity
from rules.catalog import Catalog, Column, Relation
from rules.decision import Mask, MaskKind
from rules.facts import ColumnId
from rules.localizing import localized
from rules.masks import base_type, fits
from rules.matching import ColumnPattern, NamePattern
from rules.naming import system_test

KnownFunction = Callable[[str, str], bool]
_MOST_NAMED = 5
_MATCHES: Final = " matches "
_Typed: TypeAlias = tuple[ColumnId, Column, str]  # and the type that the column's rests on


def check(rulebook: Rulebook, catalog: Catalog, is_built_in: KnownFunction | None = None) -> tuple[Problem, ...]:
    """Every problem at once. An exact name that matches nothing is an error, a glob that matches nothing a warning; so
    it is with a mask that the column's type cannot bear: what a glob finds besides is redacted.

    `is_built_in(schema, name)`: whether a function comes with the server; by default the dialect's own list."""
    known = is_built_in or (_postgres_function if catalog.dialect == "postgres" else _mysql_function)
    found = [p for rule in localized(rulebook, catalog).rules for p in _check_rule(rule, catalog, known)]
    return tuple(sorted(_gathered(set(found)), key=lambda p: (p.file, p.line, p.column, p.what)))


def _gathered(found: set[Problem]) -> Iterator[Problem]:
    """A list of globs is written for many databases, few of which have columns for all: its warnings are one."""
    lists: dict[tuple[str, int, str], list[Problem]] = {}
    for problem in sorted(found, key=lambda p: (p.file, p.line, p.column, p.what)):
        head, _, name = problem.what.partition(_MATCHES)
        if name and problem.severity is Severity.WARNING:
            lists.setdefault((problem.file, problem.line, head), []).append(problem)
        else:
            yield problem
    for (*_, head), problems in lists.items():
        names = [problem.what.partition(_MATCHES)[2] for problem in problems]
        yield (
            problems[0]
            if len(names) == 1
            else replace(problems[0], what=f"{head}{_MATCHES}{_listed(names)}", why="globs of one list", mend="")
        )


def _postgres_function(schema: str, name: str) -> bool:
    from rules.postgres.functions import risk_of

    return risk_of(schema, name) is not None


def _mysql_function(schema: str, name: str) -> bool:
    from rules.mysql.functions import risk_of

    return schema == "pg_catalog" and risk_of(name) is not None


def _check_rule(rule: Rule, catalog: Catalog, is_built_in: KnownFunction) -> Iterator[Problem]:
    verb = rule.verb
    for table in getattr(verb, "tables", None) or ():
        yield from _check_table(rule, table, catalog)
    for function in getattr(verb, "functions", None) or ():
        yield from _check_function(rule, function, catalog, is_built_in)
    for column in getattr(verb, "columns", None) or ():
        yield from _check_column(rule, column, catalog)
    if isinstance(verb, Masking):
        yield from _check_types(rule, verb, catalog)
    if isinstance(verb, RowFilter):
        yield from check_filter(rule, verb, catalog)


def _problem(rule: Rule, text: str, what: str, why: str, mend: str, exact: bool) -> Problem:
    place = _place(rule, text)
    severity = Severity.ERROR if exact else Severity.WARNING
    return Problem(place.file, place.line, place.column, what, why, mend, severity)


def _place(rule: Rule, text: str) -> Place:
    return next((place for written, place in rule.pattern_places if written == text), rule.place)


# ---------------------------------------------------------------- tables and columns


def _check_table(rule: Rule, pattern: NamePattern, catalog: Catalog) -> Iterator[Problem]:
    if pattern.everything or _relations(pattern, catalog) or _unseen(pattern, catalog):
        return
    mend = _other_schema(pattern, catalog) or _near(pattern.name.text, (r.name for r in catalog.relations))
    yield _problem(rule, pattern.text, f'rule "{rule.id}": no table matches "{pattern.text}"',
                   _where(pattern), mend, pattern.exact)  # fmt: skip


def _check_column(rule: Rule, pattern: ColumnPattern, catalog: Catalog) -> Iterator[Problem]:
    if _unseen(pattern.table, catalog):
        return
    relations = _relations(pattern.table, catalog)
    what = f'rule "{rule.id}": no column matches "{pattern.text}"'
    if not relations:
        mend = _near(pattern.table.name.text, (r.name for r in catalog.relations))
        yield _problem(rule, pattern.text, what, "there is no such table", mend, pattern.exact)
    elif not any(pattern.column.matches(c.name) for r in relations for c in r.columns):
        mend = _near(pattern.column.text, (c.name for r in relations for c in r.columns))
        yield _problem(rule, pattern.text, what, "the table has no such column", mend, pattern.exact)


def _relations(pattern: NamePattern, catalog: Catalog) -> list[Relation]:
    return [r for r in catalog.relations if pattern.matches_table(r.qualified)]


def _unseen(pattern: NamePattern, catalog: Catalog) -> bool:
    """Temporary tables, or a system schema of which the catalog lists nothing: no telling what is in it."""
    schema = pattern.schema
    if schema is not None and schema.text.startswith("pg_temp"):
        return True
    if schema is None or not system_test(catalog.dialect)(schema.text):
        return False
    return not any(r.schema == schema.text for r in catalog.relations)


def _where(pattern: NamePattern) -> str:
    if "." not in pattern.text and pattern.schema is not None:
        return f"an unqualified name in an allow rule means the schema {pattern.schema.text}"
    return ""


def _other_schema(pattern: NamePattern, catalog: Catalog) -> str:
    found = [r for r in catalog.relations if r.name == pattern.name.text]
    return f'did you mean "{found[0].schema}.{found[0].name}"?' if found else ""


def _near(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, sorted(set(known)), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


# ---------------------------------------------------------------- functions


def _check_function(rule: Rule, pattern: NamePattern, catalog: Catalog, built_in: KnownFunction) -> Iterator[Problem]:
    if pattern.everything or any(pattern.matches(f.schema, f.name) for f in catalog.functions):
        return
    if pattern.exact and (_is_built_in(pattern, built_in) or _denied_elsewhere(rule, pattern)):
        return
    mend = _near(pattern.name.text, (f.name for f in catalog.functions))
    yield _problem(rule, pattern.text, f'rule "{rule.id}": no function matches "{pattern.text}"',
                   _where(pattern), mend, pattern.exact)  # fmt: skip


def _denied_elsewhere(rule: Rule, pattern: NamePattern) -> bool:
    """A deny may name the functions of every server that the rulebook is for: what is not there cannot be called."""
    known = (_postgres_function, _mysql_function)
    return isinstance(rule.verb, Deny) and any(_is_built_in(pattern, each) for each in known)


def _is_built_in(pattern: NamePattern, built_in: KnownFunction) -> bool:
    schema = pattern.schema.text if pattern.schema is not None and "." in pattern.text else "pg_catalog"
    return built_in(schema, pattern.name.text)


# ---------------------------------------------------------------- types


def _check_types(rule: Rule, masking: Masking, catalog: Catalog) -> Iterator[Problem]:
    for pattern in masking.columns:
        matched = [(column, c, base_type(catalog, c)) for column, c in _matched(pattern, catalog)]
        wrong = [found for found in matched if not fits(masking.mask, found[2], catalog.dialect)]
        if wrong:
            named = _listed([f"{column} ({_shown(c.type, base)})" for column, c, base in wrong])
            what = f'rule "{rule.id}": the mask {show_mask(masking.mask)} does not fit {named}'
            why = "its type cannot hold such a value" if len(wrong) == 1 else "their types cannot hold such values"
            if not pattern.exact:
                why += ": redacted instead"
            mend = _fitting(masking, pattern, matched, wrong, catalog.dialect)
            yield _problem(rule, pattern.text, what, why, mend, pattern.exact)


def _matched(pattern: ColumnPattern, catalog: Catalog) -> Iterator[tuple[ColumnId, Column]]:
    for relation in _relations(pattern.table, catalog):
        for column in relation.columns:
            if relation.kind != "c" and pattern.column.matches(column.name):
                yield ColumnId(relation.schema, relation.name, column.name), column


def _shown(written: str, base: str) -> str:
    """A domain with the type that it rests on."""
    return written if base in (written, "") else f"{written}, which is {base}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _fitting(masking: Masking, pattern: ColumnPattern, matched: list[_Typed], wrong: list[_Typed], dialect: str) -> str:
    """Masks for all that the pattern matches; where some of it can bear the mask that was meant, which."""
    kinds = [k.value for k in MaskKind if all(fits(_sample(k), base, dialect) for *_, base in matched)]
    right = [str(found[0]) for found in matched if found not in wrong]
    if not right:
        return f"masks that fit: {', '.join(kinds)}"
    return (
        f'masks that fit all columns of "{pattern.text}": {", ".join(kinds)}; or name those that can bear '
        f"{show_mask(masking.mask)}, and mask the others by another rule: {_listed(right)}"
    )


def _sample(kind: MaskKind) -> Mask:
    return Mask(kind, step=10 if kind is MaskKind.ROUND else 0)


def show_mask(mask: Mask) -> str:
    """A mask as a rule file writes it."""
    number = mask.keep or mask.step
    return f"{{{mask.kind.value}: {number}}}" if number else mask.kind.value
