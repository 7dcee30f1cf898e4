"""`set_config('name', 'value', is_local)`: SET as a function call. asyncpg and pg_dump send it.

Where name and value are constants it becomes a Setting and goes by the same law as SET, and so where the value is a
parameter and no law asks for it; otherwise nobody may call it, since it could change the grammar or the search path
that the gate reads by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Final

from rules.facts import Facts, FunctionRisk, FunctionUse
from rules.tree import (
    Call,
    Cast,
    Column,
    Literal,
    Operation,
    Output,
    Parameter,
    Relation,
    Select,
    Setting,
    Statement,
    Unparsable,
)

NAME: Final = "set_config"
BUILT_IN: Final = FunctionUse("pg_catalog", NAME, FunctionRisk.SESSION)
#: settings whose value the gate must know at every moment: it has to be certain that the call runs, and once
TRACKED: Final = frozenset({"search_path", "schema"})
_BOOLEANS: Final = {
    "true": True,
    "t": True,
    "on": True,
    "1": True,
    "false": False,
    "f": False,
    "off": False,
    "0": False,
}


def with_set_config(statement: Statement, facts: Facts) -> Facts:
    """The facts with each call of set_config as a setting, or as a problem when it cannot be read."""
    if BUILT_IN not in facts.functions or facts.problem is not None:
        return facts
    found = list(calls(statement))
    names = _names_by_where(statement)
    settings = [setting_of(call, names.get(id(call))) for call in found]
    certain = {id(call) for call in _certain_calls(statement)}
    untracked = [c for c, s in zip(found, settings, strict=True) if s and s.name in TRACKED and id(c) not in certain]
    if not found:
        return facts  # in a view's definition: an ordinary risky function
    known = tuple(setting for setting in settings if setting is not None)
    if None in settings or untracked:
        return replace(facts, settings=facts.settings + known, problem=UNREADABLE)
    return replace(facts, settings=facts.settings + known, functions=facts.functions - {BUILT_IN})


UNREADABLE: Final = Unparsable(
    "setting",
    "set_config is called with a computed name or value, or where it may not run, so the gate cannot know the setting",
    "write SET, or a plain SELECT set_config('name', 'value', false)",
)


def calls(node: Any) -> Iterator[Call]:
    """Every call of set_config in the tree."""
    if isinstance(node, tuple):
        for item in node:
            yield from calls(item)
    elif is_dataclass(node):
        if isinstance(node, Call) and node.name[-1] == NAME:
            yield node
        for field in fields(node):
            yield from calls(getattr(node, field.name))


def _certain_calls(statement: Statement) -> Iterator[Call]:
    """The calls that run once and always: outputs of a SELECT that has nothing else."""
    body = statement.body
    if not isinstance(body, Select) or statement.defines is not None or statement.kind != "select":
        return
    if body != Select(outputs=body.outputs):
        return
    yield from (o.expression for o in body.outputs if isinstance(o, Output) and isinstance(o.expression, Call))


def _names_by_where(statement: Statement) -> dict[int, str]:
    """Of the calls in `SELECT set_config(name, ...) FROM pg_settings WHERE name = '...'`, as pg_dump sends it for what
    not every server has: the name."""
    body = statement.body
    if not isinstance(body, Select) or len(body.sources) != 1:
        return {}
    source, where = body.sources[0], body.where
    if not isinstance(source, Relation) or source.name not in _SETTINGS or source.column_aliases:
        return {}
    if body != Select(outputs=body.outputs, sources=body.sources, where=where) or not isinstance(where, Operation):
        return {}
    tested = where.operands if where.operator == "=" and not where.qualifier else ()
    if len(tested) != 2 or not _is_name(tested[0]) or (name := _constant(tested[1])) is None:
        return {}
    outputs = (o.expression for o in body.outputs)
    return {id(e): name for e in outputs if isinstance(e, Call) and e.arguments and _is_name(e.arguments[0])}


_SETTINGS: Final = (("pg_settings",), ("pg_catalog", "pg_settings"))


def _is_name(node: Any) -> bool:
    return isinstance(node, Column) and node.path == ("name",)


def setting_of(call: Call, known: str | None = None) -> Setting | None:
    """None when an argument is no constant. `known`: the name, where the argument is not the constant itself."""
    if len(call.arguments) != 3 or call.conditions or call.partitions:
        return None
    name, value, local = map(_constant, call.arguments)
    name = known if name is None else name
    if value is None and name is not None and name.lower() not in TRACKED:
        value = _parameter(call.arguments[1])
    if name is None or value is None or local is None or local.lower() not in _BOOLEANS:
        return None
    folded = name.lower()
    values = split_names(value) if folded in TRACKED else (value,)
    return None if values is None else Setting(folded, values, _BOOLEANS[local.lower()])


def _constant(node: Any) -> str | None:
    while isinstance(node, Cast):
        node = node.operand
    return node.value if isinstance(node, Literal) else None


def _parameter(node: Any) -> str | None:
    """A value that is not known yet, which no law takes for a permitted one: `$1`."""
    while isinstance(node, Cast):
        node = node.operand
    return f"${node.number}" if isinstance(node, Parameter) else None


def split_names(text: str) -> tuple[str, ...] | None:
    """A search_path as set_config takes it (`"$user", public`) -> its schemas; None when it is not plain."""
    if not text.strip():
        return ("",)
    parts = [part.strip() for part in text.split(",")]
    names = [_identifier(part) for part in parts]
    return None if None in names else tuple(name for name in names if name is not None)


def _identifier(part: str) -> str | None:
    if len(part) > 2 and part[0] == part[-1] == '"' and '"' not in part[1:-1]:
        return part[1:-1]
    plain = part.replace("_", "").replace("$", "")
    return part.lower() if plain.isalnum() and plain.isascii() and not part[0].isdigit() else None
