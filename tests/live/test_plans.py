"""Plans of tables with hidden columns: what is allowed is the same whatever those columns hold.

Two databases with many rows, analyzed. What is hidden differs in width, number of values and order; the rows are as
long as each other in both, since the sizes of tables and of indexes that a plan may use are public."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream
from tests.live.places import Place
from tests.live.servers import PASSWORD, Postgres

WORLDS = ("a", "b")
ROWS = 5000
SCHEMA = """
CREATE TABLE customers (id integer PRIMARY KEY, country text NOT NULL, city text, email text, ssn text, created date);
CREATE INDEX ON customers (country);
CREATE INDEX ON customers (email);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers, total numeric(10,2));
CREATE INDEX ON orders (customer_id);
CREATE VIEW reachable AS SELECT id, country FROM customers WHERE email LIKE 'xxxxxxx1%';
"""
#: what the hidden columns hold: as long together
HIDDEN = {
    "a": "lpad(((n * 7919) % 100003)::text, 40, 'x'), lpad((n % 3)::text, 9, '0')",
    "b": "lpad((n / 2500)::text, 8, 'x'), lpad(n::text, 41, '0')",
}
BOOK = """
version: 1
rules:
  - {id: all, allow: {statements: ["*"], tables: ["public.*"]}}
  - {id: contact, mask: {columns: [customers.email], with: {keep_last: 4}, predicates: equality}}
  - {id: secret, mask: {columns: ["*.ssn"], with: redact}}
"""
ALLOWED = """
EXPLAIN SELECT id, country FROM customers
EXPLAIN SELECT id FROM customers WHERE country = 'US' ORDER BY created DESC LIMIT 10
EXPLAIN SELECT country, count(*) FROM customers GROUP BY country
EXPLAIN SELECT DISTINCT city FROM customers WHERE id BETWEEN 10 AND 900
EXPLAIN SELECT c.country, sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY 1 ORDER BY 2 DESC
EXPLAIN SELECT c.id FROM customers c LEFT JOIN orders o ON o.customer_id = c.id WHERE o.id IS NULL
EXPLAIN SELECT id FROM customers WHERE created > '2024-03-01' AND city IS NOT NULL
EXPLAIN SELECT id, row_number() OVER (PARTITION BY country ORDER BY created) FROM customers
EXPLAIN SELECT o.id FROM orders o WHERE o.customer_id IN (SELECT id FROM customers WHERE country = 'DE')
EXPLAIN (FORMAT JSON) WITH c AS (SELECT id, created FROM customers) SELECT max(created) FROM c
EXPLAIN (VERBOSE, SETTINGS) SELECT id FROM customers WHERE created = '2024-02-01'
EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT country, count(id) FROM customers GROUP BY 1
EXPLAIN UPDATE orders SET total = total + 1 WHERE customer_id = 5
EXPLAIN DELETE FROM orders WHERE customer_id IN (SELECT id FROM customers WHERE city = 'City 3')
"""
#: what these show differs between the two databases
REFUSED = """
EXPLAIN SELECT id, email FROM customers
EXPLAIN SELECT email FROM customers WHERE id = 1
EXPLAIN SELECT id FROM customers WHERE email = 'xxxxxxx1'
EXPLAIN SELECT id FROM customers ORDER BY ssn
EXPLAIN SELECT email, count(*) FROM customers GROUP BY email
EXPLAIN SELECT count(DISTINCT ssn) FROM customers
EXPLAIN SELECT a.id FROM customers a JOIN customers b ON a.email = b.email
EXPLAIN SELECT id FROM reachable
EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF) SELECT id FROM customers WHERE ssn > '000000001'
"""


def lines(text: str) -> list[str]:
    return text.strip().splitlines()


@pytest.fixture(scope="module")
def databases(server: Postgres) -> Iterator[dict[str, str]]:
    names = {world: f"plans_{world}" for world in WORLDS}
    for world, name in names.items():
        server.drop_database(name)
        server.create_database(name)
        server.run(f"SET ROLE app; {SCHEMA} {filling(world)}", name)
        server.run("VACUUM ANALYZE", name)
    yield names
    for name in names.values():
        server.drop_database(name)


def filling(world: str) -> str:
    return f"""
INSERT INTO customers SELECT n, (ARRAY['US', 'DE', 'FR'])[1 + n % 3], 'City ' || n % 50, {HIDDEN[world]},
  date '2024-01-01' + n % 200 FROM generate_series(1, {ROWS}) n;
INSERT INTO orders SELECT n, 1 + n * 31 % {ROWS}, n % 500 FROM generate_series(1, {ROWS * 2}) n;"""


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, databases: dict[str, str]) -> Gate:
    upstreams = {f"plans_{world}": Upstream(name, "plans") for world, name in databases.items()}
    return make_gate(upstreams, rulebooks={"plans": BOOK})


def plan(place: Place, statement: str) -> list[str]:
    """The plan's lines, or the refusal."""
    with psycopg.connect(place.dsn()) as connection:
        try:
            return [str(row[0]) for row in connection.execute(statement.encode()).fetchall()]
        except psycopg.errors.InsufficientPrivilege as refusal:
            return [str(refusal.diag.message_primary), str(refusal.diag.message_detail)]


@pytest.mark.parametrize("statement", lines(ALLOWED))
def test_the_same_plan_whatever_is_hidden(
    statement: str, gate: Gate, server: Postgres, databases: dict[str, str]
) -> None:
    found = {world: plan(gate_place(gate, f"plans_{world}"), statement) for world in WORLDS}
    assert "refused" not in found["a"][0], found["a"]
    assert found["a"] == found["b"]
    assert found["a"] == plan(Place(server.host, server.port, databases["a"], "app", PASSWORD), statement)


@pytest.mark.parametrize("statement", lines(REFUSED))
def test_what_would_differ_is_refused(statement: str, gate: Gate, server: Postgres, databases: dict[str, str]) -> None:
    direct = [plan(Place(server.host, server.port, name, "app", PASSWORD), statement) for name in databases.values()]
    assert direct[0] != direct[1]
    for world in WORLDS:
        assert "refused" in plan(gate_place(gate, f"plans_{world}"), statement)[0]
