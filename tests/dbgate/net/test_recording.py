"""The recorder: order, stamps, holding and the way back, with the real local log."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from dbgate.audit.events import Event, SessionStarted, StatementDecided
from dbgate.audit.log import AuditLog, AuditUnavailable
from dbgate.net import recording
from dbgate.net.recording import LogRecorder


class FullLog:
    """Takes nothing while `full`."""

    def __init__(self) -> None:
        self.full = False
        self.taken: list[Event] = []

    def append(self, events: list[Event]) -> None:
        if self.full:
            raise AuditUnavailable("full")
        self.taken += events

    def close(self) -> None:
        pass


def decided(text: str) -> StatementDecided:
    return StatementDecided(statement=text)


def texts(log: FullLog) -> list[str]:
    return [getattr(event, "statement", event.type) for event in log.taken]


def test_events_get_their_id_time_and_gate(tmp_path: Path) -> None:
    recorder = LogRecorder(AuditLog.open(tmp_path, "worker-0"), "gate-1")
    event = SessionStarted(session="s")
    recorder.record([event])
    recorder.close()
    assert event.id[14] == "7"
    assert event.time > 1_600_000_000 * 10**9
    lines = [line for file in tmp_path.rglob("*") if file.is_file() for line in file.read_bytes().splitlines()]
    stored: list[Any] = [json.loads(line.split(b" ", 3)[3]) for line in lines if line.count(b" ") >= 3]
    assert [item["gate"] for item in stored if item["type"] == "session_started"] == ["gate-1"]


def test_statements_may_be_dropped() -> None:
    log = FullLog()
    recorder = LogRecorder(log, "g", drop_statements=True)  # type: ignore[arg-type]
    recorder.record([decided("SELECT 'secret'")])
    assert texts(log) == [""]


def test_late_events_come_before_newer_ones_and_callbacks_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "RETRY", 0.01)

    async def main() -> None:
        log = FullLog()
        recorder = LogRecorder(log, "g")  # type: ignore[arg-type]
        log.full = True
        with pytest.raises(AuditUnavailable):
            recorder.record([decided("refused")])
        recorder.record_late([decided("ended")])
        again = asyncio.Event()
        recorder.when_available(again.set)
        assert not recorder.available
        await asyncio.sleep(0.05)
        assert not again.is_set()
        log.full = False
        async with asyncio.timeout(5):
            await again.wait()
        recorder.record([decided("next")])
        assert texts(log) == ["ended", "next"]
        assert recorder.available
        recorder.close()

    asyncio.run(main())


def test_lost_late_events_are_counted_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "LATE_LIMIT", 2)

    async def main() -> None:
        log = FullLog()
        recorder = LogRecorder(log, "g")  # type: ignore[arg-type]
        log.full = True
        recorder.record_late([decided("1"), decided("2"), decided("3")])
        recorder.record_late([decided("4")])
        log.full = False
        recorder.close()
        assert texts(log) == ["1", "2", "audit_degraded"]
        assert log.taken[-1].lost == 2  # type: ignore[attr-defined]

    asyncio.run(main())


def test_an_outcome_shares_the_next_intents_write() -> None:
    async def scene() -> None:
        log = FullLog()
        recorder = LogRecorder(log, "g")  # type: ignore[arg-type]
        recorder.record_soon([decided("outcome")])
        assert texts(log) == []
        recorder.record([decided("intent")])
        assert texts(log) == ["outcome", "intent"]
        recorder.close()

    asyncio.run(scene())


def test_an_outcome_without_a_next_intent_is_written_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        monkeypatch.setattr(recording, "SOON", 0.001)
        log = FullLog()
        recorder = LogRecorder(log, "g")  # type: ignore[arg-type]
        recorder.record_soon([decided("outcome")])
        await asyncio.sleep(0.05)
        assert texts(log) == ["outcome"]
        recorder.close()

    asyncio.run(scene())


def test_an_outcome_that_waits_survives_a_refused_intent() -> None:
    async def scene() -> None:
        log = FullLog()
        log.full = True
        recorder = LogRecorder(log, "g")  # type: ignore[arg-type]
        recorder.record_soon([decided("outcome")])
        with pytest.raises(AuditUnavailable):
            recorder.record([decided("intent")])
        log.full = False
        recorder.close()
        assert texts(log) == ["outcome"]

    asyncio.run(scene())
