"""The kinds of statement that rules speak of, one list for both databases (DESIGN: `statements`)."""

from __future__ import annotations

from typing import Final

#: kind -> risk tier: 0 harmless, 1 reads, 2 writes rows, 3 changes structure or rights, 4 reaches outside SQL.
KINDS: Final[dict[str, int]] = {
    "transaction": 0,  # BEGIN, COMMIT, ROLLBACK, SAVEPOINT, RELEASE, SET TRANSACTION
    "session": 0,  # SET and RESET of harmless settings, DISCARD
    "show": 0,
    "cursor": 0,  # FETCH, MOVE, CLOSE (DECLARE is a select)
    "prepared": 0,  # EXECUTE, DEALLOCATE (PREPARE is the kind of what it prepares)
    "select": 1,
    "explain": 1,
    "copy_out": 1,
    "insert": 2,
    "update": 2,
    "delete": 2,
    "merge": 2,
    "copy_in": 2,
    "truncate": 3,
    "create": 3,
    "alter": 3,
    "drop": 3,
    "comment": 3,
    "grant": 3,
    "call": 3,
    "do": 4,
    "lock": 2,
    "listen": 1,  # LISTEN, UNLISTEN
    "notify": 2,
    "maintenance": 3,  # VACUUM, ANALYZE, REINDEX, CLUSTER, REFRESH MATERIALIZED VIEW, CHECKPOINT
    "two_phase": 3,  # PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED
    "file_io": 4,  # COPY ... FROM/TO a file or PROGRAM, LOAD
    "replication": 4,
    "admin": 4,  # ALTER SYSTEM, roles, databases, SET ROLE, protected settings
    "unknown": 5,  # never allowed by a glob
}

#: Kinds that any known role may use unless a rule denies them: they show and change no data by themselves.
BASELINE: Final[frozenset[str]] = frozenset({"transaction", "session", "show", "cursor", "prepared"})
