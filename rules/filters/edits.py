"""Edits while they are being collected: what to insert where, and what to leave out."""

from __future__ import annotations

from rules.decision import Edit


class Edits:
    """Insertions at one offset are joined by rank, lower first, then in the order in which they came."""

    __slots__ = ("_cuts", "_inserted")

    def __init__(self) -> None:
        self._inserted: dict[int, list[tuple[int, str]]] = {}
        self._cuts: dict[int, int] = {}

    def insert(self, at: int, text: str, rank: int = 0) -> None:
        self._inserted.setdefault(at, []).append((rank, text))

    def cut(self, start: int, end: int) -> None:
        """Leave text[start:end] out; insertions at its start stay."""
        self._cuts[start] = end

    def __bool__(self) -> bool:
        return bool(self._inserted or self._cuts)

    def between(self, start: int, end: int) -> bool:
        """Whether anything within text[start:end] is changed."""
        return any(start <= at < end for at in (*self._inserted, *self._cuts))

    def ordered(self) -> tuple[Edit, ...]:
        made = []
        for at in sorted(self._inserted.keys() | self._cuts.keys()):
            parts = sorted(self._inserted.get(at, ()), key=lambda part: part[0])
            made.append(Edit(at, self._cuts.get(at, at), "".join(text for _, text in parts).encode()))
        return tuple(made)
