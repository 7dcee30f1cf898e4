"""FROM: tables, sub-selects, functions, joins."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from rules.postgres.nodes import SOURCES, Node, Reader, items, strings, unknown, words
from rules.postgres.special_syntax import named_values
from rules.tree import Derived, Expression, FunctionSource, Join, JoinKind, Name, Operation, Relation, Source

_node = SOURCES.node

_IDENTIFIER = rb"""(?:(?![uU]&")[A-Za-z_\x80-\xff][\w$\x80-\xff]*|"(?:[^"]|"")*")"""
_GAP = rb"(?:\s+|--[^\n\r]*|/\*.*?\*/)*"
_QUALIFIED: Final = [re.compile((_GAP + rb"\." + _GAP).join([_IDENTIFIER] * parts), re.S) for parts in (1, 2, 3)]

_RANGE_FIELDS: Final = words("catalogname schemaname relname inh relpersistence alias location")


def relation_name(body: Node) -> Name:
    """The name of a RangeVar as written, folded, outermost part first."""
    return tuple([body[part] for part in ("catalogname", "schemaname", "relname") if part in body])


def alias_names(body: Node) -> tuple[str | None, tuple[str, ...]]:
    """`AS name (columns)` of a FROM item."""
    alias = body.get("alias")
    if alias is None:
        return None, ()
    return alias["aliasname"], strings(alias.get("colnames", []))


def relation(read: Reader, body: Node) -> Relation:
    """A RangeVar. `end` is found in the text: the parse tree has no end of a name. U&"..." names have no offsets."""
    if not body.keys() <= _RANGE_FIELDS:
        raise unknown("a table with " + ", ".join(sorted(body.keys() - _RANGE_FIELDS)), body.get("location", -1))
    name = relation_name(body)
    read.relations.append(name)
    start = body.get("location", 0)
    found = _QUALIFIED[len(name) - 1].match(read.text, start)
    end = found.end() if found else -1
    return Relation(name, *alias_names(body), "inh" not in body, start if found else -1, end)


@_node("RangeVar", " ".join(_RANGE_FIELDS))
def table(read: Reader, body: Node) -> Source:
    return relation(read, body)


@_node("RangeSubselect", "lateral subquery alias")
def derived(read: Reader, body: Node) -> Source:
    return Derived(read.query(body["subquery"]), *alias_names(body), "lateral" in body)


# ---------------------------------------------------------------- functions


@_node("RangeFunction", "lateral ordinality is_rowsfrom functions alias coldeflist")
def function(read: Reader, body: Node) -> Source:
    """Each function comes as a List of the call and its own column definitions (empty or null)."""
    calls: list[Expression] = []
    columns = _defined(body.get("coldeflist", []))
    for pair in body["functions"]:
        head, *definitions = items(pair)
        calls.append(read.expression(head))
        columns += tuple(c for definition in definitions if definition for c in _defined(items(definition)))
    alias, column_aliases = alias_names(body)
    return FunctionSource(tuple(calls), alias, column_aliases, columns, "ordinality" in body, "lateral" in body)


def _defined(nodes: list[Node]) -> tuple[str, ...]:
    return tuple([node["ColumnDef"]["colname"] for node in nodes])


@_node("RangeTableFunc", "lateral docexpr rowexpr namespaces columns alias location")
def xml_table(read: Reader, body: Node) -> Source:
    operands = [read.expression(body["docexpr"]), read.expression(body["rowexpr"])]
    operands += named_values(read, body.get("namespaces", []))
    columns = [node["RangeTableFuncCol"] for node in body["columns"]]
    operands += [read.expression(c[part]) for c in columns for part in ("colexpr", "coldefexpr") if c.get(part)]
    made = Operation("xmltable", tuple(operands), (), body.get("location", 0))
    alias, column_aliases = alias_names(body)
    names = tuple([c["colname"] for c in columns])
    return FunctionSource((made,), alias, column_aliases, names, lateral="lateral" in body)


_SAMPLERS: Final = frozenset({"bernoulli", "system", "system_rows", "system_time"})
_CONSTANTS: Final = frozenset({"A_Const", "ParamRef"})


@_node("RangeTableSample", "relation method args repeatable location")
def sample(read: Reader, body: Node) -> Source:
    """TABLESAMPLE reads the same table."""
    arguments = [*body.get("args", []), *([body["repeatable"]] if body.get("repeatable") else [])]
    if strings(body["method"])[-1] not in _SAMPLERS:
        raise unknown("a TABLESAMPLE method of an extension", body.get("location", -1))
    computed = read.expressions([argument for argument in arguments if not argument.keys() <= _CONSTANTS])
    found = read.source(body["relation"])
    return replace(found, sample=computed) if computed and isinstance(found, Relation) else found


# ---------------------------------------------------------------- joins

_JOINS: Final = {
    "JOIN_INNER": JoinKind.INNER,
    "JOIN_LEFT": JoinKind.LEFT,
    "JOIN_RIGHT": JoinKind.RIGHT,
    "JOIN_FULL": JoinKind.FULL,
}


@_node("JoinExpr", "jointype isNatural larg rarg usingClause join_using_alias quals alias")
def join(read: Reader, body: Node) -> Source:
    kind = _JOINS[body["jointype"]]
    if not body.keys() & {"quals", "usingClause", "isNatural"}:
        kind = JoinKind.CROSS
    alias, column_aliases = alias_names(body)
    return Join(
        kind,
        read.source(body["larg"]),
        read.source(body["rarg"]),
        read.optional(body.get("quals")),
        strings(body.get("usingClause", [])),
        "isNatural" in body,
        alias,
        body.get("join_using_alias", {}).get("aliasname"),
        column_aliases,
    )
