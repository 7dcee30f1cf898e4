from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dbgate.cli.rules import rules

RULES = """\
version: 1
rules:
  - {id: reads, roles: [agent], allow: {statements: [select], tables: ["public.*"]}}
  - {id: mail, roles: [agent], mask: {columns: [customers.email], with: {keep_last: 4}}}
  - {id: keys, deny: {tables: [api_keys]}, instead: ask the platform team}
"""
DDL = "CREATE TABLE customers (id int, email text);\nCREATE TABLE api_keys (id int);\n"
TESTS = """\
schema: shop.sql
role: agent
cases:
  mail is masked: {sql: SELECT * FROM customers, expect: {mask: [email]}}
  keys are not read: {sql: SELECT * FROM api_keys, expect: {deny: keys}}
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "shop.yaml").write_text(RULES)
    (tmp_path / "shop.sql").write_text(DDL)
    (tmp_path / "shop.test.yaml").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(rules, list(arguments), catch_exceptions=False)


class TestCheck:
    def test_a_good_file(self, shop: Path) -> None:
        result = call("check", "shop.yaml", "--schema", "shop.sql")
        assert result.exit_code == 0
        assert result.output == "3 rules in 1 file: no problem\n"

    def test_every_problem_of_the_text(self, shop: Path) -> None:
        (shop / "bad.yaml").write_text("version: 1\nrules:\n  - {id: a, deny: {tabels: [t]}}\n  - {id: b}\n")
        result = call("check", "bad.yaml")
        assert result.exit_code == 1
        assert 'bad.yaml:3:20  unknown key "tabels" in deny of rule "a"  did you mean "tables"?' in result.output
        assert 'bad.yaml:4:5  rule "b" has no verb' in result.output

    def test_names_that_the_schema_does_not_have(self, shop: Path) -> None:
        (shop / "shop.yaml").write_text(RULES.replace("customers.email", "customers.emial"))
        assert call("check", "shop.yaml").exit_code == 0
        result = call("check", "shop.yaml", "--schema", "shop.sql")
        assert result.exit_code == 1
        assert 'did you mean "email"?' in result.output

    def test_warnings_do_not_fail(self, shop: Path) -> None:
        (shop / "shop.yaml").write_text(RULES.replace("customers.email", '"*.ssn"'))
        result = call("check", "shop.yaml", "--schema", "shop.sql")
        assert result.exit_code == 0
        assert "warning" in result.output

    def test_without_files_or_settings(self, shop: Path) -> None:
        result = call("check")
        assert result.exit_code == 2
        assert "--config" in result.output

    def test_bytes_that_are_no_text(self, shop: Path) -> None:
        (shop / "bad.yaml").write_bytes(b"\xff\xfe\x00")
        result = call("check", "bad.yaml")
        assert result.exit_code == 1
        assert "UTF-8" in result.output

    def test_ddl_that_cannot_be_read(self, shop: Path) -> None:
        (shop / "shop.sql").write_text("CREATE TABEL x (id int)")
        result = call("check", "shop.yaml", "--schema", "shop.sql")
        assert result.exit_code == 1
        assert "shop.sql" in result.output


class TestExplain:
    ARGUMENTS = ("explain", "--role", "agent", "--rules", "shop.yaml", "--schema", "shop.sql")

    def test_what_is_masked_and_by_which_rule(self, shop: Path) -> None:
        result = call(*self.ARGUMENTS, "SELECT email FROM customers")
        assert result.exit_code == 0
        assert "email is public.customers.email  -> {keep_last: 4} by mail" in result.output
        assert "- keys (deny, shop.yaml:5): its tables did not match" in result.output

    def test_a_refusal_as_the_client_sees_it(self, shop: Path) -> None:
        result = call(*self.ARGUMENTS, "SELECT * FROM api_keys")
        assert result.exit_code == 1
        assert 'DETAIL:  rule "keys" (shop.yaml:5): table public.api_keys' in result.output
        assert "HINT:  ask the platform team" in result.output

    def test_json(self, shop: Path) -> None:
        result = call(*self.ARGUMENTS, "--json", "SELECT 1; SELECT email FROM customers")
        one, two = json.loads(result.output)
        assert one["verdict"] == two["verdict"] == "allow"
        assert two["masked_columns"] == ["public.customers.email"]

    def test_the_schema_must_be_said(self, shop: Path) -> None:
        result = call("explain", "--role", "agent", "--rules", "shop.yaml", "SELECT 1")
        assert result.exit_code == 2
        assert "--schema" in result.output


class TestTest:
    def test_all_in_this_folder(self, shop: Path) -> None:
        result = call("test")
        assert result.exit_code == 0
        assert result.output == "2 passed, 0 failed\n"

    def test_verbose(self, shop: Path) -> None:
        assert "shop.test.yaml:4  ok  mail is masked" in call("test", "-v", "shop.test.yaml").output

    def test_a_case_that_fails(self, shop: Path) -> None:
        (shop / "shop.test.yaml").write_text(TESTS.replace("mask: [email]", "deny: keys"))
        result = call("test")
        assert result.exit_code == 1
        assert (
            "shop.test.yaml:4  FAILED  mail is masked: expected deny keys, got mask email  (email by mail)"
            in result.output
        )
        assert "1 passed, 1 failed" in result.output

    @pytest.mark.parametrize(
        ("file", "text", "expected"),
        [
            ("shop.test.yaml", "cases: 3", "cases must be a mapping"),
            ("shop.test.yaml", TESTS.replace("shop.sql", "nowhere.sql"), "nowhere.sql does not exist"),
            ("shop.test.yaml", TESTS.replace("shop.sql", "folder.sql"), "is no file"),
            ("shop.test.yaml", TESTS.replace("shop.sql", "open.sql"), "open.sql is no UTF-8 text"),
            ("shop.sql", "SELECT 1;", "shop.sql: line 1"),
            ("shop.yaml", "version: 1", "neither rules nor labels"),
        ],
    )
    def test_files_that_cannot_run(self, shop: Path, file: str, text: str, expected: str) -> None:
        (shop / "folder.sql").mkdir()
        (shop / "open.sql").write_bytes(b"CREATE TABLE t (a text DEFAULT '\xff')")
        (shop / file).write_text(text)
        result = call("test")
        assert result.exit_code == 1
        assert expected in result.output
        assert "1 files could not run" in result.output

    def test_no_tests_is_a_failure(self, tmp_path: Path) -> None:
        assert call("test", str(tmp_path)).exit_code == 1


MYSQL_DDL = """\
USE shop;
CREATE TABLE customers (id int unsigned, `email` text) ENGINE=InnoDB;
CREATE TABLE api_keys (id int);
"""


class TestOnMySQL:
    @pytest.fixture
    def shop(self, shop: Path) -> Path:
        (shop / "shop.yaml").write_text(RULES.replace("public.*", "shop.*"))
        (shop / "shop.sql").write_text(MYSQL_DDL)
        (shop / "shop.test.yaml").write_text(f"dialect: mysql\n{TESTS}")
        return shop

    @pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
    def test_check(self, shop: Path, dialect: str) -> None:
        result = call("check", "shop.yaml", "--schema", "shop.sql", "--dialect", dialect)
        assert result.output == "3 rules in 1 file: no problem\n"
        result = call("check", "shop.yaml", "--schema", "shop.sql")
        assert (result.exit_code, "shop.sql: line 1" in result.output) == (1, True)

    def test_explain_begins_in_the_default_database(self, shop: Path) -> None:
        result = call("explain", "--role", "agent", "--rules", "shop.yaml", "--schema", "shop.sql", "--dialect",
                      "mysql", "SELECT `email` FROM customers # all")  # fmt: skip
        assert (result.exit_code, "shop.customers.email" in result.output) == (0, True)

    def test_a_live_database_tells_its_dialect_by_itself(self, shop: Path) -> None:
        result = call("check", "shop.yaml", "--config", "shop.yaml", "--dialect", "mysql")
        assert (result.exit_code, "says what --schema is written in" in result.output) == (2, True)

    def test_cases(self, shop: Path) -> None:
        assert call("test").output == "2 passed, 0 failed\n"

    def test_the_line_of_a_schema_that_is_not_understood(self, shop: Path) -> None:
        (shop / "shop.sql").write_text("CREATE TABLE t (a int);\nALTER TABLE t DROP z;\n")
        result = call("test")
        assert (result.exit_code, 'shop.sql: line 2: the table has no column "z"' in result.output) == (1, True)

    def test_diff(self, shop: Path) -> None:
        (shop / "new.yaml").write_text((shop / "shop.yaml").read_text().replace("keep_last: 4", "keep_last: 2"))
        (shop / "asked.sql").write_text("SELECT `email` FROM customers; SELECT 1 # all\n")
        result = call("diff", "shop.yaml", "new.yaml", "--statements", "asked.sql", "--role", "agent", "--schema",
                      "shop.sql", "--dialect", "mysql")  # fmt: skip
        assert "2 statements: 1 masked otherwise" in result.output

    @pytest.mark.parametrize("verb", ["deny", "allow"])
    def test_functions_of_the_other_server_may_be_denied_alone(self, shop: Path, verb: str) -> None:
        (shop / "f.yaml").write_text(
            f"version: 1\nrules: [{{id: f, roles: [a], {verb}: {{functions: [pg_read_file]}}}}]\n"
        )
        result = call("check", "f.yaml", "--schema", "shop.sql", "--dialect", "mysql")
        assert ('no function matches "pg_read_file"' in result.output) == (verb == "allow")

    def test_the_demos_cases_hold(self) -> None:
        demo = Path(__file__).parents[3] / "dbgate" / "demo"
        assert call("test", str(demo / "rulebook_mysql.test.yaml")).output == "24 passed, 0 failed\n"
