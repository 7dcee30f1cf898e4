"""`verify` finds what was changed, removed or inserted, and names the first such record."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbgate.audit.log import AuditLog
from dbgate.audit.position import Position, read_position, write_position
from dbgate.audit.records import write_record
from dbgate.audit.segments import segment_path, segments
from dbgate.audit.verify import verify, verify_stream
from tests.dbgate.audit.support import statement


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = AuditLog.open(tmp_path, "w0", segment_bytes=1500)
    for number in range(8):
        log.append(statement(number))
    log.close()
    folder = tmp_path / "audit" / "log" / "w0"
    assert len(segments(folder)) > 2
    assert verify_stream(folder).problems == ()
    return folder


def lines(folder: Path, number: int = 1) -> list[bytes]:
    return segment_path(folder, number).read_bytes().splitlines(keepends=True)


def write(folder: Path, content: list[bytes], number: int = 1) -> None:
    segment_path(folder, number).write_bytes(b"".join(content))


def first_problem(folder: Path) -> str:
    return str(verify_stream(folder).problems[0])


def test_a_changed_record(folder: Path) -> None:
    content = lines(folder)
    content[2] = content[2].replace(b'"rows":0', b'"rows":9')
    write(folder, content)
    assert "record 2 was changed" in first_problem(folder)
    assert f"byte {len(content[0] + content[1])} " in first_problem(folder)
    assert len(verify_stream(folder).problems) == 1


def test_a_changed_record_with_a_new_length(folder: Path) -> None:
    content = lines(folder)
    content[2] = content[2].replace(b'"rows":0', b'"rows":12345')
    write(folder, content)
    assert "record 2 was changed" in first_problem(folder)


def test_a_record_with_its_own_link_computed_again(folder: Path) -> None:
    content = lines(folder)
    previous = bytes.fromhex(content[1].split(b" ")[1 + 1].decode())
    content[2], _ = write_record(2, previous, content[2].split(b" ", 3)[3][:-1].replace(b'"rows":0', b'"rows":9'))
    write(folder, content)
    assert "record 3 was changed" in first_problem(folder)


def test_removed_records(folder: Path) -> None:
    content = lines(folder)
    write(folder, content[:1] + content[3:])
    assert "records 1 to 2 were removed" in first_problem(folder)


def test_an_inserted_record(folder: Path) -> None:
    content = lines(folder)
    write(folder, [*content[:3], content[1], *content[3:]])
    assert "record 1 was inserted after record 2" in first_problem(folder)


def test_the_end_of_a_complete_segment(folder: Path) -> None:
    write(folder, lines(folder)[:-1])
    assert "the segment before this one ended otherwise" in first_problem(folder)


def test_a_missing_segment(folder: Path) -> None:
    segment_path(folder, 2).unlink()
    assert "segment 2 is missing" in first_problem(folder)


def test_deleting_the_oldest_segments_is_what_the_shipper_does(folder: Path) -> None:
    segment_path(folder, 1).unlink()
    assert verify_stream(folder).problems == ()


def test_a_missing_head(folder: Path) -> None:
    write(folder, lines(folder)[1:])
    assert "does not begin with its head" in first_problem(folder)


def test_what_was_shipped_and_is_gone(folder: Path, tmp_path: Path) -> None:
    last = segments(folder)[-1]
    size = segment_path(folder, last).stat().st_size
    write_position(tmp_path, "w0", Position(last, size, 20, "00" * 32))
    assert verify(tmp_path)[0].problems == ()
    write(folder, lines(folder, last)[:-1], last)
    (problem,) = verify(tmp_path)[0].problems
    assert "were shipped and are removed here" in problem.what


def test_a_record_being_written_is_no_problem_while_the_gate_runs(tmp_path: Path) -> None:
    log = AuditLog.open(tmp_path, "w0")
    log.append(statement(1))
    path = segment_path(log.folder, 1)
    with path.open("ab") as file:
        file.write(b"3 200 ab")
    assert verify_stream(log.folder).problems == ()
    log.close()
    assert "cut off" in first_problem(log.folder)


def test_a_damaged_position_says_what_to_do(tmp_path: Path) -> None:
    write_position(tmp_path, "w0", Position(3, 10, 4, "00" * 32))
    assert read_position(tmp_path, "w0") == Position(3, 10, 4, "00" * 32)
    (tmp_path / "audit" / "shipped" / "w0.json").write_text("{")
    with pytest.raises(ValueError, match="remove it to ship the stream again"):
        read_position(tmp_path, "w0")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(data=st.data())
def test_any_changed_byte_of_any_segment_is_found(folder: Path, data: st.DataObject) -> None:
    number = data.draw(st.sampled_from(segments(folder)))
    path = segment_path(folder, number)
    whole = path.read_bytes()
    content = bytearray(whole)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    found = verify_stream(folder).problems
    path.write_bytes(whole)
    assert found
