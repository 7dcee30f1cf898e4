"""Runs of constant rows, as a bulk INSERT has by the thousand: found by one search, before they are taken apart."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_S: Final = r"[ \t\n\r]*+"
_AFTER: Final = r"(?![A-Za-z0-9_$.\x80-\xff])"
_C: Final = rf"(?>[+-]?[0-9]++(?:\.[0-9]++)?{_AFTER}|'(?:[^'\\]++|\\.|'')*+'|(?i:null){_AFTER})"
_ROW: Final = re.compile(rf"{_S}\({_S}{_C}(?:{_S},{_S}{_C})*+{_S}\)", re.S)
_CONSTANT: Final = re.compile(_C, re.S)
#: constants in a row, up to which its run is looked for
WIDEST: Final = 500


def following_rows(raw: str, position: int) -> tuple[int, int] | None:
    """Where the first row after VALUES ends and where the run of rows like it ends; None without such a run."""
    first = _ROW.match(raw, position)
    if first is None:
        return None
    width = sum(1 for _ in _CONSTANT.finditer(first[0]))
    if width > WIDEST:
        return None
    run = _run(width).match(raw, first.end())
    return (first.end(), run.end()) if run is not None and run.end() > first.end() else None


@lru_cache(maxsize=512)
def _run(width: int) -> re.Pattern[str]:
    row = rf"\({_S}{_C}" + rf"(?:{_S},{_S}{_C}){{{width - 1}}}{_S}\)"
    return re.compile(rf"(?:{_S},{_S}{row})*+", re.S)
