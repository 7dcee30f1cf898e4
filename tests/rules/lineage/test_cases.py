"""Every case of cases.txt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rules.lineage import shop


def _cases() -> Iterator[tuple[str, str, str]]:
    """(function of shop.py, SQL, what it says)."""
    function = sql = ""
    for line in Path(__file__).with_name("cases.txt").read_text().splitlines():
        if line.startswith("## "):
            function = line[3:].partition(":")[0]
        elif line.startswith("  =>"):
            yield function, sql, line[5:]
        else:
            sql = line


@pytest.mark.parametrize(("function", "sql", "expected"), list(_cases()))
def test_case(function: str, sql: str, expected: str) -> None:
    assert getattr(shop, function)(sql) == expected
