"""What the session itself refuses, beyond the rules: the texts, and how a decision becomes a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from rules.decision import Decision, Refusal, Verdict

MESSAGE: Final = "dbgate refused this statement"

#: An empty text decides nothing and does nothing.
EMPTY: Final = Decision(Verdict.ALLOW, "empty")


def law(word: str, detail: str, hint: str, sqlstate: str = "42501") -> Refusal:
    """A refusal by one of the gate's own laws."""
    return Refusal(f"dbgate:{word}", MESSAGE, f'rule "dbgate:{word}": {detail}', hint, sqlstate)


SEND_ALONE: Final = law(
    "default-database",
    "an earlier statement of the same text changes what names mean, or how text is read",
    "send the statements one at a time",
)
CATALOG_UNREAD: Final = law(
    "catalog",
    "this session has changed the structure, and the gate could not read the catalog since",
    "try again in a moment",
    "55000",
)
UNKNOWN_NAME: Final = law(
    "carrier",
    "the gate saw nothing prepare a statement of this name in this session",
    "prepare it with PREPARE ... FROM 'text' in this session first",
    "26000",
)
NESTED_CARRIER: Final = law(
    "carrier",
    "it runs a prepared statement by name inside another one; masks cannot follow",
    "write the query itself in place of the name",
)
ODD_NAME: Final = law(
    "carrier",
    "the server takes names of prepared statements for equal that differ in case or accents",
    "name prepared statements with ASCII letters, digits and _ only",
)
EXECUTES_MORE: Final = law(
    "carrier",
    "EXECUTE of a statement that is no SELECT, INSERT, UPDATE, DELETE or the like",
    "send that statement itself, not its name",
)
SPLICED_OTHERWISE: Final = law(
    "filter",
    "the row filters for your role, or the structure they rest on, have changed since this statement was prepared",
    "prepare it again",
    "26000",
)
TOO_MANY_PREPARED: Final = law(
    "prepared",
    "this session holds as many prepared statements, or as much text in them, as it may",
    "close prepared statements before you prepare new ones",
    "53400",
)
ONE_AT_A_TIME: Final = law(
    "prepared", "a prepared statement is one statement, and this text has several", "prepare them one by one", "42601"
)
NOT_IN_CHARSET: Final = law(
    "charset",
    "the text has bytes that the connection's character set does not hold, or that it is not read by here",
    "SET NAMES utf8mb4, and send the text as UTF-8",
    "22021",
)
CHARSET: Final = law(
    "charset",
    "the gate reads SQL in utf8mb4, utf8mb3, latin1 and ascii only, given by name",
    "SET NAMES utf8mb4",
)
SQL_MODE: Final = law(
    "sql-mode",
    "the gate reads SQL without ANSI_QUOTES, NO_BACKSLASH_ESCAPES, PIPES_AS_CONCAT and the other modes that change "
    "what a text means",
    "set sql_mode to a text of other modes, such as 'STRICT_TRANS_TABLES'",
)
DIAGNOSTICS: Final = law(
    "diagnostics",
    "the last statement touched data that your role may not see whole, and its diagnostics could tell of it",
    "go by the error that the statement itself returned",
)
MOVED: Final = law("default-database", "the name is not the one that the server uses", "USE the database by its name")


def refused(decisions: Iterable[Decision]) -> Decision | None:
    """The first decision that is no ALLOW."""
    return next((decision for decision in decisions if decision.verdict is not Verdict.ALLOW), None)


def refuse(decision: Decision, refusal: Refusal) -> Decision:
    """The same statement, refused for this reason. Rules that allowed or masked it are not named."""
    return replace(decision, verdict=Verdict.REFUSE, refusal=refusal, rules=(refusal.rule,))
