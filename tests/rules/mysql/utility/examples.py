"""Every statement of both servers' manuals that is no query and no data change: its kind, its words, what it touches.

examples.txt has a line for each: `kind; WORDS; table:access ...; the statement`, in sections named after the brands
that know it, under a heading for each family.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BRANDS: Final = {"[both]": ("mysql", "mariadb"), "[mysql]": ("mysql",), "[mariadb]": ("mariadb",)}


@dataclass(frozen=True, slots=True)
class Example:
    """`touched`: relations as `db.t:access`."""

    brand: str
    kind: str
    detail: str
    touched: frozenset[str]
    sql: str


def examples(text: str) -> Iterator[Example]:
    """Those of both brands once for each."""
    brands: tuple[str, ...] = ()
    for line in text.splitlines():
        if line in BRANDS:
            brands = BRANDS[line]
        elif line and not line.startswith("# "):
            kind, detail, touched, sql = line.split("; ", 3)
            for brand in brands:
                yield Example(brand, kind, detail, frozenset(touched.split()), sql)


EXAMPLES: Final = list(examples(Path(__file__).with_suffix(".txt").read_text("utf-8")))
