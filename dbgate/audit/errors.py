"""What the audit's store may answer besides a result."""

from __future__ import annotations


class StoreUnavailable(Exception):  # noqa: N818  a state of the store, not a mistake
    """ClickHouse did not answer, or not now: try again later."""


class RecordsRejected(Exception):  # noqa: N818
    """ClickHouse will never take these rows."""


class QueryRefused(Exception):  # noqa: N818
    """The query is wrong, or not one that only reads."""
