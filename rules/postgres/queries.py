"""SELECT, VALUES, TABLE, set operations and WITH."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rules.postgres.expressions import is_constant_row, sort_keys, window
from rules.postgres.nodes import QUERIES, Node, Reader, items, strings, unknown, words
from rules.tree import (
    CommonTable,
    Expression,
    Operation,
    Output,
    Query,
    Select,
    SetOperation,
    Values,
)

_TARGET_FIELDS: Final = frozenset({"name", "val", "location"})


def outputs(read: Reader, nodes: list[Node]) -> tuple[Output, ...]:
    """A select or RETURNING list."""
    return tuple([_output(read, node["ResTarget"]) for node in nodes])


def _output(read: Reader, body: Node) -> Output:
    if not body.keys() <= _TARGET_FIELDS:
        raise unknown("a select-list entry with a subscript", body.get("location", -1))
    return Output(read.expression(body["val"]), body.get("name"))


# ---------------------------------------------------------------- WITH

_CTE_FIELDS: Final = words("ctename aliascolnames ctematerialized ctequery search_clause cycle_clause location")


def common_tables(read: Reader, body: Node) -> tuple[tuple[CommonTable, ...], bool]:
    """The WITH clause of a statement's fields: its tables, and whether it is RECURSIVE."""
    clause = body.get("withClause")
    if clause is None:
        return (), False
    return tuple([_common_table(read, n["CommonTableExpr"]) for n in clause["ctes"]]), "recursive" in clause


def _common_table(read: Reader, body: Node) -> CommonTable:
    if not body.keys() <= _CTE_FIELDS:
        raise unknown("a WITH query with " + ", ".join(sorted(body.keys() - _CTE_FIELDS)), body.get("location", -1))
    return CommonTable(
        body["ctename"], read.body(body["ctequery"]), strings(body.get("aliascolnames", [])), _extra(read, body)
    )


def _extra(read: Reader, body: Node) -> tuple[str, ...]:
    """The columns that SEARCH and CYCLE add. The cycle marks are constants; reading them checks that."""
    search, cycle = body.get("search_clause", {}), body.get("cycle_clause", {})
    for mark in ("cycle_mark_value", "cycle_mark_default"):
        read.optional(cycle.get(mark))
    names = (search.get("search_seq_column"), cycle.get("cycle_mark_column"), cycle.get("cycle_path_column"))
    return tuple([name for name in names if name])


# ---------------------------------------------------------------- SELECT


@QUERIES.node(
    "SelectStmt",
    "distinctClause targetList fromClause whereClause groupClause groupDistinct havingClause windowClause valuesLists "
    "sortClause limitOffset limitCount limitOption lockingClause withClause op all larg rarg",
)
def select(read: Reader, body: Node) -> Query:
    if body["op"] != "SETOP_NONE":
        return _set_operation(read, body)
    if "valuesLists" in body:
        return Values(tuple(_rows(read, body["valuesLists"])), **_tail(read, body))
    return _plain(read, body)


def _rows(read: Reader, nodes: list[Node]) -> Iterator[tuple[Expression, ...]]:
    """The rows of VALUES; of those that hold nothing but constants the first of each width stands for all."""
    widths: set[int] = set()
    for node in nodes:
        cells = items(node)
        if is_constant_row(cells):
            if len(cells) in widths:
                continue
            widths.add(len(cells))
        yield read.expressions(cells)


def _plain(read: Reader, body: Node) -> Query:
    tail = _tail(read, body)
    sources = read.sources(body["fromClause"]) if "fromClause" in body else ()
    made = outputs(read, body.get("targetList", []))
    where = read.optional(body.get("whereClause"))
    if not body.keys() & _RARE:
        return Select(made, sources, where, **tail)
    distinct = [node for node in body.get("distinctClause", []) if node]
    windows = [window(read, node["WindowDef"]) for node in body.get("windowClause", [])]
    return Select(
        made,
        sources,
        where,
        group_by=tuple(_grouping(read, body.get("groupClause", []))),
        having=read.optional(body.get("havingClause")),
        windows=tuple([e for _, rest in windows for e in rest]),
        partitions=tuple([e for partitions, _ in windows for e in partitions]),
        distinct_on=read.expressions(distinct),
        distinct="distinctClause" in body and not distinct,
        locks="lockingClause" in body,
        **tail,
    )


_RARE: Final = words("groupClause havingClause windowClause distinctClause lockingClause")


def _tail(read: Reader, body: Node) -> dict[str, Any]:
    """What every query form shares: WITH, ORDER BY, LIMIT, OFFSET."""
    found: dict[str, Any] = {}
    if "withClause" in body:
        found["common_tables"], found["recursive"] = common_tables(read, body)
    if "sortClause" in body:
        found["order_by"] = sort_keys(read, body["sortClause"])
    if "limitCount" in body:
        found["limit"] = read.expression(body["limitCount"])
    if "limitOffset" in body:
        found["offset"] = read.expression(body["limitOffset"])
    return found


def _grouping(read: Reader, nodes: list[Node]) -> Iterator[Expression]:
    """GROUP BY flattened: the members of ROLLUP, CUBE, GROUPING SETS and of rows in parentheses."""
    for node in nodes:
        if "GroupingSet" in node:
            yield from _grouping(read, node["GroupingSet"].get("content", []))
            continue
        key = read.expression(node)
        implicit_row = node.get("RowExpr", {}).get("row_format") == "COERCE_IMPLICIT_CAST"
        if implicit_row and isinstance(key, Operation):
            yield from key.operands
        else:
            yield key


_SET_OPERATORS: Final = {"SETOP_UNION": "union", "SETOP_INTERSECT": "intersect", "SETOP_EXCEPT": "except"}


def _set_operation(read: Reader, body: Node) -> Query:
    tail = _tail(read, body)
    return SetOperation(
        _SET_OPERATORS[body["op"]],
        QUERIES.read_body(read, "SelectStmt", body["larg"]),
        QUERIES.read_body(read, "SelectStmt", body["rarg"]),
        "all" in body,
        locks="lockingClause" in body,
        **tail,
    )
