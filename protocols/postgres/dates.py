"""Dates and timestamps on the wire: the year in them, and the first of January of a year.

Binary: days, or microseconds, since 2000-01-01 (UTC for timestamptz). Text: as DateStyle of that moment says. Since the
server may announce a new one only after the rows (ParameterStatus comes with ReadyForQuery), the style is read off each
value where a value is read at all. Sources: EncodeDateOnly, EncodeDateTime, date_send, timestamp_send.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from struct import Struct
from typing import Final

from protocols.errors import PeerError
from protocols.postgres import oids

TYPES: Final = frozenset((oids.DATE, oids.TIMESTAMP, oids.TIMESTAMPTZ))
_INFINITIES: Final = (b"infinity", b"-infinity")


def _malformed() -> PeerError:
    return PeerError("invalid date: its form is not known")


# ---------------------------------------------------------------- the calendar

_FIRST_DAY: Final = -2451545  # 4714-11-24 BC, day 0 of the Julian count: the earliest day that the types have
_BEFORE_2000: Final = 730119  # days from 0001-01-01 to 2000-01-01
_DAYS_OF_400_YEARS: Final = 146097
_BEFORE_MONTH: Final = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)


def first_day(year: int) -> int:
    """The first of January as days since 2000-01-01, proleptic Gregorian; year 0 is 1 BC."""
    before = year - 1
    return 365 * before + before // 4 - before // 100 + before // 400 - _BEFORE_2000


def year_of(day: int) -> int:
    """The year that a day (since 2000-01-01) is in."""
    year = (day + _BEFORE_2000) * 400 // _DAYS_OF_400_YEARS + 1
    while first_day(year) > day:
        year -= 1
    while first_day(year + 1) <= day:
        year += 1
    return year


def _day_of(year: int, month: int, day: int) -> int:
    leap = month > 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return first_day(year) + _BEFORE_MONTH[month - 1] + leap + day - 1


# ---------------------------------------------------------------- binary

_DAYS: Final = Struct(">i")
_MICROSECONDS: Final = Struct(">q")
_A_DAY: Final = 86_400_000_000


def year_binary(cell: bytes, type_oid: int) -> bytes:
    """The first moment of the value's year; infinity stays. Raises `PeerError` for what is no value of the type, and
    for 4714 BC, the first of January of which the types do not have."""
    number, unit = (_DAYS, 1) if type_oid == oids.DATE else (_MICROSECONDS, _A_DAY)
    if len(cell) != number.size:
        raise _malformed()
    (value,) = number.unpack(cell)
    largest = (1 << 8 * number.size - 1) - 1
    if value in (largest, -largest - 1):
        return cell
    first = first_day(year_of(value // unit))
    if first < _FIRST_DAY:
        raise _malformed()
    return number.pack(first * unit)


# ---------------------------------------------------------------- text

_CLOCK: Final = rb"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.\d{1,6})?"
_ZONE: Final = rb"(?P<zone>[+-]\d{2,3}(?::\d\d){0,2}| [^\s\d][^\s]{0,63})"
_BC: Final = rb"(?P<bc> BC)?"
_ISO_DAY: Final = rb"(?P<year>\d{4,7})-(?P<month>\d\d)-(?P<day>\d\d)"
_OTHER_DAYS: Final = {  # SQL, German, Postgres: day and month in the order of the same setting
    rb"\d\d/\d\d/(?P<year>\d{4,7})": b"01/01/YYYY",
    rb"\d\d\.\d\d\.(?P<year>\d{4,7})": b"01.01.YYYY",
    rb"\d\d-\d\d-(?P<year>\d{4,7})": b"01-01-YYYY",
}
_POSTGRES: Final = {
    rb"[A-Z][a-z]{2} [A-Z][a-z]{2} \d\d " + _CLOCK + rb" (?P<year>\d{4,7})": b"DDD Jan 01 00:00:00 YYYY",
    rb"[A-Z][a-z]{2} \d\d [A-Z][a-z]{2} " + _CLOCK + rb" (?P<year>\d{4,7})": b"DDD 01 Jan 00:00:00 YYYY",
}


@dataclass(frozen=True, slots=True)
class _Style:
    """One form of one type. `first`: its first of January, with YYYY for the year and DDD for the day of the week."""

    form: re.Pattern[bytes]
    first: bytes


def _date_styles() -> dict[bytes, bytes]:
    return {_ISO_DAY: b"YYYY-01-01", **_OTHER_DAYS}


def _timestamp_styles() -> dict[bytes, bytes]:
    days = {form + b" " + _CLOCK: first + b" 00:00:00" for form, first in _date_styles().items()}
    return {**days, **_POSTGRES}


def _zoned_styles() -> dict[bytes, bytes]:
    """ISO writes the zone as an offset, the others its abbreviation where there is one."""
    styles = _timestamp_styles()
    return {form + _ZONE: first + (b"+00" if first[:4] == b"YYYY" else b" UTC") for form, first in styles.items()}


def _compiled(styles: dict[bytes, bytes]) -> tuple[_Style, ...]:
    return tuple(_Style(re.compile(form + _BC), first) for form, first in styles.items())


_STYLES: Final = {
    oids.DATE: _compiled(_date_styles()),
    oids.TIMESTAMP: _compiled(_timestamp_styles()),
    oids.TIMESTAMPTZ: _compiled(_zoned_styles()),
}


def year_text(cell: bytes, type_oid: int) -> bytes:
    """The same for the text form. With time zone the year is that in UTC, whatever TimeZone the session has set: shown
    by another zone's calendar it would tell more than the year. Where the zone is an abbreviation, which only the
    server can read, that raises `PeerError` too."""
    if cell in _INFINITIES:
        return cell
    style, found = _recognised(cell, type_oid)
    year = 1 - int(found["year"]) if found["bc"] else int(found["year"])
    if type_oid == oids.TIMESTAMPTZ:
        year += _moved_by_zone(found, year)
    if first_day(year) < _FIRST_DAY:
        raise _malformed()
    return _written(style, year)


def first_of_2000(type_oid: int, date_style: str) -> bytes:
    """2000-01-01 as text. `date_style`: the parameter's value as the server reports it (`German, DMY`)."""
    name, _, order = date_style.partition(", ")
    number = _NUMBERS.get(name, 0)
    if name == "Postgres" and type_oid != oids.DATE:
        number += 2 if order == "DMY" else 1
    return _written(_STYLES[type_oid][number], 2000)


