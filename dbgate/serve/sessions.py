"""Makes the session of a login."""

from __future__ import annotations

import time

from dbgate.session.postgres.login import Limits, SessionLogin
from dbgate.session.postgres.session import PostgresSession
from rules.policy import Policy, PolicyContext

LIMITS = Limits()


def make_session(login: SessionLogin, policy: Policy) -> PostgresSession:
    """Sessions of one role, database and search path share a context, and with it the cache of decisions."""

    def make_context(current: Policy, search_path: tuple[str, ...]) -> PolicyContext:
        return current.context(login.role, login.database, "", search_path)

    return PostgresSession(
        login=login, policy=policy, make_context=make_context, limits=LIMITS, now=time.perf_counter_ns()
    )
