"""Replies translated from one side's capabilities to the other's: what comes out is what a server would have sent."""

from __future__ import annotations

import dataclasses
from itertools import product

import pytest

from protocols.errors import UsageError
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.packets import MAX_PAYLOAD, encode, split
from protocols.mysql.relay import Columns, Expect, Fields, Kind, Piece, Prepared, ReplyReader
from protocols.mysql.replies import ColumnDefinition, Eof, Err, Ok
from protocols.mysql.translate import TRANSLATED, Translator, renumber
from tests.protocols.mysql.test_transcripts import pieces_of, reader_of
from tests.protocols.mysql.transcripts import NAMES, Exchange, transcript

BASE = Capability.PROTOCOL_41
EOF_SIDE, OK_SIDE = BASE, BASE | Capability.DEPRECATE_EOF
TARGETS = [
    BASE,
    BASE | Capability.SESSION_TRACK,
    BASE | Capability.DEPRECATE_EOF,
    BASE | Capability.DEPRECATE_EOF | Capability.SESSION_TRACK,
]


def translated(exchange: Exchange, upstream: Capability, client: Capability, shift: int = 0) -> bytes:
    translator = Translator(upstream, client, shift)
    pieces = pieces_of(reader_of(exchange, upstream), exchange.reply)
    return b"".join(translator.piece(exchange.reply, piece) for piece in pieces)


def essence(value: object, upstream: Capability, tracked: bool) -> object:
    """What a reply tells, whatever it is laid out as."""
    if isinstance(value, Ok | Eof):
        said = (value.affected_rows, value.last_insert_id, value.info) if isinstance(value, Ok) else (0, 0, b"")
        changes = value.changes if tracked and isinstance(value, Ok) else ()
        return (*said, value.warnings, value.status & ~StatusFlag.SESSION_STATE_CHANGED & ~OUT, changes)
    if isinstance(value, Columns):
        return (definitions(value, upstream), value.binary)
    if isinstance(value, Prepared):
        return (value.ok, definitions(value.parameters, upstream), definitions(value.columns, upstream))
    if isinstance(value, Fields):
        return (tuple(map(plain, value.definitions(upstream))), essence(value.end, upstream, tracked))
    return value


OUT = StatusFlag.PS_OUT_PARAMS | StatusFlag.MORE_RESULTS_EXISTS


def plain(definition: ColumnDefinition) -> ColumnDefinition:
    return dataclasses.replace(definition, extended=None)


def definitions(columns: Columns, capabilities: Capability) -> tuple[ColumnDefinition, ...]:
    return tuple(map(plain, columns.definitions(capabilities)))


def story(
    reply: bytes, pieces: list[Piece], capabilities: Capability, tracked: bool, client_reads_ok: bool
) -> list[object]:
    """A reply's pieces without the end that a cursor's opening has only under CLIENT_DEPRECATE_EOF."""
    told: list[object] = []
    for piece in pieces:
        if piece.kind is Kind.ROWS:
            packets, _ = split(reply[piece.start : piece.end], 0)
            told += [reply[piece.start + start + 4 : piece.start + end] for _, start, end in packets]
        elif not opens_cursor(piece):
            in_ok = tracked and (piece.kind is Kind.OK or client_reads_ok)  # an EOF tells of no changes
            told.append((piece.kind, essence(piece.value, capabilities, in_ok), piece.more))
    return told


def opens_cursor(piece: Piece) -> bool:
    end = piece.value
    return piece.kind is Kind.ROWS_END and isinstance(end, Ok | Eof) and StatusFlag.CURSOR_EXISTS in end.status


@pytest.mark.parametrize(("name", "client"), list(product(NAMES, TARGETS)))
def test_a_translated_reply_tells_the_same(name: str, client: Capability) -> None:
    found = transcript(name)
    tracked = bool(found.capabilities & client & Capability.SESSION_TRACK)
    reads_ok = bool(found.capabilities & client & Capability.DEPRECATE_EOF)
    for exchange in found.exchanges:
        before = pieces_of(reader_of(exchange, found.capabilities), exchange.reply)
        reply = translated(exchange, found.capabilities, client)
        reader = reader_of(exchange, client)
        after = pieces_of(reader, reply)
        assert reader.complete
        expected = story(exchange.reply, before, found.capabilities, tracked, reads_ok)
        assert story(reply, after, client, tracked, reads_ok) == expected


SAME_SCRIPT = [
    (f"{brand}-{a}", f"{brand}-{b}")
    for brand in ("mysql", "mariadb")
    for a, b in (("plain", "deprecate"), ("deprecate", "plain"), ("track", "both"), ("both", "track"))
]
STATISTICS, PROCESS_INFO, PREPARE = 0x09, 0x0A, 0x16


