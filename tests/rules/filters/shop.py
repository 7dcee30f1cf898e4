"""A database with filtered tables, and what the gate sends in place of a text."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from ruamel.yaml import YAML

from rules.book import load
from rules.catalog import Catalog, Relation
from rules.decision import Decision
from rules.policy import Policy, PolicyContext
from rules.postgres.ddl import catalog_from_ddl

SCHEMA = """
CREATE SCHEMA hr;
CREATE TABLE customers (id int primary key, name text, country varchar(2), region text, x int);
CREATE TABLE orders (id int, customer_id int, total numeric, note text);
CREATE TABLE events (id int, day date, country text) PARTITION BY RANGE (day);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE animals (id int, sound text);
CREATE TABLE dogs (breed text) INHERITS (animals);
CREATE TABLE hr.customers (id int, country text);
CREATE TABLE deals (id int, low int, high int, span int GENERATED ALWAYS AS (high - low) STORED);
CREATE VIEW contacts AS SELECT c.id, c.name AS who FROM customers c WHERE c.x > 1;
CREATE VIEW over_view AS SELECT k.who, o.note FROM contacts k LEFT JOIN orders o ON o.customer_id = k.id;
CREATE VIEW risky AS SELECT 1 / (x - 5) AS y FROM customers;
CREATE MATERIALIZED VIEW kept AS SELECT country, count(*) AS n FROM customers GROUP BY country;
CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql AS 'SELECT 1';
"""
RULES = """
version: 1
rules:
  - {id: all, allow: {statements: ["*"], functions: [shout]}}
  - id: us
    filter: {table: public.customers, where: "country = 'US'"}
  - id: near
    filter: {tables: [events], where: "country IN ('US', 'CA')"}
  - id: tame
    filter: {table: dogs, where: "breed <> 'wolf'"}
  - id: narrow
    filter: {table: deals, where: "span < 10 AND low > 0"}
  - id: seen
    mode: observe
    filter: {table: orders, where: "total < 100"}
"""


@cache
def catalog() -> Catalog:
    made = catalog_from_ddl(SCHEMA)
    return replace(made, relations=tuple(_generated(r) if r.name == "deals" else r for r in made.relations))


def _generated(deals: Relation) -> Relation:
    """What a live catalog knows of the column span."""
    *stored, span = deals.columns
    return replace(deals, columns=(*stored, replace(span, generated_from=(2, 3))))


@cache
def context(*search_path: str) -> PolicyContext:
    loaded = load({"rules.yaml": RULES})
    assert loaded.rulebook is not None, loaded.problems
    return Policy(loaded.rulebook, catalog()).context("agent", "shop", "agent", search_path or ("public",))


def decided(sql: str, *search_path: str) -> Decision:
    """The decision about the only statement in the text."""
    made = context(*search_path)
    (decision,) = made.decide(sql.encode())
    assert not made.failures, made.last_failure
    return decision


def sent(sql: str, *search_path: str) -> str:
    """What the server reads. The filters' quotes and the qualified names of `customers` are left out for the reader."""
    decision = decided(sql, *search_path)
    assert decision.refusal is None, decision.refusal
    text = sql.encode() if decision.rewrite is None else decision.rewrite.apply(sql.encode())
    return text.decode().replace('"public"."customers"."country"', "COUNTRY").replace(CHECK_ERROR, "ERROR")


CHECK_ERROR = "pg_catalog.substr(pg_catalog.now()::pg_catalog.text, 1, -1)"


def refused(sql: str, *search_path: str) -> str:
    """The rule by which the text is refused."""
    refusal = decided(sql, *search_path).refusal
    assert refusal is not None, sent(sql, *search_path)
    return refusal.rule


def splices(group: str) -> dict[str, str]:
    """The client's texts and what the server reads in their place."""
    cases = YAML(typ="safe").load(Path(__file__).with_name("splices.yaml").read_text())
    return {case["sql"]: case["sent"] for case in cases[group]}
