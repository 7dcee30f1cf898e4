from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbgate.audit.events import SessionStarted, StatementDecided
from dbgate.audit.log import AuditLog
from dbgate.cli.rules import rules
from dbgate.packs import packs

OLD = """\
version: 1
rules:
  - {id: reads, roles: [agent, boss], allow: {statements: [select], tables: ["public.*"]}}
  - {id: limit, roles: [agent], limit: {rows_per_statement: 100}}
"""
NEW = (
    OLD.replace(": 100}", ": 10}")
    + "  - {id: mail, roles: [agent], mask: {columns: [customers.email], with: email}}\n"
    + "  - {id: keys, deny: {tables: [api_keys]}}\n"
)
DDL = "CREATE TABLE customers (id int, email text);\nCREATE TABLE api_keys (id int);\n"
STATEMENTS = """\
-- what the agent asks all day
SELECT id FROM customers;
SELECT email FROM customers; SELECT ';' FROM api_keys;
SELEC nonsense;
SELECT email FROM customers
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in (("old.yaml", OLD), ("new.yaml", NEW), ("ddl.sql", DDL), ("asked.sql", STATEMENTS)):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(rules, ["diff", *arguments], catch_exceptions=False)


FILES = ("--statements", "asked.sql", "--role", "agent", "--schema", "ddl.sql")


def test_text(shop: Path) -> None:
    result = call("old.yaml", "new.yaml", *FILES)
    assert result.exit_code == 1
    assert result.output == (
        "agent: limit: rows_per_statement: 100 by limit -> rows_per_statement: 10 by limit\n"
        "agent: SELECT email FROM customers  (2 times)\n"
        "    mask email: - -> email by mail\n"
        "agent: SELECT ';' FROM api_keys\n"
        "    refused: allowed -> refused by keys\n"
        "4 statements: 1 refused that were allowed, 1 masked otherwise\n"
    )


def test_json(shop: Path) -> None:
    found = json.loads(call("old.yaml", "new.yaml", *FILES, "--json").output)
    assert found["statements"] == 4
    assert found["summary"] == {"refused": 1, "mask": 1}
    assert found["changes"][0] == {
        "role": "agent",
        "statement": "SELECT email FROM customers",
        "times": 2,
        "changes": [{"aspect": "mask", "name": "email", "before": "", "after": "email by mail"}],
    }
    assert found["limits"]["agent"][0]["after"] == "rows_per_statement: 10 by limit"


def test_nothing_changes(shop: Path) -> None:
    result = call("old.yaml", "old.yaml", *FILES)
    assert (result.exit_code, result.output) == (0, "4 statements: none is decided otherwise\n")
    assert call("old.yaml", "old.yaml,pack:write-safety", *FILES).exit_code == 0


def test_several_roles(shop: Path) -> None:
    output = call("old.yaml", "new.yaml", *FILES, "--role", "boss").output
    assert "boss: SELECT ';' FROM api_keys" in output
    assert "boss: SELECT email" not in output
    assert output.endswith("8 statements: 2 refused that were allowed, 1 masked otherwise\n")


def test_folders_and_packs(shop: Path) -> None:
    (shop / "folder").mkdir()
    (shop / "folder" / "a.yaml").write_text(OLD)
    (shop / "folder" / "a.test.yaml").write_text("no rule file")
    result = call("folder", "folder,pack:pii", *FILES)
    assert result.exit_code == 1
    assert "mask email: - -> email by pii/email" in result.output


@pytest.fixture
def recorded(shop: Path) -> Path:
    log = AuditLog.open(shop / "data", "worker-0")
    for role, statement, database in (
        ("agent", "SELECT email FROM customers", "shop"),
        ("agent", "SELECT email FROM customers", "shop"),
        ("boss", "SELECT email FROM customers", "shop"),
        ("boss", "SELECT id FROM api_keys", "shop"),
        ("boss", "SELECT id FROM api_keys", "other"),
        ("agent", "", "shop"),
    ):
        log.append([SessionStarted(role=role)])
        log.append([StatementDecided(role=role, statement=statement, database=database)])
    log.close()
    return shop / "data"


def test_recorded_statements(recorded: Path) -> None:
    result = call("old.yaml", "new.yaml", "--recorded", str(recorded), "--schema", "ddl.sql")
    assert "agent: SELECT email FROM customers  (2 times)\n" in result.output
    assert "boss: SELECT id FROM api_keys  (2 times)\n" in result.output
    assert result.output.endswith("3 statements: 1 refused that were allowed, 1 masked otherwise\n")
    only = call("old.yaml", "new.yaml", "--recorded", str(recorded), "--schema", "ddl.sql", "--role", "boss")
    assert "agent" not in only.output
    one = call("old.yaml", "new.yaml", "--recorded", str(recorded), "--schema", "ddl.sql", "--database", "other")
    assert one.output.endswith("1 statements: 1 refused that were allowed\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("old.yaml", "new.yaml", "--schema", "ddl.sql"), "--statements FILE or --recorded"),
        (("old.yaml", "new.yaml", "--schema", "ddl.sql", "--statements", "asked.sql"), "--role"),
        (("old.yaml", "gone.yaml", *FILES), "gone.yaml"),
        (("old.yaml", "pack:gone", *FILES), "known are"),
        (("old.yaml", "bad.yaml", *FILES), "bad.yaml:1:1"),
        (("old.yaml", "new.yaml", "--statements", "open.sql", *FILES[2:]), "is no UTF-8 text"),
        (("old.yaml", "new.yaml", "--statements", "none.sql", *FILES[2:]), "none.sql holds no statement"),
        (("old.yaml", "new.yaml", *FILES[:-1], "open.sql"), "open.sql is no UTF-8 text"),
        (("old.yaml", "new.yaml", *FILES[:-1], "asked.sql"), "asked.sql: line "),
        (("old.yaml", "new.yaml", "--recorded", "empty", "--schema", "ddl.sql"), "no recorded statement"),
    ],
)
def test_what_cannot_be_compared(shop: Path, arguments: tuple[str, ...], words: str) -> None:
    (shop / "bad.yaml").write_text("rules: 3\n")
    (shop / "open.sql").write_bytes(b"SELECT '\xff'")
    (shop / "none.sql").write_text("")
    (shop / "empty").mkdir()
    result = call(*arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_the_packs_are_listed() -> None:
    output = CliRunner().invoke(rules, ["packs"]).output
    for name, file in packs().items():
        assert f"pack:{name}\n" in output
        assert str(file) in output


def test_the_schema_is_json() -> None:
    found = json.loads(CliRunner().invoke(rules, ["schema"]).output)
    assert set(found["properties"]) == {"version", "labels", "rules"}
