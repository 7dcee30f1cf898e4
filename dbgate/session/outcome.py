"""What a session wants done: the effects of one input, carried out by the driver in this order.

1. `events` go to the local audit log (nothing below happens if that fails);
2. `to_upstream` and `to_client` are written, one write each;
3. `wishes` are fulfilled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dbgate.audit.events import Event
from rules.policy import PolicyContext


@dataclass(frozen=True, slots=True)
class RefreshCatalog:
    """The session waits: read the catalog again (joining a refresh under way), then call `policy_changed`."""

    missing: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class DecideElsewhere:
    """The session waits: have this long text decided by this context in another process, then call `decided`."""

    context: PolicyContext
    text: bytes


@dataclass(frozen=True, slots=True)
class CancelStatement:
    """The session waits: ask the server to cancel what this connection runs, then call `cancelled`."""


@dataclass(frozen=True, slots=True)
class Wake:
    """Call `woken` after so many seconds. A session has one such wish at a time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Kill:
    """The session waits: end another session of this gate (`query_only`: only what it runs), then call `killed`.
    `connection_id`: as the gate gave it out at that session's login. Whether this session's user may is the gateway's
    to decide: one's own sessions only."""

    connection_id: int
    query_only: bool


@dataclass(frozen=True, slots=True)
class CatalogChanged:
    """A statement changed the database's structure: refresh the catalog soon. Nobody waits."""


@dataclass(frozen=True, slots=True)
class CloseSession:
    """Close both connections after the bytes are out. `reason` is for the audit and the log, never for the client."""

    reason: str


Wish: TypeAlias = RefreshCatalog | DecideElsewhere | CancelStatement | Wake | Kill | CatalogChanged | CloseSession


@dataclass(slots=True)
class Outcome:
    """`hold_client`: stop reading from the client until an outcome says False."""

    to_client: bytes = b""
    to_upstream: bytes = b""
    events: Sequence[Event] = ()
    wishes: Sequence[Wish] = ()
    hold_client: bool = False
