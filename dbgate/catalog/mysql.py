"""Reads a live MySQL (8.0 and later) or MariaDB (10.6 and later) into a Catalog, whose schemas are the databases.

Everything comes from information_schema, which shows a user what it has any right on: the gate's login needs SELECT
and SHOW VIEW on the databases it serves (a view whose text it may not see is refused to everybody), and TRIGGER to know
which tables run code when they are written. Temporary tables are not listed there: they are unknown to the gate.

The server is asked for a fingerprint first, which is the catalog's version: most readings end there. Structure has no
transactions here, so what is read lies between two fingerprints, and is read again when they differ.

MySQL manual, chapter "INFORMATION_SCHEMA Tables".
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from typing import Final, TypeAlias

from rules.catalog import Catalog, Column, Function, Relation

Row: TypeAlias = tuple[str | None, ...]
Query: TypeAlias = Callable[[str], Awaitable[list[Row]]]
"""Runs one SQL text (COM_QUERY) and returns its rows as texts, in utf8mb4."""

#: so that the server prints views with the quotes and operators that the gate reads
SETTINGS: Final = "SET SESSION sql_mode = ''"

_SYSTEM: Final = "('information_schema', 'mysql', 'ndbinfo', 'performance_schema', 'sys')"

#: name -> (the columns, the rest of the query); `build` takes the rows of each under the same name
_PARTS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "server": (("VERSION()", "@@lower_case_table_names", "DATABASE()"), ""),
    "databases": (("schema_name",), "FROM information_schema.schemata"),
    "relations": (("table_schema", "table_name", "table_type", "engine"), "FROM information_schema.tables"),
    "columns": (
        (
            "table_schema", "table_name", "ordinal_position", "column_name", "data_type",
            "column_type LIKE '% unsigned%'", "extra", "generation_expression", "numeric_precision", "numeric_scale",
        ),
        "FROM information_schema.columns",
    ),
    "views": (
        ("table_schema", "table_name", "view_definition"),
        f"FROM information_schema.views WHERE table_schema NOT IN {_SYSTEM}",
    ),
    "routines": (
        ("routine_schema", "routine_name", "routine_type"),
        f"FROM information_schema.routines WHERE routine_schema NOT IN {_SYSTEM}",
    ),
    "triggers": (
        ("event_object_schema", "event_object_table", "trigger_name"),
        f"FROM information_schema.triggers WHERE event_object_schema NOT IN {_SYSTEM}",
    ),
}  # fmt: skip

QUERIES: Final[dict[str, str]] = {name: f"SELECT {', '.join(c)} {rest}".strip() for name, (c, rest) in _PARTS.items()}


def _digest(name: str, columns: tuple[str, ...], rest: str) -> str:
    """One row: how many rows the query has, and 128 bits of their digests, whatever their order. No two rows are the
    same, so none takes another away."""
    line = ", ".join(f"COALESCE({column}, CHAR(1))" for column in columns)
    halves = (f"BIT_XOR(CAST(CONV(SUBSTRING(d.h, {at}, 16), 16, 10) AS UNSIGNED))" for at in (1, 17))
    inner = f"SELECT SHA2(CONCAT_WS(CHAR(0), {line}), 256) AS h {rest}"
    return f"SELECT '{name}', COUNT(*), {', '.join(halves)} FROM ({inner}) d"  # noqa: S608


FINGERPRINT: Final = " UNION ALL ".join(_digest(name, *part) for name, part in _PARTS.items())
"""One row for each of QUERIES."""

#: readings of a structure that changes meanwhile
_TRIES: Final = 5
_PATIENCE: Final = 0.1  # seconds between them


async def read_catalog(query: Query, known: Catalog | None = None) -> Catalog:
    """The server's catalog; `known` itself when it still holds. Whatever `query` raises passes through."""
    await query(SETTINGS)
    before = fingerprint(await query(FINGERPRINT))
    for _ in range(_TRIES):
        if known is not None and known.version == before:
            return known
        rows = {name: await query(text) for name, text in QUERIES.items()}
        after = fingerprint(await query(FINGERPRINT))
        if after == before:
            return await _build_in_slices(rows, after)
        before = after
        await asyncio.sleep(_PATIENCE)
    return await _build_in_slices(rows, f"{before}+")  # the next reading will not find it to hold


def fingerprint(rows: Iterable[Row]) -> str:
    """The version of a catalog for the rows of FINGERPRINT."""
    found = hashlib.sha256()
    for row in sorted(tuple(map(_text, row)) for row in rows):
        found.update(f"{' '.join(row)}\n".encode())
    return found.hexdigest()[:32]


async def _build_in_slices(rows: Mapping[str, list[Row]], version: str) -> Catalog:
    steps = _build(rows, version)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            catalog: Catalog = end.value
            return catalog
        await asyncio.sleep(0)


# ---------------------------------------------------------------- rows -> values

_Name: TypeAlias = tuple[str, str]


def build(rows: Mapping[str, list[Row]], version: str) -> Catalog:
    """The catalog that the rows of QUERIES describe."""
    steps = _build(rows, version)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            catalog: Catalog = end.value
            return catalog


