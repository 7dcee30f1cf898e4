"""Statements that try to see rows which a filter hides, or to learn that they are there.

What each gives must be what it gives where those rows do not exist, or it must be refused."""

from __future__ import annotations

ATTACKS = r"""
SELECT * FROM customers WHERE id = 3 OR true
SELECT * FROM customers WHERE true) OR (true
SELECT * FROM customers WHERE id = 3 -- ) AND (
SELECT * FROM customers -- WHERE
SELECT * FROM customers /* WHERE */ WHERE /* x */ id > 0 /* y
*/ OR name = '--'
SELECT * FROM customers WHERE name = ')' OR name <> '('
SELECT * FROM customers WHERE name <> $$) OR (true$$ OR name = $a$ WHERE $a$
SELECT * FROM customers WHERE name <> E'\') OR true --'
SELECT * FROM customers WHERE name <> U&'\0027 OR true --'
SELECT * FROM "customers" WHERE "customers"."id" > 0
SELECT * FROM public.customers WHERE public.customers.id > 0
SELECT * FROM CUSTOMERS WHERE CUSTOMERS.ID > 0
SELECT * FROM U&"c\0075stomers"
TABLE customers
(TABLE customers) UNION ALL (TABLE public.customers)
SELECT (SELECT string_agg(name, ',' ORDER BY id) FROM customers)
SELECT ARRAY(SELECT name FROM customers ORDER BY id)
SELECT EXISTS (SELECT FROM customers WHERE x = 5)
SELECT 1 WHERE 'hidden' IN (SELECT name FROM customers)
SELECT 1 WHERE 'hidden' NOT IN (SELECT name FROM customers)
SELECT p.id, (SELECT c.name FROM customers c WHERE c.x = p.x LIMIT 1) FROM products p
SELECT p.id, l.* FROM products p, LATERAL (SELECT name FROM customers c WHERE c.id = p.id) l
SELECT p.id, l.* FROM products p LEFT JOIN LATERAL (SELECT * FROM customers c WHERE c.id = p.id) l ON true
SELECT customers.name FROM products AS customers, public.customers AS products WHERE customers.id = products.id
SELECT country.name FROM customers AS country (id, name) WHERE country.id > 0
SELECT c.* FROM customers AS c (name, country, id, owner, x) WHERE c.owner IS NOT NULL
SELECT * FROM customers AS owner (country, owner)
SELECT * FROM (customers AS c CROSS JOIN products) AS j
SELECT * FROM (customers JOIN products USING (id)) AS j (country, owner)
SELECT * FROM products LEFT JOIN customers USING (id)
SELECT * FROM products NATURAL LEFT JOIN customers
SELECT * FROM customers NATURAL FULL JOIN products
SELECT * FROM customers c FULL JOIN products p ON c.id = p.id WHERE c.country IS NULL
SELECT * FROM products p LEFT JOIN customers c ON c.id = p.id WHERE c.id IS NULL
SELECT * FROM customers c RIGHT JOIN products p ON c.x = 5
SELECT p.* FROM products p LEFT JOIN (customers c JOIN orders o ON o.customer_id = c.id) ON c.id = p.id
WITH customers AS (SELECT * FROM customers) SELECT * FROM customers
WITH c AS (SELECT * FROM customers), customers AS (SELECT 1 AS id) SELECT * FROM c
WITH RECURSIVE r AS (SELECT id FROM customers UNION SELECT c.id FROM customers c, r WHERE c.x = r.id) SELECT * FROM r
WITH x AS (SELECT 1) SELECT * FROM public.customers
WITH country AS (SELECT 'US') SELECT * FROM customers
SELECT * FROM contacts WHERE id = 3
SELECT * FROM over_view
SELECT * FROM counted WHERE name = 'DE'
SELECT * FROM all_names WHERE name = 'hidden'
SELECT * FROM ratios WHERE x > 0
SELECT * FROM ratios r WHERE r.x = 12 / (r.id - 3)
SELECT count(*) FROM ratios
WITH public AS (SELECT 1), customers AS (SELECT 2) SELECT * FROM contacts
SELECT id FROM customers WHERE 1 / (x - 5) IS NULL
SELECT id FROM customers WHERE id = 3 AND 1 / (x - 5) > 0
SELECT id FROM customers WHERE CASE WHEN x = 5 THEN 1 / 0 END = 1
SELECT id FROM customers WHERE x = 5 AND 1 / (length(now()::text) - length(now()::text)) > 0
SELECT id FROM customers WHERE x = 5 AND (random() * 0)::int / (random() * 0)::int = 1
SELECT id FROM customers WHERE name::int > 0 AND name ~ '^[0-9]'
SELECT id FROM customers WHERE plus(x) > 0
SELECT id FROM customers WHERE x = 5 AND name LIKE 'hidde\'
SELECT id FROM customers WHERE x = 5 AND name ~ '('
SELECT id FROM customers WHERE x = 5 AND date_trunc('nonsense', now()) IS NULL
SELECT id FROM customers WHERE x = 5 AND split_part(name, 'd', 0) = ''
SELECT id FROM customers WHERE x = 5 AND (SELECT v FROM (VALUES (1), (2)) v(v)) = 1
SELECT c.id FROM customers c, (VALUES (0)) v (z) WHERE c.x = 5 AND 1 / v.z = 1
SELECT c.id FROM products p JOIN customers c ON c.id = p.id AND 1 / (c.x - 5) > 0
SELECT p.id FROM products p WHERE EXISTS (SELECT FROM customers c WHERE c.x = 5 AND 1 / (p.x - p.x) = 1)
SELECT id FROM (SELECT id, 1 / (x - 5) AS y FROM customers) q WHERE y > 0
SELECT id FROM (SELECT id, x FROM customers) q WHERE 1 / (x - 5) > 0
SELECT id FROM (SELECT id, x FROM customers UNION ALL SELECT id, x FROM products) q WHERE 1 / (x - 5) > 0
SELECT max(id) FROM customers HAVING 1 / (max(x) - 5) > 0
SELECT id FROM customers GROUP BY id HAVING 1 / (id - 3) > 0
SELECT id FROM customers ORDER BY 1 / (x - 5), id
SELECT DISTINCT ON (1 / (x - 5)) id FROM customers ORDER BY 1 / (x - 5), id
SELECT id, 1 / (x - 5) FROM customers
SELECT id, generate_series(1, 1 / (x - 5)) FROM customers
SELECT id FROM customers, generate_series(1, 12 / (x - 5)) LIMIT 1000
SELECT id, lead(x) OVER (ORDER BY id), count(*) OVER () FROM customers
SELECT id, count(*) FILTER (WHERE 1 / (x - 5) > 0) FROM customers GROUP BY id
SELECT c FROM customers c
SELECT row_to_json(c) FROM customers c ORDER BY id
SELECT c.* FROM customers c WHERE c = (SELECT k FROM customers k WHERE k.id = c.id)
SELECT customers FROM customers
SELECT (customers).name FROM customers
SELECT (c).* FROM customers c
SELECT ctid IS NULL FROM customers
SELECT tableoid::regclass, id FROM animals
SELECT * FROM animals
SELECT * FROM ONLY animals
SELECT * FROM animals *
SELECT * FROM dogs
SELECT * FROM public.dogs * WHERE breed = 'b'
SELECT * FROM events
SELECT * FROM events_1
SELECT * FROM events_2 e WHERE e.name = 'hidden'
SELECT tableoid::regclass, count(*) FROM events GROUP BY 1
SELECT * FROM customers TABLESAMPLE bernoulli (100)
SELECT * FROM customers AS c TABLESAMPLE bernoulli (100) REPEATABLE (1) WHERE 1 / (x - 5) < 9
SELECT id FROM customers FOR UPDATE
SELECT id FROM customers FOR SHARE SKIP LOCKED
SELECT id FROM customers WHERE 1 / (x - 5) < 9 FOR UPDATE
UPDATE customers SET name = 'seen' RETURNING id, name
UPDATE customers SET name = name || (SELECT count(*) FROM customers) WHERE id = 3 RETURNING *
UPDATE customers SET x = 1 WHERE 1 / (x - 5) > 0 OR true RETURNING id
UPDATE customers SET country = 'US' WHERE id = 3 RETURNING id
UPDATE customers SET country = country, owner = 'agent' RETURNING id
UPDATE ONLY customers c SET x = p.x FROM products p LEFT JOIN customers k USING (id) WHERE p.id = c.id RETURNING p.id
UPDATE products SET name = c.name FROM customers c WHERE c.id = products.id RETURNING products.name
UPDATE products SET name = (SELECT name FROM customers c WHERE c.id = products.id) RETURNING name
UPDATE products SET (name, x) = (SELECT name, x FROM customers c WHERE c.id = products.id) RETURNING name
UPDATE events_1 SET x = 9 RETURNING id
UPDATE animals SET x = 9 RETURNING id
DELETE FROM customers WHERE id = 3 RETURNING *
DELETE FROM customers RETURNING (SELECT count(*) FROM customers)
DELETE FROM products USING customers c WHERE c.id = products.id RETURNING c.name
DELETE FROM customers WHERE CASE WHEN x = 5 THEN 1 / 0 > 0 ELSE true END RETURNING id
WITH d AS (DELETE FROM customers RETURNING *) SELECT * FROM d
WITH u AS (UPDATE orders SET x = 1 RETURNING *) SELECT u.id, c.name FROM u JOIN customers c ON c.id = u.customer_id
INSERT INTO empty_log (name) SELECT name FROM customers RETURNING name
INSERT INTO empty_log (name) TABLE contacts RETURNING name
INSERT INTO empty_log (name) VALUES ((SELECT max(name) FROM customers)) RETURNING name
INSERT INTO empty_log (id) SELECT 1 FROM customers WHERE 1 / (x - 5) < 9 RETURNING id
INSERT INTO customers (id, country) VALUES (100, 'US') RETURNING (SELECT count(*) FROM customers)
MERGE INTO products p USING customers c ON c.id = p.id WHEN MATCHED THEN DELETE
MERGE INTO customers c USING products p ON c.id = p.id WHEN MATCHED THEN UPDATE SET name = 'seen'
MERGE INTO customers c USING products p ON c.id = p.id AND 1 / (c.x - 5) < 9 WHEN MATCHED THEN DELETE
MERGE INTO products p USING (SELECT * FROM customers) c ON c.id = p.id WHEN MATCHED AND c.x = 5 THEN DELETE
CREATE TABLE stolen AS SELECT * FROM customers
CREATE TEMP TABLE stolen AS TABLE contacts
SELECT * INTO stolen FROM customers
CREATE VIEW stolen AS SELECT * FROM customers
CREATE MATERIALIZED VIEW stolen AS SELECT * FROM customers
CREATE TABLE stolen () INHERITS (customers)
CREATE INDEX ON customers ((1 / (x - 5)))
ALTER TABLE customers ADD CHECK (x <> 5)
ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers
TRUNCATE customers
DROP TABLE customers CASCADE
COPY customers TO STDOUT
COPY customers (name) TO STDOUT
COPY (SELECT * FROM customers) TO STDOUT
COPY (TABLE contacts) TO STDOUT
COPY customers TO '/tmp/stolen'
COPY customers FROM STDIN
EXPLAIN ANALYZE SELECT * FROM customers
EXPLAIN (COSTS) SELECT * FROM customers WHERE x = 5
DO $$ BEGIN PERFORM * FROM customers; END $$
DECLARE d CURSOR FOR SELECT * FROM customers
PREPARE p AS SELECT * FROM customers WHERE x = $1
SELECT query_to_xml('SELECT * FROM customers', true, true, '')
SELECT * FROM pg_stats WHERE tablename = 'customers'
SELECT most_common_vals FROM pg_stats
SELECT json_populate_record(NULL::customers, '{}')
SELECT NULL::customers
SELECT id FROM customers WHERE country = 'US' UNION SELECT id FROM customers WHERE country <> 'US'
SELECT id FROM customers EXCEPT SELECT id FROM customers WHERE country = 'US'
SELECT CASE WHEN EXISTS (SELECT FROM customers WHERE name LIKE 'h%') THEN 1 / 0 END
SELECT id FROM customers c WHERE c.country = 'US' AND (SELECT true) OR c.owner IS NULL
SELECT id FROM customers LIMIT (SELECT count(*) FROM customers)
SELECT id FROM products OFFSET (SELECT count(*) FROM customers WHERE x = 5)
VALUES ((SELECT count(*) FROM customers), (SELECT max(name) FROM contacts))
SELECT f.* FROM customers c, ROWS FROM (unnest(c.tags), generate_series(1, 2)) AS f
SELECT u FROM customers, unnest(tags) AS u
SELECT 1 FROM customers GROUP BY GROUPING SETS ((id), ())
SELECT x, sum(id) OVER w FROM customers WINDOW w AS (PARTITION BY 1 / (x - 5))
""".strip()


def attacks() -> list[str]:
    """One statement a line; a line that begins with `*/` goes on from the one before."""
    found: list[str] = []
    for line in ATTACKS.splitlines():
        if line.startswith("*/"):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return found
