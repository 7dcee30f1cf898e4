"""Every mask on every type that can bear it, in both wire formats, by the simple and the extended protocol.

A real server is the judge: it reads each masked value back as one of the column's type, and computes what the mask
should have made of the original. Drivers read the masked rows as they read the original ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped,unused-ignore]
import psycopg
import pytest
from psycopg import pq, sql
from ruamel.yaml import YAML

from rules.book import check, load
from rules.catalog import Catalog
from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream
from tests.live.needed import live_catalog
from tests.live.places import Place
from tests.live.servers import PASSWORD, Postgres
from tests.live.test_pg8000 import open_native

DATABASE = "mask_types"
TYPES = """
CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION cube;
CREATE TYPE mood AS ENUM ('fine', 'gloomy_kx4929');
CREATE TYPE place AS (number integer, street text, feeling mood);
CREATE TYPE single AS (word text);
CREATE TABLE other_table (dropped integer, number integer, word text);
ALTER TABLE other_table DROP COLUMN dropped;
CREATE TYPE float_range AS RANGE (subtype = float8, multirange_type_name = float_multirange);
CREATE DOMAIN mail AS text CHECK (value LIKE '%@%' OR value LIKE '%*%' OR value !~ ' ');
CREATE DOMAIN mail_list AS mail[];
CREATE DOMAIN strict_mail AS mail NOT NULL DEFAULT 'none';
CREATE DOMAIN age AS integer;
CREATE DOMAIN birthday AS date;
CREATE DOMAIN temper AS mood;
CREATE DOMAIN where_ AS place;
"""


@dataclass(frozen=True, slots=True)
class Spec:
    type: str
    stands: str | None
    values: list[str]
    bears: str = ""


SPECS = {
    name: Spec(**words)
    for name, words in YAML(typ="safe").load(Path(__file__).with_suffix(".yaml").with_stem("mask_types")).items()
}
#: mask -> as a rule file writes it, and the families that bear it
MASKS: dict[str, tuple[str, frozenset[str]]] = {
    "redact": ("redact", frozenset()),
    "null": ('"null"', frozenset()),
    "keep_last": ("{keep_last: 4}", frozenset({"text", "json"})),
    "keep_first": ("{keep_first: 2}", frozenset({"text", "json"})),
    "email": ("email", frozenset({"text", "json"})),
    "hash": ("hash", frozenset({"text", "json", "integer", "numeric", "hash"})),
    "round": ("{round: 1000}", frozenset({"integer", "numeric", "float"})),
    "year": ("year", frozenset({"date"})),
}
COMPUTED = [mask for mask, (_, families) in MASKS.items() if families]


def bearing(mask: str) -> list[str]:
    """The columns whose type can bear a mask."""
    families = MASKS[mask][1]
    return [name for name, spec in SPECS.items() if not families or spec.bears in families]


def original(name: str, row: int) -> str:
    values = SPECS[name].values
    return values[(row - 1) % len(values)]


ROWS = max(len(spec.values) for spec in SPECS.values())
NULL_ROW = ROWS + 1


def rulebook(mask: str, columns: list[str]) -> str:
    listed = ", ".join(f"things.{name}" for name in columns)
    return f"""version: 1
rules:
  - id: reads
    allow: {{statements: [select, copy_out], tables: ["*"]}}
  - id: hidden
    mask: {{columns: [{listed}], with: {MASKS[mask][0]}, predicates: any}}
