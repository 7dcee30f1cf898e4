"""The demo's agent: an ordinary PostgreSQL client that carries out the script and keeps what it saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg

from dbgate.demo.script import Outcome, Step

#: SQLSTATE on PostgreSQL, error number on MySQL
REFUSED = ("42501", "1142")
LIMITED = ("54000", "53400", "1226", "1317")


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as the driver shows it. `sqlstate`: on MySQL the error's number."""

    sqlstate: str
    message: str
    detail: str
    hint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: rows as text (None for NULL), or a failure. `tag`: the server's command tag."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    tag: str = ""
    failure: Failure | None = None

    def texts(self) -> Iterator[str]:
        """Every text that reached the client."""
        yield from self.columns
        for row in self.rows:
            yield from (cell for cell in row if cell is not None)
        if self.failure:
            yield from (self.failure.message, self.failure.detail, self.failure.hint)


@dataclass(frozen=True, slots=True)
class Seen:
    """One step as it happened. `truth`: the database's own answer, where the step compares."""

    step: Step
    answer: Answer
    truth: Answer | None
    problems: tuple[str, ...]


class Secrets:
    """Every protected value of the company, to be looked for in all that the agent got."""

    def __init__(self, values: frozenset[str]) -> None:
        self.values = frozenset(value.lower() for value in values)

    def found_in(self, answer: Answer, known: frozenset[str] = frozenset()) -> list[str]:
        """The protected values in `answer`, forwards or backwards, except those the agent brought itself."""
        texts = [text.lower() for text in answer.texts()]
        haystack = "\n".join([*texts, *(text[::-1] for text in texts)])
        return sorted(value for value in self.values - known if value in haystack)


def ask(connection: psycopg.Connection, step: Step) -> Answer:
    """Run a step's statement, once or as often as it has parameters, and collect what came back."""
    if not step.runs:
        return _execute(connection, step.sql, None)
    answers = [_execute(connection, step.sql, parameters) for parameters in step.runs]
    rows = tuple(row for answer in answers for row in answer.rows)
    failure = next((answer.failure for answer in answers if answer.failure), None)
    return Answer(answers[-1].columns, rows, answers[-1].tag, failure)


def judge(step: Step, answer: Answer, truth: Answer | None, secrets: Secrets) -> tuple[str, ...]:
    """What went otherwise than scripted; empty when all is well."""
    known = frozenset(str(value).lower() for run in step.runs for value in run)
    problems = [f"a protected value reached the agent: {value}" for value in secrets.found_in(answer, known)]
    return (*problems, *_CHECKS[step.outcome](step, answer, truth))


def _execute(connection: psycopg.Connection, sql: str, parameters: tuple[object, ...] | None) -> Answer:
    try:
        if sql.startswith("COPY"):
            return _copy(connection, sql)
        cursor = connection.execute(sql.encode(), parameters, prepare=parameters is not None)
    except psycopg.Error as error:
        return Answer(failure=_failure(error))
    tag = cursor.statusmessage or ""
    if cursor.description is None:
        return Answer(tag=tag)
    rows = tuple(tuple(None if cell is None else str(cell) for cell in row) for row in cursor.fetchall())
    return Answer(tuple(column.name for column in cursor.description), rows, tag)


def _copy(connection: psycopg.Connection, sql: str) -> Answer:
    """COPY ... TO STDOUT: each line of the copy is a row of one cell."""
    cursor = connection.cursor()
    with cursor.copy(sql.encode()) as copy:
        lines = b"".join(copy).decode().splitlines()
    return Answer(("COPY",), tuple((line.expandtabs(4),) for line in lines), cursor.statusmessage or "")


def _failure(error: psycopg.Error) -> Failure:
    said = error.diag
    return Failure(
        error.sqlstate or "",
        said.message_primary or str(error),
        said.message_detail or "",
        said.message_hint or "",
    )


def _allowed(step: Step, answer: Answer, truth: Answer | None) -> list[str]:
    if answer.failure:
        return [f"should have been allowed, but: {answer.failure.message}"]
    return ["differs from the database's own answer"] if truth is not None and truth != answer else []


def _masked(step: Step, answer: Answer, truth: Answer | None) -> list[str]:
    if answer.failure:
        return [f"should have been masked, but: {answer.failure.message}"]
    if not answer.rows:
        return ["no rows came back"]
    return ["nothing was masked"] if truth == answer else []


def _filtered(step: Step, answer: Answer, truth: Answer | None) -> list[str]:
    if answer.failure:
        return [f"should have been filtered, but: {answer.failure.message}"]
    there, seen = Counter(truth.rows if truth else ()), Counter(answer.rows)
    return [] if seen and seen < there else ["not a part of the database's own rows"]


def _limited(step: Step, answer: Answer, truth: Answer | None) -> list[str]:
    if answer.failure is None:
        return ["should have been ended by a limit"]
    if answer.failure.sqlstate not in LIMITED:
        return [f"SQLSTATE {answer.failure.sqlstate} instead of {' or '.join(LIMITED)}"]
    named = step.because in answer.failure.detail
    return [] if named else [f"the error does not name {step.because}: {answer.failure.detail}"]


def _refused(step: Step, answer: Answer, truth: Answer | None) -> list[str]:
    if answer.failure is None:
        return ["should have been refused"]
    if answer.failure.sqlstate not in REFUSED:
        return [f"SQLSTATE {answer.failure.sqlstate} instead of {' or '.join(REFUSED)}: {answer.failure.message}"]
    named = step.because in answer.failure.detail
    return [] if named else [f"the refusal does not name {step.because}: {answer.failure.detail}"]


def _failed(step: Step, answer: Answer, truth: Answer | None) -> list[str]:
    state = answer.failure.sqlstate if answer.failure else "success"
    return [] if state == step.because else [f"{state} instead of {step.because}"]


_CHECKS = {
    Outcome.ALLOWED: _allowed,
    Outcome.MASKED: _masked,
    Outcome.FILTERED: _filtered,
    Outcome.REFUSED: _refused,
    Outcome.LIMITED: _limited,
    Outcome.FAILED: _failed,
}
