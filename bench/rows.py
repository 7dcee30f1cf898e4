"""Large results: a million rows read directly, through the gate, and with two of six columns masked.

`python -m bench.rows`. The client throws the rows away as fast as they come.
"""

from __future__ import annotations

from dataclasses import asdict

from bench.harness import (
    Drained,
    Variant,
    arguments,
    direct,
    drain,
    median,
    save,
    share_one_processor,
    show,
    start_gate,
    start_pgbouncer,
    start_server,
)
from bench.pgbench import ALLOW

SCHEMA = """
CREATE TABLE people (id int, name text, email text, ssn text, amount numeric, created timestamp);
INSERT INTO people SELECT n, 'Person number ' || n, 'person.' || n || '@mail.example.com',
    lpad((n::bigint * 7919 % 1000000000)::text, 9, '0'), (n % 100000) / 100.0,
    timestamp '2024-01-01' + n * interval '1 second'
    FROM generate_series(1, {rows}) n;
"""
MASKED = """version: 1
rules:
  - id: reads
    allow: {statements: [select], tables: [people]}
  - id: email
    mask: {columns: [people.email], with: {keep_last: 4}}
  - id: ssn
    mask: {columns: [people.ssn], with: redact}
"""
QUERY = "SELECT id, name, email, ssn, amount, created FROM people"


def measure(variants: list[Variant], rounds: int) -> dict[str, list[Drained]]:
    """A warm-up each, then interleaved rounds."""
    for variant in variants:
        drain(variant, QUERY + " LIMIT 1000")
    found: dict[str, list[Drained]] = {variant.name: [] for variant in variants}
    for _ in range(rounds):
        for variant in variants:
            found[variant.name].append(drain(variant, QUERY))
    return found


def rows_of(found: dict[str, list[Drained]]) -> list[list[object]]:
    rates = {name: median([d.rows / d.seconds for d in samples]) for name, samples in found.items()}
    base = next(iter(rates.values()))
    return [
        [
            name,
            rates[name],
            median([d.size / d.seconds / 1e6 for d in samples]),
            rates[name] / base,
            median([d.cpu / d.rows * 1e9 for d in samples]),
            max(d.peak for d in samples) / (1 << 20),
        ]
        for name, samples in found.items()
    ]


def main() -> None:
    parser = arguments(__doc__, seconds=0, rounds=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
    processor = share_one_processor() if not options.unpinned else None
    with start_server(SCHEMA.format(rows=options.rows)) as server, start_pgbouncer(server) as bouncer:
        books = {"gate": ALLOW, "gate-masked": MASKED}
        with start_gate(server, books) as (_, gates):
            found = measure([direct(server), *([bouncer] if bouncer else []), *gates], options.rounds)
    note = "all processors" if processor is None else f"everything on processor {processor}"
    columns = ["variant", "rows/s", "MB/s", "of direct", "CPU ns/row", "peak RSS MiB"]
    show(f"{options.rows:,} rows of six columns, text (medians)", columns, rows_of(found), note)
    save(options.output, "rows", options, {name: [asdict(d) for d in samples] for name, samples in found.items()})


if __name__ == "__main__":
    main()
