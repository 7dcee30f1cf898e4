"""The audit of statements: the intent when a statement is sent, the outcome when its reply is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from dbgate.audit.events import SessionEnded, StatementDecided, StatementFinished, WitnessMismatch
from rules.decision import Decision, Refusal, Rewrite, Verdict

#: The SQLSTATE column of a statement that was sent but that the server skipped because an earlier one failed.
NOT_RUN = "not run"
#: ... and of one whose end the gate did not see.
UNKNOWN = "unknown"


class Login(Protocol):
    """What every event tells of the session it belongs to. `database`: the gate's name of it."""

    @property
    def session(self) -> str: ...
    @property
    def job(self) -> str: ...
    @property
    def job_verified(self) -> bool: ...
    @property
    def identity(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def database(self) -> str: ...


@dataclass(slots=True)
class Tally:
    """What was sent of one result, which may be read in parts (a portal, a cursor)."""

    rows: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Run:
    """One execution of a statement. `started`: nanoseconds of the driver's monotonic clock. `limit`: what ended it;
    `tally`: its result's, where a limit wants it counted; `observed`: the limits that would have ended it."""

    id: str
    started: int
    rows: int = 0
    bytes: int = 0
    masked_cells: int = 0
    finished: bool = False
    limit: Refusal | None = None
    tally: Tally | None = None
    observed: tuple[str, ...] = ()


@dataclass(slots=True)
class Totals:
    """What a session did, for its closing event."""

    statements: int = 0
    bytes_to_client: int = 0
    started: int = 0


class Book:
    """Makes the session's events. Ids of statements are the session's id and a number."""

    __slots__ = ("_base", "_login", "open_runs", "totals")

    def __init__(self, login: Login, rulebook: str, now: int) -> None:
        self._login = login
        self.totals = Totals(started=now)
        self.open_runs: dict[str, Run] = {}
        self._base = {
            "session": login.session,
            "job": login.job,
            "job_verified": login.job_verified,
            "identity": login.identity,
            "role": login.role,
            "database": login.database,
            "rulebook": rulebook,
        }

    def use_rulebook(self, digest: str) -> None:
        self._base["rulebook"] = digest

    def decided(self, text: str, decision: Decision, now: int, parameters: int = 0) -> tuple[Run, StatementDecided]:
        """The intent. A refused statement's run is over at once."""
        self.totals.statements += 1
        run = Run(f"{self._login.session}-{self.totals.statements}", now)
        refused = decision.verdict is not Verdict.ALLOW
        if refused:
            run.finished = True
        else:
            self.open_runs[run.id] = run
        return run, StatementDecided(
            **self._base,  # type: ignore[arg-type]
            **_described(text, decision),
            statement_id=run.id,
            parameters=parameters,
        )

    def template(self, text: str, decision: Decision) -> Callable[..., StatementDecided]:
        """For a statement that will be allowed again: its StatementDecided, given `statement_id` and `parameters`."""
        return partial(StatementDecided, **self._base, **_described(text, decision))  # type: ignore[arg-type]

    def start_again(self, now: int) -> Run:
        """The run of an allowed statement, whose intent a template makes."""
        self.totals.statements += 1
        run = Run(f"{self._login.session}-{self.totals.statements}", now)
        self.open_runs[run.id] = run
        return run

    def finished(self, run: Run, now: int, *, sqlstate: str = "", tag: str = "") -> StatementFinished:
        """The outcome; called once for each run."""
        run.finished = True
        self.open_runs.pop(run.id, None)
        self.totals.bytes_to_client += run.bytes
        return StatementFinished(
            **self._base,  # type: ignore[arg-type]
            statement_id=run.id,
            rows=run.rows,
            bytes=run.bytes,
            milliseconds=round((now - run.started) / 1e6, 3),
            masked_cells=run.masked_cells,
            sqlstate=run.limit.sqlstate if run.limit is not None else sqlstate,
            command_tag=tag,
            limit=run.limit.rule if run.limit is not None else "",
            observed=run.observed,
        )

    def mismatch(self, run: Run | None, text: str, column: str, origin: str, action: str) -> WitnessMismatch:
        return WitnessMismatch(
            **self._base,  # type: ignore[arg-type]
            statement_id=run.id if run else "",
            statement=text,
            column=column,
            origin=origin,
            action=action,
        )

    def ended(self, why: str, now: int) -> list[StatementFinished | SessionEnded]:
        """Closes what is open, then the session."""
        closing: list[StatementFinished | SessionEnded] = [
            self.finished(run, now, sqlstate=UNKNOWN) for run in list(self.open_runs.values())
        ]
        closing.append(
            SessionEnded(
                **self._base,  # type: ignore[arg-type]
                reason=why,
                statements=self.totals.statements,
                bytes_to_client=self.totals.bytes_to_client,
                milliseconds=round((now - self.totals.started) / 1e6, 3),
            )
        )
        return closing


def _described(text: str, decision: Decision) -> dict[str, Any]:
    return {
        "statement": text,
        "kind": decision.kind,
        "detail": decision.detail,
        "tables": decision.tables,
        "columns": decision.columns,
        "verdict": decision.verdict.value,
        "rules": decision.rules,
        "observed": decision.observed,
        "masked_columns": decision.masked_columns,
        "reason": reason(decision.refusal),
    }


def reason(refusal: Refusal | None) -> str:
    return f"{refusal.message}: {refusal.detail}" if refusal else ""


@dataclass(slots=True)
class Running:
    """The statements of one Query, in order, and which of them the server is at. `text`, `rewrite`: the client's text
    and what was spliced into it, where anything was."""

    decisions: tuple[Decision, ...]
    runs: list[Run]
    texts: list[str]
    at: int = 0
    text: bytes = b""
    rewrite: Rewrite | None = None

    @property
    def decision(self) -> Decision | None:
        return self.decisions[self.at] if self.at < len(self.decisions) else None

    @property
    def run(self) -> Run | None:
        return self.runs[self.at] if self.at < len(self.runs) else None
