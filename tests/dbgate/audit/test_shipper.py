"""The shipper alone, with a store in memory: positions, deletion, what is wrong in the log, who may ship."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbgate.audit.errors import RecordsRejected, StoreUnavailable
from dbgate.audit.log import AuditLog
from dbgate.audit.position import Position, read_position
from dbgate.audit.segments import segment_path, segments, used_bytes
from dbgate.audit.shipper import Shipper
from dbgate.audit.store import Result
from dbgate.audit.tail import read_batch
from tests.dbgate.audit.recorder import Recorder
from tests.dbgate.audit.support import statement


class MemoryStore:
    """Keeps rows by table and id, as the tables do in effect. `failures`: inserts that fail before one succeeds."""

    database = "dbgate"

    def __init__(self, failures: int = 0, poison: str = "") -> None:
        self.tables: dict[str, dict[str, dict[str, Any]]] = {}
        self.failures = failures
        self.poison = poison
        self.inserts = 0

    async def migrate(self) -> int:
        return 1

    async def insert(self, table: str, rows: Sequence[bytes], token: str) -> None:
        self.inserts += 1
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("nobody listens")
        objects = [orjson.loads(row) for row in rows]
        if self.poison and any(row.get("statement_id") == self.poison for row in objects):
            raise RecordsRejected("Code: 376")
        self.tables.setdefault(table, {}).update({row["id"]: row for row in objects})

    async def query(self, sql: str) -> Result:
        raise NotImplementedError

    async def close(self) -> None:
        return

    def ids(self, table: str = "statements") -> list[str]:
        return sorted(str(row["statement_id"]) for row in self.tables.get(table, {}).values())

    def reasons(self) -> list[str]:
        return [str(row["reason"]) for row in self.tables.get("security", {}).values()]


def write(directory: Path, numbers: Sequence[int], stream: str = "w0", segment_bytes: int = 2500) -> Path:
    log = AuditLog.open(directory, stream, segment_bytes=segment_bytes)
    recorder = Recorder(log, "gate-1")
    for number in numbers:
        recorder.record(statement(number, stream))
    log.close()
    return log.folder


def flush(directory: Path, store: MemoryStore, **options: Any) -> Shipper:
    shipper = Shipper(directory, store, **options)
    try:
        asyncio.run(shipper.flush())
    finally:
        shipper.close()
    return shipper


def expected(numbers: Sequence[int], stream: str = "w0") -> list[str]:
    return sorted(f"{stream}-{number}" for number in numbers)


def test_everything_arrives_and_complete_segments_go(tmp_path: Path) -> None:
    folder = write(tmp_path, range(20))
    write(tmp_path, range(5), "w1")
    last = segments(folder)[-1]
    store = MemoryStore()
    shipper = flush(tmp_path, store)
    assert store.ids() == sorted(expected(range(20)) + expected(range(5), "w1"))
    assert store.ids("results") == store.ids()
    assert segments(folder) == [last]
    position = read_position(tmp_path, "w0")
    assert position is not None
    assert (position.segment, position.offset) == (last, segment_path(folder, last).stat().st_size)
    assert shipper.status.lag_bytes == 0


def test_the_next_run_goes_on_where_this_one_stopped(tmp_path: Path) -> None:
    write(tmp_path, range(10))
    flush(tmp_path, MemoryStore())
    write(tmp_path, range(10, 15))
    store = MemoryStore()
    flush(tmp_path, store)
    assert store.ids() == expected(range(10, 15))
    assert store.reasons() == []


def test_nothing_is_deleted_before_it_is_acknowledged(tmp_path: Path) -> None:
    folder = write(tmp_path, range(20))
    before = used_bytes(folder)
    with pytest.raises(StoreUnavailable):
        flush(tmp_path, MemoryStore(failures=1))
    assert used_bytes(folder) == before
    assert read_position(tmp_path, "w0") is None


def test_a_batch_has_a_size(tmp_path: Path) -> None:
    write(tmp_path, range(30), segment_bytes=100_000)
    store = MemoryStore()
    flush(tmp_path, store, max_events=7)
    assert store.inserts >= 2 * 60 // 7
    assert store.ids() == expected(range(30))


def test_only_one_process_ships_a_directory(tmp_path: Path) -> None:
    write(tmp_path, range(1))

    async def run() -> None:
        first, second = Shipper(tmp_path, MemoryStore()), Shipper(tmp_path, MemoryStore())
        await first.flush()
        with pytest.raises(StoreUnavailable, match="another process ships"):
            await second.flush()
        first.close()
        await second.flush()
        second.close()

    asyncio.run(run())


def test_run_outlasts_an_outage_says_so_and_stops_when_cancelled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, range(3))
    store = MemoryStore(failures=4)
    shipper = Shipper(tmp_path, store, idle=0.01, interval=0.01, longest_pause=0.01)

    async def run() -> None:
        task = asyncio.create_task(shipper.run())
        while shipper.status.failures < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert shipper.status.lag_bytes > 0
        while shipper.status.shipped < 6:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    shipper.close()
    assert store.ids() == expected(range(3))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0] == "audit: events wait in the local log and cannot be shipped: nobody listens"
    assert said[1].startswith("audit: events are shipped again")


def test_one_poisonous_row_does_not_hold_the_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, range(20))
    store = MemoryStore(poison="w0-7")
    shipper = flush(tmp_path, store)
    assert store.ids() == expected([number for number in range(20) if number != 7])
    assert shipper.status.rejected == 2  # the intent and the outcome
    assert len(store.reasons()) == 2
    assert "w0/0000000" in store.reasons()[0]
    lines = (tmp_path / "audit" / "rejected" / "w0.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert "w0-7" in orjson.loads(lines[0])["record"]
    assert "Code: 376" in caplog.text


class TestDamagedLog:
    def test_a_changed_record_is_shipped_and_reported(self, tmp_path: Path) -> None:
        folder = write(tmp_path, range(4), segment_bytes=100_000)
        path = segment_path(folder, 1)
        path.write_bytes(path.read_bytes().replace(b'"w0-2"', b'"w0-9"'))
        store = MemoryStore()
        flush(tmp_path, store)
        assert "w0-9" in store.ids()
        assert "was changed" in store.reasons()[0]

    def test_a_removed_record_is_reported(self, tmp_path: Path) -> None:
        folder = write(tmp_path, range(4), segment_bytes=100_000)
        path = segment_path(folder, 1)
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:2] + lines[3:]))
        store = MemoryStore()
        flush(tmp_path, store)
        assert ["removed or inserted" in reason for reason in store.reasons()] == [True]

    def test_what_is_no_record_is_set_aside(self, tmp_path: Path) -> None:
        folder = write(tmp_path, range(4), segment_bytes=100_000)
        path = segment_path(folder, 1)
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:2], b"\xff\x00 nonsense\n", *lines[3:]]))
        store = MemoryStore()
        shipper = flush(tmp_path, store)
        assert shipper.status.rejected == 1
        assert len(store.ids()) + len(store.ids("results")) == 7
        assert "nonsense" in (tmp_path / "audit" / "rejected" / "w0.jsonl").read_text()

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
    @given(data=st.data())
    def test_whatever_lies_there_shipping_ends(
        self, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
    ) -> None:
        """Every line is either shipped or set aside; the position reaches the end."""
        directory = tmp_path_factory.mktemp("damaged")
        folder = write(directory, range(4), segment_bytes=1500)
        path = segment_path(folder, data.draw(st.sampled_from(segments(folder))))
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(1, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
        flush(directory, MemoryStore())
        assert len(segments(folder)) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(data=st.data())
def test_any_limit_reads_everything_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("limits")
    folder = write(directory, range(data.draw(st.integers(0, 12))), segment_bytes=1500)
    position, sequences = Position(), []
    while True:
        batch = read_batch(folder, position, data.draw(st.integers(1, 9)))
        assert batch.oddities == []
        sequences += [orjson.loads(row.json)["sequence"] for row in batch.rows]
        if batch.position == position:
            break
        position = batch.position
    assert sequences == list(range(len(sequences)))
    assert len(segments(folder)) == position.segment


def test_a_line_still_being_written_waits(tmp_path: Path) -> None:
    folder = write(tmp_path, range(2), segment_bytes=100_000)
    path = segment_path(folder, 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    store = MemoryStore()
    flush(tmp_path, store)
    assert store.ids("results") == ["w0-0"]
    path.write_bytes(whole)
    flush(tmp_path, store)
    assert store.ids("results") == ["w0-0", "w0-1"]


def test_a_record_longer_than_a_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbgate.audit.tail._CHUNK", 50)
    write(tmp_path, range(5))
    store = MemoryStore()
    flush(tmp_path, store)
    assert store.ids() == expected(range(5))


def test_a_flush_ends_while_events_keep_coming(tmp_path: Path) -> None:
    """A question to the audit flushes first; under load it must not wait for ever."""
    log = AuditLog.open(tmp_path, "w0", gate="gate-1")
    recorder = Recorder(log, "gate-1")

    class Busy(MemoryStore):
        async def insert(self, table: str, rows: Sequence[bytes], token: str) -> None:
            recorder.record(statement(self.inserts, "w0"))
            await super().insert(table, rows, token)

    recorder.record(statement(1000, "w0"))
    store = Busy()
    flush(tmp_path, store)
    assert store.ids() == ["w0-1000"]
    log.close()
