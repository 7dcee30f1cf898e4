"""Who may log in, and as what. An unknown user looks exactly like a known one with a wrong password."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from dbgate.settings.model import Authentication, User
from protocols.mysql import native_password
from protocols.postgres.scram import DEFAULT_ITERATIONS, Verifier


@dataclass(frozen=True, slots=True)
class Account:
    """`doomed`: no password will do (the user is unknown), but the exchange runs to its end. `native`: the digest for
    mysql_native_password, for users who may come by it."""

    name: str
    verifier: Verifier = field(repr=False)
    authentication: Authentication = Authentication.SCRAM
    role: str = ""
    job: str = ""
    databases: frozenset[str] = frozenset()
    doomed: bool = False
    native: bytes | None = field(default=None, repr=False)

    def may_open(self, database: str) -> bool:
        return database in self.databases


class Users:
    """The users of the settings. `secret`: random bytes that outlive a restart, for the made-up verifiers of unknown
    users: their salt has to be the same each time somebody asks."""

    def __init__(self, users: Mapping[str, User], secret: bytes) -> None:
        self._accounts = {name: _account(user) for name, user in users.items()}
        self._secret = secret
        self._iterations = _usual(account.verifier.iterations for account in self._accounts.values())

    def find(self, name: str) -> Account:
        """The account; a doomed one for a name nobody has."""
        account = self._accounts.get(name)
        if account is not None:
            return account
        return Account(name, Verifier.mock(name, self._secret, self._iterations), doomed=True)


def _account(user: User) -> Account:
    return Account(
        name=user.name,
        verifier=Verifier.parse(user.verifier),
        authentication=user.authentication,
        role=user.role,
        job=user.job,
        databases=frozenset(user.databases),
        native=native_password.read_verifier(user.native_verifier) if user.native_verifier else None,
    )


def _usual(iterations: Iterable[int]) -> int:
    """The commonest number of iterations, so that a made-up verifier doesn't stand out."""
    counted = Counter(iterations)
    return counted.most_common(1)[0][0] if counted else DEFAULT_ITERATIONS
