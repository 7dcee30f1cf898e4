"""Events to JSON text: one object, `type` and `version` first."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import orjson

from dbgate.audit.events import EVENTS, Event

EVENT_TYPES: dict[str, type[Event]] = {event.type: event for event in EVENTS}

_PREFIXES = {event: b'{"type":"%s","version":%d,' % (event.type.encode(), event.version) for event in EVENTS}
_INT64 = 2**63


def encode_event(event: Event) -> bytes:
    """JSON of an event of EVENTS. KeyError for any other type: it would be unreadable later."""
    try:
        return _PREFIXES[type(event)] + orjson.dumps(event)[1:]
    except orjson.JSONEncodeError:
        return _PREFIXES[type(event)] + orjson.dumps(_printable(event))[1:]


def decode_event(payload: bytes) -> dict[str, Any]:
    """The object of one record. ValueError when it is not one."""
    value = orjson.loads(payload)
    if not isinstance(value, dict):
        raise ValueError("an audit record must hold a JSON object")
    return value


def _printable(event: Event) -> dict[str, Any]:
    """The same fields without what JSON cannot hold: lone surrogates are escaped, integers kept within 64 bits."""
    return {field.name: _printable_value(getattr(event, field.name)) for field in fields(event)}


def _printable_value(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, tuple):
        return [_printable_value(item) for item in value]
    if isinstance(value, int):
        return max(-_INT64, min(value, _INT64 - 1))
    return value
