"""What the names in rules mean on a MySQL server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.book.model import Allow, Masking
from rules.facts import ColumnId
from rules.localizing import localized
from rules.naming import system_test
from tests.rules.mysql.shop import CATALOG
from tests.rules.worlds import CATALOG as POSTGRES
from tests.rules.worlds import book

RULES = """
rules:
  - {id: reads, allow: {statements: [select], tables: [Orders, "Log_*"], functions: [Total_Of]}}
  - {id: mask, mask: {columns: ["*.SSN", "HR.People.Mail"], with: redact}}
"""


def allowed(table: tuple[str, str], folding: int = 0) -> bool:
    verb = localized(book(RULES), replace(CATALOG, lower_case_table_names=folding)).rules[0].verb
    assert isinstance(verb, Allow)
    return any(pattern.matches_table(table) for pattern in verb.tables or ())


@pytest.mark.parametrize(
    ("table", "exact", "folded"),
    [
        (("shop", "Orders"), True, True),
        (("shop", "orders"), False, True),
        (("shop", "Log_1"), True, True),
        (("shop", "log_1"), False, True),
        (("other", "Orders"), False, False),
        (("mysql", "Orders"), False, False),
    ],
)
def test_an_allow_means_names_as_the_server_tells_them_apart(table: tuple[str, str], exact: bool, folded: bool) -> None:
    assert allowed(table) is exact
    assert allowed(table, folding=1) is folded


@pytest.mark.parametrize(
    "column",
    [ColumnId("shop", "People", "ssn"), ColumnId("other", "x", "ssn"), ColumnId("hr", "PEOPLE", "mail")],
)
def test_a_mask_means_names_in_any_case(column: ColumnId) -> None:
    verb = localized(book(RULES), CATALOG).rules[1].verb
    assert isinstance(verb, Masking)
    assert any(pattern.matches(column) for pattern in verb.columns)


def test_on_postgres_a_rulebook_is_as_it_was_read() -> None:
    rulebook = book(RULES)
    assert localized(rulebook, POSTGRES) is rulebook


def test_system_schemas() -> None:
    mysql, postgres = system_test("mariadb"), system_test("postgres")
    assert mysql("Performance_Schema")
    assert mysql("sys")
    assert not mysql("pg_catalog")
    assert not postgres("sys")
