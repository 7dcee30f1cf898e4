"""What the text of a string literal stands for."""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "0": "\0", "Z": "\x1a", "%": "\\%", "_": "\\_"}
_ESCAPE: Final = re.compile(r"\\(.)|''|\"\"", re.S)


def value_of(written: str) -> str:
    """`'it''s\\n'` -> the value. `written`: with its quotes, of either kind; `\\%` and `\\_` stay as they are."""
    quote, body = written[0], written[1:-1]
    if "\\" not in body and quote not in body:
        return body
    return _ESCAPE.sub(lambda found: _one(found, quote), body)


def _one(found: re.Match[str], quote: str) -> str:
    if found[1]:
        return _ESCAPES.get(found[1], found[1])
    return quote if found[0][0] == quote else found[0]
