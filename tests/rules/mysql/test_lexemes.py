"""The scanner against what both servers do (asked of MySQL 9.7 and MariaDB 10.11)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.mysql import read
from rules.mysql.grammar import grammar_of
from rules.mysql.lexemes import Kind, Lexemes
from rules.mysql.refusal import Refused
from rules.tree import Unparsable
from tests.rules.mysql.reading import BRANDS, VERSIONS, everyday


def tokens(text: str, brand: str = "mysql") -> list[str]:
    found = Lexemes(text, grammar_of(brand, VERSIONS[brand]))
    return [found.written(i) for i in range(len(found)) if found.kinds[i] is not Kind.END]


def kinds(text: str, brand: str = "mysql") -> list[Kind]:
    found = Lexemes(text, grammar_of(brand, VERSIONS[brand]))
    return [kind for kind in found.kinds if kind is not Kind.END]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t.1e5", ["t", ".", "1e5"]),
        ("`t`.1e5", ["`t`", ".1e5"]),
        ("t .1e5", ["t", ".1e5"]),
        ("1e5x", ["1e5", "x"]),
        ("1e+", ["1e", "+"]),
        ("1ex", ["1ex"]),
        ("0x1F 0xG 0b1 0b2", ["0x1F", "0xG", "0b1", "0b2"]),
        ("1.e3 1.a 5..3", ["1.e3", "1.", "a", "5.", ".3"]),
        ("5--3", ["5", "-", "-", "3"]),
        ("5 -- 3\n4", ["5", "4"]),
        ("5 --", ["5"]),
        ("5 #x\r6\n7", ["5", "7"]),
        ("a->>'$.x'->b", ["a", "->>", "'$.x'", "->", "b"]),
        ("@a.b @`c d` @'e' @@global.x", ["@a.b", "@`c d`", "@'e'", "@@global.x"]),
        (r"'a\'b''c' x", [r"'a\'b''c'", "x"]),
        ('"a""b"', ['"a""b"']),
        ("`a``b`", ["`a``b`"]),
        ("N'x' n.x", ["N'x'", "n", ".", "x"]),
        ("a/**/b/* c\n*/d", ["a", "b", "d"]),
        ("été.`ü`", ["été", ".", "`ü`"]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_a_name_directly_after_a_dot_is_no_keyword() -> None:
    assert kinds("t.select") == [Kind.NAME, Kind.OPERATOR, Kind.NAME]
    assert kinds("t. select") == [Kind.WORD, Kind.OPERATOR, Kind.WORD]
    assert kinds("from.`x`") == [Kind.WORD, Kind.OPERATOR, Kind.QUOTED]


@pytest.mark.parametrize(
    ("comment", "mysql", "mariadb"),
    [
        ("/*! 5 */", True, True),
        ("/*!40101 5 */", True, True),
        ("/*!50700 5 */", True, False),
        ("/*!90704 5 */", True, False),
        ("/*!90705 5 */", False, False),
        ("/*!090704 5 */", True, False),
        ("/*!101118 5 */", False, True),
        ("/*!999999 5 */", False, False),
        ("/*M! 5 */", False, True),
        ("/*M!50700 5 */", False, True),
        ("/*M!999999 5 */", False, False),
    ],
)
def test_executable_comments_run_by_brand_and_version(comment: str, mysql: bool, mariadb: bool) -> None:
    assert tokens("1 " + comment) == (["1", "5"] if mysql else ["1"])
    assert tokens("1 " + comment, "mariadb") == (["1", "5"] if mariadb else ["1"])


@pytest.mark.parametrize(
    "text",
    [
        "/*!1234 x*/", "/*!500005+*/ 1", "/*!50000SELECT*/ 1", "/*!50000 a /* b */ c */", "/*!99999 a /* b */ c */",
        "/* a", "/*!50000 a", "a */", "'a", '"a', "`a", "``", "a=!b", "!!a", "1==2", "a\x01b", "a\0b",
        "'a' #\0", "a /*\0*/", "`\0`", "@'\0'", "N'\0'", r"\N", "?a",
        "select /*+ SET_VAR(sql_mode='') */ 1", "select /*+ INDEX(t `*/` x) */ 1", "a\u00a0b", "`a\U0001f600`", "1.5e",
        "@ x", "@é", "$a", "` a`",
    ],
)  # fmt: skip
def test_what_servers_or_versions_read_in_different_ways_is_refused(text: str) -> None:
    from rules.mysql import read
    from rules.tree import Unparsable

    found = read("SELECT 1 AS x, " + text, "mysql", VERSIONS["mysql"])
    assert isinstance(found, Unparsable)
    assert found.mend or found.code == "syntax"


@pytest.mark.parametrize("brand", BRANDS)
@pytest.mark.parametrize("text", everyday())
def test_tokens_and_gaps_cover_the_text(text: str, brand: str) -> None:
    check_cover(text, brand)


def check_cover(text: str, brand: str) -> None:
    """Between two tokens stand spaces and comments alone, and no token overlaps another."""
    found = Lexemes(text, grammar_of(brand, VERSIONS[brand]))
    done = 0
    for start, end in zip(found.starts, found.ends, strict=True):
        gap = found.raw[done:start].strip(" \t\n\v\f\r")
        assert not gap or gap.startswith(("/*", "--", "#", "*/")), gap
        assert start >= done
        done = end
    assert done == len(found.raw)


_PIECES = st.sampled_from(
    [
        *"at.,1()+-=!:?;$\\\n'\"`#é",
        *(
            "1e",
            "1.",
            ".5",
            "'x'",
            '"y"',
            "`z`",
            "@v",
            "@@v",
            "/*",
            "*/",
            "/*!",
            "/*!50000 ",
            "-- ",
            ":=",
            "->",
            "x'41'",
        ),
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join) | st.text(max_size=30), st.sampled_from(BRANDS))
def test_any_text_is_scanned_or_refused(text: str, brand: str) -> None:
    with contextlib.suppress(Refused):
        check_cover(text, brand)


def test_offsets_are_of_utf8() -> None:
    found = Lexemes("'é' x", grammar_of("mysql", VERSIONS["mysql"]))
    assert (found.starts[:2], found.ends[:2]) == ([0, 5], [4, 6])


def test_rows_of_constants_are_found_by_one_search() -> None:
    text = "INSERT INTO t VALUES (1, 'a'), (2, 'b''c'),(3,NULL), (4, 5, 6)"
    found = Lexemes(text, grammar_of("mysql", VERSIONS["mysql"]))
    (run,) = [found.written(i) for i, kind in enumerate(found.kinds) if kind is Kind.ROWS]
    assert run == ", (2, 'b''c'),(3,NULL)"


@pytest.mark.parametrize("brand", ["mysql", "mariadb"])
@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t VALUES (1, _binary'\udcff\udc80\\'\udce4')",
        "INSERT INTO t VALUES (1, '\udcc3'), (2, 'é\udc80')",
        'SELECT "\udcf0\udc9f" FROM t',
    ],
)
def test_strings_hold_any_byte(brand: str, text: str) -> None:
    assert isinstance(read(text, brand, VERSIONS[brand]), tuple)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT \udcff",
        "SELECT `\udcff`",
        "SELECT @\udcff",
        "SELECT @'\udcff'",
        "SELECT 1 /* \udcff */",
        "SELECT 1 # \udcff",
        "SELECT 1 AS '\udcff'",
        "SELECT N'\udcff'",
        "SELECT '\ud800'",
        "SELECT a\udcc3'\udca9'",
    ],
)
def test_other_bytes_than_utf8_stand_in_strings_alone(text: str) -> None:
    assert isinstance(read(text, "mysql", VERSIONS["mysql"]), Unparsable)
