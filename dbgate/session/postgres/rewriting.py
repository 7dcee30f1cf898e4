"""Texts that go to the server with row filters spliced in: what is sent, and what the server says about it.

The client never sees the spliced text. The server counts an error's position in the text that it read, so the position
is moved back into the client's own; one within a splice is dropped. A check that was spliced into a write fails with
`ROW_CHECK_FAILED`, which the client is told as the refusal it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from dbgate.session.postgres.registry import Prepared
from dbgate.session.postgres.state import Asked, AskedBind, AskedExecute, AskedParse, AskedQuery, State
from protocols.postgres.backend import ErrorResponse
from rules.decision import ROW_CHECK_FAILED, Decision, Edit, Refusal, Rewrite

#: `$1::type` and CAST($1 AS type), comments not considered: between the two no driver writes any.
CAST_PARAMETER: Final = re.compile(rb"\$(\d{1,5})\s*\)*\s*::|cast\s*\(\s*\(*\s*\$(\d{1,5})", re.I)


def rewrite_of(decisions: Iterable[Decision]) -> Rewrite | None:
    """The splices of all statements of one text, or None when the client's own bytes go."""
    edits = tuple(edit for decision in decisions if decision.rewrite is not None for edit in decision.rewrite.edits)
    return Rewrite(edits) if edits else None


def rewrite_of_piece(whole: bytes, piece: bytes, decision: Decision) -> Rewrite | None:
    """The splices of one statement, counted from the start of its own text, which is `piece` of the `whole` text."""
    if decision.rewrite is None:
        return None
    found = whole.find(piece, decision.start)
    base = found if found >= 0 else whole.find(piece)
    moved = (replace(edit, start=edit.start - base, end=edit.end - base) for edit in decision.rewrite.edits)
    return replace(decision.rewrite, edits=tuple(moved))


def parameter_types(text: bytes, types: tuple[int, ...]) -> tuple[int, ...]:
    """The types that a Parse declares, without those by which a cast that stands in the text (`$1::int`) would run with
    the rows: left open, the parameter is of the cast's own type, and fails when it is bound, whatever the rows are."""
    cast = {int(one or other) for one, other in CAST_PARAMETER.findall(text)}
    return tuple(0 if number in cast else oid for number, oid in enumerate(types, 1))


def told_in_place(state: State, asked: Asked, told: ErrorResponse) -> ErrorResponse:
    """The error with its position in the client's own text."""
    text, _, edits = _subject(state, asked)
    position = told.get("P") or ""
    if not edits or not position.isdecimal():
        return told
    place = original_position(text, edits, int(position))
    moved = ((code, str(place) if code == "P" else value) for code, value in told.fields if code != "P" or place)
    return ErrorResponse(tuple(moved))


def failed_check(state: State, asked: Asked, told: ErrorResponse) -> Refusal | None:
    """The refusal that the server's error stands for."""
    _, decision, edits = _subject(state, asked)
    if not edits or decision is None or decision.rewrite is None or told.get("C") != ROW_CHECK_FAILED:
        return None
    return decision.rewrite.check


def original_position(text: bytes, edits: tuple[Edit, ...], position: int) -> int:
    """Where the character that the server counts as `position` (from 1) stands in the client's text, counted in the
    same way; 0 when it is part of a splice."""
    at = len(Rewrite(edits).apply(text).decode("utf-8", "replace")[: position - 1].encode())
    for edit in edits:
        if at < edit.start:
            break
        if at < edit.start + len(edit.instead):
            return 0
        at += edit.end - edit.start - len(edit.instead)
    return len(text[:at].decode("utf-8", "replace")) + 1


def _subject(state: State, asked: Asked) -> tuple[bytes, Decision | None, tuple[Edit, ...]]:
    """The client's text that an error is about, the decision on its statement, and what was spliced into it."""
    if isinstance(asked, AskedQuery):
        running = asked.running
        rewrite = running.rewrite
        return running.text, running.decision, rewrite.edits if rewrite else ()
    prepared = _prepared(state, asked)
    if prepared is None:
        return b"", None, ()
    return prepared.text, prepared.decision, prepared.sent.edits if prepared.sent else ()


def _prepared(state: State, asked: Asked) -> Prepared | None:
    if isinstance(asked, AskedParse | AskedExecute):
        return asked.prepared
    return state.names.statements.get(asked.statement) if isinstance(asked, AskedBind) else None
