"""What the benchmarks share: a server with its peers, CPU accounting, raw readers, medians, tables and files.

Method: variants run interleaved (A B C A B C ...), medians are reported, and only rows of one table may be compared.
CPU is the first field of /proc/PID/task/*/schedstat. In one-core mode this process and all it starts share one
processor, which is what takes the noise of cross-processor wake-ups out of a comparison.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import pwd
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.live.gate import CLIENT_PASSWORD, Gate, Upstream, resident
from tests.live.raw import Raw, query
from tests.live.servers import PASSWORD, Postgres, find_programs, free_port, start_postgres

DATABASE = "bench"
SETTINGS = {"shared_buffers": "512MB", "max_connections": "120", "max_wal_size": "8GB"}


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to the same database. `pids`: the processes in between (none: the server itself)."""

    name: str
    host: str
    port: int
    database: str
    user: str
    password: str
    pids: Callable[[], list[int]]

    def environment(self) -> dict[str, str]:
        words = {"PGHOST": self.host, "PGPORT": str(self.port), "PGDATABASE": self.database, "PGUSER": self.user}
        return {**os.environ, **words, "PGPASSWORD": self.password, "PGSSLMODE": "disable"}

    def connect(self, timeout: float = 120.0) -> Raw:
        client = Raw(self.host, self.port, timeout)
        return client.login(self.user, self.password, self.database)


# ---------------------------------------------------------------- starting things


@contextlib.contextmanager
def start_server(schema: str = "") -> Iterator[Postgres]:
    """PostgreSQL with the database `bench`, owned by app, and `schema` run in it."""
    with start_postgres(SETTINGS) as server:
        server.create_database(DATABASE)
        if schema:
            server.run(f"SET ROLE app; {schema}", DATABASE)
        yield server


def direct(server: Postgres) -> Variant:
    return Variant("direct", server.host, server.port, DATABASE, "app", PASSWORD, list)


@contextlib.contextmanager
def start_gate(
    server: Postgres, rulebooks: Mapping[str, str], workers: int = 1
) -> Iterator[tuple[Gate, list[Variant]]]:
    """A gate with one database for each rulebook: name -> the rulebook's text."""
    with tempfile.TemporaryDirectory(prefix="dbgate-bench-") as name:
        directory = Path(name)
        databases = {book: Upstream(DATABASE, book, tls={"mode": "disable"}) for book in rulebooks}
        gate = Gate(directory, server, databases, workers=workers, rulebooks=rulebooks)
        variants = [
            Variant(book, gate.host, gate.port, book, "agent", CLIENT_PASSWORD, lambda: worker_pids(gate))
            for book in rulebooks
        ]
        set_apart([pid for pid in gate.pids() if pid not in worker_pids(gate)])
        try:
            yield gate, variants
        finally:
            gate.stop()


def set_apart(pids: Sequence[int]) -> None:
    """The control process ships the audit beside the data path, at its own pace: where everything that is measured
    shares one processor, it gets the others."""
    with contextlib.suppress(AttributeError, OSError):
        others = set(range(os.cpu_count() or 1)) - os.sched_getaffinity(0)
        for pid in pids if others else ():
            for task in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(task), others)


