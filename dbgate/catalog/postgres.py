"""Reads a live PostgreSQL (12 to 18) into a Catalog.

All queries run in one REPEATABLE READ READ ONLY transaction with an empty search_path, so that format_type and
pg_get_viewdef qualify every name that is not built in, and so that all of them see the same moment.

The first of them asks the server for a fingerprint of what the others would return, which is the catalog's version:
most readings end there, as nothing has changed. When something has, thousands of tables are worked through in slices,
and the event loop's other work goes on in between.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from typing import Final, TypeAlias, TypeVar

from rules.catalog import Catalog, Column, Function, Relation, Type
from rules.postgres.extensions import computes, is_total, may_fail

T = TypeVar("T")
Item = TypeVar("Item")

Row: TypeAlias = tuple[str | None, ...]
Query: TypeAlias = Callable[[str], Awaitable[list[Row]]]
"""Runs one SQL text by the simple protocol and returns its rows in text format."""

BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
SETTINGS: Final = "SET LOCAL search_path = ''"
#: pg_get_viewdef locks what a view names until the transaction ends. A session that changes several of these may wait
#: for this reading while it is waited for: the reading gives way long before the server looks for a deadlock
#: (deadlock_timeout, 1 s), lets go of everything and begins again.
LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '50ms'"
LOCK_NOT_AVAILABLE: Final = "55P03"
#: seconds between two tries, and how many there are
_PATIENCE: Final = 0.1
_TRIES: Final = 20
COMMIT: Final = "COMMIT"
ROLLBACK: Final = "ROLLBACK"

_USER_SCHEMA: Final = "n.nspname NOT IN ('pg_catalog', 'information_schema')"

#: FirstNormalObjectId: what has a lower OID came with the server. A superuser may add to pg_catalog as well, and only
#: the OID tells such a function or operator from a built-in one of the same name.
_FIRST_OWN: Final = 16384

#: Relations of other sessions' temporary schemas cannot be named by anyone else.
_VISIBLE: Final = "n.nspname <> 'pg_toast' AND NOT pg_catalog.pg_is_other_temp_schema(n.oid)"

#: The name of the extension to which an object belongs; the object's catalog and alias stand in the mark.
_EXTENSION_OF: Final = re.compile(r"<extension of (\w+) (\w+)>")
_EXTENSION: Final = r"""LEFT JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.\1'::pg_catalog.regclass AND d.objid = \2.oid
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e'
  LEFT JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid"""

_TEXTS: Final[dict[str, str]] = {
    "server": """
SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.current_database(),
  EXISTS (SELECT 1 FROM pg_catalog.pg_foreign_server)""",
    "schemas": "SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_(toast|temp)'",
    "relations": """
SELECT c.oid, n.nspname, c.relname, c.relkind,
  CASE WHEN c.relkind IN ('v', 'm') AND <user schema> THEN pg_catalog.pg_get_viewdef(c.oid) END,
  EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND <visible>""",
    "columns": """
SELECT a.attrelid, a.attname, a.attnum, a.atttypid, a.attgenerated <> '', a.atttypmod
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND <visible>
ORDER BY a.attrelid, a.attnum""",
    # servers before 15 note the generated column itself as what depends, later ones its expression
    "generated": """
SELECT d.objid, d.objsubid, d.refobjsubid FROM pg_catalog.pg_depend d
WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = d.classid AND d.refobjid = d.objid
  AND d.objsubid > 0 AND d.refobjsubid > 0 AND d.objsubid <> d.refobjsubid
UNION
SELECT e.adrelid, e.adnum, d.refobjsubid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef e ON e.oid = d.objid
WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = e.adrelid
  AND d.refobjsubid > 0 AND d.refobjsubid <> e.adnum
ORDER BY 1, 2, 3""",
    "parents": "SELECT i.inhrelid, i.inhparent FROM pg_catalog.pg_inherits i ORDER BY i.inhrelid, i.inhseqno",
    "types": """
SELECT t.oid, n.nspname, t.typname, t.typtype, t.typcategory,
  CASE WHEN t.typtype = 'd' THEN t.typbasetype
    WHEN t.typtype = 'r' THEN (SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)
    ELSE t.typelem END,
  pg_catalog.format_type(t.oid, NULL)
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace""",
    "labels": "SELECT e.enumtypid, e.enumlabel FROM pg_catalog.pg_enum e ORDER BY e.enumtypid, e.enumsortorder",
    "functions": """
SELECT p.oid, n.nspname, p.proname, p.prokind, p.proargtypes, p.prorettype, p.proretset,
  rt.typrelid, p.provolatile, x.extname
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_type rt ON rt.oid = p.prorettype
  <extension of pg_proc p>
WHERE p.oid >= <first own> OR p.proargmodes IS NOT NULL OR rt.typrelid <> 0""",
    "results": """
