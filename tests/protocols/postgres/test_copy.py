"""Masked COPY streams: read back by independent readers, in any division into messages, and damaged."""

from __future__ import annotations

import csv
import io
import struct
from collections.abc import Mapping
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import PeerError
from protocols.postgres.backend import CommandComplete
from protocols.postgres.copy_binary import SIGNATURE, BinaryRows
from protocols.postgres.copy_csv import CsvOptions, CsvRows
from protocols.postgres.copy_stream import CopyRewriter, RowFormat
from protocols.postgres.copy_text import TextOptions, TextRows
from protocols.postgres.frames import HEADER_SIZE, message, split
from protocols.postgres.rows import CellMasker, Constant

LIMIT = 1 << 20
Cell = bytes | None
Row = tuple[Cell, ...]
CANARY = b"\xc3\xa9k4711x"
MASKERS: dict[str, CellMasker | Constant] = {
    "stars": lambda cell: b"*" * len(cell),
    "tail": lambda cell: b"*" + cell[-1:],
    "reversed": lambda cell: cell[::-1].replace(CANARY[::-1], b"-"),
    "specials": lambda cell: b'\\ \t,"\n\r|' + b"\\.",
    "null": lambda cell: None,
    "word": Constant(b"[redacted]"),
    "needs quotes": Constant(b'a,"b"\n\\'),
    "constant null": Constant(None),
}
SPECIAL = b"\\\t\n\r\b\f\v,\"|;'N.x07 \x01\xc3\xa9abc"


# ---------------------------------------------------------------- independent writers and readers


class Case(NamedTuple):
    """One COPY: how the server would write it, and how a client reads it."""

    width: int
    rows: list[Row]
    maskers: Mapping[int, CellMasker | Constant]
    messages: list[bytes]  # the server's CopyData payloads, one row each
    options: TextOptions | CsvOptions | None  # None: binary
    header: bool = False

    def rewriter(self) -> CopyRewriter:
        return CopyRewriter(self.format(), LIMIT)

    def format(self) -> RowFormat:
        if isinstance(self.options, TextOptions):
            return TextRows(self.width, self.maskers, self.options)
        if isinstance(self.options, CsvOptions):
            return CsvRows(self.width, self.maskers, self.options)
        return BinaryRows(self.width, self.maskers)

    @property
    def wanted(self) -> list[Row]:
        return [tuple(mask(cell, self.maskers.get(i)) for i, cell in enumerate(row)) for row in self.rows]

    @property
    def masked_cells(self) -> int:
        return sum(cell is not None and i in self.maskers for row in self.rows for i, cell in enumerate(row))


def mask(cell: Cell, masker: CellMasker | Constant | None) -> Cell:
    if cell is None or masker is None:
        return cell
    return masker.value if isinstance(masker, Constant) else masker(cell)


TEXT_LETTERS = {8: b"b", 12: b"f", 10: b"n", 13: b"r", 9: b"t", 11: b"v"}


def text_field(cell: Cell, options: TextOptions) -> bytes:
    """As CopyAttributeOutText does."""
    if cell is None:
        return options.null
    out = bytearray()
    for byte in cell:
        if byte in TEXT_LETTERS:
            out += b"\\" + TEXT_LETTERS[byte]
        elif byte in b"\\" + options.delimiter:
            out += bytes((92, byte))
        else:
            out.append(byte)
    return bytes(out)


def read_text(data: bytes, options: TextOptions) -> list[Row]:
    """As COPY FROM reads it: byte by byte."""
    rows: list[Row] = []
    fields: list[Cell] = []
    value, raw, at = bytearray(), bytearray(), 0

    def end_field() -> None:
        fields.append(None if bytes(raw) == options.null else bytes(value))
        value.clear()
        raw.clear()

    while at < len(data):
        byte = data[at : at + 1]
        at += 1
        if byte == options.delimiter:
            end_field()
        elif byte == b"\n":
            end_field()
            rows.append(tuple(fields))
            fields.clear()
        elif byte == b"\\":
            follows = data[at : at + 1]
            value += {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}.get(
                follows, follows
            )
            raw += byte + follows
            at += 1
        else:
            value += byte
            raw += byte
    assert not fields, "the last row has no end"
    assert not raw, "the last row has no end"
    return rows


