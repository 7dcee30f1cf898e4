"""A decision about one statement: a value, never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rules.tree import Carrier, Setting


class Verdict(Enum):
    ALLOW = "allow"
    REFUSE = "refuse"
    HOLD = "hold"


class MaskKind(Enum):
    """Ordered from weak to strong: the strongest of several masks on one column wins."""

    EMAIL = "email"
    KEEP_LAST = "keep_last"
    KEEP_FIRST = "keep_first"
    HASH = "hash"
    REDACT = "redact"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Mask:
    """`keep`: characters left in clear by keep_first and keep_last. `rule`: the rule's id, for the audit."""

    kind: MaskKind
    keep: int = 0
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The three parts of a refusal that teaches (PostgreSQL: Message, Detail, Hint).

    `rule` is a rule id, or `dbgate:<word>` for the gate's own laws (dbgate:default, dbgate:syntax ...).
    `position`: where in the text, in characters from 1 as in ErrorResponse's field P; 0 when not known."""

    rule: str
    message: str
    detail: str
    hint: str
    sqlstate: str = "42501"
    position: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one statement, and what the audit says of it.

    `masks`: one entry for each output column, or None when no output column is masked. `width`: how many output
    columns the plan foresees, None when unknown. `hides`: the statement touches data that this role may not see
    whole, so the server's own texts about it are rebuilt, not passed. `missing`: refresh the catalog and ask again.
    `calls_user`: it runs code that the gate has not read, which can move the search path or open cursors."""

    verdict: Verdict
    kind: str
    detail: str = ""
    refusal: Refusal | None = None
    rules: tuple[str, ...] = ()
    observed: tuple[str, ...] = ()
    masks: tuple[Mask | None, ...] | None = None
    width: int | None = None
    hides: bool = False
    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    masked_columns: tuple[str, ...] = ()
    settings: tuple[Setting, ...] = ()
    defines: Carrier | None = None
    runs: Carrier | None = None
    drops: Carrier | None = None
    missing: tuple[tuple[str, ...], ...] = ()
    changes_catalog: bool = False
    calls_user: bool = False
    start: int = 0
    end: int = 0
