"""The framing: whole lines only, and no byte of one changes unseen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dbgate.audit.records import GENESIS, Garbled, Record, read_record, read_records, write_record

json_texts = st.binary(max_size=60).map(lambda text: text.replace(b"\n", b" "))


def chain(payloads: list[bytes]) -> bytes:
    previous, lines = GENESIS, []
    for sequence, payload in enumerate(payloads):
        line, previous = write_record(sequence, previous, payload)
        lines.append(line)
    return b"".join(lines)


def follows_whole(content: bytes) -> bool:
    """Whether every line is a record, they count up, and each follows the one before it."""
    previous, expected = GENESIS, 0
    for line in read_records(content):
        if isinstance(line, Garbled) or line.sequence != expected or not line.follows(previous):
            return False
        previous, expected = line.hash, expected + 1
    return content.endswith(b"\n")


@given(st.lists(json_texts, min_size=1, max_size=6))
def test_what_is_written_is_read(payloads: list[bytes]) -> None:
    lines = list(read_records(chain(payloads)))
    assert [line.payload for line in lines if isinstance(line, Record)] == payloads
    assert follows_whole(chain(payloads))


@given(st.lists(json_texts, min_size=1, max_size=4), st.data())
def test_a_line_without_its_end_is_not_read(payloads: list[bytes], data: st.DataObject) -> None:
    content = chain(payloads)
    cut = data.draw(st.integers(0, len(content)))
    lines = [line for line in read_records(content[:cut]) if isinstance(line, Record)]
    assert [line.payload for line in lines] == payloads[: content[:cut].count(b"\n")]
    assert read_record(content[:cut], content[:cut].rfind(b"\n") + 1) is None


@given(st.lists(json_texts, min_size=1, max_size=4), st.data())
def test_any_changed_byte_is_found(payloads: list[bytes], data: st.DataObject) -> None:
    content = bytearray(chain(payloads))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    assert not follows_whole(bytes(content))


@given(st.binary(max_size=200))
def test_garbage_is_garbled(content: bytes) -> None:
    assert all(isinstance(line, Garbled) for line in read_records(content))
