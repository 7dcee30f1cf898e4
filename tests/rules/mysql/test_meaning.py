"""What statements of MySQL mean to rules: names, masks, functions, what tells a value."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.decision import MaskKind, Verdict
from tests.rules.mysql.shop import CATALOG, context


def masks(sql: str) -> list[str]:
    """The masks' kinds, `-` for none. Fails when the statement is refused."""
    (decision,) = context().decide(sql.encode())
    assert decision.verdict is Verdict.ALLOW, decision.refusal
    return [m.kind.value if m else "-" for m in decision.masks or ()]


def refused_by(sql: str, role: str = "agent", database: str = "shop") -> str:
    (decision,) = context(role, database=database).decide(sql.encode())
    return decision.refusal.rule if decision.refusal is not None else ""


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        ("SELECT id, email, ssn FROM customers", "- keep_last redact"),
        ("SELECT shop.c.Email FROM shop.customers c", "keep_last"),
        ("SELECT * FROM vip", "- keep_last"),
        ("SELECT * FROM customers", "- - keep_last redact redact -"),
        ("SELECT hid FROM customers", "redact"),
        ("SELECT ssn AS x, (SELECT x) FROM customers", "redact redact"),
        ("SELECT d.y FROM (SELECT upper(ssn) y FROM customers) d", "redact"),
        ("SELECT salary / 2, nullif(ssn, '1'), ssn = '1' OR NULL, ssn IN ('1', NULL)", ""),
        ("SELECT count(ssn), count(*) FROM customers", ""),
        ("SELECT salary * 12, sum(salary), concat(ssn, '!') FROM customers", "redact redact redact"),
        ("SELECT salary / 2, nullif(ssn, '1'), ssn IN ('1', NULL) FROM customers", "null null null"),
        ("SELECT b.* FROM orders a RIGHT JOIN customers b USING (id)", "- - keep_last redact redact -"),
        ("SELECT * FROM orders RIGHT JOIN customers USING (id)", "- - keep_last redact redact - - -"),
        ("SELECT id FROM customers WHERE email = 'a'", ""),
        ("SELECT id FROM customers WHERE email IN ('a', 'b') OR email <=> NULL", ""),
        ("SELECT @@version, @@session.sql_mode, now(), database()", ""),
        ("SELECT table_name FROM INFORMATION_SCHEMA.TABLES", ""),
        ("INSERT INTO orders VALUES (1, 2, 3) ON DUPLICATE KEY UPDATE total = VALUES(total) + total", ""),
        ("INSERT INTO orders VALUES (1, 2, 3) AS new(a, b, c) ON DUPLICATE KEY UPDATE total = c + new.b", ""),
        ("UPDATE customers c JOIN orders o ON o.id = c.id SET c.name = 'x', o.total = c.id WHERE o.id = 1", ""),
        ("DELETE orders FROM orders JOIN customers ON orders.id = customers.id WHERE total = 1", ""),
        ("UPDATE orders SET total = 1 WHERE id = 1 ORDER BY total LIMIT 1", ""),
    ],
)
def test_what_passes_and_how_it_is_masked(sql: str, kinds: str) -> None:
    if "NULL)" in sql and "FROM" not in sql:
        assert refused_by(sql) == "dbgate:column"
    else:
        assert masks(sql) == kinds.split()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM customers WHERE ssn = '1'",
        "SELECT ssn AS id FROM customers ORDER BY id",
        "SELECT name AS n, ssn AS name FROM customers GROUP BY name",
        "SELECT name FROM customers GROUP BY name HAVING max(ssn) > '5'",
        "SELECT @x := ssn FROM customers",
        "SELECT ssn FROM customers INTO @x",
        "SET @x = (SELECT ssn FROM customers LIMIT 1)",
        "SELECT last_insert_id(salary) FROM customers",
        "SELECT exp(salary), pow(salary, 9) FROM customers",
        "SELECT salary * 10000000000000 FROM customers",
        "SELECT salary DIV 2 FROM customers",
        "SELECT extractvalue(1, concat(0x7e, ssn)) FROM customers",
        "SELECT json_extract(ssn, '$.a') FROM customers",
        "SELECT ssn REGEXP '^1' FROM customers",
        "SELECT repeat(ssn, 100000) FROM customers",
        "SELECT if(ssn = '1', (SELECT id FROM orders), 1) FROM customers",
        "UPDATE customers SET name = ssn",
        "UPDATE customers c, orders o SET o.id = c.salary",
        "DELETE FROM customers ORDER BY ssn LIMIT 1",
        "INSERT INTO orders (id) SELECT salary FROM customers",
        "INSERT INTO orders (id) SELECT id FROM customers ON DUPLICATE KEY UPDATE total = salary",
        "REPLACE INTO orders (id) SELECT salary FROM customers",
    ],
)
def test_what_would_tell_a_hidden_value(sql: str) -> None:
    assert refused_by(sql) == "secret"


