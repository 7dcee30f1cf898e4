"""Masks of texts on their bytes: most cells are short ASCII, where a character is a byte in every charset that a
session speaks. Each takes what masks any other text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from rules.decision import MaskKind
from rules.masks import DOMAIN

TextMasker: TypeAlias = Callable[[bytes], bytes | None]

LONGEST_STARS: Final = 256
MOST_DOMAINS: Final = 1000
STARS: Final = tuple(b"*" * length for length in range(LONGEST_STARS))


def _keep_last(keep: int, any_text: TextMasker) -> TextMasker:
    def masked(cell: bytes) -> bytes | None:
        hidden = len(cell) - keep
        return STARS[hidden] + cell[hidden:] if 0 < hidden < LONGEST_STARS and cell.isascii() else any_text(cell)

    return masked


def _keep_first(keep: int, any_text: TextMasker) -> TextMasker:
    def masked(cell: bytes) -> bytes | None:
        hidden = len(cell) - keep
        return cell[:keep] + STARS[hidden] if 0 < hidden < LONGEST_STARS and cell.isascii() else any_text(cell)

    return masked


def _email(keep: int, any_text: TextMasker) -> TextMasker:
    """Domains are few: one that was found to be one needs no second look."""
    known: set[bytes] = set()

    def masked(cell: bytes) -> bytes | None:
        local, _, domain = cell.rpartition(b"@")
        if domain not in known or not cell.isascii():
            if len(known) < MOST_DOMAINS and domain.isascii() and DOMAIN.fullmatch(str(domain, "ascii")):
                known.add(domain)
            return any_text(cell)
        return (local[:1] if len(local) > 1 else b"") + b"***@" + domain

    return masked


#: (characters to keep, the masker of any text) -> the masker
ON_BYTES: Final[dict[MaskKind, Callable[[int, TextMasker], TextMasker]]] = {
    MaskKind.KEEP_LAST: _keep_last,
    MaskKind.KEEP_FIRST: _keep_first,
    MaskKind.EMAIL: _email,
}
