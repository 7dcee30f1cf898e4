"""What of the server's words may pass when the statement touches hidden data."""

from __future__ import annotations

import pytest

from dbgate.session.postgres.texts import without_data
from protocols.postgres import backend
from protocols.postgres.backend import ErrorResponse, error
from protocols.postgres.frames import HEADER_SIZE

CANARY = "ada@example.org"


def rebuilt(told: ErrorResponse) -> ErrorResponse:
    data = without_data(told)
    made = backend.decode(data[0], data[HEADER_SIZE:])
    assert isinstance(made, ErrorResponse)
    return made


@pytest.mark.parametrize(
    "told",
    [
        error("ERROR", "22P02", f'invalid input syntax for type integer: "{CANARY}"'),
        error("ERROR", "23505", "duplicate key", f"Key (email)=({CANARY}) already exists.", constraint="c"),
        error("ERROR", "P0001", CANARY),
        error("ERROR", "42601", f'syntax error at or near "{CANARY}"', position="1", internal_query=f"SELECT {CANARY}"),
        error("ERROR", "42601", f'syntax error at or near "{CANARY}"', position="1", where=f"PL/pgSQL {CANARY}"),
        error("ERROR", "42703", f'column "{CANARY}" does not exist'),
        error("ERROR", "40001", "could not serialize access", CANARY),
    ],
)
def test_no_value_is_left(told: ErrorResponse) -> None:
    made = rebuilt(told)
    assert CANARY not in str(made)
    assert made.get("C") == told.get("C")
    assert made.get("M")


def test_the_constraints_name_helps_the_agent_and_stays() -> None:
    made = rebuilt(error("ERROR", "23505", CANARY, CANARY, constraint="customers_email_key", table="customers"))
    assert (made.get("n"), made.get("t")) == ("customers_email_key", "customers")


def test_an_error_in_the_clients_own_text_passes_whole() -> None:
    told = error("ERROR", "42703", 'column "emial" does not exist', hint='Perhaps you meant "email".', position="8")
    made = rebuilt(told)
    assert (made.get("M"), made.get("H"), made.get("P")) == (told.get("M"), told.get("H"), "8")
