"""Filters against a live catalog: columns that a table lacks, conditions that may fail, parents without the filter."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Final

from rules.book.model import Place, Problem, RowFilter, Rule, Severity
from rules.catalog import Catalog, Relation
from rules.family import with_parents
from rules.naming import POSTGRES, system_test
from rules.predicate import BadPredicateError, Predicate

_FILTERED_KINDS = frozenset("rpvmf")
_MOST_NAMED = 5


def check_filter(rule: Rule, verb: RowFilter, catalog: Catalog) -> Iterator[Problem]:
    tables = [r for r in catalog.relations if _meant(verb, r) and r.kind in _FILTERED_KINDS]
    try:
        where = _read_here(verb.where, catalog)
    except BadPredicateError as fault:
        yield _problem(rule, f'rule "{rule.id}": {fault}', fault.why, fault.mend, Severity.ERROR)
        return
    for name in dict.fromkeys(where.columns):
        without = [r for r in tables if r.column(name) is None]
        if without:
            yield _problem(rule, *_no_column(rule, name, without), Severity.ERROR)
    for relation in tables:
        if system_test(catalog.dialect)(relation.schema):
            what = f'rule "{rule.id}": {relation.schema}.{relation.name} is a table of the system'
            yield _problem(rule, what, "what drivers read there may not be filtered", "deny it instead", Severity.ERROR)
        elif all(relation.column(name) for name in where.columns):
            yield from _MAY_FAIL[catalog.dialect == POSTGRES](rule, where, relation, catalog)
        yield from _shown_by(rule, verb, relation, catalog)


def _meant(verb: RowFilter, relation: Relation) -> bool:
    return any(p.matches_table(relation.qualified) for p in verb.tables)


def _problem(rule: Rule, what: str, why: str, mend: str, severity: Severity) -> Problem:
    place: Place = rule.pattern_places[0][1] if rule.pattern_places else rule.place
    return Problem(place.file, place.line, place.column, what, why, mend, severity)


def _no_column(rule: Rule, name: str, without: list[Relation]) -> tuple[str, str, str]:
    tables = ", ".join(f"{r.schema}.{r.name}" for r in without[:_MOST_NAMED])
    near = difflib.get_close_matches(name, [c.name for c in without[0].columns], n=1, cutoff=0.6)
    mend = f'did you mean "{near[0]}"?' if near else "filter tables that have the column"
    return f'rule "{rule.id}": where reads the column "{name}"', f"{tables} has no such column", mend


def _read_here(where: Predicate, catalog: Catalog) -> Predicate:
    """The condition as the catalog's server reads it. Raises BadPredicateError."""
    if catalog.dialect != POSTGRES:
        from rules.mysql.predicates import predicate_of  # it knows the whole parser

        return predicate_of(where, catalog)
    if where.dialect != POSTGRES:
        raise BadPredicateError("where is no condition for PostgreSQL", "MySQL alone reads it", "write it in its SQL")
    return where


def _may_fail(rule: Rule, where: Predicate, relation: Relation, catalog: Catalog) -> Iterator[Problem]:
    if _fails(where, relation, catalog):
        what = f'rule "{rule.id}": the condition may fail on some rows of {relation.schema}.{relation.name}'
        why = "its error would tell that such a row is there"
        yield _problem(rule, what, why, "use comparisons of columns with constants", Severity.WARNING)


def _fails(predicate: Predicate, relation: Relation, catalog: Catalog) -> bool:
    from rules.lineage import facts  # the resolver is heavy, and few rulebooks have filters
    from rules.postgres import read
    from rules.postgres.predicates import quoted

    table = ".".join(map(quoted, relation.qualified))
    where = predicate.render(lambda name: f"{table}.{quoted(name)}")
    found = read(f"SELECT 1 FROM {table} WHERE {where}")  # noqa: S608 - what it is spliced from is quoted, and the result is read again
    known = facts(found[0], catalog, ("public",)) if isinstance(found, tuple) else None
    return known is None or known.problem is not None or known.fails_early


def _may_turn(rule: Rule, where: Predicate, relation: Relation, catalog: Catalog) -> Iterator[Problem]:
    """MySQL: what a session's settings turn round, and comparisons that fail in a write."""
    from rules.mysql.predicates import turned_by, unlike

    for name, why, mend in turned_by(where, relation):
        what = f'rule "{rule.id}": where reads {relation.schema}.{relation.name}.{name}'
        yield _problem(rule, what, why, mend, Severity.ERROR)
    if unlike(where, relation, catalog):
        what = f'rule "{rule.id}": the condition may fail on some rows of {relation.schema}.{relation.name}'
        why = "MySQL makes numbers of texts to compare them, an error in a write, which would tell of the row"
        yield _problem(rule, what, why, "compare texts with texts and numbers with numbers", Severity.WARNING)


_MAY_FAIL: Final = {True: _may_fail, False: _may_turn}


def _shown_by(rule: Rule, verb: RowFilter, relation: Relation, catalog: Catalog) -> Iterator[Problem]:
    """A parent without the filter would show the rows: reading it is refused."""
    above = [r for r in with_parents(catalog, relation) if r is not relation]
    if above and not any(_meant(verb, r) for r in above):
        names = ", ".join(f"{r.schema}.{r.name}" for r in above)
        what = f'rule "{rule.id}": {names} shows the rows of {relation.schema}.{relation.name} without this filter'
        yield _problem(rule, what, "reading it is refused", "filter the parent instead", Severity.WARNING)
