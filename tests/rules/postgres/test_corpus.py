"""Every statement of the corpus is read as the kind and with the relations that it says."""

from __future__ import annotations

import pytest

from rules.postgres import read
from rules.taxonomy import KINDS
from rules.tree import Statement
from tests.rules.postgres.corpora import Case, cases, tables

CASES = cases()


@pytest.mark.parametrize("case", CASES, ids=[f"{c.file}:{n}" for n, c in enumerate(CASES)])
def test_kind_and_tables(case: Case) -> None:
    found = read(case.sql)
    assert isinstance(found, tuple), (case.sql, found)
    (statement,) = found
    assert isinstance(statement, Statement)
    assert statement.kind in KINDS
    assert (statement.kind, tables(statement)) == (case.kind, case.tables), case.sql
    assert case.sql.encode()[statement.start : statement.end].decode().strip()