"""


@pytest.fixture(scope="module")
def world(server: Postgres) -> Iterator[Postgres]:
    server.drop_database(DATABASE)
    server.create_database(DATABASE)
    server.run(TYPES, DATABASE)
    with server.connect(DATABASE) as connection:
        columns = ", ".join(f"{name} {spec.type}" for name, spec in SPECS.items() if name != "strict_mail")
        connection.execute(f"CREATE TABLE things (id integer, {columns}, strict_mail strict_mail)".encode())
        for row in range(ROWS):
            words = {name: original(name, row + 1) for name in SPECS}
            listed = ", ".join(f"%s::text::{spec.type}" for spec in SPECS.values())
            names = ", ".join(words)
            text = f"INSERT INTO things (id, {names}) VALUES ({row + 1}, {listed})"
            connection.execute(text.encode(), list(words.values()))
        connection.execute(f"INSERT INTO things (id, strict_mail) VALUES ({NULL_ROW}, 'a@b')".encode())
        connection.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC")
    yield server
    server.drop_database(DATABASE)


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, world: Postgres) -> Gate:
    books = {mask: rulebook(mask, bearing(mask)) for mask in MASKS}
    return make_gate({mask: Upstream(DATABASE, mask) for mask in MASKS}, rulebooks=books)


@pytest.fixture
def direct_place(world: Postgres) -> Place:
    return Place(world.host, world.port, DATABASE, "app", PASSWORD)


# ---------------------------------------------------------------- cells as they are


Cells = dict[tuple[str, int], bytes | None]  # by column and id
MODES = ("simple", "text", "binary")


def read_cells(place: Place, columns: list[str], mode: str) -> Cells:
    """Every cell of the table as it comes over the wire."""
    with psycopg.connect(place.dsn(), autocommit=True) as connection:
        text = f"SELECT id, {', '.join(columns)} FROM things ORDER BY id".encode()
        wire = connection.pgconn
        result = wire.exec_(text) if mode == "simple" else wire.exec_params(text, [], [], [], int(mode == "binary"))
        assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message.decode()
        assert result.ntuples == NULL_ROW
        return {
            (name, row + 1): result.get_value(row, at)
            for row in range(result.ntuples)
            for at, name in enumerate(columns, 1)
        }


@pytest.fixture(scope="module")
def originals(world: Postgres) -> dict[str, Cells]:
    place = Place(world.host, world.port, DATABASE, "app", PASSWORD)
    return {mode: read_cells(place, list(SPECS), mode) for mode in MODES}


def types_of(connection: psycopg.Connection[Any]) -> dict[str, tuple[int, sql.Identifier]]:
    """Column -> its type's OID and name; by this name no length is implied, as `bit` implies 1."""
    rows = connection.execute(
        "SELECT attname, t.oid::integer, nspname, typname FROM pg_attribute JOIN pg_type t ON t.oid = atttypid"
        " JOIN pg_namespace n ON n.oid = typnamespace WHERE attrelid = 'things'::regclass"
    )
    return {name: (oid, sql.Identifier(schema, type_name)) for name, oid, schema, type_name in rows}


def said_again(server: Postgres, cells: Cells, mode: str) -> dict[tuple[str, int], str | None]:
    """The cells' values as the server prints them that reads them back: it fails for what is none of the type."""
    found: dict[tuple[str, int], str | None] = {}
    with server.connect(DATABASE) as connection:
        types = types_of(connection)
        for (name, row), cell in cells.items():
            oid, type_name = types[name]
            if cell is None:
                found[name, row] = None
                continue
            text = sql.SQL("SELECT ($1::{})::text").format(type_name).as_bytes(connection)
            result = connection.pgconn.exec_params(text, [cell], [oid], [int(mode == "binary")], 0)
            assert result.status == pq.ExecStatus.TUPLES_OK, (name, row, mode, cell, result.error_message.decode())
            found[name, row] = (result.get_value(0, 0) or b"").decode()
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("mask", MASKS)
def test_the_server_reads_every_masked_value(
    mask: str, mode: str, gate: Gate, world: Postgres, originals: dict[str, Cells]
) -> None:
    columns = bearing(mask)
    cells = read_cells(gate_place(gate, mask), columns, mode)
    for (name, row), cell in cells.items():
        plain = originals[mode][name, row]
        assert cell is None or plain is not None, (name, row)
        if cell is not None and plain is not None and mask == "hash" and len(plain) > 4:
            assert plain not in cell or originals["simple"][name, row] == b"{}", (name, row)
    printed = said_again(world, cells, mode)
    simple = said_again(world, read_cells(gate_place(gate, mask), columns, "simple"), "simple")
    assert printed == simple, "the two formats tell different values"


