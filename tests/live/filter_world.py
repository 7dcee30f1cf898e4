"""Two databases that differ only in the rows which a role's filters hide, and random statements over them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

SCHEMA = """
CREATE TABLE customers (id integer PRIMARY KEY, name text, country varchar(2), owner text, x integer, tags text[]);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, total numeric(8,2), note text, x integer);
CREATE TABLE products (id integer PRIMARY KEY, name text, x integer);
CREATE TABLE animals (id integer, name text, x integer);
CREATE TABLE dogs (breed text) INHERITS (animals);
CREATE TABLE events (id integer, name text, x integer) PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (6);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (6) TO (100);
CREATE TABLE empty_log (id integer, name text, x integer);
CREATE VIEW contacts AS SELECT c.id, c.name, c.x FROM customers c WHERE c.x <> 3;
CREATE VIEW over_view AS SELECT k.id, o.note AS name, o.x FROM contacts k LEFT JOIN orders o ON o.customer_id = k.id;
CREATE VIEW counted AS SELECT min(id) AS id, country AS name, count(*)::integer AS x FROM customers GROUP BY country;
CREATE VIEW all_names AS
  SELECT id, name, x FROM customers UNION ALL SELECT id, note, x FROM orders UNION SELECT id, name, x FROM products;
CREATE VIEW ratios AS SELECT id, name, 12 / (x - 5) AS x FROM customers;
CREATE INDEX ON customers (x);
CREATE INDEX ON orders (customer_id);
CREATE FUNCTION plus(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS
  $$BEGIN IF $1 = 5 THEN RAISE EXCEPTION 'canary %', $1; END IF; RETURN $1 + 1; END$$;
"""
ROWS = """
INSERT INTO customers SELECT i, CASE WHEN i % 3 = 0 THEN 'hidden' ELSE 'n' || i END,
  CASE WHEN i % 3 = 1 THEN 'US' WHEN i % 3 = 2 THEN 'CA' WHEN i = 6 THEN NULL ELSE 'DE' END,
  CASE WHEN i % 3 = 2 THEN 'agent' WHEN i = 3 THEN NULL ELSE 'boss' END,
  CASE WHEN i % 3 = 0 THEN 5 ELSE i END, ARRAY['t' || i] FROM generate_series(1, 12) i WHERE i <> 5;
INSERT INTO orders SELECT i, i % 13, i * 10, CASE WHEN i > 9 THEN 'hidden' ELSE 'o' || i END,
  CASE WHEN i > 9 THEN 5 ELSE i END FROM generate_series(1, 16) i WHERE i <> 5;
INSERT INTO products SELECT i, 'p' || i, i FROM generate_series(1, 7) i WHERE i <> 5;
INSERT INTO animals SELECT i, CASE WHEN i = 2 THEN 'hidden' ELSE 'a' || i END, CASE WHEN i = 2 THEN 5 ELSE i END
  FROM generate_series(1, 4) i;
INSERT INTO dogs SELECT i, CASE WHEN i = 8 THEN 'hidden' ELSE 'd' || i END, CASE WHEN i = 8 THEN 5 ELSE i END, 'b'
  FROM generate_series(7, 9) i;
INSERT INTO events SELECT i, CASE WHEN i % 4 = 1 THEN 'hidden' ELSE 'e' || i END, CASE WHEN i % 4 = 1 THEN 5 ELSE i END
  FROM generate_series(1, 12) i WHERE i <> 7;
ANALYZE;
"""
#: hidden rows have the name or note `hidden`, and five as x, which no visible row has
HIDE = """
DELETE FROM customers WHERE (country = 'US' OR owner = 'agent') IS NOT true;
DELETE FROM orders WHERE (total < 100) IS NOT true;
DELETE FROM animals WHERE (name <> 'hidden') IS NOT true;
DELETE FROM events WHERE (name NOT IN ('hidden', 'other') AND id > 0) IS NOT true;
ANALYZE;
"""
RULES = """
version: 1
rules:
  - {id: all, allow: {statements: ["*"], functions: [plus]}}
  - {id: ours, filter: {table: customers, where: "country = 'US' OR owner = 'agent'"}}
  - {id: small, filter: {table: orders, where: "total < 100"}}
  - {id: known, filter: {tables: [animals], where: "name <> 'hidden'"}}
  - {id: open, filter: {tables: [events], where: "name NOT IN ('hidden', 'other')"}}
  - {id: open-too, filter: {tables: [events], where: "id > 0"}}
"""
COMMON = ("id", "name", "x")
TABLES: dict[str, tuple[str, ...]] = {
    "customers": ("id", "name", "country", "owner", "x"),
    "orders": ("id", "customer_id", "note", "x"),
    **dict.fromkeys(("products", "animals", "dogs", "events", "events_1", "contacts", "over_view"), COMMON),
    **dict.fromkeys(("counted", "all_names", "ratios"), COMMON),
}
NUMBERS = frozenset({"id", "x", "customer_id"})
#: expressions that fail for a hidden row's x or name, and for no visible one
TRAPS = (
    "1 / ({n} - 5) < 9",
    "plus({n}) > 0",
    "CASE WHEN {n} = 5 THEN ('a' || {n})::integer END IS NULL",
    "(CASE {n} WHEN 5 THEN 'x' ELSE '1' END)::integer = 1",
    "12 / ({n} - 5) <> 77",
    "(SELECT v FROM (VALUES (1), (2)) AS list(v) WHERE {n} = 5 OR v = 1) = 1",
    "CASE WHEN {n} = 5 THEN 'a' ~ ('(' || {n}) ELSE true END",
)


@dataclass
class Sight:
    """A FROM entry: its alias and columns."""

    alias: str
    columns: tuple[str, ...]


@dataclass
class Maker:
    """Writes random statements. `trap`: with expressions that fail on hidden rows."""

    seed: int
    trap: bool = False
    count: int = 0
    common: list[Sight] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def alias(self) -> str:
        self.count += 1
        return f"t{self.count}"

    # ------------------------------------------------------------ queries

    def query(self, outer: list[Sight], depth: int) -> tuple[str, int]:
        """A query and how many columns it has; every one is text."""
        form = self.random.random()
        if depth and form < 0.12:
            word = self.random.choice(["UNION ALL", "UNION", "INTERSECT", "EXCEPT"])
            return f"{self.select(outer, depth - 1, 2)[0]} {word} {self.select(outer, depth - 1, 2)[0]}", 2
        if depth and form < 0.22:
            return self.with_query(outer, depth)
        return self.grouped(outer, depth) if form < 0.37 else self.select(outer, depth)

    def with_query(self, outer: list[Sight], depth: int) -> tuple[str, int]:
        text, width = self.query([], depth - 1)
        name = self.random.choice(["customers", "orders", "w1", "w2"])
        columns = tuple(f"c{n}" for n in range(width))
        before = self.common
        self.common = [*(c for c in before if c.alias != name), Sight(name, columns)]
        body, found = self.select(outer, depth - 1)
        self.common = before
        return f"WITH {name}({', '.join(columns)}) AS {self.random.choice(['', 'MATERIALIZED '])}({text}) {body}", found

    def select(self, outer: list[Sight], depth: int, width: int = 0) -> tuple[str, int]:
        source, entries = self.sources(outer, depth)
        sight = [*entries, *outer]
        listed = [f"({self.value(sight, depth)})::text" for _ in range(width or self.random.randint(1, 3))]
        where = f" WHERE {self.condition(sight, depth)}" if self.chance(0.6) else ""
        distinct = "DISTINCT " if self.chance(0.15) else ""
        lock = f" FOR UPDATE OF {entries[0].alias}" if self.chance(0.04) and depth == 3 and not distinct else ""
        return f"SELECT {distinct}{', '.join(listed)} FROM {source}{where}{lock}", len(listed)

    def grouped(self, outer: list[Sight], depth: int) -> tuple[str, int]:
        source, entries = self.sources(outer, depth)
        key = self.column(entries)
        where = f" WHERE {self.condition([*entries, *outer], depth)}" if self.chance(0.5) else ""
        having = " HAVING count(*) > 1" if self.chance(0.3) else ""
        made = f"SELECT {key}::text, count(*)::text, max({self.column(entries)}::text) FROM {source}"
        return f"{made}{where} GROUP BY {key}{having}", 3

    # ------------------------------------------------------------ FROM

    def sources(self, outer: list[Sight], depth: int) -> tuple[str, list[Sight]]:
        text, entries = self.source(outer, depth)
        for _ in range(self.random.choice([0, 0, 1, 1, 2])):
            text, entries = self.joined(text, entries, outer, depth)
        return text, entries

    def joined(self, text: str, entries: list[Sight], outer: list[Sight], depth: int) -> tuple[str, list[Sight]]:
        lateral = self.chance(0.15) and depth > 0
        more, others = self.source([*entries, *outer] if lateral else outer, depth, lateral)
        both = [*entries, *others]
        form = self.random.choice(["comma", "CROSS", "JOIN", "LEFT", "LEFT", "RIGHT", "FULL", "USING", "nested"])
        if lateral and form in ("RIGHT", "FULL", "USING", "nested"):
            form = "LEFT"
        if form == "comma":
            return f"{text}, {more}", both
        if form == "CROSS":
            return f"{text} CROSS JOIN {more}", both
        if form == "USING" and len(entries) == 1 and "id" in entries[0].columns and "id" in others[0].columns:
            word = self.random.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"])
            return f"{text} {word} {more} USING (id)", both
        if form == "nested":
            third, last = self.source(outer, depth)
            inside = self.random.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN"])
            inner = f"({more} {inside} {third} ON {self.link(others, last)})"
            word = self.random.choice(["JOIN", "LEFT JOIN", "RIGHT JOIN"])
            return f"{text} {word} {inner} ON {self.link(entries, others)}", [*both, *last]
        word = "JOIN" if form in ("JOIN", "USING") else f"{form} JOIN"
        on = self.link(entries, others)
        if form != "FULL" and self.chance(0.4):
            on += f" {self.random.choice(['AND', 'OR'])} {self.condition(both, 0)}"
        return f"{text} {word} {more} ON {on}", both

    def link(self, left: list[Sight], right: list[Sight]) -> str:
        return f"{self.column(left)}::text = {self.column(right)}::text"

    def source(self, outer: list[Sight], depth: int, lateral: bool = False) -> tuple[str, list[Sight]]:
        alias = self.alias()
        if self.common and self.chance(0.3) and not lateral:
            found = self.random.choice(self.common)
            return f"{found.alias} {alias}", [Sight(alias, found.columns)]
        if depth and (lateral or self.chance(0.2)):
            text, width = self.query(outer if lateral else [], depth - 1)
            columns = tuple(f"c{n}" for n in range(width))
            return f"{'LATERAL ' if lateral else ''}({text}) AS {alias}({', '.join(columns)})", [Sight(alias, columns)]
        table = self.random.choice(list(TABLES))
        columns = TABLES[table]
        if any(c.alias == table for c in self.common) or self.chance(0.2):
            table = f"public.{table}"
        only = "ONLY " if table == "animals" and self.chance(0.3) else ""
        if self.chance(0.1):
            renamed = (f"r{self.count}", *columns[1:])
            return f"{only}{table} AS {alias}({renamed[0]})", [Sight(alias, renamed)]
        return f"{only}{table} {self.random.choice(['', 'AS '])}{alias}", [Sight(alias, columns)]

    # ------------------------------------------------------------ expressions

    def column(self, sight: list[Sight], numbers: bool = False) -> str:
        found = [f"{s.alias}.{c}" for s in sight for c in s.columns if not numbers or c in NUMBERS]
        return self.random.choice(found) if found else "7"

    def value(self, sight: list[Sight], depth: int) -> str:
        form = self.random.random()
        if form < 0.45:
            return self.column(sight)
        if form < 0.55:
            return f"upper({self.column(sight)}::text)"
        if form < 0.63:
            return f"CASE WHEN {self.condition(sight, 0)} THEN {self.column(sight)}::text ELSE 'no' END"
        if form < 0.7:
            return self.random.choice(sight).alias
        if form < 0.8 or depth == 0:
            return f"coalesce({self.column(sight)}::text, 'none')"
        text, _ = self.select(sight, depth - 1, 1)
        return f"SELECT count(*) FROM ({text}) AS q" if form < 0.9 else f"SELECT max(q.a) FROM ({text}) AS q(a)"

    def condition(self, sight: list[Sight], depth: int) -> str:
        made = self.simple(sight, depth)
        if self.trap and self.chance(0.6):
            entries = [s for s in sight if "x" in s.columns]
            if entries:
                trap = self.random.choice(TRAPS).format(n=f"{self.random.choice(entries).alias}.x")
                made = self.random.choice([f"{made} AND {trap}", f"{trap} AND {made}", trap])
        return made

    def simple(self, sight: list[Sight], depth: int) -> str:
        number, column = self.column(sight, numbers=True), self.column(sight)
        forms = [
            f"{number} > {self.random.randint(0, 6)}",
            f"{column}::text LIKE '%{self.random.choice('123nope')}%'",
            f"{column} IS NOT NULL",
            f"({number} = 2 OR {number} < 8)",
            f"NOT ({number} IN (1, 3))",
            "true /* ) WHERE ( */",
            f"{column}::text <> '--'",
        ]
        if depth:
            text, _ = self.select([] if self.chance(0.5) else sight, depth - 1, 1)
            forms += [f"EXISTS ({text})", f"{column}::text IN ({text})", f"{column}::text NOT IN ({text})"]
        return self.random.choice(forms)

    # ------------------------------------------------------------ writes

    def write(self) -> str:
        table = self.random.choice(["customers", "orders", "animals", "events", "events_2", "products"])
        name = "note" if table == "orders" else "name"
        entries = [Sight("w", TABLES.get(table, COMMON))]
        form = self.random.choice([self.update, self.delete, self.insert_select, self.merge])
        return form(table, name, entries)

    def update(self, table: str, name: str, entries: list[Sight]) -> str:
        source, others = self.sources([], 1) if self.chance(0.4) else ("", [])
        sight = [*entries, *others]
        column = "x" if table in ("animals", "events", "events_2") else name
        value = "77" if column == "x" else "'new'"
        where = f" WHERE {self.condition(sight, 1)}" if others or self.chance(0.8) else ""
        returning = f" RETURNING {self.column(entries)}::text" if self.chance(0.7) else ""
        return f"UPDATE {table} AS w SET {column} = {value}{f' FROM {source}' if source else ''}{where}{returning}"

    def delete(self, table: str, name: str, entries: list[Sight]) -> str:
        source, others = self.sources([], 1) if self.chance(0.4) else ("", [])
        where = f" WHERE {self.condition([*entries, *others], 1)}" if others or self.chance(0.8) else ""
        returning = f" RETURNING {self.column(entries)}::text" if self.chance(0.7) else ""
        made = f"DELETE FROM {table} AS w{f' USING {source}' if source else ''}{where}{returning}"
        return f"WITH d AS ({made or ''}) SELECT count(*)::text FROM d" if returning and self.chance(0.3) else made

    def insert_select(self, table: str, name: str, entries: list[Sight]) -> str:
        text, width = self.query([], 2)
        return f"INSERT INTO empty_log (name) SELECT q.a FROM ({text}) AS q({', '.join('abc'[:width])}) RETURNING name"

    def merge(self, table: str, name: str, entries: list[Sight]) -> str:
        other = self.random.choice(["customers", "products", "contacts", "orders"])
        action = self.random.choice(["DELETE", f"UPDATE SET {'x' if table != 'orders' else 'note'} = DEFAULT"])
        on = f"w.id = s.id AND {self.condition([*entries, Sight('s', TABLES[other])], 0)}"
        return f"MERGE INTO {table} AS w USING {other} AS s ON {on} WHEN MATCHED THEN {action}"
