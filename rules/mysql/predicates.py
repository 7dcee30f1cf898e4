"""A filter rule's `where` as MySQL and MariaDB read it: one condition over a table's own columns and constants.

What it may hold is less than on PostgreSQL: nothing that the session's own settings can turn round (the clock, which
`SET timestamp` moves, divisions, names of days) and nothing that is no ASCII, which a client's character set may lack.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from rules.catalog import Catalog, Relation
from rules.mysql.grammar import MARIADB, MYSQL
from rules.mysql.keywords import words
from rules.mysql.parse import read_places
from rules.mysql.refusal import Refused
from rules.predicate import BadPredicateError, Predicate
from rules.tree import Call, Column, Expression, Literal, Operation, Select

_HEAD: Final = "SELECT 1 FROM dbgate_table WHERE "
_FORMS: Final = (_HEAD + "{}", _HEAD + "({}\n)")
#: versions by which a rule file is read before it meets a server
_VERSIONS: Final = {MYSQL: 90704, MARIADB: 101119}

_CONDITIONS: Final = words("""
    = <> < > <= >= and or not xor in not_in between not_between is_null is_not_null is_true is_not_true is_false
    is_not_false is_unknown is_not_unknown is_not_distinct like not_like
""")
_OPERATORS: Final = _CONDITIONS | words("case coalesce nullif list row % mod")
FUNCTIONS: Final = words("""
    char_length character_length concat concat_ws field find_in_set isnull lcase left length locate lower ltrim md5
    mod octet_length position right rtrim sha sha1 sha2 substr substring trim ucase upper