@pytest.mark.parametrize(
    "condition",
    ["email = 0", "email = ?", "email IN ('a', 1)", "email = id", "(id, email) IN ((1, 2))", "email = TRUE",
     "email IN (SELECT id FROM orders)"],
)  # fmt: skip
def test_equality_of_another_type_tells_more_than_equality(condition: str) -> None:
    assert refused_by(f"SELECT id FROM customers WHERE {condition}") == "mail"


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("SELECT sleep(1)", "dbgate:function"),
        ("SELECT load_file('/etc/passwd')", "dbgate:function"),
        ("SELECT no_such_function(1)", "dbgate:function"),
        ("SELECT total_of(1)", "dbgate:function"),
        ("SELECT get_lock('a', 1)", "dbgate:function"),
        ("SELECT @@warning_count", "dbgate:function"),
        ("SELECT user FROM mysql.user", "dbgate:system-catalog"),
        ("SELECT info FROM information_schema.processlist", "dbgate:system-catalog"),
        ("SELECT 1 FROM nowhere", "dbgate:unknown-relation"),
        ("SELECT nothing FROM customers", "dbgate:column"),
        ("SELECT id FROM merged", "dbgate:relation"),
        ("SELECT text FROM other.notes", "dbgate:unknown-relation"),
        ("SELECT text FROM other.Notes", ""),
    ],
)
def test_names_and_functions(sql: str, rule: str) -> None:
    assert refused_by(sql) == rule


def test_without_a_default_database() -> None:
    assert refused_by("SELECT id FROM customers", database="") == "dbgate:database"
    assert refused_by("SELECT id FROM shop.customers", database="") == ""


def test_the_default_database_is_not_what_rules_mean_by_an_unqualified_name() -> None:
    other = replace(CATALOG, default_schema="other")
    (decision,) = context(catalog=other).decide(b"SELECT id FROM customers")
    assert decision.verdict is Verdict.REFUSE


def test_a_role_that_may_do_everything() -> None:
    assert refused_by("SELECT sleep(1), user FROM mysql.user", "dba") == ""


class TestOrigins:
    def test_by_name_in_any_case_of_the_column(self) -> None:
        mask = context().origin_mask_by_name("shop", "customers", "SSN")
        assert mask is not None
        assert mask.kind is MaskKind.REDACT

    def test_of_a_view(self) -> None:
        mask = context().origin_mask_by_name("shop", "vip", "mail")
        assert mask is not None
        assert mask.kind is MaskKind.KEEP_LAST

    @pytest.mark.parametrize("name", [("", "", ""), ("shop", "q", "b"), ("shop", "customers", "id"), ("", "d", "ssn")])
    def test_what_has_none(self, name: tuple[str, str, str]) -> None:
        assert context().origin_mask_by_name(*name) is None

    def test_denied(self) -> None:
        assert context().origin_denied_by_name("mysql", "user", "user") == "dbgate:default"
        assert context().origin_denied_by_name("shop", "customers", "id") is None
