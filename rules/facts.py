"""What a statement does, as plain facts: the only thing that rules are matched against.

Front end (`rules.postgres`) -> tree -> `rules.lineage` with a catalog -> Facts -> `rules.decide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rules.copy_format import CopyFormat
from rules.tree import Access, Carrier, Setting, Unparsable

TableId = tuple[str, str]
"""(schema, name), resolved against the catalog."""


@dataclass(frozen=True, slots=True, order=True)
class ColumnId:
    schema: str
    table: str
    column: str

    @property
    def table_id(self) -> TableId:
        return (self.schema, self.table)

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}.{self.column}"


class Use(Enum):
    """What is done with a column besides returning it."""

    PROJECT = "project"
    FILTER = "filter"  # WHERE, HAVING, FILTER (...), CASE conditions, LIMIT
    EQUALITY = "equality"  # WHERE column = constant or parameter, column IN (constants), column = column in WHERE
    JOIN = "join"  # ON / USING / NATURAL, by equality
    GROUP = "group"  # GROUP BY, DISTINCT, set operations that compare rows, PARTITION BY
    ORDER = "order"
    SCALE = "scale"  # multiplied or divided by another stored value that has no bounds
    SCALER = "scaler"  # that other value
    COMPUTE = "compute"  # its value decides whether an expression fails or how many rows come
    WRITE = "write"  # the column is assigned
    COPY = "copy"  # its value is written somewhere else (INSERT..SELECT, SET x = column, CTAS)


@dataclass(frozen=True, slots=True)
class TableUse:
    """`through`: the view or parent by which the table is reached, None when the statement names it."""

    table: TableId
    access: Access
    through: TableId | None = None


@dataclass(frozen=True, slots=True)
class ColumnUse:
    column: ColumnId
    use: Use


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """One column of the rows the client will receive.

    `sources`: every base column whose value can show in it, views and parents followed, each view's own column
    included. `direct`: the value is one of them unchanged (a plain reference through any number of aliases, views
    and subqueries, or a set operation of such). `count` and EXISTS-like results have no sources. `hollow`: whether
    it is NULL tells more than which sources are NULL (`nullif(ssn, '1')`, `substring(ssn from '^1')`)."""

    name: str
    sources: frozenset[ColumnId] = frozenset()
    direct: bool = False
    hollow: bool = False


class FunctionRisk(Enum):
    """Built-in functions by what they can do; USER for all that are not built in."""

    PURE = "pure"
    USER = "user"
    QUERY = "query"  # runs SQL given as text, or reads tables named in arguments
    FILE = "file"
    NETWORK = "network"
    SLEEP = "sleep"
    SESSION = "session"  # changes settings, locks, sequences' hidden state, notifies
    ADMIN = "admin"  # kills, reloads, replication, WAL
    LARGE_OBJECT = "large-object"
    UNKNOWN = "unknown"  # neither on our list nor in the catalog


@dataclass(frozen=True, slots=True)
class FunctionUse:
    """`name`: as resolved, e.g. `public.order_total` or `pg_catalog.pg_sleep`."""

    schema: str
    name: str
    risk: FunctionRisk


@dataclass(frozen=True, slots=True)
class Facts:
    """`outputs` None: the statement returns no rows of its own to mask (or an EXPLAIN, a SHOW).
    `missing`: relations that the catalog does not know; worth one refresh and a second try. With them, or with a
    problem, `tables` and `functions` are what the text names, found without resolving it. `at`: the byte offset of the
    first name that means nothing, -1 when not known.
    `fails_early`: it has an expression that may fail on rows which a condition rejects (`rules.lineage.early`).
    `hidden_texts`: the server's own words about it could carry data (user functions, triggers, casts)."""

    kind: str
    detail: str = ""
    tables: frozenset[TableUse] = frozenset()
    uses: frozenset[ColumnUse] = frozenset()
    outputs: tuple[OutputColumn, ...] | None = None
    functions: frozenset[FunctionUse] = frozenset()
    #: value flows into stored columns: (column written, the columns its value comes from); written None = a new table
    copies: tuple[tuple[ColumnId | None, frozenset[ColumnId]], ...] = ()
    has_where: bool = True  # of UPDATE and DELETE, wherever they stand; True where it does not apply
    has_limit: bool = False
    fails_early: bool = False
    settings: tuple[Setting, ...] = ()
    defines: Carrier | None = None
    runs: Carrier | None = None
    drops: Carrier | None = None
    executes: bool = True
    returns_body: bool = True
    #: MySQL: it creates or drops temporary tables, which no other session sees
    temporary: bool = False
    copy: CopyFormat | None = None
    missing: tuple[tuple[str, ...], ...] = ()
    problem: Unparsable | None = None
    at: int = -1
    start: int = 0
    end: int = 0


def problem_facts(problem: Unparsable) -> Facts:
    """Facts of a text that is refused before its meaning is known."""
    return Facts(kind="unknown", problem=problem)
