"""Our reading of a text against the real servers': what they prepare, which tables they look for, how they bracket
operators, where they see tokens and how they name columns."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final

import pymysql
import pytest

from rules.mysql import read
from rules.tree import Column, CommonTable, JoinedDelete, Relation, Select, Star, Statement, Unparsable
from tests.live.mysql_needed import needed_mysql
from tests.live.mysql_servers import Brand, MysqlServer
from tests.rules.mysql.reading import CORPUS, VERSIONS, bracketed

TABLES: Final = {
    "t": "CREATE TABLE t (a INT PRIMARY KEY, b INT, c VARCHAR(20), d DATETIME, j JSON, `select` INT, FULLTEXT KEY (c))",
    "u": "CREATE TABLE u (a INT PRIMARY KEY, b INT, e INT)",
    "s": "CREATE TABLE s (x INT, y INT)",
}
#: the servers' refusals of a text as no SQL of theirs: syntax, empty, not in a prepared statement
NO_SQL: Final = frozenset({1064, 1065, 1149})
MISSING: Final = 1146
#: what the servers read and we refuse, on purpose
SHORTFALLS: Final = ("set_var(", "nextval(", "next value for", "procedure analyse")
TEXTS: Final = [text for text in (CORPUS / "grammar.txt").read_text("utf-8").splitlines() if text]
LACKING: Final = "without_{}"


class World:
    """A server, and connections to its databases: `d` with all tables, and one for each table that lacks it."""

    def __init__(self, server: MysqlServer) -> None:
        self.brand = server.brand.value
        self.version = VERSIONS[self.brand]
        self.connections = {name: server.connect(name) for name in ("d", *map(LACKING.format, TABLES))}

    def ask(self, text: str, database: str = "d") -> tuple[Any, Any] | int:
        """The rows and the cursor's fields; the server's error number."""
        with self.connections[database].cursor() as cursor:
            try:
                cursor.execute(text)
                return cursor.fetchall(), cursor._result.fields
            except pymysql.err.MySQLError as error:
                return int(error.args[0])

    def prepared(self, text: str, database: str = "d") -> int:
        """The error number of PREPARE, 0 for none."""
        with self.connections[database].cursor() as cursor:
            try:
                cursor.execute("PREPARE p FROM %s", (text,))
            except pymysql.err.MySQLError as error:
                return int(error.args[0])
        return 0

    def read(self, text: str) -> tuple[Statement, ...] | Unparsable:
        return read(text, self.brand, self.version)


@pytest.fixture(scope="module", params=list(Brand), ids=lambda brand: str(brand.value))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with needed_mysql(request.param) as server:
        for lacking in ("", *TABLES):
            database = LACKING.format(lacking) if lacking else "d"
            server.create_database(database)
            for name, definition in TABLES.items():
                if name != lacking:
                    server.run(definition, database)
        server.run("INSERT INTO t (a, b, c) VALUES (1, 2, 'x')", "d")
        made = World(server)
        yield made
        for connection in made.connections.values():
            connection.close()


def nodes(node: Any) -> Iterator[Any]:
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, tuple):
            waiting.extend(current)
        elif is_dataclass(current) and not isinstance(current, type):
            yield current
            hidden = "targets" if isinstance(current, JoinedDelete) else ""
            waiting.extend(getattr(current, f.name) for f in fields(current) if f.name != hidden)


def tables(statement: Statement) -> set[str]:
    """The tables of the default database in our tree."""
    found = list(nodes(statement.body))
    common = {node.name for node in found if isinstance(node, CommonTable)}
    return {n.name[0] for n in found if isinstance(n, Relation) and len(n.name) == 1} - common


def test_what_the_server_reads_is_read_with_the_same_tables(world: World) -> None:
    short, different = [], []
    for text in TEXTS:
        code, ours = world.prepared(text), world.read(text)
        if isinstance(ours, Unparsable):
            if code not in NO_SQL and not any(known in text for known in SHORTFALLS):
                short.append((text, code, ours.reason))
        elif code == 0:
            seen = {name for name in TABLES if world.prepared(text, LACKING.format(name)) == MISSING}
            if seen != tables(ours[0]) & TABLES.keys():
                different.append((text, seen, tables(ours[0])))
    assert different == []
    assert short == []


# ---------------------------------------------------------------- operators

_BINARY: Final = (
    *("or", "||", "xor", "and", "&&", "=", "<=>", "<>", "!=", "<", ">", "<=", ">=", "|", "&", "<<", ">>", "+", "-"),
    *("*", "/", "div", "%", "mod", "^", "like", "regexp", "in", "between", "is"),
)
_PREFIXES: Final = ("", "", "", "-", "~", "!", "+", "not ", "binary ")
_OPERANDS: Final = ("0", "1", "2", "7", "NULL", "'a'", "'1'", "1.5", "true", "false", "a", "b", "x.a")


def operand(random_: random.Random) -> str:
    prefix = random_.choice(_PREFIXES)
    return prefix + (f"({expression(random_, 2)})" if random_.random() < 0.12 else random_.choice(_OPERANDS))


def expression(random_: random.Random, most: int) -> str:
    found = operand(random_)
    for _ in range(random_.randint(0, most)):
        word = random_.choice(_BINARY)
        negated = random_.choice(("", "not ")) if word in ("like", "regexp", "in", "between") else ""
        if word == "in":
            found += f" {negated}in ({operand(random_)}, {operand(random_)})"
        elif word == "between":
            found += f" {negated}between {operand(random_)} and {operand(random_)}"
        elif word == "is":
            found += " is " + random_.choice(("null", "not null", "true", "not false", "unknown"))
        else:
            found += f" {negated}{word} {operand(random_)}"
    return found


def test_operators_bind_as_on_the_server(world: World) -> None:
    """The text with our brackets gives the value that the text without them gives."""
    random_ = random.Random(20)
    compared = 0
    for _ in range(1500):
        text = f"SELECT {expression(random_, 4)} FROM t x"
        ours, theirs = world.read(text), world.ask(text)
        if isinstance(ours, Unparsable) or isinstance(theirs, int):
            continue
        body = ours[0].body
        assert isinstance(body, Select)
        written = f"SELECT {bracketed(body.outputs[0].expression)} FROM t x"
        again = world.ask(written)
        assert not isinstance(again, int), (text, written)
        assert str(again[0]) == str(theirs[0]), (text, written)
        compared += 1
    assert compared > 800


# ---------------------------------------------------------------- tokens

_PIECES: Final = (
    *(
        "a",
        "b",
        "t",
        "x",
        "1",
        "1.",
        "1.5",
        ".5",
        "1e5",
        "1e",
        "1.e3",
        "1e+",
        "0x",
        "0x1",
        "0xg",
        "x'41'",
        "0b1",
        "0b2",
    ),
    *(
        "n'x'",
        "N",
        "_utf8mb4",
        "_latin1",
        "_foo",
        "'s'",
        "'it''s'",
        "'a\\'b'",
        '"q"',
        "`a`",
        "`t`",
        "`a``b`",
        "@v",
        "@`v`",
    ),
    *(
        "@'s'",
        "@@version",
        "select",
        "from",
        "as",
        "null",
        "true",
        "count",
        "count(*)",
        "now()",
        "date",
        "in",
        "is",
        "not",
    ),
    *(
        "/* c */",
        "/*! ",
        "/*!50000 ",
        "/*!50000",
        "/*!99999 ",
        "/*M!",
        "-- ",
        ":=",
        "->",
        "->>",
        "<=>",
        "$a",
        "a$b",
        "\\N",
    ),
    *"+-*/()!=<>&|;?{}é~^%...,,,,#\n\r\t\x0b\u00a0",
)
_GAPS: Final = ("", "", " ", " ", "\n", "/**/", "-- \n")
_ENDS: Final = ("", " from t", " from t x", "from t", " from d.t", " as z from t x", "/*!40000 from t*/")


def test_tokens_end_where_the_server_ends_them(world: World) -> None:
    """What both read has the same columns of the same names; what only the server reads is counted."""
    random_ = random.Random(21)
    compared, short = 0, 0
    for _ in range(4000):
        pieces = [random_.choice(_PIECES) + random_.choice(_GAPS) for _ in range(random_.randint(1, 5))]
        text = "select " + "".join(pieces) + random_.choice(_ENDS)
        ours, theirs = world.read(text), world.ask(text)
        if isinstance(theirs, int):
            continue
        if isinstance(ours, Unparsable):
            short += 1
            continue
        body = ours[0].body
        if len(ours) != 1 or not isinstance(body, Select) or any(isinstance(o.expression, Star) for o in body.outputs):
            continue
        columns = [o.expression.path[-1] if isinstance(o.expression, Column) else "" for o in body.outputs]
        assert columns == [f.org_name.lower() for f in theirs[1]], text
        compared += 1
    assert compared > 150
    assert short < compared / 4
