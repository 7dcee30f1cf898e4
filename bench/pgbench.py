"""Small queries: PostgreSQL itself, pgbouncer in session mode and the gate, side by side.

`python -m bench.pgbench`. Every client sends `SELECT abalance ... WHERE aid = :aid` with 500 different texts (or
parameters). Printed for each mode and number of clients: transactions a second, CPU per query of the process in
between, their ratio to pgbouncer's, and at one client how much latency each adds.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.harness import (
    Variant,
    arguments,
    cpu_nanoseconds,
    direct,
    median,
    percentile,
    program,
    save,
    share_one_processor,
    show,
    start_gate,
    start_pgbouncer,
    start_server,
)
from tests.live.raw import query

SCRIPT = "\\set aid random(1, 500)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
PIPELINE = SCRIPT.replace("SELECT", "\\startpipeline\nSELECT") + f"{SCRIPT.splitlines()[1]}\n" * 9 + "\\endpipeline\n"
ALLOW = 'version: 1\nrules:\n  - id: everything\n    allow: {statements: ["*"], tables: ["*"], functions: ["*"]}\n'


@dataclass(frozen=True, slots=True)
class Sample:
    variant: str
    mode: str
    clients: int
    rate: float  # transactions a second
    cpu: float  # microseconds a transaction of the process in between
    p50: float  # microseconds
    p99: float


def measure(variant: Variant, mode: str, clients: int, seconds: float, script: Path) -> Sample:
    """One run of pgbench with each transaction's latency logged."""
    pids = variant.pids()
    with tempfile.TemporaryDirectory(prefix="dbgate-pgbench-") as name:
        command = [
            program("pgbench"),
            "-n",
            "-M",
            mode,
            "-c",
            str(clients),
            "-j",
            "1",
            "-T",
            str(max(1, round(seconds))),
        ]
        command += ["-f", str(script), "-l", "--log-prefix", f"{name}/log"]
        before = cpu_nanoseconds(pids)
        done = subprocess.run(command, env=variant.environment(), capture_output=True, text=True, check=False)
        used = cpu_nanoseconds(pids) - before
        if done.returncode:
            raise SystemExit(f"pgbench through {variant.name} failed: {done.stderr[-2000:]}")
        times = [float(line.split(" ", 3)[2]) for file in Path(name).glob("log*") for line in file.open()]
    rate = next(float(line.split()[2]) for line in done.stdout.splitlines() if line.startswith("tps"))
    cpu = used / 1000 / len(times)
    return Sample(variant.name, mode, clients, rate, cpu, percentile(times, 0.5), percentile(times, 0.99))


MEASURES = ("rate", "cpu", "p50", "p99")


def warm(variant: Variant) -> None:
    """Every text once: what is measured is the steady state, not the first sight of a statement."""
    with variant.connect() as client:
        for number in range(1, 501):
            client.ask(query(SCRIPT.splitlines()[1].rstrip(";").replace(":aid", str(number)) + ";"))


def run(variants: list[Variant], options: argparse.Namespace, script: Path) -> list[Sample]:
    samples = []
    for variant in variants:
        warm(variant)
    for mode in options.mode:
        for clients in options.clients:
            for _ in range(options.rounds):
                samples += [measure(variant, mode, clients, options.seconds, script) for variant in variants]
    return samples


def medians(samples: list[Sample]) -> list[Sample]:
    """One sample for each cell."""
    cells: dict[tuple[str, int, str], list[Sample]] = {}
    for sample in samples:
        cells.setdefault((sample.mode, sample.clients, sample.variant), []).append(sample)
    return [
        Sample(variant, mode, clients, *(median([getattr(one, word) for one in cell]) for word in MEASURES))
        for (mode, clients, variant), cell in cells.items()
    ]


def report(samples: list[Sample], note: str) -> None:
    by_cell = {(s.mode, s.clients, s.variant): s for s in samples}
    names = list(dict.fromkeys(s.variant for s in samples))
    peer = next((name for name in names if name == "pgbouncer"), None)
    columns = ["mode", "clients", *(f"{name} tps" for name in names), *(f"{name} us/query" for name in names[1:])]
    columns += [f"{name} / {peer}" for name in names[1:] if peer and name != peer]
    rows: list[list[object]] = []
    for mode, clients in dict.fromkeys((s.mode, s.clients) for s in samples):
        cell = {name: by_cell[mode, clients, name] for name in names}
        row: list[object] = [
            mode,
            clients,
            *(cell[name].rate for name in names),
            *(cell[name].cpu for name in names[1:]),
        ]
        row += [cell[name].cpu / cell[peer].cpu for name in names[1:] if peer and name != peer]
        rows.append(row)
    show("Throughput and CPU of the process in between (medians)", columns, rows, note)
    _report_latency(by_cell, names)


def _report_latency(by_cell: dict[tuple[str, int, str], Sample], names: list[str]) -> None:
    rows: list[list[object]] = []
    for (mode, clients, name), sample in by_cell.items():
        if clients == 1:
            base = by_cell[mode, 1, names[0]]
            rows.append([mode, name, sample.p50, sample.p99, sample.p50 - base.p50, sample.p99 - base.p99])
    columns = ["mode", "variant", "p50 us", "p99 us", "added p50", "added p99"]
    show("Latency with one client (medians)", columns, rows)


def parse() -> argparse.Namespace:
    parser = arguments(__doc__, seconds=1, rounds=3)
    parser.add_argument("-M", "--mode", nargs="+", default=["simple", "extended", "prepared"])
    parser.add_argument("-c", "--clients", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--scale", type=int, default=10)
    parser.add_argument("--pipeline", action="store_true", help="pipelines of ten (extended, prepared)")
    return parser.parse_args()


def main() -> None:
    options = parse()
    processor = None if options.unpinned else share_one_processor()
    note = "all processors" if processor is None else f"everything on processor {processor}"
    with tempfile.TemporaryDirectory() as name, start_server() as server, start_pgbouncer(server) as bouncer:
        plain = direct(server)
        fill = [program("pgbench"), "-i", "-q", "-s", str(options.scale)]
        subprocess.run(fill, env=plain.environment(), check=True, capture_output=True)
        script = Path(name) / "script.sql"
        script.write_text(PIPELINE if options.pipeline else SCRIPT)
        with start_gate(server, {"gate": ALLOW}) as (_, gates):
            variants = [plain, *([bouncer] if bouncer else []), *gates]
            samples = run(variants, options, script)
    report(medians(samples), note + ("; pipelines of ten" if options.pipeline else ""))
    save(options.output, "pgbench", options, [asdict(sample) for sample in samples])


if __name__ == "__main__":
    main()
