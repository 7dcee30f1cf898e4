"""Passwords made canonical the way PostgreSQL does it (RFC 4013 with the server's own order of the checks).

PostgreSQL lets pure ASCII through as it is, tests the mapped but not yet normalised text, and uses the raw bytes of a
password that fails: so must both ends of an exchange with it.
"""

from __future__ import annotations

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_a1,  # unassigned
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def prepare(password: str) -> bytes:
    """The bytes to hash for this password."""
    raw = password.encode("utf-8", "surrogateescape")
    if password.isascii():
        return raw
    mapped = "".join(_mapped(char) for char in password)
    if not mapped or any(_is_prohibited(char) for char in mapped) or not _is_bidi_sound(mapped):
        return raw
    return unicodedata.normalize("NFKC", mapped).encode("utf-8")


def _mapped(char: str) -> str:
    if stringprep.in_table_c12(char):
        return " "
    return "" if stringprep.in_table_b1(char) else char


def _is_prohibited(char: str) -> bool:
    return any(table(char) for table in _PROHIBITED)


def _is_bidi_sound(mapped: str) -> bool:
    """RFC 3454 section 6: right-to-left text has no left-to-right letters and is right-to-left at both ends."""
    if not any(map(stringprep.in_table_d1, mapped)):
        return True
    ends = stringprep.in_table_d1(mapped[0]) and stringprep.in_table_d1(mapped[-1])
    return ends and not any(map(stringprep.in_table_d2, mapped))
