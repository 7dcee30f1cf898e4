"""Names and name patterns as rules write them.

An identifier is folded as PostgreSQL folds it: unquoted letters A-Z become lower case, `"Quoted"` is kept. Parts are
separated by dots. The only glob is `*`, it stays within one part, and inside double quotes it is a plain star.

What an unqualified name means depends on the direction, always the stricter one:

* an **allow** speaks of the schema `public` (`orders` is `public.orders`);
* a **deny** or a **mask** speaks of that name in every schema.

`*` alone is every table of every schema. A globbed or left-out schema never reaches into the system schemas, except
that a deny or a mask of an exact unqualified name (`pg_stat_activity`) does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from rules.facts import ColumnId, FunctionUse, TableId

NAME_BYTES: Final = 63  # NAMEDATALEN - 1: the server truncates longer identifiers
MOST_STARS: Final = 8  # in one part; keeps a match linear enough for any name

_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
_PART = re.compile(r'"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>[A-Za-z0-9_$*\u0080-\U0010ffff]+)')


class BadPatternError(ValueError):
    """A pattern that cannot be read; `mend` says what to write instead."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(what)
        self.mend = mend


def is_system_schema(schema: str) -> bool:
    """pg_catalog, information_schema and the TOAST schemas: never reached by a glob."""
    return schema in ("pg_catalog", "information_schema") or schema.startswith("pg_toast")


System: TypeAlias = Callable[[str], bool]
"""Whether a schema is the database system's own."""
POSTGRES_SYSTEM: Final[System] = is_system_schema


@dataclass(frozen=True, slots=True)
class Part:
    """One identifier or glob. `shape` is None for an exact name."""

    text: str
    shape: re.Pattern[str] | None = field(default=None, compare=False)

    def matches(self, name: str) -> bool:
        return name == self.text if self.shape is None else self.shape.fullmatch(name) is not None

    @property
    def everything(self) -> bool:
        return self.shape is not None and not self.text.strip("*")


PUBLIC: Final = Part("public")


def read_parts(text: str, fold: bool = True) -> tuple[Part, ...]:
    """`"Hr".pe*.x` -> its parts, folded unless told otherwise. Raises BadPatternError."""
    parts: list[Part] = []
    position = 0
    while True:
        found = _PART.match(text, position)
        if found is None:
            raise BadPatternError(
                f'"{text}" is not a name or a pattern', 'write parts joined by dots; quote odd ones: "my table"'
            )
        parts.append(_part(found, fold))
        position = found.end()
        if position == len(text):
            return tuple(parts)
        if text[position] != ".":
            raise BadPatternError(f'"{text}" is not a name or a pattern', "separate the parts by dots")
        position += 1


def _part(found: re.Match[str], fold: bool) -> Part:
    quoted = found["quoted"]
    plain = found["plain"] or ""
    name = quoted.replace('""', '"') if quoted is not None else plain.translate(_ASCII_LOWER) if fold else plain
    if len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES:
        raise BadPatternError(
            f'"{name[:20]}..." is longer than {NAME_BYTES} bytes', "the server cuts names there: shorten it"
        )
    if quoted is not None or "*" not in name:
        return Part(name)
    if name.count("*") > MOST_STARS:
        raise BadPatternError(f'"{name}" has more than {MOST_STARS} stars', "use fewer")
    return Part(name, re.compile(".*".join(map(re.escape, re.split(r"\*+", name))), re.DOTALL))


@dataclass(frozen=True, slots=True)
class NamePattern:
    """A table or function pattern. `schema` None: any schema. `is_system`: of the database that it is read for."""

    text: str
    schema: Part | None
    name: Part
    is_system: System = field(default=is_system_schema, compare=False, repr=False)

    def matches(self, schema: str, name: str) -> bool:
        return self.name.matches(name) and self._reaches(schema)

    def matches_table(self, table: TableId) -> bool:
        return self.matches(table[0], table[1])

    def matches_function(self, function: FunctionUse) -> bool:
        return self.matches(function.schema, function.name.removeprefix(f"{function.schema}."))

    def _reaches(self, schema: str) -> bool:
        if not self.is_system(schema):
            return self.schema is None or self.schema.matches(schema)
        if self.schema is None:
            return self.name.shape is None
        return self.schema.shape is None and self.schema.matches(schema)

    @property
    def exact(self) -> bool:
        """No glob anywhere (a left-out schema is no glob)."""
        return self.name.shape is None and (self.schema is None or self.schema.shape is None)

    @property
    def everything(self) -> bool:
        """`*`, or `*.*`: whatever is no system relation."""
        return self.name.everything and (self.schema is None or self.schema.everything)


@dataclass(frozen=True, slots=True)
class ColumnPattern:
    table: NamePattern
    column: Part
    text: str

    def matches(self, column: ColumnId) -> bool:
        return self.column.matches(column.column) and self.table.matches(column.schema, column.table)

    @property
    def exact(self) -> bool:
        return self.table.exact and self.column.shape is None


def read_name(text: str, *, allows: bool) -> NamePattern:
    """A table or function pattern; `allows`: an unqualified name means the schema public. Raises BadPatternError."""
    parts = read_parts(text)
    if len(parts) > 2:
        raise BadPatternError(f'"{text}" has {len(parts)} parts', "write name or schema.name")
    if len(parts) == 2:
        return NamePattern(text, parts[0], parts[1])
    return NamePattern(text, PUBLIC if allows and not parts[0].everything else None, parts[0])


def read_column(text: str) -> ColumnPattern:
    """`table.column` (the table in any schema) or `schema.table.column`. Raises BadPatternError."""
    parts = read_parts(text)
    if len(parts) == 1:
        raise BadPatternError(f'"{text}" names no table', f'write table.{text} or "*.{text}" for every table')
    if len(parts) > 3:
        raise BadPatternError(f'"{text}" has {len(parts)} parts', "write table.column or schema.table.column")
    table = NamePattern(text.rpartition(".")[0], parts[0] if len(parts) == 3 else None, parts[-2])
    return ColumnPattern(table, parts[-1], text)
