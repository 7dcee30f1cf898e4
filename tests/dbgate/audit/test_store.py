"""Log, shipper, tables and views together, on the embedded ClickHouse and on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from dbgate.audit import schema
from dbgate.audit.errors import QueryRefused, StoreUnavailable
from dbgate.audit.events import (
    AuditDegraded,
    LoginRefused,
    PolicyLoaded,
    SessionEnded,
    SessionStarted,
    StatementDecided,
    WitnessMismatch,
)
from dbgate.audit.log import AuditLog
from dbgate.audit.query import handle_query
from dbgate.audit.segments import segments
from dbgate.audit.settings import AuditSettings, ClickHouseSettings
from dbgate.audit.shipper import Shipper
from dbgate.audit.store import Result, Store, open_store
from tests.dbgate.audit.recorder import Recorder
from tests.dbgate.audit.support import ClickHouseServer, statement

pytestmark = [pytest.mark.live, pytest.mark.slow]

pytest.importorskip("chdb", reason="the embedded ClickHouse is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    server = ClickHouseServer(tmp_path_factory.mktemp("clickhouse") / "server")
    server.start()
    yield server
    server.kill()


def settings_for(server: ClickHouseServer, directory: Path, database: str) -> AuditSettings:
    return AuditSettings(
        directory=directory, clickhouse=ClickHouseSettings(url=server.url, user="default", database=database)
    )


def fill(directory: Path, statements: int = 20, stream: str = "w0") -> None:
    log = AuditLog.open(directory, stream, segment_bytes=8000, gate="gate-1")
    recorder = Recorder(log, "gate-1")
    recorder.record([SessionStarted(session="s1", identity="agent", client_address="127.0.0.1:5000")])
    for number in range(statements):
        recorder.record(statement(number, session=f"{stream}-s1"))
    recorder.record(statement(900, session=f"{stream}-s1", verdict="refuse"))
    recorder.record([LoginRefused(reason="no such user", sqlstate="28000"), PolicyLoaded(files=("shop.yaml",))])
    recorder.record([WitnessMismatch(column="email", action="masked")])
    recorder.record([SessionEnded(session="s1", reason="client left")])
    log.close()


async def rows(store: Store, sql: str) -> Sequence[Sequence[Any]]:
    return (await store.query(sql)).rows


async def check_everything(store: Store, directory: Path) -> None:
    """The same questions to both stores."""
    fill(directory)
    shipper = Shipper(directory, store)
    assert await shipper.flush() > 40
    assert shipper.status.lag_bytes == 0
    assert shipper.status.rejected == 0
    assert len(segments(directory / "audit" / "log" / "w0")) == 1

    assert await rows(store, "SELECT count(), countIf(finished) FROM statement_log") == ((21, 20),)
    log = await store.query("SELECT * FROM statement_log WHERE statement_id = 'w0-s1-7'")
    one = dict(zip(log.columns, log.rows[0], strict=True))
    wanted = {
        "session": "w0-s1", "job": "build-4711", "job_verified": False, "identity": "agent", "role": "agent",
        "database": "shop", "statement": "SELECT email FROM customers WHERE id = 7", "kind": "select",
        "tables": ["public.customers"], "columns": ["public.customers.email", "public.customers.id"],
        "verdict": "allow", "rules": ["agent-reads"], "masked_columns": ["public.customers.email"],
        "rows": 7, "bytes": 100, "milliseconds": 1.5, "masked_cells": 7, "sqlstate": "", "rulebook": "b00c",
        "gate": "gate-1", "finished": True,
    }  # fmt: skip
    assert {name: one[name] for name in wanted} == wanted
    assert await rows(store, "SELECT finished, rows, sqlstate FROM statement_log WHERE verdict = 'refuse'") == (
        (False, None, None),
    )
    assert await rows(store, "SELECT rule, statement_id FROM refusals") == (("agent-reads", "w0-s1-900"),)
    assert await rows(store, "SELECT count() FROM column_reads WHERE masked AND column_name LIKE '%.email'") == ((20,),)
    assert await rows(store, "SELECT masked_cells FROM masked_cells_by_day") == ((190,),)
    assert await rows(store, "SELECT ended, reason, client_address FROM session_log") == (
        (True, "client left", "127.0.0.1:5000"),
    )
    assert await rows(store, "SELECT event FROM security FINAL ORDER BY event") == (
        ("login_refused",),
        ("witness_mismatch",),
    )
    assert await rows(store, "SELECT files, accepted FROM policy FINAL") == ((["shop.yaml"], True),)
    await check_no_gap(store)
    await check_only_reading(store)
    assert await store.migrate() == schema.MIGRATIONS[-1].version
    fill(directory, 5, stream="w1")  # a refused query left the engine able to write
    await shipper.flush()
    assert await rows(store, "SELECT count() FROM statement_log") == ((27,),)
    shipper.close()


async def check_no_gap(store: Store) -> None:
    tables = " UNION ALL ".join(f"SELECT sequence FROM {table} FINAL" for table in schema.TABLES)
    (answer,) = await rows(store, f"SELECT count(), uniqExact(sequence), max(sequence) + 1 FROM ({tables})")
    assert len(set(answer)) == 1
    assert await rows(store, "SELECT * FROM log_gaps") == ()


async def check_only_reading(store: Store) -> None:
    for sql in (
        "INSERT INTO policy (job) VALUES ('x')",
        "DROP TABLE statements",
        "SELECT 1; DROP TABLE statements",
        "SELECT 1 PARALLEL WITH DROP TABLE statements",
        "WITH 1 AS x INSERT INTO policy (job) SELECT 'x'",
        "SELECT 1 SETTINGS readonly = 0",
        "SELECT 1 INTO OUTFILE '/tmp/never'",
        "SELECT nonsense FROM nowhere",
        "",
    ):
        with pytest.raises(QueryRefused):
            await store.query(sql)
    assert (await handle_query(store, "DROP TABLE statements"))["error"].startswith("DROP is not allowed")
    answer = await handle_query(store, "SELECT toUUID('019aaaaa-0000-7000-8000-000000000001') AS id, [1, 2] AS list")
    assert answer == {"columns": ["id", "list"], "rows": [["019aaaaa-0000-7000-8000-000000000001", [1, 2]]]}


def test_a_server(server: ClickHouseServer, tmp_path: Path) -> None:
    async def run() -> None:
        store = open_store(settings_for(server, tmp_path, "everything"))
        await check_everything(store, tmp_path)
        await store.close()

    asyncio.run(run())


EMBEDDED = """
import asyncio, sys
from pathlib import Path
from dbgate.audit.settings import AuditSettings
from dbgate.audit.store import open_store
from tests.dbgate.audit.test_store import check_everything

