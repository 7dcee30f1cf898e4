"""The facts of a whole statement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rules.catalog import Catalog, Relation
from rules.facts import ColumnUse, Facts, OutputColumn, TableUse, Use
from rules.lineage import early, functions
from rules.lineage.expressions import value
from rules.lineage.queries import query
from rules.lineage.reader import Reader
from rules.lineage.relations import shape, uses_of
from rules.lineage.scope import Scope
from rules.lineage.targets import no_such_column, writes
from rules.lineage.unresolved import named
from rules.lineage.values import Item, MissingRelation, Refused
from rules.lineage.writes import write
from rules.tree import (
    Access,
    Call,
    Delete,
    Insert,
    JoinedDelete,
    JoinedUpdate,
    Merge,
    Query,
    Select,
    SetOperation,
    Statement,
    Touched,
    Update,
    Values,
    Write,
)

#: Utility statements that create their relation, or may name one that is not there (IF EXISTS).
_NEW_OR_GONE: Final[frozenset[Access]] = frozenset({Access.CREATE, Access.DROP, Access.ALTER, Access.OTHER})


def facts(statement: Statement, catalog: Catalog, search_path: tuple[str, ...]) -> Facts:
    """What the statement touches. Never raises for what a client wrote: problems are in `problem` and `missing`."""
    reader = Reader(catalog, search_path)
    try:
        items = _body(reader, statement)
        columns = _utility(reader, statement)
    except Refused as refused:
        return _facts(statement, problem=refused.problem, at=refused.problem.at, **named(reader, statement))
    except MissingRelation as missing:
        return _facts(statement, missing=(missing.name,), at=missing.at, **named(reader, statement))
    except RecursionError:
        return _facts(statement, problem=Refused("too-deep", "it nests too deeply", "write it flatter").problem)
    return _found(statement, reader, items if items is not None else columns)


def _facts(statement: Statement, **known: object) -> Facts:
    return Facts(
        kind=statement.kind,
        detail=statement.detail,
        settings=statement.settings,
        defines=statement.defines,
        runs=statement.runs,
        drops=statement.drops,
        executes=statement.executes,
        returns_body=statement.returns_body,
        temporary="temporary" in statement.options,
        copy=statement.copy,
        start=statement.start,
        end=statement.end,
        **known,  # type: ignore[arg-type]
    )


def _found(statement: Statement, reader: Reader, items: tuple[Item, ...] | None) -> Facts:
    return _facts(
        statement,
        tables=frozenset(reader.tables),
        uses=_uses(reader),
        outputs=None if items is None else _outputs(items),
        functions=frozenset(reader.functions),
        copies=tuple(reader.copies),
        has_where=reader.has_where,
        has_limit=_has_limit(statement.body),
        fails_early=reader.fails_early or early.torn_parameters(reader, statement.detail == "PREPARE"),
        at=reader.at,
    )


def _outputs(items: tuple[Item, ...]) -> tuple[OutputColumn, ...]:
    return tuple([OutputColumn(i.name, i.sources, i.direct and bool(i.sources), i.hollow) for i in items])


def _uses(reader: Reader) -> frozenset[ColumnUse]:
    memory = reader.catalog.derived
    found = []
    for use, columns in reader.uses.items():
        for column in columns:
            key = (use, column)
            known = memory.get(key)
            if not isinstance(known, ColumnUse):
                known = memory[key] = ColumnUse(column, use)
            found.append(known)
    return frozenset(found)


def _has_limit(body: Query | Write | None) -> bool:
    return isinstance(body, Select | Values | SetOperation) and body.limit is not None


# ---------------------------------------------------------------- the body


def _body(reader: Reader, statement: Statement) -> tuple[Item, ...] | None:
    """The rows the client will receive from the statement's query or write; None when there are none of its own."""
    body = statement.body
    if body is None:
        _not_from_prepared(statement)
        return None
    top, reader.top = Scope((), None, {}), body
    if isinstance(body, Insert | Update | Delete | Merge):
        items = write(reader, body, top)
        returned: tuple[Item, ...] | None = items if body.returning else None
    elif isinstance(body, JoinedUpdate | JoinedDelete):
        items, returned = write(reader, body, top), None
    else:
        items = returned = query(reader, body, top)
    if statement.creates is not None:
        _created(reader, items)
    return returned if statement.returns_body or statement.defines is not None else None