SELECT p.oid, a.name
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace,
  ROWS FROM (pg_catalog.unnest(p.proargnames), pg_catalog.unnest(p.proargmodes))
    WITH ORDINALITY AS a(name, mode, position)
WHERE a.mode IN ('o', 'b', 't') AND (p.oid >= <first own> OR p.proargmodes IS NOT NULL)
ORDER BY p.oid, a.position""",
    "operators": """
SELECT o.oprname, p.proname, p.provolatile, x.extname
FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
  LEFT JOIN pg_catalog.pg_proc p ON p.oid = o.oprcode
  <extension of pg_operator o>
WHERE o.oid >= <first own>""",
    "casts": """
SELECT c.castsource, c.casttarget, p.proname, p.provolatile, x.extname
FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_proc p ON p.oid = c.castfunc
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  <extension of pg_cast c>
WHERE c.oid >= <first own>""",
}

QUERIES: Final[dict[str, str]] = {
    name: _EXTENSION_OF.sub(_EXTENSION, text)
    .replace("<user schema>", _USER_SCHEMA)
    .replace("<first own>", str(_FIRST_OWN))
    .replace("<visible>", _VISIBLE)
    for name, text in _TEXTS.items()
}
"""Name -> SQL text; `build` takes the rows of each under the same name."""


#: A digest of one query's rows, sorted; sha256 as the md5 of the server may be forbidden (FIPS).
_DIGEST: Final = """
SELECT '<name>', pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(
  pg_catalog.string_agg(q.line, E'\\n' ORDER BY q.line COLLATE "C"), 'UTF8')), 'hex')
