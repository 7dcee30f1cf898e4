"""Which server's grammar a text is read by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from rules.mysql.keywords import RESERVED, TIGHT_FUNCTIONS

MYSQL: Final = "mysql"
MARIADB: Final = "mariadb"


@dataclass(frozen=True, slots=True)
class Grammar:
    """`version`: as executable comments count it: 90704 for 9.7.4, 101119 for 10.11.19. `folds`: the server folds names
    of databases, tables and aliases (lower_case_table_names is 1 or 2)."""

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
def grammar_of(brand: str, version: int, folds: bool = False) -> Grammar:
    """`brand`: mysql or mariadb; `version`: as executable comments count it. Raises ValueError for another brand."""
    if brand not in RESERVED:
        raise ValueError(f"no grammar is known for {brand!r}")
    return Grammar(brand, version, folds, brand == MYSQL, RESERVED[brand], TIGHT_FUNCTIONS[brand])