@pytest.mark.parametrize("mode", MODES)
def test_redacted_values_are_the_same_for_all(
    mode: str, gate: Gate, world: Postgres, originals: dict[str, Cells]
) -> None:
    cells = read_cells(gate_place(gate, "redact"), list(SPECS), mode)
    for (name, row), cell in cells.items():
        if originals[mode][name, row] is None:
            assert cell is None
        elif mode == "binary":
            assert cell == cells[name, 1], (name, row)
        else:
            assert cell == (None if SPECS[name].stands is None else str(SPECS[name].stands).encode()), (name, row)


# ---------------------------------------------------------------- what the masks make of values


def kept(length: int, shown: str) -> str:
    return (
        f"CASE WHEN char_length(a::text) > {length} THEN {shown} ELSE repeat('*', char_length(a::text)) END = b::text"
    )


#: numeric's own division rounds too early
ROUNDED = (
    "CASE WHEN a::numeric IN ('NaN', 'Infinity', '-Infinity') THEN a::numeric ELSE sign(a::numeric) *"
    " (div(abs(a::numeric), 1000) + (mod(abs(a::numeric), 1000) >= 500)::integer) * 1000 END = b::numeric"
)
#: (mask, family) -> whether b is what the mask should have made of a
AS_EXPECTED: dict[tuple[str, str], str] = {
    ("keep_last", "text"): kept(4, "repeat('*', char_length(a::text) - 4) || right(a::text, 4)"),
    ("keep_first", "text"): kept(2, "left(a::text, 2) || repeat('*', char_length(a::text) - 2)"),
    ("email", "text"): "CASE WHEN a::text LIKE '%@%' THEN left(a::text, 1) || '***@' || split_part(a::text, '@', 2)"
    " ELSE '***' END = b::text",
    **dict.fromkeys((("round", "integer"), ("round", "numeric"), ("round", "float")), ROUNDED),
    ("year", "date"): "date_trunc('year', a::timestamp) = b",
    ("year", "date with zone"): "date_trunc('year', a AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' = b",
}
#: (column, original) -> where a type ends, the mask stops before it
LIMITS = {
    ("small", "32767"): b"32000",
    ("small", "-32768"): b"-32000",
    ("plain", "2147483647"): b"2147483000",
    ("big", "-9223372036854775808"): b"-9223372036854775000",
    ("day", "5874897-12-31"): b"5874897-01-01",
}
LISTS = ("[]", "_list")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("mask", ["keep_last", "keep_first", "email", "round", "year"])
def test_the_server_computes_the_same(mask: str, mode: str, gate: Gate, world: Postgres) -> None:
    columns = [name for name in bearing(mask) if SPECS[name].bears != "json"]
    cells = read_cells(gate_place(gate, mask), columns, mode)
    with world.connect(DATABASE) as connection:
        types = types_of(connection)
        statements = {name: comparison(connection, mask, name) for name in columns}
        for (name, row), cell in cells.items():
            if row == NULL_ROW:
                assert cell is None or name == "strict_mail"
            elif (limit := LIMITS.get((name, original(name, row)))) is not None:
                assert mode == "binary" or cell == limit
            else:
                values, formats = [cell, str(row).encode()], [int(mode == "binary"), 0]
                result = connection.pgconn.exec_params(statements[name], values, [types[name][0], 23], formats)
                assert result.status == pq.ExecStatus.TUPLES_OK, (name, result.error_message.decode())
                assert result.get_value(0, 0) == b"t", (name, row, cell)


