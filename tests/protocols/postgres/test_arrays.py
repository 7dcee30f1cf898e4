"""Arrays changed element by element, against the server's own input and output functions."""

from __future__ import annotations

import struct
from typing import Any, TypeAlias

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import PeerError
from protocols.postgres import oids
from protocols.postgres.arrays import change_binary, change_text
from tests.live.servers import Postgres

Nested: TypeAlias = Any

TEXTS = st.one_of(st.text("ab{}\",\\ nul'LN\n\t;", max_size=5), st.text(max_size=5).filter(lambda t: "\0" not in t))
ELEMENTS = st.none() | TEXTS


def boxes(draw_size: st.SearchStrategy[int]) -> st.SearchStrategy[Nested]:
    """Rectangular lists of one to three dimensions, and the empty list."""

    def shaped(sizes: list[int]) -> st.SearchStrategy[Nested]:
        found: st.SearchStrategy[Nested] = ELEMENTS
        for size in sizes:
            found = st.lists(found, min_size=size, max_size=size)
        return found

    return st.lists(draw_size, min_size=1, max_size=3).flatmap(shaped) | st.just([])


ARRAYS = boxes(st.integers(1, 3))


def upside_down(element: bytes) -> bytes | None:
    return None if element == b"a" else element.decode()[::-1].encode() + b"!"


def changed(value: Nested) -> Nested:
    if isinstance(value, list):
        return [changed(v) for v in value]
    made = None if value is None else upside_down(value.encode())
    return None if made is None else made.decode()


@pytest.fixture(scope="module")
def connection(server: Postgres) -> Any:
    with server.connect() as opened:
        yield opened


@pytest.mark.live
@given(value=ARRAYS)
def test_the_server_reads_what_was_changed(connection: psycopg.Connection[Any], value: Nested) -> None:
    for format_code, change in ((0, change_text), (1, change_binary)):
        cell = connection.pgconn.exec_params(b"SELECT $1::text[]", [dumped(connection, value)], None, None, format_code)
        made = change(cell.get_value(0, 0) or b"", upside_down)
        again = connection.pgconn.exec_params(b"SELECT $1::text[]", [made], [1009], [format_code], format_code)
        assert not again.error_message
        assert again.get_value(0, 0) == made, "the bytes are those that the server itself would have sent"
        loader = psycopg.adapt.Transformer(connection).get_loader(1009, psycopg.pq.Format(format_code))
        assert loader.load(made) == changed(value)


def dumped(connection: psycopg.Connection[Any], value: Nested) -> bytes:
    if not value:
        return b"{}"
    found = psycopg.adapt.Transformer(connection).get_dumper(value, psycopg.adapt.PyFormat.TEXT).dump(value)
    return bytes(found or b"")


@pytest.mark.parametrize(
    ("cell", "made"),
    [
        (b"{}", b"{}"),
        (b"{x}", b"{x!}"),
        (b'{NULL,"NULL",null}', b"{NULL,LLUN!,llun!}"),
        (b"[0:1]={x,y}", b"[0:1]={x!,y!}"),
        (b"[2:2][-1:0]={{x,y}}", b"[2:2][-1:0]={{x!,y!}}"),
        (rb'{"a\"b","c\\d",""}', rb'{"b\"a!","d\\c!",!}'),
        (b"{a}", b"{NULL}"),
        (b'{"x y"}', b'{"y x!"}'),
    ],
)
def test_text(cell: bytes, made: bytes) -> None:
    assert change_text(cell, upside_down) == made


@pytest.mark.parametrize(
    "cell",
    [b"", b"x", b"{", b"}", b"{x", b"{x}}", b"{x}y", b"{x,}", b"{,x}", b"{x y,{}}x", b'{"x}', b"{x\\", b"[1:2]",
     b"{}{}", b'{x"y"}', b"{{{{{{{x}}}}}}}", b"[1:1]=x", b"{x},", b"{x}{y}", b",", b'{"x""y"}'],
)  # fmt: skip
def test_what_is_no_array_in_text(cell: bytes) -> None:
    with pytest.raises(PeerError, match="invalid array"):
        change_text(cell, upside_down)


HEAD = struct.pack(">iiIii", 1, 0, oids.TEXT, 2, 1)


@pytest.mark.parametrize(
    "cell",
    [b"", bytes(11), struct.pack(">iiI", 1, 0, 25), struct.pack(">iiI", 7, 0, 25) + bytes(56), HEAD,
     HEAD + b"\0\0\0\1x", HEAD + b"\0\0\0\1x\0\0\0\2y", HEAD + b"\0\0\0\1x\0\0\0\1yz",
     HEAD + b"\xff\xff\xff\xfe\0\0\0\1y", bytes(12) + b"x",
     struct.pack(">iiIii", -1, 0, 25, 2, 1), struct.pack(">iiIii", 1, 0, 25, -2, 1),
     struct.pack(">iiIiiii", 2, 0, 25, 1 << 26, 1, 1 << 26, 1)],
)  # fmt: skip
def test_what_is_no_array_in_binary(cell: bytes) -> None:
    with pytest.raises(PeerError, match="invalid array"):
        change_binary(cell, upside_down)


@given(st.binary(max_size=80) | st.lists(st.sampled_from([b"{", b"}", b",", b'"', b"\\", b"x", b" "])).map(b"".join))
def test_garbage_is_an_array_or_a_peer_error(cell: bytes) -> None:
    """Whatever is given out was made from elements: no byte of theirs passes by itself."""
    for change in (change_text, change_binary):
        try:
            made = change(cell, lambda element: b"*")
        except PeerError:
            continue
        assert b"x" not in made or change is change_binary
