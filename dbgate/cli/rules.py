"""`dbgate rules`: check rule files, explain a decision, run rule tests. None of them changes anything anywhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from rules.book import Problem, Rulebook, Severity, check, load
from rules.catalog import Catalog
from rules.explain import as_data, explain, lines
from rules.policy import Policy
from rules.testing import Outcome, Suite, read_suite, run

#: only so that `hash` masks can be planned here; no value is masked by these commands
_PLANNING_KEY = b"no value is masked here"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_TEST_SUFFIXES = (".test.yaml", ".test.yml")

_config = click.option("--config", type=_FILE, help="dbgate.yaml: where the live database is.")
_database = click.option("--database", help="Which of the settings' databases; needed only when there are several.")
_schema = click.option("--schema", type=_FILE, help="DDL that stands for the database: no server is asked.")


@click.group()
def rules() -> None:
    """Check, explain and test rule files."""


@rules.command("check")
@click.argument("files", nargs=-1, type=_FILE)
@_config
@_database
@_schema
def check_command(files: tuple[Path, ...], config: Path | None, database: str | None, schema: Path | None) -> None:
    """Name every problem of the rule FILES (merged into one rulebook), each with its place and its mend.

    With --config or --schema also the tables, columns and functions that do not exist, and masks that do not fit
    their column's type. Without FILES, those that the settings name for the database."""
    paths = files or _rules_of(config, database)
    loaded = load(_sources(paths))
    problems = loaded.problems
    if loaded.rulebook is not None and (config or schema):
        problems += check(loaded.rulebook, _catalog(config, database, schema))
    _print_problems(problems)
    if loaded.rulebook is None or _errors(problems):
        sys.exit(1)
    click.echo(f"{len(loaded.rulebook.rules)} rules in {len(paths)} file{'s' * (len(paths) > 1)}: no problem")


@rules.command("explain")
@click.option("--role", required=True, help="The role that asks.")
@click.option("--rules", "files", multiple=True, type=_FILE, help="A rule file; may be given several times.")
@click.option("--search-path", default="public", show_default=True, help="Schemas, separated by commas.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_config
@_database
@_schema
@click.argument("sql")
def explain_command(
    role: str,
    files: tuple[Path, ...],
    search_path: str,
    as_json: bool,
    config: Path | None,
    database: str | None,
    schema: Path | None,
    sql: str,
) -> None:
    """Show how the gate reads SQL, and each rule's part in the decision. Exit code 1: refused."""
    rulebook = _rulebook(files or _rules_of(config, database))
    policy = Policy(rulebook, _catalog(config, database, schema), _PLANNING_KEY)
    path = tuple(part.strip() for part in search_path.split(",") if part.strip())
    found = explain(policy.context(role, database or "", role, path), sql)
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
        _print_problems(problems)
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
    missing = [path for path in (*paths, schema_file) if not path.exists()]
    if missing:
        click.echo(f"{file}:1:1  {missing[0]} does not exist", err=True)
        return None
    loaded = load(_sources(paths))
    _print_problems(loaded.problems)
    if loaded.rulebook is None:
        return None
    catalog = _parse_ddl(str(file), schema_file.read_text("utf-8") if suite.schema_file else suite.schema)
    return Policy(loaded.rulebook, catalog, _PLANNING_KEY)


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


# ---------------------------------------------------------------- files and catalogs


def _sources(paths: Sequence[Path]) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in paths}


def _rulebook(paths: Sequence[Path]) -> Rulebook:
    loaded = load(_sources(paths))
    _print_problems(loaded.problems)
    if loaded.rulebook is None:
        sys.exit(1)
    return loaded.rulebook


def _print_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)


def _errors(problems: Iterable[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def _rules_of(config: Path | None, database: str | None) -> tuple[Path, ...]:
    if config is None:
        raise click.UsageError("name the rule files, or the settings with --config")
    from dbgate.cli.live import chosen_database

    return chosen_database(config, database).rules


def _catalog(config: Path | None, database: str | None, schema: Path | None) -> Catalog:
    if schema is not None:
        return _parse_ddl(str(schema), schema.read_text("utf-8"))
    if config is None:
        raise click.UsageError("say what the database holds: --schema ddl.sql, or --config dbgate.yaml")
    from dbgate.cli.live import live_catalog

    return live_catalog(config, database)


def _parse_ddl(name: str, text: str) -> Catalog:
    from rules.postgres.ddl import catalog_from_ddl

    try:
        return catalog_from_ddl(text)
    except ValueError as fault:
        raise click.ClickException(f"{name}: {fault}") from fault
