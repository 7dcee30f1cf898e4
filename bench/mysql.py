"""What the MySQL benchmarks share: a server of one brand, gates before it, and raw readers of large results."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pymysql

from bench.harness import DATABASE, Drained, Variant, cpu_nanoseconds, memory, set_apart, worker_pids
from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream
from tests.live.mysql_servers import PASSWORD, Brand, MysqlServer, start_mariadb, start_mysql

STARTERS: Final = {Brand.MYSQL: start_mysql, Brand.MARIADB: start_mariadb}
OPTIONS: Final = {"innodb-buffer-pool-size": "512M"}
COM_QUERY, COM_STMT_PREPARE, COM_STMT_EXECUTE = 0x03, 0x16, 0x17
#: an EOF packet's size and its first byte
EOF_SIZE, EOF = 9, 0xFE


@contextlib.contextmanager
def start_server(brand: Brand, schema: str = "") -> Iterator[MysqlServer]:
    """The server with the database `bench`, and `schema` run in it."""
    with STARTERS[brand](OPTIONS) as server:
        server.create_database(DATABASE)
        if schema:
            server.run(schema, DATABASE)
        yield server


def direct(server: MysqlServer) -> Variant:
    return Variant("direct", server.host, server.port, DATABASE, "app", PASSWORD, list)


@contextlib.contextmanager
def start_gate(server: MysqlServer, rulebooks: Mapping[str, str]) -> Iterator[list[Variant]]:
    """A gate with one worker and one database for each rulebook: name -> the rulebook's text."""
    with tempfile.TemporaryDirectory(prefix="dbgate-bench-") as name:
        databases = {book: Upstream(DATABASE, book, tls={"mode": "disable"}) for book in rulebooks}
        gate = Gate(Path(name), server, databases, rulebooks=rulebooks)
        set_apart([pid for pid in gate.pids() if pid not in worker_pids(gate)])
        port = gate.mysql_ports[""]
        try:
            yield [
                Variant(book, gate.host, port, book, "agent", CLIENT_PASSWORD, lambda: worker_pids(gate))
                for book in rulebooks
            ]
        finally:
            gate.stop()


def connect(variant: Variant) -> Any:
    return pymysql.connect(
        host=variant.host, port=variant.port, user=variant.user, password=variant.password, database=variant.database,
        charset="utf8mb4", autocommit=True, read_timeout=300, ssl_disabled=True,
    )  # fmt: skip


def drain(variant: Variant, text: str, rows: int, binary: bool = False) -> Drained:
    """Run a query that returns `rows` rows and throw them away as fast as they come, without looking at them but for
    the last. `binary`: as a prepared statement."""
    pids = variant.pids()
    with connect(variant) as client:
        command = _prepared(client, text) if binary else bytes([COM_QUERY]) + text.encode()
        socket = client._sock
        view = memoryview(bytearray(256 * 1024))
        before, begun = cpu_nanoseconds(pids), time.perf_counter()
        socket.sendall(len(command).to_bytes(3, "little") + b"\0" + command)
        size, tail, peak, looks = 0, b"", 0, 0
        while not (len(tail) >= EOF_SIZE and tail[-EOF_SIZE:-6] == b"\5\0\0" and tail[-5] == EOF):
            count = socket.recv_into(view)
            if not count:
                raise ConnectionError(f"{variant.name}: the connection ended after {size} bytes: {tail!r}")
            size += count
            tail = (tail + bytes(view[max(0, count - 64) : count]))[-64:]
            if looks % 64 == 0:
                peak = max(peak, memory(pids))
            looks += 1
        seconds = time.perf_counter() - begun
        used = (cpu_nanoseconds(pids) - before) / 1e9
    if size < rows:
        raise ConnectionError(f"{variant.name}: {size} bytes are no {rows:,} rows: {tail!r}")
    return Drained(rows, size, seconds, used, peak)


def _prepared(client: Any, text: str) -> bytes:
    """The command that executes the statement."""
    client._execute_command(COM_STMT_PREPARE, text.encode())
    answer: bytes = client._read_packet().get_all_data()
    if int.from_bytes(answer[5:7], "little"):  # definitions of columns, and an EOF
        while not client._read_packet().is_eof_packet():
            pass
    return bytes([COM_STMT_EXECUTE]) + answer[1:5] + b"\0" + (1).to_bytes(4, "little")