FROM (SELECT found::text AS line FROM (<query>) found) q"""

FINGERPRINT: Final = " UNION ALL ".join(
    _DIGEST.replace("<name>", name).replace("<query>", text) for name, text in QUERIES.items()
)
"""One row for each of QUERIES: its name, and a digest of its rows (NULL: it has none)."""


async def read_catalog(query: Query, known: Catalog | None = None) -> Catalog:
    """The database's catalog at one moment; `known` itself when it still holds.

    Whatever `query` raises passes through, after a ROLLBACK, but what another session has locked is tried again."""
    for _ in range(_TRIES - 1):
        try:
            return await _read_once(query, known)
        except Exception as fault:
            if getattr(fault, "sqlstate", "") != LOCK_NOT_AVAILABLE:
                raise
        await asyncio.sleep(_PATIENCE)
    return await _read_once(query, known)


async def _read_once(query: Query, known: Catalog | None) -> Catalog:
    await query(BEGIN)
    try:
        await query(SETTINGS)
        await query(LOCK_TIMEOUT)
        version = fingerprint(await query(FINGERPRINT))
        same = known is not None and known.version == version
        rows = {} if same else {name: await query(text) for name, text in QUERIES.items()}
    except BaseException:
        await query(ROLLBACK)
        raise
    await query(COMMIT)
    return known if known is not None and same else await _build_in_slices(rows, version)


def fingerprint(rows: Iterable[Row]) -> str:
    """The version of a catalog for the rows of FINGERPRINT: the same for the same contents, whoever reads them."""
    found = hashlib.sha256()
    for name, digest in sorted((_text(name), _text(digest)) for name, digest in rows):
        found.update(f"{name} {digest}\n".encode())
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


async def default_search_path(query: Query) -> tuple[str, ...]:
    """The schemas that unqualified names are looked up in, as the session stands."""
    rows = await query("SELECT pg_catalog.unnest(pg_catalog.current_schemas(false))")
    return tuple(schema for (schema,) in rows if schema is not None)


# ---------------------------------------------------------------- rows -> values


def build(rows: Mapping[str, list[Row]], version: str) -> Catalog:
    """The catalog that the rows of QUERIES describe."""
    steps = _build(rows, version)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            catalog: Catalog = end.value
            return catalog


#: a generator that stops every now and then, so that its driver can let others run
Steps: TypeAlias = Generator[None, None, T]


def _build(rows: Mapping[str, list[Row]], version: str) -> Steps[Catalog]:
    printed = {_number(r[0]): _text(r[6]) for r in rows["types"]}
    yield
    columns = yield from _columns(rows, printed)
    relations = yield from _relations(rows, columns)
    types = yield from _types(rows)
    functions = yield from _functions(rows, printed, columns)
    server_version, _, foreign_servers = rows["server"][0]
    return Catalog(
        version=version,
        relations=relations,
        functions=tuple(f for f in functions if f.oid >= _FIRST_OWN),
        types=types,
        schemas=frozenset(_text(r[0]) for r in rows["schemas"]),
        user_operators=frozenset(_text(symbol) for symbol, *code in rows["operators"] if not _computes(*code)),
        failing_operators=frozenset(_text(o[0]) for o in rows["operators"] if may_fail(_text(o[3]), _text(o[0]))),
        user_casts=frozenset((_number(a), _number(b)) for a, b, *code in rows["casts"] if not _computes(*code)),
        server_version=_number(server_version),
        foreign_servers=foreign_servers == "t",
        built_in_functions=_by_name(filter(_is_built_in, functions)),
    )


def _is_built_in(function: Function) -> bool:
    """One whose result columns must be known."""
    return function.oid < _FIRST_OWN and function.schema == "pg_catalog" and bool(function.result_columns)


#: rows of one slice: some 5 ms of work
_SLICE: Final = 500


def _in_slices(rows: Iterable[Item], work: Callable[[Item], T]) -> Steps[tuple[T, ...]]:
    found: list[T] = []
    for number, row in enumerate(rows, 1):
        found.append(work(row))
        if not number % _SLICE:
            yield
    return tuple(found)


def _text(value: str | None) -> str:
    return value or ""


def _number(value: str | None) -> int:
    return int(value or 0)


def _grouped(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(_number(row[0]), []).append(row)
    return found


def _columns(rows: Mapping[str, list[Row]], printed: Mapping[int, str]) -> Steps[dict[int, tuple[Column, ...]]]:
    sources: dict[tuple[int, int], tuple[int, ...]] = {}
    for table, generated, source in rows["generated"]:
        key = (_number(table), _number(generated))
        sources[key] = (*sources.get(key, ()), _number(source))

    def column(row: Row) -> tuple[int, Column]:
        relation, name, number, type_oid, generated, modifier = row
        key = (_number(relation), _number(number))
        oid = _number(type_oid)
        computed_from, computed = sources.get(key, ()), generated == "t"
        made = Column(_text(name), key[1], printed.get(oid, ""), oid, computed_from, computed, int(modifier or -1))
        return key[0], made

    made = yield from _in_slices(rows["columns"], column)
    found: dict[int, list[Column]] = {}
    for oid, each in made:
        found.setdefault(oid, []).append(each)
    yield
    return {oid: tuple(columns) for oid, columns in found.items()}


def _relations(rows: Mapping[str, list[Row]], columns: Mapping[int, tuple[Column, ...]]) -> Steps[tuple[Relation, ...]]:
    parents = _grouped(rows["parents"])

    def relation(row: Row) -> Relation:
        oid, schema, name, kind, definition, triggers = row
        return Relation(
            _number(oid),
            _text(schema),
            _text(name),
            _text(kind),
            columns.get(_number(oid), ()),
            definition,
            tuple(_number(p[1]) for p in parents.get(_number(oid), ())),
            triggers == "t",
        )

    return _in_slices(rows["relations"], relation)


def _types(rows: Mapping[str, list[Row]]) -> Steps[tuple[Type, ...]]:
    labels = _grouped(rows["labels"])

    def type_of(row: Row) -> Type:
        oid, schema, name, kind, category, element, _ = row
        return Type(
            _number(oid),
            _text(schema),
            _text(name),
            _text(kind),
            _text(category),
            _number(element),
            tuple(_text(label) for _, label in labels.get(_number(oid), ())),
        )

    return _in_slices(rows["types"], type_of)


def _functions(
    rows: Mapping[str, list[Row]], printed: Mapping[int, str], columns: Mapping[int, tuple[Column, ...]]
) -> Steps[tuple[Function, ...]]:
    results = _grouped(rows["results"])
    return _in_slices(rows["functions"], lambda row: _function(row, printed, columns, results))


def _function(
    row: Row, printed: Mapping[int, str], columns: Mapping[int, tuple[Column, ...]], results: Mapping[int, list[Row]]
) -> Function:
    oid, schema, name, kind, arguments, result, returns_set, relation, volatility, extension = row
    listed = _result_names([_text(r[1]) for r in results.get(_number(oid), ())])
    return Function(
        _number(oid),
        _text(schema),
        _text(name),
        _text(kind),
        tuple(printed.get(int(a), "") for a in _text(arguments).split()),
        printed.get(_number(result), ""),
        listed or tuple(column.name for column in columns.get(_number(relation), ())),
        returns_set == "t",
        _computes(name, volatility, extension),
        is_total(_text(extension), _text(name)),
    )


def _computes(name: str | None, volatility: str | None, extension: str | None) -> bool:
    return computes(_text(extension), _text(name), _text(volatility))


def _result_names(names: list[str]) -> tuple[str, ...]:
    """Names of OUT and TABLE columns; the server calls unnamed ones column1, column2 ..., and a single one nothing."""
    if names == [""]:
        return ()
    return tuple(name or f"column{position}" for position, name in enumerate(names, 1))


def _by_name(functions: Iterable[Function]) -> dict[str, tuple[Function, ...]]:
    found: dict[str, tuple[Function, ...]] = {}
    for function in functions:
        found[function.name] = (*found.get(function.name, ()), function)
    return found
