"""Statements that hold or call others: PREPARE, EXECUTE, CALL, DO, SET STATEMENT; and KILL, SIGNAL, GET DIAGNOSTICS.

What a text in quotes holds is read as a statement of its own; what stands in a variable is refused: it may be any.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from rules.mysql.grammar import Grammar
from rules.mysql.lexemes import Kind, Lexemes
from rules.mysql.parser import Parser
from rules.mysql.refusal import Refused
from rules.mysql.utility.assignments import settings
from rules.mysql.utility.forms import MARIADB, Form, Notes, admin, form, rule
from rules.mysql.utility.reading import Reading
from rules.mysql.utility.terminals import terminal
from rules.tree import Call, Carrier, CarrierKind, Expression, Output, Select, Setting, Statement

_BLOCKS: Final = frozenset({"begin", "if", "case", "loop", "while", "repeat"})
_PREPARABLE: Final = frozenset({"select", "insert", "update", "delete", "merge"})


def statement_of(parser: Parser) -> Statement:
    from rules.mysql.statements import one_statement  # it reads utility statements with this package

    return one_statement(parser)


@terminal
def statement(reading: Reading, key: str) -> bool:
    """Any statement, up to its end. What a block begins with is the grammar's, which has tried it already."""
    if reading.word() in _BLOCKS:
        return reading.fails()
    made = reading.attempt(lambda: statement_of(reading.parser))
    return made is not None and reading.note(key or "statement", made)


@terminal
def grammar(reading: Reading, key: str) -> bool:
    """Nothing is read: notes by which grammar."""
    return reading.note("grammar", reading.parser.grammar)


def read_quoted(text: str, by: Grammar) -> Statement:
    """The one statement that a string holds, without offsets, since they are none of the text that was sent."""
    try:
        parser = Parser(Lexemes(text, by))
        made = statement_of(parser)
        parser.accept(";")
        ends = parser.kind is Kind.END
    except Refused as refused:
        why = refused.unparsable
        raise Refused(why.code, f"in the string that is prepared: {why.reason}", why.mend) from refused
    if not ends:
        raise Refused("prepared-text", "a string that is prepared holds more than one statement", "prepare one")
    placed: Statement = unplaced(made)
    return placed


def unplaced(node: Any) -> Any:
    """The same tree without places in a text."""
    if isinstance(node, tuple):
        return tuple(unplaced(member) for member in node)
    if not is_dataclass(node) or isinstance(node, type):
        return node
    values = {each.name: unplaced(getattr(node, each.name)) for each in fields(node)}
    values.update(dict.fromkeys(_PLACES & values.keys(), -1))
    if isinstance(node, Statement):
        values.update(start=0, end=0)
    return type(node)(**values)


_PLACES: Final = frozenset({"at", "start", "end"})

# ---------------------------------------------------------------- prepared statements

rule("prepared_text", "<string:text> | <uservar:variable> | <computed:variable>")


def _carrier(found: Notes) -> Carrier:
    return Carrier(CarrierKind.STATEMENT, str(found.first("name")).lower())


def _quoted(found: Notes, words: str) -> Statement:
    text = found.first("text")
    if text is None:
        raise Refused("prepared-text", f"{words} takes its text from a variable, which dbgate cannot read",
                      "write the statement itself, or give its text as one string")  # fmt: skip
    return read_quoted(text, found.first("grammar"))


def _prepare(found: Notes, made: Form) -> Statement:
    inner = _quoted(found, "PREPARE")
    if inner.body is None or inner.kind not in _PREPARABLE or inner.settings or inner.defines or inner.creates:
        raise Refused("prepared-text", f"PREPARE holds {inner.detail}, which need not be prepared", "send it by itself")
    return Statement(
        inner.kind, inner.body, defines=_carrier(found), executes=False, returns_body=False, detail="PREPARE"
    )


def _execute(found: Notes, made: Form) -> Statement:
    return Statement("prepared", runs=_carrier(found), calls=found.calls(), detail="EXECUTE")


