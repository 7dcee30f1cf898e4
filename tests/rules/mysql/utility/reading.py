"""Texts read as the front end reads them."""

from __future__ import annotations

from rules.mysql import read
from rules.tree import Setting, Statement, Unparsable

VERSIONS = {"mysql": 90704, "mariadb": 101119}


def read_text(text: str, brand: str = "mysql") -> tuple[Statement, ...] | Unparsable:
    return read(text, brand, VERSIONS[brand])


def statement(text: str, brand: str = "mysql") -> Statement:
    """The one statement of a text that is read."""
    found = read_text(text, brand)
    assert not isinstance(found, Unparsable), (text, found.reason)
    assert len(found) == 1
    return found[0]


def refusal(text: str, brand: str = "mysql") -> Unparsable:
    found = read_text(text, brand)
    assert isinstance(found, Unparsable), (text, found)
    return found


def settings(text: str, brand: str = "mysql") -> dict[str, tuple[str, ...] | None]:
    """Name -> value of what SET changes."""
    found: tuple[Setting, ...] = statement(text, brand).settings
    return {setting.name: setting.value for setting in found}
