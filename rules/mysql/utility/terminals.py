"""What the grammar reads by itself: names, constants, accounts, expressions; and the notes that it takes by the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rules.mysql.lexemes import Kind
from rules.mysql.primaries import variable_name
from rules.mysql.utility.notes import holds_query
from rules.mysql.utility.reading import Reading
from rules.tree import Access, Setting, Touched

Terminal = Callable[[Reading, str], bool]

TERMINALS: Final[dict[str, Terminal]] = {}


def terminal(reader: Terminal) -> Terminal:
    """Register a reader under its own name. It gets what stands after the colon: the key of its note, mostly."""
    TERMINALS[reader.__name__] = reader
    return reader


# ---------------------------------------------------------------- names


@terminal
def identifier(reading: Reading, key: str) -> bool:
    if not reading.parser.is_name():
        return reading.fails()
    made = reading.attempt(reading.parser.identifier)
    return made is not None and reading.note(key, made)


@terminal
def database(reading: Reading, key: str) -> bool:
    """A database's name, folded as the server folds it."""
    made = reading.attempt(reading.parser.table_part)
    return made is not None and reading.note("database", made)


@terminal
def table(reading: Reading, access: str) -> bool:
    """`t` or `db.t`, noted as touched."""
    if not reading.parser.is_name():
        return reading.fails()
    made = reading.attempt(reading.parser.table_path)
    return made is not None and reading.note("table", Touched(made[0], Access[access]))


@terminal
def qualified(reading: Reading, key: str) -> bool:
    """`x` or `db.x`, of anything that is no table."""
    if not reading.parser.is_name():
        return reading.fails()
    made = reading.attempt(lambda: _path(reading))
    return made is not None and reading.note(key, made)


def _path(reading: Reading) -> tuple[str, ...]:
    parser = reading.parser
    parts = [parser.identifier()]
    while parser.accept(".") and len(parts) < 3:
        parts.append(parser.identifier())
    return tuple(parts)


@terminal
def word(reading: Reading, key: str) -> bool:
    """Any bare word, reserved ones too."""
    if reading.kind is not Kind.WORD:
        return reading.fails()
    return reading.note(key, reading.parser.words[reading.parser.advance()])


@terminal
def word_or_string(reading: Reading, key: str) -> bool:
    return string(reading, key) if reading.kind is Kind.STRING else identifier(reading, key)


@terminal
def uservar(reading: Reading, key: str) -> bool:
    """`@x`, as the server compares it."""
    if reading.kind is not Kind.USER:
        return reading.fails()
    return reading.note(key, variable_name(reading.parser))


_OF_THE_SESSION: Final = frozenset({"current_user", "user", "current_role", "session_user"})


@terminal
def account(reading: Reading, key: str) -> bool:
    """'u'@'h', u@h, u, CURRENT_USER, USER()."""
    parser = reading.parser
    if reading.word() in _OF_THE_SESSION and (reading.word()[:7] == "current" or parser.peek() == "("):
        own = parser.words[parser.advance()]
        if parser.accept("("):
            parser.expect(")")
        return reading.note(key, own)
    if reading.kind is not Kind.STRING and not parser.is_name():
        return reading.fails()
    first = parser.advance()
    if reading.kind is Kind.USER:
        parser.advance()
    return reading.note(key, parser.written(first))


# ---------------------------------------------------------------- constants


@terminal
def string(reading: Reading, key: str) -> bool:
    if reading.kind is not Kind.STRING:
        return reading.fails()
    made = reading.attempt(reading.parser.string)
    return made is not None and reading.note(key, made)


def _token(*kinds: Kind) -> Terminal:
    """A reader of one token of these kinds."""

    def reader(reading: Reading, key: str) -> bool:
        if reading.kind not in kinds:
            return reading.fails()
        at = reading.parser.advance()
        return reading.note(key, reading.parser.written(at, at))

    return reader


TERMINALS["number"] = _token(Kind.NUMBER)
TERMINALS["bytes"] = _token(Kind.STRING, Kind.BITS, Kind.NATIONAL)
TERMINALS["bits"] = _token(Kind.BITS)
TERMINALS["national"] = _token(Kind.NATIONAL)
TERMINALS["parameter"] = _token(Kind.PARAMETER)
TERMINALS["sysvar"] = _token(Kind.SYSTEM)

_CONSTANT_WORDS: Final = frozenset({"null", "true", "false"})


@terminal
def literal(reading: Reading, key: str) -> bool:
    """A constant, a number with its sign."""
    if reading.word() in _CONSTANT_WORDS:
        return reading.note(key, reading.parser.words[reading.parser.advance()])
    if reading.word() in ("-", "+") and reading.parser.kinds[reading.at + 1] is Kind.NUMBER:
        reading.parser.advance()
    if reading.kind not in (Kind.NUMBER, Kind.STRING, Kind.BITS, Kind.NATIONAL):
        return reading.fails()
    at = reading.parser.advance()
    return reading.note(key, reading.parser.written(at, at))


# ---------------------------------------------------------------- expressions and queries


@terminal
def expression(reading: Reading, key: str) -> bool:
    """An expression without queries in it: nothing here says whose rows it may read."""
    made = reading.attempt(reading.parser.expression)
    if made is None or holds_query(made):
        return reading.fails()
    return reading.note("expression", made) and reading.note(key, made)


@terminal
def computed(reading: Reading, key: str) -> bool:
    """An expression that may read tables; its statement has to account for them."""
    made = reading.attempt(reading.parser.expression)
    return made is not None and reading.note(key or "computed", made)


@terminal
def query(reading: Reading, key: str) -> bool:
    made = reading.attempt(reading.parser.query)
    return made is not None and reading.note("body", made)


@terminal
def body(reading: Reading, key: str) -> bool:
    """A query or a data change."""
    made = reading.attempt(reading.parser.body)
    return made is not None and reading.note("body", made)


# ---------------------------------------------------------------- remarks


@terminal
def note(reading: Reading, key: str) -> bool:
    """An option of the statement."""
    return reading.note("note", key)


@terminal
def say(reading: Reading, key: str) -> bool:
    """More words for the statement's detail."""
    return reading.note("say", key.replace("_", " "))


@terminal
def kind(reading: Reading, key: str) -> bool:
    """The statement is of this kind after all."""
    return reading.note("kind", key)


@terminal
def setting(reading: Reading, key: str) -> bool:
    """`<setting:name=value>`: a constant that the words stand for, for the transaction to come."""
    name, _, value = key.partition("=")
    return reading.note("setting", Setting(name, (value,), True))


def _of_brand(brand: str) -> Terminal:
    return lambda reading, key: reading.brand == brand or reading.fails()


TERMINALS["mysql"] = _of_brand("mysql")
TERMINALS["mariadb"] = _of_brand("mariadb")
