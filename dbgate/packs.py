"""The rule packs that come with dbgate: rule files of general use, named `pack:NAME` where a rule file is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import rules

PREFIX: Final = "pack:"
_FOLDER: Final = Path(next(iter(rules.__path__))) / "packs"


class UnknownPack(ValueError):  # noqa: N818 - what a user wrote is wrong, not the program
    """The sentence for people: what was named and what there is."""


def packs() -> dict[str, Path]:
    """Name -> rule file, in the order of names."""
    found = (file for file in sorted(_FOLDER.glob("*.yaml")) if not file.name.endswith(".test.yaml"))
    return {file.stem: file for file in found}


def rule_path(text: str, resolve: Callable[[str], Path]) -> Path:
    """The file that `pack:NAME` means; any other text goes to `resolve`. Raises UnknownPack."""
    if not text.startswith(PREFIX):
        return resolve(text)
    known = packs()
    name = text.removeprefix(PREFIX)
    if name not in known:
        raise UnknownPack(f'there is no pack "{name}": known are {", ".join(known)}')
    return known[name]
