"""Every statement's form: its pattern, its kind, and what is made of what reading has noted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from rules.mysql.utility.grammar import Grammar, Matcher
from rules.mysql.utility.notes import Notes as Notes
from rules.mysql.utility.reading import Reading
from rules.mysql.utility.terminals import TERMINALS
from rules.tree import Statement, Touched

MYSQL: Final = "mysql"
MARIADB: Final = "mariadb"

GRAMMAR: Final = Grammar(TERMINALS)
rule: Final = GRAMMAR.rule


@dataclass(frozen=True, slots=True)
class Form:
    """`brand`: the only one that knows it, empty for both."""

    kind: str
    detail: str
    pattern: str
    brand: str
    match: Matcher
    make: Make


Make: TypeAlias = Callable[[Notes, Form], Statement]

#: first word -> the forms that begin with it, in the order in which they are tried
FORMS: Final[dict[str, list[Form]]] = {}


def plain(found: Notes, made: Form) -> Statement:
    """A statement that is only classified. The grammar's <kind:x>, <say:WORDS> and <note:x> have the last word."""
    return Statement(
        found.text("kind") or made.kind,
        touched=touched(found),
        calls=found.calls(),
        settings=found.settings(),
        detail=" ".join([made.detail, *found.texts("say")]),
        options=found.texts("note"),
    )


def touched(found: Notes) -> tuple[Touched, ...]:
    """The relations that are named. A database named apart (SHOW COLUMNS FROM t FROM db) holds for the table."""
    tables = tuple(dict.fromkeys(found.tables()))
    database = found.text("database")
    return tuple(Touched((database, t.name[-1]), t.access) for t in tables) if database else tables


def form(kind: str, detail: str, pattern: str, brand: str = "", make: Make = plain) -> None:
    """Register one form. The pattern begins with a keyword, or with a choice of keywords."""
    made = Form(kind, detail, pattern, brand, GRAMMAR.compile(pattern), make)
    for word in first_words(pattern):
        FORMS.setdefault(word.lower(), []).append(made)


def first_words(pattern: str) -> list[str]:
    head = pattern[1 : pattern.index(")")] if pattern[0] == "(" else pattern.split(" ", 1)[0]
    return [word.strip() for word in head.split("|")]


#: a general form of SET, which others begin like, comes last
_LAST: Final = frozenset({"SET", "PREPARE"})


def settle() -> None:
    """Put the general forms behind the others, whatever module came first."""
    for forms in FORMS.values():
        forms.sort(key=lambda each: each.detail in _LAST)


def check_names() -> None:
    """Raises GrammarError when a pattern names a rule that there is not."""
    GRAMMAR.check()


def admin(detail: str, pattern: str, brand: str = "") -> None:
    """What only an administrator does."""
    form("admin", detail, pattern, brand)


def read_form(reading: Reading) -> Statement | None:
    """The statement that begins here, when a form fits up to its end. None when none does."""
    for each in FORMS.get(reading.word(), ()):
        if each.brand not in ("", reading.brand):
            continue
        mark = reading.mark()
        if each.match(reading) and reading.at_end():
            return each.make(Notes(reading.notes[mark.notes :]), each)
        reading.back(mark)
    return None
