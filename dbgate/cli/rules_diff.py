"""`dbgate rules diff`: what a change of rules does to statements, before it does it to people."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from dbgate.cli.rule_files import (
    FILE,
    PLANNING_KEY,
    RuleFile,
    catalog_of,
    rulebook_of,
    search_path_of,
    search_path_option,
    text_of,
    with_database,
)
from dbgate.packs import PREFIX
from dbgate.psql_scripts import texts
from rules.catalog import Catalog
from rules.comparing import Aspect, Change, Difference, compare, compare_limits
from rules.mysql.splitting import statement_texts
from rules.naming import MYSQL_BRANDS
from rules.policy import Policy, PolicyContext

#: exit codes, as diff(1) has them
SAME, DIFFERENT, UNUSABLE = 0, 1, 2
_TEST_SUFFIXES: Final = (".test.yaml", ".test.yml")
_WORDS: Final = {
    Aspect.REFUSED: "refused that were allowed",
    Aspect.ALLOWED: "allowed that were refused",
    Aspect.REASON: "refused for another reason",
    Aspect.MASK: "masked otherwise",
    Aspect.FILTER: "filtered otherwise",
    Aspect.OBSERVED: "observed otherwise",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement as somebody asked it."""

    role: str
    text: str
    search_path: tuple[str, ...]


@dataclass(slots=True)
class Outcome:
    """`asked`: how many were compared. `changed`: each difference with how often it was asked."""

    asked: int = 0
    changed: list[tuple[Difference, int]] = field(default_factory=list)
    limits: dict[str, tuple[Change, ...]] = field(default_factory=dict)

    @property
    def summary(self) -> dict[str, int]:
        """Statements by aspect; one statement may count for several."""
        found = Counter(aspect for each, _ in self.changed for aspect in {change.aspect for change in each.changes})
        return {aspect.value: found[aspect] for aspect in _WORDS if found[aspect]}


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--statements", type=FILE, help="SQL statements, or a psql script, for the roles of --role.")
@click.option(
    "--recorded",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A gate's directory: the statements of its local audit log, each for the role that sent it.",
)
@click.option("--role", "roles", multiple=True, help="Only these roles; needed with --statements. May be repeated.")
@search_path_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_database
def diff_command(
    old: str,
    new: str,
    statements: Path | None,
    recorded: Path | None,
    roles: tuple[str, ...],
    search_path: str | None,
    as_json: bool,
    config: Path | None,
    database: str | None,
    schema: Path | None,
    dialect: str | None,
) -> None:
    """Decide statements under the rulebooks OLD and NEW, and print what changes: refusals, masks, filters, limits.

    OLD and NEW: a rule file, pack:NAME, a folder of rule files, or several of these joined by commas. Exit code 0:
    nothing changes, 1: something does, 2: the rules or the statements cannot be read."""
    books = [rulebook_of(rule_paths(text), UNUSABLE) for text in (old, new)]
    _check_asked(statements, recorded, roles)
    catalog = _catalog(config, database, schema, dialect)
    asked = list(_asked(statements, recorded, roles, search_path_of(search_path, catalog), database, catalog))
    before, after = (Policy(book, catalog, PLANNING_KEY) for book in books)
    found = outcome(before, after, asked)
    lines = json.dumps(as_data(found), indent=2, ensure_ascii=False) if as_json else "\n".join(tell(found))
    click.echo(lines)
    sys.exit(DIFFERENT if found.changed or any(found.limits.values()) else SAME)


# ---------------------------------------------------------------- what is compared


def rule_paths(text: str) -> tuple[Path, ...]:
    """The files that an argument names. Ends the program when one is not there."""
    found: list[Path] = []
    for part in (part.strip() for part in text.split(",")):
        path = Path(part)
        if not part.startswith(PREFIX) and path.is_dir():
            files = (file for pattern in ("*.yaml", "*.yml") for file in sorted(path.glob(pattern)))
            found += [file for file in files if not file.name.endswith(_TEST_SUFFIXES)]
        else:
            found.append(RuleFile().convert(part, None, click.get_current_context(silent=True)))
    return tuple(found)


