"""Makes the session of a login, of either protocol."""

from __future__ import annotations

import time

from dbgate.budgets.accounts import account_of
from dbgate.budgets.ledger import Ledger
from dbgate.session.mysql.login import Limits as MysqlLimits
from dbgate.session.mysql.login import SessionLogin as MysqlLogin
from dbgate.session.mysql.session import MysqlSession
from dbgate.session.postgres.login import Limits, SessionLogin
from dbgate.session.postgres.session import PostgresSession
from rules.policy import Policy, PolicyContext

LIMITS, MYSQL_LIMITS = Limits(), MysqlLimits()


def make_postgres_session(ledger: Ledger, login: SessionLogin, policy: Policy) -> PostgresSession:
    """Sessions of one role, database and search path share a context, and with it the cache of decisions; those of one
    job share an account."""

    def make_context(current: Policy, search_path: tuple[str, ...]) -> PolicyContext:
        return current.context(login.role, login.database, "", search_path)

    return PostgresSession(
        login=login,
        policy=policy,
        make_context=make_context,
        limits=LIMITS,
        now=time.perf_counter_ns(),
        account=account_of(ledger, login.database, login.identity, login.job, login.job_verified),
    )


def make_mysql_session(ledger: Ledger, login: MysqlLogin, policy: Policy) -> MysqlSession:
    """As PostgreSQL's; the search path is the default database."""

    def make_context(current: Policy, search_path: tuple[str, ...]) -> PolicyContext:
        return current.context(login.role, login.database, "", search_path)

    return MysqlSession(
        login=login,
        policy=policy,
        make_context=make_context,
        limits=MYSQL_LIMITS,
        now=time.perf_counter_ns(),
        account=account_of(ledger, login.database, login.identity, login.job, login.job_verified),
    )
