"""The recorder stamps what sessions cannot know."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from dbgate.audit.events import SessionStarted
from dbgate.audit.log import AuditLog
from dbgate.audit.recorder import Recorder
from dbgate.audit.tail import Follower


def test_id_time_and_gate(tmp_path: Path) -> None:
    log = AuditLog.open(tmp_path, "w0")
    recorder = Recorder(log, "gate-7", clock=lambda: 1_700_000_000_123_456_789)
    recorder.record([SessionStarted(session="a", identity="agent"), SessionStarted(session="b")])
    recorder.record([])
    log.close()
    first, second = Follower(tmp_path).read()
    assert (first["session"], first["identity"], second["session"]) == ("a", "agent", "b")
    assert {event["gate"] for event in (first, second)} == {"gate-7"}
    assert {event["time"] for event in (first, second)} == {1_700_000_000_123_456_789}
    assert UUID(first["id"]).int >> 80 == 1_700_000_000_123
    assert first["id"] < second["id"]