async def run(directory):
    store = open_store(AuditSettings(directory=directory))
    await check_everything(store, directory)
    await store.close()

asyncio.run(run(Path(sys.argv[1])))
"""


def test_embedded(tmp_path: Path) -> None:
    """In a process of its own: chDB opens one folder per process."""
    done = subprocess.run(
        [sys.executable, "-c", EMBEDDED, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_lost_acknowledgement_doubles_nothing(server: ClickHouseServer, tmp_path: Path) -> None:
    """ClickHouse took the rows, but the gate died before it could remember."""

    async def run() -> None:
        fill(tmp_path, 50)
        store = open_store(settings_for(server, tmp_path, "doubles"))
        for _ in range(3):
            shipper: Shipper = ForgetfulShipper(tmp_path, store)
            with pytest.raises(ConnectionAbortedError):
                await shipper.flush()
            shipper.close()
        shipper = Shipper(tmp_path, store, max_events=7)  # other batches than before
        await shipper.flush()
        assert await rows(store, "SELECT count(), uniqExact(id) FROM statements FINAL") == ((51, 51),)
        assert await rows(store, "SELECT count() FROM statement_log") == ((51,),)
        await check_no_gap(store)
        shipper.close()
        await store.close()

    asyncio.run(run())


class ForgetfulShipper(Shipper):
    def _acknowledge(self, pending: Any) -> None:
        raise ConnectionAbortedError


def test_an_answer_that_is_lost_is_asked_for_again(server: ClickHouseServer, tmp_path: Path) -> None:
    """The insert happened, its answer did not arrive: the same shipper sends the same rows again."""

    async def run() -> None:
        fill(tmp_path, 50)
        store = LosesAnswers(open_store(settings_for(server, tmp_path, "answers")))
        shipper = Shipper(tmp_path, store, longest_pause=0.05)
        task = asyncio.create_task(shipper.run())
        await until(lambda: shipper.status.shipped > 100)
        await stop(task)
        assert store.lost == 5
        assert await rows(store, "SELECT count() FROM statements") == ((51,),)  # not even before a merge
        shipper.close()
        await store.close()

    asyncio.run(run())


class LosesAnswers:
    """A store whose first five inserts arrive, but seem to fail."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.database = store.database
        self.lost = 0

    async def insert(self, table: str, rows: Sequence[bytes], token: str) -> None:
        await self.store.insert(table, rows, token)
        if self.lost < 5:
            self.lost += 1
            raise StoreUnavailable("the connection was closed")

    async def migrate(self) -> int:
        return await self.store.migrate()

    async def query(self, sql: str) -> Result:
        return await self.store.query(sql)

    async def close(self) -> None:
        await self.store.close()


