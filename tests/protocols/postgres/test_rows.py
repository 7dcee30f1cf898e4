"""Masked rows: the compiled loop against an obvious one, and against rows that lie."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.postgres.backend import CommandComplete, DataRow, decode
from protocols.postgres.frames import HEADER_SIZE, split
from protocols.postgres.rows import CellMasker, Constant, compile_rewriter, count_rows

LIMIT = 1 << 30
Row = tuple[bytes | None, ...]
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


def mask_cell(cell: bytes | None, masker: CellMasker | Constant | None) -> bytes | None:
    if cell is None or masker is None:
        return cell
    return masker.value if isinstance(masker, Constant) else masker(cell)


def reference(rows: list[Row], maskers: Mapping[int, CellMasker | Constant]) -> tuple[bytes, int, int]:
    """What the rewriter must give, the slow way: bytes, rows, masked cells."""
    out, cells = b"", 0
    for row in rows:
        masked = tuple(mask_cell(cell, maskers.get(index)) for index, cell in enumerate(row))
        cells += sum(cell is not None and index in maskers for index, cell in enumerate(row))
        out += DataRow(masked).encode()
    return out, len(rows), cells


cells = st.none() | st.binary(max_size=12) | st.binary(min_size=250, max_size=260)


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, list[Row], dict[int, CellMasker | Constant]]:
    width = draw(st.integers(1, 14))
    rows = draw(st.lists(st.tuples(*[cells] * width), max_size=6))
    names = draw(st.dictionaries(st.integers(0, width - 1), st.sampled_from(sorted(MASKERS))))
    return width, rows, {index: MASKERS[name] for index, name in names.items()}


@given(tables())
def test_compiled_rows_equal_the_obvious_ones(table: tuple[int, list[Row], dict[int, CellMasker | Constant]]) -> None:
    width, rows, maskers = table
    stream = b"".join(DataRow(row).encode() for row in rows)
    out, consumed, count, masked = compile_rewriter(width, maskers)(stream, 0)
    assert (out, count, masked) == reference(rows, maskers)
    assert consumed == len(stream)


@given(tables(), st.data())
def test_any_chunking_gives_the_same_rows(
    table: tuple[int, list[Row], dict[int, CellMasker | Constant]], data: st.DataObject
) -> None:
    width, rows, maskers = table
    stream = b"".join(DataRow(row).encode() for row in rows) + CommandComplete("SELECT 1").encode()
    rewrite = compile_rewriter(width, maskers)
    waiting, made, count, masked, position = b"", b"", 0, 0, 0
    while position < len(stream):
        step = data.draw(st.integers(1, 80))
        waiting, position = waiting + stream[position : position + step], position + step
        out, consumed, new_rows, new_cells = rewrite(waiting, 0)
        waiting, made, count, masked = waiting[consumed:], made + out, count + new_rows, masked + new_cells
    assert (made, count, masked) == reference(rows, maskers)
    assert waiting == CommandComplete("SELECT 1").encode()


@given(tables(), st.binary(max_size=20))
def test_rows_before_the_position_and_messages_after_it_are_left_alone(
    table: tuple[int, list[Row], dict[int, CellMasker | Constant]], before: bytes
) -> None:
    width, rows, maskers = table
    stream = before + b"".join(DataRow(row).encode() for row in rows) + b"Z\0\0\0\5I"
    out, consumed, count, masked = compile_rewriter(width, maskers)(stream, len(before))
    assert (out, count, masked) == reference(rows, maskers)
    assert stream[consumed:] == b"Z\0\0\0\5I"


@given(tables())
def test_counting_finds_every_row(table: tuple[int, list[Row], dict[int, CellMasker | Constant]]) -> None:
    _, rows, _ = table
    stream = b"".join(DataRow(row).encode() for row in rows)
    assert count_rows(stream + b"Z\0\0\0\5I", 0) == (len(stream), len(rows))
    if rows:
        assert count_rows(stream[:-1], 0)[1] == len(rows) - 1


@settings(max_examples=300)
@given(tables().filter(lambda table: bool(table[1])), st.data())
def test_a_damaged_row_is_whole_messages_or_an_error(
    table: tuple[int, list[Row], dict[int, CellMasker | Constant]], data: st.DataObject
) -> None:
    """Change one byte anywhere: either `PeerError`, or whole messages with the announced number of columns."""
    width, rows, maskers = table
    stream = bytearray(b"".join(DataRow(row).encode() for row in rows))
    stream[data.draw(st.integers(0, len(stream) - 1))] = data.draw(st.integers(0, 255))
    try:
        out, consumed, count, _ = compile_rewriter(width, maskers)(bytes(stream), 0)
    except PeerError:
        return
    messages, end = split(out, 0, LIMIT)
    assert (len(messages), end) == (count, len(out))
    assert all(
        out[start + HEADER_SIZE : start + HEADER_SIZE + 2] == struct.pack(">H", width) for _, start, _ in messages
    )
    assert consumed <= len(stream)


@given(st.integers(0, 6), st.sets(st.integers(0, 5)), st.binary(max_size=60))
def test_garbage_gives_peer_error_and_nothing_else(width: int, masked: set[int], garbage: bytes) -> None:
    rewrite = compile_rewriter(width, {index: Constant(b"x") for index in masked if index < width})
    for walk in (lambda: rewrite(b"D\0\0\0" + garbage, 0), lambda: rewrite(garbage, 0), lambda: count_rows(garbage, 0)):
        try:
            walk()
        except PeerError:
            continue


def row(payload: bytes) -> bytes:
    return b"D" + struct.pack(">I", len(payload) + 4) + payload


seen: list[bytes] = []


def spy(cell: bytes) -> bytes:
    seen.append(cell)
    return b"-"


NEXT_ROW = DataRow((b"secret of the next row",) * 3).encode()
LIES: dict[str, bytes] = {
    "another column count": row(struct.pack(">Hi1si1s", 2, 1, b"a", 1, b"b")),
    "no columns": row(struct.pack(">H", 0)),
    "no column count": row(b""),
    "half a column count": row(b"\0"),
    "a length beyond the row": row(struct.pack(">Hi1si1si1s", 3, 1, b"a", 30, b"b", 1, b"c")),
    "a length beyond everything": row(struct.pack(">Hi1si1si1s", 3, 1, b"a", 0x7FFFFFFF, b"b", 1, b"c")),
    "an early length beyond the row": row(struct.pack(">Hi1si1si1s", 3, 9, b"a", 1, b"b", 1, b"c")),
    "an early length beyond everything": row(struct.pack(">Hi1si1si1s", 3, 0x7FFFFFFF, b"a", 1, b"b", 1, b"c")),
    "a negative length": row(struct.pack(">Hi1si1si1s", 3, 1, b"a", -2, b"b", 1, b"c")),
    "an early negative length": row(struct.pack(">Hi1si1si1s", 3, -9, b"a", 1, b"b", 1, b"c")),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
@pytest.mark.parametrize("after", [b"", NEXT_ROW, b"Z\0\0\0\5I"], ids=["end", "a row", "ready"])
def test_no_cell_is_read_past_its_row(lie: bytes, after: bytes) -> None:
    seen.clear()
    with pytest.raises(PeerError, match="invalid DataRow"):
        compile_rewriter(3, {1: spy})(lie + after, 0)
    assert not any(b"next row" in cell for cell in seen)


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5])
def test_a_row_too_short_to_be_one_is_not_waited_for(length: int) -> None:
    stub = b"D" + struct.pack(">I", length)
    with pytest.raises(PeerError, match="length"):
        count_rows(stub, 0)
    with pytest.raises(PeerError, match="length"):
        compile_rewriter(1, {0: Constant(b"")})(stub, 0)


def test_rows_whose_masked_cells_are_null_pass_as_they_are() -> None:
    stream = DataRow((None, b"x")).encode() * 3
    out, consumed, rows, masked = compile_rewriter(2, {0: Constant(b"word")})(stream, 0)
    assert out is stream
    assert (consumed, rows, masked) == (len(stream), 3, 0)


def test_rows_without_columns_can_be_counted() -> None:
    stream = DataRow(()).encode() * 2
    assert compile_rewriter(0, {})(stream, 0) == (stream, len(stream), 2, 0)


def test_what_a_mask_raises_comes_through() -> None:
    def broken(cell: bytes) -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        compile_rewriter(1, {0: broken})(DataRow((b"x",)).encode(), 0)


@pytest.mark.parametrize(("width", "index"), [(2, 2), (2, -1), (0, 0), (70_000, 1)])
def test_a_mask_outside_of_the_row_is_our_mistake(width: int, index: int) -> None:
    with pytest.raises(UsageError, match="outside"):
        compile_rewriter(width, {index: Constant(b"")})


def test_wide_rows_are_walked_by_a_loop() -> None:
    cells: Row = tuple(str(n).encode() for n in range(1600))
    masks: dict[int, CellMasker | Constant] = {0: Constant(b"first"), 800: Constant(b"middle"), 1599: MASKERS["stars"]}
    stream = DataRow(cells).encode()
    out, _, rows, masked = compile_rewriter(1600, masks)(stream, 0)
    assert (rows, masked) == (1, 3)
    assert decode(out[0], out[HEADER_SIZE:]) == DataRow((b"first", *cells[1:800], b"middle", *cells[801:1599], b"****"))
