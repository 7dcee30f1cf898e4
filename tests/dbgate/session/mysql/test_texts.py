"""The gate's refusals as a MySQL client reads them: the server's own numbers and words where it refuses as well."""

from __future__ import annotations

import pytest

from dbgate.session.mysql.texts import refusal_error, signal
from rules.decision import Refusal
from rules.policy import Policy
from tests.rules.mysql.shop import CATALOG, context
from tests.rules.worlds import book


def refusal(text: str, database: str = "shop") -> Refusal:
    return next(d.refusal for d in context(database=database).decide(text.encode("utf-8", "surrogateescape"))
                 if d.refusal is not None)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "errno", "sqlstate", "words"),
    [
        ("SELECT * FROM nowhere", 1146, "42S02", "Table 'nowhere' doesn't exist"),
        ("SELECT * FROM shop.nowhere", 1146, "42S02", "Table 'shop.nowhere' doesn't exist"),
        ("SELECT nothing FROM orders", 1054, "42S22", "Unknown column 'nothing'"),
        ("SELECT o.nothing FROM orders o", 1054, "42S22", "Unknown column 'o.nothing'"),
        ("SELECT x.id FROM orders o", 1054, "42S22", "Unknown column 'x.id'"),
        ("UPDATE orders SET nothing = 1", 1054, "42S22", "Unknown column 'nothing'"),
        ("INSERT INTO orders (nothing) VALUES (1)", 1054, "42S22", "Unknown column 'nothing'"),
        ("SELECT 1 FROM orders a JOIN customers b USING (total)", 1054, "42S22", "Unknown column 'total'"),
        ("SELECT id FROM orders, customers", 1052, "23000", "Column 'id' is ambiguous"),
        ("DELETE x FROM orders o", 1109, "42S02", "Unknown table 'x' in MULTI DELETE"),
        ("SELECT nosuch(1)", 1305, "42000", "FUNCTION nosuch does not exist"),
        ("SELECT shop.nosuch(1)", 1305, "42000", "FUNCTION shop.nosuch does not exist"),
        ("INSERT INTO orders (id, total) VALUES (1)", 1136, "21S01", "dbgate refused this statement"),
        ("SELECT 1 UNION SELECT 1, 2", 1222, "21000", "dbgate refused this statement"),
        ("SELEC 1", 1064, "42000", "dbgate refused this statement"),
        ("SELECT 1 FROM", 1064, "42000", "dbgate refused this statement"),
        ("SELECT 1 AS \udcff", 1300, "HY000", "dbgate refused this statement"),
        ("SELECT * FROM customers ORDER BY ssn", 1142, "42000", "dbgate refused this statement"),
        ("SELECT SLEEP(1)", 1142, "42000", "dbgate refused this statement"),
    ],
)
def test_a_refusal_speaks_mysql(text: str, errno: int, sqlstate: str, words: str) -> None:
    told = refusal_error(refusal(text))
    assert (told.errno, told.sqlstate) == (errno, sqlstate)
    assert told.message.decode().startswith(f"{words}. ")
    assert f"MYSQL_ERRNO = {errno}," in signal(refusal(text)).decode()
    said = told.message.replace(b"dbgate:unknown-relation", b"")
    assert not any(word in said for word in (b"relation", b"schema", b"public.", b"client_encoding"))


def test_what_to_do_without_a_database() -> None:
    told = refusal_error(refusal("SELECT * FROM orders", database=""))
    assert (told.errno, told.sqlstate) == (1046, "3D000")
    assert told.message.startswith(b"No database selected. ")
    assert b"in the DSN" in told.message
    assert b"`listen`" in told.message


def test_tables_are_named_with_their_database() -> None:
    rules = "rules: [{id: one, roles: [agent], allow: {statements: [select], tables: [orders]}}]"
    decided = (
        Policy(book(rules), CATALOG).context("agent", "shop", "bot", ("shop",)).decide(b"SELECT id FROM customers")
    )
    told = decided[0].refusal
    assert told is not None
    assert told.hint == "this role may select on: shop.orders"


def test_an_unknown_name_is_qualified_with_a_database() -> None:
    assert b"qualify it with its database" in refusal_error(refusal("SELECT * FROM zzzzzzzz")).message


def test_a_wrong_byte_has_mysqls_mend() -> None:
    assert b"SET NAMES utf8mb4" in refusal_error(refusal("SELECT 1 AS \udcff")).message
