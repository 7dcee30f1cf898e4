"""SET: user variables, system variables of every scope, NAMES, CHARACTER SET. MySQL 9 manual, 15.7.6.

A scope word holds for all names after it that have neither a word nor `@@` of their own: SET GLOBAL a = 1, b = 2 sets
two global variables (so do both servers). A value that reads tables is the statement's `body`, each value as an
assignment to its variable, so that it counts as a copy into a place that no mask covers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from rules.mysql.lexemes import Kind
from rules.mysql.utility.forms import Form, Notes, form, rule
from rules.mysql.utility.modes import LISTS, written_list
from rules.mysql.utility.reading import Reading
from rules.mysql.utility.terminals import terminal
from rules.tree import Column, Expression, Literal, Operation, Output, Select, Setting, Statement

_SCOPES: Final = {"global": "global", "persist": "persist", "persist_only": "persist_only", "session": "", "local": ""}
#: words that stand for themselves although they are reserved
_WORD_VALUES: Final = frozenset({"on", "all", "binary", "row", "system", "default"})
_AFTER_VALUE: Final = frozenset({",", ";", "", "for"})


@dataclass(frozen=True, slots=True)
class Assigned:
    """One assignment. `name`: with its scope before a dot if that is not the session; `value` None for DEFAULT."""

    name: str
    value: Expression | None


@terminal
def scope_word(reading: Reading, key: str) -> bool:
    if reading.word() not in _SCOPES or reading.parser.peek() in ("=", ":=", "."):
        return reading.fails()
    return reading.note("scope", _SCOPES[reading.parser.words[reading.parser.advance()]])


@terminal
def set_value(reading: Reading, key: str) -> bool:
    """A constant word, or an expression."""
    if reading.word() in _WORD_VALUES and reading.parser.peek() in _AFTER_VALUE:
        value = reading.parser.words[reading.parser.advance()]
        return reading.note("value", None if value == "default" else Literal(value))
    made = reading.attempt(reading.parser.expression)
    return made is not None and reading.note("value", made)


@terminal
def names_value(reading: Reading, key: str) -> bool:
    """NAMES charset [COLLATE collation], NAMES DEFAULT."""
    return _charset(reading, "names") and (not reading.keyword("collate") or _charset(reading, "collate"))


@terminal
def character_set_value(reading: Reading, key: str) -> bool:
    return _charset(reading, "character set")


def _charset(reading: Reading, key: str) -> bool:
    if reading.word() in ("default", "binary"):
        value = reading.parser.words[reading.parser.advance()]
        return reading.note(key, None if value == "default" else value)
    made = reading.attempt(lambda: _name_or_string(reading))
    return made is not None and reading.note(key, made.lower())


def _name_or_string(reading: Reading) -> str:
    return reading.parser.string() if reading.kind is Kind.STRING else reading.parser.name("a character set")


rule("assigns", '"=" | ":="')
rule("column", '<identifier> ["." <identifier> ["." <identifier>]]')
rule("charset_name", "BINARY | <word_or_string>")
rule(
    "assignment",
    """<uservar:user> <assigns> <computed:value> | <sysvar:system> <assigns> <set_value> | NAMES <names_value>
    | (CHARACTER SET | CHARSET) <character_set_value> | [<scope_word>] <qualified:bare> <assigns> <set_value>""",
)
rule("assignments", "<assignment> ...")

# ---------------------------------------------------------------- what was assigned


def assigned(found: Notes) -> list[Assigned]:
    """The assignments to variables, in order."""
    made: list[Assigned] = []
    scope = target = ""
    for key, noted in found.all:
        if key == "scope":
            scope = str(noted)
        elif key in _TARGETS:
            target = _TARGETS[key](noted, scope)
        elif key == "value":
            made.append(Assigned(target, noted))  # type: ignore[arg-type]
    return made


def _scoped(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name


def _bare(noted: Any, scope: str) -> str:
    return _scoped(scope, ".".join(noted).lower())


def _system(noted: Any, _scope: str) -> str:
    """`@@global.x`, `@@x`; the scope word of the ones before does not reach it."""
    first, _, rest = str(noted)[2:].replace("`", "").lower().partition(".")
    return (
        _scoped(_SCOPES[first], rest)
        if rest and first in _SCOPES
        else _scoped("", ".".join(filter(None, (first, rest))))
    )


_TARGETS: Final[dict[str, Any]] = {"user": lambda noted, _: str(noted), "bare": _bare, "system": _system}


def settings(found: Notes) -> tuple[Setting, ...]:
    """Every variable that SET changes. The value is () when it is computed, None for DEFAULT; `@name` or `@@name` where
    one variable is set from another."""
    made = [Setting(each.name, _value(each)) for each in assigned(found)]
    for key, noted in found.all:
        if key in ("names", "character set"):
            made.append(Setting(key, None if noted is None else (str(noted),)))
        elif key == "collate" and noted is not None:
            made[-1] = Setting("names", (*(made[-1].value or ()), str(noted)))
    return tuple(made)


def _value(each: Assigned) -> tuple[str, ...] | None:
    if each.value is None:
        return None
    if (variable := _variable(each)) is not None:
        return (variable,)
    if (name := each.name.rpartition(".")[2]) in LISTS:
        return written_list(each.value, name)
    return constant(each.value)


def _variable(each: Assigned) -> str | None:
    """`@@name` of the session's that a user variable takes, `@name` that a system variable takes."""
    taken = each.value
    operand = taken.operands[0] if isinstance(taken, Operation) and len(taken.operands) == 1 else None
    if not isinstance(taken, Operation) or not isinstance(operand, Literal):
        return None
    name = str(operand.value)
    if taken.operator == "system_variable" and each.name.startswith("@"):
        scope, _, rest = name.rpartition(".")
        return "@@" + rest if scope in ("", "session", "local") else None
    of_the_session = not each.name.startswith("@") and "." not in each.name
    return name if taken.operator == "user_variable" and of_the_session else None


def constant(value: Expression) -> tuple[str, ...]:
    """The text of a constant or of a bare word, which SET takes for one; () for whatever is computed."""
    if isinstance(value, Literal):
        return ("null" if value.value is None else value.value,)
    if isinstance(value, Column) and len(value.path) == 1:
        return (value.path[0],)
    if isinstance(value, Operation) and value.operator == "-" and len(value.operands) == 1:
        inner = constant(value.operands[0])
        return ("-" + inner[0],) if inner else ()
    return ()


def computing(found: Notes) -> Select | None:
    """The values that are no constants, as outputs of a query, each assigned to its variable."""
    outputs = [
        Output(Operation("assign_variable", (Literal(_spelled(each.name)), each.value)))
        for each in assigned(found)
        if each.value is not None and not _is_plain(each)
    ]
    return Select(tuple(outputs)) if outputs else None


def _spelled(name: str) -> str:
    return name if name.startswith("@") else "@@" + name


def _is_plain(each: Assigned) -> bool:
    """Constants, also as words where a system variable is set."""
    return isinstance(each.value, Literal) or (isinstance(each.value, Column) and not each.name.startswith("@"))


def _set(found: Notes, made: Form) -> Statement:
    changed = settings(found)
    wide = any(setting.name.startswith(("global.", "persist.", "persist_only.")) for setting in changed)
    body = computing(found)
    return Statement(
        "admin" if wide else "session",
        body,
        settings=changed,
        returns_body=body is None,
        detail="SET GLOBAL" if wide else "SET",
    )


# what begins with the same words stands before the general form: SET TRANSACTION, SET PASSWORD, SET ROLE
form("session", "SET", "SET <assignments>", make=_set)
