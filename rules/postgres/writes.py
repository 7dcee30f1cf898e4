"""INSERT, UPDATE, DELETE, MERGE."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rules.postgres.expressions import bounds
from rules.postgres.nodes import WRITES, Node, Reader, unknown, words
from rules.postgres.queries import common_tables, outputs
from rules.postgres.sources import relation
from rules.tree import (
    Assignment,
    Column,
    Delete,
    Expression,
    Insert,
    Merge,
    MergeAction,
    Operation,
    Output,
    Update,
    Write,
)

# ---------------------------------------------------------------- targets

_CONSTANT: Final = frozenset({"A_Const", "ParamRef"})


def _insert_column(node: Node) -> str:
    """A column of INSERT's list; `a[1]` and `a.field` write column a."""
    body = node["ResTarget"]
    for step in body.get("indirection", ()):
        indices = step.get("A_Indices", {})
        if not all(indices[side].keys() <= _CONSTANT for side in ("lidx", "uidx") if side in indices):
            raise unknown("an INSERT column with a computed subscript", body.get("location", -1))
    return str(body["name"])


def _insert_columns(nodes: list[Node]) -> tuple[str, ...]:
    return tuple([_insert_column(node) for node in nodes])


def _value(read: Reader, body: Node) -> Expression:
    """The assigned value; the subscripts of `SET a[i] = value` ride along in an `assign_element`."""
    value = read.expression(body["val"])
    steps = [e for s in body.get("indirection", ()) if "A_Indices" in s for e in bounds(read, s["A_Indices"])]
    return Operation("assign_element", (value, *steps), (), body.get("location", -1)) if steps else value


def assignments(read: Reader, nodes: list[Node]) -> tuple[Assignment, ...]:
    """The SET list. `(a, b) = ROW(x, y)` is taken apart, `(a, b) = (SELECT ...)` stays one Assignment."""
    return tuple(_assignments(read, [node["ResTarget"] for node in nodes]))


def _assignments(read: Reader, targets: list[Node]) -> Iterator[Assignment]:
    for position, target in enumerate(targets):
        several = target["val"].get("MultiAssignRef")
        if several is None:
            yield Assignment((target["name"],), _value(read, target))
        elif several["colno"] == 1:
            names = [t["name"] for t in targets[position : position + several["ncolumns"]]]
            yield from _shared(read, names, several["source"])


def _shared(read: Reader, names: list[str], source: Node) -> Iterator[Assignment]:
    value = read.expression(source)
    if "RowExpr" in source and isinstance(value, Operation) and len(value.operands) == len(names):
        yield from (Assignment((name,), part) for name, part in zip(names, value.operands, strict=True))
    else:
        yield Assignment(tuple(names), value)


def _returning(read: Reader, body: Node) -> tuple[tuple[Output, ...], tuple[str, str]]:
    """RETURNING's list, and the names that stand for the row before and after (PostgreSQL 18)."""
    clause = body.get("returningClause", {})
    names = {"RETURNING_OPTION_OLD": "old", "RETURNING_OPTION_NEW": "new"}
    for node in clause.get("options", ()):
        option = node["ReturningOption"]
        names[option["option"]] = option["value"]
    return outputs(read, clause.get("exprs", [])), (names["RETURNING_OPTION_OLD"], names["RETURNING_OPTION_NEW"])


# ---------------------------------------------------------------- statements


@WRITES.node("InsertStmt", "relation cols selectStmt onConflictClause returningClause withClause override")
def insert(read: Reader, body: Node) -> Write:
    tables, recursive = common_tables(read, body)
    conflict = body.get("onConflictClause", {})
    infer = conflict.get("infer", {})
    returning, row_names = _returning(read, body)
    return Insert(
        relation(read, body["relation"]),
        _insert_columns(body.get("cols", [])),
        read.query(body["selectStmt"]) if "selectStmt" in body else None,
        tuple(_conflict_target(read, infer)),
        assignments(read, conflict.get("targetList", [])),
        read.optional(conflict.get("whereClause")),
        returning,
        tables,
        recursive,
        row_names,
    )


def _conflict_target(read: Reader, infer: Node) -> Iterator[Expression]:
    for node in infer.get("indexElems", ()):
        element = node["IndexElem"]
        yield Column((element["name"],)) if "name" in element else read.expression(element["expr"])
    if "whereClause" in infer:
        yield read.expression(infer["whereClause"])


@WRITES.node("UpdateStmt", "relation targetList whereClause fromClause returningClause withClause")
def update(read: Reader, body: Node) -> Write:
    tables, recursive = common_tables(read, body)
    returning, row_names = _returning(read, body)
    return Update(
        relation(read, body["relation"]),
        assignments(read, body["targetList"]),
        read.sources(body.get("fromClause", [])),
        read.optional(body.get("whereClause")),
        returning,
        tables,
        recursive,
        row_names,
    )


@WRITES.node("DeleteStmt", "relation usingClause whereClause returningClause withClause")
def delete(read: Reader, body: Node) -> Write:
    tables, recursive = common_tables(read, body)
    returning, row_names = _returning(read, body)
    return Delete(
        relation(read, body["relation"]),
        read.sources(body.get("usingClause", [])),
        read.optional(body.get("whereClause")),
        returning,
        tables,
        recursive,
        row_names,
    )


@WRITES.node("MergeStmt", "relation sourceRelation joinCondition mergeWhenClauses returningClause withClause")
def merge(read: Reader, body: Node) -> Write:
    tables, recursive = common_tables(read, body)
    returning, row_names = _returning(read, body)
    return Merge(
        relation(read, body["relation"]),
        read.source(body["sourceRelation"]),
        read.expression(body["joinCondition"]),
        tuple([_action(read, node["MergeWhenClause"]) for node in body["mergeWhenClauses"]]),
        returning,
        tables,
        recursive,
        row_names,
    )


_ACTIONS: Final = {"CMD_INSERT": "insert", "CMD_UPDATE": "update", "CMD_DELETE": "delete", "CMD_NOTHING": "nothing"}
_ACTION_FIELDS: Final = words("matchKind commandType override condition targetList values")


def _action(read: Reader, body: Node) -> MergeAction:
    if not body.keys() <= _ACTION_FIELDS:
        raise unknown("a MERGE clause with " + ", ".join(sorted(body.keys() - _ACTION_FIELDS)))
    kind = _ACTIONS[body["commandType"]]
    targets = body.get("targetList", [])
    return MergeAction(
        kind,
        read.optional(body.get("condition")),
        assignments(read, targets) if kind == "update" else (),
        _insert_columns(targets) if kind == "insert" else (),
        read.expressions(body.get("values", [])),
    )
