"""Names that are near to one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice
from typing import Final

MOST_COMPARED: Final = 2000
_LENGTHS: Final = 3  # names that differ more in length are not compared


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; None when none is near. Compares a bounded number of names."""
    word = word[:64].lower()
    alike = (name for name in known if abs(len(name) - len(word)) <= _LENGTHS)
    near = difflib.get_close_matches(word, list(islice(alike, MOST_COMPARED)), n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "columns"?`, or nothing when no known word is near."""
    near = nearest(word, known)
    return f'did you mean "{near}"?' if near else ""
