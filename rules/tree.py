"""The query tree that decisions are made on.

Each database's grammar is read by a front end of its own (`rules.postgres`, later `rules.mysql`)
which turns the parser's tree into this small one. What a front end does not know it refuses, so
every node here is fully understood; one lineage engine (`rules.lineage`) then serves all dialects.

Names are tuples of identifiers already folded as the server folds them (`Users` -> `users`,
`"Users"` -> `Users`), outermost first: `("hr", "people")`. Offsets are byte offsets into the
UTF-8 text of the statement, for rewrites that splice the client's own text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from rules.copy_format import CopyFormat
from rules.effects import Access as Access
from rules.effects import Carrier as Carrier
from rules.effects import CarrierKind as CarrierKind
from rules.effects import Name as Name
from rules.effects import Setting as Setting
from rules.effects import Touched as Touched
from rules.effects import Unparsable as Unparsable

# ---------------------------------------------------------------- expressions


@dataclass(frozen=True, slots=True)
class Column:
    """A column reference as written: `a`, `t.a`, `s.t.a`. It may turn out to name a whole row or a function."""

    path: Name
    at: int = -1


@dataclass(frozen=True, slots=True)
class Star:
    """`*` or `t.*` in a select list, a RETURNING list or a row constructor."""

    qualifier: Name = ()
    at: int = -1


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; `value` is its text, None for NULL. `text`: MySQL: it is a string, no number or word."""

    value: str | None
    at: int = -1
    text: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$1` of the extended protocol."""

    number: int
    at: int = -1


@dataclass(frozen=True, slots=True)
class Call:
    """A function call, aggregate or window function. Everything inside it is in `arguments`, the
    ORDER BY, FILTER and OVER parts in `conditions`, PARTITION BY in `partitions`. WITHIN GROUP's ORDER BY is in both
    arguments and conditions: its values are returned."""

    name: Name
    arguments: tuple[Expression, ...] = ()
    conditions: tuple[Expression, ...] = ()
    star: bool = False  # count(*)
    at: int = -1
    partitions: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Cast:
    """`x::type`, CAST(x AS type). `type_name` without modifiers, array brackets dropped; `is_array` tells of them.
    `modifiers`: the constants in parentheses after it, None when they are others than numbers."""

    operand: Expression
    type_name: Name
    at: int = -1
    is_array: bool = False
    modifiers: tuple[int, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Field:
    """`(expression).name`; `name` is None for `(expression).*`."""

    operand: Expression
    name: str | None
    at: int = -1


@dataclass(frozen=True, slots=True)
class Operation:
    """Any other expression that computes from its operands: operators, CASE, IN lists, BETWEEN, IS NULL,
    ROW, ARRAY, subscripts, COALESCE ... `operator` is the operator's or construct's name, lower case
    (`=`, `like`, `case`, `row`, `coalesce`); `qualifier` a written OPERATOR(schema.op) schema."""

    operator: str
    operands: tuple[Expression, ...]
    qualifier: Name = ()
    at: int = -1


@dataclass(frozen=True, slots=True)
class Subquery:
    """A query inside an expression. `form`: scalar, exists, in, any, all, array. `test`: the left side."""

    query: Query
    form: str
    test: Expression | None = None
    operator: str = ""
    at: int = -1


Expression: TypeAlias = Column | Star | Literal | Parameter | Call | Cast | Field | Operation | Subquery


# ---------------------------------------------------------------- sources


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or CTE by name. `start`/`end`: the offsets of the name itself in the text. `sample`: arguments of
    TABLESAMPLE that are computed."""

    name: Name
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()
    only: bool = False  # FROM ONLY t: children are not read
    start: int = -1
    end: int = -1
    sample: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Derived:
    """A parenthesised query or VALUES list in FROM."""

    query: Query
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()
    lateral: bool = False


@dataclass(frozen=True, slots=True)
class FunctionSource:
    """Function calls in FROM (several for ROWS FROM). `record_columns`: the AS (a int, b text) list.
    Any other expression that the grammar allows there (casts, JSON_TABLE, XMLTABLE) stands as an Operation."""

    calls: tuple[Expression, ...]
    alias: str | None = None
    column_aliases: tuple[str, ...] = ()
    record_columns: tuple[str, ...] = ()
    ordinality: bool = False
    lateral: bool = False


class JoinKind(Enum):
    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"
    CROSS = "cross"


@dataclass(frozen=True, slots=True)
class Join:
    kind: JoinKind
    left: Source
    right: Source
    on: Expression | None = None
    using: tuple[str, ...] = ()
    natural: bool = False
    alias: str | None = None  # (a JOIN b USING (x)) AS j; hides the names inside
    using_alias: str | None = None  # USING (x) AS j; only the merged columns
    column_aliases: tuple[str, ...] = ()


Source: TypeAlias = Relation | Derived | FunctionSource | Join


# ---------------------------------------------------------------- queries


@dataclass(frozen=True, slots=True)
class Output:
    """One entry of a select or RETURNING list. `name`: the alias as written, else None."""

    expression: Expression
    name: str | None = None


@dataclass(frozen=True, slots=True)
class CommonTable:
    """WITH name (column_aliases) AS (body). `extra_columns`: made by SEARCH and CYCLE clauses."""

    name: str
    body: Query | Write
    column_aliases: tuple[str, ...] = ()
    extra_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT ...; VALUES and TABLE t are `Values` and a Select of a Star."""

    outputs: tuple[Output, ...]
    sources: tuple[Source, ...] = ()
    where: Expression | None = None
    group_by: tuple[Expression, ...] = ()
    having: Expression | None = None
    windows: tuple[Expression, ...] = ()  # named windows' ORDER BY expressions and frames
    partitions: tuple[Expression, ...] = ()  # named windows' PARTITION BY expressions
    distinct_on: tuple[Expression, ...] = ()
    distinct: bool = False
    order_by: tuple[Expression, ...] = ()
    limit: Expression | None = None
    offset: Expression | None = None
    locks: bool = False  # FOR UPDATE / SHARE
    common_tables: tuple[CommonTable, ...] = ()
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class Values:
    rows: tuple[tuple[Expression, ...], ...]  # of those of constants alone, one for each width may stand for all
    order_by: tuple[Expression, ...] = ()
    limit: Expression | None = None
    offset: Expression | None = None
    common_tables: tuple[CommonTable, ...] = ()
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class SetOperation:
    """UNION, INTERSECT, EXCEPT: columns pair by position, names come from the left."""

    operator: str
    left: Query
    right: Query
    all: bool = False
    order_by: tuple[Expression, ...] = ()
    limit: Expression | None = None
    offset: Expression | None = None
    locks: bool = False
    common_tables: tuple[CommonTable, ...] = ()
    recursive: bool = False


Query: TypeAlias = Select | Values | SetOperation


@dataclass(frozen=True, slots=True)
class Assignment:
    """`column = value` of UPDATE, MERGE or ON CONFLICT. Several columns share one value in `(a, b) = (...)`."""

    columns: tuple[str, ...]
    value: Expression


@dataclass(frozen=True, slots=True)
class Insert:
    target: Relation
    columns: tuple[str, ...] = ()  # empty: all, in the table's order
    source: Query | None = None  # None: DEFAULT VALUES
    conflict_target: tuple[Expression, ...] = ()  # ON CONFLICT (expressions) WHERE ...
    conflict_assignments: tuple[Assignment, ...] = ()
    conflict_where: Expression | None = None
    returning: tuple[Output, ...] = ()
    common_tables: tuple[CommonTable, ...] = ()
    recursive: bool = False
    row_names: tuple[str, str] = ("old", "new")  # in RETURNING: qualifiers of the target's row before and after
    replaces: bool = False  # REPLACE: rows that are in the way are deleted
    proposed: tuple[str, ...] = ("excluded",)  # in conflict_assignments: qualifiers of the row that was to be inserted
    proposed_columns: tuple[str, ...] = ()  # the names of its columns there, where they have others


@dataclass(frozen=True, slots=True)
class Update:
    target: Relation
    assignments: tuple[Assignment, ...]
    sources: tuple[Source, ...] = ()
    where: Expression | None = None
    returning: tuple[Output, ...] = ()
    common_tables: tuple[CommonTable, ...] = ()
    recursive: bool = False
    row_names: tuple[str, str] = ("old", "new")  # in RETURNING: qualifiers of the target's row before and after
    order_by: tuple[Expression, ...] = ()
    limit: Expression | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    target: Relation
    sources: tuple[Source, ...] = ()  # USING
    where: Expression | None = None
    returning: tuple[Output, ...] = ()
    common_tables: tuple[CommonTable, ...] = ()
    recursive: bool = False
    row_names: tuple[str, str] = ("old", "new")  # in RETURNING: qualifiers of the target's row before and after
    order_by: tuple[Expression, ...] = ()
    limit: Expression | None = None


@dataclass(frozen=True, slots=True)
class JoinedAssignment:
    """`column = value` where the column may be of any of several tables."""

    column: Column
    value: Expression


@dataclass(frozen=True, slots=True)
class JoinedUpdate:
    """MySQL's UPDATE of several tables: `UPDATE a JOIN b ON ... SET a.x = 1, b.y = a.z`."""

    sources: tuple[Source, ...]
    assignments: tuple[JoinedAssignment, ...]
    where: Expression | None = None
    common_tables: tuple[CommonTable, ...] = ()
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class JoinedDelete:
    """MySQL's DELETE from several tables. `targets`: names or aliases of some of the sources."""

    targets: tuple[Relation, ...]
    sources: tuple[Source, ...]
    where: Expression | None = None
    common_tables: tuple[CommonTable, ...] = ()
    recursive: bool = False


@dataclass(frozen=True, slots=True)
class MergeAction:
    """One WHEN clause. `kind`: insert, update, delete or nothing."""

    kind: str
    condition: Expression | None = None
    assignments: tuple[Assignment, ...] = ()
    columns: tuple[str, ...] = ()
    values: tuple[Expression, ...] = ()


@dataclass(frozen=True, slots=True)
class Merge:
    target: Relation
    source: Source
    on: Expression
    actions: tuple[MergeAction, ...]
    returning: tuple[Output, ...] = ()
    common_tables: tuple[CommonTable, ...] = ()
    recursive: bool = False
    row_names: tuple[str, str] = ("old", "new")  # in RETURNING: qualifiers of the target's row before and after


Write: TypeAlias = Insert | Update | Delete | Merge | JoinedUpdate | JoinedDelete


# ---------------------------------------------------------------- statements


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of the text, classified.

    `kind`: the taxonomy's word (rules.taxonomy). `body`: the query or write that runs, also the one inside
    EXPLAIN, PREPARE, DECLARE CURSOR, COPY (query), CREATE TABLE AS. `start`/`end`: its byte range.
    """

    kind: str
    body: Query | Write | None = None
    touched: tuple[Touched, ...] = ()
    calls: tuple[Call, ...] = ()  # CALL, and calls in utility statements
    columns: tuple[tuple[Name, str], ...] = ()  # (relation, column) that COPY t (c), ANALYZE t (c) ... name
    settings: tuple[Setting, ...] = ()
    defines: Carrier | None = None  # PREPARE p, DECLARE c
    runs: Carrier | None = None  # EXECUTE p, FETCH c
    drops: Carrier | None = None  # DEALLOCATE p, CLOSE c
    executes: bool = True  # False: EXPLAIN without ANALYZE and PREPARE only plan the body
    returns_body: bool = True  # the body's rows are what the client receives (False: EXPLAIN, CTAS)
    creates: Name | None = None  # the relation CREATE TABLE AS / SELECT INTO / CREATE VIEW fills from body
    detail: str = ""  # "EXPLAIN ANALYZE", "CREATE INDEX": the words for messages and audit
    start: int = 0
    end: int = 0
    copy: CopyFormat | None = None  # how COPY ... TO STDOUT writes its rows
    options: tuple[str, ...] = field(default=())  # front end's remarks for rules: analyze, concurrently, ...
