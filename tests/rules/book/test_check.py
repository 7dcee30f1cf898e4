from __future__ import annotations

import pytest

from rules.book import Severity, check
from rules.catalog import Catalog, Column, Relation
from tests.rules.worlds import CATALOG, book


def said(line: str) -> list[str]:
    found = check(book(f"rules:\n  - {line}\n"), CATALOG)
    return [str(problem) for problem in found]


@pytest.mark.parametrize(
    "line",
    [
        '{id: a, allow: {statements: [select], tables: [orders, "public.*", "*", hr.people], functions: ["*"]}}',
        "{id: a, allow: {statements: [select], functions: [pg_sleep, pg_catalog.lower, billing.*, '*']}}",
        '{id: a, deny: {tables: [people, "*.people"], columns: ["*.salary", customers.ssn, hr.people.mood]}}',
        "{id: a, deny: {tables: [pg_catalog.pg_authid]}}",
        '{id: a, allow: {statements: [select], tables: ["pg_temp.*"]}}',
        "{id: a, mask: {columns: [customers.email, people.mail, customers.profile], with: {keep_last: 4}}}",
        "{id: a, mask: {columns: [people.mood, people.salary], with: redact}}",
        "{id: a, mask: {columns: [customers.id, people.salary], with: hash}}",
        "{id: a, mask: {columns: [people.salary, orders.total], with: {round: 1000}}}",
        "{id: a, mask: {columns: [orders.at], with: year}}",
    ],
)
def test_names_that_exist_and_masks_that_fit(line: str) -> None:
    assert said(line) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{id: a, allow: {statements: [select], tables: [ordrs]}}",
         'rules.yaml:3:52  rule "a": no table matches "ordrs"  an unqualified name in an allow rule means the schema '
         'public  did you mean "orders"?'),
        ("{id: a, allow: {statements: [select], tables: [people]}}", 'did you mean "hr.people"?'),
        ("{id: a, deny: {tables: [hr.poeple]}}", 'did you mean "people"?'),
        ("{id: a, deny: {tables: [\"xx*\"]}}", 'warning: rule "a": no table matches "xx*"'),
        ("{id: a, deny: {columns: [customers.emial]}}", 'the table has no such column  did you mean "email"?'),
        ("{id: a, deny: {columns: [custmers.email]}}", 'there is no such table  did you mean "customers"?'),
        ('{id: a, mask: {columns: ["*.passwd"], with: redact}}', 'warning: rule "a": no column matches "*.passwd"'),
        ("{id: a, deny: {functions: [order_totl]}}", 'no function matches "order_totl"  did you mean "order_total"?'),
        ("{id: a, deny: {functions: [billing.order_total]}}", 'no function matches "billing.order_total"'),
        ("{id: a, mask: {columns: [people.salary], with: {keep_last: 4}}}",
         'the mask {keep_last: 4} does not fit hr.people.salary (numeric)  its type cannot hold such a value  masks '
         "that fit: round, hash, redact, null"),
        ("{id: a, mask: {columns: [customers.name], with: {round: 10}}}", "the mask {round: 10} does not fit"),
        ("{id: a, mask: {columns: [customers.id], with: {round: 1}}}", "the mask {round: 1} does not fit"),
        ("{id: a, mask: {columns: [people.mail], with: year}}",
         "does not fit hr.people.mail (shop.mail, which is text)  its type cannot hold such a value  masks that fit: "
         "email, keep_last, keep_first, hash, redact, null"),
        ('{id: a, mask: {columns: ["people.*"], with: email}}',
         "does not fit hr.people.id (integer), hr.people.salary (numeric), hr.people.mood (hr.mood)  their types "
         'cannot hold such values: redacted instead  masks that fit all columns of "people.*": redact, null; or name '
         "those that can bear email, and mask the others by another rule: hr.people.name, hr.people.mail"),
        ("{id: a, mask: {columns: [people.mood], with: hash}}", "does not fit hr.people.mood (hr.mood)"),
        ('{id: a, mask: {columns: ["customers.*"], with: email}}', "does not fit public.customers.id (integer)"),
    ],
)  # fmt: skip
def test_a_fault_is_named(line: str, expected: str) -> None:
    (problem,) = said(line)
    assert expected in problem


def test_a_label_names_the_place_where_it_is_used() -> None:
    rulebook = book(
        'labels: {pii: [customers.emial]}\nrules:\n  - {id: a, mask: {columns: ["label:pii"], with: redact}}'
    )
    (problem,) = check(rulebook, CATALOG)
    assert (problem.line, problem.column) == (4, 30)
    assert problem.severity is Severity.ERROR


def test_what_a_glob_finds_besides_is_redacted_with_a_warning() -> None:
    (glob,) = check(book('rules: [{id: a, mask: {columns: ["*.salary"], with: {keep_last: 4}}}]'), CATALOG)
    (exact,) = check(book("rules: [{id: a, mask: {columns: [people.salary], with: {keep_last: 4}}}]"), CATALOG)
    assert (glob.severity, exact.severity) == (Severity.WARNING, Severity.ERROR)
    assert "redacted instead" in glob.why


def test_globs_of_one_list_that_match_nothing_are_one_warning() -> None:
    globs = ", ".join(f'"*.odd{number}"' for number in range(8))
    rulebook = book(
        f"labels: {{odd: [{globs}]}}\nrules:\n"
        '  - {id: a, mask: {columns: ["label:odd", "*.email"], with: redact}}\n'
        '  - {id: b, mask: {columns: ["*.even"], with: redact}}'
    )
    listed, single = check(rulebook, CATALOG)
    assert listed.what.endswith('"*.odd0", "*.odd1", "*.odd2", "*.odd3", "*.odd4" and 3 more')
    assert single.what.endswith('no column matches "*.even"')
    assert listed.severity is single.severity is Severity.WARNING


def test_every_problem_at_once_in_order() -> None:
    rulebook = book("rules:\n  - {id: b, deny: {tables: [x, y]}}\n  - {id: a, deny: {functions: [z]}}")
    assert [p.line for p in check(rulebook, CATALOG)] == [3, 3, 4]


MYSQL = Catalog(
    "1",
    (Relation(1, "shop", "people", "r", (Column("email", 1, "varchar"), Column("age", 2, "tinyint"),
                                         Column("mood", 3, "enum"), Column("born", 4, "datetime"))),),
    schemas=frozenset({"shop"}),
    dialect="mysql",
    default_schema="shop",
)  # fmt: skip


@pytest.mark.parametrize(
    ("mask", "wrong"),
    [
        ("{columns: [people.email], with: hash}", ""),
        ("{columns: [people.age], with: {round: 10}}", ""),
        ("{columns: [people.born], with: year}", ""),
        ("{columns: [people.mood, people.age], with: redact}", ""),
        ("{columns: [people.age], with: hash}", "the mask hash does not fit shop.people.age (tinyint)"),
        ("{columns: [people.mood], with: {keep_last: 1}}", "masks that fit: redact, null"),
    ],
)
def test_masks_by_the_types_of_mysql(mask: str, wrong: str) -> None:
    found = [str(problem) for problem in check(book(f"rules:\n  - {{id: a, mask: {mask}}}\n"), MYSQL)]
    assert len(found) == (1 if wrong else 0)
    assert all(wrong in problem for problem in found)
