"""Replies read against a model: which packets were put together, and what each of them was meant to be."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.mysql.capabilities import Capability, StatusFlag
from protocols.mysql.faults import OUT_OF_ORDER, WireError
from protocols.mysql.packets import MAX_PAYLOAD, encode, encode_all
from protocols.mysql.relay import ROW_LIMIT, Expect, Kind, Piece, ReplyReader, skip_rows
from protocols.mysql.replies import ColumnDefinition, Eof, Err, Ok, PrepareOk
from protocols.mysql.wire import lenenc, lenenc_bytes_or_null
from tests.protocols.mysql.strategies import blobs, definitions, errs, oks, statuses
from tests.protocols.postgres.strategies import cuts, damaged

PLAIN = Capability.PROTOCOL_41
MIXES = [PLAIN | a | b for a in (0, Capability.DEPRECATE_EOF) for b in (0, Capability.SESSION_TRACK)]
ENDS_NOTHING = ~(StatusFlag.MORE_RESULTS_EXISTS | StatusFlag.CURSOR_EXISTS | StatusFlag.PS_OUT_PARAMS)
quiet = statuses.map(lambda status: status & ENDS_NOTHING)


@dataclass
class Model:
    """The payloads of a reply, and what a reader must say: the kind of each piece but rows, whose number it says."""

    expect: Expect
    capabilities: Capability
    payloads: list[bytes] = field(default_factory=list)
    story: list[Kind | int] = field(default_factory=list)

    def add(self, kind: Kind, *payloads: bytes) -> None:
        self.payloads += payloads
        self.story.append(kind)

    def definitions(self, found: list[ColumnDefinition], status: StatusFlag) -> list[bytes]:
        """Definitions and the EOF behind them, if these capabilities have one."""
        eof = [] if not found or Capability.DEPRECATE_EOF in self.capabilities else [Eof(status).encode(PLAIN)]
        return [definition.encode(PLAIN) for definition in found] + eof

    def end(self, status: StatusFlag) -> bytes:
        if Capability.DEPRECATE_EOF in self.capabilities:
            return Ok(status=status, header=0xFE).encode(self.capabilities)
        return Eof(status).encode(self.capabilities)


def text_row(cells: list[bytes | None]) -> bytes:
    return b"".join(map(lenenc_bytes_or_null, cells))


@st.composite
def rows(draw: st.DrawFn, binary: bool, width: int) -> list[bytes]:
    """Rows that look like anything: cells of text rows make the first byte, the rest of a binary row is free."""
    if binary:
        return draw(st.lists(st.binary(max_size=30).map(lambda rest: b"\0" + rest), max_size=6))
    cells = st.none() | st.sampled_from([b"", b"\xff" * 250, b"\xfe" * 300, bytes(70000)]) | blobs
    return draw(st.lists(st.lists(cells, min_size=width, max_size=width).map(text_row), max_size=6))


@st.composite
def results(draw: st.DrawFn, expect: Expect) -> Model:
    """A reply of one to three results, or one that an error ends."""
    model = Model(expect, draw(st.sampled_from(MIXES)))
    count = draw(st.integers(1, 3))
    for number in range(count):
        more = StatusFlag.MORE_RESULTS_EXISTS if number + 1 < count else StatusFlag(0)
        if draw(st.integers(0, 9)) == 0:
            model.add(Kind.ERR, draw(errs).encode(PLAIN))
            break
        if draw(st.booleans()):
            _rows_result(draw, model, draw(quiet) | more)
        else:
            ok = draw(oks)
            values = (ok.affected_rows, ok.last_insert_id, ok.status & ENDS_NOTHING | more, ok.warnings, ok.info)
            model.add(Kind.OK, Ok(*values).encode(model.capabilities))
        if model.story[-1] is Kind.ERR:
            break
    return model


def _rows_result(draw: st.DrawFn, model: Model, status: StatusFlag) -> None:
    columns = draw(st.lists(definitions, min_size=1, max_size=3))
    before = draw(quiet)
    model.add(Kind.COLUMNS, lenenc(len(columns)), *model.definitions(columns, before))
    _rows_of(draw, model, len(columns))
    if draw(st.integers(0, 9)) == 0:
        model.add(Kind.ERR, draw(errs).encode(PLAIN))
    else:
        model.add(Kind.ROWS_END, model.end(status))


def _rows_of(draw: st.DrawFn, model: Model, width: int) -> None:
    found = draw(rows(model.expect is not Expect.TEXT_RESULT, width))
    model.payloads += found
    if found:
        model.story.append(len(found))


@st.composite
def fetches(draw: st.DrawFn) -> Model:
    model = Model(Expect.FETCH, draw(st.sampled_from(MIXES)))
    _rows_of(draw, model, 1)
    last = draw(st.sampled_from([StatusFlag.LAST_ROW_SENT, StatusFlag.CURSOR_EXISTS]))
    model.add(Kind.ROWS_END, model.end(draw(quiet) | last))
    return model


@st.composite
def cursors(draw: st.DrawFn) -> Model:
    """A cursor is opened: without CLIENT_DEPRECATE_EOF the EOF behind the definitions is the end."""
    model = Model(Expect.BINARY_RESULT, draw(st.sampled_from(MIXES)))
    columns = draw(st.lists(definitions, min_size=1, max_size=3))
    status = draw(quiet) | StatusFlag.CURSOR_EXISTS
    model.add(Kind.COLUMNS, lenenc(len(columns)), *model.definitions(columns, status))
    if Capability.DEPRECATE_EOF in model.capabilities:
        model.add(Kind.ROWS_END, model.end(status))
    return model


@st.composite
def prepared(draw: st.DrawFn) -> Model:
    model = Model(Expect.PREPARE, draw(st.sampled_from(MIXES)))
    parameters, columns = draw(st.lists(definitions, max_size=3)), draw(st.lists(definitions, max_size=3))
    ok = PrepareOk(7, len(columns), len(parameters), 0).encode()
    sides = [payload for side in (parameters, columns) for payload in model.definitions(side, StatusFlag.AUTOCOMMIT)]
    model.add(Kind.PREPARED, ok, *sides)
    return model


@st.composite
def field_lists(draw: st.DrawFn) -> Model:
    model = Model(Expect.FIELD_LIST, draw(st.sampled_from(MIXES)))
    found = draw(st.lists(definitions, max_size=3))
    model.add(Kind.FIELDS, *(d.encode(PLAIN) for d in found), model.end(draw(quiet)))
    return model


@st.composite
def single(draw: st.DrawFn) -> Model:
    """Replies of one packet."""
    expect = draw(st.sampled_from([Expect.OK, Expect.STATISTICS, Expect.PREPARE, Expect.FIELD_LIST, Expect.AUTH]))
    model = Model(expect, draw(st.sampled_from(MIXES)))
    if draw(st.booleans()):
        model.add(Kind.ERR, draw(errs).encode(PLAIN))
    elif expect is Expect.STATISTICS:
        model.add(Kind.TEXT, b"Uptime: " + draw(blobs))
    elif expect is Expect.OK and draw(st.booleans()):
        model.add(Kind.OK, model.end(draw(quiet)))
    else:
        model.expect = Expect.OK
        model.add(Kind.OK, Ok(status=draw(quiet)).encode(model.capabilities))
    return model


models = st.one_of(
    results(Expect.TEXT_RESULT),
    results(Expect.BINARY_RESULT),
    fetches(),
    cursors(),
    prepared(),
    field_lists(),
    single(),
)


def read(reader: ReplyReader, data: bytes, places: list[int]) -> list[Piece]:
    """The pieces of `data`, which comes cut at `places`."""
    pieces, position = [], 0
    for end in places:
        while (piece := reader.next(data[:end], position)) is not None:
            assert piece.start == position < piece.end <= end
            pieces.append(piece)
            position = piece.end
    return pieces


def told(pieces: list[Piece]) -> list[Kind | int]:
    story: list[Kind | int] = []
    for piece in pieces:
        if piece.kind is not Kind.ROWS:
            story.append(piece.kind)
        elif story and isinstance(story[-1], int):
            story[-1] += piece.rows
        else:
            story.append(piece.rows)
    return story


@given(models, st.integers(0, 255), st.booleans(), st.data())
def test_a_reader_never_loses_the_model(model: Model, first: int, whole_rows: bool, data: st.DataObject) -> None:
    reply, following = encode_all(model.payloads, first)
    reader = ReplyReader(model.expect, model.capabilities, first, whole_rows)
    pieces = read(reader, reply, data.draw(cuts(len(reply))))
    assert told(pieces) == model.story
    assert b"".join(reply[piece.start : piece.end] for piece in pieces) == reply
    assert reader.complete
    assert reader.sequence == following
    assert not reader.amid_row
    assert reader.next(reply, len(reply)) is None
    with pytest.raises(PeerError):
        reader.next(reply + b"\x01", len(reply))


@given(models, st.data())
def test_a_part_of_a_reply_is_never_complete(model: Model, data: st.DataObject) -> None:
    reply, _ = encode_all(model.payloads, 1)
    end = data.draw(st.integers(0, len(reply) - 1))
    reader = ReplyReader(model.expect, model.capabilities)
    read(reader, reply, [end])
    assert not reader.complete


@settings(max_examples=300)
@given(models, st.booleans(), st.data())
def test_damage_is_a_peer_error_or_another_reply(model: Model, whole_rows: bool, data: st.DataObject) -> None:
    reply, _ = encode_all(model.payloads, 1)
    broken = data.draw(st.binary(max_size=60) | damaged(reply))
    reader = ReplyReader(model.expect, model.capabilities, whole_rows=whole_rows)
    try:
        read(reader, broken, data.draw(cuts(len(broken))))
    except PeerError:
        return


@given(models, st.data())
def test_a_sequence_id_that_is_another_is_told(model: Model, data: st.DataObject) -> None:
    wrong = data.draw(st.integers(0, len(model.payloads) - 1))
    reply = b"".join(encode(payload, number + 3 + (number >= wrong)) for number, payload in enumerate(model.payloads))
    with pytest.raises(WireError) as caught:
        read(ReplyReader(model.expect, model.capabilities, 3), reply, [len(reply)])
    assert caught.value.errno == OUT_OF_ORDER


@given(models, st.integers(1, 4))
def test_no_more_rows_at_once_than_asked_for(model: Model, most: int) -> None:
    reply, _ = encode_all(model.payloads, 1)
    reader, position, pieces = ReplyReader(model.expect, model.capabilities), 0, []
    while (piece := reader.next(reply, position, most)) is not None:
        pieces.append(piece)
        position = piece.end
        assert piece.rows <= most
    assert told(pieces) == model.story


# What looks like something else.

COLUMN = ColumnDefinition(b"d", b"t", b"t", b"a", b"a", 45, 9, 253, 0, 0).encode()


def text_reader(agreed: Capability, whole_rows: bool = True) -> tuple[ReplyReader, int]:
    """A reader that has just read the definition of one column, and the next sequence id."""
    reader = ReplyReader(Expect.TEXT_RESULT, agreed, whole_rows=whole_rows)
    head = [b"\x01", COLUMN] + ([] if Capability.DEPRECATE_EOF in agreed else [Eof().encode(PLAIN)])
    data, following = encode_all(head, 1)
    assert told(read(reader, data, [len(data)])) == [Kind.COLUMNS]
    assert reader.in_rows
    return reader, following


@pytest.mark.parametrize("whole_rows", [True, False])
@pytest.mark.parametrize("agreed", [PLAIN, PLAIN | Capability.DEPRECATE_EOF])
@pytest.mark.parametrize("extra", [0, MAX_PAYLOAD - 10])  # two packets; two and an empty one
def test_a_row_whose_first_column_is_longer_than_16_mb_is_no_end(
    agreed: Capability, extra: int, whole_rows: bool
) -> None:
    row = text_row([bytes(MAX_PAYLOAD + 1 + extra)])
    assert row[0] == 0xFE
    reader, following = text_reader(agreed, whole_rows)
    model = Model(Expect.TEXT_RESULT, agreed)
    data, _ = encode_all([row, b"\xfb", row, model.end(StatusFlag.AUTOCOMMIT)], following)
    step = 9_000_001
    pieces = read(reader, data, [*range(0, len(data), step), len(data)])
    assert told(pieces) == [3, Kind.ROWS_END]
    assert reader.complete
    if whole_rows:
        assert [piece.rows for piece in pieces if piece.kind is Kind.ROWS] == [1, 1, 1]


def test_a_row_of_exactly_one_full_packet_ends_with_an_empty_one() -> None:
    row = text_row([bytes(MAX_PAYLOAD - 4)])
    assert len(row) == MAX_PAYLOAD
    for whole_rows in (True, False):
        reader, following = text_reader(PLAIN, whole_rows)
        data, after = encode_all([row], following)
        seen = []
        for end in (len(data) - 4, len(data)):
            while (piece := reader.next(data[:end], seen[-1].end if seen else 0)) is not None:
                seen.append(piece)
            assert reader.amid_row is (end < len(data) and not whole_rows)
        assert [piece.rows for piece in seen] == ([1] if whole_rows else [0, 1])
        assert (seen[-1].end, reader.sequence) == (len(data), after)


@pytest.mark.parametrize(
    ("agreed", "payload"),
    [
        (PLAIN, b"\xfe" + bytes(8)),  # too long for an EOF, too short for a column of 16 MB
        (PLAIN, b"\xfe\0\0\0"),
        (PLAIN, b"\xfe"),
        (PLAIN | Capability.DEPRECATE_EOF, b"\xfe\0\0\x02\0"),  # an EOF where none was agreed on
        (PLAIN, b"\xff"),
        (PLAIN, b"\xff\xff\xff\x01\x02\x03\x04"),
        (PLAIN, b""),
    ],
)
def test_neither_a_row_nor_an_end(agreed: Capability, payload: bytes) -> None:
    reader, following = text_reader(agreed)
    data = encode(payload, following)
    with pytest.raises(PeerError):
        read(reader, data, [len(data)])


def test_binary_rows_begin_with_zero() -> None:
    for first in (0x01, 0xFB, 0xFD):
        data = encode(bytes([first, 0, 0]), 1)
        with pytest.raises(PeerError):
            ReplyReader(Expect.FETCH, PLAIN).next(data, 0)


def test_a_row_without_end_is_refused() -> None:
    reader, following = text_reader(PLAIN)
    assert reader.row_limit == ROW_LIMIT
    reader.row_limit = MAX_PAYLOAD + 100
    data = encode(text_row([bytes(2 * MAX_PAYLOAD)]), following)
    with pytest.raises(WireError):
        read(reader, data, [MAX_PAYLOAD + 8])


def test_definitions_without_end_are_refused() -> None:
    column = ColumnDefinition(b"", b"", b"", bytes(MAX_PAYLOAD - 100), b"", 45, 9, 253, 0, 0).encode()
    reply, _ = encode_all([b"\x09", *[column] * 5], 1)
    with pytest.raises(WireError):
        ReplyReader(Expect.TEXT_RESULT, PLAIN).next(reply, 0)


HEADS: list[tuple[str, bytes, Kind | None]] = [
    ("OK", Ok().encode(PLAIN), Kind.OK),
    ("ERR", Err(1064, "42000", b"").encode(PLAIN), Kind.ERR),
    ("LOCAL INFILE", b"\xfb/etc/passwd", Kind.LOCAL_INFILE),
    ("EOF", Eof().encode(PLAIN), None),
    ("no columns", b"\xfc\0\0", None),
    ("too many columns", b"\xfd\0\0\x01", None),
    ("more than a count", b"\x01\x01", None),
    ("a short count", b"\xfc\x01", None),
    ("a short OK", b"\0\0", None),
]


@pytest.mark.parametrize(("name", "payload", "kind"), HEADS)
def test_the_first_packet_of_a_result(name: str, payload: bytes, kind: Kind | None) -> None:
    reader, data = ReplyReader(Expect.TEXT_RESULT, PLAIN), encode(payload, 1)
    if kind is None:
        with pytest.raises(PeerError):
            reader.next(data, 0)
    else:
        piece = reader.next(data, 0)
        assert piece is not None
        assert piece.kind is kind


def test_a_file_is_asked_for_and_the_reply_goes_on() -> None:
    reader = ReplyReader(Expect.TEXT_RESULT, PLAIN)
    piece = reader.next(encode(b"\xfbdata.csv", 1), 0)
    assert piece is not None
    assert (piece.kind, piece.value) == (Kind.LOCAL_INFILE, b"data.csv")
    assert not reader.complete
    reader.expect(3)  # the client has sent one empty packet
    assert told(read(reader, encode(Ok().encode(PLAIN), 3), [11])) == [Kind.OK]


def test_a_change_of_user_goes_to_and_fro() -> None:
    reader = ReplyReader(Expect.AUTH, PLAIN)
    switch = reader.next(encode(b"\xfecaching_sha2_password\0" + bytes(21), 1), 0)
    assert switch is not None
    assert switch.kind is Kind.AUTH
    reader.expect(3)
    more = reader.next(encode(b"\x01\x03", 3), 0)
    assert more is not None
    assert more.value == b"\x01\x03"
    done = reader.next(encode(Ok().encode(PLAIN), 4), 0)
    assert done is not None
    assert done.kind is Kind.OK
    assert reader.complete
    with pytest.raises(PeerError):
        ReplyReader(Expect.AUTH, PLAIN).next(encode(b"\x02plugin\0", 1), 0)


def test_an_error_of_a_server_that_leaves_is_numbered_from_zero() -> None:
    leaving = encode(Err(1053, "08S01", b"Server shutdown in progress").encode(PLAIN), 0)
    for expect in set(Expect) - {Expect.NOTHING}:
        reader = ReplyReader(expect, PLAIN, 1)
        assert told(read(reader, leaving, list(range(len(leaving) + 1)))) == [Kind.ERR]
        assert reader.complete
    reader, _ = text_reader(PLAIN)
    with pytest.raises(PeerError):
        reader.next(leaving, 0)


def test_a_reply_that_nobody_waits_for() -> None:
    reader = ReplyReader(Expect.NOTHING, PLAIN)
    assert reader.complete
    with pytest.raises(PeerError):
        reader.next(encode(Ok().encode(PLAIN), 1), 0)


@pytest.mark.parametrize(
    "agreed",
    [
        Capability(0),
        PLAIN | Capability.COMPRESS,
        PLAIN | Capability.OPTIONAL_RESULTSET_METADATA,
        PLAIN | Capability.MARIADB_CACHE_METADATA,
        PLAIN | Capability.MARIADB_PROGRESS,
    ],
)
def test_replies_laid_out_otherwise_are_not_read(agreed: Capability) -> None:
    with pytest.raises(UsageError):
        ReplyReader(Expect.OK, agreed)


@given(st.lists(blobs.filter(bool), max_size=600), st.integers(0, 255), st.booleans(), st.integers(1, 700))
def test_rows_are_skipped_as_one_by_one(payloads: list[bytes], first: int, binary: bool, most: int) -> None:
    data, _ = encode_all(payloads, first)
    ends_at = 0x01 if binary else 0xFE
    fit = next((n for n, payload in enumerate(payloads) if payload[0] >= ends_at), len(payloads))
    fit = min(fit, most)
    assert skip_rows(data, 0, first, binary, most) == (
        len(encode_all(payloads[:fit], 0)[0]),
        first + fit & 0xFF,
        fit,
    )
    assert skip_rows(data, 0, first + 1 & 0xFF, binary, most) == (0, first + 1 & 0xFF, 0)
