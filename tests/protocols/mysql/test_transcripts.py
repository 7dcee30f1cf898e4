"""Every reply of the real servers is read to its end, packet by packet as they sent it."""

from __future__ import annotations

import pytest

from protocols.mysql import commands
from protocols.mysql.capabilities import Capability
from protocols.mysql.packets import HEADER_SIZE, split
from protocols.mysql.relay import Columns, Fields, Kind, Piece, Prepared, ReplyReader, expected
from protocols.mysql.replies import Eof, Err, Ok
from tests.protocols.mysql.transcripts import NAMES, Exchange, transcript

EXCHANGES = [
    pytest.param(found.capabilities, exchange, id=f"{name}-{number}-{exchange.command[:24]!r}")
    for name in NAMES
    for found in (transcript(name),)
    for number, exchange in enumerate(found.exchanges)
]
UNKNOWN = 0x77


def reader_of(exchange: Exchange, capabilities: Capability, whole_rows: bool = True) -> ReplyReader:
    code = commands.Code.PING if exchange.command[0] == UNKNOWN else exchange.command[0]
    return ReplyReader(expected(code), capabilities, whole_rows=whole_rows)


def pieces_of(reader: ReplyReader, reply: bytes) -> list[Piece]:
    """Every piece of a reply that is there as a whole."""
    pieces, position = [], 0
    while (piece := reader.next(reply, position)) is not None:
        pieces.append(piece)
        assert piece.start == position
        position = piece.end
    assert position == len(reply)
    return pieces


def test_there_is_something_to_read() -> None:
    assert {name.split("-")[0] for name in NAMES} == {"mysql", "mariadb"}
    assert len(NAMES) == 10
    assert len(EXCHANGES) > 500


@pytest.mark.parametrize(("capabilities", "exchange"), EXCHANGES)
def test_commands_come_out_as_they_went_in(capabilities: Capability, exchange: Exchange) -> None:
    command = commands.decode(exchange.command, capabilities)
    assert command.code == exchange.command[0]
    assert isinstance(command, commands.Unknown) == (exchange.command[0] == UNKNOWN)
    assert command.encode(capabilities) == exchange.command


@pytest.mark.parametrize(("capabilities", "exchange"), EXCHANGES)
def test_replies_end_with_their_last_packet(capabilities: Capability, exchange: Exchange) -> None:
    reader = reader_of(exchange, capabilities)
    pieces = pieces_of(reader, exchange.reply)
    assert reader.complete
    packets, consumed = split(exchange.reply, 0)
    assert consumed == len(exchange.reply)
    assert reader.sequence == len(packets) + 1 & 0xFF
    assert pieces == [] or not pieces[-1].more


def payload(reply: bytes, piece: Piece) -> bytes:
    return reply[piece.start + HEADER_SIZE : piece.end]


def written(piece: Piece, capabilities: Capability) -> list[bytes]:
    """The payloads of a piece, encoded from its values; none for rows."""
    value = piece.value
    if isinstance(value, Ok | Eof | Err):
        return [value.encode(capabilities)]
    if isinstance(value, Prepared):
        sides = (value.parameters, value.columns)
        return [value.ok.encode(capabilities), *(p for side in sides for p in _definitions(side, capabilities))]
    if isinstance(value, Columns):
        return [bytes([len(value.payloads)]), *_definitions(value, capabilities)]
    if isinstance(value, Fields):
        return [d.encode(capabilities) for d in value.definitions(capabilities)] + [value.end.encode(capabilities)]
    assert isinstance(value, bytes)
    return [value]


def _definitions(columns: Columns, capabilities: Capability) -> list[bytes]:
    found = [definition.encode(capabilities) for definition in columns.definitions(capabilities)]
    return found + ([columns.eof.encode(capabilities)] if columns.eof else [])


@pytest.mark.parametrize(("capabilities", "exchange"), EXCHANGES)
def test_values_are_written_as_the_server_wrote_them(capabilities: Capability, exchange: Exchange) -> None:
    for piece in pieces_of(reader_of(exchange, capabilities), exchange.reply):
        if piece.kind is not Kind.ROWS:
            packets, _ = split(exchange.reply[piece.start : piece.end], 0)
            sent = [exchange.reply[piece.start + a + HEADER_SIZE : piece.start + b] for _, a, b in packets]
            assert written(piece, capabilities) == sent


@pytest.mark.parametrize("whole_rows", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_byte_by_byte_is_read_as_in_one_go(name: str, whole_rows: bool) -> None:
    found = transcript(name)
    for exchange in found.exchanges:
        if len(exchange.reply) > 5000:
            continue
        whole = pieces_of(reader_of(exchange, found.capabilities), exchange.reply)
        reader, position, pieces = reader_of(exchange, found.capabilities, whole_rows), 0, []
        for end in range(len(exchange.reply) + 1):
            while (piece := reader.next(exchange.reply[:end], position)) is not None:
                pieces.append(piece)
                position = piece.end
        assert reader.complete
        assert position == len(exchange.reply)
        assert meaning(pieces) == meaning(whole)


def meaning(pieces: list[Piece]) -> list[tuple[Kind, object, bool] | int]:
    """Everything about the pieces but how the rows were cut."""
    found: list[tuple[Kind, object, bool] | int] = []
    for piece in pieces:
        if piece.kind is not Kind.ROWS:
            found.append((piece.kind, piece.value, piece.more))
        elif found and isinstance(found[-1], int):
            found[-1] += piece.rows
        else:
            found.append(piece.rows)
    return found
