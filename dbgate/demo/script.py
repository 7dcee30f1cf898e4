"""What the demo's agent asks, in order, and what must come of each question."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

#: Users in the gate's settings, both of the role `agent`; the second one has a job, and with it a budget, of its own.
AGENT = "agent"
REPORT = "report"


class Outcome(Enum):
    """What the agent must see. In every case: not one protected value."""

    ALLOWED = "allowed"  # the database's own answer, unchanged
    MASKED = "masked"  # rows, with something hidden
    FILTERED = "filtered"  # the database's own rows, but not all of them
    REFUSED = "refused"  # SQLSTATE 42501 from the gate, by the rule that the step names
    LIMITED = "limited"  # SQLSTATE 54000 or 53400 from the gate, by the limit that the step names
    FAILED = "failed"  # an error of the server's, with no value in its text


@dataclass(frozen=True, slots=True)
class Step:
    """One statement. `because`: a part of the refusal's DETAIL, or the SQLSTATE of a failure. `compare`: ask the
    database itself too and show both answers. `runs`: one execution for each tuple of parameters, prepared when
    there is more than one."""

    title: str
    sql: str
    outcome: Outcome
    because: str = ""
    compare: bool = False
    runs: tuple[tuple[object, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Chapter:
    """Steps in one session. `user`: who asks them, by the name in the gate's settings."""

    title: str
    steps: tuple[Step, ...]
    user: str = AGENT


def _reads(title: str, sql: str) -> Step:
    return Step(title, sql, Outcome.ALLOWED, compare=True)


def _masked(title: str, sql: str) -> Step:
    return Step(title, sql, Outcome.MASKED, compare=True)


def _filtered(title: str, sql: str) -> Step:
    return Step(title, sql, Outcome.FILTERED, compare=True)


def _limited(title: str, sql: str, because: str) -> Step:
    return Step(title, sql, Outcome.LIMITED, because)


def _refused(title: str, sql: str, because: str = "") -> Step:
    return Step(title, sql, Outcome.REFUSED, because)


def _runs(title: str, sql: str) -> Step:
    return Step(title, sql, Outcome.ALLOWED)


ORDINARY = Chapter(
    "Ordinary work: nothing is in the way, and personal data comes back masked",
    (
        _reads(
            "a report over orders",
            "SELECT o.status, count(*) AS orders, sum(t.total) AS turnover\n"
            "FROM orders o JOIN order_totals t ON t.id = o.id GROUP BY o.status ORDER BY 1",
        ),
        _reads("a function of the company's own", "SELECT id, order_total(id) FROM orders ORDER BY id LIMIT 2"),
        _masked(
            "customers with their contact data",
            "SELECT id, email, phone FROM customers ORDER BY id LIMIT 3",
        ),
        _masked("a document", "SELECT id, country, profile FROM customers ORDER BY id LIMIT 1"),
        _masked("restricted columns", "SELECT name, ssn, card_number FROM customers ORDER BY id LIMIT 2"),
        _masked("numbers keep their type", "SELECT name, salary, iban FROM employees ORDER BY id LIMIT 2"),
    ),
)

ROADS = Chapter(
    "The same data by other roads: an alias, an expression or a view changes nothing",
    (
        _masked(
            "an alias inside a CTE",
            "WITH harmless AS (SELECT id, ssn AS reference FROM customers)\n"
            "SELECT reference AS number FROM harmless ORDER BY id LIMIT 2",
        ),
        _masked(
            "expressions",
            "SELECT left(ssn, 6), reverse(card_number), email || '' FROM customers ORDER BY id LIMIT 2",
        ),
        _masked("a whole row as JSON", "SELECT row_to_json(c) FROM customers c ORDER BY id LIMIT 1"),
        _masked("a view", "SELECT email, ssn FROM customer_contacts WHERE id = 3"),
        _masked("a bulk copy", "COPY (SELECT id, email, ssn FROM customers ORDER BY id LIMIT 2) TO STDOUT"),
        _masked(
            "an aggregate", "SELECT max(ssn) AS highest, count(ssn) AS how_many FROM customers WHERE city = 'Kiel'"
        ),
        _masked(
            "a set operation", "SELECT name FROM products WHERE id = 1 UNION ALL SELECT ssn FROM customers LIMIT 3"
        ),
        _refused("guessing digit by digit", "SELECT count(*) FROM customers WHERE ssn LIKE '9%'", "mask-restricted"),
        _refused("sorting by it", "SELECT name FROM employees ORDER BY salary DESC LIMIT 1", "mask-restricted"),
        _refused("asking by an error", "SELECT sqrt(salary - 43000) FROM employees WHERE id = 1", "mask-restricted"),
        _refused(
            "copying it to where it is not masked",
            "INSERT INTO orders (customer_id, note) SELECT id, ssn FROM customers",
            "mask-restricted",
        ),
        _refused(
            "the planner's statistics",
            "SELECT most_common_vals, histogram_bounds FROM pg_stats WHERE tablename = 'customers'",
        ),
    ),
)

