"""What the audit records: versioned values, written to the local log before anything else happens.

Times are UTC nanoseconds since the epoch, ids are UUIDv7 text. The driver stamps `id` and `time`;
the session, which knows no clock, leaves them empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(slots=True, kw_only=True)
class Event:
    """Common to every event."""

    type: ClassVar[str] = "event"
    version: ClassVar[int] = 1
    id: str = ""
    time: int = 0
    gate: str = ""
    session: str = ""
    job: str = ""
    job_verified: bool = False
    identity: str = ""
    role: str = ""
    database: str = ""
    rulebook: str = ""  # digest


@dataclass(slots=True, kw_only=True)
class SessionStarted(Event):
    type: ClassVar[str] = "session_started"
    client_address: str = ""
    protocol: str = "postgresql"
    application_name: str = ""
    tls: str = ""  # "TLSv1.3 TLS_AES_256_GCM_SHA384", empty in clear
    authentication: str = ""  # scram-sha-256, scram-sha-256-plus, password


@dataclass(slots=True, kw_only=True)
class SessionEnded(Event):
    type: ClassVar[str] = "session_ended"
    reason: str = ""
    statements: int = 0
    bytes_to_client: int = 0
    milliseconds: float = 0.0


@dataclass(slots=True, kw_only=True)
class LoginRefused(Event):
    type: ClassVar[str] = "login_refused"
    client_address: str = ""
    reason: str = ""
    sqlstate: str = ""


@dataclass(slots=True, kw_only=True)
class StatementDecided(Event):
    """The intent: written before the statement is forwarded (or when it is refused). `statement_id` pairs it
    with its StatementFinished."""

    type: ClassVar[str] = "statement_decided"
    statement_id: str = ""
    statement: str = ""
    kind: str = ""
    detail: str = ""
    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    verdict: str = ""  # allow, refuse, hold
    rules: tuple[str, ...] = ()
    observed: tuple[str, ...] = ()
    masked_columns: tuple[str, ...] = ()
    parameters: int = 0
    reason: str = ""  # the refusal's message and detail


@dataclass(slots=True, kw_only=True)
class StatementFinished(Event):
    type: ClassVar[str] = "statement_finished"
    statement_id: str = ""
    rows: int = 0
    bytes: int = 0
    milliseconds: float = 0.0
    masked_cells: int = 0
    sqlstate: str = ""  # empty: success; "unknown" when the gate never saw the end
    command_tag: str = ""
    limit: str = ""  # the rule that ended it
    observed: tuple[str, ...] = ()  # limits in mode observe that would have ended it


@dataclass(slots=True, kw_only=True)
class PolicyLoaded(Event):
    type: ClassVar[str] = "policy_loaded"
    files: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    accepted: bool = True


@dataclass(slots=True, kw_only=True)
class WitnessMismatch(Event):
    """The server named an origin for an output column that the plan had not foreseen."""

    type: ClassVar[str] = "witness_mismatch"
    statement_id: str = ""
    statement: str = ""
    column: str = ""
    origin: str = ""
    action: str = ""  # masked, aborted


@dataclass(slots=True, kw_only=True)
class AuditDegraded(Event):
    type: ClassVar[str] = "audit_degraded"
    reason: str = ""
    lost: int = 0


EVENTS: tuple[type[Event], ...] = (
    SessionStarted,
    SessionEnded,
    LoginRefused,
    StatementDecided,
    StatementFinished,
    PolicyLoaded,
    WitnessMismatch,
    AuditDegraded,
)
