"""The resolver against a real server: what RowDescription and the values themselves say of each output column."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest
from psycopg import pq

from dbgate.catalog.postgres import Row
from rules.catalog import Catalog
from rules.facts import OutputColumn
from rules.lineage import facts
from rules.postgres import read
from tests.dbgate.catalog.random_queries import Maker
from tests.live.needed import text_rows

pytestmark = pytest.mark.live

CANARY = re.compile(r"k(\w+)\.(\w+)k", re.I)
SEEDS = range(400)


def _origins(catalog: Catalog, result: pq.abc.PGresult, position: int, output: OutputColumn) -> None:
    """RowDescription's table and attribute, when it gives them, are among our sources."""
    relation = catalog.by_oid.get(result.ftable(position) or 0)
    number = result.ftablecol(position) or 0
    if relation is None or number <= 0:
        return
    name = next(c.name for c in relation.columns if c.number == number)
    assert (*relation.qualified, name) in {(s.schema, s.table, s.column) for s in output.sources}
    assert output.direct or relation.kind in "vm"


def _canaries(rows: list[Row], position: int, output: OutputColumn) -> None:
    """Every canary in the column's values belongs to one of our sources."""
    sources = {(s.table, s.column) for s in output.sources}
    for row in rows:
        for table, column in CANARY.findall(row[position] or ""):
            assert (table.lower(), column.lower()) in sources, (row[position], sorted(sources))


def _checked(connection: psycopg.Connection[Any], catalog: Catalog, sql: str) -> str:
    """`same`, or which side would not take the query."""
    result = connection.pgconn.exec_(sql.encode())
    if result.error_message:
        return "server"
    statements = read(sql)
    assert isinstance(statements, tuple), statements
    found = facts(statements[0], catalog, ("public",))
    if found.problem or found.missing:
        return f"ours: {found.problem or found.missing}"
    assert found.outputs is not None
    names = [(result.fname(i) or b"").decode() for i in range(result.nfields)]
    assert [o.name for o in found.outputs] == names
    rows = text_rows(result)
    for position, output in enumerate(found.outputs):
        _origins(catalog, result, position, output)
        _canaries(rows, position, output)
    return "same"


def test_random_queries(connection: psycopg.Connection[Any], catalog: Catalog) -> None:
    outcomes: dict[str, int] = {}
    for seed in SEEDS:
        sql, _ = Maker(seed).query([], 3)
        try:
            outcome = _checked(connection, catalog, sql)
        except AssertionError as wrong:
            raise AssertionError(f"seed {seed}: {sql}") from wrong
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    assert outcomes.pop("same", 0) > len(SEEDS) // 2
    outcomes.pop("server", 0)
    assert not outcomes, outcomes
