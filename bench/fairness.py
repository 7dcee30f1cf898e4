"""Fairness: how long a neighbour waits while one client saturates the same worker with a masked fetch.

`python -m bench.fairness`. One worker; the neighbour sends small prepared queries one after the other.
"""

from __future__ import annotations

import argparse
import threading
import time
from dataclasses import asdict, dataclass

from bench.harness import (
    Drained,
    Variant,
    arguments,
    direct,
    drain,
    median,
    percentile,
    save,
    share_one_processor,
    show,
    start_gate,
    start_server,
)
from bench.pgbench import ALLOW
from bench.rows import MASKED, QUERY, SCHEMA
from tests.live import raw

SMALL = "SELECT id FROM people LIMIT 1"


@dataclass(frozen=True, slots=True)
class Waited:
    """Microseconds of the neighbour's queries, and the fetch's rows a second."""

    queries: int
    p50: float
    p99: float
    worst: float
    bulk: float


def ask_until(variant: Variant, done: threading.Event, limit: float) -> list[float]:
    """Latencies in microseconds of one prepared query, again and again."""
    with variant.connect() as client:
        client.ask(raw.parse(SMALL, "s") + raw.SYNC)
        batch = raw.bind("s") + raw.execute() + raw.SYNC
        times = []
        end = time.perf_counter() + limit
        while not done.is_set() and time.perf_counter() < end:
            begun = time.perf_counter()
            client.ask(batch)
            times.append((time.perf_counter() - begun) * 1e6)
    return times


def measure(neighbour: Variant, bulk: Variant | None, seconds: float) -> Waited:
    """The neighbour's waits while `bulk` fetches for `seconds`."""
    done = threading.Event()
    fetched: list[Drained] = []

    def fetch() -> None:
        end = time.monotonic() + seconds
        while bulk is not None and time.monotonic() < end:
            fetched.append(drain(bulk, QUERY))
        done.set()

    thread = threading.Thread(target=fetch if bulk else lambda: None)
    thread.start()
    times = ask_until(neighbour, done, 60 if bulk else seconds)
    thread.join()
    rate = median([one.rows / one.seconds for one in fetched]) if fetched else 0.0
    return Waited(len(times), percentile(times, 0.5), percentile(times, 0.99), max(times), rate)


def middle(samples: list[Waited]) -> Waited:
    words = ("queries", "p50", "p99", "worst", "bulk")
    values = [median([float(getattr(sample, word)) for sample in samples]) for word in words]
    return Waited(int(values[0]), *values[1:])


def main() -> None:
    parser = arguments(__doc__, seconds=3, rounds=3)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options: argparse.Namespace = parser.parse_args()
    processor = None if options.unpinned else share_one_processor()
    found: dict[str, list[Waited]] = {}
    books = {"open": ALLOW, "masked": MASKED}
    with start_server(SCHEMA.format(rows=options.rows)) as server, start_gate(server, books) as (_, (plain, masked)):
        straight = direct(server)
        cases = {
            "direct, alone": (straight, None),
            "direct, beside a fetch": (straight, straight),
            "gate, alone": (plain, None),
            "gate, beside a fetch": (plain, plain),
            "gate, beside a masked fetch": (plain, masked),
        }
        for _ in range(options.rounds):
            for name, (neighbour, bulk) in cases.items():
                found.setdefault(name, []).append(measure(neighbour, bulk, options.seconds))
    rows = [[name, *asdict(middle(samples)).values()] for name, samples in found.items()]
    note = "all processors" if processor is None else f"everything on processor {processor}"
    columns = ["case", "queries", "p50 us", "p99 us", "worst us", "fetch rows/s"]
    show("A neighbour's waits on the same worker (medians)", columns, rows, note)
    save(
        options.output, "fairness", options, {name: [asdict(one) for one in samples] for name, samples in found.items()}
    )


if __name__ == "__main__":
    main()