def test_clickhouse_is_down_at_the_start_and_dies_in_the_middle(tmp_path: Path) -> None:
    async def run() -> None:
        server = ClickHouseServer(tmp_path / "server")
        fill(tmp_path, 300)
        store = open_store(settings_for(server, tmp_path, "outage"))
        with pytest.raises(StoreUnavailable):
            await store.query("SELECT 1")
        shipper = Shipper(tmp_path, store, max_events=20, interval=0.01, longest_pause=0.2)
        task = asyncio.create_task(shipper.run())
        await until(lambda: shipper.status.failures >= 2)
        assert shipper.status.error
        await asyncio.to_thread(server.start)
        await until(lambda: shipper.status.shipped >= 100)
        server.kill()
        failures = shipper.status.failures
        await until(lambda: shipper.status.failures > failures)
        fill(tmp_path, 30, stream="w1")
        await asyncio.to_thread(server.start)
        await until(lambda: shipper.status.shipped > 670 and shipper.status.lag_bytes == 0)
        assert not shipper.status.error
        assert await rows(store, "SELECT count(), countIf(finished) FROM statement_log") == ((332, 330),)
        await stop(task)
        shipper.close()
        await store.close()
        server.kill()

    asyncio.run(run())


def test_what_can_never_be_inserted_is_set_aside_and_reported(server: ClickHouseServer, tmp_path: Path) -> None:
    async def run() -> None:
        log = AuditLog.open(tmp_path, "w0", gate="gate-1")
        recorder = Recorder(log, "gate-1")
        recorder.record(statement(1))
        log.append([StatementDecided(id="no uuid", time=1, statement_id="bad")])
        recorder.record(statement(2))
        log.close()
        store = open_store(settings_for(server, tmp_path, "poison"))
        shipper = Shipper(tmp_path, store)
        await shipper.flush()
        assert shipper.status.rejected == 1
        assert await rows(store, "SELECT statement_id FROM statement_log ORDER BY time") == (("s1-1",), ("s1-2",))
        ((event, lost, reason),) = await rows(store, "SELECT event, lost, reason FROM security FINAL")
        assert (event, lost) == (AuditDegraded.type, 1)
        assert "00000001.seg" in reason
        rejected = tmp_path / "audit" / "rejected" / "w0.jsonl"
        assert await rows(store, "SELECT first_missing, last_missing FROM log_gaps") == ((3, 3),)
        assert "no uuid" in rejected.read_text()
        assert os.stat(rejected).st_mode & 0o777 == 0o600
        shipper.close()
        await store.close()

    asyncio.run(run())


def test_a_newer_schema_is_left_alone(server: ClickHouseServer, tmp_path: Path) -> None:
    async def run() -> None:
        store: Any = open_store(settings_for(server, tmp_path, "newer"))
        await store.migrate()
        await store._command("INSERT INTO newer.schema_version VALUES (99, now64(3))")
        with pytest.raises(schema.SchemaTooNewError, match="upgrade dbgate"):
            await store.migrate()
        await store.close()

    asyncio.run(run())


async def until(condition: Any, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
