"""What the audit needs of the settings file."""

from __future__ import annotations

from dbgate.audit.settings import AuditSettings, ClickHouseSettings
from dbgate.settings.model import ClickHouse, Settings


def audit_settings(settings: Settings) -> AuditSettings:
    """`max_bytes` is divided among the workers. Raises SecretUnavailable for ClickHouse's password."""
    audit = settings.audit
    return AuditSettings(
        directory=settings.gate.directory,
        durability=audit.durability.value,
        max_bytes=audit.max_bytes // settings.gate.workers,
        when_full=audit.when_full.value,
        clickhouse=_clickhouse(audit.clickhouse) if audit.clickhouse is not None else None,
    )


def _clickhouse(settings: ClickHouse) -> ClickHouseSettings:
    password = settings.password.read() if settings.password is not None else ""
    return ClickHouseSettings(url=settings.url, user=settings.user, password=password, database=settings.database)
