-- 200 statements of the kinds that agents, analysts and ORMs send, one after the other.

-- ---- looking around
SELECT count(*) FROM customers;
SELECT * FROM customers LIMIT 10;
SELECT id, name, email FROM customers WHERE id = $1;
SELECT id, name, country, city FROM customers WHERE country = 'DE' ORDER BY created_at DESC LIMIT 50;
SELECT DISTINCT country FROM customers ORDER BY 1;
SELECT min(placed_at), max(placed_at), count(*) FROM orders;
SELECT * FROM products WHERE price BETWEEN 10 AND 50 AND NOT discontinued ORDER BY price;
SELECT name, price FROM products WHERE name ILIKE '%lamp%' OR attributes ->> 'color' = 'red';
SELECT * FROM orders WHERE status IN ('new', 'paid', 'packed') AND placed_at > now() - interval '7 days';
SELECT id, total FROM orders WHERE customer_id = ANY ($1) ORDER BY id;
SELECT count(*) FILTER (WHERE status = 'shipped') AS shipped, count(*) AS everything FROM orders;
SELECT * FROM reviews WHERE rating <= 2 AND body IS NOT NULL ORDER BY created_at DESC LIMIT 20 OFFSET 40;
SELECT sku, stock FROM products WHERE stock < 5;
SELECT pg_size_pretty(1234567::bigint), current_database(), version();
SELECT now(), current_date, date_trunc('month', now());
SELECT 1;
SHOW server_version;
SELECT code, name FROM countries WHERE region = 'EMEA' ORDER BY name;
SELECT * FROM tickets WHERE closed_at IS NULL ORDER BY priority DESC, opened_at;
SELECT id, subject, status FROM tickets WHERE customer_id = 42;
SELECT email FROM customers WHERE email = 'someone@mail.example';
SELECT phone, card_number FROM customers WHERE id = 7;
SELECT name, salary FROM hr.employees ORDER BY name;
SELECT * FROM coupons WHERE expires >= current_date AND used < 100;
SELECT tags, array_length(tags, 1) FROM customers WHERE 'vip' = ANY (tags);
TABLE countries;
VALUES (1, 'one'), (2, 'two'), (3, 'three');

-- ---- analytics
SELECT date_trunc('month', placed_at) AS month, count(*) AS orders, sum(total) AS revenue FROM orders GROUP BY 1 ORDER BY 1;
SELECT country, count(*) AS customers FROM customers GROUP BY country HAVING count(*) > 10 ORDER BY customers DESC;
SELECT status, avg(total)::numeric(12, 2), percentile_cont(0.5) WITHIN GROUP (ORDER BY total) FROM orders GROUP BY status;
SELECT extract(dow FROM placed_at) AS weekday, extract(hour FROM placed_at) AS hour, count(*) FROM orders GROUP BY 1, 2;
SELECT width_bucket(total, 0, 1000, 10) AS bucket, count(*), min(total), max(total) FROM orders GROUP BY bucket ORDER BY bucket;
SELECT currency, sum(total) FILTER (WHERE status = 'paid') AS paid, sum(total) FILTER (WHERE status = 'refunded') AS refunded FROM orders GROUP BY currency;
SELECT date_part('year', age(birthday)) AS age, count(*) FROM customers WHERE birthday IS NOT NULL GROUP BY 1 ORDER BY 1;
SELECT product_id, avg(rating), count(*) FROM reviews GROUP BY product_id HAVING count(*) >= 5 ORDER BY avg(rating) DESC LIMIT 10;
SELECT kind, count(DISTINCT session_id) AS sessions, count(*) AS events FROM events WHERE at >= current_date - 30 GROUP BY kind;
SELECT warehouse, sum(quantity) FROM inventory GROUP BY ROLLUP (warehouse);
SELECT country, status, count(*) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY GROUPING SETS ((country), (status), ()) ORDER BY 1, 2;
SELECT method, status, sum(amount), round(100.0 * sum(amount) / sum(sum(amount)) OVER (), 2) AS percent FROM payments GROUP BY method, status;
SELECT string_agg(name, ', ' ORDER BY name) FROM products WHERE category_id = 3;
SELECT jsonb_object_agg(sku, price) FROM products WHERE price > 100;
SELECT payload ->> 'page' AS page, count(*) FROM events WHERE kind = 'view' AND payload ? 'page' GROUP BY 1 ORDER BY 2 DESC LIMIT 25;
SELECT generate_series::date AS day, coalesce(sum(o.total), 0) FROM generate_series('2025-01-01'::timestamptz, '2025-01-31', '1 day') LEFT JOIN orders o ON o.placed_at::date = generate_series::date GROUP BY 1;
SELECT corr(price, stock), regr_slope(price, cost), stddev(price) FROM products;
SELECT CASE WHEN total < 50 THEN 'small' WHEN total < 200 THEN 'medium' ELSE 'large' END AS size, count(*) FROM orders GROUP BY 1;
SELECT to_char(placed_at, 'YYYY-MM') AS month, currency, round(avg(total), 2) AS average FROM orders WHERE status <> 'cancelled' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT priority, avg(closed_at - opened_at) AS open_for FROM tickets WHERE closed_at IS NOT NULL GROUP BY priority;
SELECT department, count(*), min(hired) FROM hr.employees GROUP BY department;
SELECT sum(quantity * unit_price * (1 - coalesce(discount, 0) / 100)) FROM order_items WHERE order_id = 1001;
SELECT date_trunc('week', created_at)::date AS week, count(*) AS signups FROM customers WHERE created_at > now() - interval '1 year' GROUP BY week ORDER BY week;
SELECT count(*) - count(shipped_at) AS waiting FROM orders WHERE status = 'paid';

