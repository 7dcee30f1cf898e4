from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.ddl import catalog_from_ddl as catalog_of_ddl
from rules.policy import Policy
from rules.postgres.ddl import catalog_from_ddl
from rules.testing import Expected, Outcome, Suite, read_suite, run
from tests.rules.test_policy import DDL, RULES
from tests.rules.worlds import book

POLICY = Policy(book(RULES), catalog_from_ddl(DDL), b"k")


def suite(cases: str, top: str = "role: agent\n") -> Suite:
    found, problems = read_suite("t.test.yaml", f"{top}cases:\n{cases}")
    assert found is not None, problems
    return found


def outcome(case: str) -> Outcome:
    (found,) = run(suite(f"  case: {case}\n"), POLICY)
    return found


@pytest.mark.parametrize(
    "case",
    [
        "{sql: SELECT 1, expect: allow}",
        "{sql: SELECT id FROM customers, expect: allow}",
        "{sql: 'SELECT email AS x, id FROM customers', expect: {mask: [x]}}",
        "{sql: 'SELECT * FROM customers', expect: {mask: [ssn, email]}}",
        "{sql: 'SELECT * FROM customers', expect: mask}",
        "{sql: 'SELECT * FROM customers', expect: mask, columns: [email, ssn]}",
        "{sql: 'SELECT * FROM customers', expect: 'mask: [email, ssn]'}",
        "{sql: 'SELECT * FROM api_keys', expect: deny}",
        "{sql: 'SELECT * FROM api_keys', expect: {deny: keys}}",
        "{sql: 'SELECT * FROM api_keys', expect: 'deny: keys'}",
        "{sql: 'SELECT 1; SELECT * FROM api_keys', expect: {deny: keys}}",
        "{sql: 'DROP TABLE customers', expect: {deny: 'dbgate:default'}}",
        "{sql: 'DROP TABLE customers', role: dba, expect: allow}",
        "{sql: 'SELECT id FROM people', search_path: [hr, public], expect: allow}",
    ],
)
def test_cases_that_hold(case: str) -> None:
    found = outcome(case)
    assert found.passed, found


@pytest.mark.parametrize(
    ("case", "actual"),
    [
        ("{sql: 'SELECT email FROM customers', expect: allow}", Expected("mask", ("email",))),
        ("{sql: 'SELECT email FROM customers', expect: {mask: [email, ssn]}}", Expected("mask", ("email",))),
        ("{sql: 'SELECT email FROM customers', expect: deny}", Expected("mask", ("email",))),
        ("{sql: 'SELECT * FROM api_keys', expect: {deny: other}}", Expected("deny", ("keys",))),
        ("{sql: 'SELECT * FROM api_keys', expect: allow}", Expected("deny", ("keys",))),
        ("{sql: SELECT 1, expect: {mask: [x]}}", Expected("allow")),
        ("{sql: 'SELECT id FROM people', expect: allow}", Expected("deny", ("dbgate:unknown-relation",))),
    ],
)
def test_cases_that_fail_say_what_happened(case: str, actual: Expected) -> None:
    found = outcome(case)
    assert not found.passed
    assert found.actual == actual
    if actual.outcome == "deny":
        assert found.why


def test_the_list_form() -> None:
    found = suite("  - {name: one, sql: SELECT 1, expect: allow}\n  - {sql: SELECT 2, role: dba, expect: allow}\n")
    assert [(c.name, c.role) for c in found.cases] == [("one", "agent"), ("SELECT 2", "dba")]
    assert found.cases[1].place.line == 4


