"""Digests of passwords that were seen and found right, so that the next login by caching_sha2_password is a fast one.

A user's settings hold a verifier that takes thousands of hash rounds, and a client of caching_sha2_password sends its
password only when it is asked to. What lies here, in memory alone, is SHA256(SHA256(password)).
"""

from __future__ import annotations

from collections import OrderedDict

from dbgate.identity.users import Account
from protocols.mysql import caching_sha2
from protocols.postgres.scram import Verifier

MOST = 10_000


class PasswordMemory:
    """The latest `most` users' digests. One is worth something only as long as the user's verifier is the same."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._digests: OrderedDict[str, tuple[Verifier, bytes]] = OrderedDict()

    def find(self, account: Account) -> bytes | None:
        """The digest, if this user's password was seen since its verifier last changed."""
        verifier, digest = self._digests.get(account.name, (None, b""))
        if verifier is None or account.doomed:
            return None
        if verifier != account.verifier:
            del self._digests[account.name]
            return None
        self._digests.move_to_end(account.name)
        return digest

    def check(self, account: Account, password: str | None) -> bool:
        """Whether it is the user's password, which is then remembered. Takes milliseconds: call it in a thread.
        A doomed account and a password that could not be read take as long as others."""
        right = account.verifier.matches(password or "")
        if not right or account.doomed or not password:
            return False
        self._digests[account.name] = account.verifier, caching_sha2.digest(password)
        self._digests.move_to_end(account.name)
        while len(self._digests) > self._most:
            self._digests.popitem(last=False)
        return True
