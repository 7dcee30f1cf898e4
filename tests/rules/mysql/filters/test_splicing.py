"""Where filters go in MySQL's and MariaDB's texts, what is refused, and that a wrong splice is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from rules.decision import Edit, Verdict
from rules.filters.edits import Edits
from rules.mysql.predicates import read_predicate
from rules.policy import Policy, PolicyContext
from rules.predicate import BadPredicateError
from tests.rules.mysql.reading import BRANDS, VERSIONS
from tests.rules.mysql.shop import CATALOG, relation
from tests.rules.worlds import book

RULES = """
rules:
  - {id: all, allow: {statements: ["*"], tables: ["*"]}}
  - {id: ours, filter: {table: customers, where: "country = 'US'"}}
"""
SHOP = replace(
    CATALOG,
    relations=(
        relation(1, "shop", "customers", "id int, name varchar, country varchar, x bigint, d date"),
        relation(2, "shop", "vip", "id int", "v", "select `shop`.`customers`.`id` AS `id` from `shop`.`customers`"),
        relation(3, "shop", "products", "id int, name varchar"),
    ),
)
F = "(`customers`.`country` = 'US')"
OWN = f"(SELECT * FROM customers WHERE {F}) AS `customers`"
FENCED = f"(SELECT * FROM customers WHERE {F} LIMIT 18446744073709551615) AS `customers`"
SPLICED = {
    "SELECT * FROM customers": f"SELECT * FROM {OWN}",
    "TABLE customers": f"SELECT * FROM {OWN}",
    "SELECT c.id FROM customers c USE INDEX (i), products":
        "SELECT c.id FROM (SELECT * FROM customers c USE INDEX (i) WHERE (`c`.`country` = 'US')) AS `c`, products",
    "SELECT shop.customers.id FROM shop.customers":
        f"SELECT customers.id FROM {OWN.replace('FROM customers', 'FROM shop.customers')}",
    "SELECT (SELECT count(*) FROM customers)":
        f"SELECT (SELECT count(*) FROM {OWN}) AS `(SELECT count(*) FROM customers)`",
    "SELECT id FROM customers WHERE exp(x) > 0": f"SELECT id FROM {FENCED} WHERE exp(x) > 0",
    "SELECT exp(x) FROM customers": f"SELECT exp(x) FROM {OWN}",
    "SELECT exp(x) AS y FROM customers HAVING y > 1": f"SELECT exp(x) AS y FROM {FENCED} HAVING y > 1",
    "SELECT id FROM customers FOR UPDATE": f"SELECT id FROM customers WHERE {F} FOR UPDATE",
    "UPDATE customers SET x = 1 WHERE id = ?": f"UPDATE customers SET x = 1 WHERE  {F} AND (id = ?)",
    "UPDATE customers SET x = 1 WHERE name = 3": f"UPDATE customers SET x = 1 WHERE  CASE WHEN {F} THEN (name = 3) END",
    "DELETE FROM customers ORDER BY id LIMIT 1": f"DELETE FROM customers WHERE {F} ORDER BY id LIMIT 1",
    "DELETE products FROM products, customers": f"DELETE products FROM products, {OWN}",
    "DELETE customers FROM products, customers": f"DELETE customers FROM products, customers WHERE {F}",
    "INSERT INTO products SELECT id, name FROM customers": f"INSERT INTO products SELECT id, name FROM {OWN}",
}  # fmt: skip
REFUSED = (
    "TRUNCATE customers", "SELECT * FROM vip", "REPLACE INTO customers (id, country) VALUES (1, 'US')",
    "INSERT INTO customers (id, country) VALUES (1, 'US'), (2, 'US'), (3, 'DE')", "UPDATE customers SET country = 'DE'",
    "INSERT INTO customers (id) VALUES (1)", "INSERT INTO customers (id, country) VALUES (1, ?)",
    "INSERT INTO customers (id, country) VALUES (1, 'US') ON DUPLICATE KEY UPDATE id = 2",
    "SET @x = (SELECT max(id) FROM customers)", "PREPARE s FROM 'SELECT * FROM customers'",
    "CREATE VIEW v AS SELECT * FROM customers", "EXPLAIN SELECT * FROM customers", "HANDLER customers OPEN",
    "UPDATE products p LEFT JOIN customers c ON c.id = p.id SET c.name = 'x'",
    "UPDATE products p JOIN customers c ON exp(c.x) > 1 SET c.name = 'x'",
)  # fmt: skip
Change = Callable[[bytes], bytes]
CHANGES: dict[str, Change] = {
    "another constant": lambda text: text.replace(b"'US'", b"'DE'"),
    "another column": lambda text: text.replace(b"`country`", b"`name`"),
    "no fence": lambda text: text.replace(b" LIMIT 18446744073709551615", b""),
    "fewer rows": lambda text: text.replace(b" LIMIT 18446744073709551615", b" LIMIT 5"),
    "more rows": lambda text: text.replace(b"'US')", b"'US' OR 1)"),
    "or": lambda text: text.replace(b" AND (", b" OR ("),
    "no guard": lambda text: text.replace(b"CASE WHEN ", b"").replace(b" THEN (", b" AND (").replace(b") END", b")"),
    "another name": lambda text: text.replace(b"AS `c", b"AS `d"),
    "another table": lambda text: text.replace(b"(SELECT * FROM ", b"(SELECT * FROM products,"),
}


def context(brand: str = "mysql", rules: str = RULES) -> PolicyContext:
    catalog = replace(SHOP, dialect=brand, server_version=VERSIONS[brand])
    return Policy(book(rules), catalog).context("agent", "shop", "bot", ("shop",))


def edits_of(sql: str) -> tuple[Edit, ...]:
    (decision,) = context().decide(sql.encode())
    assert decision.rewrite is not None
    return decision.rewrite.edits


def refused(monkeypatch: pytest.MonkeyPatch, sql: str, edits: tuple[Edit, ...]) -> bool:
    monkeypatch.setattr(Edits, "ordered", lambda self: edits)
    (decision,) = context().decide(sql.encode())
    monkeypatch.undo()
    return decision.verdict is Verdict.REFUSE


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("sql", SPLICED)
def test_filters_are_spliced_in(brand: str, sql: str) -> None:
    decision = context(brand).decide(f"SELECT 1; {sql} -- end".encode())[1]
    assert decision.rewrite is not None, decision.refusal
    assert decision.rewrite.apply(f"{' ' * 10}{sql} -- end".encode()).decode() == f"{' ' * 10}{SPLICED[sql]} -- end"
    assert decision.rewrite.rules == ("ours",)


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("sql", REFUSED)
def test_what_no_filter_fits_is_refused(brand: str, sql: str) -> None:
    found = context(brand)
    (decision,) = found.decide(sql.encode())
    assert decision.verdict is Verdict.REFUSE
    assert found.failures == 0
    assert decision.refusal is not None
    assert decision.refusal.hint


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("sql", [
    "INSERT INTO customers (id, country) VALUES (1, 'US'), (2, 'US')", "LOCK TABLES customers READ",
    "WITH customers AS (SELECT 1 AS id) SELECT * FROM customers", "SELECT * FROM products",
    "SHOW COLUMNS FROM customers",
])  # fmt: skip
def test_what_needs_no_splice_passes_as_it_is(brand: str, sql: str) -> None:
    (decision,) = context(brand).decide(sql.encode())
    assert (decision.verdict, decision.rewrite) == (Verdict.ALLOW, None)


@pytest.mark.parametrize("sql", SPLICED)
def test_a_missing_edit_is_found(monkeypatch: pytest.MonkeyPatch, sql: str) -> None:
    edits = edits_of(sql)
    for number in (n for n, edit in enumerate(edits) if edit.instead):  # a name too many only fails
        assert refused(monkeypatch, sql, edits[:number] + edits[number + 1 :]), edits[number]


@pytest.mark.parametrize("sql", SPLICED)
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_edit_is_found(monkeypatch: pytest.MonkeyPatch, sql: str, change: str) -> None:
    edits = edits_of(sql)
    changed = tuple(replace(edit, instead=CHANGES[change](edit.instead)) for edit in edits)
    if changed != edits:
        assert refused(monkeypatch, sql, changed), changed


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("text", [
    "country = 'US') OR (1 = 1", "country = 'US' ORDER BY id", "now() > d", "id IN (SELECT 1)", "id = ?", "name = 'ż'",
    "x / 2 = 1", "c.country = 'US'", "id = 1 -- x", "@x = id",
])  # fmt: skip
def test_conditions_that_are_no_filters(brand: str, text: str) -> None:
    with pytest.raises(BadPredicateError):
        read_predicate(text, brand)


def test_a_condition_of_mysql_alone() -> None:
    rules = RULES.replace("country = 'US'", "`country` = 'US' XOR id <=> 3")
    (decision,) = context(rules=rules).decide(b"SELECT id FROM customers")
    assert decision.rewrite is not None
    made = decision.rewrite.apply(b"SELECT id FROM customers")
    assert b"`customers`.`country` = 'US' XOR `customers`.`id` <=> 3" in made


def test_a_condition_that_the_brands_read_otherwise_is_refused() -> None:
    (decision,) = context(rules=RULES.replace("country = 'US'", "'US' = \\\"country\\\"")).decide(b"TABLE customers")
    assert decision.verdict is Verdict.REFUSE
