"""Dates and times in result rows: the year in them, and the first of January of a year.

Text: `YYYY-MM-DD`, with ` hh:mm:ss` and as many digits behind the point as the column has. Binary, behind the length:
nothing (all zero), year and day (4 bytes), with the clock (7), with microseconds (11). Parts may be zero: `0000-00-00`,
`2024-00-00`. Sources: MySQL internals, "Binary Protocol Value"; the servers' own rows.
"""

from __future__ import annotations

import re
from typing import Final

from protocols.errors import PeerError

YEAR_2000: Final = 2000
MOST_DECIMALS: Final = 6
_SIZES: Final = (0, 4, 7, 11)
_DATE: Final = re.compile(rb"(\d{4})-\d\d-\d\d")
_DATETIME: Final = re.compile(rb"(\d{4})-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?")
_NO_YEAR: Final = b"0000"


def midnight(decimals: int) -> bytes:
    """00:00:00 with as many digits behind the point as the column has."""
    return b"00:00:00" + (b"." + b"0" * decimals if 0 < decimals <= MOST_DECIMALS else b"")


def text_day(year: bytes, has_clock: bool, decimals: int) -> bytes:
    """The first moment of a year; of the year 0000, which has no days, the zero date."""
    day = year + (b"-00-00" if year == _NO_YEAR else b"-01-01")
    return day + b" " + midnight(decimals) if has_clock else day


def binary_day(year: int) -> bytes:
    """The same in a binary row, where a clock at midnight is left out."""
    return year.to_bytes(2, "little") + b"\x01\x01" if year else b""


def year_text(cell: bytes, has_clock: bool, decimals: int) -> bytes:
    """The first moment of the value's year. Raises `PeerError` for what is no date."""
    found = (_DATETIME if has_clock else _DATE).fullmatch(cell)
    if found is None:
        raise PeerError("invalid date: its form is not known")
    return text_day(found[1], has_clock, decimals)


def year_binary(cell: bytes) -> bytes:
    """The same in a binary row."""
    if len(cell) not in _SIZES:
        raise PeerError(f"invalid date: {len(cell)} bytes")
    return binary_day(int.from_bytes(cell[:2], "little")) if cell else b""