@pytest.mark.parametrize(("source", "target"), SAME_SCRIPT)
def test_a_translated_reply_is_what_the_server_itself_sends(source: str, target: str) -> None:
    """Packet by packet: kinds, order, sequence ids and lengths; the bytes too, but for status flags and ids."""
    one, other = transcript(source), transcript(target)
    ends = not one.capabilities & Capability.SESSION_TRACK  # MySQL tracks ids of statements, in the first OK it sends
    for exchange, native in zip(one.exchanges, other.exchanges, strict=True):
        if exchange.command[0] in (STATISTICS, PROCESS_INFO):
            continue
        reply = translated(exchange, one.capabilities, other.capabilities)
        assert shape(reply, ends) == shape(native.reply, ends), exchange.command


def shape(reply: bytes, ends: bool) -> list[tuple[int, int, int]]:
    """Sequence id, length (unless `ends` is false, not of OK packets), first byte."""
    found = []
    for sequence, start, end in split(reply, 0)[0]:
        first = reply[start + 4]
        found.append((sequence, end - start if ends or first not in (0x00, 0xFE) else 0, first))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_the_same_on_both_sides_passes_byte_for_byte(name: str) -> None:
    found = transcript(name)
    for exchange in found.exchanges:
        assert translated(exchange, found.capabilities, found.capabilities) == exchange.reply
        moved = translated(exchange, found.capabilities, found.capabilities, 3)
        assert renumber(moved, -3) == (exchange.reply, 0)


def test_rows_of_many_packets_are_numbered_in_pieces() -> None:
    row = b"\x03abc" * 10
    rows = b"".join(encode(row, number) for number in range(4)) + encode(b"\xfe" + bytes(MAX_PAYLOAD), 4)
    whole, owed = renumber(rows, 254)
    assert owed == 0
    assert [sequence for sequence, _, _ in split(whole, 0)[0]] == [254, 255, 0, 1, 2, 3]
    at, pieces = 0, b""
    reader = ReplyReader(Expect.FETCH, OK_SIDE, 0, whole_rows=False)
    reader._binary = False
    for end in (5, 20, 41, 90, 100, 160, 200, 5000, MAX_PAYLOAD, len(rows) - 3, len(rows)):
        while (piece := reader.next(rows[:end], at)) is not None:
            data, owed = renumber(rows[piece.start : piece.end], 254, owed)
            pieces += data
            at = piece.end
    assert pieces == whole
    with pytest.raises(UsageError):
        renumber(rows[:46], 1)


def test_a_cursor_is_opened_with_one_eof() -> None:
    definition = ColumnDefinition(b"", b"", b"", b"a", b"", 63, 1, 8, 0, 0).encode(BASE)
    cursor = StatusFlag.CURSOR_EXISTS | StatusFlag.AUTOCOMMIT
    new = [b"\x01", definition, Ok(status=cursor, header=0xFE).encode(OK_SIDE)]
    old = [b"\x01", definition, Eof(cursor).encode(EOF_SIDE)]
    assert _execute(new, OK_SIDE, EOF_SIDE) == old
    assert _execute(old, EOF_SIDE, OK_SIDE) == new


def test_an_error_among_the_rows_comes_after_the_eof_of_the_definitions() -> None:
    definition = ColumnDefinition(b"", b"", b"", b"a", b"", 63, 1, 8, 0, 0).encode(BASE)
    error = Err(1317, "70100", b"interrupted").encode(BASE)
    new, old = [b"\x01", definition, error], [b"\x01", definition, Eof().encode(EOF_SIDE), error]
    assert _execute(new, OK_SIDE, EOF_SIDE) == old
    assert _execute(old, EOF_SIDE, OK_SIDE) == new


def test_only_the_eof_before_them_tells_of_out_parameters() -> None:
    definition = ColumnDefinition(b"", b"", b"", b"a", b"", 63, 1, 8, 0, 0).encode(BASE)
    status = StatusFlag.PS_OUT_PARAMS | StatusFlag.MORE_RESULTS_EXISTS | StatusFlag.AUTOCOMMIT
    row, last = b"\0\0" + bytes(8), Ok().encode(BASE)
    old = [b"\x01", definition, Eof(status).encode(BASE), row, Eof().encode(BASE), last]
    new = [b"\x01", definition, row, Ok(status=status, header=0xFE).encode(BASE), last]
    assert _execute(old, EOF_SIDE, OK_SIDE) == new
    assert _execute(old, EOF_SIDE, EOF_SIDE | Capability.SESSION_TRACK) == old


def _execute(payloads: list[bytes], upstream: Capability, client: Capability) -> list[bytes]:
    """The payloads after the translation; their packets must be numbered without a gap."""
    reply = b"".join(encode(payload, number + 1) for number, payload in enumerate(payloads))
    translator = Translator(upstream, client)
    reader = ReplyReader(Expect.BINARY_RESULT, upstream)
    out = b"".join(translator.piece(reply, piece) for piece in pieces_of(reader, reply))
    assert reader.complete
    packets, _ = split(out, 0)
    assert [sequence for sequence, _, _ in packets] == list(range(1, len(packets) + 1))
    return [out[start + 4 : end] for _, start, end in packets]


def test_metadata_is_never_made_up() -> None:
    with pytest.raises(UsageError):
        Translator(BASE, BASE | Capability.MARIADB_EXTENDED_METADATA)
    assert Capability.MARIADB_EXTENDED_METADATA in TRANSLATED
