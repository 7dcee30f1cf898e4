"""INSERT, REPLACE, UPDATE, DELETE, over one table and over several.

REPLACE deletes the rows in whose place it puts new ones: an `Insert` with `replaces`, kind `insert`, and facts that
speak of a delete as well.
"""

from __future__ import annotations

from typing import Final

from rules.mysql.calls import PROPOSED
from rules.mysql.keywords import words
from rules.mysql.nesting import begins_query, opens_query
from rules.mysql.parser import Parser
from rules.mysql.queries import limits, order_by, outputs, query
from rules.mysql.refusal import Refused
from rules.mysql.rows import rows
from rules.mysql.sources import partitions, sources, table
from rules.tree import (
    Assignment,
    Column,
    CommonTable,
    Delete,
    Expression,
    Insert,
    JoinedAssignment,
    JoinedDelete,
    JoinedUpdate,
    Output,
    Query,
    Relation,
    Update,
    Values,
    Write,
)

With = tuple[tuple[CommonTable, ...], bool]
NO_WITH: Final[With] = ((), False)

# ---------------------------------------------------------------- INSERT, REPLACE

_PRIORITIES: Final = words("low_priority delayed high_priority")


def insert(p: Parser) -> Write:
    replaces = p.words[p.advance()] == "replace"
    p.accept_any(_PRIORITIES)
    p.accept("ignore")
    p.accept("into")
    target = _target(p)
    columns, source, conflict, row_name, row_columns = _inserted(p)
    names = (PROPOSED,) if row_name is None else (PROPOSED, row_name)
    return Insert(
        target,
        columns,
        source,
        conflict_assignments=conflict,
        returning=_returning(p),
        replaces=replaces,
        proposed=names,
        proposed_columns=row_columns,
    )


def _target(p: Parser) -> Relation:
    name, start, end = p.table_path()
    partitions(p)
    return Relation(name, start=start, end=end)


_Inserted = tuple[tuple[str, ...], Query, tuple[Assignment, ...], str | None, tuple[str, ...]]


def _inserted(p: Parser) -> _Inserted:
    """Columns, rows, what ON DUPLICATE KEY UPDATE assigns, and the row's alias with its columns'."""
    if p.accept("set"):
        given = _assignments(p)
        columns: tuple[str, ...] = tuple([name for each in given for name in each.columns])
        source: Query = Values((tuple([each.value for each in given]),))
    else:
        columns = _columns(p) if p.word == "(" and not opens_query(p, p.at) else ()
        source = _source(p)
    row_name, row_columns = _row_alias(p)
    return columns, source, _on_duplicate(p), row_name, row_columns


def _columns(p: Parser) -> tuple[str, ...]:
    p.expect("(")
    found: list[str] = []
    while not p.accept(")"):
        found.append(_column(p).path[-1])
        if p.word != ")":
            p.expect(",")
    return tuple(found)


def _column(p: Parser) -> Column:
    """`c`, `t.c`, `db.t.c` as the place of a value."""
    at = p.start
    parts = [p.name("a column's name")]
    while len(parts) < 3 and p.accept("."):
        parts.append(p.name("a column's name"))
    tables = [part.lower() for part in parts[:-1]] if p.grammar.folds else parts[:-1]
    return Column((*tables, parts[-1].lower()), at)


def _source(p: Parser) -> Query:
    if p.word in ("values", "value") and p.peek() == "(":
        p.advance()
        return Values(rows(p))
    if p.word == "(" or begins_query(p, p.at):
        return query(p)
    raise p.failure("VALUES, SET or SELECT is expected")


def _row_alias(p: Parser) -> tuple[str | None, tuple[str, ...]]:
    if not p.accept("as"):
        return None, ()
    name = p.table_part("an alias")
    return name, _columns(p) if p.word == "(" else ()


def _on_duplicate(p: Parser) -> tuple[Assignment, ...]:
    if not p.accept("on", "duplicate", "key", "update"):
        return ()
    p.writes_duplicates = True
    try:
        return _assignments(p)
    finally:
        p.writes_duplicates = False


def _assignments(p: Parser) -> tuple[Assignment, ...]:
    return tuple([Assignment((each.column.path[-1],), each.value) for each in _set_list(p)])


