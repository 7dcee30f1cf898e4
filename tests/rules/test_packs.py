"""The rule packs: sound alone and together, tested by the cases beside them, usable on any database."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.book import Rulebook, Severity, check, load
from rules.ddl import Server
from rules.ddl import catalog_from_ddl as of_any
from rules.policy import Policy
from rules.postgres.ddl import catalog_from_ddl
from rules.testing import read_suite, run

FOLDER = Path(__file__).parents[2] / "rules" / "packs"
NAMES = ("least-privilege-agent", "payment-cards", "pii", "secrets", "write-safety")
SUITES = sorted(FOLDER.rglob("*.test.yaml"))


def read(*files: Path) -> Rulebook:
    loaded = load({str(file): file.read_bytes() for file in files})
    assert loaded.rulebook is not None, loaded.problems
    assert loaded.problems == ()
    return loaded.rulebook


def pack(name: str) -> Path:
    return FOLDER / f"{name}.yaml"


def test_the_packs_are_these_and_each_has_its_cases() -> None:
    assert {file.stem for file in FOLDER.glob("*.yaml") if ".test" not in file.name} == set(NAMES)
    assert {file.name for file in FOLDER.glob("*.test.yaml")} == {f"{name}.test.yaml" for name in NAMES}


@pytest.mark.parametrize("file", SUITES, ids=lambda file: file.name)
def test_cases(file: Path) -> None:
    suite, problems = read_suite(str(file), file.read_bytes())
    assert suite is not None, problems
    names = suite.rules or (file.name.replace(".test", ""),)
    policy = Policy(read(*(file.parent / name for name in names)), catalog_from_ddl(suite.schema), b"key")
    assert [str(outcome) for outcome in run(suite, policy) if not outcome.passed] == []
    assert len(suite.cases) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_each_stands_alone_and_speaks_of_the_agent(name: str) -> None:
    rulebook = read(pack(name))
    assert {rule.roles for rule in rulebook.rules} == {frozenset({"agent"})}
    assert pack(name).read_text("utf-8").count("#") > len(rulebook.rules)


def test_all_together() -> None:
    rulebook = read(*map(pack, NAMES))
    assert len({rule.id for rule in rulebook.rules}) == len(rulebook.rules)


TYPES = (
    "text", "varchar(20)", "char(3)", "int", "bigint", "numeric", "double precision", "boolean", "date", "timestamptz",
    "time", "interval", "uuid", "bytea", "json", "jsonb", "inet", "point", "int4range", "text[]", "jsonb[]", "mood",
    "oid", "xml", "tsvector", "bit(3)", "money", '"char"', "address", "short",
)  # fmt: skip


def test_no_type_of_a_column_makes_a_pack_unusable() -> None:
    rulebook = read(*map(pack, NAMES))
    columns = sorted({p.column.text.replace("*", "x") for patterns in rulebook.labels.values() for p in patterns})
    own = "CREATE TYPE mood AS ENUM ('a'); CREATE TYPE address AS (a int); CREATE DOMAIN short AS varchar(3);"
    tables = [
        f"CREATE TABLE t{number} ({', '.join(f'{column} {type_}' for column in columns)});"
        for number, type_ in enumerate(TYPES)
    ]
    problems = check(rulebook, catalog_from_ddl(own + "\n".join(tables)))
    assert {problem.severity for problem in problems} <= {Severity.WARNING}


def test_on_an_empty_database_each_list_of_globs_warns_once() -> None:
    rulebook = read(*map(pack, NAMES))
    problems = check(rulebook, catalog_from_ddl("CREATE TABLE t (a int)"))
    assert len(problems) == len({(p.file, p.line, p.what) for p in problems}) <= len(rulebook.rules)
    assert {problem.severity for problem in problems} == {Severity.WARNING}


MYSQL_TYPES = (
    "text", "varchar(20)", "char(3)", "int", "bigint unsigned", "decimal(9,2)", "double", "bool", "date", "datetime(3)",
    "timestamp", "time", "year", "blob", "varbinary(9)", "binary(3)", "json", "enum('a')", "set('a')", "bit(3)",
    "point",
)  # fmt: skip


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
@pytest.mark.parametrize("name", NAMES)
def test_no_type_of_a_mysql_column_makes_a_pack_unusable(name: str, dialect: str) -> None:
    rulebook = read(pack(name))
    columns = sorted({p.column.text.replace("*", "x") for patterns in rulebook.labels.values() for p in patterns})
    named = [f"`{column}`" for column in columns] or ["a"]
    tables = [
        f"CREATE TABLE t{number} ({', '.join(f'{column} {type_}' for column in named)});"
        for number, type_ in enumerate(MYSQL_TYPES)
    ]
    catalog = of_any("\n".join(tables), Server(dialect))
    assert {problem.severity for problem in check(rulebook, catalog)} <= {Severity.WARNING}


MYSQL_CASES = """\
cases:
  reading:            {sql: SELECT id FROM orders LIMIT 5, expect: allow}
  mail is masked:     {sql: "SELECT email AS e FROM customers LIMIT 5", expect: {mask: [e]}}
  cards are masked:   {sql: "SELECT card_number FROM customers LIMIT 5", expect: {mask: [card_number]}}
  secrets are closed: {sql: "SELECT password_hash FROM customers LIMIT 5", expect: mask}
  a variable:         {sql: "SELECT email INTO @e FROM customers LIMIT 1", expect: deny}
  all rows deleted:   {sql: DELETE FROM orders, expect: deny}
  all rows changed:   {sql: UPDATE orders SET note = 'x', expect: deny}
  structure:          {sql: DROP TABLE orders, expect: deny}
  files:              {sql: "SELECT load_file('/etc/passwd')", expect: deny}
  a file:             {sql: "SELECT id FROM orders INTO OUTFILE '/tmp/x'", expect: deny}
"""
MYSQL_DDL = """
CREATE TABLE customers (id int, email varchar(99), card_number varchar(20), password_hash varchar(99));
CREATE TABLE orders (id int, note text);
"""


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_all_together_on_mysql(dialect: str) -> None:
    suite, problems = read_suite("packs.test.yaml", f"dialect: {dialect}\nrole: agent\n{MYSQL_CASES}")
    assert suite is not None, problems
    policy = Policy(read(*map(pack, NAMES)), of_any(MYSQL_DDL, suite.server), b"key")
    assert [str(outcome) for outcome in run(suite, policy) if not outcome.passed] == []
