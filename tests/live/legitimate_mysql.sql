-- The world of legitimate_mysql.yaml and everyday_mysql.yaml. Each statement ends with ";" at a line's end.
CREATE TABLE customers (
  id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60) NOT NULL, email VARCHAR(120), phone VARCHAR(30),
  ssn CHAR(11), card_number VARCHAR(19), country CHAR(2), city VARCHAR(40), active TINYINT(1) NOT NULL DEFAULT 1,
  created DATETIME NOT NULL, updated TIMESTAMP NULL, profile JSON, KEY by_country (country), UNIQUE KEY by_name (name));
CREATE TABLE products (
  id INT UNSIGNED AUTO_INCREMENT PRIMARY KEY, sku VARCHAR(20) NOT NULL UNIQUE, name VARCHAR(60) NOT NULL,
  price DECIMAL(10,2) NOT NULL, weight DOUBLE, stock INT NOT NULL DEFAULT 0, kind ENUM('book','toy','food') NOT NULL,
  tags SET('new','sale','eco'), details JSON, picture BLOB, launched DATE, FULLTEXT KEY words (name));
CREATE TABLE orders (
  id BIGINT AUTO_INCREMENT PRIMARY KEY, customer_id INT NOT NULL, status VARCHAR(12) NOT NULL DEFAULT 'new',
  total DECIMAL(12,2) NOT NULL DEFAULT 0, placed DATETIME(6), shipped DATE, note TEXT,
  KEY by_customer (customer_id), KEY by_status (status),
  CONSTRAINT of_customer FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE order_items (
  order_id BIGINT NOT NULL, line SMALLINT NOT NULL, product_id INT UNSIGNED NOT NULL, quantity INT NOT NULL,
  price DECIMAL(10,2) NOT NULL, PRIMARY KEY (order_id, line), KEY by_product (product_id));
CREATE TABLE employees (
  id INT PRIMARY KEY, name VARCHAR(60), email VARCHAR(120), department VARCHAR(30), salary DECIMAL(10,2),
  iban VARCHAR(34), manager_id INT, hired DATE);
CREATE TABLE notes (
  id INT AUTO_INCREMENT PRIMARY KEY, title VARCHAR(80), body TEXT, born TIME, year_of YEAR, bits BIT(12), small TINYINT,
  ratio FLOAT, changed TIMESTAMP(3) NULL, bin VARBINARY(40), place POINT);
CREATE TABLE `odd names` (`the id` INT PRIMARY KEY, `select` VARCHAR(20), `größe` INT, `a``b` INT);
CREATE TABLE counters (name VARCHAR(20) PRIMARY KEY, hits INT NOT NULL DEFAULT 0, seen DATE);
CREATE TABLE api_keys (id INT PRIMARY KEY, secret VARCHAR(40));
CREATE TABLE numbers (n INT PRIMARY KEY);
CREATE VIEW paid_orders AS SELECT id, customer_id, total FROM orders WHERE status = 'paid';
CREATE VIEW customer_names AS SELECT id, name, country FROM customers;
CREATE PROCEDURE report(IN wanted INT) READS SQL DATA
  SELECT status, COUNT(*) AS n FROM orders WHERE customer_id <= wanted GROUP BY status ORDER BY status;
CREATE FUNCTION with_tax(amount DECIMAL(12,2)) RETURNS DECIMAL(12,2) DETERMINISTIC NO SQL
  RETURN ROUND(amount * 1.2, 2);
INSERT INTO customers (name, email, phone, ssn, card_number, country, city, active, created, updated, profile) VALUES
 ('Ada', 'ada.secret@mail.example', '+1-555-0100', '111-22-3333', '4111 1111 1111 1111', 'US', 'Boston', 1, '2024-01-05 10:00:00', '2024-02-01 00:00:00', '{"vip": true}'),
 ('Błażej', 'blazej.secret@mail.example', NULL, '222-33-4444', '4222 2222 2222 2222', 'PL', 'Kraków', 1, '2024-02-11 11:30:00', NULL, '{"vip": false}'),
 ('Chloé', 'chloe.secret@mail.example', '+33-555-0102', NULL, NULL, 'FR', 'Paris', 0, '2024-03-20 08:15:00', NULL, NULL),
 ('Dai 🐉', NULL, '+81-555-0103', '333-44-5555', '4333 3333 3333 3333', 'JP', NULL, 1, '2024-03-21 23:59:59', '2024-04-01 12:00:00', '{"tags": ["a"]}'),
 ('Eve', 'eve.secret@other.example', '+1-555-0104', '444-55-6666', '4444 4444 4444 4444', 'US', 'Austin', 1, '2024-05-30 00:00:00', NULL, '{}');
INSERT INTO products (sku, name, price, weight, stock, kind, tags, details, picture, launched) VALUES
 ('B-1', 'Atlas of maps', 39.90, 1.25, 10, 'book', 'new,eco', '{"pages": 320, "lang": ["en", "de"]}', X'89504e47', '2020-02-29'),
 ('B-2', 'Cook book', 19.50, 0.8, 0, 'book', NULL, '{"pages": 120, "lang": ["en"]}', NULL, '2021-07-01'),
 ('T-1', 'Train set', 99.00, 3.5, 5, 'toy', 'sale', '{"age": 6}', X'00ff', '2019-11-11'),
 ('F-1', 'Tea "green"', 4.75, 0.1, 250, 'food', 'eco', NULL, NULL, NULL);
INSERT INTO orders (customer_id, status, total, placed, shipped, note) VALUES
 (1, 'paid', 79.80, '2024-06-01 09:00:00.123456', '2024-06-03', NULL), (1, 'new', 19.50, '2024-06-15 12:00:00', NULL, 'call first'),
 (2, 'paid', 99.00, '2024-07-02 18:45:10', '2024-07-05', '50% off; fragile'), (3, 'void', 0, '2024-07-03 00:00:00', NULL, ''),
 (4, 'paid', 14.25, '2024-08-09 07:07:07', '2024-08-10', '贈り物 🎁'), (5, 'new', 39.90, '2024-08-31 23:59:59', NULL, NULL);
INSERT INTO order_items VALUES (1, 1, 1, 2, 39.90), (2, 1, 2, 1, 19.50), (3, 1, 3, 1, 99.00), (5, 1, 4, 3, 4.75), (6, 1, 1, 1, 39.90);
INSERT INTO employees VALUES (1, 'Greta', 'greta.secret@corp.example', 'it', 98765.43, 'DE00987654321', NULL, '2015-01-01'),
 (2, 'Hugo', 'hugo.secret@corp.example', 'it', 87654.32, 'DE00876543210', 1, '2018-05-05'),
 (3, 'Ines', 'ines.secret@corp.example', 'sales', 76543.21, NULL, 1, '2020-10-10');
INSERT INTO notes (title, body, born, year_of, bits, small, ratio, changed, bin, place) VALUES
 ('first', 'plain', '12:34:56', 1999, b'101', -5, 1.5, '2024-01-01 00:00:00.123', 'abc', ST_GeomFromText('POINT(1 2)')),
 ('second', 'it''s \\ "quoted" — ünïcode 😀', '-01:00:00', 2024, b'0', 127, NULL, NULL, X'00ff10', NULL), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO `odd names` VALUES (1, 'one', 3, 4), (2, 'two', NULL, NULL);
INSERT INTO counters VALUES ('home', 10, '2024-01-01'), ('about', 0, NULL);
INSERT INTO api_keys VALUES (1, 'k-very-secret');
INSERT INTO numbers WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 900) SELECT n FROM s;
