"""The verb `filter`: `{table: customers, where: "country = 'US'"}`, or `tables: [...]` with one condition for all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rules.book import nodes
from rules.book.model import RowFilter
from rules.book.nodes import Node
from rules.book.values import Report, check_keys, one_of, read_list, read_mapping, read_word
from rules.matching import NamePattern
from rules.naming import MYSQL_BRANDS
from rules.predicate import BadPredicateError, Predicate

KEYS: Final = ("table", "tables", "where")
ReadName = Callable[[str, Node], NamePattern | None]


def read_filter(node: Node, report: Report, where: str, name: ReadName) -> RowFilter | None:
    """`where`: the rule, for problems. `name`: reads a table pattern and notes its place."""
    body = read_mapping(node, report, f"filter of {where}")
    if body is None:
        return None
    check_keys(body, KEYS, report, f"filter of {where}")
    if not body.entries:
        report.add(body, f"filter of {where} is empty", mend=one_of(KEYS))
        return None
    known = {key.text for key, _ in body.entries} <= set(KEYS)
    tables, condition = _tables(body, report, where, name), body.get("where")
    if tables is None and known:
        report.add(body, f"filter of {where} names no table", mend="add table: the_table")
    if condition is None and known:
        report.add(body, f"filter of {where} has no condition", mend="add where: \"country = 'US'\"")
    predicate = None if condition is None else _predicate(condition, report, where)
    return None if predicate is None else RowFilter(tables or (), predicate)


def _tables(body: nodes.Mapping, report: Report, where: str, name: ReadName) -> tuple[NamePattern, ...] | None:
    one, several = body.get("table"), body.get("tables")
    if one is None:
        return None if several is None else read_list(several, report, f"tables of filter of {where}", name)
    if several is not None:
        report.add(one, f"filter of {where} has both table and tables", mend="keep tables: [...]")
    word = read_word(one, report, f"table of filter of {where}")
    found = None if word is None else name(word, one)
    return () if found is None else (found,)


def _predicate(node: Node, report: Report, where: str) -> Predicate | None:
    from rules.postgres.predicates import read_predicate  # the parser is heavy, and few rule files have filters

    text = read_word(node, report, f"where of filter of {where}")
    try:
        return None if text is None else read_predicate(text)
    except BadPredicateError as fault:
        found = _of_mysql(text or "")
        if found is None:
            report.add(node, f"{fault} in filter of {where}", fault.why, fault.mend)
        return found


def _of_mysql(text: str) -> Predicate | None:
    """What MySQL and MariaDB read alike, and PostgreSQL does not."""
    from rules.mysql.predicates import read_predicate

    try:
        found = [read_predicate(text, brand) for brand in sorted(MYSQL_BRANDS)]
    except BadPredicateError:
        return None
    return found[0] if found[0] == found[1] else None