FILTERS = Chapter(
    "Rows that are not there: this agent works for the company's other countries than Brazil",
    (
        _filtered("a count by country", "SELECT country, count(*) FROM customers GROUP BY country ORDER BY 1"),
        _filtered("a view reads the same table", "SELECT id, name FROM customer_contacts WHERE id IN (3, 4)"),
    ),
)

OFF_LIMITS = Chapter(
    "Off limits: each refusal says why, and what to do instead",
    (
        _refused("credentials", "SELECT service, secret FROM api_keys", "no-secrets"),
        _refused(
            "credentials, hidden in a sub-select",
            "SELECT name, (SELECT max(review) FROM hr.people p WHERE p.id = e.id) FROM employees e LIMIT 1",
            "no-secrets",
        ),
        _refused("dropping a table", "DROP TABLE orders"),
        _refused("a second statement behind a harmless one", "SELECT 1; TRUNCATE order_items"),
        _refused("code that builds its statement", "DO $$ BEGIN EXECUTE 'DROP TA' || 'BLE orders'; END $$"),
        _refused("deleting without a WHERE", "DELETE FROM order_items", "write-needs-where"),
        _refused("the server's files", "SELECT pg_read_file('/etc/passwd')"),
    ),
)

WRITES = Chapter(
    "Transactions: what is allowed commits; a refusal inside one fails it as the server itself would",
    (
        _runs("begin", "BEGIN"),
        _runs(
            "an order",
            "INSERT INTO orders (id, customer_id, note) VALUES (9001, 7, 'by the agent') RETURNING id, status",
        ),
        _runs("commit", "COMMIT"),
        _runs("begin again", "BEGIN"),
        _runs("an update", "UPDATE orders SET status = 'cancelled' WHERE id = 9001"),
        _runs("a temporary table of its own", "CREATE TEMPORARY TABLE checks (customer_id integer, ssn text)"),
        Step(
            "the mask on *.ssn holds there as well",
            "INSERT INTO checks VALUES (1, '901-17-7331'), (2, NULL) RETURNING customer_id, ssn",
            Outcome.MASKED,
        ),
        _refused(
            "filling it with what is masked", "INSERT INTO checks SELECT id, ssn FROM customers", "mask-restricted"
        ),
        Step("the transaction has failed", "SELECT 1", Outcome.FAILED, "25P02"),
        _runs("roll back", "ROLLBACK"),
        _reads("the order is there, the update is gone", "SELECT id, note, status FROM orders WHERE id = 9001"),
    ),
)

PREPARED = Chapter(
    "Prepared statements: decided once, masked every time",
    (
        Step(
            "looking customers up by the address it knows",
            "SELECT id, name, email FROM customers WHERE email = %s",
            Outcome.MASKED,
            runs=(("bruno.brandt1@mail.example",), ("chidi.costa2@mail.example",), ("nobody@mail.example",)),
        ),
        Step(
            "an update with parameters",
            "UPDATE orders SET note = %s WHERE id = %s",
            Outcome.ALLOWED,
            runs=(("call back", 9001), ("called back", 9001)),
        ),
    ),
)

LIMITS = Chapter(
    "Limits: another agent of the same role, whose job has used its budget up",
    (
        _limited(
            "one table times another",
            "SELECT o.id, i.product_id FROM orders o CROSS JOIN order_items i",
            "rows_per_statement",
        ),
        _limited(
            "everybody's data at once",
            "SELECT email, phone, ssn, card_number FROM customers",
            "sensitive_cells_per_job",
        ),
        _limited("a little more of it", "SELECT phone FROM customers WHERE id = 7", "sensitive_cells_per_job"),
        _reads("what is not sensitive", "SELECT name, country FROM customers WHERE id = 7"),
    ),
    user=REPORT,
)

CHAPTERS = (ORDINARY, ROADS, FILTERS, OFF_LIMITS, WRITES, PREPARED, LIMITS)
