"""Placeholders and integers, checked against the server's own input and output functions and against two drivers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import asyncpg  # type: ignore[import-untyped,unused-ignore]
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from protocols.errors import PeerError, UsageError
from protocols.postgres import oids, values
from tests.live.servers import Postgres

TYPES = sorted(value for name, value in vars(oids).items() if name.isupper() and isinstance(value, int))
EVERY = [oid for oid in (*TYPES, *oids.ARRAYS) if values.placeholder(oid, 0) is not None]
INTEGERS = [oid for oid in TYPES if values.integer_width(oid)]


def test_types_without_a_placeholder_are_null() -> None:
    assert {oid for oid in TYPES if values.placeholder(oid, 0) is None} == {
        oids.MONEY,
        oids.RECORD,
        oids.VOID,
        oids.JSONPATH,
    }
    assert values.placeholder(987654, 0) is None
    assert values.placeholder(987654, 1) is None


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match="format code 2"):
        values.placeholder(oids.TEXT, 2)


@pytest.mark.parametrize("oid", [oids.TEXT, oids.VARCHAR, oids.BPCHAR, oids.NAME, oids.JSON, oids.XML, oids.UNKNOWN])
def test_text_like_types_look_the_same_in_both_formats(oid: int) -> None:
    assert values.is_text_like(oid)
    assert values.placeholder(oid, 0) == values.placeholder(oid, 1)


@pytest.mark.parametrize("oid", [oids.JSONB, oids.INT4, oids.BYTEA, oids.CHAR, oids.UUID, 0, 987654])
def test_other_types_are_not_text_like(oid: int) -> None:
    assert not values.is_text_like(oid)


def test_documents_have_a_grammar() -> None:
    assert [oid for oid in TYPES if values.is_document(oid)] == [oids.JSON, oids.XML]


@given(st.sampled_from(INTEGERS), st.sampled_from([0, 1]), st.integers(-(2**65), 2**65))
def test_integers_round_trip_or_are_refused(oid: int, format_code: int, number: int) -> None:
    width = values.integer_width(oid) or 0
    signed = oid in (oids.INT2, oids.INT4, oids.INT8)
    low, high = (-(1 << 8 * width - 1), 1 << 8 * width - 1) if signed else (0, 1 << 8 * width)
    if low <= number < high:
        wire = values.integer_to_wire(number, oid, format_code)
        assert values.integer_from_wire(wire, oid, format_code) == number
        assert not format_code or len(wire) == width
    else:
        with pytest.raises(UsageError, match="out of range"):
            values.integer_to_wire(number, oid, format_code)
        with pytest.raises(PeerError):
            values.integer_from_wire(b"%d" % number, oid, 0)


@given(st.sampled_from(INTEGERS), st.sampled_from([0, 1]), st.binary(max_size=30))
def test_garbage_is_an_integer_or_a_peer_error(oid: int, format_code: int, data: bytes) -> None:
    with contextlib.suppress(PeerError):
        assert isinstance(values.integer_from_wire(data, oid, format_code), int)


def test_only_integer_types_have_integers() -> None:
    with pytest.raises(UsageError, match="not an integer type"):
        values.integer_to_wire(1, oids.TEXT, 0)
    assert values.integer_width(oids.TEXT) is None


def _cast(connection: psycopg.Connection[Any], oid: int) -> sql.Composed:
    """`CAST(%s AS type)`, by the type's own name, so that no length of 1 is implied for bpchar and bit."""
    row = connection.execute("SELECT typname FROM pg_catalog.pg_type WHERE oid = %s", (oid,)).fetchone()
    assert row is not None, f"type {oid} does not exist"
    return sql.SQL("SELECT CAST(%s AS {})").format(sql.Identifier("pg_catalog", row[0]))


@pytest.mark.live
def test_the_server_reads_the_text_and_sends_both_forms(server: Postgres) -> None:
    unreadable = {oids.UNKNOWN, oids.CSTRING, 1263}  # pseudo-types and arrays of them: no cast to them
    with server.connect() as connection:
        for oid in sorted(set(EVERY) - unreadable):
            text = values.placeholder(oid, 0)
            query = _cast(connection, oid).as_bytes(connection).replace(b"%s", b"$1")
            for format_code in (0, 1):
                result = connection.pgconn.exec_params(query, [text], [0], [0], format_code)
                assert result.status == psycopg.pq.ExecStatus.TUPLES_OK, (oid, result.error_message)
                assert result.get_value(0, 0) == values.placeholder(oid, format_code), (oid, format_code)


@pytest.mark.live
def test_array_types_hold_their_elements(server: Postgres) -> None:
    with server.connect() as connection:
        rows = connection.execute(
            "SELECT oid, typelem FROM pg_catalog.pg_type WHERE oid = ANY(%s)", (list(oids.ARRAYS),)
        )
        assert dict(rows.fetchall()) == oids.ARRAYS


@pytest.mark.live
def test_every_built_in_type_is_known_or_meant_to_be_null(server: Postgres) -> None:
    meant = {"money", "aclitem", "jsonpath", "txid_snapshot", "pg_snapshot", "gtsvector"}
    with server.connect() as connection:
        rows = connection.execute(
            "SELECT oid, typname, typelem FROM pg_catalog.pg_type WHERE oid < 10000 AND typtype IN ('b', 'r', 'm')"
            " AND typname NOT LIKE '%%pg\\_%%' AND NOT EXISTS"
            " (SELECT FROM pg_catalog.pg_class c WHERE c.reltype = typelem)"
        ).fetchall()
    missing = {name for oid, name, element in rows if values.placeholder(oid, 0) is None}
    assert {name.lstrip("_") for name in missing} <= meant, missing


@pytest.mark.live
@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_decodes_every_placeholder(server: Postgres, binary: bool) -> None:
    with server.connect() as connection:
        transformer = psycopg.adapt.Transformer(connection)
        for oid in EVERY:
            data = values.placeholder(oid, int(binary))
            assert data is not None
            loader = transformer.get_loader(oid, psycopg.pq.Format(int(binary)))
            loader.load(data)


@pytest.mark.live
def test_asyncpg_decodes_every_placeholder(server: Postgres) -> None:
    skipped = {oids.UNKNOWN, oids.CSTRING, 1263}
    asyncio.run(_asyncpg_reads(server, sorted(set(EVERY) - skipped)))


async def _asyncpg_reads(server: Postgres, types: list[int]) -> None:
    connection = await asyncpg.connect(server.dsn())
    try:
        for oid in types:
            literal = (values.placeholder(oid, 0) or b"").decode().replace("'", "''")
            name = await connection.fetchval("SELECT quote_ident(typname) FROM pg_type WHERE oid = $1", oid)
            await connection.fetchval(f"SELECT CAST('{literal}' AS pg_catalog.{name})")
    finally:
        await connection.close()
