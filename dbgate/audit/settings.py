"""What the audit needs to know. `dbgate/settings.py` builds this from the settings file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

Durability: TypeAlias = Literal["os", "fsync"]
WhenFull: TypeAlias = Literal["hold", "pass"]

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ClickHouseSettings:
    """A ClickHouse server, by its HTTP interface."""

    url: str = "http://127.0.0.1:8123"
    user: str = "default"
    password: str = field(default="", repr=False)
    database: str = "dbgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """`directory` is the gate's; `max_bytes` bounds the local log of one worker; `clickhouse` None means chDB, the same
    engine embedded, in `<directory>/audit/clickhouse`; `keep_days` is the tables' TTL when they are created."""

    directory: Path
    durability: Durability = "os"
    max_bytes: int = 1024 * MIB
    segment_bytes: int = 16 * MIB
    when_full: WhenFull = "hold"
    clickhouse: ClickHouseSettings | None = None
    keep_days: int = 365

    @property
    def embedded_folder(self) -> Path:
        """Where the embedded ClickHouse keeps its data."""
        return self.directory / "audit" / "clickhouse"
