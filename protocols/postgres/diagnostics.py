"""ErrorResponse and NoticeResponse: ordered fields, each a one-letter code and a text.

Source: PostgreSQL documentation, "Error and Notice Message Fields". A server may write these texts before it knows the
client's encoding, so bytes that are not UTF-8 become U+FFFD instead of an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from protocols.errors import PeerError
from protocols.postgres.frames import message
from protocols.postgres.reader import ByteReader
from protocols.postgres.writer import lenient_cstring

Fields: TypeAlias = tuple[tuple[str, str], ...]

SEVERITY, SEVERITY_RAW, SQLSTATE, MESSAGE, DETAIL, HINT, POSITION = "S", "V", "C", "M", "D", "H", "P"
FIELD_CODES = {
    "internal_position": "p",
    "internal_query": "q",
    "where": "W",
    "schema": "s",
    "table": "t",
    "column": "c",
    "datatype": "d",
    "constraint": "n",
    "file": "F",
    "line": "L",
    "routine": "R",
    "position": POSITION,
}


def read_fields(reader: ByteReader) -> Fields:
    """The fields of an ErrorResponse or NoticeResponse payload."""
    fields = []
    while code := reader.u8():
        fields.append((chr(code), reader.lenient_text()))
    return tuple(fields)


def _payload(fields: Fields) -> bytes:
    return b"".join(code.encode("latin-1") + lenient_cstring(value) for code, value in fields) + b"\0"


def _get(fields: Fields, code: str) -> str | None:
    return next((value for key, value in fields if key == code), None)


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An error. `fields` keeps the order on the wire."""

    fields: Fields

    def get(self, code: str) -> str | None:
        """The first field with this code ("C" is the SQLSTATE, "M" the message), or None."""
        return _get(self.fields, code)

    def encode(self) -> bytes:
        return message(b"E", _payload(self.fields))


@dataclass(frozen=True, slots=True)
class NoticeResponse:
    """A notice. `fields` keeps the order on the wire."""

    fields: Fields

    def get(self, code: str) -> str | None:
        """The first field with this code, or None."""
        return _get(self.fields, code)

    def encode(self) -> bytes:
        return message(b"N", _payload(self.fields))


def _build(severity: str, sqlstate: str, text: str, detail: str, hint: str, others: dict[str, str]) -> Fields:
    """Fields in the order a server sends them. Empty detail, hint and others are left out."""
    head = ((SEVERITY, severity), (SEVERITY_RAW, severity), (SQLSTATE, sqlstate), (MESSAGE, text))
    tail = [(DETAIL, detail), (HINT, hint)]
    tail += [(FIELD_CODES[name], value) for name, value in others.items()]
    return head + tuple(field for field in tail if field[1])


def error(severity: str, sqlstate: str, message: str, detail: str = "", hint: str = "", **others: str) -> ErrorResponse:
    """An ErrorResponse. `severity` is ERROR, FATAL or PANIC; `others` are named as in `FIELD_CODES`."""
    return ErrorResponse(_build(severity, sqlstate, message, detail, hint, others))


def notice(
    severity: str, sqlstate: str, message: str, detail: str = "", hint: str = "", **others: str
) -> NoticeResponse:
    """A NoticeResponse. `severity` is WARNING, NOTICE, DEBUG, INFO or LOG; `others` as for `error`."""
    return NoticeResponse(_build(severity, sqlstate, message, detail, hint, others))


def fatal(problem: PeerError) -> ErrorResponse:
    """What to tell a peer that broke the protocol before its connection is closed."""
    return error("FATAL", problem.sqlstate, problem.message, hint=problem.hint)