def comparison(connection: psycopg.Connection[Any], mask: str, name: str) -> bytes:
    """Whether the cell $1 is as expected of the original in row $2; arrays by their dimensions and each element."""
    spec, (_, type_name) = SPECS[name], types_of(connection)[name]
    family = spec.bears + " with zone" * ("with time zone" in spec.type)
    array = any(word in spec.type for word in LISTS)
    pair = [sql.Identifier(name), sql.SQL("$1::{}").format(type_name)]
    both = pair if array else [sql.SQL("ARRAY[{}]").format(side) for side in pair]
    text = sql.SQL(
        "SELECT array_dims({0}) IS NOT DISTINCT FROM array_dims({1}) AND NOT EXISTS"
        " (SELECT FROM unnest({0}, {1}) u(a, b) WHERE (a IS NULL) <> (b IS NULL) OR NOT ({2}))"
        " FROM things WHERE id = $2::integer"
    )
    return text.format(*both, sql.SQL(AS_EXPECTED[mask, family])).as_bytes(connection)  # type: ignore[arg-type,unused-ignore]


@pytest.mark.parametrize("mode", MODES)
def test_masked_documents_are_json(mode: str, gate: Gate, world: Postgres) -> None:
    cells = read_cells(gate_place(gate, "keep_first"), ["document", "document_b"], mode)
    printed = said_again(world, cells, mode)
    assert printed["document", 1] == '"{\\"' + "*" * 16 + '"'
    assert printed["document_b", 1] == '"{\\"' + "*" * 17 + '"'


def test_hashes_keep_what_is_equal(gate: Gate) -> None:
    cells = read_cells(gate_place(gate, "hash"), ["small", "mail", "mails", "folded"], "text")
    again = read_cells(gate_place(gate, "hash"), ["small", "mail", "mails", "folded"], "text")
    assert cells == again
    assert cells["small", 1] != cells["small", 2]


# ---------------------------------------------------------------- settings that shape the text

STYLES = ["ISO, DMY", "SQL, DMY", "SQL, MDY", "German", "Postgres, MDY", "Postgres, DMY"]
ZONES = ["UTC", "Asia/Kolkata", "America/St_Johns", "<+03>-3"]


def read_under(place: Place, settings: str, columns: list[str]) -> Cells:
    with psycopg.connect(place.dsn(), autocommit=True) as connection:
        connection.execute(settings.encode())
        result = connection.pgconn.exec_(f"SELECT id, {', '.join(columns)} FROM things ORDER BY id".encode())
        assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message.decode()
        return {
            (name, row + 1): result.get_value(row, at) for row in range(NULL_ROW) for at, name in enumerate(columns, 1)
        }


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("zone", ZONES)
def test_dates_in_every_style(style: str, zone: str, gate: Gate, world: Postgres) -> None:
    """By the session's own settings the server reads the masked text as what the binary form says; where it could not
    be masked it is NULL, which happens in ISO style only to years that have no first of January."""
    columns = bearing("year")
    settings = f"SET DateStyle = '{style}'; SET TimeZone = '{zone}'"
    cells = read_under(gate_place(gate, "year"), settings, columns)
    binary = read_cells(gate_place(gate, "year"), columns, "binary")
    with world.connect(DATABASE) as connection:
        connection.execute(settings.encode())
        for (name, row), cell in cells.items():
            oid, type_name = types_of(connection)[name]
            if row != NULL_ROW and cell is not None and style[:3] == "ISO":
                assert (b"NULL" in cell) == ("[]" in SPECS[name].type and "NULL" in original(name, row)), (name, row)
            if cell is None:
                assert row == NULL_ROW or (style[:3] != "ISO" and zone != "UTC" and name == "moment_tz"), (name, row)
                continue
            if style[:3] != "ISO" and name == "moments":
                continue  # its elements became NULL, where the zone is an abbreviation
            text = sql.SQL("SELECT $1::{0} = $2::{0}").format(type_name).as_bytes(connection)
            result = connection.pgconn.exec_params(text, [cell, binary[name, row]], [oid, oid], [0, 1])
            assert result.status == pq.ExecStatus.TUPLES_OK, (name, cell, result.error_message.decode())
            assert result.get_value(0, 0) == b"t", (name, row, cell)