def worker_pids(gate: Gate) -> list[int]:
    """The processes that carry traffic (not the supervisor, not the control process)."""
    return [pid for pid in gate.pids() if b"\0worker\0" in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


@contextlib.contextmanager
def start_pgbouncer(server: Postgres) -> Iterator[Variant | None]:
    """pgbouncer in session mode, or None where it is not installed."""
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="dbgate-bouncer-") as name:
        Path(name).chmod(0o755)
        port = free_port()
        settings = Path(name) / "pgbouncer.ini"
        settings.write_text(
            f"[databases]\n{DATABASE} = host={server.host} port={server.port} user=app password={PASSWORD}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\npool_mode = session\n"
            "unix_socket_dir =\nmax_client_conn = 200\ndefault_pool_size = 100\nlog_connections = 0\n"
            "log_disconnections = 0\nserver_tls_sslmode = disable\nignore_startup_parameters = extra_float_digits\n"
        )
        process = subprocess.Popen([program, "-q", settings], stderr=subprocess.DEVNULL, **_not_root())
        try:
            _await_port(port)
            yield Variant("pgbouncer", "127.0.0.1", port, DATABASE, "app", PASSWORD, lambda: [process.pid])
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _not_root() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("postgres" if _exists("postgres") else "nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _await_port(port: int, limit: float = 10.0) -> None:
    end = time.monotonic() + limit
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


# ---------------------------------------------------------------- measuring


def cpu_nanoseconds(pids: Sequence[int]) -> int:
    """CPU time that the processes' threads have used so far."""
    total = 0
    for pid in pids:
        for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(file.read_text().split()[0])
    return total


def memory(pids: Sequence[int]) -> int:
    return sum(resident(pid) for pid in pids)


@dataclass(frozen=True, slots=True)
class Drained:
    """One large result read to its end."""

    rows: int
    size: int  # bytes of DataRow messages
    seconds: float
    cpu: float  # seconds of the processes in between
    peak: int  # bytes of their memory


def drain(variant: Variant, text: str) -> Drained:
    """Run a query and throw its rows away as fast as they come, without looking at them but for the last."""
    pids = variant.pids()
    with variant.connect() as client:
        view = memoryview(bytearray(256 * 1024))
        before, begun = cpu_nanoseconds(pids), time.perf_counter()
        client.send(query(text))
        size, tail, peak, looks = 0, b"", 0, 0
        while not (tail.endswith(b"Z\0\0\0\5I")):
            count = client.socket.recv_into(view)
            if not count:
                raise ConnectionError(f"{variant.name}: the connection ended after {size} bytes: {tail!r}")
            size += count
            tail = (tail + bytes(view[max(0, count - 64) : count]))[-64:]
            if looks % 64 == 0:
                peak = max(peak, memory(pids))
            looks += 1
        seconds = time.perf_counter() - begun
        used = (cpu_nanoseconds(pids) - before) / 1e9
    tag = tail[tail.rindex(b"SELECT ") :] if b"SELECT " in tail else b"SELECT 0\0"
    return Drained(int(tag[7 : tag.index(b"\0")]), size, seconds, used, peak)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")


def share_one_processor() -> int | None:
    """Bind this process, and so all it starts, to one processor; its number, or None where that is not allowed."""
    try:
        last = max(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {last})
    except (AttributeError, OSError):
        return None
    return last


def program(name: str) -> str:
    """pgbench or psql; SystemExit when it is not installed."""
    if found := shutil.which(name):
        return found
    directory = find_programs()
    if directory is not None and (directory / name).exists():
        return str(directory / name)
    raise SystemExit(f"the program {name} is not installed")


# ---------------------------------------------------------------- telling


def arguments(description: str | None, seconds: float, rounds: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=seconds, help="length of one sample")
    parser.add_argument("--rounds", type=int, default=rounds, help="samples of each variant")
    parser.add_argument("--output", type=Path, default=None, help="write the results here as JSON")
    parser.add_argument("--unpinned", action="store_true", help="let everything run on all processors")
    return parser


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], note: str = "") -> None:
    table = Table(title=title, title_justify="left", caption=note or None, caption_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*[_cell(value) for value in row])
    Console(width=max(100, shutil.get_terminal_size().columns)).print(table)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 10 else f"{value:.1f}"


def save(path: Path | None, name: str, options: argparse.Namespace, rows: object) -> None:
    """Results with what is needed to read them later."""
    if path is None:
        return
    machine = {"processors": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    words = {key: str(value) for key, value in vars(options).items()}
    path.write_text(json.dumps({"bench": name, "machine": machine, "options": words, "results": rows}, indent=1) + "\n")
    sys.stdout.write(f"written: {path}\n")
