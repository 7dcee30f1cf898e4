"""Commands: written and read, damaged and cut short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.mysql import commands
from protocols.mysql.capabilities import Capability
from protocols.mysql.parameters import Parameter, read_block, write_block
from protocols.mysql.relay import Expect, expected
from protocols.mysql.wire import Reader
from tests.protocols.mysql.strategies import any_command, capabilities, parameters, queries
from tests.protocols.postgres.strategies import damaged

WITH = Capability.PROTOCOL_41 | Capability.QUERY_ATTRIBUTES
WITHOUT = Capability.PROTOCOL_41


@given(any_command, capabilities)
def test_commands_come_out_as_they_went_in(command: commands.Command, agreed: Capability) -> None:
    data = command.encode(agreed)
    assert commands.decode(data, agreed) == command
    assert data[0] == command.code


@given(queries)
def test_query_attributes_come_out_as_they_went_in(query: commands.Query) -> None:
    data = query.encode(WITH)
    assert commands.decode(data, WITH) == query
    assert commands.decode(query.encode(WITHOUT), WITHOUT) == commands.Query(query.sql)


def test_query_attributes_as_the_manual_lays_them_out() -> None:
    attribute = Parameter(0xFE, b"\x02hi", b"trace")
    absent = Parameter(0x8003, None, b"n")
    data = b"\x03\x02\x01\x02\x01\xfe\x00\x05trace\x03\x80\x01n\x02hiSELECT 1"
    assert commands.decode(data, WITH) == commands.Query(b"SELECT 1", (attribute, absent))
    assert commands.Query(b"SELECT 1", (attribute, absent)).encode(WITH) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x03",
        b"\x03\x00\x02SELECT 1",  # two sets of parameters
        b"\x03\x01\x01\x00\x00SELECT 1",  # attributes without types
        b"\x03\x01\x01\x00\x02\xfe\x00\x00\x00SELECT 1",
        b"\x03\x01\x01\x00\x01\xf3\x00\x00SELECT 1",  # a type that no value has
        b"\x03\x01\x01\x00\x01\xfe\x00\x00\xfaSELECT 1",  # longer than the packet
        b"\x03\xfd\xff\xff\xff\x01SELECT 1",  # 16 million attributes
        b"\x04table",
        b"\x07",
        b"\x0c\x01\x00",
        b"\x0e\x00",
        b"\x17\x01\x00\x00\x00\x00",
        b"\x18\x01\x00\x00\x00\x00",
        b"\x19\x01\x00\x00\x00\x00",
        b"\x1b\x00",
        b"\x1c\x01\x00\x00\x00\x01\x00\x00",
        b"\x1f\x00",
    ],
)
def test_what_is_no_command_is_a_peer_error(data: bytes) -> None:
    with pytest.raises(PeerError):
        commands.decode(data, WITH)


@given(st.data())
def test_damaged_commands_are_a_peer_error_or_another_command(data: st.DataObject) -> None:
    command = data.draw(any_command | queries)
    broken = data.draw(damaged(command.encode(WITH)))
    try:
        other = commands.decode(broken, WITH)
    except PeerError:
        return
    assert commands.decode(other.encode(WITH), WITH) == other


@pytest.mark.parametrize("code", [0x00, 0x0B, 0x0F, 0x10, 0x14, 0x1D, 0x20, 0x21, 0x22, 0x77, 0xFB, 0xFF])
def test_codes_that_no_client_sends_are_unknown(code: int) -> None:
    assert commands.decode(bytes([code]) + b"abc", WITH) == commands.Unknown(code, b"abc")
    with pytest.raises(UsageError):
        expected(code)


@pytest.mark.parametrize("code", [0x08, 0x12, 0x13, 0x15, 0x1E, 0xFA, 0xFE])
def test_replies_that_cannot_be_read_are_not_waited_for(code: int) -> None:
    with pytest.raises(UsageError):
        expected(code)


def test_some_commands_have_no_reply() -> None:
    assert [code for code in commands.Code if code in _KNOWN and expected(code) is Expect.NOTHING] == [
        commands.Code.QUIT,
        commands.Code.STMT_SEND_LONG_DATA,
        commands.Code.STMT_CLOSE,
    ]


_KNOWN = {*range(0x01, 0x08), 0x09, 0x0A, 0x0C, 0x0D, 0x0E, 0x11, *range(0x16, 0x1D), 0x1F}


@given(st.booleans().flatmap(lambda named: st.tuples(st.just(named), st.lists(parameters(named), min_size=1))))
def test_parameters_come_out_as_they_went_in(case: tuple[bool, list[Parameter]]) -> None:
    named, values = case
    data = write_block(values, named)
    reader = Reader(data, "test")
    assert read_block(reader, len(values), named) == (True, tuple(values))
    reader.finish()


@given(st.lists(parameters(False), min_size=1, max_size=20), st.data())
def test_types_of_an_earlier_execution_hold(values: list[Parameter], data: st.DataObject) -> None:
    long_data = data.draw(st.sets(st.integers(0, len(values) - 1)))
    sent = [Parameter(value.type, None if number in long_data else value.data) for number, value in enumerate(values)]
    block = write_block(sent, named=False, bound=False, long_data=long_data)
    known = [(value.type, None) for value in values]
    reader = Reader(block, "test")
    assert read_block(reader, len(values), False, known, long_data) == (False, tuple(sent))
    reader.finish()
    with pytest.raises(PeerError):
        read_block(Reader(block, "test"), len(values), named=False)


# MySQL 9.7 takes a length in front of a value of each of these, whatever the manual says of the type.
READ_OTHERWISE = [6, 9, 13, 14, 17, 18, 19, 20, 21, 100, 241, 243, 244, 0x103, 0x4003, 0x8103, 0xFF03, 0x01FE]


@pytest.mark.parametrize("kind", READ_OTHERWISE)
def test_no_statement_hides_behind_a_value_that_the_server_reads_otherwise(kind: int) -> None:
    attribute = b"\x01\x01\x00\x01" + kind.to_bytes(2, "little") + b"\x01n"
    with pytest.raises(PeerError):
        commands.decode(b"\x03" + attribute + b"\x02 /DELETE FROM t -- /SELECT 1", WITH)
    absent = b"\x01\x01\x01\x01" + kind.to_bytes(2, "little") + b"\x01n"
    assert commands.decode(b"\x03" + absent + b"SELECT 1", WITH) == commands.Query(
        b"SELECT 1", (Parameter(kind, None, b"n"),)
    )


@pytest.mark.parametrize("length", [13, 0xFA, 0xFB, 0xFC, 0xFE, 0xFF])
@pytest.mark.parametrize("kind", [7, 10, 11, 12])
def test_no_statement_hides_behind_a_date_of_any_length(kind: int, length: int) -> None:
    attribute = b"\x01\x01\x00\x01" + bytes([kind, 0]) + b"\x01n" + bytes([length])
    with pytest.raises(PeerError):
        commands.decode(b"\x03" + attribute + bytes(300) + b"SELECT 1", WITH)


@given(st.binary(max_size=60), st.integers(1, 70000), st.booleans())
def test_garbage_in_parameters_is_a_peer_error(data: bytes, count: int, named: bool) -> None:
    try:
        _, values = read_block(Reader(data, "test"), count, named)
    except PeerError:
        return
    assert len(values) == count
