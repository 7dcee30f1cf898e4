"""Where filters go in a text."""

from __future__ import annotations

import pytest

from tests.rules.filters.shop import context, decided, refused, sent

VISIBLE = "(COUNTRY = 'US')"
C = """("c"."country" = 'US')"""
CONTACTS = (
    '(SELECT * FROM ( SELECT c.id, c.name AS who FROM "public".customers c WHERE ("c"."country" = \'US\') AND (c.x > 1))'
    ' AS "contacts"("id", "who"))'
)
INLINE = {
    "SELECT * FROM customers": f"SELECT * FROM customers WHERE {VISIBLE}",
    "SELECT 1 FROM customers c WHERE c.id = 5 OR true -- end": f"SELECT 1 FROM customers c WHERE {C} AND (c.id = 5 OR true) -- end",
    "SELECT 1 FROM customers c WHERE(id = 5)": f"SELECT 1 FROM customers c WHERE {C} AND ((id = 5))",
    "SELECT 1 FROM customers c WHERE -- why\nid = 5\nORDER BY 1": f"SELECT 1 FROM customers c WHERE -- why\n{C} AND (id = 5)\nORDER BY 1",
    "SELECT '(', $$ WHERE $$, 'x;--' FROM customers c LIMIT 1": f"SELECT '(', $$ WHERE $$, 'x;--' FROM customers c WHERE {C} LIMIT 1",
    "SELECT x IS DISTINCT FROM id FROM customers": f"SELECT x IS DISTINCT FROM id FROM customers WHERE {VISIBLE}",
    "SELECT c.name AS from FROM customers c": f"SELECT c.name AS from FROM customers c WHERE {C}",
    "SELECT extract(year FROM now()) FROM customers c": f"SELECT extract(year FROM now()) FROM customers c WHERE {C}",
    "SELECT * FROM orders o LEFT JOIN customers c ON c.id = o.id WHERE o.id = 3": f"SELECT * FROM orders o LEFT JOIN customers c ON {C} AND (c.id = o.id) WHERE o.id = 3",
    "SELECT * FROM customers c RIGHT JOIN orders o ON c.id = o.id": f"SELECT * FROM customers c RIGHT JOIN orders o ON {C} AND (c.id = o.id)",
    "SELECT * FROM customers c LEFT JOIN orders USING (id)": f"SELECT * FROM customers c LEFT JOIN orders USING (id) WHERE {C}",
    "SELECT * FROM (orders o JOIN customers c ON o.id = c.id) AS j": f"SELECT * FROM (orders o JOIN customers c ON {C} AND (o.id = c.id)) AS j",
    "SELECT (SELECT count(*) FROM customers c WHERE c.id = o.id) FROM orders o": f"SELECT (SELECT count(*) FROM customers c WHERE {C} AND (c.id = o.id)) FROM orders o",
    "SELECT ctid, tableoid, c FROM customers c GROUP BY c.id": f"SELECT ctid, tableoid, c FROM customers c WHERE {C} GROUP BY c.id",
    "SELECT 1 FROM customers c FOR UPDATE OF c": f"SELECT 1 FROM customers c WHERE {C} FOR UPDATE OF c",
    "TABLE customers": f"SELECT * FROM customers WHERE {VISIBLE}",
    "TABLE customers UNION TABLE public.customers ORDER BY 1": f"SELECT * FROM customers WHERE {VISIBLE} UNION SELECT * FROM public.customers WHERE {VISIBLE} ORDER BY 1",
    "WITH customers AS (SELECT 1) SELECT * FROM customers": "WITH customers AS (SELECT 1) SELECT * FROM customers",
    "WITH x AS (SELECT * FROM customers), customers AS (SELECT 1) SELECT * FROM x, customers": f"WITH x AS (SELECT * FROM customers WHERE {VISIBLE}), customers AS (SELECT 1) SELECT * FROM x, customers",
    "WITH customers AS (SELECT * FROM customers) SELECT * FROM customers": f"WITH customers AS (SELECT * FROM customers WHERE {VISIBLE}) SELECT * FROM customers",
    'SELECT * FROM "public"."customers" AS "C"': """SELECT * FROM "public"."customers" AS "C" WHERE ("C"."country" = 'US')""",
    "SELECT * FROM customers TABLESAMPLE system (10)": f"SELECT * FROM customers TABLESAMPLE system (10) WHERE {VISIBLE}",
    "SELECT * FROM hr.customers": "SELECT * FROM hr.customers",
    "SELECT * FROM ONLY animals": "SELECT * FROM ONLY animals",
    "SELECT * FROM events_1 e": """SELECT * FROM events_1 e WHERE ("e"."country" IN ('US', 'CA'))""",
    "UPDATE customers SET name = 'x' WHERE id = 3 RETURNING *": f"UPDATE customers SET name = 'x' WHERE {VISIBLE} AND (id = 3) RETURNING *",
    "DELETE FROM customers": f"DELETE FROM customers WHERE {VISIBLE}",
    "DELETE FROM ONLY customers c USING orders o WHERE o.id = c.id": f"DELETE FROM ONLY customers c USING orders o WHERE {C} AND (o.id = c.id)",
    "UPDATE orders o SET note = c.name FROM customers c WHERE c.id = o.id": f"UPDATE orders o SET note = c.name FROM customers c WHERE {C} AND (c.id = o.id)",
    "INSERT INTO orders SELECT id, id FROM customers": f"INSERT INTO orders SELECT id, id FROM customers WHERE {VISIBLE}",
    "MERGE INTO customers c USING orders o ON c.id = o.id WHEN MATCHED THEN DELETE": f"MERGE INTO customers c USING orders o ON {C} AND (c.id = o.id) WHEN MATCHED THEN DELETE",
    "PREPARE p AS SELECT 1 FROM customers": f"PREPARE p AS SELECT 1 FROM customers WHERE {VISIBLE}",
    "DECLARE d CURSOR FOR SELECT 1 FROM customers": f"DECLARE d CURSOR FOR SELECT 1 FROM customers WHERE {VISIBLE}",
    "CREATE TABLE t AS SELECT id FROM customers WITH NO DATA": f"CREATE TABLE t AS SELECT id FROM customers WHERE {VISIBLE} WITH NO DATA",
    "SELECT id INTO t FROM customers WHERE id = 3": f"SELECT id INTO t FROM customers WHERE {VISIBLE} AND (id = 3)",
    "CREATE VIEW v AS SELECT id FROM customers": f"CREATE VIEW v AS SELECT id FROM customers WHERE {VISIBLE}",
    "COPY (SELECT id FROM customers) TO STDOUT": f"COPY (SELECT id FROM customers WHERE {VISIBLE}) TO STDOUT",
    "COPY customers (id, name) TO STDOUT": f'COPY (SELECT "id", "name" FROM ONLY customers WHERE {VISIBLE})  TO STDOUT',
}  # fmt: skip
FENCED = {
    "SELECT 1 FROM customers WHERE 1 / (x - 5) > 0": f'SELECT 1 FROM (SELECT * FROM customers WHERE {VISIBLE} OFFSET 0) AS "customers" WHERE 1 / (x - 5) > 0',
    "SELECT 1 FROM customers c WHERE shout(c.name) = 'X'": f"SELECT 1 FROM (SELECT * FROM customers WHERE {VISIBLE} OFFSET 0) c WHERE shout(c.name) = 'X'",
    "SELECT public.customers.x FROM customers WHERE name::int = 1": f'SELECT customers.x FROM (SELECT * FROM customers WHERE {VISIBLE} OFFSET 0) AS "customers" WHERE name::int = 1',
    "SELECT 1 / x FROM customers c": f"SELECT 1 / x FROM customers c WHERE {C}",
    "SELECT a FROM customers AS c (a, b)": f"SELECT a FROM (SELECT * FROM customers WHERE {VISIBLE}) AS c (a, b)",
    "SELECT 1 FROM orders o FULL JOIN customers c ON c.id = o.id": f"SELECT 1 FROM orders o FULL JOIN (SELECT * FROM customers WHERE {VISIBLE}) c ON c.id = o.id",
    "SELECT 1 FROM orders LEFT JOIN customers USING (id)": f'SELECT 1 FROM orders LEFT JOIN (SELECT * FROM customers WHERE {VISIBLE}) AS "customers" USING (id)',
    "SELECT 1 FROM (orders o JOIN customers c USING (id)) AS j": f"SELECT 1 FROM (orders o JOIN (SELECT * FROM customers WHERE {VISIBLE}) c USING (id)) AS j",
    "SELECT 1 FROM customers c TABLESAMPLE system (9) WHERE 1 / x = 1": f"SELECT 1 FROM (SELECT * FROM customers TABLESAMPLE system (9) WHERE {VISIBLE} OFFSET 0) c  WHERE 1 / x = 1",
    "DELETE FROM customers c WHERE 1 / x = 1": f"DELETE FROM customers c WHERE CASE WHEN {C} THEN (1 / x = 1) END",
    "MERGE INTO orders o USING customers c ON c.id = o.id WHEN MATCHED THEN DELETE": f"MERGE INTO orders o USING (SELECT * FROM customers WHERE {VISIBLE}) c ON c.id = o.id WHEN MATCHED THEN DELETE",
    "SELECT who FROM contacts": f'SELECT who FROM {CONTACTS} AS "contacts"',
    "SELECT public.contacts.who FROM contacts": f'SELECT contacts.who FROM {CONTACTS} AS "contacts"',
    "WITH customers AS (SELECT 1) SELECT k.who FROM contacts AS k": f"WITH customers AS (SELECT 1) SELECT k.who FROM {CONTACTS} AS k",
    "SELECT y FROM risky WHERE y = 1": f'SELECT y FROM (SELECT * FROM ( SELECT 1 / (x - 5) AS y FROM (SELECT * FROM "public".customers WHERE {VISIBLE} OFFSET 0) AS "customers") AS "risky"("y")) AS "risky" WHERE y = 1',
}  # fmt: skip
REFUSED = {
    "SELECT * FROM animals": "tame",
    "SELECT * FROM kept": "dbgate:filter",
    "TRUNCATE customers": "us",
    "DROP TABLE customers": "us",
    "COPY customers FROM STDIN": "us",
    "ALTER TABLE customers RENAME TO c": "dbgate:structure",
    "CREATE INDEX ON customers (id)": "dbgate:structure",
    "DO $$ BEGIN END $$": "dbgate:structure",
    "EXPLAIN SELECT * FROM customers": "dbgate:explain",
    "EXPLAIN SELECT * FROM contacts": "dbgate:explain",
    "CREATE MATERIALIZED VIEW v AS SELECT * FROM customers": "us",
    "DELETE FROM customers WHERE CURRENT OF d": "us",
    "EXECUTE p((SELECT count(*) FROM customers))": "us",
    "UPDATE contacts SET who = 'x'": "dbgate:filter",
    "SELECT ctid FROM customers WHERE 1 / x = 1": "dbgate:filter",
    "MERGE INTO customers c USING orders o ON c.id = o.id WHEN NOT MATCHED BY SOURCE THEN DELETE": "dbgate:filter",
    'SELECT * FROM U&"customers"': "dbgate:filter",
}


