"""What the metrics page says and when the gate counts as ready."""

from __future__ import annotations

import time
from typing import Any

from dbgate.audit.events import StatementDecided, StatementFinished, WitnessMismatch
from dbgate.audit.shipper import ShipperStatus
from dbgate.control.metrics import COUNTERS, GateCollector, metrics_page
from dbgate.control.snapshots import SILENCE, Snapshots
from dbgate.net.counters import PLAIN, Counters


def snapshot(worker: int, counters: Counters | None = None, **changes: Any) -> dict[str, Any]:
    state = {"listening": True, "audit_available": True, "audit_late": 0, "databases": {"shop": True}}
    return {"worker": worker, **state, **changes, "counters": (counters or Counters()).snapshot()}


def test_events_are_counted() -> None:
    counters = Counters()
    decided = StatementDecided(verdict="allow", kind="select")
    finished = StatementFinished(rows=3, masked_cells=2, sqlstate="22012")
    counters.count([decided, decided, finished, WitnessMismatch()])
    assert counters.snapshot()["decided"] == [["allow", "select", 2]]
    assert (counters.rows, counters.masked_cells, counters.statement_errors, counters.witness_mismatches) == (
        3,
        2,
        1,
        1,
    )


def test_the_page_has_every_counter() -> None:
    snapshots = Snapshots(1)
    counters = Counters(rows=5)
    counters.count([StatementDecided(verdict="refuse", kind="drop")])
    counters.refused["28P01"] += 2
    snapshots.take(snapshot(0, counters))
    page = metrics_page(GateCollector(snapshots, lambda: ShipperStatus(shipped=7, lag_bytes=9))).decode()
    assert 'dbgate_rows_total{worker="0"} 5.0' in page
    assert 'dbgate_statements_total{kind="drop",verdict="refuse",worker="0"} 1.0' in page
    assert 'dbgate_logins_refused_total{reason="28P01",worker="0"} 2.0' in page
    assert "dbgate_audit_shipped_total 7.0" in page
    assert "dbgate_audit_lag_bytes 9.0" in page
    assert "dbgate_ready 1.0" in page


def test_no_counter_is_forgotten_on_the_page() -> None:
    assert set(PLAIN) - set(COUNTERS) == {"sessions_open"}


def test_ready_needs_every_worker() -> None:
    snapshots = Snapshots(2)
    snapshots.take(snapshot(0))
    assert snapshots.problems() == ["worker 1 is silent"]
    snapshots.take(snapshot(1, listening=False, audit_available=False, databases={"shop": False}))
    assert snapshots.problems() == [
        "worker 1 accepts no connections",
        "worker 1: the audit log takes nothing",
        "worker 1: the catalog of shop is not loaded",
    ]
    snapshots.take(snapshot(1))
    assert snapshots.problems() == []
    snapshots._heard[1] = time.monotonic() - SILENCE - 1
    assert snapshots.problems() == ["worker 1 is silent"]
