"""What the demo's agent asks of MySQL or MariaDB: the same questions in its dialect, and those that only it knows."""

from __future__ import annotations

from dbgate.demo.script import REPORT, Chapter, Outcome, Step

_ALLOWED, _MASKED, _REFUSED = Outcome.ALLOWED, Outcome.MASKED, Outcome.REFUSED


def _masked(title: str, sql: str) -> Step:
    return Step(title, sql, _MASKED, compare=True)


READS = Chapter(
    "the same masks, whatever the road",
    (
        Step("a report over orders",
             "SELECT status, count(*) AS orders, sum(total) AS turnover FROM orders GROUP BY status ORDER BY 1",
             _ALLOWED, compare=True),
        Step("a function of the company's own", "SELECT order_total(7) AS total", _ALLOWED, compare=True),
        _masked("customers with their contact data", "SELECT id, email, phone FROM customers ORDER BY id LIMIT 3"),
        _masked("restricted columns, a document",
                "SELECT name, ssn, card_number, profile FROM customers ORDER BY id LIMIT 2"),
        _masked("numbers keep their type", "SELECT name, salary, iban FROM employees ORDER BY id LIMIT 2"),
        _masked("an alias inside a CTE, expressions",
                "WITH harmless AS (SELECT id, ssn AS reference FROM customers)\n"
                "SELECT left(reference, 6) AS a, reverse(reference) AS b FROM harmless ORDER BY id LIMIT 2"),
        _masked("a view", "SELECT email, ssn FROM customer_contacts WHERE id = 3"),
        _masked("an aggregate", "SELECT group_concat(email) AS everybody FROM customers WHERE id < 4"),
    ),
)  # fmt: skip

ATTACKS = Chapter(
    "refused, with one text that says why and what to do instead",
    (
        Step("guessing digit by digit", "SELECT count(*) FROM customers WHERE ssn LIKE '9%'", _REFUSED,
             "mask-restricted"),
        Step("a comment that the server runs", "SELECT id /*!50000 , (SELECT max(secret) FROM api_keys) */ FROM orders",
             _REFUSED, "no-secrets"),
        Step("asking by an error", "SELECT extractvalue(1, concat(0x7e, (SELECT ssn FROM customers LIMIT 1)))",
             _REFUSED),
        Step("a value kept in a variable", "SELECT ssn INTO @kept FROM customers WHERE id = 1", _REFUSED,
             "mask-restricted"),
        Step("the text of a statement in a variable", "PREPARE hidden FROM @text", _REFUSED),
        Step("the server's files", "SELECT load_file('/etc/passwd')", _REFUSED),
        Step("a file written by the server", "SELECT * FROM orders INTO OUTFILE '/tmp/orders.txt'", _REFUSED),
        Step("a second statement behind a harmless one", "SELECT 1; DROP TABLE orders", _REFUSED),
        Step("deleting without a WHERE", "DELETE FROM orders", _REFUSED, "write-needs-where"),
    ),
)  # fmt: skip

WORK = Chapter(
    "transactions and prepared statements as without a gate",
    (
        Step("begin", "START TRANSACTION", _ALLOWED),
        Step("an order", "INSERT INTO orders (id, customer_id, note) VALUES (9001, 7, 'by the agent')", _ALLOWED),
        Step("roll back", "ROLLBACK", _ALLOWED),
        Step("the order is gone", "SELECT count(*) AS orders FROM orders WHERE id = 9001", _ALLOWED, compare=True),
        Step("prepare", "PREPARE look FROM 'SELECT id, email FROM customers WHERE id = ?'", _ALLOWED),
        Step("a value for it", "SET @wanted = 5", _ALLOWED),
        Step("execute: masked every time", "EXECUTE look USING @wanted", _MASKED),
    ),
)  # fmt: skip

LIMITS = Chapter(
    "limits: another agent, whose job has used its budget up",
    (
        Step("one table times another", "SELECT o.id, p.id AS other FROM orders o CROSS JOIN orders p",
             Outcome.LIMITED, "rows_per_statement"),
        Step("everybody's data at once", "SELECT email, phone, ssn, card_number FROM customers", Outcome.LIMITED,
             "sensitive_cells_per_job"),
    ),
    user=REPORT,
)  # fmt: skip

CHAPTERS = (READS, ATTACKS, WORK, LIMITS)