-- ---- joins
SELECT o.id, c.name, o.total FROM orders o JOIN customers c ON c.id = o.customer_id WHERE o.placed_at > '2025-01-01' ORDER BY o.total DESC LIMIT 20;
SELECT c.name, c.email, count(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.id, c.name, c.email ORDER BY 3 DESC LIMIT 10;
SELECT p.name, k.name AS category, s.name AS supplier FROM products p JOIN categories k ON k.id = p.category_id JOIN suppliers s ON s.id = p.supplier_id;
SELECT o.id, i.product_id, p.name, i.quantity, i.unit_price FROM orders o JOIN order_items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id WHERE o.id = $1;
SELECT k.name, sum(i.quantity) AS sold, sum(i.quantity * i.unit_price) AS revenue FROM order_items i JOIN products p ON p.id = i.product_id JOIN categories k ON k.id = p.category_id GROUP BY k.name ORDER BY revenue DESC;
SELECT c.country, sum(o.total) AS revenue FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.status = 'paid' AND o.placed_at >= date_trunc('year', now()) GROUP BY c.country;
SELECT c.id, c.name FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id);
SELECT p.* FROM products p LEFT JOIN order_items i ON i.product_id = p.id WHERE i.id IS NULL;
SELECT a.city, count(*) FROM addresses a JOIN customers c ON c.id = a.customer_id AND a.is_default GROUP BY a.city;
SELECT e.name, m.name AS manager FROM hr.employees e LEFT JOIN hr.employees m ON m.id = e.manager_id;
SELECT o.id, p.method, p.amount, p.paid_at FROM orders o JOIN payments p USING (id) WHERE p.status = 'failed';
SELECT c.name, l.placed_at, l.total FROM customers c CROSS JOIN LATERAL (SELECT placed_at, total FROM orders o WHERE o.customer_id = c.id ORDER BY placed_at DESC LIMIT 3) l;
SELECT t.id, t.subject, c.name, c.email, e.name AS agent FROM tickets t JOIN customers c ON c.id = t.customer_id LEFT JOIN hr.employees e ON e.id = t.agent_id WHERE t.status = 'open';
SELECT r.rating, r.body, p.name, c.name FROM reviews r, products p, customers c WHERE r.product_id = p.id AND r.customer_id = c.id AND r.rating = 1;
SELECT i.warehouse, p.sku, i.quantity FROM inventory i NATURAL JOIN (SELECT id AS product_id, sku FROM products WHERE NOT discontinued) p WHERE i.quantity = 0;
SELECT c.name, array_agg(DISTINCT p.name) FROM customers c JOIN orders o ON o.customer_id = c.id JOIN order_items i ON i.order_id = o.id JOIN products p ON p.id = i.product_id GROUP BY c.name LIMIT 100;
SELECT s.name, count(p.id) AS products, avg(p.price - p.cost) AS margin FROM suppliers s LEFT JOIN products p ON p.supplier_id = s.id GROUP BY s.id, s.name HAVING count(p.id) > 0;
SELECT o.id FROM orders o FULL JOIN payments p ON p.order_id = o.id WHERE p.id IS NULL OR o.id IS NULL;
SELECT x.name, y.name FROM products x JOIN products y ON x.category_id = y.category_id AND x.id < y.id WHERE x.price = y.price;
SELECT k.name AS parent, c.name AS child FROM categories k RIGHT JOIN categories c ON c.parent_id = k.id ORDER BY 1 NULLS FIRST, 2;
SELECT c.country, n.name, n.region, count(*) FROM customers c JOIN countries n ON n.code = c.country GROUP BY c.country, n.name, n.region;
SELECT o.id, o.total, t.total AS computed FROM orders o JOIN order_totals t ON t.id = o.id WHERE o.total <> t.total;
SELECT o.id, (SELECT count(*) FROM order_items i WHERE i.order_id = o.id) AS items, (SELECT max(paid_at) FROM payments p WHERE p.order_id = o.id) AS paid FROM orders o WHERE o.customer_id = 5;
SELECT c.id FROM customers c WHERE c.id IN (SELECT customer_id FROM orders WHERE total > 500) AND c.country NOT IN ('US', 'CA');
SELECT p.name FROM products p WHERE p.price > ALL (SELECT avg(price) FROM products GROUP BY category_id);
SELECT c.name, o.total FROM customers c JOIN orders o ON o.customer_id = c.id AND o.total = (SELECT max(total) FROM orders m WHERE m.customer_id = c.id);

