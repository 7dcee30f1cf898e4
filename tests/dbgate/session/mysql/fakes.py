"""The fake policy of the PostgreSQL session's tests, as a MySQL session sees it (see `tests.dbgate.session.fakes`).

SELECT masked      one text column, masked by keep_last 4      USE x / SET name value / CALL p / KILL
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dbgate.session.mysql.login import Brand, Limits, SessionLogin
from dbgate.session.mysql.session import MysqlSession
from protocols.mysql import commands
from protocols.mysql.capabilities import Capability
from protocols.mysql.packets import encode
from rules.catalog import Catalog
from rules.decision import Decision, Edit, Mask, Rewrite
from rules.tree import Setting
from tests.dbgate.session.fakes import KEEP_4, FakeContext, FakePolicy

CAPABILITIES = (
    Capability.PROTOCOL_41
    | Capability.TRANSACTIONS
    | Capability.MULTI_STATEMENTS
    | Capability.MULTI_RESULTS
    | Capability.PS_MULTI_RESULTS
    | Capability.PLUGIN_AUTH
    | Capability.DEPRECATE_EOF
    | Capability.SESSION_TRACK
)
LOGIN = SessionLogin(
    "s1", "agent", "agent", "store", job="job-1", default_database="shop", client=CAPABILITIES, upstream=CAPABILITIES
)


@dataclass(eq=False)
class MysqlContext(FakeContext):
    """`SELECT filtered` gets ` WHERE 1` spliced in at its end. The catalog lists no table, so what it does not list is
    no reason to mask."""

    has_masks = False

    def one(self, sql: str, start: int, end: int) -> Decision:
        decision = super().one("forbidden" if self.policy.closed else sql, start, end)  # type: ignore[attr-defined]
        verb, *rest = sql.split()
        if decision.refusal is not None:
            return decision
        if verb.upper() == "USE":
            return replace(decision, kind="session", settings=(Setting("database", (rest[0].strip("`"),)),))
        if verb.upper() == "SET":
            return replace(decision, settings=(Setting(rest[0].lower(), (rest[1],) if rest[1:] else None),))
        if verb.upper() == "SHOW":
            return replace(decision, kind="show", detail=sql.upper().replace("(*) ERRORS", "(*)"))
        if verb.upper() == "CALL":
            return replace(decision, kind="call")
        if verb.upper() in ("INSERT", "UPDATE"):
            return replace(decision, kind=verb.lower(), writes=True, width=None, tables=("shop.t",))
        if "filtered" in sql:
            return replace(decision, rewrite=Rewrite((Edit(end, end, b" WHERE 1"),)))
        return replace(decision, detail="KILL") if verb.upper() == "KILL" else decision

    def origin_mask_by_name(self, schema: str, table: str, column: str) -> Mask | None:
        return KEEP_4 if (table, column) == ("t", "secret") else None

    def origin_denied_by_name(self, schema: str, table: str, column: str) -> str | None:
        return "no" if column == "denied" else None


def make_context(policy: Any, path: tuple[str, ...]) -> Any:
    found = policy.contexts.get(path)
    if found is None:
        found = policy.contexts[path] = MysqlContext(policy, path)
    return found


@dataclass
class MysqlPolicy(FakePolicy):
    """`closed`: everything is refused."""

    closed: bool = False

    def __post_init__(self) -> None:
        self.contexts: dict[tuple[str, ...], MysqlContext] = {}
        self.catalog = Catalog("1", schemas=frozenset({"shop", "other"}), dialect="mysql")


def new_session(
    policy: FakePolicy | None = None, limits: Limits | None = None, login: SessionLogin = LOGIN
) -> MysqlSession:
    """A session just logged in."""
    return MysqlSession(
        login=login,
        policy=policy or MysqlPolicy(),  # type: ignore[arg-type]
        make_context=make_context,
        limits=limits or Limits(),
        now=0,
    )


def packet(command: commands.Command, capabilities: Capability = CAPABILITIES) -> bytes:
    return encode(command.encode(capabilities), 0)


def query(sql: str | bytes, capabilities: Capability = CAPABILITIES) -> bytes:
    return packet(commands.Query(sql.encode() if isinstance(sql, str) else sql), capabilities)


MARIADB = replace(LOGIN, brand=Brand.MARIADB)
