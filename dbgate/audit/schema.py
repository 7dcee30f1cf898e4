"""The audit's tables in ClickHouse, the same in a server and in embedded chDB.

Every table is a ReplacingMergeTree whose sorting key ends with the event id: shipping an event twice leaves one. Merges
happen later, so ask the views (they read with FINAL) or write FINAL yourself.

Times are UTC with nanoseconds. `stream` and `sequence` name the place in a gate's local log: per gate and stream the
sequence numbers of all tables together have no gap. `hash` is the record's link in the log's SHA-256 chain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

COMMON = """
    id UUID,
    time DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    gate LowCardinality(String),
    session String CODEC(ZSTD(1)),
    job String CODEC(ZSTD(1)),
    job_verified Bool,
    identity LowCardinality(String),
    role LowCardinality(String),
    `database` LowCardinality(String),
    rulebook LowCardinality(String),
    stream LowCardinality(String),
    sequence UInt64 CODEC(Delta, ZSTD(1)),
    hash String CODEC(ZSTD(1)),"""

SKIP = """
    INDEX by_session session TYPE bloom_filter GRANULARITY 4,
    INDEX by_job job TYPE bloom_filter GRANULARITY 4"""

SESSIONS = """
    event LowCardinality(String),
    client_address String CODEC(ZSTD(1)),
    protocol LowCardinality(String),
    application_name LowCardinality(String),
    tls LowCardinality(String),
    authentication LowCardinality(String),
    reason String CODEC(ZSTD(1)),
    statements Int64,
    bytes_to_client Int64,
    milliseconds Float64,"""

STATEMENTS = """
    statement_id String CODEC(ZSTD(1)),
    statement String CODEC(ZSTD(3)),
    kind LowCardinality(String),
    detail String CODEC(ZSTD(1)),
    tables Array(LowCardinality(String)),
    columns Array(LowCardinality(String)),
    verdict LowCardinality(String),
    rules Array(LowCardinality(String)),
    observed Array(LowCardinality(String)),
    masked_columns Array(LowCardinality(String)),
    parameters Int64,
    reason String CODEC(ZSTD(1)),
    INDEX by_identity identity TYPE set(100) GRANULARITY 4,
    INDEX by_verdict verdict TYPE set(8) GRANULARITY 4,
    INDEX by_table tables TYPE bloom_filter GRANULARITY 4,
    INDEX by_column columns TYPE bloom_filter GRANULARITY 4,
    INDEX by_rule rules TYPE bloom_filter GRANULARITY 4,"""

RESULTS = """
    statement_id String CODEC(ZSTD(1)),
    rows Int64,
    bytes Int64,
    milliseconds Float64,
    masked_cells Int64,
    sqlstate LowCardinality(String),
    command_tag LowCardinality(String),
    `limit` LowCardinality(String),
    observed Array(LowCardinality(String)),
    INDEX by_statement statement_id TYPE bloom_filter GRANULARITY 4,"""

POLICY = """
    files Array(String),
    problems Array(String),
    accepted Bool,"""

SECURITY = """
    event LowCardinality(String),
    client_address String CODEC(ZSTD(1)),
    reason String CODEC(ZSTD(1)),
    sqlstate LowCardinality(String),
    statement_id String CODEC(ZSTD(1)),
    statement String CODEC(ZSTD(3)),
    `column` String,
    origin String,
    action LowCardinality(String),
    lost Int64,"""

SEGMENTS = """
    segment UInt64,
    previous String CODEC(ZSTD(1)),"""

TABLES: Mapping[str, str] = MappingProxyType(
    {
        "sessions": SESSIONS,
        "statements": STATEMENTS,
        "results": RESULTS,
        "policy": POLICY,
        "security": SECURITY,
        "segments": SEGMENTS,
    }
)

#: event type -> the table it lies in; `segment` is the head of a log segment
TABLE_OF: Mapping[str, str] = MappingProxyType(
    {
        "session_started": "sessions",
        "session_ended": "sessions",
        "statement_decided": "statements",
        "statement_finished": "results",
        "policy_loaded": "policy",
        "login_refused": "security",
        "witness_mismatch": "security",
        "audit_degraded": "security",
        "segment": "segments",
    }
)

_EVERY_SEQUENCE = " UNION ALL ".join(
    f"SELECT gate, stream, sequence FROM {{database}}.{table} FINAL"  # noqa: S608
    for table in TABLES
)

VIEWS = (
    """CREATE OR REPLACE VIEW {database}.statement_log AS
    SELECT d.time AS time, d.gate AS gate, d.session AS session, d.job AS job, d.job_verified AS job_verified,
        d.identity AS identity, d.role AS role, d.`database` AS `database`, d.statement_id AS statement_id,
        d.statement AS statement, d.kind AS kind, d.detail AS detail, d.tables AS tables, d.columns AS columns,
        d.verdict AS verdict, d.rules AS rules, d.observed AS observed, d.masked_columns AS masked_columns,
        d.parameters AS parameters, d.reason AS reason, CAST(r.statement_id != '', 'Bool') AS finished,
        if(finished, r.rows, NULL) AS rows, if(finished, r.bytes, NULL) AS bytes,
        if(finished, r.milliseconds, NULL) AS milliseconds, if(finished, r.masked_cells, NULL) AS masked_cells,
        if(finished, toString(r.sqlstate), NULL) AS sqlstate, r.command_tag AS command_tag,
        r.`limit` AS ended_by, r.observed AS end_observed,
        d.rulebook AS rulebook, d.id AS id
    FROM {database}.statements AS d FINAL
    ANY LEFT JOIN (SELECT * FROM {database}.results FINAL) AS r
        ON d.statement_id = r.statement_id AND d.session = r.session""",
    """CREATE OR REPLACE VIEW {database}.session_log AS
    SELECT s.time AS time, s.gate AS gate, s.session AS session, s.job AS job, s.job_verified AS job_verified,
        s.identity AS identity, s.role AS role, s.`database` AS `database`, s.client_address AS client_address,
        s.protocol AS protocol, s.application_name AS application_name, s.tls AS tls,
        s.authentication AS authentication, CAST(e.session != '', 'Bool') AS ended, if(ended, e.time, NULL) AS end_time,
        if(ended, e.reason, NULL) AS reason, if(ended, e.statements, NULL) AS statements,
        if(ended, e.bytes_to_client, NULL) AS bytes_to_client, if(ended, e.milliseconds, NULL) AS milliseconds
    FROM (SELECT * FROM {database}.sessions FINAL WHERE event = 'session_started') AS s
    ANY LEFT JOIN (SELECT * FROM {database}.sessions FINAL WHERE event = 'session_ended') AS e
        ON s.session = e.session""",
    """CREATE OR REPLACE VIEW {database}.column_reads AS
    SELECT time, arrayJoin(columns) AS column_name, CAST(has(masked_columns, column_name), 'Bool') AS masked, identity,
        role, job, session, `database`, statement_id, statement, verdict
    FROM {database}.statements FINAL WHERE verdict = 'allow'""",
    """CREATE OR REPLACE VIEW {database}.refusals AS
    SELECT time, arrayJoin(if(empty(rules), [''], rules)) AS rule, reason, identity, role, job, session, `database`,
        kind, tables, statement_id, statement
    FROM {database}.statements FINAL WHERE verdict = 'refuse'
    UNION ALL
    SELECT r.time AS time, r.`limit` AS rule, 'ended on its way' AS reason, d.identity AS identity, d.role AS role,
        d.job AS job, d.session AS session, d.`database` AS `database`, d.kind AS kind, d.tables AS tables,
        d.statement_id AS statement_id, d.statement AS statement
    FROM (SELECT * FROM {database}.results FINAL WHERE `limit` != '') AS r
    ANY LEFT JOIN (SELECT * FROM {database}.statements FINAL) AS d
        ON d.statement_id = r.statement_id AND d.session = r.session""",
    """CREATE OR REPLACE VIEW {database}.masked_cells_by_day AS
    SELECT toDate(time) AS day, identity, role, `database`, sum(masked_cells) AS masked_cells, count() AS statements
    FROM {database}.results FINAL GROUP BY day, identity, role, `database`""",
    f"""CREATE OR REPLACE VIEW {{database}}.log_gaps AS
    SELECT gate, stream, before + 1 AS first_missing, sequence - 1 AS last_missing
    FROM (
        SELECT gate, stream, sequence,
            lagInFrame(sequence, 1, sequence) OVER (PARTITION BY gate, stream ORDER BY sequence) AS before
        FROM ({_EVERY_SEQUENCE}) WHERE stream != ''
    )
    WHERE sequence > before + 1""",  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step; it must be harmless to run again, for a crash may come before its number is written."""

    version: int
    statements: tuple[str, ...]


