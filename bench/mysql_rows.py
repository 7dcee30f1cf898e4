"""Large results: a million rows read directly, through the gate, and with two of six columns masked, from MySQL or
MariaDB, as text and as a prepared statement's binary rows.

`python -m bench.mysql_rows`. The client throws the rows away as fast as they come.
"""

from __future__ import annotations

from dataclasses import asdict

from bench.harness import Drained, Variant, arguments, save, share_one_processor, show
from bench.mysql import direct, drain, start_gate, start_server
from bench.pgbench import ALLOW
from bench.rows import MASKED, QUERY, rows_of
from tests.live.mysql_servers import Brand

SCHEMA = """
CREATE TABLE people (id int, name text, email text, ssn text, amount decimal(12, 2), created datetime);
SET {limit} = 4294967295;
INSERT INTO people WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
    SELECT n, concat('Person number ', n), concat('person.', n, '@mail.example.com'),
    lpad(n * 7919 % 1000000000, 9, '0'), (n % 100000) / 100, '2024-01-01' + INTERVAL n SECOND FROM numbers;
"""
#: how each brand is told that the recursion is deep
LIMITS = {Brand.MYSQL: "cte_max_recursion_depth", Brand.MARIADB: "max_recursive_iterations"}


def measure(variants: list[Variant], rounds: int, rows: int, binary: bool) -> dict[str, list[Drained]]:
    """A warm-up each, then interleaved rounds."""
    for variant in variants:
        drain(variant, QUERY + " LIMIT 1000", 1000, binary)
    found: dict[str, list[Drained]] = {variant.name: [] for variant in variants}
    for _ in range(rounds):
        for variant in variants:
            found[variant.name].append(drain(variant, QUERY, rows, binary))
    return found


def main() -> None:
    parser = arguments(__doc__, seconds=0, rounds=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--brand", choices=[brand.value for brand in Brand], default="mysql")
    options = parser.parse_args()
    processor = share_one_processor() if not options.unpinned else None
    brand = Brand(options.brand)
    found = {}
    script = SCHEMA.format(rows=options.rows, limit=LIMITS[brand])
    with start_server(brand, script) as server, start_gate(server, {"gate": ALLOW, "gate-masked": MASKED}) as gates:
        variants = [direct(server), *gates]
        for form in ("text", "binary"):
            found[form] = measure(variants, options.rounds, options.rows, form == "binary")
    note = "all processors" if processor is None else f"everything on processor {processor}"
    columns = ["variant", "rows/s", "MB/s", "of direct", "CPU ns/row", "peak RSS MiB"]
    for form, samples in found.items():
        show(f"{brand.value}: {options.rows:,} rows of six columns, {form} (medians)", columns, rows_of(samples), note)
    told = {form: {name: [asdict(d) for d in each] for name, each in one.items()} for form, one in found.items()}
    save(options.output, "mysql_rows", options, told)


if __name__ == "__main__":
    main()
