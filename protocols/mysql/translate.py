"""Replies from one set of capabilities to another, and the sequence ids that follow from it.

Source: MySQL internals, "CLIENT_DEPRECATE_EOF", "CLIENT_SESSION_TRACK". Where both sides have agreed on the same,
packets pass as they are. Otherwise EOF and OK packets change into each other, the EOF behind definitions comes or goes
(every packet after it has another sequence id), session state is left out, MariaDB's extended metadata is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from protocols.errors import UsageError
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.packets import HEADER, HEADER_SIZE, MAX_PAYLOAD, encode, encode_all, split
from protocols.mysql.pieces import Columns, Fields, Kind, Piece, Prepared
from protocols.mysql.replies import EOF_HEADER, OK_HEADER, Eof, Ok
from protocols.mysql.wire import lenenc

TRANSLATED: Final = Capability.DEPRECATE_EOF | Capability.SESSION_TRACK | Capability.MARIADB_EXTENDED_METADATA
_SEQUENCE = 3  # where it stands in a packet's header
_OF_OUT_PARAMETERS = StatusFlag.PS_OUT_PARAMS | StatusFlag.MORE_RESULTS_EXISTS
_OF_ONE_REPLY = StatusFlag.CURSOR_EXISTS | StatusFlag.LAST_ROW_SENT | _OF_OUT_PARAMETERS


def renumber(data: bytes, shift: int, owed: int = 0) -> tuple[bytes, int]:
    """Add `shift` to the sequence id of every packet that begins in `data`: `(new bytes, owed)`.

    `owed`: how many bytes of a packet that began earlier come first; the one returned is for the call after this. A
    header must be there as a whole: `UsageError` otherwise (the pieces of `ReplyReader` never cut one).
    """
    changed = bytearray(data)
    unpack, size, position = HEADER.unpack_from, len(data), owed
    while position < size:
        if size - position < HEADER_SIZE:
            raise UsageError("a packet's header is cut in two")
        length = unpack(changed, position)[0] & MAX_PAYLOAD
        changed[position + _SEQUENCE] = changed[position + _SEQUENCE] + shift & 0xFF
        position += HEADER_SIZE + length
    return bytes(changed), position - size


class Translator:
    """Turns the pieces of one reply, in their order, into what the client must get.

    `shift`: what the client's sequence ids are ahead of the server's (it may be changed from outside, when rows were
    rewritten into another number of packets). `status`: the server's last known status, for EOF packets that the server
    did not send.
    """

    __slots__ = ("_client", "_held", "_out_parameters", "_owed", "_same", "_strips", "_upstream", "shift", "status")

    def __init__(
        self,
        upstream: Capability,
        client: Capability,
        shift: int = 0,
        status: StatusFlag = StatusFlag.AUTOCOMMIT,
    ) -> None:
        if Capability.MARIADB_EXTENDED_METADATA in client & ~upstream:
            raise UsageError("extended metadata that the server does not send cannot be made up")
        self._upstream = upstream
        self._client = client
        self._strips = Capability.MARIADB_EXTENDED_METADATA in upstream & ~client
        self._same = not (upstream ^ client) & TRANSLATED
        self._held = False  # the client waits for the EOF behind the definitions
        self._out_parameters = StatusFlag(0)
        self._owed = 0
        self.shift = shift
        self.status = status

    def piece(self, buffer: bytes, piece: Piece) -> bytes:
        """The client's packets for `piece`, which lies in `buffer`."""
        if not self._same and piece.kind in _PAYLOADS:
            return self._written(buffer, piece, _PAYLOADS[piece.kind](self, piece))
        before = self.before_rows(buffer, piece) if self._held else b""
        data = buffer[piece.start : piece.end]
        if self.shift & 0xFF:
            data, self._owed = renumber(data, self.shift, self._owed)
        return before + data if before else data

    def before_rows(self, buffer: bytes, piece: Piece) -> bytes:
        """What must go to the client before the rows of `piece`, or before an error in their place: the EOF that was
        held back, or nothing. To be called for rows that are rewritten instead of going through `piece`."""
        if not self._held:
            return b""
        self._held = False
        eof = encode(Eof(self.status).encode(self._client), buffer[piece.start + _SEQUENCE] + self.shift)
        self.shift += 1
        return eof

    def _written(self, buffer: bytes, piece: Piece, payloads: Iterable[bytes]) -> bytes:
        sequence = buffer[piece.start + _SEQUENCE] + self.shift & 0xFF
        data, following = encode_all(payloads, sequence)
        came = len(split(buffer[piece.start : piece.end], 0)[0])
        self.shift += (following - sequence - came + 128) % 256 - 128
        return data

    @property
    def _deprecates(self) -> bool:
        return Capability.DEPRECATE_EOF in self._client

    def _end(self, end: Ok | Eof) -> bytes:
        """The end of something, as the client reads it: an EOF, or an OK."""
        self.status = end.status & ~(_OF_ONE_REPLY | StatusFlag.SESSION_STATE_CHANGED)
        if isinstance(end, Ok) and (end.header == OK_HEADER or self._deprecates):
            return end.encode(self._client)
        if self._deprecates:
            return Ok(status=end.status, warnings=end.warnings, header=EOF_HEADER).encode(self._client)
        return Eof(end.status, end.warnings).encode(self._client)

    def _ok(self, piece: Piece) -> list[bytes]:
        assert isinstance(piece.value, Ok | Eof)
        return [self._end(piece.value)]

    def _rows_end(self, piece: Piece) -> list[bytes]:
        end = piece.value
        assert isinstance(end, Ok | Eof)
        before = []
        if self._held and StatusFlag.CURSOR_EXISTS not in end.status:  # a cursor's only EOF is the one that tells of it
            before = [Eof(end.status, 0).encode(self._client)]
        self._held = False
        if isinstance(end, Eof) and self._deprecates:  # what MySQL says in the EOF before the row only
            end = Eof(end.status | self._out_parameters, end.warnings)
        return [*before, self._end(end)]

    def _head(self, piece: Piece) -> list[bytes]:
        columns = piece.value
        assert isinstance(columns, Columns)
        payloads = [lenenc(len(columns.payloads)), *self._definitions(columns)]
        status = columns.eof.status if columns.eof else StatusFlag(0)
        self._out_parameters = status & _OF_OUT_PARAMETERS if StatusFlag.PS_OUT_PARAMS in status else StatusFlag(0)
        if columns.eof and (not self._deprecates or StatusFlag.CURSOR_EXISTS in status):
            return [*payloads, self._end(columns.eof)]
        self._held = not self._deprecates
        return payloads

    def _definitions(self, columns: Columns) -> Iterable[bytes]:
        if not self._strips:
            return columns.payloads
        return [definition.encode(self._client) for definition in columns.definitions(self._upstream)]

    def _prepared(self, piece: Piece) -> list[bytes]:
        prepared = piece.value
        assert isinstance(prepared, Prepared)
        payloads = [prepared.ok.encode(self._client)]
        for columns in (prepared.parameters, prepared.columns):
            payloads += self._definitions(columns)
            if columns.payloads and not self._deprecates:
                payloads.append((columns.eof or Eof(self.status)).encode(self._client))
        return payloads

    def _fields(self, piece: Piece) -> list[bytes]:
        fields = piece.value
        assert isinstance(fields, Fields)
        payloads: Iterable[bytes] = fields.payloads
        if self._strips:
            payloads = [definition.encode(self._client) for definition in fields.definitions(self._upstream)]
        return [*payloads, self._end(fields.end)]


_PAYLOADS: Final[dict[Kind, Callable[[Translator, Piece], list[bytes]]]] = {
    Kind.OK: Translator._ok,
    Kind.COLUMNS: Translator._head,
    Kind.ROWS_END: Translator._rows_end,
    Kind.PREPARED: Translator._prepared,
    Kind.FIELDS: Translator._fields,
}
