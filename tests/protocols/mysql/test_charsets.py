"""Character sets by collation id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mysql.charsets import ASCII, BINARY, BY_NAME, DEFAULT_COLLATION, LATIN1, UTF8MB3, UTF8MB4, of_collation


@pytest.mark.parametrize(
    ("number", "charset"),
    [
        *((number, LATIN1) for number in (8, 94, 1032)),
        *((number, UTF8MB3) for number in (33, 76, 2048)),
        *((number, UTF8MB4) for number in (45, 46, 255, 309, 2304, DEFAULT_COLLATION)),
        (11, ASCII),
        (63, BINARY),
    ],
)
def test_collations_have_a_character_set(number: int, charset: object) -> None:
    assert of_collation(number) is charset


@pytest.mark.parametrize("number", [0, 1, 28, 35, 54, 60, 13, 87, 248, 272, 0xFFFF])
def test_character_sets_that_are_read_otherwise_are_unsupported(number: int) -> None:
    """big5, gbk, ucs2, utf16, utf32, sjis, gb18030 and ids that nobody has."""
    assert of_collation(number) is None


@given(st.binary(max_size=50))
def test_every_byte_is_a_latin1_character(data: bytes) -> None:
    assert LATIN1.encode(LATIN1.decode(data)) == data


def test_latin1_is_cp1252_and_five_codes_of_its_own() -> None:
    assert LATIN1.decode(b"\x80\x81\x8d\x8f\x90\x9d\xe9") == "€\x81\x8d\x8f\x90\x9dé"
    with pytest.raises(UnicodeError):
        LATIN1.encode("Ω")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_utf8mb4_says_everything_and_utf8mb3_the_basic_plane(text: str) -> None:
    assert UTF8MB4.decode(UTF8MB4.encode(text)) == text
    if all(character <= "\uffff" for character in text):
        assert UTF8MB3.decode(UTF8MB3.encode(text)) == text
    else:
        with pytest.raises(UnicodeError):
            UTF8MB3.encode(text)
        with pytest.raises(UnicodeError):
            UTF8MB3.decode(text.encode())


@given(st.sampled_from(sorted(BY_NAME)), st.binary(max_size=20))
def test_bytes_that_are_no_text_are_unicode_errors(name: str, data: bytes) -> None:
    try:
        text = BY_NAME[name].decode(data)
    except UnicodeError:
        return
    assert BY_NAME[name].encode(text) == data