-- ---- common tables
WITH monthly AS (SELECT date_trunc('month', placed_at) AS month, sum(total) AS revenue FROM orders GROUP BY 1) SELECT month, revenue, revenue - lag(revenue) OVER (ORDER BY month) AS change FROM monthly ORDER BY month;
WITH top AS (SELECT customer_id, sum(total) AS spent FROM orders GROUP BY customer_id ORDER BY spent DESC LIMIT 10) SELECT c.name, c.email, t.spent FROM top t JOIN customers c ON c.id = t.customer_id;
WITH RECURSIVE tree AS (SELECT id, parent_id, name, 1 AS depth FROM categories WHERE parent_id IS NULL UNION ALL SELECT k.id, k.parent_id, k.name, t.depth + 1 FROM categories k JOIN tree t ON k.parent_id = t.id) SELECT repeat('  ', depth - 1) || name FROM tree;
WITH RECURSIVE chain (id, name, manager_id) AS (SELECT id, name, manager_id FROM hr.employees WHERE id = 7 UNION SELECT e.id, e.name, e.manager_id FROM hr.employees e, chain c WHERE e.id = c.manager_id) SELECT * FROM chain;
WITH first_orders AS (SELECT customer_id, min(placed_at) AS first FROM orders GROUP BY customer_id), cohorts AS (SELECT customer_id, date_trunc('month', first) AS cohort FROM first_orders) SELECT c.cohort, date_trunc('month', o.placed_at) AS month, count(DISTINCT o.customer_id) FROM cohorts c JOIN orders o USING (customer_id) GROUP BY 1, 2 ORDER BY 1, 2;
WITH late AS (SELECT id, customer_id FROM orders WHERE shipped_at IS NULL AND placed_at < now() - interval '5 days') SELECT c.name, c.phone, l.id FROM late l JOIN customers c ON c.id = l.customer_id;
WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT x, y FROM a, b;
WITH moved AS (DELETE FROM events WHERE at < now() - interval '2 years' RETURNING kind) SELECT kind, count(*) FROM moved GROUP BY kind;
WITH stale AS (SELECT product_id FROM inventory GROUP BY product_id HAVING max(updated_at) < now() - interval '90 days') UPDATE products SET discontinued = true FROM stale WHERE products.id = stale.product_id;
WITH n AS (INSERT INTO orders (customer_id, status, placed_at) VALUES ($1, 'new', now()) RETURNING id) INSERT INTO order_items (order_id, product_id, quantity) SELECT n.id, $2, $3 FROM n RETURNING id;
WITH ranked AS (SELECT p.*, rank() OVER (PARTITION BY category_id ORDER BY price DESC) AS place FROM products p) SELECT category_id, sku, name, price FROM ranked WHERE place <= 3;
WITH spend AS MATERIALIZED (SELECT customer_id, sum(total) AS total FROM orders GROUP BY 1), quantiles AS (SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY total) AS p90 FROM spend) SELECT c.id, c.name FROM spend s JOIN customers c ON c.id = s.customer_id, quantiles q WHERE s.total >= q.p90;
WITH daily AS (SELECT at::date AS day, customer_id FROM events GROUP BY 1, 2), gaps AS (SELECT customer_id, day, day - (row_number() OVER (PARTITION BY customer_id ORDER BY day))::int AS island FROM daily) SELECT customer_id, min(day), max(day), count(*) AS streak FROM gaps GROUP BY customer_id, island HAVING count(*) > 3;
WITH t (day) AS (SELECT generate_series(current_date - 6, current_date, interval '1 day')::date) SELECT t.day, count(o.id) FROM t LEFT JOIN orders o ON o.placed_at::date = t.day GROUP BY t.day ORDER BY t.day;
WITH best AS (SELECT product_id, sum(quantity) AS sold FROM order_items GROUP BY product_id), worst AS (SELECT product_id, avg(rating) AS rating FROM reviews GROUP BY product_id) SELECT p.name, b.sold, w.rating FROM products p LEFT JOIN best b ON b.product_id = p.id LEFT JOIN worst w ON w.product_id = p.id WHERE b.sold > 100 AND w.rating < 3;

