"""A rulebook as values. Reading YAML into it is `rules.book.reading`, asking it is `rules.decide`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from rules.decision import Mask
from rules.matching import ColumnPattern, NamePattern
from rules.predicate import Predicate


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Lines and columns count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    @property
    def for_clients(self) -> str:
        """Without the folders: where files lie on the gate's machine is not a client's business."""
        return f"{self.file.replace(chr(92), '/').rpartition('/')[2]}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """A fault of a rule file: where, what, why it matters, how to mend it."""

    file: str
    line: int
    column: int
    what: str
    why: str = ""
    mend: str = ""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        mark = "warning: " if self.severity is Severity.WARNING else ""
        said = "  ".join(filter(None, (self.what, self.why, self.mend)))
        return f"{self.file}:{self.line}:{self.column}  {mark}{said}"


class Predicates(Enum):
    """What a masked column may be used for besides being returned, strictest first.

    NONE: nothing (no WHERE, JOIN, GROUP BY, DISTINCT, ORDER BY). EQUALITY: comparing for equality, joining and
    grouping. ANY: everything, also ranges, LIKE and ORDER BY, by which a value can be guessed."""

    NONE = "none"
    EQUALITY = "equality"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Allow:
    """`statements` empty: the rule only lends functions. `tables` None: any table but those of the system."""

    statements: frozenset[str] = frozenset()
    tables: tuple[NamePattern, ...] | None = None
    functions: tuple[NamePattern, ...] = ()

    @property
    def all_tables(self) -> bool:
        return self.tables is None or any(p.everything for p in self.tables)


@dataclass(frozen=True, slots=True)
class Deny:
    """Every condition that is not None must hold."""

    statements: frozenset[str] | None = None
    tables: tuple[NamePattern, ...] | None = None
    columns: tuple[ColumnPattern, ...] | None = None
    functions: tuple[NamePattern, ...] | None = None
    without: str | None = None


@dataclass(frozen=True, slots=True)
class Masking:
    columns: tuple[ColumnPattern, ...]
    mask: Mask
    predicates: Predicates = Predicates.NONE


HOUR: Final = 3600
DAY: Final = 86400


@dataclass(frozen=True, slots=True)
class Limiting:
    """At least one figure is given. `bytes_*`: bytes; `statement_time`: milliseconds; `per`: seconds, the window of the
    figures that end in `_per_job`."""

    rows_per_statement: int | None = None
    bytes_per_statement: int | None = None
    statement_time: int | None = None
    statements_per_minute: int | None = None
    rows_per_job: int | None = None
    bytes_per_job: int | None = None
    sensitive_cells_per_job: int | None = None
    per: int = DAY


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Rows of these tables that do not meet the condition are as if they were not there."""

    tables: tuple[NamePattern, ...]
    where: Predicate


Verb: TypeAlias = Allow | Deny | Masking | Limiting | RowFilter


@dataclass(frozen=True, slots=True)
class Rule:
    """`roles` empty: everyone. `observe`: recorded, without effect."""

    id: str
    place: Place
    verb: Verb
    roles: frozenset[str] = frozenset()
    message: str = ""
    instead: str = ""
    observe: bool = False
    #: where each pattern's text stands, for problems found later against the catalog
    pattern_places: tuple[tuple[str, Place], ...] = ()

    def applies_to(self, role: str) -> bool:
        return not self.roles or role in self.roles

    @property
    def word(self) -> str:
        return _WORDS[type(self.verb)]


_WORDS: dict[type, str] = {Allow: "allow", Deny: "deny", Masking: "mask", Limiting: "limit", RowFilter: "filter"}


@dataclass(frozen=True, slots=True)
class Rulebook:
    """`digest`: SHA-256 (hex) over the sources' texts; the files' names and order do not matter."""

    rules: tuple[Rule, ...]
    labels: Mapping[str, tuple[ColumnPattern, ...]]
    digest: str
    files: tuple[str, ...] = ()

    def roles(self) -> frozenset[str]:
        """Every role that some rule names."""
        return frozenset(role for rule in self.rules for role in rule.roles)


@dataclass(frozen=True, slots=True)
class Loaded:
    """`rulebook` is None when any problem is an error: a faulty rulebook never replaces a good one."""

    rulebook: Rulebook | None
    problems: tuple[Problem, ...]
