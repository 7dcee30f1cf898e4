"""The local log: what `append` acknowledged is there, whole and in order, whatever happens after."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from dbgate.audit.encoding import decode_event
from dbgate.audit.events import AuditDegraded, SessionEnded, SessionStarted, StatementDecided, StatementFinished
from dbgate.audit.log import AuditLog, AuditUnavailable
from dbgate.audit.records import Record, read_records
from dbgate.audit.segments import segment_path, segments, used_bytes
from dbgate.audit.verify import verify_stream


def decided(number: int, session: str = "s1", verdict: str = "allow", text: str = "SELECT 1") -> StatementDecided:
    return StatementDecided(session=session, statement_id=f"{session}-{number}", statement=text, verdict=verdict)


def finished(number: int, session: str = "s1") -> StatementFinished:
    return StatementFinished(session=session, statement_id=f"{session}-{number}", rows=number)


def stream(directory: Path) -> Path:
    return directory / "audit" / "log" / "w0"


def read(directory: Path) -> list[dict[str, Any]]:
    """The events of all segments, without the segments' heads."""
    folder, events = stream(directory), []
    for number in segments(folder):
        for line in read_records(segment_path(folder, number).read_bytes()):
            assert isinstance(line, Record)
            events.append(decode_event(line.payload))
    return [event for event in events if event["type"] != "segment"]


def ids(events: list[dict[str, Any]], kind: str = "statement_decided") -> list[str]:
    return [event["statement_id"] for event in events if event["type"] == kind]


def test_appended_events_are_in_the_file_in_order(tmp_path: Path) -> None:
    log = AuditLog.open(tmp_path, "w0")
    log.append([decided(1)])
    log.append([finished(1), decided(2)])
    assert ids(read(tmp_path)) == ["s1-1", "s1-2"]
    assert [event["type"] for event in read(tmp_path)][1] == "statement_finished"
    assert verify_stream(stream(tmp_path)).problems == ()
    log.close()


