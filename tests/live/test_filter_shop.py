"""The shop's legitimate statements for a role with row filters: each gives what it gives where only the visible rows
are. Statements of several parts, of sessions and of time are other tests' matter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ruamel.yaml import YAML

from rules.book import load
from rules.policy import Policy, PolicyContext
from tests.live.needed import live_catalog, needed_server
from tests.live.test_filter_worlds import outcome
from tests.live.worlds import create_template, create_world

pytestmark = pytest.mark.live

FILTERS = {
    "customers": "country IN ('US', 'DE') AND id > 2",
    "orders": "status <> 'open'",
    "employees": "department <> 'sales'",
    "people": "id <> 3",
    "events": "id > 3",
    "products": "price < 18",
}
#: what tells the databases apart, and the moment
UNEQUAL = (
    "now(", "current_timestamp", "nextval", "random", "uuid", "clock", "current_database", "pg_", "information_schema",
    "localtime", "txid", "sequence", "oid", "ctid", "xmin", "version", "catalog", "explain", "statistics", "regclass",
)  # fmt: skip


def statements() -> list[str]:
    """Each that stands alone."""
    groups = YAML(typ="safe").load(Path(__file__).with_name("legitimate.yaml").read_text())
    lines = [line for text in groups.values() for line in str(text).splitlines() if line.strip()]
    return [line for line in lines if ";" not in line and not any(word in line.lower() for word in UNEQUAL)]


def parted(line: str) -> tuple[str, list[bytes | None] | None]:
    """`text :: one | two` is a text with parameters."""
    text, mark, values = line.partition(" :: ")
    return text, [None if v == "NULL" else v.encode() for v in values.split(" | ")] if mark else None


@pytest.fixture(scope="module")
def databases() -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
    with needed_server() as server:
        create_template(server)
        for name in ("whole", "visible"):
            create_world(server, name)
        with server.connect("whole") as whole, server.connect("visible") as visible:
            visible.execute("SET session_replication_role = replica")
            for table, where in FILTERS.items():
                visible.execute(f"DELETE FROM {table} WHERE ({where}) IS NOT true".encode())
            visible.execute("RESET session_replication_role")
            yield whole, visible


@pytest.fixture(scope="module")
def context(databases: tuple[psycopg.Connection[Any], psycopg.Connection[Any]]) -> PolicyContext:
    filters = "\n".join(f'  - {{id: {t}, filter: {{table: public.{t}, where: "{w}"}}}}' for t, w in FILTERS.items())
    text = f'version: 1\nrules:\n  - {{id: all, allow: {{statements: ["*"], functions: ["*"]}}}}\n{filters}\n'
    loaded = load({"rules.yaml": text})
    assert loaded.rulebook is not None, loaded.problems
    catalog = live_catalog(databases[0])
    return Policy(loaded.rulebook, catalog).context("agent", "whole", "agent", ("public",))


def test_legitimate_statements(databases: Any, context: PolicyContext) -> None:
    whole, visible = databases
    same, spliced, refused, wrong = 0, 0, [], []
    for line in statements():
        sql, values = parted(line)
        decisions = context.decide(sql.encode())
        assert context.failures == 0, (context.last_failure, sql)
        if any(d.refusal is not None for d in decisions):
            refused.append(sql)
            continue
        rewrite = decisions[0].rewrite if decisions else None
        sent = sql.encode() if rewrite is None else rewrite.apply(sql.encode())
        one = outcome(visible, sql.encode(), b"SELECT 1", values)
        other = outcome(whole, sent, b"SELECT 1", values)
        spliced += rewrite is not None
        same += one == other
        if one != other and not one[0]:
            wrong.append((sql, sent.decode(), one, other))
    assert not wrong, wrong[:3]
    assert spliced > same / 3
    assert len(refused) < same / 10, refused
