"""Every statement that is no query and no data change: read to its end, and classified.

The forms stand in this package's modules, a family in each, as patterns of `rules.mysql.utility.grammar`. A statement
that no form fits is refused.
"""

from __future__ import annotations

from typing import Final

from rules.mysql.parser import Parser
from rules.mysql.utility import (
    accounts,
    assignments,
    carried,
    explain,
    objects,
    programs,
    show,
    tables,
    transactions,
    upkeep,
)
from rules.mysql.utility.forms import FORMS, check_names, read_form, settle
from rules.mysql.utility.reading import Reading
from rules.tree import Statement

_FAMILIES: Final = (accounts, assignments, carried, explain, objects, programs, show, tables, transactions, upkeep)

settle()
check_names()


def is_utility(word: str) -> bool:
    """Does a statement of these begin with this word, in lower case?"""
    return word in FORMS


def utility(parser: Parser) -> Statement:
    """The statement that begins here, up to a semicolon or the text's end. Raises Refused for what no form fits."""
    reading = Reading(parser)
    made = read_form(reading)
    if made is None:
        raise reading.failure()
    return made
