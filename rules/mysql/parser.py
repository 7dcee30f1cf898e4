"""The parser's hand on the tokens: what comes next, what is taken, and how a text is refused.

The grammar stands in `rules.mysql.expressions`, `queries`, `sources` and `writes` (recursive descent: a function for
each rule) and, for all other statements, in `rules.mysql.utility`.
"""

from __future__ import annotations

from typing import Final

from rules.mysql.identifiers import checked, unquoted
from rules.mysql.lexemes import Kind, Lexemes, decoded
from rules.mysql.places import Places
from rules.mysql.refusal import Refused
from rules.mysql.strings import value_of
from rules.tree import Call, Expression, Name, Query, Write

#: how deep brackets and operators may stand in each other
MOST_NESTED: Final = 150
_NAMES: Final = frozenset({Kind.NAME, Kind.QUOTED})
_BARE: Final = frozenset({Kind.NAME, Kind.WORD})


class Parser:
    """One text's tokens and the place in them. `relations`: the names of all tables that were read, `calls`: all
    function calls, in the order of the text; `writes_duplicates`: in ON DUPLICATE KEY UPDATE, where VALUES(c) is;
    `levels`: how many queries are open; `into`: what INTO names; `places`: what is noted for splicing, if anything."""

    __slots__ = (
        "at", "calls", "depth", "ends", "grammar", "into", "kinds", "levels", "lexemes", "parameters", "partners",
        "places", "raw", "relations", "starts", "words", "writes_duplicates",
    )  # fmt: skip

    def __init__(self, lexemes: Lexemes, places: Places | None = None) -> None:
        self.lexemes = lexemes
        self.places = places
        self.grammar = lexemes.grammar
        self.raw = lexemes.raw
        self.kinds = lexemes.kinds
        self.words = lexemes.words
        self.starts = lexemes.starts
        self.ends = lexemes.ends
        self.at = 0
        self.depth = 0
        self.levels = 0
        self.into: tuple[str, ...] = ()
        self.parameters = 0
        self.relations: list[Name] = []
        self.calls: list[Call] = []
        self.writes_duplicates = False
        self.partners: dict[int, int] | None = None

    # ------------------------------------------------------------ looking

    @property
    def word(self) -> str:
        """The next token, if it is a bare word or an operator, in lower case; '' for all others."""
        return self.words[self.at]

    @property
    def kind(self) -> Kind:
        return self.kinds[self.at]

    @property
    def start(self) -> int:
        """The next token's offset."""
        return self.starts[self.at]

    def peek(self, distance: int = 1) -> str:
        """As `word`, so many tokens further on."""
        at = self.at + distance
        return self.words[at] if at < len(self.words) else ""

    def ahead(self, *words: str) -> bool:
        """Do exactly these words and operators come next?"""
        at = self.at
        return tuple(self.words[at : at + len(words)]) == words

    def at_end(self) -> bool:
        """Is the statement over: at a semicolon or the text's end?"""
        return self.words[self.at] == ";" or self.kinds[self.at] is Kind.END

    # ------------------------------------------------------------ taking

    def advance(self) -> int:
        """Take one token. Returns its index."""
        at = self.at
        if self.kinds[at] is Kind.END:
            raise self.failure()
        self.at = at + 1
        return at

    def accept(self, *words: str) -> bool:
        """Take these words and operators if all of them come next, in this order."""
        at = self.at
        if self.words[at] != words[0]:
            return False
        if len(words) > 1 and tuple(self.words[at : at + len(words)]) != words:
            return False
        self.at = at + len(words)
        return True

    def accept_any(self, words: frozenset[str]) -> str:
        """Take the next word if it is one of these, and return it; else ''."""
        word = self.words[self.at]
        if word not in words:
            return ""
        self.at += 1
        return word

    def expect(self, *words: str) -> None:
        """Take these words. Raises Refused when others come."""
        if not self.accept(*words):
            raise self.failure(f"{' '.join(words).upper()} is expected")

    # ------------------------------------------------------------ names and constants

    def is_name(self, distance: int = 0) -> bool:
        """Is the token a name where one may stand without AS before it: bare and not reserved, or quoted?"""
        at = self.at + distance
        if at >= len(self.kinds):
            return False
        kind = self.kinds[at]
        return (kind is Kind.WORD and self.words[at] not in self.grammar.reserved) or kind in _NAMES

    def name(self, what: str = "a name") -> str:
        """An identifier as written, without its quotes."""
        if not self.is_name():
            raise self.failure(f"{what} is expected")
        return self.identifier()

    def identifier(self) -> str:
        """The next token as an identifier, whatever it is reserved for."""
        at = self.advance()
        written = decoded(self.raw[self.starts[at] : self.ends[at]])
        if self.kinds[at] is not Kind.QUOTED:
            return written if self.kinds[at] in _BARE else self._no_name(at)
        return checked(unquoted(written), self.starts[at])

    def _no_name(self, at: int) -> str:
        self.at = at
        raise self.failure("a name is expected")

    def column_name(self, what: str = "a column's name") -> str:
        """An identifier that is compared without regard to case."""
        return self.name(what).lower()

    def table_part(self, what: str = "a table's name") -> str:
        """An identifier of a database, table or table alias, folded where the server folds it."""
        name = self.name(what)
        return name.lower() if self.grammar.folds else name

    def table_path(self) -> tuple[Name, int, int]:
        """`t` or `db.t`: the folded name, and where it starts and ends."""
        start = self.start
        parts = [self.table_part()]
        if self.accept("."):
            parts.append(self.table_part())
        name = tuple(parts)
        self.relations.append(name)
        if self.places is not None:
            self.places.named.append((start, name))
        return name, start, self.ends[self.at - 1]

    def string(self, what: str = "a string") -> str:
        """A string literal's value."""
        if self.kind is not Kind.STRING:
            raise self.failure(f"{what} is expected")
        at = self.advance()
        return value_of(decoded(self.raw[self.starts[at] : self.ends[at]]))

    def alias_string(self) -> str:
        """A string that stands as an alias."""
        at = self.start
        found = self.string("an alias")
        return checked(found, at) if found else found

    def number(self) -> str:
        """A number as written."""
        if self.kind is not Kind.NUMBER:
            raise self.failure("a number is expected")
        at = self.advance()
        return self.raw[self.starts[at] : self.ends[at]]

    def written(self, first: int, last: int | None = None) -> str:
        """The text of the tokens from `first` up to the one before the next (or `last`, included)."""
        end = self.at - 1 if last is None else last
        return decoded(self.raw[self.starts[first] : self.ends[end]])

    # ------------------------------------------------------------ the grammar

    def expression(self) -> Expression:
        from rules.mysql.expressions import expression  # the grammar's rules know the parser

        return expression(self)

    def query(self) -> Query:
        """A query expression, up to what no query goes on with."""
        from rules.mysql.queries import query

        return query(self)

    def body(self) -> Query | Write:
        """A query, INSERT, REPLACE, UPDATE or DELETE, as EXPLAIN and PREPARE hold one."""
        from rules.mysql.statements import body

        return body(self)

    # ------------------------------------------------------------ refusing

    def enter(self) -> None:
        """One level deeper. Raises Refused below the deepest."""
        self.depth += 1
        if self.depth > MOST_NESTED:
            raise Refused(
                "too-complex",
                f"it is nested more than {MOST_NESTED} levels deep",
                "write it flatter: use joins, a WITH query or a temporary table",
                self.start,
            )

    def leave(self) -> None:
        self.depth -= 1

    def failure(self, expected: str = "") -> Refused:
        """The refusal of what comes next."""
        at = self.at
        found = self.lexemes.written(at)
        shown = "its end" if self.kinds[at] is Kind.END else repr(found if len(found) < 40 else found[:40] + "...")
        what = f", where {expected}" if expected else ""
        return Refused(
            "syntax",
            f"dbgate does not read it as {_SERVERS[self.grammar.brand]} would: it stops at {shown}{what}",
            "write it in plainer SQL, or correct it there",
            self.starts[at],
        )

    def partner(self, opening: int) -> int:
        """The index of the bracket that closes the one at `opening`."""
        if self.partners is None:
            self.partners = _partners(self.words)
        if opening not in self.partners:
            raise Refused("syntax", "a bracket stays open", "close it", self.starts[opening])
        return self.partners[opening]


_SERVERS: Final = {"mysql": "MySQL", "mariadb": "MariaDB"}


def _partners(words: list[str]) -> dict[int, int]:
    found: dict[int, int] = {}
    opened: list[int] = []
    for at, word in enumerate(words):
        if word == "(":
            opened.append(at)
        elif word == ")" and opened:
            found[opened.pop()] = at
    return found