@pytest.mark.parametrize("style", STYLES)
def test_redacted_dates_in_every_style(style: str, gate: Gate, world: Postgres) -> None:
    columns = [*bearing("year"), "span"]
    settings = f"SET DateStyle = '{style}'; SET TimeZone = 'UTC'"
    cells = read_under(gate_place(gate, "redact"), settings, columns)
    with world.connect(DATABASE) as connection:
        connection.execute(settings.encode())
        for name in ("day", "moment", "moment_tz", "birthday"):
            native = connection.execute(f"SELECT '2000-01-01 00:00:00'::{SPECS[name].type}::text".encode()).fetchone()
            assert native is not None
            assert {cells[name, row] for row in range(1, NULL_ROW)} == {native[0].encode()}, (
                "infinity looks no other way"
            )


def test_the_style_that_a_client_begins_with(gate: Gate) -> None:
    place = gate_place(gate, "redact")
    options = "-c DateStyle=German -c IntervalStyle=iso_8601"
    with psycopg.connect(place.dsn(options=options), autocommit=True) as connection:
        result = connection.pgconn.exec_(b"SELECT day, span FROM things WHERE id = 1")
        assert (result.get_value(0, 0), result.get_value(0, 1)) == (b"01.01.2000", b"PT0S")
        connection.execute("RESET DateStyle")
        connection.execute("SET DateStyle = ISO")
        assert connection.pgconn.exec_(b"SELECT day FROM things WHERE id = 1").get_value(0, 0) == b"2000-01-01"


@pytest.mark.parametrize("style", ["postgres", "postgres_verbose", "iso_8601", "sql_standard"])
def test_redacted_intervals_in_every_style(style: str, gate: Gate, world: Postgres) -> None:
    settings = f"SET IntervalStyle = '{style}'"
    cell = read_under(gate_place(gate, "redact"), settings, ["span"])["span", 1]
    assert cell is not None
    with world.connect(DATABASE) as connection:
        connection.execute(settings.encode())
        native = connection.execute("SELECT %s::interval = '0'::interval", [cell.decode()]).fetchone()
        assert native == (True,)


# ---------------------------------------------------------------- the rulebook against the catalog


@pytest.fixture(scope="module")
def catalog(world: Postgres) -> Catalog:
    with world.connect(DATABASE) as connection:
        return live_catalog(connection)


@pytest.mark.parametrize("mask", MASKS)
def test_what_a_type_cannot_bear_is_found_when_the_rulebook_loads(mask: str, catalog: Catalog) -> None:
    loaded = load({"rules.yaml": rulebook(mask, list(SPECS))})
    assert loaded.rulebook is not None
    problems = check(loaded.rulebook, catalog)
    named = {str(problem.what).partition("does not fit public.things.")[2].split()[0] for problem in problems}
    assert named == SPECS.keys() - set(bearing(mask))


# ---------------------------------------------------------------- drivers


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_psycopg(mask: str, binary: bool, gate: Gate) -> None:
    columns = bearing(mask)
    with psycopg.connect(gate_place(gate, mask).dsn(), autocommit=True) as connection:
        text = f"SELECT {', '.join(columns)} FROM things WHERE id = %s".encode()
        found = connection.cursor(binary=binary).execute(text, [1]).fetchone()
        nulls = connection.cursor(binary=binary).execute(text, [NULL_ROW]).fetchone()
        assert found is not None
        assert nulls is not None
        assert {name for name, value in zip(columns, nulls, strict=True) if value is not None} <= {"strict_mail"}
        assert mask != "null" or set(found) == {None}


