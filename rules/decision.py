"""A decision about one statement: a value, never an exception."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from rules.copy_format import CopyOut
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
    ROUND = "round"
    YEAR = "year"
    HASH = "hash"
    REDACT = "redact"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Mask:
    """`keep`: characters left in clear by keep_first and keep_last. `rule`: the rule's id, for the audit.
    `step`: what round rounds to a multiple of."""

    kind: MaskKind
    keep: int = 0
    rule: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The three parts of a refusal that teaches (PostgreSQL: Message, Detail, Hint).

    `rule` is a rule id, or `dbgate:<word>` for the gate's own laws (dbgate:default, dbgate:syntax ...).
    `position`: where in the text, in characters from 1 as in ErrorResponse's field P; 0 when not known.
    `about`: the name that the server does not know either; a session of another protocol words it its own way."""

    rule: str
    message: str
    detail: str
    hint: str
    sqlstate: str = "42501"
    position: int = 0
    about: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """text[start:end] becomes `instead`; byte offsets in the whole text that was decided."""

    start: int
    end: int
    instead: bytes


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What the server reads in place of the client's text: row filters spliced in where a filtered table is named.

    `edits`: ascending, not overlapping. `rules`: the filters' ids. `check`: what the client is told when a check that
    was spliced into a write fails (SQLSTATE ROW_CHECK_FAILED): the row would not be one that the role may see."""

    edits: tuple[Edit, ...]
    rules: tuple[str, ...] = ()
    check: Refusal | None = None

    def apply(self, text: bytes) -> bytes:
        """The text that goes to the server."""
        parts: list[bytes] = []
        kept = 0
        for edit in self.edits:
            parts += (text[kept : edit.start], edit.instead)
            kept = edit.end
        return b"".join((*parts, text[kept:]))


#: substring_error: a negative length, which no text that a client writes by accident makes.
ROW_CHECK_FAILED: Final = "22011"


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one statement, and what the audit says of it.

    `masks`: one entry for each output column, or None when no output column is masked. `width`: how many output
    columns the plan foresees, None when unknown. `hides`: the statement touches data that this role may not see
    whole, so the server's own texts about it are rebuilt, not passed. `missing`: refresh the catalog and ask again.
    `changes_catalog`: it may change the structure that all sessions see; `changes_own`: only temporary relations of the
    session's own. `makes`: the names that relations get by it.
    `rewrite`: what to splice into the text before it is sent on.
    `copy`: what masks the rows of a COPY ... TO STDOUT, where `masks` do.
    `sensitive`: how many output columns derive from a column under any label or mask.
    `writes`: it reaches some table in another way than by reading it.
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
    changes_own: bool = False
    makes: tuple[str, ...] = ()
    calls_user: bool = False
    sensitive: int = 0
    writes: bool = False
    rewrite: Rewrite | None = None
    copy: CopyOut | None = None
    start: int = 0
    end: int = 0
