"""COPY's options in every spelling."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.copy_format import CopyFormat
from rules.postgres import read
from rules.postgres.copy_options import described
from rules.tree import Unparsable


def written(options: str) -> CopyFormat | None:
    return copied(f"COPY t TO STDOUT {options}")


def copied(sql: str) -> CopyFormat | None:
    found = read(sql)
    assert not isinstance(found, Unparsable), found
    return found[0].copy


CSV = CopyFormat("csv", ",", "")


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("", CopyFormat()),
        ("WITH (FORMAT text)", CopyFormat()),
        ("(FORMAT 'text', ENCODING 'UTF8')", CopyFormat()),
        ("(FORMAT csv, ENCODING 'utf-8')", CSV),
        ("(encoding Unicode)", CopyFormat()),
        ("(FORMAT BINARY)", CopyFormat("binary")),
        ("BINARY", CopyFormat("binary")),
        ("CSV", CSV),
        ("WITH CSV HEADER", CopyFormat("csv", ",", "", header=True)),
        ("(FORMAT csv, HEADER)", CopyFormat("csv", ",", "", header=True)),
        ("(FORMAT csv, HEADER true)", CopyFormat("csv", ",", "", header=True)),
        ("(FORMAT csv, HEADER 'On')", CopyFormat("csv", ",", "", header=True)),
        ("(FORMAT csv, HEADER 1)", CopyFormat("csv", ",", "", header=True)),
        ("(FORMAT csv, HEADER 0)", CSV),
        ("(HEADER off)", CopyFormat()),
        ("(HEADER)", CopyFormat(header=True)),
        ("(DELIMITER ';', NULL '')", CopyFormat(delimiter=";", null="")),
        ("DELIMITERS '|' WITH NULL AS 'none'", CopyFormat(delimiter="|", null="none")),
        ("WITH DELIMITER AS E'\\x01'", CopyFormat(delimiter="\x01")),
        ("(FORMAT csv, DELIMITER 1)", CopyFormat("csv", "1", "")),
        ("(FORMAT csv, NULL -1.50)", CopyFormat("csv", ",", "-1.50")),
        ("(FORMAT csv, NULL true)", CopyFormat("csv", ",", "true")),
        ("CSV QUOTE AS ''''", CopyFormat("csv", ",", "", "'", "'")),
        ("CSV QUOTE '|' ESCAPE '/'", CopyFormat("csv", ",", "", "|", "/")),
        ("(FORMAT csv, ESCAPE '/')", CopyFormat("csv", ",", "", '"', "/")),
        ('CSV FORCE QUOTE a, "B,c"', CopyFormat("csv", ",", "", force_quote=("a", "B,c"))),
        ("(FORMAT csv, FORCE_QUOTE (a, b))", CopyFormat("csv", ",", "", force_quote=("a", "b"))),
        ("(FORMAT csv, FORCE_QUOTE *)", CopyFormat("csv", ",", "", force_quote=None)),
        ("(FORMAT csv) ", CSV),
    ],
)
def test_every_spelling(options: str, wanted: CopyFormat) -> None:
    assert written(options) == replace(wanted, relation=("t",))


def test_the_oldest_spelling() -> None:
    found = copied("COPY BINARY t TO STDOUT WITH NULL AS 'x'")
    assert found == CopyFormat("binary", null="x", relation=("t",))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("(FORMAT 'json')", 'the format "json"'),
        ("(FORMAT 'CSV')", 'the format "CSV"'),
        ("(FORMAT csv, FORMAT text)", "the option FORMAT twice"),
        ("(FORMAT text, UNHEARD_OF 1)", "the option UNHEARD_OF"),
        ("(FREEZE)", "the option FREEZE"),
        ("(ENCODING 'LATIN1')", "ENCODING LATIN1"),
        ("(ENCODING 'SQL_ASCII')", "ENCODING SQL_ASCII"),
        ("(FORMAT csv, HEADER match)", "HEADER match"),
        ("(FORMAT csv, HEADER 2)", "HEADER 2"),
        ("(DELIMITER 'ab')", "a DELIMITER that is not one ASCII character"),
        ("(DELIMITER '')", "a DELIMITER that is not one ASCII character"),
        ("(DELIMITER 'é')", "a DELIMITER that is not one ASCII character"),
        ("(DELIMITER E'\\n')", "a DELIMITER that is not one ASCII character"),
        ("(DELIMITER '\\')", "such a DELIMITER"),
        ("(DELIMITER 'x')", "such a DELIMITER"),
        ("(FORMAT csv, QUOTE E'\\r')", "a QUOTE that is not one ASCII character"),
        ("(FORMAT csv, QUOTE ',')", "a QUOTE that is the delimiter"),
        ("(NULL E'a\\tb')", "a NULL string that holds the delimiter, the quote or a newline"),
        ("(FORMAT csv, NULL '\"')", "a NULL string that holds the delimiter, the quote or a newline"),
        ("(NULL)", "NULL without a string"),
        ("(FORMAT csv, FORCE_QUOTE a)", "FORCE_QUOTE without columns"),
    ],
)
def test_what_the_gate_cannot_read_back(options: str, problem: str) -> None:
    found = written(options)
    assert found is not None
    assert found.problem == problem


def test_copy_from_has_no_format() -> None:
    assert copied("COPY t FROM STDIN (FORMAT csv)") is None


@pytest.mark.parametrize(
    ("sql", "query"),
    [
        ("COPY t TO STDOUT", 'SELECT * FROM ONLY "t"'),
        ('COPY Hr."Peo""ple" (A, "b C") TO STDOUT', 'SELECT "a", "b C" FROM ONLY "hr"."Peo""ple"'),
        ("COPY (SELECT 1) TO STDOUT", "SELECT 1"),
        ("COPY ( TABLE t ) TO STDOUT (FORMAT csv)", " TABLE t "),
        ("COPY/* ( */(SELECT ')', $$)$$, \"(\", (1), t[(2)] FROM t -- )\n) TO STDOUT (FORMAT csv, QUOTE '(')",
         "SELECT ')', $$)$$, \"(\", (1), t[(2)] FROM t -- )\n"),
        ("COPY (VALUES (1, 'a'), (2, 'b)')) TO STDOUT", "VALUES (1, 'a'), (2, 'b)')"),
        ("COPY (SELECT E'\\')' FROM t) TO STDOUT", "SELECT E'\\')' FROM t"),
    ],
)  # fmt: skip
def test_the_query_that_describes_the_columns(sql: str, query: str) -> None:
    found = copied(sql)
    assert found is not None
    assert described(sql.encode(), found) == query
