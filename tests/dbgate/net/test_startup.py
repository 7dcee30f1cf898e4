"""Startup parameters: what passes on, what is refused, and how `options` is split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbgate.net.startup import StartupRefused, parse_options, read_parameters, split_words


@pytest.mark.parametrize(
    ("parameters", "options", "passed"),
    [
        ({"application_name": "a", "client_encoding": "'utf-8'"}, "", {"application_name": "a"}),
        ({"DateStyle": "ISO"}, "-c datestyle=German", {"datestyle": "ISO"}),
        ({"client_encoding": "UTF8", "standard_conforming_strings": "on"}, "", {}),
        ({}, "-c geqo=off --lock-timeout=5s -cjit=off", {"geqo": "off", "lock_timeout": "5s", "jit": "off"}),
        ({"search_path": "a, b", "extra_float_digits": "3"}, "", {"search_path": "a, b", "extra_float_digits": "3"}),
    ],
)
def test_passed(parameters: dict[str, str], options: str, passed: dict[str, str]) -> None:
    assert read_parameters(parameters, options) == passed


@pytest.mark.parametrize(
    ("parameters", "options"),
    [
        ({"client_encoding": "latin1"}, ""),
        ({"standard_conforming_strings": "off"}, ""),
        ({"session_replication_role": "replica"}, ""),
        ({"role": "postgres"}, ""),
        ({"session_authorization": "postgres"}, ""),
        ({"local_preload_libraries": "x"}, ""),
        ({"app.tenant": "1"}, ""),
        ({"ROLE": "postgres"}, ""),
        ({}, "-c role=postgres"),
        ({}, r"-c\ role=postgres"),
        ({}, "-c client_encoding=latin1"),
        ({"client_encoding": "UTF8"}, "-c standard_conforming_strings=off"),
        ({}, "-c"),
        ({}, "-c role"),
        ({}, "-B 12"),
        ({}, "x"),
    ],
)
def test_refused(parameters: dict[str, str], options: str) -> None:
    with pytest.raises(StartupRefused) as caught:
        read_parameters(parameters, options)
    assert caught.value.hint


def test_words_are_split_as_the_server_does() -> None:
    assert split_words(r"  -c a=b\ c	-d\\ \x ") == ["-c", "a=b c", "-d\\", "x"]


@given(st.text())
def test_any_options_are_read_or_refused(text: str) -> None:
    try:
        parsed = parse_options(text)
    except StartupRefused:
        return
    assert all(name and "=" not in name for name, _ in parsed)