@pytest.mark.parametrize("sql", INLINE | FENCED)
def test_filters_are_spliced_into_the_text(sql: str) -> None:
    assert sent(sql) == (INLINE | FENCED)[sql]


@pytest.mark.parametrize("sql", REFUSED)
def test_what_cannot_be_filtered_is_refused(sql: str) -> None:
    assert refused(sql) == REFUSED[sql]


def test_operators_must_be_those_of_the_system() -> None:
    assert refused("SELECT * FROM customers", "public", "pg_catalog") == "dbgate:filter"
    assert sent("SELECT * FROM customers c", "pg_catalog", "public") == f"SELECT * FROM customers c WHERE {C}"


def test_each_statement_of_a_text_has_its_own_edits() -> None:
    text = b"SELECT 1; SELECT * FROM customers c; DELETE FROM customers c -- x"
    one, two, three = context("public").decide(text)
    assert one.rewrite is None
    assert two.rewrite is not None
    assert three.rewrite is not None
    assert three.rewrite.apply(two.rewrite.apply(text)[: len(text)])[:0] == b""
    edits = (*two.rewrite.edits, *three.rewrite.edits)
    assert [text[: e.start].count(b";") for e in edits] == [1, 2]


def test_a_filtered_table_hides_data() -> None:
    made = context("public")
    assert not made.view.unrestricted
    assert made.view.hides_in(("public", "customers"))
    assert made.view.hides_in(("public", "animals"))
    assert not made.view.hides_in(("public", "orders"))
    decision = decided("SELECT * FROM customers")
    assert decision.hides
    assert decision.rules == ("all", "us")
    assert decided("SELECT * FROM orders").observed == ("seen",)
