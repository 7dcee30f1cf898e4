"""What a client may set before its first statement: settings that change how statements are read are refused."""

from __future__ import annotations

import pytest

from tests.live import raw
from tests.live.places import Place

REFUSED: list[dict[str, str]] = [
    {"options": "-c standard_conforming_strings=off"},
    {"standard_conforming_strings": "off"},
    {"client_encoding": "LATIN1"},
    {"client_encoding": "SQL_ASCII"},
    {"options": "-c client_encoding=LATIN1"},
    {"role": "postgres"},
    {"options": "-c role=postgres"},
    {"session_authorization": "postgres"},
    {"session_replication_role": "replica"},
    {"is_superuser": "on"},
    {"options": "-P"},
    {"replication": "database"},
    {"replication": "true"},
]
HARMLESS: list[dict[str, str]] = [
    {"application_name": "x"},
    {"client_encoding": "utf-8"},
    {"DateStyle": "German"},
    {"TimeZone": "UTC"},
    {"options": "-c statement_timeout=5s --lock_timeout=1s"},
    {"extra_float_digits": "2"},
    {"default_transaction_read_only": "on"},
    {"replication": "off"},
]
PATHS: list[dict[str, str]] = [
    {"options": "-c search_path=hr,public"},
    {"options": "--search_path=hr"},
    {"search_path": "hr"},
    {"Search_Path": '"hr"'},
]


@pytest.mark.parametrize("parameters", REFUSED, ids=str)
def test_refused(parameters: dict[str, str], shop: Place) -> None:
    with pytest.raises(raw.LoginError) as caught:
        shop.raw(**parameters)
    assert caught.value.message.fields["C"] in ("42501", "0A000")
    assert caught.value.message.fields.get("H")


@pytest.mark.parametrize("parameters", HARMLESS, ids=str)
def test_harmless(parameters: dict[str, str], shop: Place) -> None:
    with shop.raw(**parameters) as client:
        assert raw.kinds(client.ask(raw.query("SELECT 1"))) == "TDCZ"


@pytest.mark.parametrize("parameters", PATHS, ids=str)
def test_search_path_is_known_from_the_start(parameters: dict[str, str], shop: Place) -> None:
    """`reviews` is hr.reviews then, which a rule closes."""
    with shop.raw(**parameters) as client:
        error, _ = client.ask(raw.query("SELECT words FROM reviews"))
    assert error.kind == "E"
    assert "no-secrets" in error.fields["D"]
