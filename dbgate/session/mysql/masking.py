"""From a decision and column definitions to the function that masks rows.

Two witnesses must agree before a value passes: the plan (what the statement's text says each output column is made of)
and the server (schema, org_table and org_name of each column definition). Where the server names a masked origin that
the plan left open, the column is masked all the same and reported; where it names a forbidden one, or the number of
columns differs, the result is aborted.

What the server's word is worth, as MySQL 9.7 and MariaDB 10.11 gave it for every kind of statement tried, in text and
in prepared form alike:

- A column of a table, however it is qualified, parenthesised, aliased, grouped (but on MySQL not WITH ROLLUP), ordered
  or made distinct, read by SELECT, TABLE, RETURNING or a procedure's SELECT: the table's database, its name and the
  column's name as they were created. Whenever such a triple names a masked column, its values are in the result, unless
  an alias (below) happens to be spelt as one.
- A column of a view: the view itself and its column, not what is behind it. The policy follows views. By an alias of
  the view, MariaDB gives the alias for its name. MariaDB, of a view that it has to materialise: no database.
- A column of a derived table or a common table expression: on MySQL the base table's name with the *new* name of the
  column; on MariaDB the alias in place of the table, or no database at all. These prove nothing: an unknown column of a
  known table, or a table that does not exist, is then left to the plan, which has traced it.
- Temporary tables: their own names. One that the catalog does not know is left to the plan in the same way.
- Expressions, functions, aggregates, windows, UNION, scalar subqueries, user variables, stored functions: nothing. Here
  the plan decides alone.
- HANDLER on MySQL, JSON_TABLE on MariaDB: the database `*any*`. SHOW and information_schema: names of the server's own
  views and of the tables behind them, some without a database.

So the server's silence proves nothing, its naming of a masked column that column's presence; an alias that is spelt as
a masked table's name can make the gate mask too much, and never too little.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from dbgate.session.mysql.cells import Cell, cell_masker, told_definition
from protocols.errors import UsageError
from protocols.mysql.charsets import UTF8MB4, Charset
from protocols.mysql.replies import ColumnDefinition
from protocols.mysql.rows import CellMasker, Constant, RowRewriter, compile_rewriter
from protocols.mysql.values import NAMED, extended_name
from rules.catalog import Catalog, Relation
from rules.decision import Decision, Mask, MaskKind
from rules.policy import UNKNOWN_ORIGIN, PolicyContext


class ShapeError(Exception):
    """The rows may not pass: what the server returns is not what was decided. The text is for the client."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A column whose origin the plan had not foreseen: its name and its origin as `database.table.column`."""

    column: str
    origin: str


@dataclass(frozen=True, slots=True)
class RowPlan:
    """`rewriter` None: the rows pass as they are. `definitions`: what the client is told in place of the server's
    definitions, by column index: those that would not be true of masked values."""

    rewriter: RowRewriter | None = None
    mismatches: tuple[Mismatch, ...] = ()
    definitions: Mapping[int, ColumnDefinition] = field(default_factory=dict)


