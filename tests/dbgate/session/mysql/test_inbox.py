"""Cutting the client's bytes into commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbgate.session.mysql.inbox import Inbox
from protocols.errors import PeerError
from protocols.mysql.packets import MAX_PAYLOAD, encode


def commands(box: Inbox) -> list[tuple[bytes, bytes, int]]:
    found = []
    while (sending := box.command()) is not None:
        again = box.command()
        assert again is not None
        assert again.payload == sending.payload, "it stays until it is done"
        found.append((sending.payload, sending.raw, sending.next))
        box.done()
    return found


@given(st.lists(st.binary(max_size=20), max_size=8), st.lists(st.integers(1, 7), min_size=1), st.booleans())
def test_any_pieces(payloads: list[bytes], sizes: list[int], at_once: bool) -> None:
    data, box, found, at = b"".join(encode(each, 0) for each in payloads), Inbox(1000), [], 0
    for size in sizes * (len(data) + 1):
        box.add(data[at : at + size])
        at += size
        if not at_once:
            found += commands(box)
    found += commands(box)
    assert found == [(each, encode(each, 0), 1) for each in payloads]
    assert len(box) == 0


@pytest.mark.parametrize("size", [MAX_PAYLOAD - 1, MAX_PAYLOAD, MAX_PAYLOAD + 1, 2 * MAX_PAYLOAD, 2 * MAX_PAYLOAD + 9])
@pytest.mark.parametrize("piece", [1 << 18, MAX_PAYLOAD, 1 << 26])
def test_commands_of_several_packets(size: int, piece: int) -> None:
    payload = b"\3" + b"x" * (size - 1)
    data, box, found = encode(b"\x0e", 0) + encode(payload, 0) + encode(b"\1", 0), Inbox(1 << 26), []
    for start in range(0, len(data), piece):
        box.add(data[start : start + piece])
        found += commands(box)
    packets = size // MAX_PAYLOAD + 1
    assert found == [
        (b"\x0e", encode(b"\x0e", 0), 1),
        (payload, encode(payload, 0), packets),
        (b"\1", b"\1\0\0\0\1", 1),
    ]


def test_a_long_command_is_joined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the time for its copies grows with the square of its packets."""
    joined, join = [], Inbox._join

    def noted(box: Inbox) -> None:
        joined.append(len(box))
        join(box)

    monkeypatch.setattr(Inbox, "_join", noted)
    box, packet = Inbox(1 << 30), b"\xff\xff\xff%c" + bytes(MAX_PAYLOAD)
    for number in range(4):
        data = packet % number
        for start in range(0, len(data), 1 << 20):
            box.add(data[start : start + (1 << 20)])
            assert box.command() is None
    box.add(b"\0\0\0\4")
    assert commands(box)[0][2] == 5
    assert joined == [4 * (MAX_PAYLOAD + 4) + 4]


def test_a_limit_is_told_by_the_header() -> None:
    box = Inbox(1000)
    box.add(b"\xe9\3\0\0")
    with pytest.raises(PeerError, match="max_allowed_packet"):
        box.command()
    box = Inbox(MAX_PAYLOAD + 100)
    box.add(b"\xff\xff\xff\0" + bytes(MAX_PAYLOAD))
    assert box.command() is None
    box.add(b"\x61\0\0\1")
    with pytest.raises(PeerError, match="max_allowed_packet"):
        box.command()


@pytest.mark.parametrize("data", [b"\1\0\0\1\1", b"\xff\xff\xff\0" + bytes(MAX_PAYLOAD) + b"\1\0\0\2x"])
def test_wrong_sequence_ids(data: bytes) -> None:
    box = Inbox(1 << 26)
    box.add(data)
    with pytest.raises(PeerError, match="sequence"):
        box.command()
    assert box.next == data[-2] + 1
