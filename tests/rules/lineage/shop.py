"""The schema that the lineage tests read, and short spellings of facts."""

from __future__ import annotations

from functools import cache

from rules.catalog import Catalog
from rules.facts import ColumnId, Facts, FunctionRisk, TableId
from rules.lineage import facts
from rules.postgres import read
from rules.postgres.ddl import catalog_from_ddl

SCHEMA = """
CREATE SCHEMA hr;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE addr AS (street text, zip text);
CREATE TABLE customers (id int, name text, email text, phone text, country text, active bool, home addr);
CREATE TABLE orders (id serial, customer_id int, total numeric, note text, created timestamptz);
CREATE TABLE order_items (order_id int, product text, quantity int);
CREATE TABLE employees (id int, name text, email text, salary numeric, feeling mood);
CREATE TABLE api_keys (id int, secret text);
CREATE TABLE hr.people (id int, ssn text);
CREATE TABLE events (id int, day date, what text) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE animals (id int, sound text);
CREATE TABLE dogs (breed text) INHERITS (animals);
CREATE VIEW contacts AS SELECT id, email AS mail, upper(name) AS loud FROM customers WHERE phone LIKE '+1%';
CREATE VIEW over_view AS SELECT c.mail, o.note FROM contacts c JOIN orders o ON o.customer_id = c.id;
CREATE VIEW rowview AS SELECT c AS whole FROM customers c;
CREATE MATERIALIZED VIEW kept AS SELECT country, count(*) AS n, max(email) AS last FROM customers GROUP BY country;
CREATE FUNCTION order_total(id int) RETURNS numeric LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION hr.secret(text) RETURNS text LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION pair(t text, OUT a text, OUT b text) LANGUAGE sql AS 'SELECT 1, 2';
CREATE FUNCTION every_order() RETURNS SETOF orders LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION lower(int) RETURNS text LANGUAGE sql AS 'SELECT 1';
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq);
"""


@cache
def catalog() -> Catalog:
    return catalog_from_ddl(SCHEMA)


def found(sql: str, search_path: tuple[str, ...] = ("public",)) -> Facts:
    """The facts of the only statement in `sql`."""
    statements = read(sql)
    assert isinstance(statements, tuple), statements
    (statement,) = statements
    return facts(statement, catalog(), search_path)


def column(c: ColumnId) -> str:
    return f"{c.table}.{c.column}" if c.schema == "public" else str(c)


def table(t: TableId) -> str:
    return t[1] if t[0] == "public" else ".".join(t)


def outputs(sql: str) -> str:
    """`name=source,source` of each output column, `!` where it is direct; `-` without any rows."""
    facts_ = _clear(sql)
    if facts_.outputs is None:
        return "-"
    return " ".join(f"{o.name}={','.join(sorted(map(column, o.sources)))}{'!' * o.direct}" for o in facts_.outputs)


#: uses that stand beside the others: returning alone, and computing that can fail
BESIDE = frozenset({"project", "compute"})


def uses(sql: str) -> str:
    """`column:use` of how each column is looked at and written."""
    kept = (u for u in _clear(sql).uses if u.use.value not in BESIDE)
    return " ".join(sorted(f"{column(u.column)}:{u.use.value}" for u in kept))


def tables(sql: str) -> str:
    """`table:access` of every table, with `<through` where it is reached by another."""
    return " ".join(
        sorted(
            f"{table(t.table)}:{t.access.value}" + (f"<{table(t.through)}" if t.through else "")
            for t in _clear(sql).tables
        )
    )


def functions(sql: str) -> str:
    """`schema.name:risk` of every function that is not pure."""
    kept = (f for f in _clear(sql).functions if f.risk is not FunctionRisk.PURE)
    return " ".join(sorted(f"{f.schema}.{f.name}:{f.risk.value}" for f in kept))


def copies(sql: str) -> str:
    """`target<source,source` of every value that is stored."""
    kept = _clear(sql).copies
    return " ".join(f"{column(t) if t else 'new'}<{','.join(sorted(map(column, s)))}" for t, s in kept)


def problem(sql: str) -> str:
    """The code of the refusal, or `missing` with the name."""
    facts_ = found(sql)
    if facts_.problem is not None:
        return facts_.problem.code
    return "missing " + " ".join(".".join(name) for name in facts_.missing)


def _clear(sql: str) -> Facts:
    facts_ = found(sql)
    assert facts_.problem is None, facts_.problem
    assert not facts_.missing, facts_.missing
    return facts_