def test_rules_and_schema_by_name_or_text() -> None:
    found = suite("  a: {sql: SELECT 1, expect: allow}\n", "role: x\nrules: [a.yaml, b.yaml]\nschema: ddl/shop.sql\n")
    assert found.rules == ("a.yaml", "b.yaml")
    assert (found.schema, found.schema_file) == ("", "ddl/shop.sql")
    found = suite("  a: {sql: SELECT 1, expect: allow}\n", "role: x\nrules: a.yaml\nschema: CREATE TABLE t (id int)\n")
    assert found.rules == ("a.yaml",)
    assert (found.schema, found.schema_file) == ("CREATE TABLE t (id int)", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "the file is empty"),
        ("[a]", "a test file must be a mapping"),
        ("role: a", 'the key "cases" is missing'),
        ("role: a\ncases: x", "cases must be a mapping"),
        ("role: a\ncases: {}", "cases must be a mapping"),
        ("case: {}\ncases: {a: {role: r, sql: SELECT 1, expect: allow}}", 'did you mean "cases"?'),
        ("cases: {a: {sql: SELECT 1, expect: allow}}", "the case has no role"),
        ("role: a\ncases: {a: {expect: allow}}", "the case has no sql"),
        ("role: a\ncases: {a: {sql: SELECT 1}}", "the case expects nothing"),
        ("role: a\ncases: {a: {sql: SELECT 1, expect: alow}}", 'did you mean "allow"?'),
        ("role: a\ncases: {a: {sql: SELECT 1, expect: {denied: x}}}", 'did you mean "deny"?'),
        ("role: a\ncases: {a: {sql: SELECT 1, expect: {deny: x, mask: [y]}}}", "must hold one outcome"),
        ("role: a\ncases: {a: {sq: SELECT 1, expect: allow}}", 'did you mean "sql"?'),
    ],
)
def test_faulty_test_files(text: str, expected: str) -> None:
    found, problems = read_suite("t.yaml", text)
    assert found is None
    assert any(expected in str(problem) for problem in problems), problems


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=120) | st.binary(max_size=120))
def test_any_text_gives_problems_never_an_exception(text: str | bytes) -> None:
    found, problems = read_suite("t", text)
    assert (found is None) == bool(problems)


MYSQL_DDL = "CREATE TABLE people (id int, email varchar(9)); CREATE TABLE hr.staff (id int)"


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
@pytest.mark.parametrize("case", [
    "{sql: 'SELECT `email` AS x FROM people # all', expect: {mask: [x]}}",
    "{sql: SELECT id FROM shop.people, expect: allow}",
    "{sql: SELECT id FROM staff, search_path: hr, role: dba, expect: allow}",
    "{sql: SELECT id FROM staff, expect: {deny: 'dbgate:unknown-relation'}}",
])  # fmt: skip
def test_cases_on_mysql(dialect: str, case: str) -> None:
    found = suite(f"  case: {case}\n", f"dialect: {dialect}\ndatabase: shop\nserver_version: '10.11'\nrole: agent\n")
    rules = book(
        "rules:\n  - {id: a, roles: [agent], allow: {statements: [select], tables: [people]}}\n"
        "  - {id: m, roles: [agent], mask: {columns: [people.email], with: redact}}\n"
        "  - {id: d, roles: [dba], allow: {statements: ['*'], tables: ['*.*']}}\n"
    )
    (outcome,) = run(found, Policy(rules, catalog_of_ddl(MYSQL_DDL, found.server), b"k"))
    assert outcome.passed, outcome


@pytest.mark.parametrize(
    ("top", "what"),
    [
        ("dialect: mysq", 'unknown dialect "mysq"'),
        ("database: shop", "database belongs to MySQL and MariaDB"),
        ("{dialect: postgresql, server_version: '17'}", "server_version belongs to MySQL and MariaDB"),
        ("{dialect: mysql, server_version: new}", '"new" is no version of a server'),
        ("{dialect: mysql, server_version: 10.11}", "put it in quotes"),
    ],
)
def test_a_server_that_there_is_not(top: str, what: str) -> None:
    lines = top.strip("{}").replace(", ", "\n")
    found, problems = read_suite("t.test.yaml", f"{lines}\nrole: r\ncases: [{{sql: SELECT 1, expect: allow}}]")
    assert found is None
    assert any(what in str(problem) for problem in problems), problems
