"""Names as the server takes them: unquoted, folded, and those that it would not take as they are written."""

from __future__ import annotations

from typing import Final

from rules.mysql.grammar import Grammar
from rules.mysql.refusal import Refused

_QUOTE_IT: Final = "put the name in backticks, or use plain letters"


def check_written(name: str, grammar: Grammar, at: int) -> None:
    """A bare name's characters. Raises Refused for those that character sets tell apart (a no-break space of latin1 is
    a space to one server and a letter to another), and for `$` in front, which MySQL 9 may take for a quote."""
    if name.startswith("$") and (grammar.mysql or "$" in name[1:2]):
        raise Refused("name", f"the name {name} starts with a dollar sign", _QUOTE_IT, at)
    if not name.isascii():
        if any("\ud800" <= character <= "\udfff" for character in name):
            mend = "SET NAMES utf8mb4, and send valid UTF-8; other bytes may stand in strings"
            raise Refused("encoding", "it is not valid UTF-8 outside its strings", mend, at)
        for character in name:
            if not character.isascii() and not character.isalpha():
                raise Refused("name", "an unquoted name has a character that is no letter", _QUOTE_IT, at)
    checked(name, at)


def checked(name: str, at: int) -> str:
    """A name without its quotes. Raises Refused for characters that the server changes or cuts off."""
    if name.isascii() and name.isprintable() and name[:1] != " " and name[-1:] != " ":
        return name
    if not name or name[0].isspace() or name[-1].isspace():
        raise Refused("name", "a name is empty, or starts or ends with a space", "remove the space", at)
    if any(ord(c) > 0xFFFF or not (c.isprintable() or c == "\u00a0") for c in name):
        raise Refused("name", "a name has a character that the server does not keep", "use other characters", at)
    return name


def unquoted(written: str) -> str:
    """`a``b` -> a`b; a bare name as it is."""
    return written[1:-1].replace("``", "`") if written.startswith("`") else written
