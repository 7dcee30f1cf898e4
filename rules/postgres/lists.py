"""The members of lists in a text: rows of VALUES, the entries of a select list."""

from __future__ import annotations

from rules.postgres.lexemes import Cell, Lexemes
from rules.postgres.outline import ENDERS


def rows(lexemes: Lexemes, values: int) -> list[list[Cell]]:
    """The cells of each row after the word VALUES."""
    found, i = [], values + 1
    while i < len(lexemes) and lexemes.words[i] == b"(":
        stop = lexemes.partner[i]
        found.append(lexemes.members(i + 1, stop))
        i = stop + 1
        if i >= len(lexemes) or lexemes.words[i] != b",":
            break
        i += 1
    return found


def select_list(lexemes: Lexemes, select: int) -> list[Cell]:
    """The entries of the list after the word SELECT."""
    words, i = lexemes.words, select + 1
    if words[i] in (b"all", b"distinct"):
        i += 1
        if words[i] == b"on":
            i = lexemes.partner[i + 1] + 1
    stop = i
    while stop < len(lexemes) and not _list_ends(lexemes, stop):
        stop = lexemes.partner[stop] + 1 if words[stop] in (b"(", b"[") else stop + 1
    return lexemes.members(i, stop)


def _list_ends(lexemes: Lexemes, i: int) -> bool:
    words = lexemes.words
    if words[i] in (b")", b";"):
        return True
    if lexemes.is_name(i) or words[i - 1] == b"as":
        return False
    return (words[i] == b"from" and words[i - 1] != b"distinct") or words[i] in ENDERS | {b"on"}
