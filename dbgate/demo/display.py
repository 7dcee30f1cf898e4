"""The demo on the terminal: what was asked, what the database holds and what the agent saw, side by side."""

from __future__ import annotations

from itertools import zip_longest

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from dbgate.demo.agent import Answer, Failure, Seen
from dbgate.demo.script import Outcome, Step

COLOURS = {
    Outcome.ALLOWED: "green",
    Outcome.MASKED: "yellow",
    Outcome.FILTERED: "yellow",
    Outcome.REFUSED: "red",
    Outcome.LIMITED: "red",
    Outcome.FAILED: "red",
}

#: A terminal may be narrower, a file or a pipe has no width of its own.
PIPE_WIDTH = 118

_SQL = Syntax("", "postgresql", background_color="default")


def terminal() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PIPE_WIDTH)


def chapter(console: Console, number: int, title: str) -> None:
    console.print()
    console.print(Text(f"{number}. {title}", style="bold underline"))


def step(console: Console, number: int, seen: Seen) -> None:
    asked = seen.step
    console.print()
    console.print(Text.assemble((f"{number:>3}  ", "dim"), (asked.title, "bold"), "  ", _verdict(asked)))
    console.print(_indented(_SQL.highlight(asked.sql)))
    console.print(_indented(_both(seen)))
    for problem in seen.problems:
        console.print(Text(f"     NOT AS SCRIPTED: {problem}", style="bold white on red"))


def question(console: Console, title: str, sql: str, rows: list[dict[str, object]]) -> None:
    """An audit query and its answer."""
    table = Table(*(rows[0] if rows else ("no rows",)), box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.header_style = "cyan"
    for row in rows:
        table.add_row(*(Text(_plain(value)) for value in row.values()))
    console.print(Text(f"     {title}", style="bold"))
    console.print(_indented(_SQL.highlight(sql)))
    console.print(_indented(table))


def _plain(value: object) -> str:
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list) else " ".join(str(value).split())


def _indented(what: RenderableType) -> Padding:
    if isinstance(what, Text):
        what.rstrip()
    return Padding(what, (0, 0, 0, 5), expand=False)


def _verdict(asked: Step) -> tuple[str, str]:
    times = f", {len(asked.runs)} times" if asked.runs else ""
    return (asked.outcome.value + times, COLOURS[asked.outcome])


def _both(seen: Seen) -> RenderableType:
    if seen.truth is None:
        return _answer(seen.answer)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("in the database")
    table.add_column("what the agent sees")
    table.add_row(_answer(seen.truth), _answer(seen.answer, seen.truth))
    return table


def _answer(answer: Answer, truth: Answer | None = None) -> RenderableType:
    if answer.failure:
        return _failure(answer.failure)
    if not answer.columns:
        return Text(f"-> {answer.tag}", style="green")
    table = Table(*answer.columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="cyan")
    for number, row in enumerate(answer.rows):
        real = truth.rows[number] if truth and number < len(truth.rows) else row
        table.add_row(*(_cell(cell, changed=cell != was) for cell, was in zip_longest(row, real[: len(row)])))
    return table


def _cell(value: str | None, changed: bool) -> Text:
    return Text(
        "NULL" if value is None else value,
        overflow="fold",
        style="yellow" if changed else "dim" if value is None else "",
    )


def _failure(failure: Failure) -> RenderableType:
    lines = (("ERROR", f"{failure.sqlstate}: {failure.message}"), ("DETAIL", failure.detail), ("HINT", failure.hint))
    table = Table.grid(padding=(0, 1))
    for name, text in lines:
        if text:
            table.add_row(Text(f"{name}:", style="red"), Text(text))
    return table
