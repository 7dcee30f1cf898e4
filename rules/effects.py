"""What a statement does besides its query, as values: relations that it names, settings, named carriers; and the value
that stands for a text which the front end will not vouch for. Part of the tree, see `rules.tree`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

Name: TypeAlias = tuple[str, ...]


class Access(Enum):
    """What a statement does to a relation; the words are the rule file's `statements`."""

    SELECT = "select"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    TRUNCATE = "truncate"
    CREATE = "create"
    ALTER = "alter"
    DROP = "drop"
    LOCK = "lock"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Touched:
    """A relation that a utility statement names (CREATE TABLE t, TRUNCATE t, LOCK t, VACUUM t)."""

    name: Name
    access: Access


class CarrierKind(Enum):
    """Named things in the session that carry a statement: SQL cursors and prepared statements."""

    CURSOR = "cursor"
    STATEMENT = "statement"


@dataclass(frozen=True, slots=True)
class Carrier:
    """A cursor or prepared statement by name; name None means all of them (CLOSE ALL, DEALLOCATE ALL)."""

    kind: CarrierKind
    name: str | None
    holdable: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """A configuration parameter that SET, RESET or SET LOCAL changes; value None for RESET and DEFAULT."""

    name: str
    value: tuple[str, ...] | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Unparsable:
    """A text the front end will not vouch for. `reason` finishes "dbgate refused this statement: ...";
    `mend` says what to write instead; `code` is a stable word for audit (syntax, unknown-node, ...).

    `at`: byte offset in the text, -1 when not known. `said`: the words in which the server would refuse it as well.
    `missing`: a name that the catalog may only not know yet. `about`: the name as it is written that the server would
    not take, for the words of another server than PostgreSQL."""

    code: str
    reason: str
    mend: str = ""
    at: int = -1
    said: str = ""
    missing: Name = ()
    about: str = ""
