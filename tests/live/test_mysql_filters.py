"""Row filters on real MySQL and MariaDB: a copy that holds only the visible rows answers alike, whatever is asked."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest

from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer

WORLDS = ("fw_all", "fw_own")
REFUSED = 1142
SCHEMA = """
CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(50), country VARCHAR(2), x BIGINT, d DATE, FULLTEXT(name));
CREATE TABLE orders (id INT PRIMARY KEY, customer_id INT, total DECIMAL(8,2), note TEXT, x BIGINT, KEY (customer_id));
CREATE TABLE products (id INT PRIMARY KEY, name VARCHAR(50), x BIGINT);
"""
#: hidden rows have the name or note `hidden` and an x that no visible row has
BIG = 9223372036854775807
CUSTOMERS = [
    (n, f"n{n}", "US", n, "2024-01-02") if n % 3 else (n, "hidden", None if n == 6 else "DE", BIG, "2024-01-02")
    for n in range(1, 13)
]
ORDERS = [
    (n, n % 13, n * 10, f"o{n}" if n < 10 else "hidden", n if n < 10 else BIG) for n in range(1, 17)
]  # fmt: skip
PRODUCTS = [(n, f"p{n}", n) for n in range(1, 8)]
FILTERED = """
version: 1
rules:
  - {id: all, allow: {statements: ["*"], tables: ["*"]}}
  - {id: ours, filter: {table: customers, where: "country = 'US'"}}
  - {id: small, filter: {table: orders, where: "total < 100"}}
"""
#: nothing is filtered, and as much is withheld of errors and warnings
OPEN = """
version: 1
rules:
  - {id: all, allow: {statements: ["*"], tables: ["*"]}}
  - {id: none, filter: {table: customers, where: "1"}}
  - {id: none-too, filter: {table: orders, where: "1"}}
"""
TRAPS = (
    "{n}.x + 1 > 0", "exp({n}.x) > 0", "{n}.x * 2 <> 5", "-{n}.x - 2 < 0", "pow({n}.x, 20) > 1",
    "cot({n}.x - 9223372036854775807) <> 1",
    "(SELECT p.x FROM products p WHERE {n}.x > 1000 OR p.id = 1) = 1",
    "CASE WHEN {n}.x > 1000 THEN exp({n}.x) ELSE 1 END = 1",
    "(@seen := concat(coalesce(@seen, ''), {n}.x)) IS NOT NULL",
    "{n}.id IN (SELECT q.x + 1 FROM {t} q)", "EXISTS (SELECT 1 FROM {t} q WHERE q.x + 1 > {n}.id)",
)  # fmt: skip
CALM = (
    "{n}.id > {k}", "{n}.x <= {k}", "{n}.x IS NOT NULL", "{n}.id IN ({k}, 3, 9)", "{n}.id BETWEEN 2 AND {k}",
    "{n}.x = {n}.id",
    "{n}.id = (SELECT max(q.id) FROM {t} q)", "{n}.id IN (SELECT q.customer_id FROM orders q)", "{n}.x % 2 = 1",
    "NOT EXISTS (SELECT 1 FROM customers q WHERE q.id = {n}.id)", "{n}.x > (SELECT count(*) FROM customers)",
)  # fmt: skip
TEXTS = {"customers": "name", "orders": "note", "products": "name"}


class Maker:
    """Random statements, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def condition(self, alias: str, table: str) -> str:
        pool = TRAPS if self.random.random() < 0.4 else CALM
        text = f"{alias}.{TEXTS[table]} <> 'zz'" if self.random.random() < 0.1 else self.random.choice(pool)
        made = text.format(n=alias, k=self.random.randint(1, 12), t=table)
        if self.random.random() < 0.3:
            made = f"({made}) {self.random.choice(['AND', 'OR'])} ({self.condition(alias, table)})"
        return made

    def table(self) -> str:
        return self.random.choice(["customers", "customers", "orders", "orders", "products"])

    def query(self) -> str:
        return self.random.choice([self.plain, self.joined, self.grouped, self.nested, self.united])()

    def plain(self) -> str:
        t = self.table()
        alias = self.random.choice([t, "a"])
        named = t if alias == t else f"{t} AS {alias}"
        lock = self.random.choice(["", "", " FOR UPDATE"])
        return f"SELECT {alias}.*, {alias}.id + 1 FROM {named} WHERE {self.condition(alias, t)}{lock}"

    def joined(self) -> str:
        left, right = self.table(), self.table()
        kind = self.random.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "STRAIGHT_JOIN"])
        on = self.condition("b", right) if self.random.random() < 0.3 else "a.id = b.id"
        where = self.condition("a", left)
        return f"SELECT a.id, b.x, b.{TEXTS[right]} FROM {left} a {kind} {right} b ON {on} WHERE {where}"

    def grouped(self) -> str:
        t = self.table()
        having = self.random.choice(["", " HAVING count(*) > 0", " HAVING sum(x) < 50", " HAVING k + 0.5 < 3"])
        listed = f"id % 3 AS k, count(*), max({TEXTS[t]})"
        return f"SELECT {listed} FROM {t} a WHERE {self.condition('a', t)} GROUP BY k{having}"

    def nested(self) -> str:
        t = self.table()
        inner = f"SELECT x, id, {TEXTS[t]} AS name FROM {t} a WHERE {self.condition('a', t)}"
        if self.random.random() < 0.5:
            return f"WITH customers AS ({inner}) SELECT * FROM customers, orders WHERE orders.id = customers.id"
        return f"SELECT (SELECT count(*) FROM {t}), z.* FROM ({inner}) z WHERE {self.condition('z', 'products')}"

    def united(self) -> str:
        word = self.random.choice(["UNION ALL", "UNION"])
        return f"SELECT id, x FROM customers a WHERE {self.condition('a', 'customers')} {word} SELECT id, x FROM orders"

    def write(self) -> str:
        t = self.random.choice(["customers", "orders"])
        where = self.condition(t, t).replace("@seen", "@other")
        return self.random.choice([
            f"UPDATE {t} SET {TEXTS[t]} = 'w' WHERE {where}",
            f"UPDATE {t} SET {TEXTS[t]} = concat({TEXTS[t]}, 'w') ORDER BY id DESC LIMIT 3",
            f"UPDATE {t} SET x = 4 WHERE {TEXTS[t]} = {self.random.choice(['5', chr(39) + 'n4' + chr(39)])}",
            f"DELETE FROM {t} WHERE {where}",
            f"DELETE a FROM {t} a JOIN products p ON p.id = a.id WHERE p.x > {self.random.randint(1, 6)}",
            "UPDATE customers a JOIN orders o ON o.customer_id = a.id SET a.name = o.note, o.x = 3 WHERE a.id < 9",
            f"UPDATE products p JOIN {t} a ON a.id = p.id SET p.name = a.{TEXTS[t]}",
            f"INSERT INTO products SELECT id + 100, {TEXTS[t]}, 1 FROM {t} WHERE {where}",
            "INSERT INTO customers (id, country) VALUES (101, 'US'), (102, 'US')",
            "UPDATE customers SET country = 'US' WHERE id > 3",
        ])  # fmt: skip


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: brand.value)
def server(request: pytest.FixtureRequest) -> Iterator[MysqlServer]:
    with needed_mysql(request.param) as started:
        for world in WORLDS:
            started.create_database(world)
            started.run(SCHEMA, world)
            fill(started, world)
        yield started


