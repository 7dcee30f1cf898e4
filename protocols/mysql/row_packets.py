"""Walking over the packets of rows by their headers, without an object for each."""

from __future__ import annotations

import sys
from itertools import chain, cycle, islice
from struct import Struct
from struct import error as struct_error
from typing import Final

from protocols.mysql.faults import out_of_order
from protocols.mysql.packets import HEADER, HEADER_SIZE, MAX_PAYLOAD

ALL_ROWS: Final = sys.maxsize
FIRST: Final = Struct("<IB")  # a header and the payload's first byte
PEEK: Final = FIRST.size
_SEQUENCES: Final = tuple(number << 24 for number in range(256))  # as they stand in a header


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
    size, position, rows = len(buffer), start, 0
    try:
        for due in islice(chain(_SEQUENCES[sequence:], cycle(_SEQUENCES)), most):
            header, first = unpack(buffer, position)
            length = header - due  # out of its range when the sequence id is another
            if first > highest or not 0 < length < MAX_PAYLOAD:
                break
            end = position + HEADER_SIZE + length
            if end > size:
                break
            position = end
            rows += 1
    except struct_error:  # not even a header and one byte are left
        pass
    return position, sequence + rows & 0xFF, rows
