"""What the `dbgate rules` commands share: rule files, the catalog they are held against, problems on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import click

from dbgate.packs import PREFIX, UnknownPack, rule_path
from rules.book import Problem, Rulebook, Severity, load
from rules.catalog import Catalog
from rules.ddl import DIALECTS, POSTGRESQL, Server, catalog_from_ddl, default_path

#: only so that `hash` masks can be planned here; no value is masked by these commands
PLANNING_KEY: Final = b"no value is masked here"
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


class RuleFile(click.Path):
    """A rule file that exists, or `pack:NAME`."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        if isinstance(value, str) and value.startswith(PREFIX):
            try:
                return rule_path(value, Path)
            except UnknownPack as fault:
                self.fail(str(fault), parameter, context)
        return super().convert(value, parameter, context)


config_option = click.option("--config", type=FILE, help="dbgate.yaml: where the live database is.")
database_option = click.option("--database", help="Which of the settings' databases, when there are several.")
dialect_option = click.option(
    "--dialect", type=click.Choice(DIALECTS), help="What --schema is written in.  [default: postgresql]"
)
search_path_option = click.option(
    "--search-path", help="Schemas, separated by commas.  [default: public; on MySQL the default database]"
)
schema_option = click.option("--schema", type=FILE, help="DDL that stands for the database: no server is asked.")


def with_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say what the database holds: --config, --database, --schema, --dialect."""
    for option in (dialect_option, schema_option, database_option, config_option):
        command = option(command)
    return command


def sources(paths: Sequence[Path]) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in paths}


def rulebook_of(paths: Sequence[Path], exit_code: int = 1) -> Rulebook:
    """The merged rulebook; its problems are printed. Ends the program when it cannot be used."""
    loaded = load(sources(paths))
    print_problems(loaded.problems)
    if loaded.rulebook is None:
        sys.exit(exit_code)
    return loaded.rulebook


def print_problems(problems: Iterable[Problem]) -> None:
    for problem in problems:
        click.echo(str(problem), err=True)


def has_errors(problems: Iterable[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def rules_of(config: Path | None, database: str | None) -> tuple[Path, ...]:
    """The rule files that the settings name."""
    if config is None:
        raise click.UsageError("name the rule files, or the settings with --config")
    from dbgate.cli.live import chosen_database

    return chosen_database(config, database).rules


def catalog_of(config: Path | None, database: str | None, schema: Path | None, dialect: str | None = None) -> Catalog:
    """From DDL, else from the live database. Raises ClickException when either cannot be read."""
    if schema is not None:
        try:
            return parse_ddl(str(schema), text_of(schema), Server(dialect or POSTGRESQL))
        except ValueError as fault:
            raise click.ClickException(str(fault)) from fault
    if dialect is not None:
        raise click.UsageError("--dialect says what --schema is written in; a live database tells it by itself")
    if config is None:
        raise click.UsageError("say what the database holds: --schema ddl.sql, or --config dbgate.yaml")
    from dbgate.cli.live import live_catalog

    return live_catalog(config, database)


def parse_ddl(name: str, text: str, server: Server) -> Catalog:
    """Raises ValueError naming file and line."""
    try:
        return catalog_from_ddl(text, server)
    except ValueError as fault:
        raise ValueError(f"{name}: {fault}") from fault


def text_of(file: Path) -> str:
    """A file of SQL. Raises ValueError when it is no UTF-8 text."""
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as fault:
        raise ValueError(f"{file} is no UTF-8 text: {fault.reason} at byte {fault.start}; save it as UTF-8") from fault


def search_path_of(text: str | None, catalog: Catalog) -> tuple[str, ...]:
    """What --search-path says, else what a session on the catalog's server begins with."""
    if text is None:
        return default_path(catalog)
    return tuple(part.strip() for part in text.split(",") if part.strip())
