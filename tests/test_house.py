"""The house rules that a program can check: sizes, leftovers, and a README that cannot rot."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dbgate.cli import main
from dbgate.demo.script import CHAPTERS
from dbgate.demo.script_mysql import CHAPTERS as MYSQL_CHAPTERS
from dbgate.settings import parse_settings
from dbgate.settings.load import _KEYS
from rules.book import load

HOUSE = Path(__file__).parent.parent
README = (HOUSE / "README.md").read_text("utf-8")
SOURCES = sorted(
    path for package in ("dbgate", "protocols", "rules", "bench") for path in (HOUSE / package).rglob("*.py")
)

MOST_LINES_OF_A_FILE = 400
MEDIAN_LINES_OF_A_FUNCTION = 8
LINES_OF_NEARLY_EVERY_FUNCTION = 30


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """(place, lines) of every function in a file: from `def` to its end, its docstring and blank lines left out."""
    text = path.read_text("utf-8")
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            first, rest = node.body[0], lines[node.lineno - 1 : node.end_lineno]
            documented = ast.get_docstring(node) is not None and first.end_lineno is not None
            docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            yield (
                f"{path.relative_to(HOUSE)}:{node.lineno} {node.name}",
                sum(map(bool, map(str.strip, rest))) - docstring,
            )


def commands(group: click.Group, words: tuple[str, ...] = ("dbgate",)) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


COMMANDS = dict(commands(main))


def blocks(language: str) -> list[str]:
    """The README's code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def typed_commands() -> list[str]:
    """Every `dbgate ...` line in the README's shell blocks, continued lines joined, comments dropped."""
    text = "\n".join(blocks("sh") + blocks("console")).replace("\\\n", " ")
    found = [re.search(r"(?:^|[\s/;])(dbgate .+)", line.split("  #")[0]) for line in text.splitlines()]
    return [match[1] for match in found if match]


def test_files_are_short() -> None:
    long = {
        str(p.relative_to(HOUSE)): n
        for p in SOURCES
        if (n := len(p.read_text("utf-8").splitlines())) > MOST_LINES_OF_A_FILE
    }
    assert not long


def test_functions_are_short() -> None:
    sizes = dict(pair for path in SOURCES for pair in functions(path))
    long = sorted(place for place, lines in sizes.items() if lines > LINES_OF_NEARLY_EVERY_FUNCTION)
    assert statistics.median(sizes.values()) < MEDIAN_LINES_OF_A_FUNCTION
    assert len(long) <= len(sizes) * 0.05, long


def test_nothing_is_left_for_later() -> None:
    leftover = re.compile(r"\b(TODO|FIXME|XXX)\b")
    found = [
        f"{path.relative_to(HOUSE)}: {match[0]}" for path in SOURCES if (match := leftover.search(path.read_text()))
    ]
    assert not found


def test_locks_name_no_host_and_no_folder() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        assert not re.search(r"://|--index-url|--find-links| @ |file:", (HOUSE / lock).read_text("utf-8")), lock


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_readme_tells_of_every_command(name: str) -> None:
    assert name in README


@pytest.mark.parametrize("line", typed_commands())
def test_every_command_in_the_readme_exists(line: str) -> None:
    name = max((name for name in COMMANDS if f"{line} ".startswith(f"{name} ")), key=len, default=None)
    assert name is not None, f"no such command: {line}"
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts} | {"--help"}
    assert set(re.findall(r"(?<=\s)--[a-z-]+", line)) <= options


def test_the_rulebooks_in_the_readme_are_sound() -> None:
    rulebooks = [block for block in blocks("yaml") if block.startswith("version:") and "\nrules:" in block]
    assert rulebooks
    for text in [*rulebooks, (HOUSE / "dbgate/demo/rulebook.yaml").read_text("utf-8")]:
        assert load({"README.md": text}).problems == ()


def test_the_settings_in_the_readme_are_sound_and_name_every_key() -> None:
    settings = [block for block in blocks("yaml") if block.startswith("gate:")]
    assert settings
    for text in settings:
        parse_settings(text, HOUSE / "dbgate.yaml")
    known = {key for keys in _KEYS.values() for key in keys}
    assert {key for key in known if not re.search(rf"\b{key}:", "".join(settings))} == set()


def test_the_readme_quotes_the_demo_as_it_is() -> None:
    for file in ("rulebook", "rulebook_mysql"):
        lines = (HOUSE / f"dbgate/demo/{file}.yaml").read_text("utf-8").splitlines()
        quoted = re.findall(rf'rule "([\w-]+)" \({file}\.yaml:(\d+)\)', README)
        assert quoted
        assert {name: lines[int(number) - 1].strip() for name, number in quoted} == {n: f"- id: {n}" for n, _ in quoted}
    first, second = (
        [step for chapter in chapters for step in chapter.steps] for chapters in (CHAPTERS, MYSQL_CHAPTERS)
    )
    steps = [*first, *second]
    for number, title in re.findall(
        r"^ +(\d+)  (.+)  (?:allowed|masked|filtered|refused|limited)$", README, re.MULTILINE
    ):
        assert steps[int(number) - 1].title == title
    assert f"{len(steps)} statements" in README
    assert f"{len(first)} questions" in README
    assert f"{len(second)} more questions" in README
