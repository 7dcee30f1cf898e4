-- A shop with the usual tables, views and functions: what the statements beside this file ask about.
CREATE SCHEMA hr;
CREATE SCHEMA reporting;

CREATE TABLE countries (code text PRIMARY KEY, name text NOT NULL, region text);
CREATE TABLE customers (
  id bigserial PRIMARY KEY, name text NOT NULL, email text UNIQUE, phone text, ssn text, card_number text,
  country text REFERENCES countries, city text, birthday date, profile jsonb, tags text[], active boolean DEFAULT true,
  created_at timestamptz DEFAULT now(), updated_at timestamptz
);
CREATE TABLE addresses (
  id bigserial PRIMARY KEY, customer_id bigint REFERENCES customers, line1 text, line2 text, city text, postcode text,
  country text, is_default boolean
);
CREATE TABLE suppliers (id bigserial PRIMARY KEY, name text, country text, iban text, rating numeric(3,2));
CREATE TABLE categories (id bigserial PRIMARY KEY, parent_id bigint REFERENCES categories, name text, slug text);
CREATE TABLE products (
  id bigserial PRIMARY KEY, sku text UNIQUE, name text, category_id bigint REFERENCES categories,
  supplier_id bigint REFERENCES suppliers, price numeric(12,2), cost numeric(12,2), stock int, weight double precision,
  attributes jsonb, discontinued boolean DEFAULT false, created_at timestamptz
);
CREATE TABLE orders (
  id bigserial PRIMARY KEY, customer_id bigint REFERENCES customers, status text, total numeric(12,2), currency text,
  shipping_address_id bigint, coupon text, placed_at timestamptz, shipped_at timestamptz, notes text
) PARTITION BY RANGE (placed_at);
CREATE TABLE orders_2024 PARTITION OF orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE orders_2025 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE order_items (
  id bigserial PRIMARY KEY, order_id bigint, product_id bigint REFERENCES products, quantity int,
  unit_price numeric(12,2), discount numeric(5,2)
);
CREATE TABLE payments (
  id bigserial PRIMARY KEY, order_id bigint, method text, card_number text, amount numeric(12,2), status text,
  paid_at timestamptz
);
CREATE TABLE reviews (
  id bigserial PRIMARY KEY, product_id bigint, customer_id bigint, rating int, body text, created_at timestamptz
);
CREATE TABLE events (
  id bigserial PRIMARY KEY, session_id uuid, customer_id bigint, kind text, payload jsonb, at timestamptz
);
CREATE TABLE tickets (
  id bigserial PRIMARY KEY, customer_id bigint, agent_id bigint, subject text, body text, status text, priority int,
  opened_at timestamptz, closed_at timestamptz
);
CREATE TABLE inventory (product_id bigint, warehouse text, quantity int, updated_at timestamptz,
  PRIMARY KEY (product_id, warehouse));
CREATE TABLE coupons (code text PRIMARY KEY, percent numeric(5,2), expires date, used int);
CREATE TABLE api_keys (id bigserial PRIMARY KEY, owner text, secret text, created_at timestamptz);
CREATE TABLE hr.employees (
  id bigserial PRIMARY KEY, name text, email text, salary numeric(12,2), manager_id bigint, department text, hired date
);
CREATE TABLE reporting.daily_sales (day date, country text, orders int, revenue numeric(14,2), PRIMARY KEY (day, country));
CREATE TABLE auth_user (
  id serial PRIMARY KEY, password text, last_login timestamptz, is_superuser boolean, username text, first_name text,
  last_name text, email text, is_staff boolean, is_active boolean, date_joined timestamptz
);
CREATE TABLE django_session (session_key text PRIMARY KEY, session_data text, expire_date timestamptz);
CREATE TABLE blog_posts (
  id bigserial PRIMARY KEY, author_id int, title text, body text, slug text, published boolean, created_at timestamp,
  updated_at timestamp
);

CREATE VIEW active_customers AS SELECT id, name, email, country, city FROM customers WHERE active;
CREATE VIEW order_totals AS
  SELECT o.id, o.customer_id, o.placed_at, sum(i.quantity * i.unit_price * (1 - coalesce(i.discount, 0) / 100)) AS total
  FROM orders o JOIN order_items i ON i.order_id = o.id GROUP BY o.id, o.customer_id, o.placed_at;
CREATE VIEW customer_value AS
  SELECT c.id, c.name, c.country, count(t.id) AS orders, coalesce(sum(t.total), 0) AS revenue
  FROM active_customers c LEFT JOIN order_totals t ON t.customer_id = c.id GROUP BY c.id, c.name, c.country;
CREATE VIEW reporting.product_margin AS
  SELECT p.id, p.sku, p.name, k.name AS category, p.price - p.cost AS margin
  FROM products p LEFT JOIN categories k ON k.id = p.category_id;
CREATE FUNCTION order_total(bigint) RETURNS numeric LANGUAGE sql AS 'SELECT 1.0';
