"""The error texts that the gate writes: refusals, and the server's own errors with the data taken out.

The server's words about a statement can carry values (`invalid input syntax for type integer: "ada@example.org"`, a
constraint's DETAIL, a trigger's RAISE). Where a statement touches data that the role may not see whole, the text is
made anew from what carries none: severity, SQLSTATE and the names of schema, table, column, type and constraint.
"""

from __future__ import annotations

from typing import Final

from protocols.postgres.backend import ErrorResponse, NoticeResponse, error
from rules.decision import Refusal

#: Fields of ErrorResponse and NoticeResponse without data: severity, SQLSTATE, names, position in the client's text.
SAFE_FIELDS: Final = frozenset("SVCPstcdn")

#: ... and of those that tell of the client's own text or session: the words and the hint, but no detail.
HARMLESS_FIELDS: Final = SAFE_FIELDS | frozenset("MH")

#: SQLSTATE -> what it means, for the errors that an agent meets (appendix "PostgreSQL Error Codes").
MEANINGS: Final = {
    "22001": "value too long for the column's type",
    "22003": "numeric value out of range",
    "22007": "invalid datetime format",
    "22008": "datetime field overflow",
    "22012": "division by zero",
    "22023": "invalid parameter value",
    "22P02": "invalid text representation of a value",
    "22P03": "invalid binary representation of a value",
    "23502": "a NOT NULL column would be null",
    "23503": "a foreign key is violated",
    "23505": "a unique constraint is violated",
    "23514": "a check constraint is violated",
    "23P01": "an exclusion constraint is violated",
    "25P02": "current transaction is aborted, commands ignored until end of transaction block",
    "40001": "could not serialize access, try the transaction again",
    "40P01": "deadlock detected, try the transaction again",
    "42501": "permission denied",
    "42601": "syntax error",
    "42703": "undefined column",
    "42804": "datatype mismatch",
    "42883": "undefined function or operator",
    "42P01": "undefined table",
    "42P18": "indeterminate datatype",
    "57014": "canceling statement due to a timeout or to the user's request",
    "55P03": "could not obtain a lock",
}

WITHHELD: Final = "dbgate withheld the server's own words: the statement touches data that your role may not see whole"


def refusal_message(refusal: Refusal) -> bytes:
    """The ErrorResponse of a refused statement: what, which rule and why, what to do instead, and where it stands."""
    place = {"position": str(refusal.position)} if refusal.position else {}
    return error("ERROR", refusal.sqlstate, refusal.message, refusal.detail, refusal.hint, **place).encode()


def fatal_message(sqlstate: str, message: str, detail: str = "", hint: str = "") -> bytes:
    """The last message of a session."""
    return error("FATAL", sqlstate, message, detail, hint).encode()


#: Errors whose words come from the session's own doing (its transaction, its names, a cancel), never from rows.
ABOUT_THE_SESSION: Final = frozenset(
    (
        *("25000", "25001", "25006", "25P01", "25P02"),  # transaction state
        *("26000", "34000", "3B001", "42P03", "42P05"),  # statements, cursors, savepoints
        *("40001", "40P01", "55P03"),  # conflicts and locks
        *("57014", "57P01", "57P02", "57P03"),  # cancelled, shut down
    )
)


def without_data(told: ErrorResponse | NoticeResponse) -> bytes:
    """The same error or notice with every field gone that could hold a value."""
    sqlstate = told.get("C") or ""
    if sqlstate in ABOUT_THE_SESSION or _about_the_text(told, sqlstate):
        return type(told)(tuple((code, value) for code, value in told.fields if code in HARMLESS_FIELDS)).encode()
    kept = [(code, value) for code, value in told.fields if code in SAFE_FIELDS]
    meaning = MEANINGS.get(sqlstate) or f"the server reported SQLSTATE {sqlstate or 'unknown'}"
    return type(told)((*kept, ("M", meaning), ("D", WITHHELD))).encode()


def _about_the_text(told: ErrorResponse | NoticeResponse, sqlstate: str) -> bool:
    """A syntax or name error at a position in the client's own text: found before any row was read. An inner query or
    context means that a function's text is at fault, which may have been put together from data."""
    return sqlstate.startswith("42") and told.get("P") is not None and not told.get("q") and not told.get("W")
