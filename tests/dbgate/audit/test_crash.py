"""kill -9 at any moment, a cut at any byte: what was acknowledged is there, and the log goes on."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbgate.audit.encoding import decode_event
from dbgate.audit.log import AuditLog
from dbgate.audit.records import Record, read_records
from dbgate.audit.segments import segment_path, segments
from dbgate.audit.tail import Follower
from dbgate.audit.verify import verify_stream
from tests.dbgate.audit.support import statement

WRITER = """
import os, sys
from dbgate.audit.log import AuditLog
from tests.dbgate.audit.recorder import Recorder
from tests.dbgate.audit.support import statement

log = AuditLog.open(sys.argv[1], "w0", segment_bytes=20_000, durability=sys.argv[3])
recorder = Recorder(log, "gate-1")
number = int(sys.argv[2])
while True:
    for event in statement(number):
        recorder.record([event])
        os.write(1, f"{event.type} {event.statement_id}\\n".encode())  # the acknowledgement
    number += 1
"""


def read(folder: Path) -> list[dict[str, object]]:
    content = b"".join(segment_path(folder, number).read_bytes() for number in segments(folder))
    return [decode_event(line.payload) for line in read_records(content) if isinstance(line, Record)]


def run_and_kill(directory: Path, first: int, seconds: float, durability: str) -> list[str]:
    """The acknowledgements of a writer that dies after `seconds` of writing."""
    command = [sys.executable, "-c", WRITER, str(directory), str(first), durability]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        begun = writer.stdout.readline()
        time.sleep(seconds)
        writer.kill()
        rest = writer.stdout.read()
    return [line for line in (begun + rest).decode().splitlines() if line]


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["os", "fsync"])
def test_every_acknowledged_event_survives_kill_9(tmp_path: Path, durability: str) -> None:
    folder = tmp_path / "audit" / "log" / "w0"
    acknowledged: list[str] = []
    for turn in range(5):
        acknowledged += run_and_kill(tmp_path, turn * 1_000_000, random.uniform(0.0, 0.15), durability)
        events = read(folder)
        recorded = {f"{event['type']} {event.get('statement_id', '')}" for event in events}
        assert set(acknowledged) <= recorded
    AuditLog.open(tmp_path, "w0").close()
    assert verify_stream(folder).problems == ()
    intents = [event["statement_id"] for event in read(folder) if event["type"] == "statement_decided"]
    outcomes = [event["statement_id"] for event in read(folder) if event["type"] == "statement_finished"]
    assert sorted(map(str, intents)) == sorted(map(str, outcomes))  # recovery has closed what was open, once


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(batches=st.lists(st.integers(0, 3), min_size=1, max_size=6), data=st.data())
def test_a_cut_at_any_byte_keeps_every_whole_record(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("cut")
    log = AuditLog.open(directory, "w0", segment_bytes=data.draw(st.sampled_from([500, 2000, 100_000])))
    for number, size in enumerate(batches):
        log.append([event for part in range(size) for event in statement(number * 10 + part)])
    log.close()
    folder = directory / "audit" / "log" / "w0"
    path = segment_path(folder, segments(folder)[-1])
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(content.index(b"\n") + 1, len(content)))])
    before = read(folder)
    AuditLog.open(directory, "w0").close()
    after = read(folder)
    assert after[: len(before)] == before
    assert verify_stream(folder).problems == ()
    wanted = {event["statement_id"] for event in after if event["type"] == "statement_decided"}
    assert wanted == {event["statement_id"] for event in after if event["type"] == "statement_finished"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(data=st.data())
def test_a_damaged_log_never_stops_the_gate(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever bytes lie in the last segment, the next run opens the stream, tells of it and goes on."""
    directory = tmp_path_factory.mktemp("damage")
    log = AuditLog.open(directory, "w0", segment_bytes=700)
    for number in range(3):
        log.append(statement(number)[:1])
    log.close()
    folder = directory / "audit" / "log" / "w0"
    last = segments(folder)[-1]
    content = bytearray(segment_path(folder, last).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.sampled_from(b'0a"[]{},: \n\xff'))
    segment_path(folder, last).write_bytes(content)
    log = AuditLog.open(directory, "w0")
    log.append(statement(9))
    log.close()
    assert [event for event in Follower(directory).read() if event.get("statement_id") == "s1-9"]
