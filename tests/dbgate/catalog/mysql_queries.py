"""Random queries for MySQL and MariaDB over a small schema, with the traps that these servers have: aliases that stand
for columns, NATURAL joins, implicit conversions, lateral tables, invisible columns, functions that fail."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

SCHEMA: Final = """
CREATE TABLE t (id int PRIMARY KEY, name varchar(20), secret varchar(40), pay int, day date, hid int INVISIBLE);
CREATE TABLE u (id int PRIMARY KEY, t_id int, label varchar(20), amount decimal(10,2));
CREATE VIEW v AS SELECT id, secret AS shown, upper(secret) AS loud, name FROM t WHERE id < 9;
CREATE VIEW w AS SELECT t.id, u.label, t.pay FROM t JOIN u ON u.t_id = t.id
"""

_COLUMNS: Final = {
    "t": ("id", "name", "secret", "pay", "day"),
    "u": ("id", "t_id", "label", "amount"),
    "v": ("id", "shown", "loud", "name"),
    "w": ("id", "label", "pay"),
}
_FUNCTIONS: Final = (
    "upper({0})", "concat({0}, {1})", "length({0})", "coalesce({0}, {1})", "ifnull({0}, 'x')", "nullif({0}, {1})",
    "{0} + {1}", "{0} - 40", "{0} * {1}", "{0} / {1}", "{0} % 7", "-{0}", "if({0} > {1}, {0}, 1)", "left({0}, 3)",
    "substring({0}, 2)", "md5({0})", "hex({0})", "exp({0})", "pow({0}, 90)", "cast({0} as signed)",
    "cast({0} as decimal(5,1))", "cast({0} as char(3))", "date({0})", "{0} = {1}", "{0} < {1}", "{0} LIKE 'k%'",
    "{0} IN ({1}, 'k1', 40)", "{0} IS NULL", "{0} BETWEEN 1 AND {1}", "CASE WHEN {0} = {1} THEN {0} ELSE {1} END",
    "CASE {0} WHEN {1} THEN 1 ELSE 0 END", "json_extract({0}, '$.a')", "extractvalue({0}, '/a')", "{0} REGEXP '^k'",
    "abs({0})", "round({0}, 1)", "greatest({0}, {1})", "lpad({0}, 9, '*')", "repeat({0}, 2)", "elt({0}, 'a', 'b')",
    "field({0}, {1}, 'q')",
    "str_to_date({0}, '%Y')", "{0} DIV 3", "{0} ^ {1}", "~{0}", "{0} << 40", "conv({0}, 36, 10)",
    "bin({0})", "year({0})", "{0} <=> {1}", "strcmp({0}, {1})", "interval({0}, 10, 50)", "crc32({0})", "{0} XOR {1}",
    "ln({0})", "sqrt({0})", "inet_aton({0})", "unhex({0})", "from_base64({0})", "period_add({0}, 1)",
    "9223372036854775800 + {0}", "1e308 * {0}", "json_valid({0})", "timestampdiff(DAY, {0}, '2024-01-01')",
)  # fmt: skip
_AGGREGATES: Final = (
    "count(*)", "count({0})", "count(DISTINCT {0})", "min({0})", "max({0})", "sum({0})", "avg({0})",
    "group_concat({0} ORDER BY {1})", "bit_or({0})", "std({0})",
)  # fmt: skip
_CONSTANTS: Final = ("1", "'k1'", "40", "NULL", "0", "'a'", "2.5")


class Maker:
    """One query for each seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names = 0

    def query(self, depth: int = 0, width: int = 0, outer: Sequence[str] = ()) -> str:
        pick = self.random.random()
        if not depth and pick < 0.1:
            one, other = self.query(1, 2), self.query(1, 2)
            return f"{one} {self.random.choice(('UNION', 'UNION ALL', 'EXCEPT'))} {other}"
        if not depth and pick < 0.2:
            body = self.query(1, 2)
            return f"WITH q(a, b) AS ({body}) SELECT {self.some(['a', 'b', 'upper(a)', 'b + 1'])}, 1 FROM q"
        return self.select(depth, width, outer)

    def some(self, options: Sequence[str]) -> str:
        return self.random.choice(options)

    def select(self, depth: int, width: int, outer: Sequence[str]) -> str:
        sources, columns = self.sources(depth)
        columns = [*columns, *self.random.sample(list(outer), min(1, len(outer)))]
        grouped = self.random.random() < 0.15
        listed, aliases = self.listed(columns, depth, width, grouped)
        text = f"SELECT {'DISTINCT ' if self.random.random() < 0.08 else ''}{listed} FROM {sources}"
        if self.random.random() < 0.4:
            text += f" WHERE {self.condition(columns, depth)}"
        names = [*columns, *aliases] if aliases else columns
        if grouped and self.random.random() < 0.5:
            text += f" GROUP BY {self.some(names)}"
        if self.random.random() < 0.1:
            text += f" HAVING {self.expression(names, depth + 1)} = {self.some(_CONSTANTS)}"
        if not depth and self.random.random() < 0.3:
            text += f" ORDER BY {self.some([*names, '1', self.expression(names, 2)])}"
        return text

    def listed(self, columns: Sequence[str], depth: int, width: int, grouped: bool) -> tuple[str, list[str]]:
        if not width and not grouped and self.random.random() < 0.1:
            return "*", []
        outputs, aliases = [], []
        for _ in range(width or self.random.randint(1, 3)):
            made = self.aggregate(columns) if grouped else self.expression(columns, depth)
            if self.random.random() < 0.4:
                alias = self.some(["id", "name", "x", "y", "label"])
                aliases.append(alias)
                made += f" AS {alias}"
            outputs.append(made)
        return ", ".join(outputs), aliases

    def aggregate(self, columns: Sequence[str]) -> str:
        return self.some(_AGGREGATES).format(self.some(columns), self.some(columns))

    def expression(self, columns: Sequence[str], depth: int) -> str:
        pick = self.random.random()
        if pick < 0.45 or depth > 2:
            return self.some(columns)
        if pick < 0.85:
            inner = [self.expression(columns, depth + 1), self.some([*columns, *_CONSTANTS])]
            return self.some(_FUNCTIONS).format(*inner)
        if pick < 0.93:
            return f"({self.query(depth + 2, 1, columns)} LIMIT 1)"
        return f"rank() OVER (ORDER BY {self.some(columns)})"

    def condition(self, columns: Sequence[str], depth: int) -> str:
        pick = self.random.random()
        left = self.expression(columns, depth + 1)
        if pick < 0.6:
            return f"{left} {self.some(['=', '<', '<>', 'LIKE', '<=>'])} {self.some([*columns, *_CONSTANTS])}"
        if pick < 0.8:
            return f"{left} IN ({self.query(depth + 2, 1, columns)})"
        return f"EXISTS ({self.query(depth + 2, 1, columns)})"

    # ------------------------------------------------------------ FROM

    def sources(self, depth: int) -> tuple[str, list[str]]:
        one, first = self.source(depth)
        if self.random.random() < 0.6:
            return one, first
        other, second = self.source(depth)
        pick = self.random.random()
        if pick < 0.2:
            return f"{one} NATURAL {self.some(['', 'LEFT ', 'RIGHT '])}JOIN {other}", ["id", *first, *second]
        if pick < 0.4:
            return f"{one} {self.some(['', 'LEFT ', 'RIGHT '])}JOIN {other} USING (id)", ["id", *first, *second]
        if pick < 0.6:
            return f"{one}, {other}", [*first, *second]
        condition = f"{self.some(first)} = {self.some(second)}"
        return f"{one} {self.some(['', 'LEFT '])}JOIN {other} ON {condition}", [*first, *second]

    def source(self, depth: int) -> tuple[str, list[str]]:
        self.names += 1
        alias = f"a{self.names}"
        if depth < 2 and self.random.random() < 0.2:
            return f"({self.query(depth + 1, 2)}) {alias}(id, p)", [f"{alias}.id", f"{alias}.p"]
        table = self.some(["t", "t", "u", "v", "w"])
        columns = [f"{alias}.{c}" for c in _COLUMNS[table]] + ([f"{alias}.hid"] if table == "t" else [])
        return f"{table} {alias}", columns if self.random.random() < 0.7 else [c.partition(".")[2] for c in columns]
