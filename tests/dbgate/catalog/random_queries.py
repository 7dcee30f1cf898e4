"""Random SELECTs over a small schema, for holding the resolver against a real server.

Every stored value holds a canary that names its table and column, so that a result tells by itself where it is from.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

SCHEMA = """
CREATE TYPE addr AS (street text, zip text);
CREATE TABLE customers (id integer, name text, email text, home addr, tags text[]);
CREATE TABLE orders (id integer, customer_id integer, note text, email text);
CREATE TABLE animals (id integer, sound text);
CREATE TABLE dogs (breed text) INHERITS (animals);
CREATE TABLE events (id integer, what text) PARTITION BY RANGE (id);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100);
CREATE VIEW contacts AS SELECT c.id, c.email AS mail, upper(c.name) AS loud, c AS whole FROM customers c;
CREATE VIEW outer_view AS SELECT k.id, k.mail, o.note FROM contacts k LEFT JOIN orders o ON o.customer_id = k.id;
CREATE MATERIALIZED VIEW kept AS SELECT id, note || '/' || email AS both FROM orders;
CREATE FUNCTION same(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT t';
CREATE FUNCTION pair(t text, OUT a text, OUT b text) LANGUAGE sql IMMUTABLE AS 'SELECT t, t';
"""
ROWS = """
INSERT INTO customers SELECT i, 'Kcustomers.nameK', 'Kcustomers.emailK',
  ROW('Kcustomers.homeK', 'Kcustomers.homeK')::addr, ARRAY['Kcustomers.tagsK'] FROM generate_series(1, 3) i;
INSERT INTO orders SELECT i, i, 'Korders.noteK', 'Korders.emailK' FROM generate_series(1, 3) i;
INSERT INTO animals SELECT i, 'Kanimals.soundK' FROM generate_series(1, 2) i;
INSERT INTO dogs SELECT i, 'Kdogs.soundK', 'Kdogs.breedK' FROM generate_series(3, 4) i;
INSERT INTO events SELECT i, 'Kevents_1.whatK' FROM generate_series(1, 3) i;
REFRESH MATERIALIZED VIEW kept;
"""
#: what each relation's columns are: number, text, row, list
TABLES: dict[str, dict[str, str]] = {
    "customers": {"id": "number", "name": "text", "email": "text", "home": "row", "tags": "list"},
    "orders": {"id": "number", "customer_id": "number", "note": "text", "email": "text"},
    "animals": {"id": "number", "sound": "text"},
    "dogs": {"id": "number", "sound": "text", "breed": "text"},
    "events": {"id": "number", "what": "text"},
    "events_1": {"id": "number", "what": "text"},
    "contacts": {"id": "number", "mail": "text", "loud": "text", "whole": "row"},
    "outer_view": {"id": "number", "mail": "text", "note": "text"},
    "kept": {"id": "number", "both": "text"},
}


@dataclass
class Named:
    """A FROM entry: its alias and what its columns are."""

    alias: str
    columns: dict[str, str]


class Maker:
    """Writes one random query. `scope`: entries in sight, outer levels included."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.count = 0
        self.common: list[Named] = []

    def alias(self) -> str:
        self.count += 1
        return self.random.choice([f"t{self.count}", f"t{self.count}", f"note{self.count}"])

    def query(self, outer: list[Named], depth: int) -> tuple[str, dict[str, str]]:
        """A SELECT, perhaps with WITH or a set operation, and what its columns are."""
        if depth > 0 and self.random.random() < 0.15:
            return self.set_operation(outer, depth)
        if depth > 1 and self.random.random() < 0.25:
            return self.with_query(outer, depth)
        return self.select(outer, depth)

    def set_operation(self, outer: list[Named], depth: int) -> tuple[str, dict[str, str]]:
        word = self.random.choice(["UNION ALL", "UNION", "INTERSECT", "EXCEPT"])
        sides = []
        for _ in range(2):
            sql, columns = self.select(outer, depth - 1)
            texts = [f"x.{n}::text" for n in columns]
            sides.append(f"SELECT {texts[0]} AS a, {texts[-1]} AS b FROM ({sql}) AS x({', '.join(columns)})")
        return f"{sides[0]} {word} {sides[1]}", {"a": "text", "b": "text"}

    def with_query(self, outer: list[Named], depth: int) -> tuple[str, dict[str, str]]:
        sql, columns = self.query([], depth - 1)
        name = self.random.choice(["orders", "cte", "w"])
        before = self.common
        self.common = [*before, Named(name, columns)]
        body, found = self.select(outer, depth - 1)
        self.common = before
        return f"WITH {name}({', '.join(columns)}) AS ({sql}) {body}", found

    def select(self, outer: list[Named], depth: int) -> tuple[str, dict[str, str]]:
        source, entries = self.sources(outer, depth)
        sight = [*entries, *outer]
        columns: dict[str, str] = {}
        listed = []
        for _ in range(self.random.randint(1, 3)):
            expression, kind = self.expression(sight, depth)
            name = f"c{len(columns)}" if self.random.random() < 0.6 else self.random.choice(["note", "email", "name"])
            if name in columns:
                name = f"c{len(columns)}"
            columns[name] = kind
            listed.append(f"{expression} AS {name}")
        where = f" WHERE {self.condition(sight, depth)}" if self.random.random() < 0.3 else ""
        distinct = "DISTINCT " if self.random.random() < 0.1 and "row" not in columns.values() else ""
        order = f" ORDER BY {self.random.randint(1, len(columns))}" if self.random.random() < 0.2 else ""
        limit = " LIMIT 3" if self.random.random() < 0.2 else ""
        return f"SELECT {distinct}{', '.join(listed)} FROM {source}{where}{order}{limit}", columns

    def sources(self, outer: list[Named], depth: int) -> tuple[str, list[Named]]:
        text, entry = self.source(outer, depth)
        entries = [entry]
        if self.random.random() < 0.5:
            more, other = self.source([*entries, *outer], depth, lateral=True)
            shared = [c for c in entry.columns if c in other.columns and c != "whole"]
            form = self.random.random()
            if form < 0.3 and shared and not more.startswith("LATERAL"):
                return f"{text} FULL JOIN {more} USING ({self.random.choice(shared)})", [entry, other]
            if form < 0.6:
                return f"{text} LEFT JOIN {more} ON true", [entry, other]
            return f"{text}, {more}", [entry, other]
        return text, entries

    def source(self, outer: list[Named], depth: int, lateral: bool = False) -> tuple[str, Named]:
        alias = self.alias()
        chance = self.random.random()
        if chance < 0.15 and self.common:
            found = self.random.choice(self.common)
            return f"{found.alias} AS {alias}", Named(alias, found.columns)
        if chance < 0.4 and depth > 0:
            sql, columns = self.query(outer if lateral else [], depth - 1)
            renamed = {f"r{i}": kind for i, kind in enumerate(columns.values())} if chance < 0.3 else columns
            word = "LATERAL " if lateral else ""
            return f"{word}({sql}) AS {alias}({', '.join(renamed)})", Named(alias, renamed)
        table = self.random.choice(list(TABLES))
        if any(c.alias == table for c in self.common):
            table = f"public.{table}"
        only = "ONLY " if table == "animals" and self.random.random() < 0.3 else ""
        return f"{only}{table} AS {alias}", Named(alias, TABLES[table.removeprefix("public.")])

    def column(self, sight: list[Named], kind: str | None = None) -> tuple[str, str] | None:
        found = [(f"{e.alias}.{name}", k) for e in sight for name, k in e.columns.items() if kind is None or k == kind]
        return self.random.choice(found) if found else None

    def text(self, sight: list[Named]) -> str:
        found = self.column(sight)
        return f"{found[0]}::text" if found else "'none'"

    def expression(self, sight: list[Named], depth: int) -> tuple[str, str]:
        if self.random.random() < 0.5:
            found = self.column(sight)
            if found:
                return found
        return self.random.choice(_FORMS)(self, sight, depth)

    def condition(self, sight: list[Named], depth: int) -> str:
        return self.random.choice(
            [f"{self.text(sight)} IS NOT NULL", f"{self.text(sight)} LIKE '%K%' OR true", "EXISTS (SELECT 1)"]
        )


def _upper(m: Maker, sight: list[Named], depth: int) -> tuple[str, str]:
    return f"upper({m.text(sight)})", "text"


def _joined(m: Maker, sight: list[Named], depth: int) -> tuple[str, str]:
    return f"({m.text(sight)} || '-' || {m.text(sight)})", "text"


def _case(m: Maker, sight: list[Named], depth: int) -> tuple[str, str]:
    return f"CASE WHEN {m.text(sight)} > 'A' THEN {m.text(sight)} ELSE coalesce({m.text(sight)}, 'x') END", "text"


def _scalar(m: Maker, sight: list[Named], depth: int) -> tuple[str, str]:
    if depth < 1:
        return _upper(m, sight, depth)
    sql, columns = m.query(sight, depth - 1)
    first, kind = next(iter(columns.items()))
    return f"(SELECT q.{first} FROM ({sql}) AS q({', '.join(columns)}) LIMIT 1)", kind


def _array(m: Maker, sight: list[Named], depth: int) -> tuple[str, str]:
    if depth < 1:
        return f"ARRAY[{m.text(sight)}]", "list"
    sql, columns = m.query(sight, depth - 1)
    return f"ARRAY(SELECT q.{next(iter(columns))}::text FROM ({sql}) AS q({', '.join(columns)}))", "list"


def _whole(m: Maker, sight: list[Named], depth: int) -> tuple[str, str]:
    alias = m.random.choice(sight).alias
    return m.random.choice([(f"row_to_json({alias})::text", "text"), (f"{alias}::text", "text"), (alias, "row")])


def _field(m: Maker, sight: list[Named], depth: int) -> tuple[str, str]:
    entry = m.random.choice(sight)
    name, kind = m.random.choice(list(entry.columns.items()))
    return f"({entry.alias}).{name}", kind


def _aggregate(m: Maker, sight: list[Named], depth: int) -> tuple[str, str]:
    return f"(SELECT string_agg(z, ',') FROM (VALUES ({m.text(sight)}), ('plain')) AS v(z))", "text"


def _function(m: Maker, sight: list[Named], depth: int) -> tuple[str, str]:
    return m.random.choice(
        [
            (f"same({m.text(sight)})", "text"),
            (f"(pair({m.text(sight)})).b", "text"),
            (f"(SELECT p.a FROM pair({m.text(sight)}) p)", "text"),
            (f"(SELECT e.value FROM jsonb_each_text(jsonb_build_object('k', {m.text(sight)})) e)", "text"),
            (f"(SELECT u FROM unnest(ARRAY[{m.text(sight)}]) u)", "text"),
        ]
    )


_FORMS = [_upper, _joined, _case, _scalar, _array, _whole, _field, _aggregate, _function]
