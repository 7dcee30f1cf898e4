"""What has begun in a stream and not ended: sessions, and statements with an intent and no outcome.

The log keeps this while it runs, writes it at the head of every segment, and after a crash closes what is left, so
that an older segment may be deleted once it is shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from dbgate.audit.encoding import EVENT_TYPES
from dbgate.audit.events import Event, SessionEnded, SessionStarted, StatementDecided, StatementFinished

_SUBJECT = ("gate", "session", "job", "job_verified", "identity", "role", "database", "rulebook")
_SESSION = ""  # the key of a session's own entry among its statements

_Open: TypeAlias = dict[str, dict[str, dict[str, Any] | Event]]


class Unfinished:
    """Sessions and statements without an end, by session."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: _Open = {}

    def note(self, event: Event) -> None:
        """Follow an event that is in the log."""
        follow = _FOLLOW.get(type(event))
        if follow is not None:
            follow(self._open, event)

    def note_record(self, fields: Mapping[str, Any]) -> None:
        """Follow a record read back from a segment."""
        kind = EVENT_TYPES.get(str(fields.get("type")))
        follow = None if kind is None else _FOLLOW.get(kind)
        if kind is not None and follow is not None and _is_sound(fields):
            needed = {name: fields[name] for name in _NEEDED if name in fields and hasattr(kind, name)}
            follow(self._open, kind(**needed))

    def restore(self, entries: Any) -> None:
        """Take over what `entries()` gave to a segment's head; what somebody has changed beyond reading is left out."""
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and _is_sound(entry):
                known = {name: entry[name] for name in _ENTRY if name in entry}
                self._open.setdefault(entry.get("session", ""), {})[entry.get("statement_id", _SESSION)] = known

    def entries(self) -> list[dict[str, Any]]:
        """Subject and `statement_id` (empty: the session itself) of everything open."""
        return [_entry(key, item) for items in self._open.values() for key, item in items.items()]

    def endings(self, reason: str) -> Iterator[Event]:
        """The events that end what is open: statements as `unknown`, then their sessions with `reason`."""
        for items in self._open.values():
            entries = [_entry(key, item) for key, item in items.items()]
            for entry in entries:
                if entry["statement_id"] != _SESSION:
                    yield StatementFinished(sqlstate="unknown", **entry)
            if _SESSION in items:
                yield SessionEnded(reason=reason, **_subject(_entry(_SESSION, items[_SESSION])))


_ENTRY = (*_SUBJECT, "statement_id")
_NEEDED = (*_ENTRY, "verdict")


def _is_sound(fields: Mapping[str, Any]) -> bool:
    return all(isinstance(fields.get(name, ""), str) for name in ("session", "statement_id"))


def _entry(key: str, item: dict[str, Any] | Event) -> dict[str, Any]:
    if isinstance(item, dict):
        return item | {"statement_id": key}
    return {"statement_id": key} | {name: getattr(item, name) for name in _SUBJECT}


def _subject(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in _SUBJECT if name in entry}


def _session_started(unfinished: _Open, event: Any) -> None:
    unfinished.setdefault(event.session, {})[_SESSION] = event


def _session_ended(unfinished: _Open, event: Any) -> None:
    unfinished.pop(event.session, None)


def _statement_decided(unfinished: _Open, event: Any) -> None:
    if event.verdict == "allow":  # what is refused or held has no outcome
        unfinished.setdefault(event.session, {})[event.statement_id] = event


def _statement_finished(unfinished: _Open, event: Any) -> None:
    items = unfinished.get(event.session)
    if items is not None:
        items.pop(event.statement_id, None)
        if not items:
            del unfinished[event.session]


_FOLLOW: dict[type[Event], Callable[[_Open, Any], None]] = {
    SessionStarted: _session_started,
    SessionEnded: _session_ended,
    StatementDecided: _statement_decided,
    StatementFinished: _statement_finished,
}
