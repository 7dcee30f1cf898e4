"""Tokens, as far as limits and the second opinion need them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.postgres import read
from rules.postgres.grammar import chain_depth
from rules.postgres.lexical import Token, condensed, tokens
from rules.tree import Insert, Literal, Values

PIECES = [
    "(",
    ")",
    ",",
    "1",
    "-2.5",
    "'a'",
    "'b''c'",
    "E'\\''",
    "$1",
    "$$",
    "null",
    "x",
    "/*",
    "*/",
    "--",
    "\n",
    " ",
    "+",
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map("".join).map(str.encode)


@given(TEXTS)
@settings(max_examples=300)
def test_tokens_cover_the_text_without_gap(text: bytes) -> None:
    found = list(tokens(text))
    assert [start for _, start, _ in found] == [0, *(end for _, _, end in found)][: len(found)]
    assert not text or found[-1][2] == len(text)


@given(TEXTS)
@settings(max_examples=300)
def test_a_text_is_condensed_once(text: bytes) -> None:
    assert condensed(condensed(text)) == condensed(text)
    assert len(condensed(text)) <= len(text)


ROWS = [
    b"(1)",
    b"( 1 , 'a',null )",
    b"(1),(2)",
    b"('it''s', -1.5e3, $1),\n ( TRUE, default)",
]
NOT_ROWS = [b"(a)", b"(1 + 1)", b"('a' 'b')", b"(E'a')", b"(f(1))", b"()", b"(1,)", b"('a", b"(1 /* , */)", b"(nullif)"]


@pytest.mark.parametrize("text", ROWS)
def test_lists_of_constants_are_one_token(text: bytes) -> None:
    assert list(tokens(text)) == [(Token.ROWS, 0, len(text))]


@pytest.mark.parametrize("text", NOT_ROWS)
def test_other_brackets_are_taken_apart(text: bytes) -> None:
    assert next(tokens(text)) == (Token.OPEN, 0, 1)


def test_a_long_list_is_cut_to_what_it_is_like() -> None:
    rows = ", ".join(["(1, 'a')"] * 100).encode()
    assert condensed(b"insert into t values " + rows + b" returning x") == b"insert into t values (1, 'a') returning x"
    members = ",".join(map(str, range(1000))).encode()
    assert condensed(b"select 1 where a in (" + members + b") and b") == b"select 1 where a in (0) and b"


def test_what_looks_like_rows_inside_a_string_or_comment_stays() -> None:
    rows = b", ".join([b"(1, 2)"] * 50)
    for text in (b"select 'x''" + rows + b"'", b"select /* " + rows + b" */ 1", b"select $q$" + rows + b"$q$"):
        assert condensed(text) == text


def test_rows_are_two_levels_however_many_they_are() -> None:
    assert chain_depth(b"values " + b",".join([b"(1, -2)"] * 10_000)) <= 2


def test_constant_rows_stand_for_each_other() -> None:
    found = read("insert into t values (1, 'a'), (2, 'b'), (3, now()), (4, $1)")
    assert isinstance(found, tuple)
    body = found[0].body
    assert isinstance(body, Insert)
    assert isinstance(body.source, Values)
    assert [len(row) for row in body.source.rows] == [2, 2]
    assert body.source.rows[0] == (Literal("1", 22), Literal("a", 25))


def test_rows_of_another_width_are_kept() -> None:
    found = read("values (1), (2), (3, 4)")
    assert isinstance(found, tuple)
    assert isinstance(found[0].body, Values)
    assert [len(row) for row in found[0].body.rows] == [1, 2]
