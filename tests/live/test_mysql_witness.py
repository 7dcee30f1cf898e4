"""What real servers say an output column comes from: the claims of `dbgate.session.mysql.masking`, asked again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer

DATABASE = "witness"
SETUP = """
CREATE TABLE Customers (id int PRIMARY KEY, Email varchar(80), phone varchar(20));
INSERT INTO Customers VALUES (1, 'a@x.org', '1'), (2, 'b@x.org', '2');
CREATE ALGORITHM=MERGE VIEW vm AS SELECT id, email AS mail FROM Customers;
CREATE ALGORITHM=TEMPTABLE VIEW vt AS SELECT id, email AS mail FROM Customers;
CREATE PROCEDURE p() SELECT email FROM Customers;
CREATE FUNCTION f() RETURNS varchar(80) DETERMINISTIC READS SQL DATA RETURN (SELECT email FROM Customers LIMIT 1)
"""
BASE = (DATABASE, "Customers", "Email")
#: the server names the column itself, however it is written
PROVEN = [
    "SELECT email FROM Customers",
    "SELECT c.EMAIL AS phone FROM Customers c",
    "SELECT (email) FROM witness.Customers",
    "SELECT DISTINCT email FROM Customers ORDER BY email LIMIT 1",
    "SELECT email FROM Customers GROUP BY email",
    "SELECT a.email FROM Customers a LEFT JOIN Customers b ON a.id = b.id",
    "(SELECT email FROM Customers LIMIT 1)",
    "SELECT email FROM Customers FOR UPDATE",
    "CALL p()",
]
#: it names nothing
SILENT = [
    "SELECT upper(email) FROM Customers",
    "SELECT min(email) FROM Customers",
    "SELECT ifnull(email, '') FROM Customers",
    "SELECT email FROM Customers UNION SELECT phone FROM Customers",
    "SELECT email FROM Customers UNION ALL SELECT phone FROM Customers",
    "SELECT (SELECT email FROM Customers LIMIT 1)",
    "SELECT @x := email FROM Customers",
    "SELECT f()",
    "SELECT lag(email) OVER (ORDER BY id) FROM Customers",
    "SELECT group_concat(email) FROM Customers",
    "WITH RECURSIVE q (e, n) AS (SELECT email, 1 FROM Customers UNION ALL SELECT e, n + 1 FROM q WHERE n < 2)"
    " SELECT e FROM q",
]
#: it names something else: statement -> what MySQL says, what MariaDB says
ELSEWHERE = {
    "SELECT mail FROM vm": (("witness", "vm", "mail"), ("witness", "vm", "mail")),
    "SELECT x.mail FROM vm x": (("witness", "vm", "mail"), ("witness", "x", "mail")),
    "SELECT mail FROM vt": (("witness", "vt", "mail"), ("", "Customers", "mail")),
    "SELECT e FROM (SELECT email e FROM Customers) d": (("witness", "Customers", "e"), ("witness", "d", "e")),
    "SELECT id FROM (SELECT email AS id FROM Customers) d": (("witness", "Customers", "id"), ("witness", "d", "id")),
    "SELECT e FROM (SELECT DISTINCT email e FROM Customers) d": (("witness", "Customers", "e"), ("", "Customers", "e")),
    "WITH q AS (SELECT email FROM Customers) SELECT email FROM q": (
        ("witness", "Customers", "email"),
        ("witness", "q", "email"),
    ),
}


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: brand.value)
def server(request: pytest.FixtureRequest) -> Iterator[MysqlServer]:
    with needed_mysql(request.param) as started:
        started.create_database(DATABASE)
        started.run(SETUP, DATABASE)
        yield started


def origins(server: MysqlServer, statement: str) -> list[tuple[str, str, str]]:
    """The first result's, from its text form."""
    with server.connect(DATABASE) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        fields: Any = cursor._result.fields
        return [(text(field.db), field.org_table, field.org_name) for field in fields]


def text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("statement", PROVEN)
def test_a_tables_column_is_named_as_it_was_created(server: MysqlServer, statement: str) -> None:
    assert origins(server, statement) == [BASE]


@pytest.mark.parametrize("statement", SILENT)
def test_of_a_computed_column_nothing_is_said(server: MysqlServer, statement: str) -> None:
    ((schema, table, _),) = origins(server, statement)
    assert schema == ""
    assert table == ""


@pytest.mark.parametrize("statement", ELSEWHERE)
def test_views_and_derived_tables_are_named_in_the_brands_own_ways(server: MysqlServer, statement: str) -> None:
    assert origins(server, statement) == [ELSEWHERE[statement][server.brand is Brand.MARIADB]]
