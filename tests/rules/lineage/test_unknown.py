"""Conditions whose being NULL tells a value."""

from __future__ import annotations

import pytest

from rules.catalog import Catalog, Column, Relation
from rules.lineage import facts
from rules.postgres import read

CATALOG = Catalog(
    "v",
    (Relation(1, "public", "t", "r", (Column("a", 1, "text"), Column("b", 2, "text"), Column("r", 3, "int4range"))),),
)


@pytest.mark.parametrize(
    ("expression", "tells"),
    [
        ("a = '1'", False),
        ("a = '1' OR NULL", True),
        ("a <> '1' AND b <> '1'", True),
        ("a = '1' AND b IS NULL", True),
        ("a = '1' AND (true OR NULL IS NULL)", False),
        ("NOT (a = '1' OR $1)", True),
        ("a IS NULL OR b IS NULL", False),
        ("a IN ('1', '2')", False),
        ("a IN ('1', '2'::text)", False),
        ("a IN ('1', NULL)", True),
        ("a NOT IN ('1', $1)", True),
        ("'1' IN (a, b)", True),
        ("'3' BETWEEN a AND '5'", False),
        ("a BETWEEN '1' AND '5'", False),
        ("a NOT BETWEEN '1' AND NULL", True),
        ("a BETWEEN SYMMETRIC '1' AND b", True),
        ("a = ANY ('{1,2}')", False),
        ("a = ANY ('{1,NULL}')", True),
        ("a = ANY (ARRAY['1', '2'])", False),
        ("a <> ALL (ARRAY['1', NULL])", True),
        ("a = ANY ($1)", True),
        ("'1' = ANY (ARRAY[a, b])", True),
        ("a IN (SELECT '1')", True),
        ("EXISTS (SELECT 1 FROM t u WHERE u.a = t.a)", False),
        ("(a, 1) = ('1', NULL)", True),
        ("(a, b) < ('1', '2')", True),
        ("(a, b) IS DISTINCT FROM ('1', NULL)", False),
        ("lower(a)", False),
        ("upper(r)", True),
    ],
)
def test_whether_null_tells(expression: str, tells: bool) -> None:
    found = read(f"SELECT {expression} FROM t")
    assert isinstance(found, tuple)
    outputs = facts(found[0], CATALOG, ("pg_catalog", "public")).outputs
    assert outputs is not None
    assert outputs[0].hollow == tells
