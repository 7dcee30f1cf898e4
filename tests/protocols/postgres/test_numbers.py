"""numeric and floats, against the server's own input and output functions."""

from __future__ import annotations

import contextlib
import math
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import PeerError, UsageError
from protocols.postgres import numbers, oids
from tests.live.servers import Postgres

DECIMALS = st.decimals(allow_nan=False, allow_infinity=False).filter(lambda d: abs(d.adjusted()) < 3000)
SPECIAL = ["NaN", "Infinity", "-Infinity"]


@pytest.fixture(scope="module")
def connection(server: Postgres) -> Any:
    with server.connect() as opened:
        yield opened


@pytest.mark.live
@given(value=DECIMALS)
def test_both_forms_of_a_numeric_are_read(connection: psycopg.Connection[Any], value: Decimal) -> None:
    for format_code in (0, 1):
        result = connection.pgconn.exec_params(b"SELECT $1::numeric", [f"{value:f}".encode()], None, None, format_code)
        read = numbers.numeric_from_wire(result.get_value(0, 0) or b"", format_code)
        assert read == value
        assert numbers.canonical(read) == numbers.canonical(value)


@pytest.mark.live
@given(value=st.integers(-(10**60), 10**60) | st.integers(0, 400).map(lambda n: 10**n) | st.sampled_from(SPECIAL))
def test_whole_numbers_are_sent_as_the_server_sends_them(connection: psycopg.Connection[Any], value: int | str) -> None:
    for format_code in (0, 1):
        made = numbers.whole_numeric_to_wire(Decimal(value), format_code)
        result = connection.pgconn.exec_params(b"SELECT $1::numeric", [made], [1700], [format_code], format_code)
        assert not result.error_message
        assert result.get_value(0, 0) == made or (format_code and "Infinity" in str(value))  # its scale is noise
        assert Decimal(value).is_nan() or numbers.numeric_from_wire(made, format_code) == Decimal(value)


NEARLY = st.text("-.0123456789eNaIinfty_ ", max_size=12).map(str.encode)


@given(st.binary(max_size=30) | NEARLY, st.sampled_from([0, 1]))
def test_garbage_is_a_number_or_a_peer_error(data: bytes, format_code: int) -> None:
    with contextlib.suppress(PeerError):
        assert isinstance(numbers.numeric_from_wire(data, format_code), Decimal)
    for type_oid in numbers.FLOATS:
        with contextlib.suppress(PeerError):
            assert isinstance(numbers.float_from_wire(data, type_oid, format_code), float)


def test_only_whole_numbers_are_written() -> None:
    with pytest.raises(UsageError, match="whole"):
        numbers.whole_numeric_to_wire(Decimal("1.5"), 0)


@pytest.mark.parametrize(
    ("one", "other"), [("1.50", "1.5"), ("-0.00", "0"), ("100", "1E2"), ("-7.0", "-7"), ("0.0010", "0.001")]
)
def test_equal_numbers_have_one_text(one: str, other: str) -> None:
    assert numbers.canonical(Decimal(one)) == numbers.canonical(Decimal(other))


@pytest.mark.live
@pytest.mark.parametrize("type_oid", [oids.FLOAT4, oids.FLOAT8])
@given(value=st.floats())
def test_floats(connection: psycopg.Connection[Any], type_oid: int, value: float) -> None:
    if type_oid == oids.FLOAT4 and math.isfinite(value) and abs(value) > numbers.LARGEST_FLOATS[type_oid]:
        with pytest.raises(UsageError, match="out of range"):
            numbers.float_to_wire(value, type_oid, 1)
        return
    name = {oids.FLOAT4: b"real", oids.FLOAT8: b"double precision"}[type_oid]
    binary = numbers.float_to_wire(value, type_oid, 1)
    result = connection.pgconn.exec_params(b"SELECT $1::" + name, [binary], [type_oid], [1])
    read = numbers.float_from_wire(result.get_value(0, 0) or b"", type_oid, 0)
    rounded = numbers.float_from_wire(binary, type_oid, 1)
    assert math.isnan(rounded) == math.isnan(read) == math.isnan(value)
    assert math.isnan(value) or numbers.float_to_wire(read, type_oid, 1) == binary
    written = numbers.float_to_wire(value, oids.FLOAT8, 0)
    text = connection.pgconn.exec_params(b"SELECT $1::float8", [written], None, None, 1)
    again = numbers.float_from_wire(text.get_value(0, 0) or b"", oids.FLOAT8, 1)
    assert math.isnan(again) if math.isnan(value) else again == value
