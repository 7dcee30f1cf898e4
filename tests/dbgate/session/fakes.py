"""A policy that reads its verdict off the text, so that session tests say what they mean in one line.

forbidden ...     refused by rule "no"            SELECT masked     one text column, masked by keep_last 4
SELECT hidden     allowed, but touches masked data SELECT unknown_t missing from the catalog until it is refreshed
DECLARE c / FETCH c / PREPARE p / EXECUTE p        SET search_path / BEGIN / COMMIT / ROLLBACK
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from dbgate.session.outcome import Outcome
from dbgate.session.postgres.login import Limits, SessionLogin
from dbgate.session.postgres.session import PostgresSession
from rules.catalog import Catalog
from rules.decide import UNKNOWN_RELATION
from rules.decision import Decision, Mask, MaskKind, Refusal, Verdict
from rules.limits import Limits as RoleLimits
from rules.own_world import OwnWorld, own_catalog
from rules.tree import Carrier, CarrierKind, Setting

NO = Refusal("no", "dbgate refused this statement", 'rule "no" (test.yaml:1): forbidden', "ask for something else")
KEEP_4 = Mask(MaskKind.KEEP_LAST, 4, "mask")
MASKED_TABLE = 16400  # its column 1 is masked by the policy


@dataclass
class FakePolicy:
    unrestricted: bool = False
    generation: int = 0
    limits: RoleLimits | None = None
    observed_limits: RoleLimits | None = None
    sensitive: int = 0
    copies_out: bool = False
    mask_key: bytes = b"0123456789abcdef"
    catalog: Catalog = field(default_factory=lambda: Catalog("1"))
    known_to_all: FakePolicy | None = None

    @property
    def shared(self) -> FakePolicy:
        return self.known_to_all or self

    def seen_with(self, world: OwnWorld) -> FakePolicy:
        return replace(self, catalog=own_catalog(self.catalog, world), known_to_all=self)


@dataclass(eq=False)
class FakeContext:
    policy: FakePolicy
    search_path: tuple[str, ...]
    digest: str = "d1"
    longest_text: int = 1 << 20

    @property
    def observed_limits(self) -> RoleLimits | None:
        return self.policy.observed_limits

    @property
    def limits(self) -> RoleLimits | None:
        return self.policy.limits

    @property
    def names_matter(self) -> bool:
        return not self.policy.unrestricted

    @property
    def catalog(self) -> Catalog:
        return self.policy.catalog

    def knows(self, text: bytes) -> bool:
        return False

    def decide(self, text: bytes) -> tuple[Decision, ...]:
        found, start = [], 0
        for piece in text.split(b";"):
            if piece.strip():
                found.append(self.one(piece.decode().strip(), start, start + len(piece)))
            start += len(piece) + 1
        return tuple(found)

    def one(self, sql: str, start: int, end: int) -> Decision:
        words = sql.split()
        verb = words[0].upper()
        second = words[1] if len(words) > 1 else ""
        at: dict[str, Any] = {"start": start, "end": end}
        if "forbidden" in sql:
            return Decision(Verdict.REFUSE, "select", refusal=NO, rules=("no",), **at)
        if "unknown_t" in sql and self.policy.generation == 0:
            unknown = replace(NO, rule=UNKNOWN_RELATION)
            return Decision(Verdict.REFUSE, "select", refusal=unknown, missing=(("unknown_t",),), **at)
        masked: dict[str, Any] = {"masks": (KEEP_4,), "width": 1, "hides": True, "masked_columns": ("public.t.c",)}
        plan = masked if "masked" in sql else {"hides": "hidden" in sql}
        effects: dict[str, dict[str, Any]] = {
            "DECLARE": {"defines": Carrier(CarrierKind.CURSOR, second, "HOLD" in sql)},
            "PREPARE": {"defines": Carrier(CarrierKind.STATEMENT, second)},
            "FETCH": {"runs": Carrier(CarrierKind.CURSOR, second)},
            "EXECUTE": {"runs": Carrier(CarrierKind.STATEMENT, second)},
            "CLOSE": {"drops": Carrier(CarrierKind.CURSOR, second)},
            "DEALLOCATE": {"drops": Carrier(CarrierKind.STATEMENT, None if second == "ALL" else second)},
            "SET": {"settings": (Setting(second, ("x",)),)},
            "CREATE": {"changes_catalog": True},
            "SELECT": {"calls_user": "f()" in sql},
        }
        kind = "copy_out" if verb == "COPY" and self.policy.copies_out else KINDS.get(verb, "select")
        return Decision(Verdict.ALLOW, kind, sensitive=self.policy.sensitive, **at, **plan, **effects.get(verb, {}))

    def origin_mask(self, table_oid: int, attribute_number: int) -> Mask | None:
        return KEEP_4 if (table_oid, attribute_number) == (MASKED_TABLE, 1) else None

    def origin_denied(self, table_oid: int, attribute_number: int) -> str | None:
        return "no" if table_oid == MASKED_TABLE + 1 else None


KINDS = {
    "BEGIN": "transaction", "COMMIT": "transaction", "ROLLBACK": "transaction", "FETCH": "cursor", "CLOSE": "cursor",
    "EXECUTE": "prepared", "DEALLOCATE": "prepared", "SET": "session", "CREATE": "create", "COPY": "copy_in",
}  # fmt: skip
LOGIN = SessionLogin("s1", "agent", "agent", "shop", job="job-1")


def make_context(policy: Any, path: tuple[str, ...]) -> Any:
    return FakeContext(policy, path)


def new_session(policy: FakePolicy | None = None, limits: Limits | None = None) -> PostgresSession:
    """A session just logged in."""
    return PostgresSession(
        login=LOGIN,
        policy=policy or FakePolicy(),  # type: ignore[arg-type]
        make_context=make_context,
        limits=limits or Limits(),
        now=0,
    )


def kinds(outcome: Outcome) -> list[str]:
    """The event types of an outcome, short."""
    return [event.type.removeprefix("statement_") for event in outcome.events]
