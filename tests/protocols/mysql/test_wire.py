"""Fields: what is written is read, and nothing is read beyond the end."""

from __future__ import annotations

from struct import Struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.mysql.wire import Reader, cstring, integer, lenenc, lenenc_bytes, lenenc_bytes_or_null, pack

EDGES = [0, 250, 251, 252, 0xFFFF, 0x10000, 0xFFFFFF, 0x1000000, 2**64 - 1]


@given(st.sampled_from(EDGES) | st.integers(0, 2**64 - 1))
def test_integers_are_length_encoded_in_the_shortest_form(number: int) -> None:
    data = lenenc(number)
    assert len(data) == (1 if number < 251 else 3 if number < 1 << 16 else 4 if number < 1 << 24 else 9)
    reader = Reader(data, "test")
    assert reader.lenenc("number") == number
    reader.finish()


@given(st.none() | st.binary(max_size=400))
def test_strings_come_out_as_they_went_in(value: bytes | None) -> None:
    reader = Reader(lenenc_bytes_or_null(value), "test")
    assert reader.lenenc_bytes_or_null("value") == value
    assert reader.remaining == 0


@given(st.binary(max_size=30), st.sampled_from(["u8", "u16", "u24", "u32", "u64", "lenenc", "lenenc_bytes", "cstring"]))
def test_a_short_field_is_a_peer_error_that_names_the_packet(data: bytes, method: str) -> None:
    reader = Reader(data, "the packet")
    try:
        while True:
            getattr(reader, method)("the field")
            assert reader.position <= len(data)
    except PeerError as error:
        assert "the packet" in error.message  # noqa: PT017 - reached on every run: no data has an end
        assert "the field" in error.message  # noqa: PT017


@pytest.mark.parametrize("first", [0xFB, 0xFF])
def test_null_and_err_begin_no_integer(first: int) -> None:
    with pytest.raises(PeerError):
        Reader(bytes([first, 1, 2, 3]), "test").lenenc("number")


def test_a_claimed_length_makes_no_room() -> None:
    with pytest.raises(PeerError):
        Reader(lenenc(2**63), "test").lenenc_bytes("value")


def test_left_over_bytes_are_told() -> None:
    with pytest.raises(PeerError, match="2 bytes after"):
        Reader(b"ab", "test").finish()


def test_what_does_not_fit_is_our_own_fault() -> None:
    for call in (
        lambda: integer(256, 1),
        lambda: integer(-1, 4),
        lambda: lenenc(-1),
        lambda: lenenc(2**64),
        lambda: cstring(b"a\0b"),
        lambda: pack(Struct("<H"), 70000),
    ):
        with pytest.raises(UsageError):
            call()
    assert cstring(b"ab") + lenenc_bytes(b"c") == b"ab\0\x01c"