def _created(reader: Reader, items: tuple[Item, ...]) -> None:
    """CREATE TABLE AS and its kin copy every value into a relation that is not there yet (it is in `touched`)."""
    for item in items:
        if item.sources:
            reader.use(Use.COPY, item.sources)
            reader.copies.append((None, item.sources))


def _not_from_prepared(statement: Statement) -> None:
    """CREATE TABLE AS EXECUTE p: what is copied cannot be seen here."""
    if statement.creates is not None and statement.runs is not None:
        raise Refused(
            "prepared-copy",
            "it fills a table from a prepared statement",
            "write the query itself: CREATE TABLE ... AS SELECT ...",
        )


# ---------------------------------------------------------------- utility statements


def _utility(reader: Reader, statement: Statement) -> tuple[Item, ...] | None:
    """Relations, columns and calls that a statement names outside a query. Returns the columns of COPY t TO."""
    for call in statement.calls:
        _called(reader, statement, call)
    columns: tuple[Item, ...] | None = None
    for touched in statement.touched:
        relation = _touched(reader, touched, statement)
        if relation is not None:
            columns = _copied(reader, statement, touched, relation) or columns
    return columns


def _called(reader: Reader, statement: Statement, call: Call) -> None:
    """CALL runs its arguments now. Elsewhere (CHECK, DEFAULT, an index) the function is noted, and every inner call
    stands in the list by itself; columns there are those of the table that is changed."""
    if statement.kind == "call":
        value(reader, call, Scope((), None, {}))
    else:
        functions.used(reader, call.name)


def _touched(reader: Reader, touched: Touched, statement: Statement) -> Relation | None:
    creates = touched.access is Access.CREATE
    made = creates and (statement.creates is not None or statement.detail == "CREATE TABLE")
    relation = None if made else reader.lookup(touched.name)  # CREATE INDEX and its kin name a table that is there
    if relation is not None:
        _reach(reader, relation, touched.access)
        return relation
    if touched.access not in _NEW_OR_GONE:
        raise MissingRelation(touched.name)
    temporary = creates and "temporary" in statement.options
    for name in _possible(reader, touched.name, creates, temporary):
        reader.tables.add(TableUse(name, touched.access))
    return None


def _possible(reader: Reader, name: tuple[str, ...], creates: bool, temporary: bool) -> list[tuple[str, str]]:
    """Which relations a name that the catalog does not know may mean: the one created in the first usable schema of
    the path; for DROP IF EXISTS, one in any schema of it."""
    if len(name) > 1:
        return [(reader.schema(name[-2]), name[-1])]
    return reader.dialect.own_places(reader, name[0], creates, temporary)


def _reach(reader: Reader, relation: Relation, access: Access) -> None:
    if access is Access.SELECT:
        known = shape(reader.catalog, relation)
        reader.tables |= known.tables
        reader.functions |= known.functions
    elif access in (Access.INSERT, Access.UPDATE, Access.DELETE):
        writes(reader, relation, access, only=False)
    else:
        reader.tables |= uses_of(reader.catalog, relation, access)


def _copied(reader: Reader, statement: Statement, touched: Touched, relation: Relation) -> tuple[Item, ...] | None:
    handler = _COPIES.get((statement.kind, touched.access))
    return handler(reader, _named_columns(reader, statement, relation)) if handler else None


def _named_columns(reader: Reader, statement: Statement, relation: Relation) -> tuple[Item, ...]:
    """The columns that COPY t (a, b) lists, or all that are stored by themselves. Raises Refused for one that is not
    there."""
    known = {i.name: i for i in shape(reader.catalog, relation).items}
    stored = (c.name for c in relation.columns if not (c.generated or c.generated_from))
    listed = [column for _, column in statement.columns] or list(stored)
    wrong = next((c for c in listed if c not in known), None)
    if wrong is not None:
        raise no_such_column(relation, wrong)
    return tuple(known[c] for c in listed)


def _copied_out(reader: Reader, items: tuple[Item, ...]) -> tuple[Item, ...]:
    for item in items:
        reader.use(Use.PROJECT, item.sources)
    return items


def _copied_in(reader: Reader, items: tuple[Item, ...]) -> None:
    for item in items:
        reader.use(Use.WRITE, item.sources)


_COPIES: Final[dict[tuple[str, Access], Callable[[Reader, tuple[Item, ...]], tuple[Item, ...] | None]]] = {
    ("copy_out", Access.SELECT): _copied_out,
    ("copy_in", Access.INSERT): _copied_in,
}
