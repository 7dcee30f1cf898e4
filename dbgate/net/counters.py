"""What a worker counts: plain integers, read once a second for the metrics page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from dbgate.audit.events import Event, StatementDecided, StatementFinished, WitnessMismatch
from rules.limits import REFUSED as LIMIT_REFUSED


@dataclass(slots=True)
class Counters:
    """`decided`: (verdict, kind) -> statements. `refused`: SQLSTATE -> logins. Bytes: inside TLS."""

    connections: int = 0
    sessions: int = 0
    sessions_open: int = 0
    cancels: int = 0
    rows: int = 0
    masked_cells: int = 0
    bytes_to_client: int = 0
    bytes_to_upstream: int = 0
    upstream_errors: int = 0
    statement_errors: int = 0
    witness_mismatches: int = 0
    audit_holds: int = 0
    gate_errors: int = 0
    limits_reached: int = 0
    decided: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def count(self, events: Iterable[Event]) -> None:
        """Adds what a session's events say."""
        for event in events:
            if (add := _EVENTS.get(type(event))) is not None:
                add(self, event)

    def snapshot(self) -> dict[str, Any]:
        """The same as JSON-ready values; `decided` as [verdict, kind, count] rows."""
        plain = {name: getattr(self, name) for name in PLAIN}
        decided = [[verdict, kind, n] for (verdict, kind), n in self.decided.items()]
        return {**plain, "decided": decided, "refused": dict(self.refused)}


def _decided(counters: Counters, event: Any) -> None:
    counters.decided[(event.verdict, event.kind)] += 1
    counters.limits_reached += event.reason.startswith(LIMIT_REFUSED)


def _finished(counters: Counters, event: Any) -> None:
    counters.rows += event.rows
    counters.masked_cells += event.masked_cells
    counters.statement_errors += bool(event.sqlstate)
    counters.limits_reached += bool(event.limit)


def _mismatch(counters: Counters, _event: Any) -> None:
    counters.witness_mismatches += 1


_EVENTS = {StatementDecided: _decided, StatementFinished: _finished, WitnessMismatch: _mismatch}

#: the fields of Counters that are plain numbers
PLAIN = tuple(name for name in Counters.__slots__ if name not in ("decided", "refused"))
