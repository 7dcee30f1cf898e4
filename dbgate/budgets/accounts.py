"""Jobs as keys of the ledger: the account that a session is given."""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime
from typing import Final

from dbgate.budgets.ledger import Ledger, LedgerUnusable
from dbgate.session.accounts import AccountUnavailable, Share, Usage

log = logging.getLogger("dbgate.budgets")

KEY_SIZE: Final = 16


class JobAccount:
    """`owner`: what sets one job apart from all others, as texts."""

    __slots__ = ("_keys", "_ledger", "_owner")

    def __init__(self, ledger: Ledger, owner: tuple[str, ...]) -> None:
        self._ledger = ledger
        self._owner = owner
        self._keys: dict[object, bytes] = {}

    def usage(self, window: int) -> Usage:
        try:
            rows, size, cells = self._ledger.sums(self._key(window), window)
        except LedgerUnusable as fault:
            raise self._unavailable(fault) from fault
        ends = datetime.fromtimestamp(self._ledger.window_start(window) + window, UTC)
        return Usage(rows, size, cells, f"{ends:%Y-%m-%d %H:%M:%S} UTC")

    def spend(self, shares: tuple[Share, ...], rows: int, size: int, cells: int) -> bool:
        parts = tuple((self._key(s.window), s.window, (s.rows, s.bytes, s.cells)) for s in shares)
        try:
            return self._ledger.add(parts, (rows, size, cells))
        except LedgerUnusable as fault:
            raise self._unavailable(fault) from fault

    def statements(self, count: int, most: int, purpose: str) -> float:
        try:
            return self._ledger.tick(self._key(purpose), count, most)
        except LedgerUnusable as fault:
            raise self._unavailable(fault) from fault

    def _key(self, what: object) -> bytes:
        key = self._keys.get(what)
        if key is None:
            words = b"".join(
                len(word.encode()).to_bytes(4, "big") + word.encode() for word in (*self._owner, str(what))
            )
            key = self._keys[what] = hashlib.sha256(words).digest()[:KEY_SIZE]
        return key

    def _unavailable(self, fault: LedgerUnusable) -> AccountUnavailable:
        log.error("the budgets cannot be counted", extra={"fields": {"fault": str(fault)}})
        return AccountUnavailable(str(fault))


def account_of(ledger: Ledger, database: str, identity: str, job: str, job_verified: bool) -> JobAccount:
    """A job that the settings or a token vouch for has an account of its own. What a client says of itself is no job: a
    new one could begin whenever it likes, so its user stands for it."""
    owner = (database, "job", job) if job and job_verified else (database, "user", identity)
    return JobAccount(ledger, owner)
