"""Rows -> Catalog, and the queries on a real server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from dbgate.catalog.postgres import (
    BEGIN,
    COMMIT,
    FINGERPRINT,
    QUERIES,
    ROLLBACK,
    Row,
    build,
    default_search_path,
    fingerprint,
    read_catalog,
)
from rules.catalog import Catalog
from rules.lineage import facts
from rules.lineage.relations import Shape
from rules.lineage.views import view_shape
from rules.postgres import read
from tests.live.needed import live_catalog, query_over

EMPTY: dict[str, list[Row]] = {name: [] for name in QUERIES} | {"server": [("150002", "shop", "f")]}


class Recorder:
    """Answers every query from a table of rows, and fails at one."""

    def __init__(self, fails_at: str = "") -> None:
        self.seen: list[str] = []
        self.fails_at = fails_at

    async def __call__(self, sql: str) -> list[Row]:
        self.seen.append(sql)
        if sql == self.fails_at:
            raise ConnectionError("gone")
        return next((EMPTY[name] for name, text in QUERIES.items() if text == sql), [])


def test_one_read_only_transaction() -> None:
    recorder = Recorder()
    assert asyncio.run(read_catalog(recorder)).server_version == 150002
    assert (recorder.seen[0], recorder.seen[-1]) == (BEGIN, COMMIT)
    assert "READ ONLY" in BEGIN


def test_a_failure_rolls_back_and_passes_through() -> None:
    recorder = Recorder(QUERIES["types"])
    with pytest.raises(ConnectionError):
        asyncio.run(read_catalog(recorder))
    assert recorder.seen[-1] == ROLLBACK


class Locked(Exception):  # noqa: N818
    sqlstate = "55P03"


def test_what_is_locked_is_tried_again_in_a_new_transaction() -> None:
    recorder, refused = Recorder(), 3

    async def query(sql: str) -> list[Row]:
        nonlocal refused
        rows = await recorder(sql)
        if sql == FINGERPRINT and refused:
            refused -= 1
            raise Locked
        return rows

    assert asyncio.run(read_catalog(query)).server_version == 150002
    assert [text for text in recorder.seen if text in (BEGIN, ROLLBACK, COMMIT)] == 3 * [BEGIN, ROLLBACK] + [
        BEGIN,
        COMMIT,
    ]


@contextlib.contextmanager
def reading_of(connection: psycopg.Connection[Any]) -> Iterator[list[Catalog]]:
    """The catalog is being read by another thread; it is there when the block has been left."""
    found: list[Catalog] = []
    reading = threading.Thread(target=lambda: found.append(live_catalog(connection)))
    reading.start()
    yield found
    reading.join(30)


@pytest.mark.parametrize("first", ["v0", "v9"])
def test_a_reading_gives_way_to_who_changes_views(connection: psycopg.Connection[Any], first: str) -> None:
    """It locks the views' tables while it reads, and waits for one that another session has locked: that session must
    get the others too, without a deadlock."""
    tables = [f"gives_way.v{i}_t" for i in range(10)]
    with psycopg.connect(connection.info.dsn, password=connection.info.password, autocommit=True) as changer:
        changer.execute("CREATE SCHEMA gives_way")
        for table in tables:
            changer.execute(f"CREATE TABLE {table} (a int); CREATE VIEW {table[:-2]} AS SELECT a FROM {table}".encode())
        changer.execute(f"BEGIN; LOCK TABLE gives_way.{first}_t".encode())
        with reading_of(connection) as found:
            threading.Event().wait(0.2)  # it waits by now
            changer.execute(f"LOCK TABLE {', '.join(tables)}".encode())
            changer.execute("COMMIT")
        changer.execute("DROP SCHEMA gives_way CASCADE")
    (catalog,) = found
    assert catalog.find(("gives_way", first), ()) is not None


def test_build() -> None:
    catalog = build(
        EMPTY
        | {
            "schemas": [("public",)],
            "relations": [("1", "public", "t", "r", None, "t"), ("2", "public", "v", "v", "SELECT 1", "f")],
            "columns": [("1", "a", "1", "23", "f", "-1"), ("1", "b", "3", "25", "t", "-1")],
            "generated": [("1", "3", "1"), ("1", "3", "2")],
            "parents": [("1", "7"), ("1", "8")],
            "types": [("23", "pg_catalog", "int4", "b", "N", "0", "integer"), ("90", "hr", "m", "e", "E", "0", "hr.m")],
            "labels": [("90", "good"), ("90", "bad")],
            "functions": [
                ("16405", "hr", "f", "f", "23 23", "25", "f", "0", "v", None),
                ("6", "pg_catalog", "j", "f", "", "25", "t", "0", "i", None),
                ("16407", "public", "replace", "f", "90 90", "25", "f", "0", "i", "citext"),
            ],
            "results": [("16405", ""), ("16405", ""), ("6", "value")],
            "operators": [("===", "eqq", "i", None), ("=", "citext_eq", "i", "citext"), ("?", "own", "i", "mine")],
            "casts": [("90", "25", "own", "i", None), ("90", "24", "citext", "i", "citext")],
        },
        "v1",
    )
    assert catalog.version == "v1"
    table, view = catalog.relations
    assert [(c.name, c.number, c.type) for c in table.columns] == [("a", 1, "integer"), ("b", 3, "")]
    assert [(c.generated_from, c.generated) for c in table.columns] == [((), False), ((1, 2), True)]
    assert (table.parents, table.triggers, view.definition) == ((7, 8), True, "SELECT 1")
    assert catalog.type_by_oid[90].labels == ("good", "bad")
    assert catalog.functions_by_name["f"][0].argument_types == ("integer", "integer")
    assert catalog.functions_by_name["f"][0].result_columns == ("column1", "column2")
    assert catalog.built_in_functions["j"][0].result_columns == ("value",)
    assert "j" not in catalog.functions_by_name
    assert (catalog.user_operators, catalog.user_casts) == (frozenset({"===", "?"}), frozenset({(90, 25)}))
    assert catalog.overloaded == {"f"}


def test_what_still_holds_is_not_read_again() -> None:
    first = asyncio.run(read_catalog(Recorder()))
    recorder = Recorder()
    assert asyncio.run(read_catalog(recorder, first)) is first
    assert (recorder.seen[0], *recorder.seen[-2:]) == (BEGIN, FINGERPRINT, COMMIT)
    other = replace(first, version="another")
    assert asyncio.run(read_catalog(Recorder(), other)) == first


def test_the_version_follows_the_contents_not_the_order() -> None:
    rows: list[Row] = [("schemas", "1f"), ("types", None)]
    assert fingerprint(rows) == fingerprint(rows[::-1])
    assert len({fingerprint(r) for r in (rows, rows[:1], [("schemas", "1e"), ("types", None)])}) == 3


def test_others_get_their_turn_while_many_tables_are_worked_through() -> None:
    many: list[Row] = [("1", f"c{number}", str(number), "25", "f", "-1") for number in range(10_000)]
    turns = 0

    async def query(sql: str) -> list[Row]:
        return many if sql == QUERIES["columns"] else await Recorder()(sql)

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def read() -> Catalog:
        task = asyncio.create_task(others())
        try:
            return await read_catalog(query)
        finally:
            task.cancel()

    assert asyncio.run(read()).version
    assert turns >= 20


@pytest.mark.live
def test_live_names_are_qualified(connection: psycopg.Connection[Any], catalog: Catalog) -> None:
    view = catalog.by_name[("public", "outer_view")]
    assert view.definition is not None
    assert "public.contacts" in view.definition
    customers = catalog.by_name[("public", "customers")]
    assert [c.type for c in customers.columns] == ["integer", "text", "text", "public.addr", "text[]"]
    assert catalog.by_name[("public", "events")].kind == "p"
    assert catalog.by_name[("public", "events_1")].parents == (catalog.by_name[("public", "events")].oid,)
    assert catalog.by_name[("pg_catalog", "pg_class")].definition is None
    assert catalog.by_name[("information_schema", "columns")].column("column_name")
    assert catalog.functions_by_name["pair"][0].result_columns == ("a", "b")
    assert "upper" not in catalog.functions_by_name


@pytest.mark.live
def test_live_extensions_that_compute_are_no_users_code(connection: psycopg.Connection[Any]) -> None:
    wanted = {"citext", "hstore", "pg_trgm", "pgcrypto", "intarray", "ltree", "uuid-ossp"}
    have = {name for (name,) in connection.execute("SELECT name FROM pg_available_extensions")} & wanted
    if not have:
        pytest.skip("this PostgreSQL comes without contrib extensions")
    connection.execute("CREATE SCHEMA extras")
    try:
        for name in have:
            connection.execute(f'CREATE EXTENSION "{name}" SCHEMA extras')
        connection.execute("CREATE FUNCTION extras.replace(int, int, int) RETURNS int LANGUAGE sql AS 'SELECT 1'")
        connection.execute("CREATE OPERATOR extras.=== (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)")
        found = live_catalog(connection)
    finally:
        connection.execute("DROP SCHEMA extras CASCADE")
    assert found.user_operators == {"==="}
    connection.execute("CREATE FUNCTION pg_catalog.lower(int) RETURNS int LANGUAGE sql AS 'SELECT 1'")
    try:
        added = live_catalog(connection)
    finally:
        connection.execute("DROP FUNCTION pg_catalog.lower(int)")
    assert added.added == {"lower"}
    assert found.added == frozenset()
    doing_more = {"set_limit", "show_trgm_limit", "pgp_armor_headers"}
    assert {f.name for f in found.functions if f.schema == "extras" and not f.computes} <= {"replace"} | doing_more
    assert "replace" in found.overloaded
    assert "similarity" not in found.overloaded
    assert not found.user_casts


@pytest.mark.live
def test_live_versions(connection: psycopg.Connection[Any], catalog: Catalog) -> None:
    assert live_catalog(connection).version == catalog.version
    assert live_catalog(connection, catalog) is catalog
    connection.execute("CREATE TEMP TABLE fresh (a int DEFAULT 1, s serial, b int GENERATED ALWAYS AS (a + s) STORED)")
    changed = live_catalog(connection)
    connection.execute("DROP TABLE fresh")
    assert changed.version != catalog.version
    (fresh,) = [r for r in changed.relations if r.name == "fresh"]
    assert fresh.schema.startswith("pg_temp_")
    assert [c.generated_from for c in fresh.columns] == [(), (), (1, 2)]
    assert asyncio.run(default_search_path(query_over(connection))) == ("public",)


@pytest.mark.live
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = 'r'",
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema NOT IN ('pg_catalog')",
        "SELECT (information_schema._pg_expandarray(i.indkey)).n FROM pg_catalog.pg_index i",
        "SELECT oid, format_type(oid, NULL), oid::regtype FROM pg_type",
        "SELECT t.oid, a.attname FROM pg_type t, LATERAL (SELECT * FROM pg_attribute WHERE attrelid = typrelid) a",
        "SELECT name, setting FROM pg_settings",
        "SELECT * FROM pg_timezone_names",
        "SELECT grantee FROM pg_class, aclexplode(relacl)",
    ],
)
def test_live_drivers_questions_resolve(sql: str, connection: psycopg.Connection[Any], catalog: Catalog) -> None:
    connection.execute(sql)
    statements = read(sql)
    assert isinstance(statements, tuple)
    found = facts(statements[0], catalog, ("public",))
    assert (found.problem, found.missing) == (None, ())


@pytest.mark.live
def test_live_definitions_resolve(connection: psycopg.Connection[Any], catalog: Catalog) -> None:
    """The server's own views are the widest set of pg_get_viewdef texts there is: each resolves to its own columns."""
    views = [r for r in catalog.relations if r.kind == "v" and r.schema in ("pg_catalog", "information_schema")]
    connection.execute("SET search_path = ''")
    for view in views:
        row = connection.execute("SELECT pg_catalog.pg_get_viewdef(%s::oid)", (view.oid,)).fetchone()
        assert row is not None
        found = view_shape(catalog, replace(view, definition=row[0]))
        assert isinstance(found, Shape), (view.name, found)
        assert [i.name for i in found.items] == [c.name for c in view.columns]
    connection.execute("RESET search_path")
    assert len(views) > 100
