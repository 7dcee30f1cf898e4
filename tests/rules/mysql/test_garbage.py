"""Whatever comes in, statements or a refusal come out."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.mysql import read
from rules.mysql.keywords import words
from rules.tree import Unparsable
from tests.rules.mysql.reading import BRANDS, VERSIONS, everyday

_WORDS = st.sampled_from(
    sorted(
        words("""
    select insert update delete replace from where group by order limit union values table with as on using join left
    natural into set = , ( ) . * + - @v @@v ? 1 'x' `a` a t b not in like between and or is null case when then end
    interval day cast convert over partition exists duplicate key for update rollup json_table lateral row :=
""")
    )
)


@given(st.lists(_WORDS, max_size=25).map(" ".join), st.sampled_from(BRANDS))
@settings(max_examples=300)
def test_words_in_any_order(text: str, brand: str) -> None:
    check(text, brand)


@given(st.sampled_from(everyday()), st.integers(0, 300), st.integers(0, 30), st.sampled_from(BRANDS))
@settings(max_examples=300)
def test_everyday_statements_with_a_hole(text: str, start: int, length: int, brand: str) -> None:
    check(text[:start] + text[start + length :], brand)


@given(st.text(max_size=60), st.sampled_from(BRANDS))
def test_any_text(text: str, brand: str) -> None:
    check(text, brand)


def check(text: str, brand: str) -> None:
    found = read(text, brand, VERSIONS[brand])
    if isinstance(found, Unparsable):
        assert found.code
        assert found.reason
        return
    size = len(text.encode())
    assert all(0 <= s.start < s.end <= size for s in found)
