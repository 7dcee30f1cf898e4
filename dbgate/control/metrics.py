"""The metrics page: what workers and shipper count, in Prometheus' text form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dbgate.audit.shipper import ShipperStatus
from dbgate.control.snapshots import Snapshots

#: a worker's counter -> (metric, help); the metric gets `_total`
COUNTERS = {
    "connections": ("connections", "connections accepted"),
    "sessions": ("sessions", "sessions that began"),
    "cancels": ("cancel_requests", "cancel requests with a right key"),
    "rows": ("rows", "rows sent to clients"),
    "masked_cells": ("masked_cells", "values masked"),
    "bytes_to_client": ("client_bytes", "bytes sent to clients by sessions"),
    "bytes_to_upstream": ("upstream_bytes", "bytes sent to databases by sessions"),
    "upstream_errors": ("upstream_errors", "connections to databases that failed"),
    "statement_errors": ("statement_errors", "statements that ended with an error"),
    "witness_mismatches": ("witness_mismatches", "output columns with an origin that was not foreseen"),
    "audit_holds": ("audit_holds", "times a session waited for the audit log"),
    "limits_reached": ("limits_reached", "statements that a limit refused or ended"),
    "gate_errors": ("gate_errors", "faults of the gate itself"),
}


class GateCollector(Collector):
    """`shipper` is asked at each scrape."""

    def __init__(self, snapshots: Snapshots, shipper: Callable[[], ShipperStatus]) -> None:
        self._snapshots, self._shipper = snapshots, shipper

    def collect(self) -> Iterable[Metric]:
        latest = self._snapshots.latest()
        for name, (metric, text) in COUNTERS.items():
            yield _plain(metric, text, name, latest)
        yield _statements(latest)
        yield _refused(latest)
        yield from _gauges(latest)
        yield from _shipper(self._shipper())
        yield GaugeMetricFamily("dbgate_ready", "1 when the gate serves", value=int(not self._snapshots.problems()))


def _plain(metric: str, text: str, name: str, latest: list[dict[str, Any]]) -> Metric:
    family = CounterMetricFamily(f"dbgate_{metric}", text, labels=["worker"])
    for snapshot in latest:
        family.add_metric([str(snapshot["worker"])], snapshot["counters"][name])
    return family


def _statements(latest: list[dict[str, Any]]) -> Metric:
    family = CounterMetricFamily("dbgate_statements", "statements decided", labels=["worker", "verdict", "kind"])
    for snapshot in latest:
        for verdict, kind, count in snapshot["counters"]["decided"]:
            family.add_metric([str(snapshot["worker"]), verdict, kind], count)
    return family


def _refused(latest: list[dict[str, Any]]) -> Metric:
    family = CounterMetricFamily("dbgate_logins_refused", "logins refused", labels=["worker", "reason"])
    for snapshot in latest:
        for reason, count in snapshot["counters"]["refused"].items():
            family.add_metric([str(snapshot["worker"]), reason], count)
    return family


def _gauges(latest: list[dict[str, Any]]) -> Iterator[Metric]:
    sessions = GaugeMetricFamily("dbgate_sessions_open", "sessions now", labels=["worker"])
    late = GaugeMetricFamily("dbgate_audit_late_events", "events that wait for the audit log", labels=["worker"])
    loaded = GaugeMetricFamily("dbgate_catalog_loaded", "1 when rules are in force", labels=["worker", "database"])
    for snapshot in latest:
        worker = str(snapshot["worker"])
        sessions.add_metric([worker], snapshot["counters"]["sessions_open"])
        late.add_metric([worker], snapshot["audit_late"])
        for database, is_loaded in snapshot["databases"].items():
            loaded.add_metric([worker, database], int(is_loaded))
    yield from (sessions, late, loaded)


def _shipper(status: ShipperStatus) -> Iterator[Metric]:
    yield CounterMetricFamily("dbgate_audit_shipped", "audit records shipped", value=status.shipped)
    yield CounterMetricFamily("dbgate_audit_rejected", "audit records that ClickHouse refuses", value=status.rejected)
    yield CounterMetricFamily("dbgate_audit_ship_failures", "times ClickHouse did not answer", value=status.failures)
    yield GaugeMetricFamily("dbgate_audit_lag_bytes", "bytes of the local log not shipped yet", value=status.lag_bytes)


def metrics_page(collector: GateCollector) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)
