"""Collation ids on the wire -> the character set, and how its bytes become text.

Source: MySQL internals, "Character Set"; ids from `information_schema.collations` of MySQL 9.7 and MariaDB 10.11. Only
the character sets a session may speak are here; the ids of all others are unsupported.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# MySQL's latin1 is Windows' cp1252 with the five codes that cp1252 leaves open standing for themselves.
_LATIN1: Final = "".join(bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(256))
_LATIN1_CODES: Final = codecs.charmap_build(_LATIN1)


def _decode_latin1(data: bytes) -> str:
    return codecs.charmap_decode(data, "strict", _LATIN1)[0]


def _encode_latin1(text: str) -> bytes:
    return codecs.charmap_encode(text, "strict", _LATIN1_CODES)[0]


def _short(text: str) -> str:
    """utf8mb3 has no characters beyond U+FFFF."""
    for place, character in enumerate(text):
        if character > "\uffff":
            raise UnicodeEncodeError("utf8mb3", text, place, place + 1, "beyond the basic multilingual plane")
    return text


def _decode_utf8mb3(data: bytes) -> str:
    text = data.decode("utf-8")
    return text if len(text) == len(data) else _short(text)


def _encode_utf8mb3(text: str) -> bytes:
    return (text if text.isascii() else _short(text)).encode("utf-8")


@dataclass(frozen=True, slots=True)
class Charset:
    """A character set. `decode` and `encode` are strict: they raise `UnicodeError`."""

    name: str
    decode: Callable[[bytes], str]
    encode: Callable[[str], bytes]


def _codec(name: str, codec: str) -> Charset:
    return Charset(name, lambda data: data.decode(codec), lambda text: text.encode(codec))


UTF8MB4: Final = _codec("utf8mb4", "utf-8")
UTF8MB3: Final = Charset("utf8mb3", _decode_utf8mb3, _encode_utf8mb3)
LATIN1: Final = Charset("latin1", _decode_latin1, _encode_latin1)
ASCII: Final = _codec("ascii", "ascii")
BINARY: Final = _codec("binary", "utf-8")  # as a connection's set it says "take my bytes as they are": read as UTF-8

BY_NAME: Final = {charset.name: charset for charset in (UTF8MB4, UTF8MB3, LATIN1, ASCII, BINARY)} | {"utf8": UTF8MB3}

# (first id, last id) of its collations. The ids of the two brands do not contradict each other.
_IDS: Final[dict[str, tuple[tuple[int, int], ...]]] = {
    "latin1": ((5, 5), (8, 8), (15, 15), (31, 31), (47, 49), (94, 94), (1032, 1032), (1071, 1071)),
    "ascii": ((11, 11), (65, 65), (1035, 1035), (1089, 1089)),
    "binary": ((63, 63),),
    "utf8mb3": (
        (33, 33),
        (76, 76),
        (83, 83),
        (192, 215),
        (223, 223),
        (576, 578),
        (1057, 1057),
        (1107, 1107),
        (1216, 1216),
        (1238, 1238),
        (2048, 2215),
        (2232, 2247),
    ),
    "utf8mb4": (
        (45, 46),
        (224, 247),
        (255, 271),
        (273, 275),
        (277, 294),
        (296, 298),
        (300, 300),
        (303, 323),
        (608, 610),
        (1069, 1070),
        (1248, 1248),
        (1270, 1270),
        (2304, 2471),
        (2488, 2503),
    ),
}
_BY_COLLATION: Final = {
    number: BY_NAME[name]
    for name, ranges in _IDS.items()
    for first, last in ranges
    for number in range(first, last + 1)
}
DEFAULT_COLLATION: Final = 45  # utf8mb4_general_ci: the one id of utf8mb4 that both brands know


def of_collation(number: int) -> Charset | None:
    """The character set of a collation id, or None when a session may not speak it."""
    return _BY_COLLATION.get(number)
