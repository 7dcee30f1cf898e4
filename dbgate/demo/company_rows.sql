-- The company's rows, made of arithmetic: the same every time, and nobody real in them.

INSERT INTO customers
SELECT n,
       first || ' ' || last,
       lower(first) || '.' || lower(last) || n || '@mail.example',
       '+1-555-' || lpad((n * 7919 % 10000)::text, 4, '0') || '-' || lpad((n * 104729 % 10000)::text, 4, '0'),
       '4556' || lpad((n::bigint * 982451653 % 1000000000000)::text, 12, '0'),
       lpad((900 + n % 99)::text, 3, '0') || '-' || lpad((10 + n * 7 % 89)::text, 2, '0') || '-'
           || lpad((n * 7331 % 10000)::text, 4, '0'),
       (ARRAY['US', 'DE', 'FR', 'JP', 'BR'])[1 + n % 5],
       (ARRAY['Springfield', 'Kiel', 'Lyon', 'Sapporo', 'Recife'])[1 + n % 5],
       jsonb_build_object('birthday', date '1960-01-01' + n * 61, 'newsletter', n % 3 = 0,
                          'referrer', 'friend' || n || '@mail.example'),
       timestamptz '2024-01-01 08:00:00+00' + n * interval '31 hours'
FROM (SELECT n,
             (ARRAY['Ada', 'Bruno', 'Chidi', 'Dana', 'Emil', 'Farah', 'Goro', 'Hanna'])[1 + n % 8] AS first,
             (ARRAY['Abel', 'Brandt', 'Costa', 'Duval', 'Endo', 'Fischer', 'Grant'])[1 + n % 7] AS last
      FROM generate_series(1, 200) AS n) AS names;

INSERT INTO employees
SELECT n,
       (ARRAY['Ines', 'Jonas', 'Kaya', 'Liam', 'Mona'])[1 + n % 5] || ' ' || (ARRAY['Stone', 'Tanaka', 'Ueda'])[1 + n % 3],
       'staff' || n || '@company.example',
       CASE WHEN n = 1 THEN 'Director' WHEN n <= 5 THEN 'Manager' ELSE 'Clerk' END,
       42000 + n * 1337.5 % 40000,
       'DE' || lpad((n * 37 % 100)::text, 2, '0') || '5001051754' || lpad((n * 99991 % 100000000)::text, 8, '0'),
       date '2015-03-01' + n * 73,
       CASE WHEN n = 1 THEN NULL WHEN n <= 5 THEN 1 ELSE 2 + n % 4 END
FROM generate_series(1, 30) AS n;

INSERT INTO products
SELECT n,
       'SKU-' || lpad(n::text, 4, '0'),
       (ARRAY['Lamp', 'Desk', 'Chair', 'Shelf'])[1 + n % 4] || ' ' || chr(64 + n),
       9.9 + n * 7.25,
       n * 13 % 50
FROM generate_series(1, 24) AS n;

INSERT INTO orders
SELECT n,
       1 + n * 17 % 200,
       (ARRAY['open', 'paid', 'shipped', 'cancelled'])[1 + n % 4],
       NULL,
       timestamptz '2025-01-01 09:00:00+00' + n * interval '5 hours'
FROM generate_series(1, 300) AS n;

INSERT INTO order_items
SELECT o.id, p.id, 1 + o.id % 3, p.price
FROM orders AS o
JOIN products AS p ON p.id IN (1 + o.id % 24, 1 + o.id * 5 % 24);

INSERT INTO api_keys VALUES
    (1, 'payments', 'sk_live_51Nq7rXcV0tqk2'),
    (2, 'shipping', 'shp_9f86d081884c7d659a'),
    (3, 'mail', 'key-3ax6xnjp29jd6fds4gc373sgvjxteol0');

INSERT INTO audit_private
SELECT n, 'auditor remark ' || md5(n::text) FROM generate_series(1, 20) AS n;

INSERT INTO hr.people
SELECT n, date '1965-05-05' + n * 211, n || ' Harbour Street', 'confidential review ' || md5('review' || n)
FROM generate_series(1, 30) AS n;

SELECT setval(pg_get_serial_sequence('customers', 'id'), 200),
       setval(pg_get_serial_sequence('employees', 'id'), 30),
       setval(pg_get_serial_sequence('products', 'id'), 24),
       setval(pg_get_serial_sequence('orders', 'id'), 300);

ANALYZE;