def fill(server: MysqlServer, world: str) -> None:
    own = world == "fw_own"
    with server.connect(world) as connection, connection.cursor() as cursor:
        customers = [row for row in CUSTOMERS if not own or row[2] == "US"]
        cursor.executemany("INSERT INTO customers VALUES (%s, %s, %s, %s, %s)", customers)
        orders = [row for row in ORDERS if not own or row[2] < 100]
        cursor.executemany("INSERT INTO orders VALUES (%s, %s, %s, %s, %s)", orders)
        cursor.executemany("INSERT INTO products VALUES (%s, %s, %s)", PRODUCTS)
        connection.commit()


@pytest.fixture(scope="module")
def gate(server: MysqlServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    databases = {"all": Upstream("fw_all", "filtered"), "own": Upstream("fw_own", "open")}
    texts = {"filtered": FILTERED, "open": OPEN}
    started = Gate(tmp_path_factory.mktemp("gate"), server, databases, rulebooks=texts)
    yield started
    started.stop()


@pytest.fixture
def pair(gate: Gate) -> Iterator[tuple[Any, Any]]:
    made = [
        pymysql.connect(
            host="127.0.0.1", port=gate.mysql_ports[""], user="agent", password=CLIENT_PASSWORD, database=name,
            charset="utf8mb4", autocommit=False, read_timeout=30, ssl_disabled=True,
        )
        for name in ("all", "own")
    ]  # fmt: skip
    yield made[0], made[1]
    for each in made:
        each.rollback()
        each.close()


def outcome(connection: Any, text: str, ordered: bool = False) -> Any:
    """What a client learns: column names and rows, counts, warnings, or the error's number."""
    with connection.cursor() as cursor:
        try:
            cursor.execute(text)
        except pymysql.err.MySQLError as error:
            return ("error", error.args[0])
        names = [column[0] for column in cursor.description or ()]
        rows = list(cursor.fetchall())
        warnings = cursor.warning_count if hasattr(cursor, "warning_count") else 0
        return names, rows if ordered else sorted(rows, key=repr), cursor.rowcount, warnings


@pytest.mark.parametrize("part", range(2))
def test_queries_answer_alike(pair: tuple[Any, Any], part: int) -> None:
    passed = 0
    for number in range(30):
        text = Maker(part * 1000 + number).query()
        found, wanted = outcome(pair[0], text), outcome(pair[1], text)
        if found == ("error", REFUSED):
            continue
        assert found == wanted, text
        passed += found[0] != "error"
    assert passed > 15


@pytest.mark.parametrize("part", range(2))
def test_writes_answer_alike(pair: tuple[Any, Any], part: int) -> None:
    passed = 0
    for number in range(20):
        text = Maker(90_000 + part * 1000 + number).write()
        found, wanted = outcome(pair[0], text), outcome(pair[1], text)
        if found != ("error", REFUSED):
            assert found == wanted, text
            passed += found[0] != "error"
            for table in TEXTS:
                query = f"SELECT * FROM {table}"
                assert outcome(pair[0], query) == outcome(pair[1], query), text
        for each in pair:
            each.rollback()
    assert passed > 8


def test_hidden_rows_stay_as_they_are(pair: tuple[Any, Any], server: MysqlServer) -> None:
    for text in (
        "UPDATE customers SET name = 'seen', x = 1",
        "DELETE FROM orders",
        "UPDATE customers c JOIN orders o ON o.id = c.id SET c.name = 'x', o.note = 'y'",
        "DELETE FROM customers ORDER BY x DESC LIMIT 5",
    ):
        outcome(pair[0], text)
    with server.connect("fw_all") as direct, direct.cursor() as cursor:
        pair[0].commit()
        cursor.execute("SELECT id, name, x FROM customers WHERE coalesce(country, '') <> 'US' ORDER BY id")
        hidden = [(n, name, x) for n, name, country, x, _ in CUSTOMERS if country != "US"]
        assert list(cursor.fetchall()) == hidden
        cursor.execute("SELECT count(*) FROM orders")
        assert cursor.fetchone() == (sum(1 for row in ORDERS if row[2] >= 100),)
        for table in TEXTS:
            cursor.execute(f"DELETE FROM {table}")
        direct.commit()
    fill(server, "fw_all")


ATTACKS = (
    "TRUNCATE customers", "HANDLER customers OPEN", "CHECKSUM TABLE customers", "EXPLAIN SELECT * FROM customers",
    "EXPLAIN ANALYZE SELECT id FROM customers WHERE name = 'hidden'", "CREATE VIEW v AS SELECT * FROM customers",
    "REPLACE INTO customers (id, country) VALUES (3, 'US')", "INSERT INTO customers (id, country) VALUES (200, 'DE')",
    "INSERT INTO customers (id, country) VALUES (201, 'US'), (202, 'DE')", "UPDATE customers SET country = 'DE'",
    "INSERT INTO customers (id, country) VALUES (3, 'US') ON DUPLICATE KEY UPDATE country = 'US'",
    "INSERT INTO customers (id) VALUES (203)", "PREPARE s FROM 'SELECT * FROM customers'",
    "SET @x = (SELECT max(x) FROM customers)", "CREATE TABLE taken LIKE customers SELECT * FROM customers",
    "ALTER TABLE customers ADD UNIQUE (name)", "CREATE UNIQUE INDEX i ON customers (name)",
    "SELECT * FROM customers INTO OUTFILE '/tmp/x'", "LOAD DATA INFILE '/tmp/x' INTO TABLE customers",
    "SHOW STATUS LIKE 'Handler_read%'", "UPDATE customers SET country = NULL", "RENAME TABLE customers TO other",
)  # fmt: skip


@pytest.mark.parametrize("text", ATTACKS)
def test_what_no_filter_can_stand_in_for_is_refused(pair: tuple[Any, Any], text: str) -> None:
    assert outcome(pair[0], text)[0] == "error"


def test_prepared_statements_are_filtered(gate: Gate) -> None:
    connector = pytest.importorskip("mysql.connector")
    connection = connector.connect(
        host="127.0.0.1", port=gate.mysql_ports[""], user="agent", password=CLIENT_PASSWORD, database="all",
        ssl_disabled=True, use_pure=True,
    )  # fmt: skip
    cursor = connection.cursor(prepared=True)
    cursor.execute("SELECT id FROM customers WHERE id > ? ORDER BY id", (6,))
    assert cursor.fetchall() == [(7,), (8,), (10,), (11,)]
    cursor.execute("SELECT count(*) FROM orders WHERE note = ?", ("hidden",))
    assert cursor.fetchall() == [(0,)]
    connection.close()


def test_plans_stay_what_they_are(server: MysqlServer) -> None:
    """What is spliced in is merged: the primary key still serves the client's condition; a fence is not merged."""
    merged = "SELECT id FROM (SELECT * FROM customers WHERE (`customers`.`country` = 'US')) AS `customers` WHERE id = 4"
    fenced = merged.replace("'US'))", "'US') LIMIT 18446744073709551615)")
    with server.connect("fw_all") as direct, direct.cursor() as cursor:
        for text, is_merged in ((merged, True), (fenced, False)):
            cursor.execute(f"EXPLAIN FORMAT=JSON {text}")
            plan = str(cursor.fetchall())
            assert ("materialize" in plan) is not is_merged, plan