def csv_field(cell: Cell, column: int, width: int, options: CsvOptions) -> bytes:
    """As CopyAttributeOutCSV does."""
    if cell is None:
        return options.null
    force = column in options.force_quote or cell == options.null or (width == 1 and cell == b"\\.")
    if not force and not any(byte in options.delimiter + options.quote + b"\r\n" for byte in cell):
        return cell
    inside = b"".join(
        options.escape + bytes((byte,)) if byte in options.quote + options.escape else bytes((byte,)) for byte in cell
    )
    return options.quote + inside + options.quote


def read_csv(data: bytes, options: CsvOptions) -> list[Row]:
    """By Python's own reader: latin-1 keeps every byte, and a null string that never is a value tells NULL."""
    reader = csv.reader(
        io.StringIO(data.decode("latin-1"), newline=""),
        delimiter=options.delimiter.decode(),
        quotechar=options.quote.decode(),
        strict=True,
        lineterminator="\n",
    )
    null = options.null.decode()
    return [tuple(None if field == null else field.encode("latin-1") for field in row or [""]) for row in reader]


def binary_row(row: Row) -> bytes:
    fields = b"".join(b"\xff" * 4 if c is None else struct.pack(">i", len(c)) + c for c in row)
    return struct.pack(">h", len(row)) + fields


def read_binary(data: bytes) -> list[Row]:
    stream = io.BytesIO(data)
    assert stream.read(19) == SIGNATURE + bytes(8)
    rows = []
    while (count := struct.unpack(">h", stream.read(2))[0]) != -1:
        lengths = ((struct.unpack(">i", stream.read(4))[0]) for _ in range(count))
        rows.append(tuple(None if n < 0 else stream.read(n) for n in lengths))
    assert not stream.read()
    return rows


# ---------------------------------------------------------------- cases

text_cells = st.none() | st.binary(max_size=6) | st.lists(st.sampled_from(SPECIAL), max_size=8).map(bytes)


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, list[Row], dict[int, CellMasker | Constant]]:
    """Masked cells hold the canary, unless they are NULL."""
    width = draw(st.integers(1, 6))
    names = draw(st.dictionaries(st.integers(0, width - 1), st.sampled_from(sorted(MASKERS)), min_size=1))
    rows = draw(st.lists(st.tuples(*[text_cells] * width), max_size=5))
    hidden = [
        tuple(cell + CANARY if cell is not None and i in names else cell for i, cell in enumerate(row)) for row in rows
    ]
    return width, hidden, {i: MASKERS[name] for i, name in names.items()}


def without(rows: list[Row], unwanted: bytes) -> list[Row]:
    """Cells that equal the null string would be read as NULL by every reader of the text format."""
    return [tuple(None if cell == unwanted else cell for cell in row) for row in rows]


@st.composite
def text_cases(draw: st.DrawFn) -> Case:
    width, rows, maskers = draw(tables())
    delimiter, null = draw(st.sampled_from([(b"\t", b"\\N"), (b"|", b"\\N"), (b",", b"NULL"), (b"\x01", b"\\N")]))
    options = TextOptions(delimiter, null, draw(st.booleans()))
    rows = without(rows, b"NULL")
    lines = [delimiter.join(text_field(cell, options) for cell in row) + b"\n" for row in rows]
    names = delimiter.join(text_field(b"a|\t,%d" % n, options) for n in range(width)) + b"\n"
    return Case(width, rows, maskers, [names] * options.header + lines, options, options.header)