@pytest.mark.parametrize("mask", MASKS)
def test_asyncpg(mask: str, gate: Gate) -> None:
    columns = bearing(mask)

    async def talk() -> None:
        connection = await asyncpg.connect(gate_place(gate, mask).plain(), ssl="disable")
        try:
            for row in (1, NULL_ROW):
                text = f"SELECT {', '.join(columns)} FROM things WHERE id = $1"
                assert len(await connection.fetchrow(text, row)) == len(columns)
        finally:
            await connection.close(timeout=5)

    asyncio.run(talk())


@pytest.mark.parametrize("mask", MASKS)
def test_pg8000(mask: str, gate: Gate) -> None:
    connection = open_native(gate_place(gate, mask))
    for row in (1, NULL_ROW):
        text = f"SELECT {', '.join(bearing(mask))} FROM things WHERE id = :row"
        assert len(connection.run(text, row=row)) == 1
    connection.close()


# ---------------------------------------------------------------- the other ways out


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_copy_gives_the_same_as_select(mask: str, binary: bool, gate: Gate) -> None:
    columns = bearing(mask)
    cells = read_cells(gate_place(gate, mask), columns, "binary" if binary else "simple")
    # the order of rows is the table's: nothing was ever updated
    text = f"COPY things (id, {', '.join(columns)}) TO STDOUT" + " (FORMAT binary)" * binary
    with (
        psycopg.connect(gate_place(gate, mask).dsn(), autocommit=True) as connection,
        connection.cursor().copy(text.encode()) as copy,
    ):
        rows = [tuple(v.encode() if isinstance(v, str) else v for v in row) for row in copy.rows()]
    assert len(rows) == NULL_ROW
    for number, (_, *values) in enumerate(rows, 1):
        assert dict(zip(columns, values, strict=True)) == {name: cells[name, number] for name in columns}


@pytest.mark.parametrize("mask", COMPUTED)
def test_a_binary_cursor_and_a_prepared_statement_give_the_same(mask: str, gate: Gate) -> None:
    columns = bearing(mask)
    place = gate_place(gate, mask)
    text, binary = read_cells(place, columns, "simple"), read_cells(place, columns, "binary")
    listed = ", ".join(columns)
    with psycopg.connect(place.dsn()) as connection:
        connection.execute(f"DECLARE c BINARY CURSOR FOR SELECT {listed} FROM things ORDER BY id".encode())
        connection.execute(f"PREPARE p AS SELECT {listed} FROM things ORDER BY id".encode())
        for statement, expected in ((b"FETCH ALL c", binary), (b"EXECUTE p", text)):
            result = connection.pgconn.exec_(statement)
            assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message.decode()
            rows = range(result.ntuples)
            assert expected == {(n, r + 1): result.get_value(r, at) for r in rows for at, n in enumerate(columns)}


def test_what_is_computed_is_redacted(gate: Gate, originals: dict[str, Cells]) -> None:
    """The mask of a column says nothing of what is computed from it: that is redacted whole, by its own type."""
    computed = {
        "round": {"plain + 1": b"0", "integers[1]": b"0", "real8 * 2": b"0", "numbers::text": b"[redacted]"},
        "year": {
            "moment + interval '1 day'": b"2000-01-01 00:00:00",
            "day + 1": b"2000-01-01",
            "days[1]": b"2000-01-01",
        },
        "keep_last": {"upper(free)": b"[redacted]", "texts[1]": b"[redacted]", "array_to_json(texts)": b'"[redacted]"'},
    }
    for mask, expressions in computed.items():
        with psycopg.connect(gate_place(gate, mask).dsn(), autocommit=True) as connection:
            result = connection.pgconn.exec_(f"SELECT {', '.join(expressions)} FROM things WHERE id = 1".encode())
            assert result.status == pq.ExecStatus.TUPLES_OK, result.error_message.decode()
            found = [result.get_value(0, at) for at in range(result.nfields)]
            assert all(value in (None, expected) for value, expected in zip(found, expressions.values(), strict=True))
            assert any(value is not None for value in found)
