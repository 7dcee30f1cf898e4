"""COPY's options, in every spelling that the grammar has: `(FORMAT csv, HEADER)`, `WITH CSV HEADER QUOTE AS ''`,
`BINARY`, `DELIMITERS`. The parser makes the same list of the old syntax as of the new one.

What they mean is the server's `ProcessCopyOptions`. A problem is no error of the client's: it says only that the gate
cannot mask what the server will send.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from rules.copy_format import CopyFormat
from rules.postgres.lexical import Token, tokens
from rules.postgres.nodes import Node, strings
from rules.postgres.sources import relation_name

_DEFAULTS: Final = {"text": CopyFormat(), "csv": CopyFormat("csv", ",", ""), "binary": CopyFormat("binary")}
_FLAGS: Final = {"": True, "true": True, "on": True, "1": True, "false": False, "off": False, "0": False}
#: pg_char_to_encoding leaves out everything but letters and digits
_UTF8: Final = frozenset({"utf8", "unicode"})
_NO_LETTER: Final = re.compile(r"[^0-9a-z]")


class _Unknown(Exception):  # noqa: N818 - it carries a reason, it is no error
    pass


def copy_format(body: Node, text_of: Callable[[Node | None], str]) -> CopyFormat:
    """The format that a CopyStmt asks for, and what it names. `text_of`: a DefElem's value as text."""
    relation = relation_name(body["relation"]) if "relation" in body else ()
    found = _format_of(body.get("options", []), text_of)
    return replace(found, relation=relation, columns=strings(body.get("attlist", [])))


def _format_of(elements: list[Node], text_of: Callable[[Node | None], str]) -> CopyFormat:
    given: dict[str, Any] = {}
    try:
        for node in elements:
            element = node["DefElem"]
            name = element["defname"]
            if name not in _READERS or name in given:
                raise _Unknown(f"the option {name.upper()}" + (" twice" if name in given else ""))
            given[name] = _READERS[name](element.get("arg"), text_of(element.get("arg")))
        return _checked(given)
    except _Unknown as unknown:
        return CopyFormat(problem=str(unknown))


def _checked(given: dict[str, Any]) -> CopyFormat:
    made = _DEFAULTS[given.pop("format", "text")]
    if made.name == "csv":
        made = replace(made, quote=given.get("quote", '"'), escape=given.get("escape", given.get("quote", '"')))
    given.pop("encoding", None)
    made = replace(made, **given)
    if made.name != "binary":
        for wrong in _contradictions(made):
            raise _Unknown(wrong)
    return made


def _contradictions(made: CopyFormat) -> Iterator[str]:
    """What the server refuses too."""
    if made.name == "text" and made.delimiter in "\\.abcdefghijklmnopqrstuvwxyz0123456789":
        yield "such a DELIMITER"
    special = "\r\n" + made.delimiter + (made.quote if made.name == "csv" else "")
    if any(character in special for character in made.null):
        yield "a NULL string that holds the delimiter, the quote or a newline"
    if made.name == "csv" and made.quote == made.delimiter:
        yield "a QUOTE that is the delimiter"


# ---------------------------------------------------------------- values

_Reader = Callable[[Node | None, str], Any]


def _format(_arg: Node | None, text: str) -> str:
    if text not in _DEFAULTS:
        raise _Unknown(f'the format "{text}"')
    return text


def _header(_arg: Node | None, text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise _Unknown(f"HEADER {text}")
    return _FLAGS[text.lower()]


def _encoding(_arg: Node | None, text: str) -> str:
    if _NO_LETTER.sub("", text.lower()) not in _UTF8:
        raise _Unknown(f"ENCODING {text}")
    return text


def _force_quote(arg: Node | None, _text: str) -> tuple[str, ...] | None:
    if arg is not None and "A_Star" in arg:
        return None
    members = (arg or {}).get("List", {}).get("items", [])
    names = tuple(strings(members))
    if not names:
        raise _Unknown("FORCE_QUOTE without columns")
    return names


def _null(arg: Node | None, text: str) -> str:
    if arg is None:
        raise _Unknown("NULL without a string")
    return text


def _one_character(word: str) -> _Reader:
    def read(_arg: Node | None, text: str) -> str:
        if len(text) != 1 or not text.isascii() or text in "\r\n\0":
            raise _Unknown(f"a {word} that is not one ASCII character")
        return text

    return read


_READERS: Final[dict[str, _Reader]] = {
    "format": _format,
    "header": _header,
    "encoding": _encoding,
    "force_quote": _force_quote,
    "null": _null,
    **{word: _one_character(word.upper()) for word in ("delimiter", "quote", "escape")},
}


# ---------------------------------------------------------------- what the server can be asked to describe


def described(text: bytes, written: CopyFormat) -> str | None:
    """A query that returns the columns which the one COPY of this text copies, for the server to describe. Generated
    columns are among those of a table. None: there is none."""
    if written.relation:
        columns = ", ".join(map(_quoted, written.columns)) or "*"
        return f"SELECT {columns} FROM ONLY {'.'.join(map(_quoted, written.relation))}"  # noqa: S608 - quoted names
    depth, start = 0, -1
    for kind, begin, end in tokens(text, rows=False):
        depth += (kind is Token.OPEN) - (kind is Token.CLOSE)
        if kind is Token.OPEN and start < 0:
            start = end
        if kind is Token.CLOSE and depth == 0 and start >= 0:
            return text[start:begin].decode("utf-8", "replace")
    return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