@st.composite
def csv_cases(draw: st.DrawFn) -> Case:
    width, rows, maskers = draw(tables())
    force = frozenset(draw(st.sets(st.integers(0, width - 1))))
    quote, escape = draw(st.sampled_from([(b'"', b'"'), (b'"', b"\\"), (b"'", b"'"), (b"|", b"/")]))
    delimiter = draw(st.sampled_from([b",", b";", b"\t"]))
    options = CsvOptions(delimiter, draw(st.sampled_from([b"", b"\\N"])), quote, escape, draw(st.booleans()), force)
    lines = [delimiter.join(csv_field(cell, i, width, options) for i, cell in enumerate(row)) + b"\n" for row in rows]
    plain = CsvOptions(delimiter, options.null, quote, escape)
    names = delimiter.join(csv_field(b'a\n",%d' % n, n, width, plain) for n in range(width)) + b"\n"
    return Case(width, rows, maskers, [names] * options.header + lines, options, options.header)


@st.composite
def binary_cases(draw: st.DrawFn) -> Case:
    width, rows, maskers = draw(tables())
    pieces = [binary_row(row) for row in rows]
    if pieces:
        pieces[0] = SIGNATURE + bytes(8) + pieces[0]
    else:
        pieces = [SIGNATURE + bytes(8)]
    return Case(width, rows, maskers, [*pieces, b"\xff\xff"], None)


cases = st.one_of(text_cases(), csv_cases(), binary_cases())


def payloads(data: bytes) -> list[bytes]:
    messages, end = split(data, 0, LIMIT)
    assert end == len(data)
    assert all(kind == ord("d") for kind, _, _ in messages)
    return [data[start + HEADER_SIZE : end] for _, start, end in messages]


def sent(pieces: list[bytes]) -> bytes:
    return b"".join(message(b"d", piece) for piece in pieces)


class Heard(NamedTuple):
    payloads: list[bytes]
    rows: int
    cells: int


def run(rewriter: CopyRewriter, stream: bytes) -> Heard:
    """The whole stream in one buffer, then CopyDone."""
    made, consumed, rows, cells = rewriter.rewrite(stream + b"c\0\0\0\4", 0)
    assert consumed == len(stream)
    last, _, more, hits = rewriter.finish()
    return Heard(payloads(made + last), rows + more, cells + hits)


# ---------------------------------------------------------------- the stream as the server sends it


@settings(max_examples=400)
@given(cases)
def test_each_row_is_masked_in_its_own_message(case: Case) -> None:
    heard = run(case.rewriter(), sent(case.messages))
    assert (heard.rows, heard.cells) == (len(case.rows), case.masked_cells)
    assert len(heard.payloads) == len(case.messages)
    assert CANARY not in b"".join(heard.payloads)


@settings(max_examples=200)
@given(text_cases())
def test_text_is_what_a_server_would_have_written(case: Case) -> None:
    assert isinstance(case.options, TextOptions)
    found = run(case.rewriter(), sent(case.messages)).payloads[int(case.header) :]
    wanted = [
        case.options.delimiter.join(text_field(cell, case.options) for cell in row) + b"\n" for row in case.wanted
    ]
    assert found == wanted
    assert read_text(b"".join(found), case.options) == case.wanted


@settings(max_examples=300)
@given(csv_cases())
def test_csv_is_what_a_server_would_have_written(case: Case) -> None:
    options = case.options
    assert isinstance(options, CsvOptions)
    found = run(case.rewriter(), sent(case.messages)).payloads[int(case.header) :]
    wanted = [
        options.delimiter.join(csv_field(cell, i, case.width, options) for i, cell in enumerate(row)) + b"\n"
        for row in case.wanted
    ]
    assert found == wanted


@settings(max_examples=200)
@given(tables(), st.sampled_from([b",", b";", b"\t"]), st.sampled_from([b'"', b"'"]))
def test_csv_is_read_back_by_another_reader(
    table: tuple[int, list[Row], dict[int, CellMasker | Constant]], delimiter: bytes, quote: bytes
) -> None:
    options = CsvOptions(delimiter, b"NULL", quote, quote)
    width, rows, maskers = table[0], without(table[1], b"NULL"), table[2]
    lines = [delimiter.join(csv_field(cell, i, width, options) for i, cell in enumerate(row)) + b"\n" for row in rows]
    case = Case(width, rows, maskers, lines, options)
    assert read_csv(b"".join(run(case.rewriter(), sent(lines)).payloads), options) == case.wanted


