"""Masked rows, text and binary: the compiled loops against an obvious one, and against rows that lie."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.mysql.fieldtypes import FieldType
from protocols.mysql.packets import HEADER_SIZE, MAX_PAYLOAD
from protocols.mysql.rows import CellMasker, Constant, Rewritten, compile_rewriter

Row = tuple[bytes | None, ...]
Masks = Mapping[int, CellMasker | Constant]
MASKERS: dict[str, CellMasker | Constant] = {
    "stars": lambda cell: b"*" * len(cell),
    "longer": lambda cell: cell + b"+" * 300,
    "shorter": lambda cell: cell[-1:],
    "null": lambda cell: None,
    "sometimes null": lambda cell: None if len(cell) % 2 else cell[::-1],
    "word": Constant(b"[redacted]"),
    "empty": Constant(b""),
    "constant null": Constant(None),
    "large": Constant(b"x" * 500),
}
#: those that leave the width alone, for types without a length
SAME_WIDTH: dict[str, CellMasker] = {
    "zeros": lambda cell: bytes(len(cell)),
    "turned": lambda cell: cell[::-1],
    "null": lambda cell: None,
    "null if odd": lambda cell: None if cell[0] % 2 else bytes(len(cell)),
}
WIDTHS = {FieldType.TINY: 1, FieldType.SHORT: 2, FieldType.YEAR: 2, FieldType.LONG: 4, FieldType.INT24: 4,
          FieldType.FLOAT: 4, FieldType.LONGLONG: 8, FieldType.DOUBLE: 8}  # fmt: skip
ENCODED = (FieldType.VAR_STRING, FieldType.BLOB, FieldType.DATE, FieldType.TIME, FieldType.NEWDECIMAL, FieldType.BIT)
END = b"\x05\x00\x00\x00\xfe\x00\x00\x02\x00"


def length(size: int) -> bytes:
    """A length-encoded integer, written a second time for the test alone."""
    if size < 251:
        return bytes([size])
    if size < 1 << 16:
        return b"\xfc" + struct.pack("<H", size)
    return b"\xfd" + struct.pack("<I", size)[:3] if size < 1 << 24 else b"\xfe" + struct.pack("<Q", size)


def packet(payload: bytes, sequence: int) -> bytes:
    return struct.pack("<I", len(payload))[:3] + bytes([sequence & 255]) + payload


def text_payload(row: Row) -> bytes:
    return b"".join(b"\xfb" if cell is None else length(len(cell)) + cell for cell in row)


def binary_payload(row: Row, types: tuple[int, ...]) -> bytes:
    bitmap = bytearray((len(row) + 9) // 8)
    values = b""
    for column, (cell, kind) in enumerate(zip(row, types, strict=True), 2):
        if cell is None:
            bitmap[column // 8] |= 1 << column % 8
        else:
            values += cell if kind in WIDTHS else length(len(cell)) + cell
    return b"\0" + bytes(bitmap) + values


@dataclass(frozen=True)
class Table:
    types: tuple[int, ...]
    rows: list[Row]
    masks: Masks
    binary: bool
    sequence: int
    shift: int

    def payload(self, row: Row) -> bytes:
        return binary_payload(row, self.types) if self.binary else text_payload(row)

    def stream(self, rows: list[Row] | None = None, shift: int = 0) -> bytes:
        rows = self.rows if rows is None else rows
        return b"".join(packet(self.payload(row), self.sequence + shift + n) for n, row in enumerate(rows))

    def masked(self) -> tuple[bytes, int]:
        """What must come out, the slow way, and how many cells are masked."""
        rows = [tuple(mask_cell(cell, self.masks.get(n)) for n, cell in enumerate(row)) for row in self.rows]
        hits = sum(cell is not None and n in self.masks for row in self.rows for n, cell in enumerate(row))
        return self.stream(rows, self.shift), hits

    def rewrite(self, stream: bytes, start: int = 0, end: int | None = None, done: int = 0) -> Rewritten:
        rewriter = compile_rewriter(self.types, self.masks, self.binary)
        return rewriter(stream, start, len(stream) if end is None else end, self.sequence + done & 255, self.shift)


def mask_cell(cell: bytes | None, masker: CellMasker | Constant | None) -> bytes | None:
    if cell is None or masker is None:
        return cell
    return masker.value if isinstance(masker, Constant) else masker(cell)


texts = st.binary(max_size=12) | st.binary(min_size=248, max_size=256)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    is_binary = draw(st.booleans())
    types = tuple(draw(st.lists(st.sampled_from((*WIDTHS, *ENCODED)), min_size=1, max_size=14)))
    sized = [WIDTHS.get(kind) if is_binary else None for kind in types]
    cells = [texts if size is None else st.binary(min_size=size, max_size=size) for size in sized]
    rows = draw(st.lists(st.tuples(*[st.none() | cell for cell in cells]), max_size=6))
    masks = {
        n: (MASKERS if sized[n] is None else SAME_WIDTH)[
            draw(st.sampled_from(sorted(MASKERS if sized[n] is None else SAME_WIDTH)))
        ]
        for n in draw(st.sets(st.integers(0, len(types) - 1)))
    }
    return Table(types, rows, masks, is_binary, draw(st.integers(0, 255)), draw(st.sampled_from((0, 0, 1, -1, 255))))


@given(tables())
def test_compiled_rows_equal_the_obvious_ones(table: Table) -> None:
    stream = table.stream()
    made = table.rewrite(stream)
    assert (made.data, made.cells) == table.masked()
    assert (made.consumed, made.rows) == (len(stream), len(table.rows))
    assert (made.sequence, made.shift) == (table.sequence + len(table.rows) & 255, table.shift)


@given(tables(), st.data())
def test_any_chunking_gives_the_same_rows(table: Table, data: st.DataObject) -> None:
    stream = table.stream() + END
    waiting, made, rows, cells, position = b"", b"", 0, 0, 0
    while position < len(stream):
        step = data.draw(st.integers(1, 80))
        waiting, position = waiting + stream[position : position + step], position + step
        new = table.rewrite(waiting, done=rows)
        waiting, made, rows, cells = waiting[new.consumed :], made + new.data, rows + new.rows, cells + new.cells
    assert (made, cells) == table.masked()
    assert (rows, waiting) == (len(table.rows), END)


@given(tables(), st.binary(max_size=20), st.binary(max_size=20))
def test_bytes_outside_of_start_and_end_are_left_alone(table: Table, before: bytes, after: bytes) -> None:
    stream = before + table.stream() + after
    made = table.rewrite(stream, len(before), len(stream) - len(after))
    assert (made.data, made.cells) == table.masked()
    assert stream[made.consumed :] == after


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize(
    "end", [END, b"\x07\x00\x00\x09\xfe\x00\x00\x02\x00\x00\x00", b"\x05\x00\x00\x09\xff\x15\x04#a"]
)
def test_what_ends_the_rows_is_not_taken(binary: bool, end: bytes) -> None:
    table = Table((FieldType.VAR_STRING,), [(b"a",)], {0: Constant(b"x")}, binary, 3, 0)
    made = table.rewrite(table.stream() + end)
    assert made.data == table.masked()[0]
    assert made.consumed == len(table.stream())


secrets = st.binary(min_size=4, max_size=40).map(lambda secret: b"<<" + secret.hex().encode() + b">>")


@given(st.data(), st.booleans())
def test_no_byte_of_a_masked_cell_survives(data: st.DataObject, binary: bool) -> None:
    width = data.draw(st.integers(1, 8))
    masked = data.draw(st.sets(st.integers(0, width - 1), min_size=1))
    row = tuple(
        data.draw(secrets) if n in masked else data.draw(texts.filter(lambda t: b"<<" not in t)) for n in range(width)
    )
    table = Table((FieldType.VAR_STRING,) * width, [row, row], dict.fromkeys(masked, Constant(b"-")), binary, 0, 0)
    assert b"<<" not in table.rewrite(table.stream()).data


@settings(max_examples=300)
@given(tables().filter(lambda table: bool(table.rows)), st.data())
def test_a_damaged_row_is_whole_rows_or_an_error(table: Table, data: st.DataObject) -> None:
    """Change one byte anywhere: either `PeerError`, or whole packets that hold rows of these columns."""
    stream = bytearray(table.stream())
    stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    try:
        made = table.rewrite(bytes(stream))
    except PeerError:
        return
    unmasked = Table(table.types, table.rows, {}, table.binary, table.sequence + table.shift & 255, 0)
    again = unmasked.rewrite(made.data)
    assert (again.rows, again.consumed) == (made.rows, len(made.data))


@given(tables(), st.binary(max_size=60))
def test_garbage_gives_peer_error_and_nothing_else(table: Table, garbage: bytes) -> None:
    for stream in (garbage, packet(garbage, table.sequence), packet(b"\0" + garbage, table.sequence)):
        try:
            table.rewrite(stream)
        except PeerError:
            continue


seen: list[bytes] = []


def spy(cell: bytes) -> bytes:
    seen.append(cell)
    return b"-"


TEXT_LIES: dict[str, bytes] = {
    "a column too few": packet(b"\1a\1b", 0),
    "a column too many": packet(b"\1a\1b\1c\1d", 0),
    "no columns": packet(b"\0", 0),
    "empty": packet(b"", 0),
    "a length beyond the row": packet(b"\1a\x1eb\1c", 0),
    "a length beyond everything": packet(b"\1a\xfe" + b"\x7f" * 8 + b"\1c", 0),
    "half a length": packet(b"\1a\xfc\1", 0),
    "no length": packet(b"\1a\xffb\1c", 0),
    "an early length beyond the row": packet(b"\x09a\1b\1c", 0),
    "another sequence id": packet(b"\1a\1b\1c", 1),
}
BINARY_LIES: dict[str, bytes] = {
    "a column too few": packet(b"\0\0\1a\1b", 0),
    "a column too many": packet(b"\0\0\1a\1b\1c\1d", 0),
    "no bitmap": packet(b"\0", 0),
    "empty": packet(b"", 0),
    "a length beyond the row": packet(b"\0\0\1a\x1eb\1c", 0),
    "a NULL in place of a length": packet(b"\0\0\1a\xfb\1c", 0),
    "an unmasked NULL in place of a length": packet(b"\0\0\xfb\1b\1c", 0),
    "half a length": packet(b"\0\0\1a\xfc\1", 0),
    "another header": packet(b"\1\0\1a\1b\1c", 0),
    "another sequence id": packet(b"\0\0\1a\1b\1c", 1),
}
LIES = [pytest.param(lie, False, id=f"text: {name}") for name, lie in TEXT_LIES.items()] + [
    pytest.param(lie, True, id=f"binary: {name}") for name, lie in BINARY_LIES.items()
]


@pytest.mark.parametrize(("lie", "binary"), LIES)
@pytest.mark.parametrize("after", [b"", packet(b"\0\0\x0asecret row\1b\1c", 1), END], ids=["end", "a row", "an end"])
def test_no_cell_is_read_past_its_row(lie: bytes, binary: bool, after: bytes) -> None:
    seen.clear()
    with pytest.raises(PeerError):
        compile_rewriter((FieldType.VAR_STRING,) * 3, {1: spy}, binary)(lie + after, 0, len(lie + after), 0, 0)
    assert not any(b"secret" in cell for cell in seen)


def test_rows_whose_masked_cells_are_null_pass_as_they_are() -> None:
    table = Table((FieldType.VAR_STRING,) * 2, [(None, b"x")] * 3, {0: Constant(b"word")}, False, 0, 0)
    stream = table.stream()
    made = table.rewrite(stream)
    assert made.data is stream
    assert (made.rows, made.cells) == (3, 0)


def test_what_a_mask_raises_comes_through() -> None:
    def broken(cell: bytes) -> bytes:
        raise ZeroDivisionError

    table = Table((FieldType.VAR_STRING,), [(b"x",)], {0: broken}, False, 0, 0)
    with pytest.raises(ZeroDivisionError):
        table.rewrite(table.stream())


@pytest.mark.parametrize(("width", "index"), [(2, 2), (2, -1), (0, 0), (70_000, 1)])
def test_a_mask_outside_of_the_row_is_our_mistake(width: int, index: int) -> None:
    with pytest.raises(UsageError, match="outside"):
        compile_rewriter((FieldType.BLOB,) * width, {index: Constant(b"")}, False)


def test_a_number_keeps_its_width() -> None:
    with pytest.raises(UsageError, match="4 bytes"):
        compile_rewriter((FieldType.LONG,), {0: Constant(b"0")}, True)
    table = Table((FieldType.LONG,), [(b"1234",)], {0: lambda cell: b"0"}, True, 0, 0)
    with pytest.raises(UsageError, match="4 bytes"):
        table.rewrite(table.stream())


@pytest.mark.parametrize("kind", [FieldType.NEWDATE, FieldType.TIME2, FieldType.TYPED_ARRAY, FieldType.INVALID, 77])
def test_types_that_no_row_has_are_refused(kind: int) -> None:
    with pytest.raises(UsageError, match="not known"):
        compile_rewriter((kind,), {0: Constant(None)}, True)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_wide_rows(binary: bool) -> None:
    width = 4096
    row: Row = tuple(str(n).encode() if n % 7 else None for n in range(width))
    masks: Masks = {1: Constant(b"first"), 800: Constant(None), 4095: MASKERS["stars"]}
    table = Table((FieldType.VAR_STRING,) * width, [row], masks, binary, 0, 0)
    made = table.rewrite(table.stream())
    assert (made.data, made.cells) == table.masked()


# ---------------------------------------------------------------- rows in several packets


def packets(payload: bytes, sequence: int) -> bytes:
    parts = [payload[at : at + MAX_PAYLOAD] for at in range(0, len(payload) + 1, MAX_PAYLOAD)]
    return b"".join(packet(part, sequence + n) for n, part in enumerate(parts))


LONG = b"s" * (MAX_PAYLOAD + 10)


def long_table(binary: bool, row: Row, masks: Masks) -> Table:
    return Table((FieldType.BLOB,) * len(row), [row], masks, binary, 254, 1)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize(
    ("row", "masks"),
    [
        ((b"a", LONG, b"b"), {1: Constant(b"short")}),  # 2 packets become 1
        ((b"a", LONG, b"b"), {0: Constant(b"short")}),  # 2 stay 2
        ((LONG, b"b"), {1: Constant(None)}),  # begins with 0xFE in text
        ((b"a", b"b" * MAX_PAYLOAD, b""), {0: lambda cell: LONG}),  # 2 become 3
        ((b"short", b"b"), {0: Constant(LONG)}),  # 1 becomes 2
    ],
    ids=["shrinks", "stays", "first", "grows", "outgrows"],
)
def test_rows_of_several_packets(binary: bool, row: Row, masks: Masks) -> None:
    table = long_table(binary, row, masks)
    stream = packets(table.payload(row), 254)
    count = len(range(0, len(table.payload(row)) + 1, MAX_PAYLOAD))
    after = packet(table.payload((None,) * len(row)), 254 + count)
    made = table.rewrite(stream + after + END)
    masked = table.payload(tuple(mask_cell(cell, masks.get(n)) for n, cell in enumerate(row)))
    now = len(range(0, len(masked) + 1, MAX_PAYLOAD))
    assert made.data == packets(masked, 255) + packet(table.payload((None,) * len(row)), 255 + now)
    assert (made.rows, made.cells, made.consumed) == (2, 1, len(stream + after))
    assert (made.sequence, made.shift) == (254 + count + 1 & 255, 1 + now - count)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_a_long_row_waits_for_all_of_its_packets(binary: bool) -> None:
    table = long_table(binary, (b"a", LONG), {1: Constant(b"-")})
    stream = packets(table.payload(table.rows[0]), 254)
    for end in (5, MAX_PAYLOAD, MAX_PAYLOAD + HEADER_SIZE, MAX_PAYLOAD + 2 * HEADER_SIZE, len(stream) - 1):
        assert table.rewrite(stream, end=end) == Rewritten(b"", 0, 0, 0, 254, 1)


def test_a_row_of_just_one_full_packet_ends_with_an_empty_one() -> None:
    cell = b"s" * (MAX_PAYLOAD - 4)
    table = Table((FieldType.BLOB,), [(cell,)], {}, False, 0, 0)
    stream = packets(text_payload((cell,)), 0)
    assert stream.endswith(b"\0\0\0\1")
    assert table.rewrite(stream) == Rewritten(stream, len(stream), 1, 0, 2, 0)


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_the_packets_of_a_long_row_come_in_order(binary: bool) -> None:
    table = long_table(binary, (b"a", LONG), {1: Constant(b"-")})
    stream = bytearray(packets(table.payload(table.rows[0]), 254))
    stream[MAX_PAYLOAD + 4 + 3] = 7
    with pytest.raises(PeerError, match="out of order"):
        table.rewrite(bytes(stream))


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
def test_a_long_row_that_lies_is_an_error(binary: bool) -> None:
    table = long_table(binary, (b"a", LONG), {1: Constant(b"-")})
    with pytest.raises(PeerError):
        table.rewrite(packets(table.payload(table.rows[0]) + b"\0", 254))
