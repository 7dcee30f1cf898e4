"""The rule packs: sound alone and together, tested by the cases beside them, usable on any database."""

from __future__ import annotations

from pathlib import Path

import pytest

from rules.book import Rulebook, Severity, check, load
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