@given(binary_cases())
def test_binary_is_what_a_server_would_have_written(case: Case) -> None:
    data = b"".join(run(case.rewriter(), sent(case.messages)).payloads)
    assert read_binary(data) == case.wanted


# ---------------------------------------------------------------- any other division


@settings(max_examples=300)
@given(cases, st.data())
def test_any_division_into_messages_gives_the_same_bytes(case: Case, data: st.DataObject) -> None:
    whole = b"".join(case.messages)
    wanted = run(case.rewriter(), sent(case.messages))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=6)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    found = run(case.rewriter(), sent(pieces))
    assert b"".join(found.payloads) == b"".join(wanted.payloads)
    assert found[1:] == wanted[1:]


@settings(max_examples=60)
@given(cases)
def test_a_cut_at_every_point(case: Case) -> None:
    whole = b"".join(case.messages)
    wanted = b"".join(run(case.rewriter(), sent(case.messages)).payloads)
    for cut in range(len(whole) + 1):
        assert b"".join(run(case.rewriter(), sent([whole[:cut], whole[cut:]])).payloads) == wanted
    assert b"".join(run(case.rewriter(), sent([whole[n : n + 1] for n in range(len(whole))])).payloads) == wanted


@settings(max_examples=100)
@given(cases, st.data())
def test_any_division_into_buffers_gives_the_same_messages(case: Case, data: st.DataObject) -> None:
    stream = sent(case.messages) + CommandComplete("COPY 1").encode()
    wanted = run(case.rewriter(), sent(case.messages))
    rewriter, waiting, made, position = case.rewriter(), b"", b"", 0
    while position < len(stream):
        step = data.draw(st.integers(1, 60))
        waiting, position = waiting + stream[position : position + step], position + step
        out, consumed, _, _ = rewriter.rewrite(waiting, 0)
        waiting, made = waiting[consumed:], made + out
    assert waiting == CommandComplete("COPY 1").encode()
    assert payloads(made) == wanted.payloads


# ---------------------------------------------------------------- damage


@settings(max_examples=400)
@given(cases, st.data())
def test_a_damaged_stream_ends_or_shows_no_more(case: Case, data: st.DataObject) -> None:
    """Change or drop a byte: an error, or rows of the announced width whose masked cells show no canary."""
    whole = bytearray(b"".join(case.messages))
    at = data.draw(st.integers(0, max(0, len(whole) - 1)))
    whole[at : at + 1] = data.draw(st.binary(max_size=2))
    try:
        heard = run(case.rewriter(), sent([bytes(whole)]))
    except PeerError:
        return
    if case.options is None:
        assert all(len(row) == case.width for row in read_binary(b"".join(heard.payloads)))


@settings(max_examples=200)
@given(cases, st.integers(1, 40))
def test_a_stream_that_ends_early_is_an_error_or_ends_between_rows(case: Case, missing: int) -> None:
    whole = b"".join(case.messages)
    cut = whole[:-missing] if missing <= len(whole) else b""
    try:
        heard = run(case.rewriter(), sent([cut]))
    except PeerError:
        return
    assert heard.rows <= len(case.rows)
    assert b"".join(run(case.rewriter(), sent(case.messages)).payloads).startswith(b"".join(heard.payloads))


@given(st.binary(max_size=200), st.sampled_from([TextOptions(), CsvOptions(), CsvOptions(escape=b"\\"), None]))
def test_garbage_is_an_error_or_rows(garbage: bytes, options: TextOptions | CsvOptions | None) -> None:
    case = Case(2, [], {1: Constant(b"?")}, [], options)
    try:
        heard = run(case.rewriter(), sent([garbage]))
    except PeerError:
        return
    assert len(b"".join(heard.payloads)) <= len(garbage) + heard.cells


