-- The shop of the tests on MySQL and MariaDB: the tables of shop.sql, with what only these servers have.
-- The key of customers.email is of a prefix, and there is a shorter one: no plan without ORDER BY reads in its order.
-- {db} and {hr} stand for the names of the two databases of a world. One statement ends with `;` at the end of a line.
CREATE TABLE customers (
    id int PRIMARY KEY, name varchar(60) NOT NULL, email varchar(80), phone varchar(30), ssn varchar(20),
    card_number varchar(30), country char(2) NOT NULL, city varchar(30), profile json, created datetime NOT NULL,
    active bool NOT NULL DEFAULT true, UNIQUE KEY customers_email (email(60)), KEY customers_country (country));
CREATE TABLE products (id int PRIMARY KEY, sku varchar(20) NOT NULL UNIQUE, title varchar(80) NOT NULL,
    price decimal(10,2) NOT NULL, stock int NOT NULL DEFAULT 0, CHECK (stock >= 0));
CREATE TABLE orders (id int AUTO_INCREMENT PRIMARY KEY, customer_id int NOT NULL, placed date NOT NULL,
    status varchar(20) NOT NULL DEFAULT 'new', total decimal(12,2) NOT NULL DEFAULT 0, note varchar(200),
    FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE order_items (order_id int NOT NULL, product_id int NOT NULL, quantity int NOT NULL,
    price decimal(10,2) NOT NULL, PRIMARY KEY (order_id, product_id), FOREIGN KEY (order_id) REFERENCES orders (id));
CREATE TABLE employees (id int PRIMARY KEY, name varchar(60) NOT NULL, email varchar(80), department varchar(20) NOT NULL,
    salary decimal(12,2), iban varchar(40), ssn varchar(20), manager_id int);
CREATE TABLE api_keys (id int PRIMARY KEY, service varchar(30) NOT NULL, secret varchar(30) NOT NULL);
CREATE TABLE audit_private (id int PRIMARY KEY, entry varchar(60) NOT NULL);
CREATE TABLE {hr}.reviews (id int PRIMARY KEY, employee_id int, words varchar(60) NOT NULL);
CREATE TABLE notes (id int AUTO_INCREMENT PRIMARY KEY, body varchar(200), number decimal(20,4), tag varchar(10) UNIQUE);
CREATE TABLE patients (id int PRIMARY KEY, name varchar(60), ssn varchar(20), ward varchar(20), FULLTEXT KEY (ssn)) ENGINE=MyISAM;
CREATE TABLE events (id int, happened date NOT NULL, ssn varchar(20), what varchar(30))
    PARTITION BY RANGE (year(happened)) (PARTITION p2024 VALUES LESS THAN (2025), PARTITION p2025 VALUES LESS THAN (2030));
CREATE TABLE badges (id int PRIMARY KEY, ssn varchar(20), label varchar(30) GENERATED ALWAYS AS (concat('no ', ssn)) VIRTUAL,
    kept varchar(30) GENERATED ALWAYS AS (concat(label, '.')) STORED);
CREATE TABLE strict_badges (id int PRIMARY KEY, ssn varchar(20), CONSTRAINT small_number CHECK (ssn < '5' OR id > 0));
CREATE TABLE vaults (ssn varchar(20) PRIMARY KEY, room varchar(10));
CREATE TABLE vault_keys (id int PRIMARY KEY, vault varchar(20), FOREIGN KEY (vault) REFERENCES vaults (ssn));
CREATE VIEW customer_view AS SELECT id, name, email, country FROM customers;
CREATE ALGORITHM=TEMPTABLE VIEW customer_contacts AS SELECT id, concat(email, ' / ', phone) AS contact FROM customers;
CREATE VIEW nested_view AS SELECT v.id, v.email AS address FROM customer_view v;
CREATE VIEW low_customers AS SELECT id, name, email FROM customers WHERE email < 'kx8' WITH CASCADED CHECK OPTION;
CREATE VIEW order_summary AS SELECT o.id, o.status, o.total, c.name FROM orders o JOIN customers c ON c.id = o.customer_id;
CREATE VIEW key_view AS SELECT id, secret AS name FROM api_keys;
CREATE FUNCTION order_total(n int) RETURNS decimal(12,2) READS SQL DATA
    RETURN (SELECT coalesce(sum(quantity * price), 0) FROM order_items WHERE order_id = n);
CREATE FUNCTION customer_email(n int) RETURNS varchar(80) READS SQL DATA RETURN (SELECT email FROM customers WHERE id = n);
CREATE PROCEDURE all_customers() SELECT * FROM customers;
CREATE PROCEDURE email_out(IN n int, OUT found varchar(80)) SELECT email INTO found FROM customers WHERE id = n;
CREATE PROCEDURE run_text(IN words text)
BEGIN SET @words = words; PREPARE s FROM @words; EXECUTE s; DEALLOCATE PREPARE s; END;
CREATE TRIGGER notes_told BEFORE INSERT ON notes FOR EACH ROW
    SET NEW.body = if(NEW.number = 424242, (SELECT email FROM customers WHERE id = 1), NEW.body);
