"""Walking over the packets of rows by their headers, without an object for each."""

from __future__ import annotations

import sys
from struct import Struct
from typing import Final

from protocols.mysql.faults import out_of_order
from protocols.mysql.packets import HEADER, HEADER_SIZE, MAX_PAYLOAD

ALL_ROWS: Final = sys.maxsize
FIRST: Final = Struct("<IB")  # a header and the payload's first byte
PEEK: Final = FIRST.size
_NEXT_SEQUENCE = 1 << 24
_SEQUENCES = 0xFFFFFFFF


def packet_length(buffer: bytes, start: int, sequence: int) -> int:
    """The length of the packet at `start`, its sequence id checked."""
    header: int = HEADER.unpack_from(buffer, start)[0]
    if header >> 24 != sequence:
        raise out_of_order(sequence, header >> 24)
    return header & MAX_PAYLOAD


def skip_rows(buffer: bytes, start: int, sequence: int, binary: bool, most: int = ALL_ROWS) -> tuple[int, int, int]:
    """Walk over complete rows of one packet each: `(end, sequence id of the next packet, rows)`.

    Stops at the first packet that is incomplete, empty, out of order, as long as a packet can be, or that begins with a
    byte that may end the rows (0xFE and 0xFF; anything but 0x00 in binary rows): those are told apart by `ReplyReader`.
    """
    unpack = FIRST.unpack_from
    highest = 0 if binary else 0xFD
    size = len(buffer)
    last = size - PEEK
    expected = sequence << 24
    position, rows = start, 0
    while position <= last:
        header, first = unpack(buffer, position)
        length = header - expected  # out of its range when the sequence id is another
        if first > highest or not 0 < length < MAX_PAYLOAD:
            break
        end = position + HEADER_SIZE + length
        if end > size or rows == most:
            break
        position = end
        expected = expected + _NEXT_SEQUENCE & _SEQUENCES
        rows += 1
    return position, expected >> 24, rows