def _build(rows: Mapping[str, list[Row]], version: str) -> Generator[None, None, Catalog]:
    """Stops every now and then, so that its driver can let others run."""
    server, folding, default = rows["server"][0]
    folds = _number(folding) != 0
    brand, number = server_version(_text(server))
    columns = yield from _columns(rows["columns"], folds)
    relations = yield from _relations(rows, columns, folds)
    return Catalog(
        version=version,
        relations=relations,
        functions=tuple(_function(oid, row, folds) for oid, row in enumerate(sorted(rows["routines"], key=str), 1)),
        schemas=frozenset(_folded(_text(row[0]), folds) for row in rows["databases"]),
        server_version=number,
        foreign_servers=any(r.kind == "f" for r in relations),
        dialect=brand,
        lower_case_table_names=_number(folding),
        default_schema=_folded(_text(default), folds),
    )


_VERSION: Final = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)")


def server_version(text: str) -> tuple[str, int]:
    """`9.7.4-2` -> ("mysql", 90704); `10.11.19-MariaDB` -> ("mariadb", 101119). Raises ValueError for others."""
    found = _VERSION.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no version of MySQL or MariaDB")
    major, minor, patch = map(int, found.groups())
    return "mariadb" if "mariadb" in text.lower() else "mysql", major * 10000 + minor * 100 + patch


def _text(value: str | None) -> str:
    return value or ""


def _number(value: str | None) -> int:
    return int(value or 0)


def _folded(name: str, folds: bool) -> str:
    """As statements' names are: information_schema's are the same in any case."""
    return name.lower() if folds or name.lower() == "information_schema" else name


def _table(schema: str | None, name: str | None, folds: bool) -> _Name:
    database = _folded(_text(schema), folds)
    return database, _folded(_text(name), folds or database == "information_schema")


#: rows of one slice: some 5 ms of work
_SLICE: Final = 1000
_DECIMALS: Final = frozenset({"decimal", "numeric"})
_QUOTED: Final = re.compile(r"`((?:[^`]|``)+)`")


def _columns(rows: Iterable[Row], folds: bool) -> Generator[None, None, dict[_Name, tuple[Column, ...]]]:
    lines: dict[_Name, list[Row]] = {}
    for count, row in enumerate(rows, 1):
        lines.setdefault(_table(row[0], row[1], folds), []).append(row)
        if not count % _SLICE:
            yield
    found: dict[_Name, tuple[Column, ...]] = {}
    for count, (table, listed) in enumerate(lines.items(), 1):
        listed.sort(key=lambda row: _number(row[2]))
        numbers = {_text(row[3]).lower(): _number(row[2]) for row in listed}
        found[table] = tuple(_column(row, numbers) for row in listed)
        if not count % (_SLICE // 10):
            yield
    return found


def _column(row: Row, numbers: Mapping[str, int]) -> Column:
    _, _, number, name, data_type, unsigned, extra, expression, precision, scale = row
    kind = _text(data_type).lower()
    named = {n.replace("``", "`").lower() for n in _QUOTED.findall(_text(expression))}
    return Column(
        name=_text(name).lower(),
        number=_number(number),
        type=f"{kind} unsigned" if unsigned == "1" else kind,
        generated_from=tuple(sorted(numbers[n] for n in named if n in numbers)),
        generated=bool(expression),
        modifier=(_number(precision) << 16 | _number(scale)) + 4 if kind in _DECIMALS else -1,
        invisible="INVISIBLE" in _text(extra).upper(),
    )


#: as pg_class.relkind has them; what is not here (SYSTEM VIEW, SYSTEM VERSIONED, BASE TABLE) is a table
_KINDS: Final = {"VIEW": "v", "SEQUENCE": "S"}
#: tables whose rows are elsewhere
_ENGINES: Final = {"FEDERATED": "f", "CONNECT": "f", "SPIDER": "f", "S3": "f"}
#: a MERGE table shows other tables' rows, and nothing lists which: no kind that can be read
_UNREADABLE: Final = {"MRG_MYISAM": "?"}
_FIRST_OID: Final = 16384


def _relations(
    rows: Mapping[str, list[Row]], columns: Mapping[_Name, tuple[Column, ...]], folds: bool
) -> Generator[None, None, tuple[Relation, ...]]:
    definitions = {_table(row[0], row[1], folds): row[2] for row in rows["views"]}
    fired = {_table(row[0], row[1], folds) for row in rows["triggers"]}
    listed = sorted((_table(row[0], row[1], folds), _kind(row)) for row in rows["relations"])
    found: list[Relation] = []
    for oid, (name, kind) in enumerate(listed, _FIRST_OID):
        definition = definitions.get(name) or None
        found.append(Relation(oid, *name, kind, columns.get(name, ()), definition, triggers=name in fired))
        if not len(found) % _SLICE:
            yield
    return tuple(found)


def _kind(row: Row) -> str:
    engine = _text(row[3]).upper()
    if engine in _ENGINES or engine in _UNREADABLE:
        return _ENGINES.get(engine) or _UNREADABLE[engine]
    return _KINDS.get(_text(row[2]).upper(), "r")


def _function(oid: int, row: Row, folds: bool) -> Function:
    """Routines' names are the same in any case."""
    schema, name, kind = row
    return Function(oid, _folded(_text(schema), folds), _text(name).lower(), "p" if kind == "PROCEDURE" else "f")
