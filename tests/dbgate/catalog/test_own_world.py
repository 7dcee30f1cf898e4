"""What a session is told about its own uncommitted world is what everybody reads once it is committed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from dbgate.session.postgres.world import WORLD, Told, read_world
from rules.catalog import Catalog, Relation
from rules.lineage.relations import shape
from rules.own_world import own_catalog
from tests.live.needed import live_catalog

CREATED = """
CREATE TYPE w_mood AS ENUM ('sad', 'glad');
CREATE DOMAIN w_short AS varchar(5);
CREATE TABLE "W odd" (id serial PRIMARY KEY, mood w_mood, moods w_mood[], short w_short, price numeric(10,2),
  words text[], g numeric GENERATED ALWAYS AS (price * 2) STORED, at timestamptz);
CREATE TABLE w_child (extra "W odd") INHERITS ("W odd");
CREATE TABLE w_parts (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE w_parts_1 PARTITION OF w_parts DEFAULT;
CREATE VIEW w_view AS SELECT o.id, o.price AS "The price", c.mood FROM "W odd" o JOIN w_child c USING (id);
CREATE MATERIALIZED VIEW w_stored AS SELECT id FROM w_view;
CREATE FUNCTION w_noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER noted BEFORE INSERT ON w_parts FOR EACH ROW EXECUTE FUNCTION w_noted();
"""
OIDS = 16384


def shared(connection: psycopg.Connection[Any]) -> Catalog:
    with psycopg.connect(connection.info.dsn, password=connection.info.password, autocommit=True) as other:
        return live_catalog(other)


def told(connection: psycopg.Connection[Any], catalog: Catalog) -> Told:
    row = connection.execute(WORLD).fetchone()
    assert row is not None
    return read_world(row[0], catalog)


@pytest.fixture
def session(connection: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(connection.info.dsn, password=connection.info.password, autocommit=True) as opened:
        opened.execute("CREATE SCHEMA w; SET search_path = w, public")
        yield opened
    connection.execute("DROP SCHEMA w CASCADE; DROP SCHEMA IF EXISTS w_other CASCADE")


def plain(relation: Relation) -> Relation:
    """Without what is said in other words: a definition's names may be qualified or not."""
    return replace(relation, definition=None, path=())


def own(relations: tuple[Relation, ...]) -> dict[int, Relation]:
    return {r.oid: plain(r) for r in relations if r.oid >= OIDS and r.schema in ("w", "w_other")}


def test_the_uncommitted_is_told_as_the_committed_is_read(session: psycopg.Connection[Any]) -> None:
    before = shared(session)
    session.execute("BEGIN")
    session.execute(CREATED)
    answer = told(session, before)
    assert answer.world is not None
    seen = own_catalog(before, answer.world)
    session.execute("COMMIT")
    after = shared(session)
    assert own(seen.relations) == own(after.relations)
    assert set(seen.types) >= {t for t in after.types if t.name.startswith("w_")}
    for name in ("w_view", "w_stored"):
        mine, all_see = (shape(catalog, catalog.by_name[("w", name)]).items for catalog in (seen, after))
        assert [(i.name, i.sources) for i in mine] == [(i.name, i.sources) for i in all_see]


@pytest.mark.parametrize(
    "change",
    [
        'ALTER TABLE "W odd" RENAME COLUMN price TO cost',
        "ALTER TABLE w_child NO INHERIT \"W odd\"",
        "ALTER TABLE w_parts DETACH PARTITION w_parts_1",
        "ALTER TABLE w_parts RENAME TO w_moved",
        "ALTER TABLE w_child ADD COLUMN more text, DROP COLUMN extra CASCADE",
        "ALTER TABLE w_parts ALTER COLUMN id TYPE bigint",
        "CREATE OR REPLACE VIEW w_view AS SELECT id, 1::numeric(10,2) \"The price\", 'sad'::w_mood mood FROM w_parts",
        "DROP MATERIALIZED VIEW w_stored",
        "DROP TABLE w_child CASCADE",
        'ALTER TABLE "W odd" ALTER COLUMN g DROP EXPRESSION',
        "CREATE SCHEMA w_other; ALTER TABLE w_parts_1 SET SCHEMA w_other",
        "SAVEPOINT a; ALTER TABLE w_parts RENAME TO w_moved; ROLLBACK TO a",
        "SAVEPOINT a; ALTER TABLE w_parts RENAME id TO id2; RELEASE a",
    ],
)  # fmt: skip
def test_changes(session: psycopg.Connection[Any], change: str) -> None:
    session.execute(CREATED)
    before = shared(session)
    session.execute("BEGIN")
    session.execute(change)
    answer = told(session, before)
    seen = own_catalog(before, answer.world) if answer.world is not None else before
    session.execute("COMMIT")
    after = shared(session)
    assert own(seen.relations) == own(after.relations)
    assert {r.qualified for r in seen.relations} == {r.qualified for r in after.relations}


def test_outside_of_a_transaction_only_the_temporary_is_its_own(session: psycopg.Connection[Any]) -> None:
    catalog = shared(session)
    assert told(session, catalog).world is None
    session.execute(CREATED)
    assert told(session, catalog).world is None
    session.execute('CREATE TEMP TABLE "W odd" (a int); CREATE TEMP VIEW w_temp AS SELECT a FROM "W odd"')
    answer = told(session, shared(session))
    assert answer.path[0] == "pg_temp"
    assert answer.world is not None
    assert {r.qualified for r in answer.world.relations} == {("pg_temp", "W odd"), ("pg_temp", "w_temp")}
    seen = own_catalog(catalog, answer.world)
    (item,) = shape(seen, seen.by_name[("pg_temp", "w_temp")]).items
    assert {(c.schema, c.table) for c in item.sources} == {("pg_temp", "w_temp"), ("pg_temp", "W odd")}
    session.execute("DISCARD TEMP")
    assert not (told(session, catalog).world or answer.world).gone


def test_the_question_means_the_same_under_any_search_path(session: psycopg.Connection[Any]) -> None:
    catalog = shared(session)
    session.execute(
        "CREATE SCHEMA w_other; SET search_path = w_other, pg_catalog; "
        "CREATE FUNCTION age(xid) RETURNS int LANGUAGE sql AS 'SELECT 0'; "
        "CREATE FUNCTION never(oid, oid) RETURNS boolean LANGUAGE sql AS 'SELECT false'; "
        "CREATE OPERATOR = (LEFTARG = oid, RIGHTARG = oid, FUNCTION = never); CREATE VIEW pg_class AS SELECT 1 AS oid"
    )
    session.execute("CREATE TEMP TABLE mine (a int)")
    answer = told(session, catalog)
    assert answer.path == ("pg_temp", "w_other", "pg_catalog")
    assert answer.world is not None
    assert [r.name for r in answer.world.relations] == ["mine"]
