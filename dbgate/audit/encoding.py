"""Events to JSON text: one object, `type` and `version` first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import orjson

from dbgate.audit.events import EVENTS, Event

EVENT_TYPES: dict[str, type[Event]] = {event.type: event for event in EVENTS}

_INT64 = 2**63


def _encoder(event: type[Event]) -> Callable[[Any], bytes]:
    """A function written for this class, as `dataclasses` writes `__init__`: orjson reads a dict display faster than a
    slotted dataclass, and this is on the way of every statement."""
    names = ", ".join(f'"{field.name}": event.{field.name}' for field in fields(event))
    source = f'lambda event: dumps({{"type": "{event.type}", "version": {event.version}, {names}}})'
    function: Callable[[Any], bytes] = eval(source, {"dumps": orjson.dumps})  # noqa: S307  names of our own fields
    return function


_ENCODERS = {event: _encoder(event) for event in EVENTS}


def encode_event(event: Event) -> bytes:
    """JSON of an event of EVENTS. KeyError for any other type: it would be unreadable later."""
    try:
        return _ENCODERS[type(event)](event)
    except orjson.JSONEncodeError:
        return orjson.dumps(_printable(event))


def decode_event(payload: bytes) -> dict[str, Any]:
    """The object of one record. ValueError when it is not one."""
    value = orjson.loads(payload)
    if not isinstance(value, dict):
        raise ValueError("an audit record must hold a JSON object")
    return value


def _printable(event: Event) -> dict[str, Any]:
    """The same fields without what JSON cannot hold: lone surrogates are escaped, integers kept within 64 bits."""
    values = {field.name: _printable_value(getattr(event, field.name)) for field in fields(event)}
    return {"type": event.type, "version": event.version, **values}


def _printable_value(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, tuple):
        return [_printable_value(item) for item in value]
    if isinstance(value, int):
        return max(-_INT64, min(value, _INT64 - 1))
    return value