@pytest.mark.parametrize(
    ("options", "data", "problem"),
    [
        (TextOptions(), b"a\n", "1 columns in a row, 2 were announced"),
        (TextOptions(), b"a\tb\tc\n", "3 columns in a row, 2 were announced"),
        (TextOptions(b"|"), b"a\\|b\n", "1 columns in a row"),
        (TextOptions(header=True), b"a\n", "1 columns in a row"),
        (TextOptions(), b"a\tb", "ends within a row"),
        (CsvOptions(), b'a,"b\n', "ends within a row"),
        (CsvOptions(), b'a,b"c\n', "a quote stands where none may be"),
        (CsvOptions(), b'a,"b"c\n', "a quote stands where none may be"),
        (CsvOptions(), b'"a\n,b"\n', "1 columns in a row"),
        (None, b"PGCOPX\n\xff\r\n\0" + bytes(8), "signature"),
        (None, SIGNATURE + struct.pack(">II", 1 << 16, 0), "flags or an extension"),
        (None, SIGNATURE + struct.pack(">II", 0, 4) + b"1234", "flags or an extension"),
        (None, SIGNATURE + bytes(8) + binary_row((b"a",)), "1 columns in a row"),
        (None, SIGNATURE + bytes(8) + b"\0\2\xff\xff\xff\xfe", "negative length"),
        (None, SIGNATURE + bytes(8) + b"\xff\xff\0", "follows the trailer"),
        (None, SIGNATURE + bytes(8) + binary_row((b"a", b"b")), "before its trailer"),
        (None, b"", "before its trailer"),
    ],
)
def test_what_is_no_such_stream(options: TextOptions | CsvOptions | None, data: bytes, problem: str) -> None:
    with pytest.raises(PeerError, match=problem):
        run(Case(2, [], {1: Constant(b"?")}, [], options).rewriter(), sent([data]))


def test_rows_hidden_behind_a_row_in_one_message_are_masked_too() -> None:
    rows: list[Row] = [(b"1", b"secret"), (b"2", b"secret")]
    data = SIGNATURE + bytes(8) + b"".join(map(binary_row, rows)) + b"\xff\xff"
    rewriter = Case(2, rows, {1: Constant(b"?")}, [], None).rewriter()
    heard = run(rewriter, sent([SIGNATURE + bytes(8), data[19:]]))
    assert read_binary(b"".join(heard.payloads)) == [(b"1", b"?"), (b"2", b"?")]


def test_a_value_that_the_mask_cannot_read_tells_nothing() -> None:
    def number(cell: bytes) -> bytes:
        return b"%d" % int(cell)

    for options in (TextOptions(), CsvOptions()):
        with pytest.raises(PeerError, match="a value is not of its column's type") as caught:
            run(Case(1, [], {0: number}, [], options).rewriter(), sent([b"12-secret\n"]))
        assert "secret" not in str(caught.value)
        assert caught.value.__suppress_context__


def test_a_row_that_never_ends_is_not_kept() -> None:
    rewriter = CopyRewriter(TextRows(2, {1: Constant(b"?")}, TextOptions()), 1000)
    with pytest.raises(PeerError, match="longer than the gate keeps"):
        rewriter.rewrite(message(b"d", b"x" * 100) * 12, 0)


def test_a_long_row_in_many_messages_takes_linear_time() -> None:
    """Each try reads the row from its start: with one for each message this would take minutes."""
    pieces = [b'"' + b'a""\n' * 10] + [b'a""\n' * 10] * 20_000 + [b'",x\n']
    rewriter = CopyRewriter(CsvRows(2, {1: Constant(b"?")}, CsvOptions()), 1 << 24)
    assert b"".join(run(rewriter, sent(pieces)).payloads) == b"".join(pieces)[:-2] + b"?\n"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (rb"\101\x42\x6a", b"ABj"),
        (rb"\7", b"\7"),
        (rb"\x", b"x"),
        (rb"\q\.", b"q."),
        (b"a\\", b"a\\"),
        (rb"\\n", rb"\n"),
    ],
)
def test_every_escape_of_the_manual_is_read(field: bytes, value: bytes) -> None:
    seen: list[bytes] = []

    def note(cell: bytes) -> bytes:
        seen.append(cell)
        return b"?"

    assert run(Case(1, [], {0: note}, [], TextOptions()).rewriter(), sent([field + b"\n"])).payloads == [b"?\n"]
    assert seen == [value]
