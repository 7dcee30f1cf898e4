"""The shop on MySQL and MariaDB in two worlds that differ only in what the rules hide (see worlds).

A world is two databases, the shop and `hr`, whose names have the same length in both worlds. What an attempt may have
changed for good (DDL ends a transaction) is told by a snapshot, and made anew."""

from __future__ import annotations

import datetime
import json
from functools import cache
from pathlib import Path
from typing import Any

import pymysql

from tests.live import worlds
from tests.live.mysql_servers import Brand, MysqlServer
from tests.live.worlds import Row, secret

SCHEMA = Path(__file__).with_name("shop_mysql.sql")
#: more tables of MariaDB
MARIADB_SCHEMA = """
CREATE TABLE residents (id int PRIMARY KEY, ssn varchar(20), town varchar(20)) WITH SYSTEM VERSIONING;
CREATE SEQUENCE steps START WITH 5;
"""
RULEBOOKS = Path(__file__).parent / "rulebooks"
BOOKS = ("shop", "wide")


def database(world: str) -> str:
    return f"leaks_{world}"


def hr(world: str) -> str:
    return f"hrdep_{world}"


def names(text: str, world: str) -> str:
    """The text with the names of the world's databases."""
    return text.replace("{db}", database(world)).replace("{hr}", hr(world))


def nameless(heard: bytes, world: str) -> bytes:
    """What was heard, with the same names in both worlds."""
    for name in (database(world), hr(world), *(f"{book}_{world}" for book in BOOKS)):
        heard = heard.replace(name.encode(), name[:-1].encode() + b"_")
    return heard


def rulebook(book: str, world: str) -> str:
    """PostgreSQL's rulebook of that name with the world's databases for schemas."""
    text = (RULEBOOKS / f"{book}.yaml").read_text()
    return text.replace(', "pg_temp.*"', "").replace("public.", f"{database(world)}.").replace("hr.*", f"{hr(world)}.*")


def tables(world: str, brand: Brand) -> dict[str, list[Row]]:
    found = worlds.tables(world)
    found["products"] = [(*row[:4], row[5]) for row in found["products"]]
    found["notes"] = [(*row, f"tag {row[0]}") for row in found["notes"]]
    found["badges"] = [(n, secret(world, "badge", n, 9)) for n in range(1, 5)]
    found["strict_badges"] = [(n, secret(world, "strict", n, 9)) for n in range(1, 5)]
    found["vaults"] = [(secret(world, "vault", n, 9), f"room {n}") for n in range(1, 4)]
    found["vault_keys"] = [(n, secret(world, "vault", n, 9)) for n in range(1, 4)]
    found["{hr}.reviews"] = found.pop("hr.reviews")
    if brand is Brand.MARIADB:
        found["residents"] = [(n, secret(world, "resident", n, 9), "town") for n in range(1, 4)]
    del found["people"]
    return found


@cache
def canaries(world: str) -> list[str]:
    """Every hidden value's secret part."""
    more = [("badge", 5), ("strict", 5), ("vault", 4), ("resident", 4)]
    made = [secret(world, kind, n, 9) for kind, most in more for n in range(1, most)]
    return [*worlds.canaries(world), *made]


def create(server: MysqlServer, world: str) -> None:
    """Both databases, anew."""
    _run(server, world, [f"{verb} DATABASE {name}" for name in (database(world), hr(world))
                         for verb in ("DROP", "CREATE")], None, ignore=True)  # fmt: skip
    script = SCHEMA.read_text() + (MARIADB_SCHEMA if server.brand is Brand.MARIADB else "")
    _run(server, world, _statements(script), database(world))
    _fill(server, world)


def _statements(script: str) -> list[str]:
    """A body of BEGIN ... END is one line."""
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    found, words = [], ""
    for line in lines:
        words += line + "\n"
        if line.endswith(";"):
            found.append(words.strip().removesuffix(";"))
            words = ""
    return found


def _run(server: MysqlServer, world: str, texts: list[str], place: str | None, *, ignore: bool = False) -> None:
    with server.connect(place) as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_notes = 0")
        for text in texts:
            try:
                cursor.execute(names(text, world))
            except pymysql.MySQLError:
                if not ignore:
                    raise


def _fill(server: MysqlServer, world: str) -> None:
    with server.connect(database(world), autocommit=False) as connection, connection.cursor() as cursor:
        for table, rows in tables(world, server.brand).items():
            target = f"{table} (id, ssn)" if table.endswith("badges") else table
            marks = ", ".join(["%s"] * len(rows[0]))
            cursor.executemany(names(f"INSERT INTO {target} VALUES ({marks})", world), [_plain(row) for row in rows])
        if server.brand is Brand.MARIADB:
            cursor.execute("UPDATE residents SET town = 'city'")
        connection.commit()


def _plain(row: Row) -> tuple[Any, ...]:
    return tuple(v.replace(tzinfo=None) if isinstance(v, datetime.datetime) else v for v in row)


def snapshot(server: MysqlServer, world: str) -> str:
    """What there is, and what is in it."""
    place = (database(world), hr(world))
    with server.connect(database(world)) as connection, connection.cursor() as cursor:
        found: list[Any] = []
        for text in (
            "SELECT table_schema, table_name, column_name, column_type, extra, ordinal_position"
            " FROM information_schema.columns WHERE table_schema IN (%s, %s) ORDER BY 1, 2, 6",
            "SELECT routine_schema, routine_name, '' FROM information_schema.routines WHERE routine_schema IN (%s, %s)"
            " UNION ALL SELECT trigger_schema, trigger_name, '' FROM information_schema.triggers"
            " WHERE trigger_schema IN (%s, %s) ORDER BY 1, 2",
            "SELECT schema_name FROM information_schema.schemata WHERE %s < %s ORDER BY 1",
            "SELECT table_schema, table_name, index_name, column_name, sub_part FROM information_schema.statistics"
            " WHERE table_schema IN (%s, %s) ORDER BY 1, 2, 3, seq_in_index",
            "SELECT table_schema, constraint_name, constraint_type FROM information_schema.table_constraints"
            " WHERE table_schema IN (%s, %s) ORDER BY 1, table_name, 2",
            "SELECT table_schema, table_name, view_definition FROM information_schema.views"
            " WHERE table_schema IN (%s, %s) ORDER BY 1, 2",
        ):
            cursor.execute(text, place * (text.count("%s") // 2))
            found += cursor.fetchall()
        cursor.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
            " AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1", place[:1],
        )  # fmt: skip
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT * FROM `{table}`")
            found.append((table, sorted(map(repr, cursor.fetchall()))))
    return json.dumps(found, default=str)