def _create(table: str, columns: str) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS {{database}}.{table} ({COMMON}{columns}{SKIP}\n)\n"
        "ENGINE = ReplacingMergeTree PARTITION BY toYYYYMM(time) ORDER BY (`database`, time, id)\n"
        "TTL toDateTime(time) + toIntervalDay({keep_days})\n"
        "SETTINGS non_replicated_deduplication_window = 1000"
    )


VERSIONS = (
    "CREATE DATABASE IF NOT EXISTS {database}",
    """CREATE TABLE IF NOT EXISTS {database}.schema_version (version UInt32, applied DateTime64(3, 'UTC'))
    ENGINE = ReplacingMergeTree ORDER BY version""",
)

LIMITS = (
    "ALTER TABLE {database}.results ADD COLUMN IF NOT EXISTS `limit` LowCardinality(String)",
    "ALTER TABLE {database}.results ADD COLUMN IF NOT EXISTS observed Array(LowCardinality(String))",
    *VIEWS,
)

MIGRATIONS = (
    Migration(1, (*(_create(table, columns) for table, columns in TABLES.items()), *VIEWS)),
    Migration(2, LIMITS),
)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class SchemaTooNewError(Exception):
    """The tables were made by a newer dbgate."""


def prepare(database: str) -> Iterator[str]:
    """What must run before the version can be read. ValueError for a name that is not a plain identifier."""
    if not _NAME.fullmatch(database):
        raise ValueError(f"audit.clickhouse.database {database!r} must be letters, digits and underscores")
    return (statement.format(database=database) for statement in VERSIONS)


def current_version(database: str) -> str:
    """The query for the version that is there."""
    return f"SELECT max(version) FROM {database}.schema_version"  # noqa: S608  `prepare` checked the name


def missing(database: str, version: int, keep_days: int) -> Iterator[str]:
    """What leads from `version` to the newest, each step followed by its number. SchemaTooNewError."""
    newest = MIGRATIONS[-1].version
    if version > newest:
        raise SchemaTooNewError(f"the audit tables have version {version}, this dbgate knows {newest}: upgrade dbgate")
    for migration in MIGRATIONS:
        if migration.version > version:
            for statement in migration.statements:
                yield statement.format(database=database, keep_days=int(keep_days))
            yield f"INSERT INTO {database}.schema_version VALUES ({migration.version}, now64(3))"  # noqa: S608
