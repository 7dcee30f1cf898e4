"""One line a person can read for one event of the local log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeAlias

Fields: TypeAlias = Mapping[str, Any]

_LONGEST = 200


def line(event: Fields) -> str:
    """Time, who, what happened. Control characters in texts are shown escaped: a terminal obeys them."""
    what = _WHAT.get(event.get("type", ""), _unknown)(event)
    return _plain(f"{_time(event)}  {_who(event):24}  {what}")


def _time(event: Fields) -> str:
    nanoseconds = event.get("time", 0)
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000 / 1000, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _who(event: Fields) -> str:
    names = (event.get(name, "") for name in ("database", "identity", "job"))
    return "/".join(name for name in names if name) or event.get("gate", "") or "-"


def _decided(event: Fields) -> str:
    rules = ", ".join(event.get("rules", ()))
    masked = event.get("masked_columns", ())
    notes = (f"[{rules}]" if rules else "", f"masked: {', '.join(masked)}" if masked else "", event.get("reason", ""))
    text = " ".join(event.get("statement", "").split())
    return " ".join(part for part in (event.get("verdict", "").upper(), _short(text), *notes) if part)


def _finished(event: Fields) -> str:
    outcome = event.get("sqlstate") or event.get("command_tag", "")
    return f"  -> {outcome or 'done'}, {event.get('rows', 0)} rows, {event.get('milliseconds') or 0:.1f} ms"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _unknown(event: Fields) -> str:
    return f"{event.get('type', 'event')} of a newer dbgate"


def _plain(text: str) -> str:
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


_WHAT: dict[str, Callable[[Fields], str]] = {
    "session_started": lambda event: f"session from {event.get('client_address', '?')}",
    "session_ended": lambda event: f"session ended: {event.get('reason', '')}",
    "login_refused": lambda event: f"LOGIN REFUSED from {event.get('client_address', '?')}: {event.get('reason', '')}",
    "statement_decided": _decided,
    "statement_finished": _finished,
    "policy_loaded": lambda event: f"rules {'loaded' if event.get('accepted') else 'REFUSED'}: {event.get('files')}",
    "witness_mismatch": lambda event: f"WITNESS MISMATCH {event.get('column')} from {event.get('origin')}",
    "audit_degraded": lambda event: f"AUDIT DEGRADED: {event.get('reason')} (lost: {event.get('lost', 0)})",
}
