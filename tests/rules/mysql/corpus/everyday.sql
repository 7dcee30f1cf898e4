-- Django
SELECT VERSION(), @@sql_mode, @@default_storage_engine, @@sql_auto_is_null, @@lower_case_table_names, CONVERT_TZ('2001-01-01 01:00:00', 'UTC', 'UTC') IS NOT NULL;
SELECT `auth_user`.`id`, `auth_user`.`password`, `auth_user`.`last_login` FROM `auth_user` WHERE `auth_user`.`username` = 'bob' LIMIT 21;
SELECT COUNT(*) AS `__count` FROM `shop_order` INNER JOIN `shop_customer` ON (`shop_order`.`customer_id` = `shop_customer`.`id`) WHERE (`shop_customer`.`country` = 'US' AND NOT (`shop_order`.`status` = 'open' AND `shop_order`.`status` IS NOT NULL));
SELECT (1) AS `a` FROM `shop_order` WHERE `shop_order`.`id` = 1 LIMIT 1;
SELECT 1 AS `a` FROM `shop_order` WHERE EXISTS(SELECT 1 AS `a` FROM `shop_item` U0 WHERE U0.`order_id` = (`shop_order`.`id`) LIMIT 1) LIMIT 1;
SELECT `shop_order`.`id`, COUNT(`shop_item`.`id`) AS `n` FROM `shop_order` LEFT OUTER JOIN `shop_item` ON (`shop_order`.`id` = `shop_item`.`order_id`) GROUP BY `shop_order`.`id` HAVING COUNT(`shop_item`.`id`) > 2 ORDER BY NULL;
SELECT `shop_order`.`id` FROM `shop_order` WHERE `shop_order`.`created` BETWEEN '2024-01-01 00:00:00' AND '2024-12-31 23:59:59.999999' AND `shop_order`.`note` LIKE BINARY '%x%' ORDER BY `shop_order`.`created` DESC;
SELECT `shop_order`.`id` FROM `shop_order` WHERE LOWER(`shop_order`.`note`) LIKE LOWER('%a\\%%') AND REGEXP_LIKE(`shop_order`.`note`, '^x', 'c');
SELECT DISTINCT CAST(DATE_FORMAT(CONVERT_TZ(`shop_order`.`created`, 'UTC', 'Europe/Berlin'), '%Y-%m-01') AS DATE) AS `datefield` FROM `shop_order` WHERE `shop_order`.`created` IS NOT NULL ORDER BY 1 ASC;
SELECT `t`.`id` FROM `t` WHERE JSON_EXTRACT(`t`.`data`, '$."a"') = JSON_EXTRACT('1', '$');
INSERT INTO `auth_user` (`password`, `username`, `is_active`) VALUES ('x', 'bob', 1), ('y', 'eve', 0);
INSERT INTO `t` (`a`, `b`) VALUES (1, 2) AS new ON DUPLICATE KEY UPDATE `b` = new.`b`;
UPDATE `shop_order` SET `status` = 'paid', `total` = (`shop_order`.`total` + 1.5), `note` = CASE WHEN (`shop_order`.`id` = 1) THEN 'x' WHEN (`shop_order`.`id` = 2) THEN 'y' ELSE NULL END WHERE `shop_order`.`id` IN (1, 2);
DELETE FROM `django_session` WHERE `django_session`.`session_key` IN ('a', 'b');
DELETE `shop_item` FROM `shop_item` INNER JOIN `shop_order` ON (`shop_item`.`order_id` = `shop_order`.`id`) WHERE `shop_order`.`status` = 'open';
SELECT `shop_order`.`id` FROM `shop_order` WHERE `shop_order`.`id` = 1 LIMIT 21 FOR UPDATE NOWAIT;
(SELECT `a`.`id` AS `col1` FROM `a`) UNION (SELECT `b`.`id` AS `col1` FROM `b`) ORDER BY `col1` ASC LIMIT 5;
SELECT table_name, table_type, table_comment FROM information_schema.tables WHERE table_schema = DATABASE();
SELECT column_name, data_type, CASE WHEN collation_name = 'utf8mb4_bin' THEN 1 ELSE 0 END AS has_default FROM information_schema.columns WHERE table_name = 't' AND table_schema = DATABASE();
SELECT kc.`constraint_name`, kc.`column_name` FROM information_schema.key_column_usage AS kc WHERE kc.table_schema = DATABASE() AND kc.table_name = 't' ORDER BY kc.`ordinal_position`;
-- SQLAlchemy
SELECT DATABASE();
SELECT @@transaction_isolation;
SELECT @@tx_isolation;
SELECT CAST('test plain returns' AS CHAR(60)) AS anon_1;
SELECT users.id, users.name AS users_name, anon_1.n FROM users LEFT OUTER JOIN (SELECT orders.user_id AS user_id, count(*) AS n FROM orders GROUP BY orders.user_id) AS anon_1 ON users.id = anon_1.user_id ORDER BY users.name LIMIT 10, 20;
SELECT users.id FROM users WHERE users.name IN (?) AND users.id = ?;
WITH RECURSIVE tree (id, parent) AS (SELECT node.id AS id, node.parent AS parent FROM node WHERE node.id = 1 UNION ALL SELECT node.id AS id, node.parent AS parent FROM node INNER JOIN tree ON node.parent = tree.id) SELECT tree.id FROM tree;
SELECT row_number() OVER (PARTITION BY orders.user_id ORDER BY orders.created DESC) AS rn, sum(orders.total) OVER (ORDER BY orders.created ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS running FROM orders;
INSERT INTO users (name, fullname) VALUES ('sandy', 'Sandy Cheeks') ON DUPLICATE KEY UPDATE fullname = VALUES(fullname);
UPDATE users, addresses SET users.name='ed', addresses.email='e' WHERE users.id = addresses.user_id;
DELETE FROM users USING users INNER JOIN addresses ON users.id = addresses.user_id WHERE addresses.email = 'x';
SELECT users.id FROM users FOR UPDATE;
SELECT users.id FROM users LOCK IN SHARE MODE;
SELECT coalesce(nullif(users.name, ''), 'none') || 'x' AS c, concat(users.a, users.b), if(users.a > 1, 'y', 'n') FROM users;
-- sysbench
SELECT c FROM sbtest1 WHERE id=5025;
SELECT c FROM sbtest1 WHERE id BETWEEN 4992 AND 5091;
SELECT SUM(k) FROM sbtest1 WHERE id BETWEEN 4992 AND 5091;
SELECT c FROM sbtest1 WHERE id BETWEEN 4992 AND 5091 ORDER BY c;
SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN 4992 AND 5091 ORDER BY c;
UPDATE sbtest1 SET k=k+1 WHERE id=4992;
UPDATE sbtest1 SET c='83868641912-28773972837' WHERE id=5003;
DELETE FROM sbtest1 WHERE id=5017;
INSERT INTO sbtest1 (id, k, c, pad) VALUES (5017, 4992, '68487932199-96439406143', '67847967377-48000963322');
-- Connector/J and MariaDB Connector/J
/* mysql-connector-j-8.4.0 (Revision: abc) */SELECT  @@session.auto_increment_increment AS auto_increment_increment, @@character_set_client AS character_set_client, @@transaction_isolation AS transaction_isolation, @@wait_timeout AS wait_timeout;
SELECT @@session.transaction_read_only;
/* ping */ SELECT 1;
select @@max_allowed_packet, @@system_time_zone, @@time_zone, @@auto_increment_increment;
SELECT TABLE_SCHEMA AS TABLE_CAT, NULL AS TABLE_SCHEM, TABLE_NAME, CASE WHEN TABLE_TYPE='BASE TABLE' THEN CASE WHEN TABLE_SCHEMA = 'mysql' OR TABLE_SCHEMA = 'performance_schema' THEN 'SYSTEM TABLE' ELSE 'TABLE' END WHEN TABLE_TYPE='TEMPORARY' THEN 'LOCAL_TEMPORARY' ELSE TABLE_TYPE END AS TABLE_TYPE, TABLE_COMMENT AS REMARKS FROM INFORMATION_SCHEMA.TABLES HAVING TABLE_TYPE IN ('TABLE','VIEW') ORDER BY TABLE_TYPE, TABLE_SCHEMA, TABLE_NAME;
-- command-line clients and mysqldump
select @@version_comment limit 1;
SELECT /*!40001 SQL_NO_CACHE */ * FROM `customers`;
SELECT /*!40001 SQL_NO_CACHE */ `id`, `name` FROM `customers` WHERE id > 5;
INSERT INTO `customers` VALUES (1,'Ann','a@example.com',NULL,'2024-01-01 00:00:00'),(2,'O\'Neil','x\\y',3.5,'0000-00-00 00:00:00'),(3,_binary 'ab\0c',0x4142,b'1',-1);
INSERT  IGNORE INTO `t` VALUES (1),(2);
REPLACE INTO `t` VALUES (1),(2);
select count(*) from t where a = 'it''s' and b = "say ""hi""" -- done
;
SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'customers' ORDER BY ORDINAL_POSITION;
SELECT LOGFILE_GROUP_NAME, FILE_NAME, TOTAL_EXTENTS, INITIAL_SIZE, ENGINE, EXTRA FROM INFORMATION_SCHEMA.FILES WHERE ENGINE = 'ndbcluster' AND FILE_TYPE = 'UNDO LOG' ORDER BY LOGFILE_GROUP_NAME;
-- people and agents
select * from orders o join customers c on c.id = o.customer_id where o.created > now() - interval 7 day and c.country in ('US', 'DE') order by o.total desc limit 10;
select date(created) as day, count(*) as n, sum(total) as total from orders group by date(created) with rollup;
select c.name, (select count(*) from orders o where o.customer_id = c.id) as orders from customers c where c.id not in (select customer_id from orders where customer_id is not null);
select id, json_unquote(json_extract(profile, '$.phone')), profile from customers where json_contains(profile, '"x"', '$.tags');
select group_concat(distinct name order by name separator ', ') from customers group by country having count(*) >= 2;
select year(created) y, month(created) m, round(avg(total), 2) from orders group by y, m order by y desc, m;
select * from (select id, rank() over (partition by country order by created) r from customers) x where r <= 3;
select t1.a, t2.b from t t1 straight_join t t2 on t1.a = t2.a where t1.a <=> t2.b or t1.a xor t2.b;
select sql_calc_found_rows a from t limit 3;
insert into orders (customer_id, total) select id, 0 from customers where country = 'US';
insert into orders set customer_id = 1, total = 9.99, created = default;
update orders set total = total * 1.1 where id = 7 order by id limit 1;
delete from orders where created < date_sub(curdate(), interval 1 year) limit 100;
