"""Packets: a 24-bit length, a sequence id, the payload. Payloads from 16 MB - 1 on span several packets.

Source: MySQL internals, "MySQL Packets". The sequence id starts at 0 with each command and goes on through its reply,
modulo 256. A packet of exactly `MAX_PAYLOAD` bytes is continued by the next one, which may be empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from struct import Struct

from protocols.errors import UsageError
from protocols.mysql.faults import out_of_order, too_large

HEADER_SIZE = 4
MAX_PAYLOAD = 0xFFFFFF
HEADER = Struct("<I")  # the sequence id is the highest byte


def split(buffer: bytes, start: int, limit: int = MAX_PAYLOAD) -> tuple[list[tuple[int, int, int]], int]:
    """Return `([(sequence, start, end), ...], consumed)` for the complete packets in `buffer[start:]`.

    `buffer[start:end]` is one packet, its payload begins at `start + HEADER_SIZE`. Long payloads are not joined here
    and sequence ids not checked (`PacketReader` does both). A length above `limit` raises `PeerError` before the rest
    is waited for.
    """
    unpack = HEADER.unpack_from
    packets: list[tuple[int, int, int]] = []
    size = len(buffer)
    while size - start >= HEADER_SIZE:
        header = unpack(buffer, start)[0]
        length = header & MAX_PAYLOAD
        if length > limit:
            raise too_large(limit)
        end = start + HEADER_SIZE + length
        if end > size:
            break
        packets.append((header >> 24, start, end))
        start = end
    return packets, start


def encode(payload: bytes, sequence: int) -> bytes:
    """The packets of one payload, the first with sequence id `sequence` (taken modulo 256)."""
    size = len(payload)
    if size < MAX_PAYLOAD:
        return HEADER.pack(size | (sequence & 0xFF) << 24) + payload
    return b"".join(
        HEADER.pack(min(MAX_PAYLOAD, size - begin) | (sequence + number & 0xFF) << 24)
        + payload[begin : begin + MAX_PAYLOAD]
        for number, begin in enumerate(range(0, size + 1, MAX_PAYLOAD))
    )


def packet_count(size: int) -> int:
    """How many packets a payload of `size` bytes takes."""
    return size // MAX_PAYLOAD + 1


def encode_all(payloads: Iterable[bytes], sequence: int) -> tuple[bytes, int]:
    """The packets of several payloads in a row, and the sequence id that comes next."""
    pieces = []
    for payload in payloads:
        pieces.append(encode(payload, sequence))
        sequence = sequence + packet_count(len(payload)) & 0xFF
    return b"".join(pieces), sequence


def resequence(data: bytes, sequence: int) -> tuple[bytes, int]:
    """Number the whole packets in `data` anew from `sequence` on. Returns the packets and the next sequence id."""
    numbered = bytearray(data)
    unpack = HEADER.unpack_from
    position, size = 0, len(numbered)
    while size - position >= HEADER_SIZE:
        length = unpack(numbered, position)[0] & MAX_PAYLOAD
        numbered[position + 3] = sequence
        sequence = sequence + 1 & 0xFF
        position += HEADER_SIZE + length
    if position != size:
        raise UsageError("only whole packets can be numbered anew")
    return bytes(numbered), sequence


@dataclass(frozen=True, slots=True)
class Message:
    """One payload with its packets joined. `sequence` is its first packet's id, `next` an answer's first id."""

    payload: bytes
    sequence: int
    next: int

    def encode(self) -> bytes:
        """The packets byte for byte as they came: there is only one way to cut a payload."""
        return encode(self.payload, self.sequence)


class PacketReader:
    """Joins the packets of one peer into messages and checks their sequence ids.

    Bytes go in with `receive`; `message()` returns the next whole `Message` or None. A command starts with sequence id
    0: call `expect(0)` before each (the login and COM_CHANGE_USER go on counting). `limit` bounds a joined payload in
    bytes; `PeerError` comes as soon as a header exceeds it.
    """

    __slots__ = ("_buffer", "_position", "_sequence", "limit")

    def __init__(self, limit: int, sequence: int = 0) -> None:
        self._buffer = bytearray()
        self._position = 0
        self._sequence = sequence
        self.limit = limit

    def receive(self, data: bytes) -> None:
        """Bytes of the peer, cut anywhere."""
        if self._position:
            del self._buffer[: self._position]
            self._position = 0
        self._buffer += data

    def expect(self, sequence: int) -> None:
        """The sequence id that the next packet must have."""
        self._sequence = sequence & 0xFF

    @property
    def pending(self) -> int:
        """Bytes that have come and belong to no message yet."""
        return len(self._buffer) - self._position

    def take_rest(self) -> bytes:
        """All bytes not yet read, e.g. what follows an SSLRequest. They are gone from here."""
        rest = bytes(self._buffer[self._position :])
        self._buffer.clear()
        self._position = 0
        return rest

    def message(self) -> Message | None:
        """The next message, or None while it is incomplete."""
        position, sequence, total = self._position, self._sequence, 0
        parts = []
        while True:
            if len(self._buffer) - position < HEADER_SIZE:
                return None
            length, position = self._header(position, sequence, total)
            sequence = sequence + 1 & 0xFF
            if len(self._buffer) - position < length:
                return None
            parts.append((position, position + length))
            position += length
            total += length
            if length < MAX_PAYLOAD:
                break
        return self._joined(parts, position, sequence)

    def _header(self, position: int, sequence: int, total: int) -> tuple[int, int]:
        """The length of the packet at `position`, and where its payload begins."""
        header = HEADER.unpack_from(self._buffer, position)[0]
        if header >> 24 != sequence:
            raise out_of_order(sequence, header >> 24)
        length = header & MAX_PAYLOAD
        if total + length > self.limit:
            raise too_large(self.limit)
        return length, position + HEADER_SIZE

    def _joined(self, parts: list[tuple[int, int]], position: int, following: int) -> Message:
        with memoryview(self._buffer) as view:
            payload = b"".join(view[start:end] for start, end in parts)
        first, self._sequence, self._position = self._sequence, following, position
        return Message(payload, first, following)
