"""Which server's grammar a text is read by."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rules.mysql.keywords import RESERVED, TIGHT_FUNCTIONS

MYSQL: Final = "mysql"
MARIADB: Final = "mariadb"
_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Grammar:
    """`version`: as executable comments count it: 90704 for 9.7.4. `folds`: the server folds names of databases,
    tables and aliases (lower_case_table_names is 1 or 2)."""

    brand: str
    version: int
    folds: bool
    mysql: bool
    reserved: frozenset[str]
    tight: frozenset[str]

    def runs(self, number: int, marked: bool) -> bool:
        """Is what stands in `/*!number ... */` part of the statement? `marked`: written as `/*M!`.

        MariaDB passes over MySQL's versions from 5.7 to 9."""
        if self.mysql:
            return not marked and number <= self.version
        return number <= self.version and (marked or not 50700 <= number <= 99999)


@lru_cache(maxsize=64)
def grammar_of(brand: str, version: str, folds: bool = False) -> Grammar:
    """`brand`: mysql or mariadb; `version`: as the server tells it, e.g. `9.7.4-2`, `5.5.5-10.11.19-MariaDB`.

    Raises ValueError for others."""
    numbers = _NUMBERS.findall(version)
    if brand not in RESERVED or not numbers:
        raise ValueError(f"no grammar is known for {brand!r} {version!r}")
    several = brand == MARIADB and numbers[0] == ("5", "5", "5") and len(numbers) > 1
    major, minor, patch = map(int, numbers[1] if several else numbers[0])
    number = major * 10000 + minor * 100 + patch
    return Grammar(brand, number, folds, brand == MYSQL, RESERVED[brand], TIGHT_FUNCTIONS[brand])
