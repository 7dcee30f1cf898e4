"""pg_dump by a role with masks: the same dump, with masked values in the masked columns."""

from __future__ import annotations

import re

import pytest

from tests.live.conftest import GateMaker, gate_place
from tests.live.gate import Gate, Upstream
from tests.live.places import Place
from tests.live.programs import client_program, run

RULES = """\
version: 1
rules:
  - id: dumps
    allow: {statements: [%s], tables: ["*", "hr.*"]}
  - id: pii
    mask: {columns: [customers.email, customers.ssn, employees.email, employees.salary], with: redact}
"""
KINDS = {"structure": "select, lock", "data": "select, copy_out, lock"}


@pytest.fixture(scope="module")
def gate(make_gate: GateMaker, database: str) -> Gate:
    books = {name: RULES % words for name, words in KINDS.items()}
    return make_gate({name: Upstream(database, name) for name in books}, rulebooks=books)


@pytest.mark.parametrize(("book", "options"), [("structure", ["--schema-only"]), ("data", ["--no-owner"])])
def test_dump(gate: Gate, direct: Place, book: str, options: list[str]) -> None:
    dumps = []
    for place in (direct, gate_place(gate, book)):
        done = run(place, [client_program("pg_dump"), *options])
        assert done.returncode == 0, done.stderr
        dumps.append(re.sub(r"(?m)^\\(un)?restrict \w+$", "", done.stdout).splitlines())
    natively, masked = dumps
    assert len(natively) == len(masked)
    different = [(a, b) for a, b in zip(natively, masked, strict=True) if a != b]
    assert bool(different) == (book == "data")
    for plain, hidden in different:
        kept = set(plain.split("\t")) & set(hidden.split("\t"))
        assert len(plain.split("\t")) == len(hidden.split("\t"))
        assert len(kept) >= 4, (plain, hidden)
        assert "shop.example" not in hidden