def _deallocate(found: Notes, made: Form) -> Statement:
    return Statement("prepared", drops=_carrier(found), detail="DEALLOCATE")


def _immediate(found: Notes, made: Form) -> Statement:
    inner = _quoted(found, "EXECUTE IMMEDIATE")
    return replace(inner, calls=inner.calls + found.calls())  # laws go by the inner statement's words


form("prepared", "PREPARE", "PREPARE <identifier:name> FROM <grammar> <prepared_text>", make=_prepare)
form(
    "prepared",
    "EXECUTE IMMEDIATE",
    "EXECUTE IMMEDIATE <grammar> <prepared_text> [USING <expression> ...]",
    MARIADB,
    _immediate,
)
form("prepared", "EXECUTE", "EXECUTE <identifier:name> [USING (<uservar> | <mariadb> <expression>) ...]", make=_execute)
form("prepared", "DEALLOCATE", "(DEALLOCATE | DROP) PREPARE <identifier:name>", make=_deallocate)

# ---------------------------------------------------------------- CALL and DO


def _call(found: Notes, made: Form) -> Statement:
    arguments: tuple[Expression, ...] = tuple(found.named("argument"))
    return Statement("call", calls=(Call(found.first("name"), arguments),), detail="CALL")


def _do(found: Notes, made: Form) -> Statement:
    outputs = tuple(Output(each) for each in found.named("computed"))
    return Statement("select", Select(outputs), returns_body=False, detail="DO")


form("call", "CALL", 'CALL <qualified:name> ["(" [<computed:argument> ...] ")"]', make=_call)
form("select", "DO", "DO <computed> ...", make=_do)

# ---------------------------------------------------------------- SET STATEMENT


def _set_statement(found: Notes, made: Form) -> Statement:
    """MariaDB: variables for one statement, which go by the same law as those of SET."""
    inner: Statement = found.first("statement")
    own = tuple(replace(setting, local=True) for setting in settings(found))
    if any(setting.value == () for setting in own):
        raise Refused("setting", "SET STATEMENT with a computed value", "give the value as a constant")
    return replace(inner, settings=inner.settings + own)


rule("statement_setting", '[<scope_word>] <qualified:bare> "=" <set_value>')
form("session", "SET STATEMENT", "SET STATEMENT <statement_setting> ... FOR <statement>", MARIADB, _set_statement)

# ---------------------------------------------------------------- KILL


def _kill(found: Notes, made: Form) -> Statement:
    what = "query" if "query" in found.texts("note") else "connection"
    return Statement("session", settings=(Setting("kill", (what, str(found.first("id")))),), detail="KILL")


form("session", "KILL", "KILL [HARD | SOFT] [CONNECTION | QUERY <note:query>] <number:id>", make=_kill)
admin("KILL QUERY ID", "KILL [HARD | SOFT] QUERY ID <number>", MARIADB)
admin("KILL USER", "KILL [HARD | SOFT] [CONNECTION | QUERY] USER <account>", MARIADB)

# ---------------------------------------------------------------- conditions

rule("simple_value", "<literal> | <uservar> | <sysvar> | <identifier>")
rule("condition", "SQLSTATE [VALUE] <string> | <identifier>")
rule("information", '<word> "=" <simple_value>')
form("session", "SIGNAL", "SIGNAL <condition> [SET <information> ...]")
form("session", "RESIGNAL", "RESIGNAL [<condition>] [SET <information> ...]")


def _diagnostics(found: Notes, made: Form) -> Statement:
    changed = tuple(Setting(name, ()) for name in found.texts("into"))
    return Statement("session", settings=changed, detail=made.detail)


rule("diagnostic", '(<uservar:into> | <identifier>) "=" <word>')
form(
    "session", "GET DIAGNOSTICS",
    "GET [CURRENT | STACKED] DIAGNOSTICS (CONDITION <simple_value> <diagnostic> ... | <diagnostic> ...)",
    make=_diagnostics,
)  # fmt: skip
