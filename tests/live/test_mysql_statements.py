"""The examples of every statement, put to the real servers: each brand knows what the front end reads as its own.

PREPARE runs nothing: a server says 1064 for what its grammar does not hold, and anything else (no such table, not
supported as a prepared statement, nothing at all) for what it does.
"""

from __future__ import annotations

from collections.abc import Iterator

import pymysql
import pytest
from pymysql.cursors import Cursor

from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand
from tests.rules.mysql.utility.examples import EXAMPLES

SYNTAX = 1064


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: str(brand.value))
def asked(request: pytest.FixtureRequest) -> Iterator[tuple[str, Cursor]]:
    """(brand, a cursor of an administrator in a database of its own)."""
    with needed_mysql(request.param) as server, server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS statements")
        cursor.execute("USE statements")
        yield request.param.value, cursor


def error(cursor: Cursor, sql: str) -> tuple[int, str]:
    """The server's number and words for the text; 0 when it takes it."""
    try:
        cursor.execute("PREPARE example FROM %s", (sql,))
    except pymysql.MySQLError as refused:
        return refused.args[0], str(refused.args[1])
    return 0, ""


def test_the_server_knows_every_example(asked: tuple[str, Cursor]) -> None:
    brand, cursor = asked
    wrong = [
        (each.sql, said) for each in EXAMPLES if each.brand == brand and (said := error(cursor, each.sql))[0] == SYNTAX
    ]
    assert not wrong


def test_the_server_refuses_tails_that_mean_nothing(asked: tuple[str, Cursor]) -> None:
    """So do we (tests/rules/mysql/utility/test_examples.py)."""
    brand, cursor = asked
    taken = [each.sql for each in EXAMPLES if each.brand == brand and error(cursor, each.sql + " 17 'x'")[0] == 0]
    assert not taken


@pytest.mark.parametrize(
    ("text", "wide", "own"),
    [
        ("SET GLOBAL net_read_timeout = 44, net_write_timeout = 44", "44", "60"),
        ("SET @@global.net_read_timeout = 45, net_write_timeout = 45", "60", "45"),
        ("SET SESSION net_read_timeout = 9, GLOBAL wait_timeout = 99, net_write_timeout = 46", "46", "60"),
    ],
)
def test_a_scope_word_holds_for_the_names_after_it(asked: tuple[str, Cursor], text: str, wide: str, own: str) -> None:
    _, cursor = asked
    cursor.execute("SET GLOBAL net_write_timeout = 60, SESSION net_write_timeout = 60")
    cursor.execute(text)
    cursor.execute("SELECT CONCAT(@@global.net_write_timeout), CONCAT(@@session.net_write_timeout)")
    assert cursor.fetchone() == (wide, own)
