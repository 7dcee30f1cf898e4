"""The demo's company on a MySQL or MariaDB server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import pymysql

from dbgate.demo.agent import Secrets
from dbgate.demo.company import text_of
from dbgate.demo.embedded_mysql import Mysql, MysqlUnavailableError

DATABASES: Final = ("shop", "hr")
OWNER: Final = "dbgate_demo"

#: Every protected value as text, as `dbgate.demo.company` has them on PostgreSQL.
PROTECTED: Final = """
    SELECT email FROM customers UNION ALL SELECT phone FROM customers UNION ALL SELECT card_number FROM customers
    UNION ALL SELECT ssn FROM customers
    UNION ALL SELECT json_unquote(json_extract(profile, '$.referrer')) FROM customers
    UNION ALL SELECT iban FROM employees UNION ALL SELECT CAST(salary AS char) FROM employees
    UNION ALL SELECT secret FROM api_keys UNION ALL SELECT review FROM hr.people
"""


@contextmanager
def founded(server: Mysql, password: str) -> Iterator[None]:
    """The company's databases and the user that the gate logs in as, for the time of the block.

    Raises MysqlUnavailableError where databases or a user of these names are there already: they are not ours."""
    with server.connect() as connection:
        _check_free(connection)
        try:
            _make(connection, password)
            yield
        finally:
            _run(connection, "; ".join(_REMOVING))


def protected_values(connection: Any) -> Secrets:
    with connection.cursor() as cursor:
        cursor.execute(PROTECTED)
        return Secrets(frozenset(row[0] for row in cursor.fetchall()))


_REMOVING: Final = (*(f"DROP DATABASE IF EXISTS {name}" for name in DATABASES), f"DROP USER IF EXISTS '{OWNER}'@'%'")


def _check_free(connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT schema_name FROM information_schema.schemata WHERE schema_name IN (%s, %s)"
            " UNION ALL SELECT user FROM mysql.user WHERE user = %s",
            (*DATABASES, OWNER),
        )
        there = [row[0] for row in cursor.fetchall()]
    if there:
        raise MysqlUnavailableError(f"the server has {', '.join(there)} already: the demo wants one without")


def _make(connection: Any, password: str) -> None:
    lines = [*(f"CREATE DATABASE {name} CHARACTER SET utf8mb4" for name in DATABASES)]
    lines.append(f"CREATE USER '{OWNER}'@'%' IDENTIFIED BY '{password}'")
    lines += [f"GRANT ALL PRIVILEGES ON {name}.* TO '{OWNER}'@'%'" for name in DATABASES]
    try:
        _run(connection, "; ".join(lines))
        for text in ("USE shop", text_of("company_mysql.sql"), text_of("company_rows_mysql.sql")):
            _run(connection, text)
    except pymysql.MySQLError as error:
        raise MysqlUnavailableError(f"the company could not be made on the server: {error}") from error


def _run(connection: Any, text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text)
        while cursor.nextset():
            pass
