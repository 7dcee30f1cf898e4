"""How the local audit log frames its records.

One record is one line: `<sequence> <length> <hash> <json>\\n`.

- `sequence`: decimal, counts the records of a stream from 0 without a gap, across its segments;
- `length`: decimal, bytes of the JSON text (a torn tail never looks whole);
- `hash`: 64 hexadecimal digits, SHA-256 of the previous record's hash (32 bytes; zeros for the first) and the JSON.

A line is read back only when writing its parts again gives the very same bytes, so no byte of it can change unseen.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

GENESIS = bytes(32)


class Record(NamedTuple):
    """A whole line. `offset` and `end` are byte positions in the segment; `hash` is what the line states."""

    sequence: int
    hash: bytes
    payload: bytes
    offset: int
    end: int

    def follows(self, previous: bytes) -> bool:
        """Whether the stated hash is the link over `previous` and this payload."""
        return sha256(previous + self.payload).digest() == self.hash


class Garbled(NamedTuple):
    """A line that ends, but is not a record."""

    offset: int
    end: int


def write_record(sequence: int, previous: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """The record's line and its hash."""
    link = sha256(previous + payload).digest()
    return _line(sequence, link, payload), link


def read_record(buffer: bytes, offset: int) -> Record | Garbled | None:
    """The line at `offset` of `buffer`; None when it has no end yet."""
    end = buffer.find(b"\n", offset) + 1
    if not end:
        return None
    line = buffer[offset:end]
    try:
        number, _, link, payload = line[:-1].split(b" ", 3)
        sequence, digest = int(number), bytes.fromhex(link.decode("ascii"))
    except ValueError:
        return Garbled(offset, end)
    if line != _line(sequence, digest, payload):
        return Garbled(offset, end)
    return Record(sequence, digest, payload, offset, end)


def read_records(buffer: bytes, offset: int = 0) -> Iterator[Record | Garbled]:
    """Every line that ends; what follows the last of them is a torn tail (or is being written)."""
    while (record := read_record(buffer, offset)) is not None:
        yield record
        offset = record.end


def _line(sequence: int, link: bytes, payload: bytes) -> bytes:
    return b"%d %d %s %s\n" % (sequence, len(payload), link.hex().encode(), payload)