-- ---- windows and set operations
SELECT id, customer_id, total, sum(total) OVER (PARTITION BY customer_id ORDER BY placed_at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS running FROM orders;
SELECT day, revenue, avg(revenue) OVER (ORDER BY day ROWS 6 PRECEDING) AS week_average FROM reporting.daily_sales WHERE country = 'DE';
SELECT customer_id, placed_at - lag(placed_at) OVER w AS since_last FROM orders WINDOW w AS (PARTITION BY customer_id ORDER BY placed_at);
SELECT name, price, ntile(4) OVER (ORDER BY price) AS quartile, price / max(price) OVER () AS share FROM products;
SELECT * FROM (SELECT o.*, row_number() OVER (PARTITION BY customer_id ORDER BY placed_at DESC) AS n FROM orders o) s WHERE n = 1;
SELECT department, name, dense_rank() OVER (PARTITION BY department ORDER BY hired) FROM hr.employees;
SELECT first_value(name) OVER (PARTITION BY category_id ORDER BY price), last_value(name) OVER (PARTITION BY category_id ORDER BY price RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM products;
SELECT day, revenue, revenue - lag(revenue, 7) OVER (PARTITION BY country ORDER BY day) AS change FROM reporting.daily_sales;
SELECT percent_rank() OVER (ORDER BY total), cume_dist() OVER (ORDER BY total) FROM orders WHERE status = 'paid';
SELECT 'customer' AS kind, name FROM customers UNION ALL SELECT 'supplier', name FROM suppliers ORDER BY 2 LIMIT 100;
SELECT country FROM customers INTERSECT SELECT country FROM suppliers;
SELECT id FROM products EXCEPT SELECT product_id FROM order_items;
(SELECT name, created_at FROM customers ORDER BY created_at DESC LIMIT 5) UNION ALL (SELECT name, created_at FROM products ORDER BY created_at DESC LIMIT 5);
SELECT email FROM customers UNION SELECT email FROM hr.employees;

-- ---- views
SELECT * FROM active_customers WHERE country = 'FR';
SELECT * FROM customer_value ORDER BY revenue DESC LIMIT 20;
SELECT country, sum(revenue), avg(orders) FROM customer_value GROUP BY country;
SELECT t.customer_id, c.name, t.total FROM order_totals t JOIN active_customers c ON c.id = t.customer_id WHERE t.total > 1000;
SELECT category, avg(margin) FROM reporting.product_margin GROUP BY category;
SELECT m.sku, m.margin, i.quantity FROM reporting.product_margin m JOIN inventory i ON i.product_id = m.id WHERE m.margin < 0;
SELECT v.name, a.email FROM customer_value v JOIN active_customers a USING (id) WHERE v.orders > 5;
SELECT id, order_total(id) FROM order_totals WHERE placed_at >= '2025-06-01';

-- ---- JSON, text and time
SELECT id, profile -> 'address' ->> 'street' AS street, profile #>> '{preferences,language}' AS language FROM customers;
SELECT jsonb_build_object('id', p.id, 'name', p.name, 'reviews', (SELECT jsonb_agg(jsonb_build_object('rating', r.rating, 'body', r.body)) FROM reviews r WHERE r.product_id = p.id)) FROM products p WHERE p.id = 9;
SELECT e.id, x.key, x.value FROM events e, jsonb_each_text(e.payload) x WHERE e.kind = 'click';
SELECT row_to_json(o) FROM (SELECT id, status, total FROM orders WHERE id = 5) o;
SELECT json_agg(row_to_json(t)) FROM (SELECT k.name, count(p.id) FROM categories k LEFT JOIN products p ON p.category_id = k.id GROUP BY k.name) t;
SELECT attributes @> '{"color": "red"}'::jsonb, attributes ? 'size', attributes || '{"new": true}' FROM products;
SELECT jsonb_path_query_array(attributes, '$.sizes[*] ? (@ > 10)') FROM products WHERE attributes IS NOT NULL;
SELECT lower(trim(name)), initcap(city), length(name), split_part(name, ' ', 1), regexp_replace(city, '\s+', ' ', 'g') FROM customers;
SELECT format('%s (%s)', name, country), concat_ws(', ', city, country), left(name, 1) || '.' FROM customers WHERE name ~* '^a';
SELECT to_tsvector('english', body) @@ plainto_tsquery('english', 'late delivery'), ts_rank(to_tsvector('english', body), plainto_tsquery('late')) FROM tickets;
SELECT placed_at AT TIME ZONE 'Europe/Berlin', date_bin('15 minutes', placed_at, '2025-01-01'), justify_interval(now() - placed_at) FROM orders;
SELECT unnest(tags) AS tag, count(*) FROM customers GROUP BY tag ORDER BY 2 DESC;
SELECT p.sku, s.size FROM products p CROSS JOIN LATERAL jsonb_array_elements_text(p.attributes -> 'sizes') AS s (size);
SELECT coalesce(nullif(notes, ''), 'none'), greatest(total, 0), least(total, 1000) FROM orders;

-- ---- writes
INSERT INTO orders (customer_id, status, total, currency, placed_at) VALUES ($1, 'new', $2, 'EUR', now()) RETURNING id;
INSERT INTO order_items (order_id, product_id, quantity, unit_price) VALUES (1, 10, 2, 9.99), (1, 11, 1, 19.99), (1, 12, 5, 4.5);
INSERT INTO reviews (product_id, customer_id, rating, body) VALUES (3, 4, 5, 'just right') ON CONFLICT DO NOTHING;
INSERT INTO inventory (product_id, warehouse, quantity, updated_at) VALUES ($1, $2, $3, now()) ON CONFLICT (product_id, warehouse) DO UPDATE SET quantity = inventory.quantity + excluded.quantity, updated_at = excluded.updated_at;
INSERT INTO events (session_id, customer_id, kind, payload, at) VALUES (gen_random_uuid(), 7, 'login', '{"ip": "10.0.0.1"}', now());
INSERT INTO coupons SELECT 'SPRING' || n, 10, current_date + 30, 0 FROM generate_series(1, 50) n;
INSERT INTO reporting.daily_sales SELECT placed_at::date, 'DE', count(*), sum(total) FROM orders WHERE placed_at::date = current_date - 1 GROUP BY 1;
INSERT INTO tickets (customer_id, subject, body, status, priority, opened_at) VALUES ($1, $2, $3, 'open', 2, now()) RETURNING *;
INSERT INTO customers (name, email, country) VALUES ('New Customer', 'new@mail.example', 'NL') RETURNING id, created_at;
UPDATE orders SET status = 'shipped', shipped_at = now() WHERE id = $1;
UPDATE products SET price = round(price * 1.05, 2) WHERE category_id = 4 AND NOT discontinued;
UPDATE inventory SET quantity = inventory.quantity - i.quantity FROM order_items i WHERE i.product_id = inventory.product_id AND i.order_id = $1;
UPDATE tickets SET status = 'closed', closed_at = now() WHERE id IN (SELECT id FROM tickets WHERE status = 'answered' AND opened_at < now() - interval '14 days') RETURNING id;
UPDATE orders o SET total = t.total FROM order_totals t WHERE t.id = o.id AND o.id = 99;
UPDATE customers SET active = false, updated_at = now() WHERE id = 12;
UPDATE products SET attributes = jsonb_set(coalesce(attributes, '{}'), '{color}', '"blue"') WHERE sku = 'LAMP-1';
UPDATE coupons SET used = used + 1 WHERE code = $1 AND expires >= current_date RETURNING percent;
UPDATE orders SET (status, notes) = ('cancelled', 'by customer') WHERE id = 17 AND status = 'new';
DELETE FROM reviews WHERE id = 5;
DELETE FROM order_items i USING orders o WHERE o.id = i.order_id AND o.status = 'cancelled';
DELETE FROM coupons WHERE expires < current_date RETURNING code;
DELETE FROM events WHERE at < now() - interval '1 year' AND kind = 'view';
MERGE INTO inventory i USING (VALUES (1, 'berlin', 5), (2, 'berlin', 0)) AS n (product_id, warehouse, quantity) ON i.product_id = n.product_id AND i.warehouse = n.warehouse WHEN MATCHED AND n.quantity = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET quantity = n.quantity WHEN NOT MATCHED THEN INSERT (product_id, warehouse, quantity) VALUES (n.product_id, n.warehouse, n.quantity);
MERGE INTO reporting.daily_sales d USING (SELECT placed_at::date AS day, count(*) AS orders, sum(total) AS revenue FROM orders GROUP BY 1) s ON d.day = s.day AND d.country = 'DE' WHEN MATCHED THEN UPDATE SET orders = s.orders, revenue = s.revenue WHEN NOT MATCHED THEN INSERT VALUES (s.day, 'DE', s.orders, s.revenue);
COPY order_items (order_id, product_id, quantity) FROM STDIN WITH (FORMAT csv, HEADER);

-- ---- structure and maintenance
CREATE TABLE reporting.top_products AS SELECT product_id, sum(quantity) AS sold FROM order_items GROUP BY product_id;
CREATE TABLE IF NOT EXISTS reporting.notes (id bigserial PRIMARY KEY, body text NOT NULL, created_at timestamptz DEFAULT now(), CHECK (length(body) < 1000));
CREATE INDEX IF NOT EXISTS daily_sales_country ON reporting.daily_sales (country, day DESC);
CREATE VIEW reporting.revenue AS SELECT date_trunc('month', day) AS month, sum(revenue) AS revenue FROM reporting.daily_sales GROUP BY 1;
CREATE MATERIALIZED VIEW reporting.stock AS SELECT product_id, sum(quantity) AS quantity FROM inventory GROUP BY product_id;
ALTER TABLE reporting.daily_sales ADD COLUMN returns int DEFAULT 0;
ALTER TABLE reporting.daily_sales ALTER COLUMN returns SET NOT NULL, ADD CONSTRAINT positive CHECK (returns >= 0);
DROP TABLE IF EXISTS reporting.top_products;
TRUNCATE reporting.daily_sales;
COMMENT ON TABLE reporting.daily_sales IS 'one row for each day and country';
ANALYZE reporting.daily_sales;
EXPLAIN SELECT status, count(*) FROM orders GROUP BY status;
EXPLAIN (ANALYZE, BUFFERS, FORMAT json) SELECT * FROM products WHERE price > 10;

-- ---- what ORMs and drivers write
SELECT "auth_user"."id", "auth_user"."password", "auth_user"."last_login", "auth_user"."is_superuser", "auth_user"."username", "auth_user"."first_name", "auth_user"."last_name", "auth_user"."email", "auth_user"."is_staff", "auth_user"."is_active", "auth_user"."date_joined" FROM "auth_user" WHERE "auth_user"."id" = 1 LIMIT 21;
SELECT "auth_user"."id", "auth_user"."username" FROM "auth_user" WHERE ("auth_user"."is_active" AND UPPER("auth_user"."username"::text) LIKE UPPER('%ann%')) ORDER BY "auth_user"."username" ASC LIMIT 25;
SELECT COUNT(*) AS "__count" FROM "auth_user" INNER JOIN "blog_posts" ON ("auth_user"."id" = "blog_posts"."author_id") WHERE "blog_posts"."published" = true;
SELECT "django_session"."session_key", "django_session"."session_data", "django_session"."expire_date" FROM "django_session" WHERE ("django_session"."expire_date" > '2025-06-01T00:00:00+00:00'::timestamptz AND "django_session"."session_key" = 'abc') LIMIT 21;
UPDATE "django_session" SET "session_data" = 'x', "expire_date" = '2025-07-01T00:00:00+00:00'::timestamptz WHERE "django_session"."session_key" = 'abc';
SELECT (1) AS "a" FROM "blog_posts" WHERE "blog_posts"."slug" = 'hello' LIMIT 1;
INSERT INTO "blog_posts" ("author_id", "title", "body", "slug", "published", "created_at", "updated_at") VALUES (1, 'Hello', 'World', 'hello', true, '2025-06-01', '2025-06-01') RETURNING "blog_posts"."id";
SELECT "blog_posts".* FROM "blog_posts" WHERE "blog_posts"."published" = $1 ORDER BY "blog_posts"."created_at" DESC LIMIT $2 OFFSET $3;
SELECT "blog_posts"."id" AS t0_r0, "blog_posts"."title" AS t0_r1, "auth_user"."id" AS t1_r0, "auth_user"."username" AS t1_r1 FROM "blog_posts" LEFT OUTER JOIN "auth_user" ON "auth_user"."id" = "blog_posts"."author_id" WHERE "blog_posts"."id" IN ($1, $2, $3, $4, $5);
SELECT 1 AS one FROM "blog_posts" WHERE "blog_posts"."slug" = $1 AND "blog_posts"."id" != $2 LIMIT $3;
UPDATE "blog_posts" SET "title" = $1, "updated_at" = $2 WHERE "blog_posts"."id" = $3;
SELECT customers.id AS customers_id, customers.name AS customers_name, customers.email AS customers_email, customers.created_at AS customers_created_at FROM customers WHERE customers.id = $1::BIGINT;
SELECT orders.id AS orders_id, orders.status AS orders_status, anon_1.customers_id AS anon_1_customers_id FROM (SELECT customers.id AS customers_id FROM customers WHERE customers.country = $1::VARCHAR LIMIT $2::INTEGER) AS anon_1 JOIN orders ON anon_1.customers_id = orders.customer_id ORDER BY anon_1.customers_id;
SELECT count(*) AS count_1 FROM (SELECT orders.id AS orders_id, orders.total AS orders_total FROM orders JOIN customers AS customers_1 ON customers_1.id = orders.customer_id WHERE customers_1.active IS true AND orders.total >= $1::NUMERIC) AS anon_1;
INSERT INTO order_items (order_id, product_id, quantity) SELECT p0::BIGINT, p1::BIGINT, p2::INTEGER FROM (VALUES ($1, $2, $3, 0), ($4, $5, $6, 1)) AS imp_sen(p0, p1, p2, sen_counter) ORDER BY sen_counter RETURNING order_items.id, order_items.id AS id__1;
SELECT EXISTS (SELECT 1 FROM orders WHERE orders.customer_id = $1 AND orders.status = 'new') AS anon_1;
SELECT "p"."id", "p"."name", "p"."price" FROM "public"."products" AS "p" WHERE ("p"."price" >= $1 AND "p"."category_id" IN ($2, $3)) ORDER BY "p"."id" ASC LIMIT $4 OFFSET $5;
SELECT coalesce(json_agg("root"), '[]') AS "root" FROM (SELECT row_to_json((SELECT "_e" FROM (SELECT "_root.base"."id" AS "id", "_root.base"."status" AS "status") AS "_e")) AS "root" FROM (SELECT * FROM "public"."orders" WHERE (("public"."orders"."status") = (($1)::text))) AS "_root.base") AS "_root";

-- ---- sessions and the catalog
BEGIN;
SET TIME ZONE 'UTC';
SET statement_timeout = '30s';
COMMIT;
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY table_name;
SELECT column_name, data_type, is_nullable FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'orders' ORDER BY ordinal_position;
SELECT c.relname, n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND pg_catalog.pg_table_is_visible(c.oid);
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum;
SELECT t.oid, t.typname FROM pg_type t LEFT JOIN pg_namespace n ON t.typnamespace = n.oid WHERE t.typname = ANY (ARRAY['int8', 'text', 'numeric']);
SELECT attname, pg_get_expr(adbin, adrelid) FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = 'orders'::regclass AND attnum > 0;
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'orders';
SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'orders'::regclass;
DECLARE page NO SCROLL CURSOR FOR SELECT id, status, total FROM orders WHERE placed_at >= '2025-01-01' ORDER BY id;
FETCH FORWARD 100 FROM page;
PREPARE by_customer (bigint) AS SELECT id, total FROM orders WHERE customer_id = $1;
EXECUTE by_customer (42);