def _catalog(config: Path | None, database: str | None, schema: Path | None, dialect: str | None) -> Catalog:
    """As for the other commands; only that exit code 1 would say that something changes."""
    try:
        return catalog_of(config, database, schema, dialect)
    except click.ClickException as fault:
        raise click.UsageError(fault.message) from fault


def _check_asked(statements: Path | None, recorded: Path | None, roles: tuple[str, ...]) -> None:
    if (statements is None) == (recorded is None):
        raise click.UsageError("say which statements: --statements FILE or --recorded DIRECTORY")
    if statements is not None and not roles:
        raise click.UsageError("say for which role: --role NAME")


def _asked(
    statements: Path | None,
    recorded: Path | None,
    roles: tuple[str, ...],
    search_path: tuple[str, ...],
    database: str | None,
    catalog: Catalog,
) -> Iterable[Asked]:
    if statements is not None:
        return [Asked(role, text, search_path) for role in roles for text in split(statements, catalog)]
    assert recorded is not None
    found = [each for each in from_log(recorded, search_path, database) if not roles or each.role in roles]
    if not found:
        raise click.UsageError(f"{recorded} holds no recorded statement that is asked for")
    return found


def split(file: Path, catalog: Catalog) -> list[str]:
    """The texts of a file of SQL or, on PostgreSQL, a psql script. What cannot be parsed stays one text."""
    try:
        whole = text_of(file)
        if catalog.dialect in MYSQL_BRANDS:
            found = statement_texts(whole, catalog.dialect, catalog.server_version)
        else:
            found = [versions[0].strip() for versions in texts(whole)]
    except ValueError as fault:
        raise click.UsageError(str(fault)) from fault
    if not found:
        raise click.UsageError(f"{file} holds no statement")
    return found


def from_log(directory: Path, search_path: tuple[str, ...], database: str | None) -> Iterator[Asked]:
    """The decided statements of a local audit log, oldest first. The log names each one's role; `search_path` is what
    its session began with."""
    from dbgate.audit.tail import Follower

    for event in Follower(directory).read():
        if event.get("type") == "statement_decided" and database in (None, event.get("database")):
            text, role = event.get("statement", ""), event.get("role", "")
            if text.strip():
                yield Asked(role, text, tuple(event.get("search_path") or search_path))


def outcome(before: Policy, after: Policy, asked: Iterable[Asked]) -> Outcome:
    """Each distinct question once, in the order in which it came first."""
    counted = Counter(asked)
    found = Outcome(asked=len(counted))
    for question, times in counted.items():
        old, new = (_context(policy, question) for policy in (before, after))
        found.changed += [(each, times) for each in compare(old, new, question.text) if each is not None]
        if question.role not in found.limits:
            found.limits[question.role] = compare_limits(old, new)
    return found


def _context(policy: Policy, question: Asked) -> PolicyContext:
    return policy.context(question.role, "", question.role, question.search_path)


# ---------------------------------------------------------------- telling


def tell(found: Outcome) -> Iterator[str]:
    """The outcome as lines of text."""
    for role, changes in found.limits.items():
        yield from (f"{role}: {change}" for change in changes)
    for difference, times in found.changed:
        often = f"  ({times} times)" if times > 1 else ""
        yield f"{difference.role}: {' '.join(difference.statement.split())}{often}"
        yield from (f"    {change}" for change in difference.changes)
    told = ", ".join(f"{count} {_WORDS[Aspect(aspect)]}" for aspect, count in found.summary.items())
    yield f"{found.asked} statements: {told or 'none is decided otherwise'}"


def as_data(found: Outcome) -> dict[str, Any]:
    """The outcome for programs."""
    return {
        "statements": found.asked,
        "summary": found.summary,
        "limits": {role: [_change_data(change) for change in changes] for role, changes in found.limits.items()},
        "changes": [
            {
                "role": difference.role,
                "statement": difference.statement,
                "times": times,
                "changes": [_change_data(change) for change in difference.changes],
            }
            for difference, times in found.changed
        ],
    }


def _change_data(change: Change) -> dict[str, str]:
    return {"aspect": change.aspect.value, "name": change.name, "before": change.before, "after": change.after}
