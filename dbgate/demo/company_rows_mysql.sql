-- The company's rows, made of arithmetic: the same every time, and nobody real in them.

CREATE TEMPORARY TABLE numbers (n int PRIMARY KEY);
INSERT INTO numbers WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < 300) SELECT n FROM up;

INSERT INTO customers
SELECT n,
       concat(elt(1 + n % 8, 'Ada', 'Bruno', 'Chidi', 'Dana', 'Emil', 'Farah', 'Goro', 'Hanna'), ' ',
              elt(1 + n % 7, 'Abel', 'Brandt', 'Costa', 'Duval', 'Endo', 'Fischer', 'Grant')),
       lower(concat(elt(1 + n % 8, 'Ada', 'Bruno', 'Chidi', 'Dana', 'Emil', 'Farah', 'Goro', 'Hanna'), '.',
                    elt(1 + n % 7, 'Abel', 'Brandt', 'Costa', 'Duval', 'Endo', 'Fischer', 'Grant'), n,
                    '@mail.example')),
       concat('+1-555-', lpad(n * 7919 % 10000, 4, '0'), '-', lpad(n * 104729 % 10000, 4, '0')),
       concat('4556', lpad(n * 982451653 % 1000000000000, 12, '0')),
       concat(lpad(900 + n % 99, 3, '0'), '-', lpad(10 + n * 7 % 89, 2, '0'), '-', lpad(n * 7331 % 10000, 4, '0')),
       elt(1 + n % 5, 'US', 'DE', 'FR', 'JP', 'BR'),
       elt(1 + n % 5, 'Springfield', 'Kiel', 'Lyon', 'Sapporo', 'Recife'),
       json_object('newsletter', n % 3 = 0, 'referrer', concat('friend', n, '@mail.example'))
FROM numbers WHERE n <= 200;

INSERT INTO employees
SELECT n,
       concat(elt(1 + n % 5, 'Ines', 'Jonas', 'Kaya', 'Liam', 'Mona'), ' ', elt(1 + n % 3, 'Stone', 'Tanaka', 'Ueda')),
       42000 + n * 1337.5 % 40000,
       concat('DE', lpad(n * 37 % 100, 2, '0'), '5001051754', lpad(n * 99991 % 100000000, 8, '0'))
FROM numbers WHERE n <= 30;

INSERT INTO orders
SELECT n, 1 + n * 17 % 200, elt(1 + n % 4, 'open', 'paid', 'shipped', 'cancelled'), NULL, 9.9 + n * 7.25
FROM numbers;

INSERT INTO api_keys VALUES
    (1, 'payments', 'sk_live_51Nq7rXcV0tqk2'),
    (2, 'shipping', 'shp_9f86d081884c7d659a'),
    (3, 'mail', 'key-3ax6xnjp29jd6fds4gc373sgvjxteol0');

INSERT INTO hr.people SELECT n, concat('confidential review ', left(sha2(concat('review', n), 256), 32)) FROM numbers WHERE n <= 30;
