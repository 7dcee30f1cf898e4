"""Small queries: MySQL or MariaDB itself and the gate, side by side, under sysbench.

`python -m bench.sysbench`. Its tests oltp_point_select and oltp_read_only, as plain texts and as prepared statements
(--db-ps-mode). Printed for each test, mode and number of clients: queries a second, CPU per query of the gate, and at
one client how much latency (of one event: a query, or a transaction of 16) the gate adds.
"""

from __future__ import annotations

import argparse
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from bench.harness import (
    Variant,
    arguments,
    cpu_nanoseconds,
    median,
    program,
    save,
    share_one_processor,
    show,
)
from bench.mysql import direct, start_gate, start_server
from bench.pgbench import ALLOW
from tests.live.mysql_servers import Brand

#: a bucket of the histogram: its value in milliseconds, its bar, its count
BUCKET = re.compile(r"^\s*([0-9.]+) \|\**\s+(\d+)$", re.M)
QUERIES = re.compile(r"^\s*queries:\s+(\d+)\s+\(([0-9.]+) per sec", re.M)
PS_MODES = {"text": "disable", "prepared": "auto"}


@dataclass(frozen=True, slots=True)
class Sample:
    variant: str
    test: str
    mode: str
    clients: int
    rate: float  # queries a second
    cpu: float  # microseconds a query of the gate
    p50: float  # microseconds
    p99: float


MEASURES = ("rate", "cpu", "p50", "p99")


def command(variant: Variant, test: str, size: int, *words: str) -> list[str]:
    return [
        program("sysbench"), test, "--db-driver=mysql", f"--mysql-host={variant.host}", f"--mysql-port={variant.port}",
        f"--mysql-user={variant.user}", f"--mysql-password={variant.password}", f"--mysql-db={variant.database}",
        "--mysql-ssl=off", f"--table-size={size}", "--histogram=on", "--report-interval=0", *words,
    ]  # fmt: skip


def run_once(words: Sequence[str], name: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"sysbench through {name} failed: {(done.stdout + done.stderr)[-2000:]}")
    return done.stdout


def measure(variant: Variant, test: str, mode: str, clients: int, options: argparse.Namespace) -> Sample:
    pids = variant.pids()
    words = [f"--db-ps-mode={PS_MODES[mode]}", f"--threads={clients}", f"--time={max(1, round(options.seconds))}"]
    before = cpu_nanoseconds(pids)
    told = run_once(command(variant, test, options.size, *words, "run"), variant.name)
    used = cpu_nanoseconds(pids) - before
    found = QUERIES.search(told)
    if found is None:
        raise SystemExit(f"sysbench tells of no queries: {told[-2000:]}")
    buckets = [(float(value) * 1000, int(count)) for value, count in BUCKET.findall(told)]
    cpu = used / 1000 / int(found[1])
    return Sample(
        variant.name, test, mode, clients, float(found[2]), cpu, quantile(buckets, 0.5), quantile(buckets, 0.99)
    )


def quantile(buckets: list[tuple[float, int]], share: float) -> float:
    """The value of the bucket that holds this share of the events, or reaches it."""
    left = sum(count for _, count in buckets) * share
    for value, count in buckets:
        left -= count
        if left <= 0:
            return value
    return float("nan")


def run(variants: list[Variant], options: argparse.Namespace) -> list[Sample]:
    samples = []
    for test in options.test:
        for mode in options.mode:
            for variant in variants:  # the steady state is what is measured
                measure(variant, test, mode, 1, options)
            for clients in options.clients:
                for _ in range(options.rounds):
                    samples += [measure(variant, test, mode, clients, options) for variant in variants]
    return samples


def medians(samples: list[Sample]) -> list[Sample]:
    """One sample for each cell."""
    cells: dict[tuple[str, str, int, str], list[Sample]] = {}
    for sample in samples:
        cells.setdefault((sample.test, sample.mode, sample.clients, sample.variant), []).append(sample)
    return [
        Sample(variant, test, mode, clients, *(median([getattr(one, word) for one in cell]) for word in MEASURES))
        for (test, mode, clients, variant), cell in cells.items()
    ]


def report(samples: list[Sample], brand: str, note: str) -> None:
    cells = {(s.test, s.mode, s.clients, s.variant): s for s in samples}
    rows: list[list[object]] = []
    latency: list[list[object]] = []
    for test, mode, clients in dict.fromkeys(key[:3] for key in cells):
        plain, gate = (cells[test, mode, clients, name] for name in ("direct", "gate"))
        rows.append([test, mode, clients, plain.rate, gate.rate, gate.rate / plain.rate, gate.cpu])
        if clients == 1:
            latency += [
                [test, mode, s.variant, s.p50, s.p99, s.p50 - plain.p50, s.p99 - plain.p99] for s in (plain, gate)
            ]
    columns = ["test", "mode", "clients", "direct q/s", "gate q/s", "of direct", "gate us/query"]
    show(f"{brand}: throughput and CPU of the gate (medians)", columns, rows, note)
    columns = ["test", "mode", "variant", "p50 us", "p99 us", "added p50", "added p99"]
    show("Latency of one event with one client (medians)", columns, latency)


def parse() -> argparse.Namespace:
    parser = arguments(__doc__, seconds=1, rounds=3)
    parser.add_argument("--brand", choices=[brand.value for brand in Brand], default="mysql")
    parser.add_argument("-t", "--test", nargs="+", default=["oltp_point_select", "oltp_read_only"])
    parser.add_argument("-M", "--mode", nargs="+", choices=list(PS_MODES), default=list(PS_MODES))
    parser.add_argument("-c", "--clients", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--size", type=int, default=500, help="rows of the table")
    return parser.parse_args()


def main() -> None:
    options = parse()
    processor = None if options.unpinned else share_one_processor()
    note = "all processors" if processor is None else f"everything on processor {processor}"
    with start_server(Brand(options.brand)) as server:
        plain = direct(server)
        run_once(command(plain, "oltp_read_only", options.size, "prepare"), plain.name)
        with start_gate(server, {"gate": ALLOW}) as gates:
            samples = run([plain, *gates], options)
    report(medians(samples), options.brand, note)
    save(options.output, "sysbench", options, [asdict(sample) for sample in samples])


if __name__ == "__main__":
    main()