def _set_list(p: Parser) -> list[JoinedAssignment]:
    found = []
    while True:
        column = _column(p)
        if not p.accept(":="):
            p.expect("=")
        found.append(JoinedAssignment(column, p.expression()))
        if not p.accept(","):
            return found


def _returning(p: Parser) -> tuple[Output, ...]:
    return outputs(p) if not p.grammar.mysql and p.accept("returning") else ()


# ---------------------------------------------------------------- UPDATE


def update(p: Parser, common: With = NO_WITH) -> Write:
    p.expect("update")
    p.accept("low_priority")
    p.accept("ignore")
    first = p.at
    found = sources(p)
    tables = (first, p.at)
    p.expect("set")
    assigned = _set_list(p)
    where = _where(p, tables)
    target = found[0]
    if len(found) > 1 or not isinstance(target, Relation):
        _no_order(p)
        return JoinedUpdate(found, tuple(assigned), where, *common)
    order, limit = _ordered(p)
    made = tuple([Assignment((_own(target, each.column),), each.value) for each in assigned])
    return Update(target, made, where=where, common_tables=common[0], recursive=common[1], order_by=order, limit=limit)


def _own(target: Relation, column: Column) -> str:
    """The name of a column that must be the one table's own."""
    names = ((), (target.alias,)) if target.alias else ((), target.name[-1:], target.name)
    if column.path[:-1] not in names and target.name[-2:] != column.path[:-1]:
        raise Refused("column", f"{'.'.join(column.path)} is no column of the table", "name its table", column.at)
    return column.path[-1]


def _where(p: Parser, tables: tuple[int, int]) -> Expression | None:
    """The condition. `tables`: the tokens from the first of the tables to the one behind them."""
    behind = p.at
    found = p.expression() if p.accept("where") else None
    if p.places is not None:
        p.places.add_block(p.starts, p.ends, p.words, tables, (behind, p.at))
    return found


def _ordered(p: Parser) -> tuple[tuple[Expression, ...], Expression | None]:
    order = order_by(p)
    if p.word not in ("limit",):
        return order, None
    limit, offset = limits(p)
    if offset is not None:
        raise p.failure("the end of LIMIT is expected: UPDATE and DELETE take a count alone")
    return order, limit


def _no_order(p: Parser) -> None:
    if p.word in ("order", "limit"):
        raise p.failure("the statement's end is expected: one over several tables takes no ORDER BY")


# ---------------------------------------------------------------- DELETE

_DELETE_OPTIONS: Final = words("low_priority quick ignore")


def after_delete(p: Parser, at: int) -> int:
    """Where the word DELETE stands: the token behind it and its options."""
    at += 1
    while p.words[at] in _DELETE_OPTIONS and not (p.words[at] == "quick" and p.words[at + 1] in (",", ".")):
        at += 1
    return at


def delete(p: Parser, common: With = NO_WITH) -> Write:
    p.at = after_delete(p, p.at)
    if not p.accept("from"):
        targets = _targets(p)
        p.expect("from")
        return _joined_delete(p, targets, common)
    first = p.at
    targets = _targets(p)
    if p.accept("using"):
        return _joined_delete(p, targets, common)
    p.at = first
    return _delete_one(p, common)


def _targets(p: Parser) -> tuple[Relation, ...]:
    """`t1, db.t2.*`: tables or aliases of the FROM list."""
    found = [_deleted(p)]
    while p.accept(","):
        found.append(_deleted(p))
    return tuple(found)


def _deleted(p: Parser) -> Relation:
    start = p.start
    parts = [p.table_part()]
    while p.accept("."):
        if p.accept("*"):
            break
        if len(parts) == 2:
            raise p.failure("a star is expected")
        parts.append(p.table_part())
    return Relation(tuple(parts), start=start, end=p.ends[p.at - 1])


def _joined_delete(p: Parser, targets: tuple[Relation, ...], common: With) -> Write:
    first = p.at
    found = sources(p)
    where = _where(p, (first, p.at))
    _no_order(p)
    return JoinedDelete(targets, found, where, *common)


def _delete_one(p: Parser, common: With) -> Write:
    first = p.at
    target = table(p)
    partitions(p)
    where = _where(p, (first, p.at))
    order, limit = _ordered(p)
    return Delete(
        target,
        where=where,
        returning=_returning(p),
        common_tables=common[0],
        recursive=common[1],
        order_by=order,
        limit=limit,
    )
