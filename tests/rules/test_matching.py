from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.facts import ColumnId, FunctionRisk, FunctionUse
from rules.matching import BadPatternError, read_column, read_name, read_parts


@pytest.mark.parametrize(
    ("pattern", "table", "allows", "denies"),
    [
        ("orders", ("public", "orders"), True, True),
        ("orders", ("hr", "orders"), False, True),
        ("Orders", ("public", "orders"), True, True),
        ('"Orders"', ("public", "orders"), False, False),
        ('"Orders"', ("public", "Orders"), True, True),
        ("ord*", ("public", "orders"), True, True),
        ("ord*", ("hr", "orders"), False, True),
        ('"ord*"', ("public", "orders"), False, False),
        ("*", ("hr", "people"), True, True),
        ("*", ("pg_catalog", "pg_class"), False, False),
        ("*.*", ("information_schema", "tables"), False, False),
        ("*.pg_class", ("pg_catalog", "pg_class"), False, False),
        ("pg_catalog.*", ("pg_catalog", "pg_class"), True, True),
        ("pg_class", ("pg_catalog", "pg_class"), False, True),
        ("hr.*", ("hr", "people"), True, True),
        ("h*.people", ("hr", "people"), True, True),
        ("public.*", ("publication", "x"), False, False),
        ("a*c", ("public", "abcb"), False, False),
        ("*s", ("public", "orders\n"), False, False),
        ("ÄRGER", ("public", "Ärger"), True, True),  # only A-Z are folded, as the server does for UTF-8
        ("ÄRGER", ("public", "ärger"), False, False),
        ('"a""b"."c.d"', ('a"b', "c.d"), True, True),
    ],
)
def test_tables(pattern: str, table: tuple[str, str], allows: bool, denies: bool) -> None:
    assert read_name(pattern, allows=True).matches_table(table) is allows
    assert read_name(pattern, allows=False).matches_table(table) is denies


@pytest.mark.parametrize(
    ("pattern", "column", "matches"),
    [
        ("customers.email", ("public", "customers", "email"), True),
        ("customers.email", ("hr", "customers", "email"), True),
        ("*.ssn", ("hr", "people", "ssn"), True),
        ("*.ssn", ("pg_catalog", "pg_class", "ssn"), False),
        ("hr.people.*", ("hr", "people", "mood"), True),
        ("hr.people.*", ("public", "people", "mood"), False),
        ("*.*", ("public", "people", "mood"), True),
        ('people."Mood"', ("public", "people", "mood"), False),
    ],
)
def test_columns(pattern: str, column: tuple[str, str, str], matches: bool) -> None:
    assert read_column(pattern).matches(ColumnId(*column)) is matches


def test_a_function_use_may_carry_its_schema_in_its_name() -> None:
    pattern = read_name("billing.*", allows=True)
    assert pattern.matches_function(FunctionUse("billing", "billing.close", FunctionRisk.USER))
    assert pattern.matches_function(FunctionUse("billing", "close", FunctionRisk.USER))


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", "a b", '"', '""', '"a', "a-b", "a.b.c", "x" * 64, "*" + "a*" * 8]
)
def test_bad_names(text: str) -> None:
    with pytest.raises(BadPatternError):
        read_name(text, allows=True)


@pytest.mark.parametrize(("text", "mend"), [("ssn", "*.ssn"), ("a.b.c.d", "schema.table.column")])
def test_bad_columns_say_what_to_write(text: str, mend: str) -> None:
    with pytest.raises(BadPatternError) as caught:
        read_column(text)
    assert mend in caught.value.mend


@given(st.text(max_size=80))
def test_any_text_is_a_pattern_or_a_bad_one(text: str) -> None:
    with suppress(BadPatternError):
        assert all(part.text for part in read_parts(text))


@given(st.lists(st.text(min_size=1, max_size=15).filter(lambda s: "\x00" not in s), min_size=2, max_size=2))
def test_a_quoted_name_matches_itself_alone(names: list[str]) -> None:
    quoted = ".".join('"' + name.replace('"', '""') + '"' for name in names)
    pattern = read_name(quoted, allows=True)
    assert pattern.matches(names[0], names[1])
    assert not pattern.matches(names[0], names[1] + "x")
