"""psql scripts (PostgreSQL's regression tests, dumps) taken apart into the texts that psql would send.

Backslash commands are left out, data after COPY ... FROM STDIN is skipped, `\\;` joins statements into one text, and
`:variables` get the value that a `\\set` gave them. Every branch of an `\\if` counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_TOKEN: Final = re.compile(
    r"""
    (?P<gap>\s+|--[^\n]*)
    | (?P<comment>/\*)
    | (?P<quoted>[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
        | \$(?P<tag>(?:[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*)?)\$.*?\$(?P=tag)\$)
    | (?P<word>[A-Za-z_\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*)
    | (?P<cast>::|:=)
    | :(?P<variable>'\w+'|"\w+"|\w+)
    | (?P<joined>\\;)
    | \\(?P<command>[^\s;]*)
    | (?P<other>.)
    """,
    re.X | re.S,
)
_LINE_COMMENT: Final = re.compile(r"--[^\n]*")
_NESTED: Final = re.compile(r"/\*|\*/")
_ROUTINE: Final = re.compile(r"\s*create\s+(?:or\s+replace\s+)?(?:function|procedure)\b", re.I)
_FROM_STDIN: Final = re.compile(r"(?:^|;)\s*\\?copy\b[^;]*\bfrom\s+stdin\b", re.I)
_STRINGS: Final = re.compile(r"\bset\s+(?:session\s+|local\s+)?standard_conforming_strings\s*(?:=|to)\s*(\w+)", re.I)
#: how a line begins that is no data: a COPY that fails is followed by none
_NO_DATA: Final = re.compile(
    r"\s*(?:--|/\*|\\(?!\.)|(?:alter|begin|commit|copy|create|delete|drop|end|grant|insert|reset|revoke|rollback"
    r"|savepoint|select|set|table|truncate|update|with)\s)",
    re.I,
)
#: commands that send what has been typed so far
_SENDING: Final = frozenset(
    "g gx gset gexec gdesc watch crosstabview bind bind_named parse sendpipeline startpipeline endpipeline".split()  # noqa: SIM905
)
_UNKNOWN: Final = "\0"
_DEPTH: Final = {"(": 1, ")": -1}
_MARK: Final = re.compile(_UNKNOWN + r"(\w+)" + _UNKNOWN)


def texts(script: str) -> Iterator[tuple[str, ...]]:
    """Each text of the script, in one version or several: a name after a colon that no `\\set` defines may be no
    variable (`a[1:n]`), one that stands for a value, or one that stands for a name. Texts that the script runs with
    standard_conforming_strings off are left out."""
    reader = _Script(script)
    for text in reader.split():
        if (changed := _STRINGS.search(_bare(text))) is not None:
            reader.standard = changed[1].lower() not in ("off", "false", "0")
        if reader.standard and text.strip():
            yield tuple(dict.fromkeys(_MARK.sub(instead, text) for instead in (r":\1", "1", r"\1")))


def _bare(text: str) -> str:
    return _LINE_COMMENT.sub(" ", text)


class _Script:
    """`at`: how far the script was read. `parts`: the text so far."""

    def __init__(self, script: str) -> None:
        self.script = script
        self.at = 0
        self.standard = True
        self.variables: dict[str, str] = {}
        self.parts: list[str] = []
        self.brackets = self.blocks = 0

    def split(self) -> Iterator[str]:
        while (token := _TOKEN.match(self.script, self.at)) is not None:
            self.at = token.end()
            if self.take(token):
                text, self.parts, self.brackets, self.blocks = "".join(self.parts), [], 0, 0
                yield text
                self.skip_data(text)
        yield "".join(self.parts)

    def take(self, token: re.Match[str]) -> bool:
        """Adds the token; whether the text ends with it."""
        if token["command"] is not None:
            return self.command(token["command"])
        if token["other"] == ";" and not self.brackets and not self.blocks:
            return True
        self.brackets = max(0, self.brackets + _DEPTH.get(token[0], 0))
        if token["word"] is not None:
            self.blocks += self.block(token[0].lower())
        self.parts.append(self.written(token))
        return False

    def written(self, token: re.Match[str]) -> str:
        if token["variable"] is not None:
            return self.variable(token["variable"])
        if token["joined"] is not None:
            return ";"
        return self.comment() if token["comment"] is not None else token[0]

    def block(self, word: str) -> int:
        """BEGIN ATOMIC ... END of a routine holds semicolons."""
        if word == "begin":
            return int(_ROUTINE.match(_bare("".join(self.parts))) is not None)
        return {"case": 1, "end": -1}.get(word, 0) if self.blocks else 0

    def comment(self) -> str:
        """The rest of a comment, which may hold others, as one blank."""
        depth = 1
        while depth:
            found = _NESTED.search(self.script, self.at)
            self.at = len(self.script) if found is None else found.end()
            depth = 0 if found is None else depth + (1 if found[0] == "/*" else -1)
        return " "

    def variable(self, written: str) -> str:
        name = written.strip("'\"")
        value = self.variables.get(name)
        if written[0] in "'\"":
            mark = written[0]
            return mark + (name if value is None else value).replace(mark, mark * 2) + mark
        return f"{_UNKNOWN}{name}{_UNKNOWN}" if value is None else value

    def command(self, name: str) -> bool:
        line = self.rest_of_line()
        if name == "set" and (words := line.split(None, 1)):
            self.set(words[0], words[1] if len(words) > 1 else "")
        elif name == "copy":
            self.skip_data(f"\\copy {line}")
        elif name in ("r", "reset"):
            self.parts.clear()
        return name.split("(")[0] in _SENDING

    def set(self, name: str, rest: str) -> None:
        """The value is all arguments in one; quotes fall away, variables in it are put in."""
        pieces = re.findall(r"'((?:[^'\\]|\\.|'')*)'|:'?\"?(\w+)['\"]?|(\S+)", rest)
        found = (q.replace("''", "'") if q else self.variables.get(v, v) if v else w for q, v, w in pieces)
        self.variables[name] = "".join(found)

    def rest_of_line(self) -> str:
        end = self.script.find("\n", self.at)
        line, self.at = self.script[self.at : end if end >= 0 else None], end if end >= 0 else len(self.script)
        return line

    def skip_data(self, text: str) -> None:
        """A block of data for each COPY ... FROM STDIN of the text, up to its `\\.` line."""
        if not (count := len(_FROM_STDIN.findall(_bare(text)))):
            return
        self.rest_of_line()
        for _ in range(count):
            end = re.compile(r"^\\\.[ \t]*$", re.M).search(self.script, self.at)
            if end is None or _NO_DATA.match(self.script[self.at : end.start()].lstrip("\n")):
                return
            self.at = end.end()
