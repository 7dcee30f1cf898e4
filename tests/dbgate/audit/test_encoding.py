"""Events to JSON and to columns."""

from __future__ import annotations

import re
from dataclasses import fields

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbgate.audit.encoding import decode_event, encode_event
from dbgate.audit.events import EVENTS, Event, StatementDecided
from dbgate.audit.schema import COMMON, TABLE_OF, TABLES


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_says_its_type_first_and_all_its_fields(event: type[Event]) -> None:
    text = encode_event(event())
    assert text.startswith(b'{"type":"%s","version":%d,' % (event.type.encode(), event.version))
    assert set(orjson.loads(text)) == {"type", "version", *(field.name for field in fields(event))}


@pytest.mark.parametrize("event", EVENTS)
def test_every_field_has_a_column(event: type[Event]) -> None:
    columns = set(re.findall(r"^    `?(\w+)`? [A-Z]", COMMON + TABLES[TABLE_OF[event.type]], re.MULTILINE))
    assert {field.name for field in fields(event)} <= columns


@given(st.text(st.characters(), max_size=30), st.integers(), st.floats())
def test_any_value_can_be_recorded(text: str, number: int, real: float) -> None:
    """Lone surrogates, NUL, huge integers, NaN: nothing that a client sends can stop the audit."""
    event = StatementDecided(statement=text, tables=(text,), parameters=number, time=number)
    back = decode_event(encode_event(event))
    assert back["type"] == "statement_decided"
    assert b"\n" not in encode_event(event)
    if text.isprintable() and abs(number) < 2**63:
        assert (back["statement"], back["tables"], back["parameters"]) == (text, [text], number)


def test_an_event_of_somebody_else_is_a_mistake() -> None:
    class Stranger(Event):
        pass

    with pytest.raises(KeyError):
        encode_event(Stranger())


def test_a_record_is_an_object() -> None:
    with pytest.raises(ValueError, match="JSON object"):
        decode_event(b"[]")
