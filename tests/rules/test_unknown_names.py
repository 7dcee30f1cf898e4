"""What means nothing to the catalog: refused as the server would say it, or left to the server to judge."""

from __future__ import annotations

import pytest

from rules.decision import Decision, Verdict
from rules.policy import Policy, PolicyContext
from rules.postgres.ddl import catalog_from_ddl
from tests.rules.worlds import book

CATALOG = catalog_from_ddl("""
CREATE TABLE customers (id int, email text, ssn text);
CREATE TABLE orders (id int, customer_id int);
CREATE TABLE api_keys (id int, secret text);
CREATE FUNCTION order_total(int) RETURNS numeric LANGUAGE sql AS 'SELECT 1.0';
""")
RULES = """
rules:
  - {id: reads, roles: [agent, reader], allow: {statements: [select], functions: [order_total]}}
  - {id: writes, roles: [agent], allow: {statements: [insert, update], tables: [orders]}}
  - {id: keys, roles: [agent], deny: {tables: [api_keys]}}
  - {id: all, roles: [dba], allow: {statements: ["*"], tables: ["*"], functions: ["*"]}}
  - {id: most, roles: [builder], allow: {statements: ["*"], tables: ["*"]}}
"""


def context(role: str) -> PolicyContext:
    return Policy(book(RULES), CATALOG).context(role, "shop", "bot", ("public",))


def decide(sql: str, role: str = "agent") -> Decision:
    (decision,) = context(role).decide(sql.encode())
    return decision


@pytest.mark.parametrize(
    ("sql", "sqlstate", "message", "position"),
    [
        ("SELEC 1", "42601", 'syntax error at or near "SELEC"', 1),
        ("SELECT 1 +", "42601", "syntax error at end of input", 11),
        ("SELECT missing FROM orders", "42703", 'column "missing" does not exist', 8),
        ("SELECT 'é', missing FROM orders", "42703", 'column "missing" does not exist', 13),
        ("SELECT 1; SELECT missing", "42703", 'column "missing" does not exist', 18),
        ("SELECT o.missing FROM orders o", "42703", "column o.missing does not exist", 8),
        ("SELECT c.id FROM orders o", "42P01", 'missing FROM-clause entry for table "c"', 8),
        ("SELECT id FROM orders, customers", "42702", 'column reference "id" is ambiguous', 8),
        ("SELECT * FROM nowhere", "42P01", 'relation "nowhere" does not exist', 15),
        ("SELECT * FROM hr.nowhere", "42P01", 'relation "hr.nowhere" does not exist', 15),
        ("UPDATE nowhere SET a = 1", "42P01", 'relation "nowhere" does not exist', 8),
        ("SELECT id, nosuch(id) FROM orders", "42883", "function nosuch(...) does not exist", 12),
        ("INSERT INTO orders (x) VALUES (1)", "42703", 'column "x" of relation "orders" does not exist', 0),
    ],
)
def test_the_servers_words_and_place(sql: str, sqlstate: str, message: str, position: int) -> None:
    refusals = [d.refusal for d in context("agent").decide(sql.encode()) if d.refusal is not None]
    (found,) = refusals
    assert (found.sqlstate, found.message, found.position) == (sqlstate, message, position)


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("SELECT emial FROM customers", 'did you mean "email"?'),
        ("SELECT c.emial FROM customers c", 'did you mean "email"?'),
        ("SELECT cust.email FROM customers custo", 'did you mean "custo"?'),
        ("SELECT * FROM custmers", 'did you mean "customers"?'),
        ("SELECT order_totl(1)", 'did you mean "order_total"?'),
        ("INSERT INTO orders (customerid) VALUES (1)", 'did you mean "customer_id"?'),
        ("SELECT * FROM apikeys", "check the name, or qualify it with its schema"),
    ],
)
def test_names_that_were_meant(sql: str, hint: str) -> None:
    refusal = decide(sql).refusal
    assert refusal is not None
    assert refusal.hint == hint


@pytest.mark.parametrize(
    ("sql", "missing"),
    [
        ("SELECT missing FROM orders", (("missing",),)),
        ("SELECT o.missing FROM orders o", (("o", "missing"),)),
        ("SELECT nosuch(1)", (("nosuch",),)),
        ("SELECT * FROM nowhere", (("nowhere",),)),
        ("INSERT INTO orders (x) VALUES (1)", (("public", "orders", "x"),)),
        ("INSERT INTO orders VALUES (1, 2, 3)", (("public", "orders"),)),
        ("SELECT FROM FROM", ()),
        ("SELECT * FROM api_keys", ()),
    ],
)
def test_what_a_fresh_catalog_may_know(sql: str, missing: tuple[tuple[str, ...], ...]) -> None:
    assert decide(sql).missing == missing


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT missing FROM orders",
        "SELECT * FROM nowhere",
        "SELECT nosuch(1)",
        "SELECT id FROM orders, customers",
        "INSERT INTO orders VALUES (1, 2, 3)",
        "INSERT INTO orders (x) VALUES (1)",
        "SELECT 1 UNION SELECT 1, 2",
        "SELECT * FROM pg_catalog.pg_authid",
        "UPDATE pg_catalog.pg_class SET relname = relname",
        "SELECT set_config(name, 'view', false) FROM pg_settings",
        "SELECT x.y.z.a.b FROM orders",
    ],
)
def test_the_server_judges_for_a_role_that_may_do_everything(sql: str) -> None:
    decision = decide(sql, "dba")
    assert decision.verdict is Verdict.ALLOW
    assert decision.missing == ()


def test_unreadable_texts_are_refused_for_everybody() -> None:
    for text in ("SELEC 1", "SELECT '\udc80'.x", "\\d orders"):
        (decision,) = context("dba").decide(text.encode("utf-8", "surrogatepass"))
        assert decision.verdict is Verdict.REFUSE


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT * FROM nowhere", None),
        ("WITH x AS (SELECT 1) SELECT * FROM x, nowhere", None),
        ("SELECT pg_read_file('/etc/passwd') FROM nowhere", "dbgate:function"),
        ("SELECT * FROM nowhere, pg_catalog.pg_authid", "dbgate:system-catalog"),
        ("WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x, nowhere", "dbgate:unknown-relation"),
        ("WITH x AS (MERGE INTO orders o USING customers c ON o.id = c.id WHEN MATCHED THEN DELETE RETURNING 1)"
         " SELECT * FROM x, nowhere", "dbgate:unknown-relation"),
        ("SELECT * FROM orders, nowhere FOR UPDATE", "dbgate:unknown-relation"),
        ("INSERT INTO nowhere VALUES (1)", "dbgate:unknown-relation"),
    ],
)  # fmt: skip
def test_rules_hold_for_what_a_text_with_an_unknown_table_names(sql: str, rule: str | None) -> None:
    refusal = decide(sql, "reader").refusal
    assert (refusal.rule if refusal else None) == rule


def test_functions_are_lent_even_where_names_are_unknown() -> None:
    for sql in ("SELECT pg_read_file('x') FROM nowhere", "SELECT pg_read_file(nothing) FROM orders"):
        refusal = decide(sql, "builder").refusal
        assert refusal is not None
        assert refusal.rule == "dbgate:function"
