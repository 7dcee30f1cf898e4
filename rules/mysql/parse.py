"""Text -> statements."""

from __future__ import annotations

from rules.mysql.grammar import grammar_of
from rules.mysql.lexemes import Lexemes
from rules.mysql.parser import Parser
from rules.mysql.places import Places
from rules.mysql.refusal import Refused
from rules.mysql.statements import statements
from rules.tree import Statement, Unparsable


def read(text: str, brand: str, version: int, *, folds: bool = False) -> tuple[Statement, ...] | Unparsable:
    """Every statement of `text` in order; `()` for an empty text. Raises ValueError for an unknown brand alone.

    `brand`: mysql or mariadb; `version`: as executable comments count it (90704 for 9.7.4, 101119 for 10.11.19);
    `folds`: the server folds names of databases, tables and aliases (lower_case_table_names is not 0). `text` is what
    the client sent, decoded from UTF-8; offsets in the result are byte offsets into its UTF-8 form. sql_mode is as
    `rules.mysql.lexemes` says. An Unparsable stands for the whole text: nothing of it may be forwarded."""
    grammar = grammar_of(brand, version, folds)
    try:
        return statements(Parser(Lexemes(text, grammar)))
    except Refused as refused:
        return refused.unparsable
    except RecursionError:
        mend = "write it flatter: use joins, a WITH query or a temporary table"
        return Unparsable("too-complex", "it is nested too deep", mend)


def read_places(text: str, brand: str, version: int, *, folds: bool) -> tuple[tuple[Statement, ...], Places]:
    """The same with where the parts of the statements stand, and with every row of VALUES. Raises Refused and
    RecursionError."""
    places = Places()
    grammar = grammar_of(brand, version, folds)
    return statements(Parser(Lexemes(text, grammar, every_row=True), places)), places
