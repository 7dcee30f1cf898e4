"""Years of dates, against Python's calendar and against the server in all its styles."""

from __future__ import annotations

import datetime
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import PeerError
from protocols.postgres import dates, oids
from tests.live.servers import Postgres

TYPES = {oids.DATE: "date", oids.TIMESTAMP: "timestamp", oids.TIMESTAMPTZ: "timestamptz"}
Y2K = datetime.date(2000, 1, 1)


@given(st.dates())
def test_the_calendar_is_pythons(day: datetime.date) -> None:
    number = (day - Y2K).days
    assert dates.year_of(number) == day.year
    assert dates.first_day(day.year) == (datetime.date(day.year, 1, 1) - Y2K).days


@given(st.integers(-2451545, 2145031948))
def test_years_follow_each_other(number: int) -> None:
    year = dates.year_of(number)
    assert dates.first_day(year) <= number < dates.first_day(year + 1)
    assert dates.first_day(year + 1) - dates.first_day(year) in (365, 366)


@pytest.mark.parametrize(
    ("type_oid", "cell", "first"),
    [
        (oids.DATE, b"2024-02-29", b"2024-01-01"),
        (oids.DATE, b"0044-03-15 BC", b"0044-01-01 BC"),
        (oids.DATE, b"12024-02-29", b"12024-01-01"),
        (oids.DATE, b"29.02.2024", b"01.01.2024"),
        (oids.DATE, b"02-29-2024", b"01-01-2024"),
        (oids.DATE, b"-infinity", b"-infinity"),
        (oids.TIMESTAMP, b"2024-02-29 01:02:03.5", b"2024-01-01 00:00:00"),
        (oids.TIMESTAMP, b"Thu Feb 29 01:02:03.5 2024", b"Mon Jan 01 00:00:00 2024"),
        (oids.TIMESTAMP, b"Mon 15 Mar 01:02:03 0044 BC", b"Tue 01 Jan 00:00:00 0044 BC"),
        (oids.TIMESTAMPTZ, b"2024-01-01 00:30:00+01", b"2023-01-01 00:00:00+00"),
        (oids.TIMESTAMPTZ, b"2023-12-31 23:30:00-00:30", b"2024-01-01 00:00:00+00"),
        (oids.TIMESTAMPTZ, b"0001-01-01 00:30:00+05:53:28", b"0001-01-01 00:00:00+00 BC"),
        (oids.TIMESTAMPTZ, b"2024-01-05 00:00:00+167:59:59", b"2023-01-01 00:00:00+00"),
        (oids.TIMESTAMPTZ, b"29.02.2024 01:02:03 UTC", b"01.01.2024 00:00:00 UTC"),
        (oids.TIMESTAMPTZ, b"02/29/2024 01:02:03+00", b"01/01/2024 00:00:00 UTC"),
    ],
)
def test_text(type_oid: int, cell: bytes, first: bytes) -> None:
    assert dates.year_text(cell, type_oid) == first


@pytest.mark.parametrize("type_oid", TYPES)
@pytest.mark.parametrize(
    "cell",
    [b"", b"2024", b"24-02-29", b"2024-02-29x", b"99999999-01-01", b"secret", b"4714-12-31 BC", b"\xff",
     b"2024-13-01 00:00:00+01", b"2024-01-01 00:00:00 CET", b"29.02.2024 01:02:03 CET", b"2024-02-29 AD"],
)  # fmt: skip
def test_what_cannot_be_read(type_oid: int, cell: bytes) -> None:
    with pytest.raises(PeerError, match="invalid date"):
        dates.year_text(cell, type_oid)


@pytest.mark.parametrize("type_oid", TYPES)
@given(cell=st.binary(max_size=12))
def test_garbage_in_binary(type_oid: int, cell: bytes) -> None:
    try:
        made = dates.year_binary(cell, type_oid)
    except PeerError:
        return
    assert len(made) == len(cell) == (4 if type_oid == oids.DATE else 8)
    assert dates.year_binary(made, type_oid) == made


STYLES = ["ISO", "SQL, DMY", "SQL, MDY", "German", "Postgres, DMY", "Postgres, MDY"]
MOMENTS = st.integers(-210_000 * 10**12, 9_223_371 * 10**12)  # microseconds since 2000


@pytest.fixture(scope="module")
def connection(server: Postgres) -> Any:
    with server.connect() as opened:
        yield opened


@pytest.mark.live
def test_days_of_the_week_are_the_servers(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SET DateStyle = 'Postgres, MDY'; SET TimeZone = 'UTC'")
    for moment in ("0044-03-15 BC", "0001-01-01 BC", "0001-05-05", "1999-12-31", "2024-02-29", "5000-01-01"):
        text = f"SELECT '{moment}'::timestamp, date_trunc('year', '{moment}'::timestamp)"
        found = connection.pgconn.exec_(text.encode())
        assert dates.year_text(found.get_value(0, 0) or b"", oids.TIMESTAMP) == found.get_value(0, 1)


@pytest.mark.live
@pytest.mark.parametrize("style", STYLES)
def test_the_first_of_2000_is_what_the_server_would_print(connection: psycopg.Connection[Any], style: str) -> None:
    connection.execute(f"SET DateStyle = '{style}'; SET TimeZone = 'UTC'".encode())
    told = connection.info.parameter_status("DateStyle")
    assert told is not None
    for type_oid, name in TYPES.items():
        printed = connection.pgconn.exec_(f"SELECT '2000-01-01 00:00:00'::{name}".encode()).get_value(0, 0)
        assert dates.first_of_2000(type_oid, told) == printed


@pytest.mark.live
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Pacific/Apia", "<-167:59>+167:59"])
@given(data=st.data())
def test_the_server_agrees(connection: psycopg.Connection[Any], style: str, zone: str, data: st.DataObject) -> None:
    connection.execute(f"SET DateStyle = '{style}'; SET TimeZone = '{zone}'".encode())
    moment = data.draw(MOMENTS)
    first = "date_trunc('year', $1::timestamptz AT TIME ZONE 'UTC')"
    sent = [moment.to_bytes(8, "big", signed=True)]
    for type_oid, name in TYPES.items():
        value = "$1::timestamptz" if name == "timestamptz" else f"($1::timestamptz AT TIME ZONE 'UTC')::{name}"
        back = f"({first} AT TIME ZONE 'UTC')" if name == "timestamptz" else f"{first}::{name}"
        expected = connection.pgconn.exec_params(f"SELECT {back}".encode(), sent, [1184], [1], 1).get_value(0, 0)
        for format_code, year in ((0, dates.year_text), (1, dates.year_binary)):
            given_out = connection.pgconn.exec_params(f"SELECT {value}".encode(), sent, [1184], [1], format_code)
            cell = given_out.get_value(0, 0)
            assert cell is not None
            assert expected is not None
            try:
                made = year(cell, type_oid)
            except PeerError:
                assert not format_code
                assert name == "timestamptz"
                assert style != "ISO"
                continue
            compared = connection.pgconn.exec_params(
                f"SELECT $1::{name} = $2::{name}".encode(), [made, expected], [type_oid] * 2, [format_code, 1]
            )
            assert compared.get_value(0, 0) == b"t", (cell, made, compared.error_message)
