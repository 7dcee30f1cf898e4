"""The demo's company: its database made inside an embedded server, and the list of what must stay hidden."""

from __future__ import annotations

from importlib.resources import files

import psycopg
from psycopg import sql

from dbgate.demo.agent import Secrets
from dbgate.demo.embedded_postgres import EmbeddedPostgres

DATABASE = "shop"
OWNER = "app"

#: Every protected value as text: what masks hide whole, and what the rule `no-secrets` keeps away.
PROTECTED = """
    SELECT email FROM customers UNION ALL SELECT phone FROM customers UNION ALL SELECT card_number FROM customers
    UNION ALL SELECT ssn FROM customers UNION ALL SELECT profile->>'referrer' FROM customers
    UNION ALL SELECT iban FROM employees UNION ALL SELECT salary::text FROM employees
    UNION ALL SELECT secret FROM api_keys UNION ALL SELECT entry FROM audit_private
    UNION ALL SELECT review FROM hr.people UNION ALL SELECT home_address FROM hr.people
"""


def text_of(name: str) -> str:
    """A file that lies beside this one."""
    return files("dbgate.demo").joinpath(name).read_text("utf-8")


def found(server: EmbeddedPostgres, password: str) -> None:
    """Make the company's database and the role that owns it, which is who the gate logs in as."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(OWNER), sql.Literal(password))
        )
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER))
        )
    with psycopg.connect(server.dsn(DATABASE, OWNER, password), autocommit=True) as connection:
        for name in ("company.sql", "company_rows.sql"):
            connection.execute(text_of(name).encode())


def protected_values(connection: psycopg.Connection) -> Secrets:
    return Secrets(frozenset(row[0] for row in connection.execute(PROTECTED.encode())))