def test_files_are_private(tmp_path: Path) -> None:
    AuditLog.open(tmp_path / "new" / "gate", "w0").close()
    folder = stream(tmp_path / "new" / "gate")
    for path in (folder, folder.parent, folder.parent.parent, tmp_path / "new"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_stream_has_one_writer(tmp_path: Path) -> None:
    log = AuditLog.open(tmp_path, "w0")
    with pytest.raises(AuditUnavailable, match="another gate"):
        AuditLog.open(tmp_path, "w0")
    AuditLog.open(tmp_path, "w1").close()
    log.close()
    AuditLog.open(tmp_path, "w0").close()


def test_a_closed_log_takes_nothing(tmp_path: Path) -> None:
    log = AuditLog.open(tmp_path, "w0")
    log.close()
    with pytest.raises(AuditUnavailable, match="closed"):
        log.append([decided(1)])


def test_segments_follow_each_other(tmp_path: Path) -> None:
    log = AuditLog.open(tmp_path, "w0", segment_bytes=2000)
    for number in range(40):
        log.append([decided(number), finished(number)])
    log.close()
    assert len(segments(stream(tmp_path))) > 5
    assert ids(read(tmp_path)) == [f"s1-{number}" for number in range(40)]
    assert verify_stream(stream(tmp_path)).problems == ()


def test_text_that_is_not_unicode_is_recorded_escaped(tmp_path: Path) -> None:
    log = AuditLog.open(tmp_path, "w0")
    log.append([StatementDecided(statement="SELECT '\udcff'", tables=("\udc80",), parameters=2**70)])
    (event,) = read(tmp_path)
    assert event["statement"] == "SELECT '\\udcff'"
    assert event["tables"] == ["\\udc80"]
    assert event["parameters"] == 2**63 - 1
    log.close()


class TestRecovery:
    def test_what_was_open_is_closed_as_unknown(self, tmp_path: Path) -> None:
        log = AuditLog.open(tmp_path, "w0", segment_bytes=900)
        log.append([SessionStarted(session="a", identity="ada", job="j"), SessionStarted(session="b")])
        log.append([decided(1, "a"), decided(1, "b"), decided(2, "b", "refuse"), decided(3, "b", "hold")])
        for number in range(10, 30):  # so that the open ones' own segments are not the last
            log.append([decided(number, "b"), finished(number, "b")])
        log.append([finished(1, "b"), SessionEnded(session="b")])
        log.close()
        before = len(read(tmp_path))
        AuditLog.open(tmp_path, "w0", gate="gate-1").close()
        statement, session = read(tmp_path)[before:]
        assert (statement["type"], statement["statement_id"], statement["sqlstate"]) == (
            "statement_finished", "a-1", "unknown",
        )  # fmt: skip
        assert (session["type"], session["session"], session["reason"]) == ("session_ended", "a", "gate stopped")
        assert (session["identity"], session["job"]) == ("ada", "j")
        assert all(event["id"] and event["time"] and event["gate"] == "gate-1" for event in (statement, session))

    def test_what_was_closed_stays_closed(self, tmp_path: Path) -> None:
        log = AuditLog.open(tmp_path, "w0")
        log.append([decided(1)])
        log.close()
        AuditLog.open(tmp_path, "w0").close()
        before = len(read(tmp_path))
        AuditLog.open(tmp_path, "w0").close()
        assert len(read(tmp_path)) == before

    def test_open_statements_outlive_the_deletion_of_shipped_segments(self, tmp_path: Path) -> None:
        log = AuditLog.open(tmp_path, "w0", segment_bytes=900)
        log.append([decided(1)])
        for number in range(10, 30):
            log.append([decided(number), finished(number)])
        log.close()
        for number in segments(stream(tmp_path))[:-1]:
            segment_path(stream(tmp_path), number).unlink()
        AuditLog.open(tmp_path, "w0").close()
        assert [event["statement_id"] for event in read(tmp_path) if event.get("sqlstate") == "unknown"] == ["s1-1"]

    def test_a_torn_tail_is_cut_kept_aside_and_reported(self, tmp_path: Path) -> None:
        log = AuditLog.open(tmp_path, "w0")
        log.append([decided(1, verdict="refuse"), decided(2, verdict="refuse")])
        log.close()
        path = segment_path(stream(tmp_path), 1)
        os.truncate(path, path.stat().st_size - 5)
        AuditLog.open(tmp_path, "w0").close()
        events = read(tmp_path)
        assert ids(events) == ["s1-1"]
        assert "cut off by a crash" in events[-1]["reason"]
        assert path.with_suffix(".torn").exists()
        assert verify_stream(stream(tmp_path)).problems == ()

    def test_a_segment_without_even_its_head_is_set_aside(self, tmp_path: Path) -> None:
        log = AuditLog.open(tmp_path, "w0", segment_bytes=500)
        log.append([decided(1)])
        log.append([decided(2, verdict="refuse")])
        log.append([decided(3, verdict="refuse")])
        log.close()
        last = segments(stream(tmp_path))[-1]
        os.truncate(segment_path(stream(tmp_path), last), 20)
        AuditLog.open(tmp_path, "w0").close()
        assert segments(stream(tmp_path))[-1] == last + 1
        events = read(tmp_path)
        assert "all of it was lost" in events[-2]["reason"]
        assert (events[-1]["statement_id"], events[-1]["sqlstate"]) == ("s1-1", "unknown")

    def test_a_changed_record_is_left_where_it_is_and_reported(self, tmp_path: Path) -> None:
        log = AuditLog.open(tmp_path, "w0")
        log.append([decided(number, verdict="refuse") for number in range(3)])
        log.close()
        path = segment_path(stream(tmp_path), 1)
        path.write_bytes(path.read_bytes().replace(b'"s1-1"', b'"s1-9"'))
        AuditLog.open(tmp_path, "w0").close()
        events = read(tmp_path)
        assert ids(events) == ["s1-0", "s1-9", "s1-2"]
        assert "record 2 does not follow" in events[-1]["reason"]


class TestFull:
    def test_hold_refuses_intents_and_takes_outcomes(self, tmp_path: Path) -> None:
        log = AuditLog.open(tmp_path, "w0", max_bytes=20_000)
        with pytest.raises(AuditUnavailable, match=r"full.*audit\.max_bytes"):
            append_many(log)
        count = len(ids(read(tmp_path)))
        assert used_bytes(stream(tmp_path)) <= 20_000
        log.append([finished(7000)])
        log.close()
        assert ids(read(tmp_path), "statement_finished")[-1] == "s1-7000"
        assert ids(read(tmp_path)) == [f"s1-{number}" for number in range(count)]

    def test_hold_goes_on_when_shipped_segments_are_deleted(self, tmp_path: Path) -> None:
        log = AuditLog.open(tmp_path, "w0", max_bytes=20_000, segment_bytes=1 << 20)
        with pytest.raises(AuditUnavailable):
            append_many(log)
        delete_complete_segments(tmp_path)
        log._measured = 0.0
        log.append([decided(5000)])
        log.close()
        assert ids(read(tmp_path)) == ["s1-5000"]

    def test_pass_drops_counts_and_reports(self, tmp_path: Path) -> None:
        log = AuditLog.open(tmp_path, "w0", max_bytes=20_000, when_full="pass")
        for number in range(200):
            log.append([decided(number, verdict="refuse")])
        kept, lost = len(ids(read(tmp_path))), log.lost
        assert kept + lost == 200
        assert lost > 0
        assert "dropped from here on" in read(tmp_path)[-1]["reason"]  # visible even if the gate dies now
        delete_complete_segments(tmp_path)
        log._measured = 0.0
        log.append([decided(777, verdict="refuse")])
        assert log.lost == 0
        gap, event = read(tmp_path)[-2:]
        assert (gap["type"], gap["lost"], event["statement_id"]) == (AuditDegraded.type, lost, "s1-777")
        log.close()

    def test_a_full_disk_leaves_no_half_record(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        log = AuditLog.open(tmp_path, "w0")
        log.append([decided(1)])
        write = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:100]))
        with pytest.raises(AuditUnavailable, match="disk is full"):
            log.append([decided(2)])
        monkeypatch.undo()
        log.append([decided(3)])
        log.close()
        assert ids(read(tmp_path)) == ["s1-1", "s1-3"]
        assert verify_stream(stream(tmp_path)).problems == ()

    def test_a_real_full_disk(self, tmp_path: Path) -> None:
        log = AuditLog.open(tmp_path, "w0")
        log.append([decided(1)])
        own, log._descriptor = log._descriptor, os.open("/dev/full", os.O_WRONLY)
        with pytest.raises(AuditUnavailable):
            log.append([decided(2)])
        os.close(log._descriptor)
        log._descriptor = own
        log.close()
        assert ids(read(tmp_path)) == ["s1-1"]


class TestFsync:
    def test_append_returns_after_the_sync(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        log = AuditLog.open(tmp_path, "w0", durability="fsync")
        synced: list[int] = []
        monkeypatch.setattr(os, "fdatasync", synced.append)
        log.append([decided(1)])
        assert len(synced) == 1
        log.close()

    def test_a_failed_sync_is_final(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        log = AuditLog.open(tmp_path, "w0", durability="fsync")

        def fail(descriptor: int) -> None:
            raise OSError(errno.EIO, "input/output error")

        monkeypatch.setattr(os, "fdatasync", fail)
        with pytest.raises(AuditUnavailable):
            log.append([decided(1)])
        monkeypatch.undo()
        with pytest.raises(AuditUnavailable, match="restart the gate"):
            log.append([decided(2)])
        log.close()
        assert ids(read(tmp_path)) == []


def append_many(log: AuditLog) -> None:
    for number in range(1000):
        log.append([decided(number), finished(number)])


def delete_complete_segments(directory: Path) -> None:
    for number in segments(stream(directory))[:-1]:
        segment_path(stream(directory), number).unlink()
