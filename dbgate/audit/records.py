"""How the local audit log frames its records.

One record is one line: `<sequence> <length> <hash> <json>\\n`.

- `sequence`: decimal, counts the records of a stream from 0 without a gap, across its segments;
- `length`: decimal, bytes of the JSON text (a torn tail never looks whole);
- `hash`: 64 hexadecimal digits, SHA-256 of the previous record's hash (32 bytes; zeros for the first) and the JSON.

A line is read back only when writing its parts again gives the very same bytes, so no byte of it can change unseen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Record:
    """A whole line. `offset` and `end` are byte positions in the segment; `hash` is what the line states."""

    sequence: int
    hash: bytes
    payload: bytes
    offset: int
    end: int

    def follows(self, previous: bytes) -> bool:
        """Whether the stated hash is the link over `previous` and this payload."""
        return sha256(previous + self.payload).digest() == self.hash


@dataclass(frozen=True, slots=True)
class Garbled:
    """A line that ends, but is not a record."""

    offset: int
    end: int


def write_record(sequence: int, previous: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """The record's line and its hash."""
    link = sha256(previous + payload).digest()
    return b"%d %d %s %s\n" % (sequence, len(payload), link.hex().encode(), payload), link


def read_record(buffer: bytes, offset: int) -> Record | Garbled | None:
    """The line at `offset` of `buffer`; None when it has no end yet."""
    end = buffer.find(b"\n", offset) + 1
    if not end:
        return None
    line = buffer[offset:end]
    try:
        sequence, length, digest, payload = line[:-1].split(b" ", 3)
        record = Record(int(sequence), bytes.fromhex(digest.decode("ascii")), payload, offset, end)
    except ValueError:
        return Garbled(offset, end)
    return record if line == _line(record) and int(length) == len(payload) else Garbled(offset, end)


def read_records(buffer: bytes, offset: int = 0) -> Iterator[Record | Garbled]:
    """Every line that ends; what follows the last of them is a torn tail (or is being written)."""
    while (record := read_record(buffer, offset)) is not None:
        yield record
        offset = record.end


def _line(record: Record) -> bytes:
    return b"%d %d %s %s\n" % (record.sequence, len(record.payload), record.hash.hex().encode(), record.payload)