_NUMBERS: Final = {"ISO": 0, "SQL": 1, "German": 2, "Postgres": 3}


def _recognised(cell: bytes, type_oid: int) -> tuple[_Style, re.Match[bytes]]:
    for style in _STYLES[type_oid]:
        found = style.form.fullmatch(cell)
        if found is not None:
            return style, found
    raise _malformed()


_WEEKDAYS: Final = (b"Sat", b"Sun", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri")  # 2000-01-01 was a Saturday


def _written(style: _Style, year: int) -> bytes:
    written = style.first.replace(b"YYYY", b"%04d" % (year if year > 0 else 1 - year))
    return written.replace(b"DDD", _WEEKDAYS[first_day(year) % 7]) + (b"" if year > 0 else b" BC")


def _moved_by_zone(found: re.Match[bytes], year: int) -> int:
    """How many years UTC is away from the value's own zone: -1, 0 or 1."""
    zone = found["zone"]
    if zone in (b"+00", b"-00", b" UTC", b" GMT"):
        return 0
    if zone[:1] == b" " or "month" not in found.re.groupindex or not 1 <= int(found["month"]) <= 12:
        raise _malformed()
    if b"02" <= found["month"] <= b"11":
        return 0  # no zone is a month away
    hours, *rest = (int(part) for part in zone[1:].split(b":"))
    offset = hours * 3600 + sum(part * unit for part, unit in zip(rest, (60, 1), strict=False))
    clock = int(found["hour"]) * 3600 + int(found["minute"]) * 60 + int(found["second"])
    moved = clock + (-offset if zone[:1] == b"+" else offset)
    return year_of(_day_of(year, int(found["month"]), int(found["day"])) + moved // 86400) - year
