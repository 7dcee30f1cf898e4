-- The demo's company as MySQL and MariaDB have it. The rows are in company_rows_mysql.sql.

USE shop;

CREATE TABLE customers (
    id          int PRIMARY KEY AUTO_INCREMENT,
    name        varchar(80) NOT NULL,
    email       varchar(120) NOT NULL UNIQUE,
    phone       varchar(40) NOT NULL,
    card_number varchar(20) NOT NULL,
    ssn         varchar(11) NOT NULL,
    country     char(2) NOT NULL,
    city        varchar(40) NOT NULL,
    profile     json NOT NULL
);

CREATE TABLE employees (
    id     int PRIMARY KEY AUTO_INCREMENT,
    name   varchar(80) NOT NULL,
    salary decimal(10, 2) NOT NULL,
    iban   varchar(34) NOT NULL
);

CREATE TABLE orders (
    id          int PRIMARY KEY AUTO_INCREMENT,
    customer_id int NOT NULL,
    status      enum('open', 'paid', 'shipped', 'cancelled') NOT NULL DEFAULT 'open',
    note        text,
    total       decimal(10, 2) NOT NULL DEFAULT 0,
    FOREIGN KEY (customer_id) REFERENCES customers (id)
);

CREATE TABLE api_keys (
    id      int PRIMARY KEY,
    service varchar(40) NOT NULL,
    secret  varchar(80) NOT NULL
);

CREATE TABLE hr.people (
    id     int PRIMARY KEY,
    review varchar(120) NOT NULL
);

CREATE VIEW customer_contacts AS
SELECT id, name, email, phone, ssn FROM customers;

CREATE FUNCTION order_total(wanted int) RETURNS decimal(10, 2) READS SQL DATA
RETURN (SELECT sum(total) FROM orders WHERE customer_id = wanted);
