"""A fault in a settings file: where, what, why it matters, how to mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`line` and `column` count from 1; 0 when the whole file is meant."""

    file: str
    line: int
    column: int
    what: str
    why: str = ""
    mend: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return "  ".join(part for part in (place, self.what, self.why, self.mend) if part)
