"""Reading one reply: what each packet is follows from the command, the phase, the capabilities and the length.

Source: MySQL internals, "Command Phase", "COM_QUERY Response", "COM_STMT_PREPARE Response", "COM_STMT_FETCH".
A packet's first byte alone says little: 0x00 begins an OK packet, a binary row and a text row with an empty first
column; 0xFE an EOF packet, the OK packet that ends rows under CLIENT_DEPRECATE_EOF, and a text row whose first column
is longer than 16 MB; 0xFB a LOCAL INFILE request and a NULL.

Rows are never looked at one by one: the loop in `_whole_packets` walks their headers, and whole slices pass.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, TypeAlias

from protocols.errors import UsageError
from protocols.mysql.capabilities import UNREADABLE, Capability, StatusFlag
from protocols.mysql.faults import malformed, out_of_order, too_large
from protocols.mysql.packets import HEADER_SIZE, MAX_PAYLOAD
from protocols.mysql.pieces import Columns, Expect, Fields, Kind, Piece, Prepared, Value, expected
from protocols.mysql.replies import (
    EOF_HEADER,
    ERR_HEADER,
    LOCAL_INFILE_HEADER,
    OK_HEADER,
    Eof,
    Ok,
    decode_eof,
    decode_err,
    decode_ok,
    decode_prepare_ok,
)
from protocols.mysql.row_packets import ALL_ROWS, FIRST, PEEK, packet_length, skip_rows
from protocols.mysql.wire import Reader

__all__ = [  # the pieces and the loop live in their own modules, offered here as well
    "ALL_ROWS",
    "Columns",
    "Expect",
    "Fields",
    "Kind",
    "Piece",
    "Prepared",
    "ReplyReader",
    "Value",
    "expected",
    "skip_rows",
]

MOST_COLUMNS: Final = 0xFFFF  # a server allows 4096
HEAD_LIMIT: Final = 0x4000000  # bytes of one set of definitions
ROW_LIMIT: Final = 0x40000000  # 1 GiB, the largest max_allowed_packet

_AUTH_HEADERS = (0x01, 0xFE)
_OUT_PARAMETERS = StatusFlag.PS_OUT_PARAMS | StatusFlag.MORE_RESULTS_EXISTS


class _Phase(Enum):
    HEAD = "head"
    ROWS = "rows"
    OK = "OK"
    PREPARE = "prepare"
    FIELDS = "fields"
    TEXT = "text"
    AUTH = "auth"
    COMPLETE = "complete"


_FIRST_PHASE: Final = {
    Expect.NOTHING: _Phase.COMPLETE,
    Expect.OK: _Phase.OK,
    Expect.TEXT_RESULT: _Phase.HEAD,
    Expect.BINARY_RESULT: _Phase.HEAD,
    Expect.FETCH: _Phase.ROWS,
    Expect.PREPARE: _Phase.PREPARE,
    Expect.FIELD_LIST: _Phase.FIELDS,
    Expect.STATISTICS: _Phase.TEXT,
    Expect.AUTH: _Phase.AUTH,
}


class ReplyReader:
    """Reads one reply, piece by piece. Every irregularity raises `PeerError`.

    `next(buffer, start)` returns the piece that begins at `buffer[start]`, or None while it is incomplete; pieces lie
    side by side. `sequence` is the id of the next packet. `whole_rows`: hand over only whole rows, all their packets
    joined in one slice; otherwise bytes of rows pass as they come. It may be changed after COLUMNS.
    """

    __slots__ = (
        "_binary",
        "_continued",
        "_deprecate_eof",
        "_fetching",
        "_first",
        "_out_parameters",
        "_owed",
        "_phase",
        "capabilities",
        "row_limit",
        "sequence",
        "whole_rows",
    )

    def __init__(self, expect: Expect, capabilities: Capability, sequence: int = 1, whole_rows: bool = True) -> None:
        if capabilities & UNREADABLE or not capabilities & Capability.PROTOCOL_41:
            raise UsageError(f"replies under {capabilities!r} cannot be read")
        self.capabilities = capabilities
        self.sequence = sequence & 0xFF
        self.whole_rows = whole_rows
        self.row_limit = ROW_LIMIT
        self._deprecate_eof = bool(capabilities & Capability.DEPRECATE_EOF)
        self._phase = _FIRST_PHASE[expect]
        self._binary = expect in (Expect.BINARY_RESULT, Expect.FETCH)
        self._fetching = expect is Expect.FETCH
        self._first = True  # nothing has come yet
        self._owed = 0  # bytes of a row's packet that are still to come
        self._continued = False  # the next packet goes on with a row
        self._out_parameters = StatusFlag(0)

    @property
    def complete(self) -> bool:
        """Whether the reply has ended."""
        return self._phase is _Phase.COMPLETE

    @property
    def in_rows(self) -> bool:
        """Whether rows or their end come next."""
        return self._phase is _Phase.ROWS

    @property
    def amid_row(self) -> bool:
        """Whether a row has passed in part: nothing may be put in between."""
        return self._owed > 0 or self._continued

    def expect(self, sequence: int) -> None:
        """The sequence id of the server's next packet, after the client has answered AUTH or LOCAL_INFILE."""
        self.sequence = sequence & 0xFF

    def next(self, buffer: bytes, start: int, most_rows: int = ALL_ROWS) -> Piece | None:
        """The piece at `buffer[start]`; a ROWS piece has at most `most_rows` rows (more than 0)."""
        if self._phase is _Phase.ROWS:
            return self._rows(buffer, start, most_rows)
        if self._phase is _Phase.COMPLETE:
            if start < len(buffer):
                raise malformed("reply", "a packet after its end")
            return None
        if (packet := self._packet(buffer, start)) is None:
            return None
        return _READ[self._phase](self, buffer, start, packet)

    # One packet.

    def _packet(self, buffer: bytes, start: int) -> tuple[int, int] | None:
        """Where the payload of the reply's next packet lies, or None. Not for rows: it never spans packets."""
        return self._located(buffer, start, self.sequence)

    def _located(self, buffer: bytes, start: int, sequence: int) -> tuple[int, int] | None:
        if len(buffer) - start < PEEK:
            if buffer[start : start + 3] == b"\0\0\0" and len(buffer) - start == HEADER_SIZE:
                raise malformed("reply", "an empty packet")
            return None
        header, first = FIRST.unpack_from(buffer, start)
        if header >> 24 != sequence and not self._out_of_turn(header >> 24, first):
            raise out_of_order(sequence, header >> 24)
        if not 0 < (length := header & MAX_PAYLOAD) < MAX_PAYLOAD:
            raise too_large(MAX_PAYLOAD - 1) if length else malformed("reply", "an empty packet")
        end = start + HEADER_SIZE + length
        return (start + HEADER_SIZE, end) if end <= len(buffer) else None

    def _out_of_turn(self, sequence: int, first: int) -> bool:
        """A server that ends the connection by itself numbers its ERR packet from 0."""
        return self._first and sequence == 0 and first == ERR_HEADER

    def _done(self, piece: Piece, phase: _Phase, packets: int) -> Piece:
        self._phase = phase
        self._first = False
        self.sequence = self.sequence + packets & 0xFF
        return piece

    # Replies of one packet.

    def _ok(self, buffer: bytes, start: int, packet: tuple[int, int]) -> Piece:
        """OK, EOF or ERR."""
        begin, end = packet
        payload = buffer[begin:end]
        first = payload[0]
        if first == ERR_HEADER:
            return self._err(start, payload, end)
        if first == EOF_HEADER and not self._deprecate_eof:
            return self._done(Piece(Kind.OK, start, end, decode_eof(payload)), _Phase.COMPLETE, 1)
        return self._done(Piece(Kind.OK, start, end, decode_ok(payload, self.capabilities)), _Phase.COMPLETE, 1)

    def _err(self, start: int, payload: bytes, end: int) -> Piece:
        return self._done(Piece(Kind.ERR, start, end, decode_err(payload)), _Phase.COMPLETE, 1)

    def _text(self, buffer: bytes, start: int, packet: tuple[int, int]) -> Piece:
        payload = buffer[packet[0] : packet[1]]
        if payload[0] == ERR_HEADER:
            return self._err(start, payload, packet[1])
        return self._done(Piece(Kind.TEXT, start, packet[1], payload), _Phase.COMPLETE, 1)

    def _auth(self, buffer: bytes, start: int, packet: tuple[int, int]) -> Piece:
        payload = buffer[packet[0] : packet[1]]
        if payload[0] in _AUTH_HEADERS:
            return self._done(Piece(Kind.AUTH, start, packet[1], payload), _Phase.AUTH, 1)
        return self._ok(buffer, start, packet)

    # Results.

    def _head(self, buffer: bytes, start: int, packet: tuple[int, int]) -> Piece | None:
        begin, end = packet
        first = buffer[begin]
        if first == OK_HEADER:
            ok = decode_ok(buffer[begin:end], self.capabilities)
            more = bool(ok.status & StatusFlag.MORE_RESULTS_EXISTS)
            return self._done(Piece(Kind.OK, start, end, ok, 0, more), self._after(more), 1)
        if first == ERR_HEADER:
            return self._err(start, buffer[begin:end], end)
        if first == LOCAL_INFILE_HEADER:
            return self._done(Piece(Kind.LOCAL_INFILE, start, end, buffer[begin + 1 : end]), _Phase.HEAD, 1)
        return self._columns(buffer, start, packet)

    def _after(self, more: bool) -> _Phase:
        return _Phase.HEAD if more else _Phase.COMPLETE

    def _columns(self, buffer: bytes, start: int, packet: tuple[int, int]) -> Piece | None:
        reader = Reader(buffer, "column count", *packet)
        count = reader.lenenc("column count")
        reader.finish()
        if not 0 < count <= MOST_COLUMNS:
            raise malformed("column count", str(count))
        found = self._definitions(buffer, packet[1], count, self.sequence + 1)
        if found is None:
            return None
        columns, end, packets = found
        status = columns.eof.status if columns.eof else StatusFlag(0)
        self._out_parameters = status & _OUT_PARAMETERS if StatusFlag.PS_OUT_PARAMS in status else StatusFlag(0)
        if StatusFlag.CURSOR_EXISTS in status:  # the rows wait for COM_STMT_FETCH
            more = bool(status & StatusFlag.MORE_RESULTS_EXISTS)
            return self._done(Piece(Kind.COLUMNS, start, end, columns, 0, more), self._after(more), packets + 1)
        return self._done(Piece(Kind.COLUMNS, start, end, columns), _Phase.ROWS, packets + 1)

    def _definitions(
        self, buffer: bytes, start: int, count: int, sequence: int, limit: int = HEAD_LIMIT
    ) -> tuple[Columns, int, int] | None:
        """`count` definitions and their EOF from `start` on: `(columns, end, packets)`. The reader does not move."""
        payloads, position, packets = [], start, 0
        for _ in range(count):
            if (packet := self._located(buffer, position, sequence + packets & 0xFF)) is None:
                _check_size(len(buffer) - start, limit)
                return None
            payloads.append(buffer[packet[0] : packet[1]])
            if payloads[-1][0] >= LOCAL_INFILE_HEADER:
                raise malformed("column definition", "another packet is in its place")
            position = packet[1]
            packets += 1
        if not count or self._deprecate_eof:
            return Columns(tuple(payloads), self._binary, None), position, packets
        if (packet := self._located(buffer, position, sequence + packets & 0xFF)) is None:
            _check_size(len(buffer) - start, limit)
            return None
        eof = decode_eof(buffer[packet[0] : packet[1]])
        return Columns(tuple(payloads), self._binary, eof), packet[1], packets + 1

    def _prepared(self, buffer: bytes, start: int, packet: tuple[int, int]) -> Piece | None:
        payload = buffer[packet[0] : packet[1]]
        if payload[0] == ERR_HEADER:
            return self._err(start, payload, packet[1])
        ok = decode_prepare_ok(payload)
        parameters = self._definitions(buffer, packet[1], ok.parameters, self.sequence + 1)
        if parameters is None:
            return None
        columns = self._definitions(buffer, parameters[1], ok.columns, self.sequence + 1 + parameters[2])
        if columns is None:
            return None
        piece = Piece(Kind.PREPARED, start, columns[1], Prepared(ok, parameters[0], columns[0]))
        return self._done(piece, _Phase.COMPLETE, 1 + parameters[2] + columns[2])

    def _field_list(self, buffer: bytes, start: int, packet: tuple[int, int]) -> Piece | None:
        payloads: list[bytes] = []
        found: tuple[int, int] | None = packet
        while found is not None:
            payload = buffer[found[0] : found[1]]
            if payload[0] == EOF_HEADER:
                fields = Fields(tuple(payloads), self._end_of_rows(payload))
                return self._done(Piece(Kind.FIELDS, start, found[1], fields), _Phase.COMPLETE, len(payloads) + 1)
            if payload[0] == ERR_HEADER and not payloads:
                return self._err(start, payload, found[1])
            if payload[0] >= LOCAL_INFILE_HEADER:
                raise malformed("field list", "another packet is in the place of a definition")
            payloads.append(payload)
            found = self._located(buffer, found[1], self.sequence + len(payloads) & 0xFF)
        _check_size(len(buffer) - start, HEAD_LIMIT)
        return None

    # Rows.

    def _rows(self, buffer: bytes, start: int, most: int) -> Piece | None:
        if self.amid_row:
            return self._rest_of_row(buffer, start)
        end, sequence, rows = skip_rows(buffer, start, self.sequence, self._binary, most)
        if rows:
            self.sequence = sequence
            return Piece(Kind.ROWS, start, end, None, rows)
        if len(buffer) - start < PEEK:
            self._packet(buffer, start)  # an empty packet is an error, not something to wait for
            return None
        return self._row_or_end(buffer, start)

    def _row_or_end(self, buffer: bytes, start: int) -> Piece | None:
        """What stopped `skip_rows`: the end, a row that is longer than what is there, or an error."""
        header, first = FIRST.unpack_from(buffer, start)
        long_first_column = first == EOF_HEADER and header & MAX_PAYLOAD == MAX_PAYLOAD and not self._binary
        if first >= EOF_HEADER and not long_first_column:
            packet = self._packet(buffer, start)
            return packet and self._end(buffer, start, packet)
        if header >> 24 != self.sequence:
            raise out_of_order(self.sequence, header >> 24)
        if not header & MAX_PAYLOAD or (self._binary and first):
            raise malformed("row", f"its first byte is 0x{first:02x}" if header & MAX_PAYLOAD else "an empty packet")
        return self._whole_row(buffer, start) if self.whole_rows else self._rest_of_row(buffer, start)

    def _end(self, buffer: bytes, start: int, packet: tuple[int, int]) -> Piece:
        payload = buffer[packet[0] : packet[1]]
        if payload[0] == ERR_HEADER:
            return self._err(start, payload, packet[1])
        end = self._end_of_rows(payload)
        # Without CLIENT_DEPRECATE_EOF, MySQL says only before the OUT parameters' row that another result follows.
        status = end.status | self._out_parameters
        more = not self._fetching and StatusFlag.MORE_RESULTS_EXISTS in status
        return self._done(Piece(Kind.ROWS_END, start, packet[1], end, 0, more), self._after(more), 1)

    def _end_of_rows(self, payload: bytes) -> Ok | Eof:
        return decode_ok(payload, self.capabilities) if self._deprecate_eof else decode_eof(payload)

    def _whole_row(self, buffer: bytes, start: int) -> Piece | None:
        """One row of one or more packets, or None while it is incomplete."""
        position, sequence, length = start, self.sequence, MAX_PAYLOAD
        while length == MAX_PAYLOAD:
            if len(buffer) - position < HEADER_SIZE:
                return None
            length = packet_length(buffer, position, sequence)
            position += HEADER_SIZE + length
            if position - start > self.row_limit:
                raise too_large(self.row_limit)
            if position > len(buffer):
                return None
            sequence = sequence + 1 & 0xFF
        self.sequence = sequence
        return Piece(Kind.ROWS, start, position, None, 1)

    def _rest_of_row(self, buffer: bytes, start: int) -> Piece | None:
        """Bytes of one packet of a row, as many as there are."""
        position = start
        if not self._owed:
            if len(buffer) - start < HEADER_SIZE:
                return None
            self._owed = packet_length(buffer, start, self.sequence)
            self._continued = self._owed == MAX_PAYLOAD
            self.sequence = self.sequence + 1 & 0xFF
            position += HEADER_SIZE
        size = min(self._owed, len(buffer) - position)
        if position + size == start:
            return None
        self._owed -= size
        return Piece(Kind.ROWS, start, position + size, None, 0 if self.amid_row else 1)


def _check_size(size: int, limit: int) -> None:
    """A set of definitions that is still incomplete may not grow without end."""
    if size > limit:
        raise too_large(limit)


_Read: TypeAlias = Callable[[ReplyReader, bytes, int, tuple[int, int]], Piece | None]
_READ: Final[dict[_Phase, _Read]] = {
    _Phase.HEAD: ReplyReader._head,
    _Phase.OK: ReplyReader._ok,
    _Phase.PREPARE: ReplyReader._prepared,
    _Phase.FIELDS: ReplyReader._field_list,
    _Phase.TEXT: ReplyReader._text,
    _Phase.AUTH: ReplyReader._auth,
}