PASS: Final = RowPlan()
#: Kinds whose rows may have no plan: they were decided as showing no table's data, or have their own columns.
ROWS_WITHOUT_PLAN: Final = frozenset({"select", "show", "explain", "call", "maintenance", "two_phase"})
#: Kinds whose origins are the server's own views, which their texts do not name.
_DESCRIBING: Final = frozenset({"show", "explain"})
_SYSTEM: Final = frozenset({"information_schema", "performance_schema"})
_NO_DATABASE: Final = ("", "*any*")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the server says that an output column comes from, in its own spelling."""

    schema: str
    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}.{self.column}"


def row_plan(
    columns: Sequence[ColumnDefinition],
    decision: Decision,
    context: PolicyContext,
    binary: bool,
    charset: Charset = UTF8MB4,
    own_zone: bool = False,
) -> RowPlan:
    """Raises ShapeError when the result must not pass. `charset`: of the names, `character_set_results`. `own_zone`:
    the session has the time zone that it began with; without that, the year of a TIMESTAMP is redacted."""
    if decision.width is not None and decision.width != len(columns):
        raise ShapeError(f"the server returns {len(columns)} columns where {decision.width} were decided")
    if decision.width is None and decision.kind not in ROWS_WITHOUT_PLAN:
        raise ShapeError("the server returns rows for a statement that has none, as a rule of the table can make it do")
    masks, mismatches = agreed_masks(columns, decision, context, charset)
    if not masks:
        return PASS
    key = context.policy.mask_key or b""
    cells = {
        n: Cell(mask, columns[n], binary, key, _type_name(columns[n], context.catalog, charset), own_zone)
        for n, mask in masks.items()
    }
    return _compiled(columns, cells, mismatches, binary)


def _compiled(
    columns: Sequence[ColumnDefinition], cells: Mapping[int, Cell], mismatches: tuple[Mismatch, ...], binary: bool
) -> RowPlan:
    maskers = {n: cell_masker(cell) for n, cell in cells.items()}
    try:
        rewriter = compile_rewriter([column.type for column in columns], maskers, binary)
    except UsageError as error:
        raise ShapeError(f"rows with masked columns cannot be read: {error}") from None
    return RowPlan(rewriter, mismatches, dict(_changed(cells, maskers)))


def _changed(
    cells: Mapping[int, Cell], maskers: Mapping[int, CellMasker | Constant]
) -> Iterable[tuple[int, ColumnDefinition]]:
    for number, cell in cells.items():
        told = told_definition(cell, maskers[number])
        if told is not cell.column:
            yield number, told


def agreed_masks(
    columns: Sequence[ColumnDefinition], decision: Decision, context: PolicyContext, charset: Charset = UTF8MB4
) -> tuple[dict[int, Mask], tuple[Mismatch, ...]]:
    """The masks by column, of both witnesses. Raises ShapeError for a column that no rule lets pass."""
    planned = decision.masks or (None,) * len(columns)
    masks: dict[int, Mask] = {}
    mismatches = []
    for number, column in enumerate(columns):
        origin = origin_of(column, charset)
        mask = planned[number]
        if origin is not None and not (decision.kind in _DESCRIBING and origin.schema.lower() in _SYSTEM):
            _refuse_forbidden(column, origin, context, charset)
            if mask is None and (mask := _origin_mask(origin, decision, context)) is not None:
                mismatches.append(Mismatch(_text(column.name, charset), str(origin)))
        if mask is not None:
            masks[number] = mask
    return masks, tuple(mismatches)


def origin_of(column: ColumnDefinition, charset: Charset = UTF8MB4) -> Origin | None:
    """None where the server names no column of a table."""
    schema = _text(column.schema, charset)
    if schema in _NO_DATABASE or not column.org_table or not column.org_name:
        return None
    return Origin(schema, _text(column.org_table, charset), _text(column.org_name, charset))


def _text(name: bytes, charset: Charset) -> str:
    try:
        return charset.decode(name)
    except UnicodeError:
        return name.decode("utf-8", "replace")


def _refuse_forbidden(column: ColumnDefinition, origin: Origin, context: PolicyContext, charset: Charset) -> None:
    rule = context.origin_denied_by_name(origin.schema, origin.table, origin.column)
    if rule:
        name = _text(column.name, charset)
        raise ShapeError(f'column "{name}" comes from a table or column that rule "{rule}" denies')


def _origin_mask(origin: Origin, decision: Decision, context: PolicyContext) -> Mask | None:
    """What the catalog does not know is an alias's, or a temporary table's, and was traced by the plan. Where there is
    no plan it is redacted for a role with masks, but for the system's own."""
    mask = context.origin_mask_by_name(origin.schema, origin.table, origin.column)
    if mask is not None or decision.width is not None or not context.has_masks:
        return mask
    return None if _is_known(origin, context) else Mask(MaskKind.REDACT, rule=UNKNOWN_ORIGIN)


def _is_known(origin: Origin, context: PolicyContext) -> bool:
    relation = _relation(origin, context.catalog)
    found = relation is not None and relation.column(origin.column.lower()) is not None
    return found or context.view.is_system(origin.schema)


def _type_name(column: ColumnDefinition, catalog: Catalog, charset: Charset) -> str:
    """The name of a type that comes as a string: MariaDB's UUID, INET4, INET6, and JSON, which is a LONGTEXT to it."""
    told = extended_name(column)
    origin = origin_of(column, charset)
    if told in NAMED or origin is None:
        return told
    relation = _relation(origin, catalog)
    found = None if relation is None else relation.column(origin.column.lower())
    return found.type if found is not None and found.type in NAMED else ""


def _relation(origin: Origin, catalog: Catalog) -> Relation | None:
    schema, table = origin.schema, origin.table
    if catalog.lower_case_table_names:
        schema, table = schema.lower(), table.lower()
    return catalog.by_name.get((schema, table))
