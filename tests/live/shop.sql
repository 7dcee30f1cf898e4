-- The shop of the tests: what is sensitive comes from shop_rows(), so that two databases can differ in it alone.
CREATE TABLE customers (
    id integer PRIMARY KEY, name text NOT NULL, email text, phone text, ssn text, card_number text,
    country text NOT NULL, city text, profile jsonb, created timestamptz NOT NULL, active boolean NOT NULL DEFAULT true);
CREATE UNIQUE INDEX customers_email ON customers (email);
CREATE TABLE products (id integer PRIMARY KEY, sku varchar(20) NOT NULL UNIQUE, title text NOT NULL, price numeric(10,2) NOT NULL,
    tags text[] NOT NULL DEFAULT '{}', stock integer NOT NULL DEFAULT 0 CHECK (stock >= 0));
CREATE TABLE orders (id serial PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers, placed date NOT NULL,
    status text NOT NULL DEFAULT 'new', total numeric(12,2) NOT NULL DEFAULT 0, note text);
CREATE TABLE order_items (order_id integer NOT NULL REFERENCES orders ON DELETE CASCADE, product_id integer NOT NULL REFERENCES products,
    quantity integer NOT NULL CHECK (quantity > 0), price numeric(10,2) NOT NULL, PRIMARY KEY (order_id, product_id));
CREATE TABLE employees (id integer PRIMARY KEY, name text NOT NULL, email text, department text NOT NULL, salary numeric(12,2),
    iban text, ssn text, manager_id integer REFERENCES employees);
CREATE TABLE api_keys (id integer PRIMARY KEY, service text NOT NULL, secret text NOT NULL);
CREATE TABLE audit_private (id integer PRIMARY KEY, entry text NOT NULL);
CREATE SCHEMA hr;
CREATE TABLE hr.reviews (id integer PRIMARY KEY, employee_id integer, words text NOT NULL);
CREATE TABLE notes (id serial PRIMARY KEY, body text, number numeric);
CREATE VIEW customer_view AS SELECT id, name, email, country FROM customers;
CREATE VIEW customer_contacts AS SELECT id, email || ' / ' || phone AS contact FROM customers;
CREATE VIEW customer_rows AS SELECT c FROM customers c;
CREATE VIEW nested_view AS SELECT v.id, v.email AS address FROM customer_view v;
CREATE VIEW order_summary AS SELECT o.id, o.status, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id;
CREATE MATERIALIZED VIEW customer_copy AS SELECT * FROM customers WITH NO DATA;
CREATE FUNCTION order_total(integer) RETURNS numeric LANGUAGE sql STABLE
    AS 'SELECT coalesce(sum(quantity * price), 0) FROM order_items WHERE order_id = $1';
CREATE FUNCTION customer_email(integer) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM customers WHERE id = $1';
CREATE FUNCTION all_customers() RETURNS SETOF customers LANGUAGE sql STABLE AS 'SELECT * FROM customers';
CREATE FUNCTION run_text(text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN EXECUTE $1 INTO r; RETURN r; END $$;
CREATE FUNCTION same_text(text, text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 = $2';
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = same_text);
CREATE TABLE people (id integer PRIMARY KEY, name text);
CREATE TABLE patients (ssn text, ward text) INHERITS (people);
CREATE TABLE events (id integer, happened date NOT NULL, ssn text, what text) PARTITION BY RANGE (happened);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