""")


@lru_cache(maxsize=1024)
def read_predicate(text: str, brand: str, version: int = 0) -> Predicate:
    """Raises BadPredicateError for what is no condition, or none that may be a row filter."""
    if not text.isascii():
        why = "a client's character set may not have it, and the server would compare with something else"
        raise BadPredicateError("where holds a character that is not ASCII", why, "compare with codes or numbers")
    if any(sign in text for sign in ("/*", "*/", "--", "#", ";")):
        raise BadPredicateError("where holds a comment or a semicolon", mend="leave the condition alone in it")
    found = [_condition(form.format(text), brand, version or _VERSIONS[brand]) for form in _FORMS]
    if found[0] is None or found[1] is None:
        raise BadPredicateError("where is not a condition", "it is more than one expression", "write one condition")
    _check(found[0])
    if not _yields(found[0]):
        raise BadPredicateError(
            "where is not a condition", "it does not yield true or false", "compare the columns with something"
        )
    return _taken_apart(text, found[0])


def predicate_of(predicate: Predicate, catalog: Catalog) -> Predicate:
    """The rule's condition by the grammar of the catalog's server. Raises BadPredicateError."""
    found = read_predicate(predicate.text, catalog.dialect, catalog.server_version)
    if predicate.dialect != MYSQL and {name.lower() for name in predicate.columns} != set(found.columns):
        why = "PostgreSQL and MySQL take other words of it for columns"
        raise BadPredicateError("where means something else here", why, "write constants in '...' and columns plainly")
    return found


@lru_cache(maxsize=4096)
def condition_of(text: str, brand: str, version: int, folds: bool) -> Expression:
    """A rendered condition as the parser reads it."""
    (statement,), _ = read_places(_HEAD + text, brand, version, folds=folds)
    assert isinstance(statement.body, Select)
    assert statement.body.where is not None
    return statement.body.where


def _condition(text: str, brand: str, version: int) -> Expression | None:
    try:
        found, _ = read_places(text, brand, version, folds=False)
    except Refused as refused:
        raise BadPredicateError(
            "where is not a condition", refused.unparsable.reason, "write one condition, as after WHERE"
        ) from None
    except RecursionError:
        raise BadPredicateError("where is not a condition", "it is nested too deep", "write it flatter") from None
    body = found[0].body if len(found) == 1 else None
    plain = isinstance(body, Select) and body == Select(body.outputs, body.sources, body.where)
    return body.where if plain and isinstance(body, Select) and len(body.sources) == 1 else None


# ---------------------------------------------------------------- what may stand in it


def _check(e: Expression) -> None:
    if isinstance(e, Column):
        if len(e.path) > 1:
            raise BadPredicateError(f"where names {'.'.join(e.path)}", "a filter is for its own table", "name columns")
    elif isinstance(e, Operation):
        _operation(e)
    elif isinstance(e, Call):
        _call(e)
    elif not isinstance(e, Literal):
        what = "a subquery, a parameter, a cast or a star"
        raise BadPredicateError(f"where holds {what}", "a filter looks at one row alone", "use columns and constants")


def _operation(e: Operation) -> None:
    if e.operator not in _OPERATORS:
        why = "it is not known to give one value, whatever a session has set, and never fail"
        raise BadPredicateError(f"where uses {e.operator}", why, "use comparisons, IN, LIKE, AND, OR, NOT")
    if e.operator in ("%", "mod") and not _counts(e.operands[1]):
        raise BadPredicateError("where divides", "a division by zero is an error in a write", "divide by a constant")
    if e.operator in ("like", "not_like") and not all(isinstance(o, Literal) for o in e.operands[1:]):
        raise BadPredicateError("where has a computed pattern", "it may fail", "write the pattern as a constant")
    for operand in e.operands:
        _check(operand)


def _counts(e: Expression) -> bool:
    return isinstance(e, Literal) and (e.value or "").isdecimal() and int(e.value or "0") > 0


def _call(e: Call) -> None:
    if len(e.name) > 1 or e.name[-1] not in FUNCTIONS or e.conditions or e.partitions or e.star:
        why = "a filter may call only built-in functions that never fail and depend on their arguments alone"
        raise BadPredicateError(f"where calls {'.'.join(e.name)}", why, "for example: lower, left, concat, find_in_set")
    if e.name[-1] == "mod" and not _counts(e.arguments[1]):
        raise BadPredicateError("where divides", "a division by zero is an error in a write", "divide by a constant")
    for argument in e.arguments:
        _check(argument)


def _yields(e: Expression) -> bool:
    """A condition, a column, or a constant that is one."""
    if isinstance(e, Operation):
        return e.operator in _CONDITIONS or e.operator in ("case", "coalesce")
    if isinstance(e, Call):
        return e.name[-1] in ("isnull", "find_in_set")
    return isinstance(e, Column) or (isinstance(e, Literal) and not e.text and e.value is not None)


# ---------------------------------------------------------------- taken apart


def _taken_apart(text: str, e: Expression) -> Predicate:
    """Columns become holes."""
    raw = text.encode()
    pieces, names, done = [""], [], 0
    for column in sorted(_columns(e), key=lambda c: c.at):
        at = column.at - len(_HEAD)
        pieces[-1] += raw[done:at].decode()
        done = _name_end(raw, at)
        names.append(column.path[-1])
        pieces.append("")
    pieces[-1] += raw[done:].decode()
    return Predicate(text, tuple(pieces), tuple(names), MYSQL)


def _name_end(raw: bytes, at: int) -> int:
    if raw[at : at + 1] != b"`":
        end = at
        while end < len(raw) and (raw[end : end + 1].isalnum() or raw[end : end + 1] in (b"_", b"$")):
            end += 1
        return end
    end = raw.index(b"`", at + 1)
    while raw[end + 1 : end + 2] == b"`":
        end = raw.index(b"`", end + 2)
    return end + 1


def _columns(node: Any) -> Iterator[Column]:
    if isinstance(node, Column):
        yield node
    elif isinstance(node, tuple):
        for each in node:
            yield from _columns(each)
    elif isinstance(node, Operation):
        yield from _columns(node.operands)
    elif isinstance(node, Call):
        yield from _columns(node.arguments)


def quoted(name: str) -> str:
    """The identifier as MySQL and MariaDB write it in any sql_mode."""
    return f"`{name.replace('`', '``')}`"


# ---------------------------------------------------------------- against a table


def turned_by(predicate: Predicate, relation: Relation) -> Iterator[tuple[str, str, str]]:
    """Columns whose value in the condition depends on what a session has set: name, why, and what to do instead."""
    for name in dict.fromkeys(predicate.columns):
        column = relation.column(name)
        kind = "" if column is None else column.type.split("(")[0]
        if kind == "timestamp":
            yield name, "its value depends on the session's time zone", "filter by a column of another type"
        elif kind == "char" and not _only_equal(predicate, name):
            why = "sql_mode PAD_CHAR_TO_FULL_LENGTH, which a session may set, changes it"
            yield name, why, f"write rtrim({name}), or compare it with = or IN alone"


def _only_equal(predicate: Predicate, name: str) -> bool:
    """Whether each use of the column is within rtrim, or a part of AND and OR that a padded value only makes false."""
    e = _condition(_HEAD + predicate.text, predicate.dialect, _VERSIONS[predicate.dialect])
    return e is not None and _shrinks(e, name)


def _shrinks(e: Expression, name: str) -> bool:
    if name not in {column.path[-1] for column in _columns(e)}:
        return True
    if isinstance(e, Operation) and e.operator in ("and", "or"):
        return all(_shrinks(operand, name) for operand in e.operands)
    if isinstance(e, Operation) and e.operator in ("=", "in"):
        return all(isinstance(operand, Column | Literal) or _trimmed(operand, name) for operand in e.operands)
    return not isinstance(e, Column) and all(_trimmed(part, name) for part in getattr(e, "operands", ()) or (e,))


def _trimmed(e: Expression, name: str) -> bool:
    if isinstance(e, Call) and e.name == ("rtrim",):
        return True
    parts = e.operands if isinstance(e, Operation) else e.arguments if isinstance(e, Call) else ()
    return not (isinstance(e, Column) and e.path[-1] == name) and all(_trimmed(part, name) for part in parts)


def unlike(predicate: Predicate, relation: Relation, catalog: Catalog) -> bool:
    """Whether the condition compares what is not of one kind."""
    from rules.mysql.filters.calm import Calm, kind_of_type

    def kind_of(column: Column) -> str:
        found = relation.column(column.path[-1])
        return "" if found is None else kind_of_type(found.type)

    e = _condition(_HEAD + predicate.text, catalog.dialect, catalog.server_version)
    return e is None or not Calm(True, kind_of).condition(e)
