"""Capability flags of client and server, and the status flags that replies carry.

Source: MySQL internals, "Capability Flags", "Status Flags"; MariaDB knowledge base, "Connecting" (bits from 32 on).
"""

from __future__ import annotations

from enum import IntFlag


class Capability(IntFlag):
    """Bits 0 to 31 are MySQL's; MariaDB keeps its own from bit 32 on, in bytes that MySQL leaves zero."""

    LONG_PASSWORD = 1 << 0  # MariaDB calls it CLIENT_MYSQL: a server without it has the extended bits
    FOUND_ROWS = 1 << 1
    LONG_FLAG = 1 << 2
    CONNECT_WITH_DB = 1 << 3
    NO_SCHEMA = 1 << 4
    COMPRESS = 1 << 5
    ODBC = 1 << 6
    LOCAL_FILES = 1 << 7
    IGNORE_SPACE = 1 << 8
    PROTOCOL_41 = 1 << 9
    INTERACTIVE = 1 << 10
    SSL = 1 << 11
    IGNORE_SIGPIPE = 1 << 12
    TRANSACTIONS = 1 << 13
    RESERVED = 1 << 14
    SECURE_CONNECTION = 1 << 15
    MULTI_STATEMENTS = 1 << 16
    MULTI_RESULTS = 1 << 17
    PS_MULTI_RESULTS = 1 << 18
    PLUGIN_AUTH = 1 << 19
    CONNECT_ATTRS = 1 << 20
    PLUGIN_AUTH_LENENC_CLIENT_DATA = 1 << 21
    CAN_HANDLE_EXPIRED_PASSWORDS = 1 << 22
    SESSION_TRACK = 1 << 23
    DEPRECATE_EOF = 1 << 24
    OPTIONAL_RESULTSET_METADATA = 1 << 25
    ZSTD_COMPRESSION = 1 << 26
    QUERY_ATTRIBUTES = 1 << 27
    MULTI_FACTOR_AUTHENTICATION = 1 << 28
    CAPABILITY_EXTENSION = 1 << 29
    SSL_VERIFY_SERVER_CERT = 1 << 30
    REMEMBER_OPTIONS = 1 << 31
    MARIADB_PROGRESS = 1 << 32
    MARIADB_COM_MULTI = 1 << 33
    MARIADB_STMT_BULK_OPERATIONS = 1 << 34
    MARIADB_EXTENDED_METADATA = 1 << 35
    MARIADB_CACHE_METADATA = 1 << 36
    MARIADB_BULK_UNIT_RESULTS = 1 << 37


MYSQL_BITS = Capability(0xFFFFFFFF)
MARIADB_SHIFT = 32  # the extended bits travel as a field of their own

# Replies under these are laid out in ways the readers here do not know: they are never offered, never asked for.
UNREADABLE = (
    Capability.COMPRESS
    | Capability.ZSTD_COMPRESSION
    | Capability.OPTIONAL_RESULTSET_METADATA
    | Capability.MARIADB_PROGRESS
    | Capability.MARIADB_COM_MULTI
    | Capability.MARIADB_CACHE_METADATA
    | Capability.MARIADB_BULK_UNIT_RESULTS
)


class StatusFlag(IntFlag):
    """The server's status in OK and EOF packets."""

    IN_TRANS = 0x0001
    AUTOCOMMIT = 0x0002
    MORE_RESULTS_EXISTS = 0x0008
    NO_GOOD_INDEX_USED = 0x0010
    NO_INDEX_USED = 0x0020
    CURSOR_EXISTS = 0x0040
    LAST_ROW_SENT = 0x0080
    DB_DROPPED = 0x0100
    NO_BACKSLASH_ESCAPES = 0x0200
    METADATA_CHANGED = 0x0400
    QUERY_WAS_SLOW = 0x0800
    PS_OUT_PARAMS = 0x1000
    IN_TRANS_READONLY = 0x2000
    SESSION_STATE_CHANGED = 0x4000
    ANSI_QUOTES = 0x8000  # MariaDB
