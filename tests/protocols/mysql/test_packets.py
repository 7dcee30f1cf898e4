"""Packets: cut, joined, numbered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.mysql.faults import OUT_OF_ORDER, TOO_LARGE, WireError
from protocols.mysql.packets import (
    HEADER_SIZE,
    MAX_PAYLOAD,
    Message,
    PacketReader,
    encode,
    encode_all,
    packet_count,
    resequence,
    split,
)
from tests.protocols.postgres.strategies import cuts, pieces

LIMIT = 1 << 26
payloads = st.lists(st.binary(max_size=50), max_size=8)


@given(payloads, st.integers(0, 255))
def test_split_finds_what_encode_made(parts: list[bytes], first: int) -> None:
    data, following = encode_all(parts, first)
    packets, consumed = split(data + b"\x05\0", 0)
    assert consumed == len(data)
    assert [data[start + HEADER_SIZE : end] for _, start, end in packets] == parts
    assert [sequence for sequence, _, _ in packets] == [first + n & 0xFF for n in range(len(parts))]
    assert following == first + len(parts) & 0xFF


@given(payloads.flatmap(lambda parts: st.tuples(st.just(parts), cuts(sum(map(len, parts)) + 4 * len(parts)))))
def test_any_cut_gives_the_same_messages(case: tuple[list[bytes], list[int]]) -> None:
    parts, places = case
    data, _ = encode_all(parts, 0)
    reader, got = PacketReader(LIMIT), []
    for piece in pieces(data, places):
        reader.receive(piece)
        while (message := reader.message()) is not None:
            got.append(message)
    assert [message.payload for message in got] == parts
    assert b"".join(message.encode() for message in got) == data
    assert reader.pending == 0


@pytest.mark.parametrize("size", [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD, 2 * MAX_PAYLOAD + 7])
def test_long_payloads_span_packets(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    payload = payload[:size]
    data = encode(payload, 254)
    packets, consumed = split(data, 0)
    assert consumed == len(data)
    assert len(packets) == packet_count(size)
    assert [sequence for sequence, _, _ in packets] == [254 + n & 0xFF for n in range(len(packets))]
    reader = PacketReader(LIMIT, 254)
    for start in range(0, len(data), 5_000_000):
        assert reader.message() is None
        reader.receive(data[start : start + 5_000_000])
    assert reader.message() == Message(payload, 254, 254 + len(packets) & 0xFF)
    renumbered, following = resequence(data, 7)
    assert renumbered == encode(payload, 7)
    assert following == 7 + len(packets)


def test_a_wrong_sequence_id_is_told() -> None:
    reader = PacketReader(LIMIT)
    reader.receive(encode(b"\x0e", 1))
    with pytest.raises(WireError) as caught:
        reader.message()
    assert (caught.value.errno, caught.value.sqlstate) == (OUT_OF_ORDER, "08S01")


def test_every_command_starts_anew() -> None:
    reader = PacketReader(LIMIT)
    reader.receive(encode(b"\x0e", 0) + encode(b"\x01", 0))
    assert reader.message() == Message(b"\x0e", 0, 1)
    reader.expect(0)
    assert reader.message() == Message(b"\x01", 0, 1)
    assert reader.message() is None


def test_a_payload_over_the_limit_is_told_from_its_header() -> None:
    for reader, data in (
        (PacketReader(100), b"\x65\0\0\0"),
        (PacketReader(MAX_PAYLOAD + 3), encode(bytes(MAX_PAYLOAD + 4), 0)[: HEADER_SIZE + MAX_PAYLOAD + HEADER_SIZE]),
    ):
        reader.receive(data)
        with pytest.raises(WireError) as caught:
            reader.message()
        assert caught.value.errno == TOO_LARGE
    with pytest.raises(PeerError):
        split(b"\x65\0\0\0", 0, 100)


def test_the_rest_can_be_taken() -> None:
    reader = PacketReader(LIMIT)
    reader.receive(encode(b"a", 0) + b"rest")
    assert reader.message() == Message(b"a", 0, 1)
    assert reader.take_rest() == b"rest"
    assert reader.pending == 0


def test_only_whole_packets_are_numbered_anew() -> None:
    with pytest.raises(UsageError):
        resequence(encode(b"abc", 0)[:-1], 1)
    assert resequence(b"", 9) == (b"", 9)


@given(st.binary(max_size=60), st.integers(0, 255))
def test_garbage_is_a_peer_error_or_waits(data: bytes, sequence: int) -> None:
    reader = PacketReader(1000, sequence)
    reader.receive(data)
    try:
        while (message := reader.message()) is not None:
            assert message.encode() in data
    except PeerError:
        pass
