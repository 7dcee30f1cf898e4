"""`dbgate rules`: check rule files, explain a decision, run rule tests, compare. They change nothing anywhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import click

from dbgate.cli.rule_files import (
    PLANNING_KEY,
    RuleFile,
    catalog_of,
    has_errors,
    parse_ddl,
    print_problems,
    rulebook_of,
    rules_of,
    search_path_of,
    search_path_option,
    sources,
    text_of,
    with_database,
)
from dbgate.cli.rules_diff import diff_command
from dbgate.packs import PREFIX, packs
from rules.book import check, load
from rules.book.schema import rule_file_schema
from rules.catalog import Catalog
from rules.explain import as_data, explain, lines
from rules.policy import Policy
from rules.testing import Outcome, Suite, read_suite, run

_TEST_SUFFIXES = (".test.yaml", ".test.yml")


@click.group()
def rules() -> None:
    """Check, explain, test and compare rule files."""


rules.add_command(diff_command)


@rules.command("check")
@click.argument("files", nargs=-1, type=RuleFile())
@with_database
def check_command(
    files: tuple[Path, ...], config: Path | None, database: str | None, schema: Path | None, dialect: str | None
) -> None:
    """Name every problem of the rule FILES (merged into one rulebook), each with its place and its mend.

    With --config or --schema also the tables, columns and functions that do not exist, and masks that do not fit
    their column's type. Without FILES, those that the settings name for the database."""
    paths = files or rules_of(config, database)
    loaded = load(sources(paths))
    problems = loaded.problems
    if loaded.rulebook is not None and (config or schema):
        problems += check(loaded.rulebook, catalog_of(config, database, schema, dialect))
    print_problems(problems)
    if loaded.rulebook is None or has_errors(problems):
        sys.exit(1)
    click.echo(f"{len(loaded.rulebook.rules)} rules in {len(paths)} file{'s' * (len(paths) > 1)}: no problem")


@rules.command("explain")
@click.option("--role", required=True, help="The role that asks.")
@click.option("--rules", "files", multiple=True, type=RuleFile(), help="A rule file or pack:NAME; may be repeated.")
@search_path_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_database
@click.argument("sql")
def explain_command(
    role: str,
    files: tuple[Path, ...],
    search_path: str | None,
    as_json: bool,
    config: Path | None,
    database: str | None,
    schema: Path | None,
    dialect: str | None,
    sql: str,
) -> None:
    """Show how the gate reads SQL, and each rule's part in the decision. Exit code 1: refused."""
    rulebook = rulebook_of(files or rules_of(config, database))
    catalog = catalog_of(config, database, schema, dialect)
    policy = Policy(rulebook, catalog, PLANNING_KEY)
    found = explain(policy.context(role, database or "", role, search_path_of(search_path, catalog)), sql)
    if as_json:
        click.echo(json.dumps([as_data(each) for each in found], indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join("\n".join(lines(each)) for each in found) or "the text holds no statement")
    sys.exit(any(each.decision.refusal is not None for each in found))


@rules.command("test")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--verbose", "-v", is_flag=True, help="Print the cases that passed, too.")
def test_command(paths: tuple[Path, ...], verbose: bool) -> None:
    """Run rule tests: *.test.yaml files, or all in a folder (default: this one). Needs no server."""
    files = list(_test_files(paths or (Path(),)))
    if not files:
        raise click.ClickException("there is no *.test.yaml here")
    results = [_run_file(file, verbose) for file in files]
    passed, failed, broken = (sum(column) for column in zip(*results, strict=True))
    click.echo(f"{passed} passed, {failed} failed" + (f", {broken} files could not run" if broken else ""))
    sys.exit(bool(failed or broken))


@rules.command("packs")
def packs_command() -> None:
    """List the rule packs that come with dbgate: name in the settings, what it is for, file."""
    for name, file in packs().items():
        purpose = file.read_text("utf-8").splitlines()[0].removeprefix("# ")
        click.echo(f"{PREFIX}{name}\n    {purpose}\n    {file}")


@rules.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of the rule file, for editors that complete and check as one types."""
    click.echo(json.dumps(rule_file_schema(), indent=2))


# ---------------------------------------------------------------- rule tests


def _test_files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for suffix in _TEST_SUFFIXES for p in path.rglob(f"*{suffix}"))
        else:
            yield path


def _run_file(file: Path, verbose: bool) -> tuple[int, int, int]:
    """How many cases passed and failed, and 1 when the file could not run."""
    suite, problems = read_suite(str(file), file.read_bytes())
    if suite is None:
        print_problems(problems)
        return 0, 0, 1
    policy = _suite_policy(file, suite)
    if policy is None:
        return 0, 0, 1
    outcomes = run(suite, policy)
    for outcome in outcomes:
        if verbose or not outcome.passed:
            click.echo(_outcome_line(outcome))
    passed = sum(outcome.passed for outcome in outcomes)
    return passed, len(outcomes) - passed, 0


def _suite_policy(file: Path, suite: Suite) -> Policy | None:
    paths = [file.parent / name for name in suite.rules] or [_rules_beside(file)]
    schema_file = file.parent / suite.schema_file
    missing = [path for path in (*paths, *([schema_file] if suite.schema_file else [])) if not path.is_file()]
    if missing:
        what = "is no file" if missing[0].exists() else "does not exist"
        click.echo(f"{file}:1:1  {missing[0]} {what}  name files beside this one", err=True)
        return None
    loaded = load(sources(paths))
    print_problems(loaded.problems)
    if loaded.rulebook is None:
        return None
    try:
        catalog = _schema(file, suite)
    except ValueError as fault:
        click.echo(str(fault), err=True)
        return None
    return Policy(loaded.rulebook, catalog, PLANNING_KEY)


def _schema(file: Path, suite: Suite) -> Catalog:
    """The catalog of a suite's DDL, there or in a file. Raises ValueError."""
    if not suite.schema_file:
        return parse_ddl(str(file), suite.schema, suite.server)
    schema_file = file.parent / suite.schema_file
    return parse_ddl(str(schema_file), text_of(schema_file), suite.server)


def _rules_beside(file: Path) -> Path:
    """`corp.test.yaml` -> `corp.yaml`."""
    base = file.name
    for suffix in _TEST_SUFFIXES:
        base = base.removesuffix(suffix)
    return file.with_name(base + file.suffix)


def _outcome_line(outcome: Outcome) -> str:
    case = outcome.case
    if outcome.passed:
        return f"{case.place}  ok  {case.name}"
    why = f"  ({outcome.why})" if outcome.why else ""
    return f"{case.place}  FAILED  {case.name}: expected {case.expected}, got {outcome.actual}{why}"
