"""Between the policy and the wire: the decisions of one text, in the light of what the session holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from dbgate.session.outcome import CatalogChanged, RefreshCatalog
from dbgate.session.postgres.elsewhere import decisions_of
from dbgate.session.postgres.registry import Portal, Prepared, Sent
from dbgate.session.postgres.state import Phase, State
from rules.decision import Decision, Mask, MaskKind, Refusal, Verdict
from rules.policy import PolicyContext
from rules.tree import Carrier, CarrierKind

#: The transaction status of a failed transaction (ReadyForQuery).
FAILED: Final = ord("E")
IDLE: Final = ord("I")
MESSAGE: Final = "dbgate refused this statement"
#: Settings whose change moves the meaning of unqualified names.
PATH_SETTINGS: Final = frozenset({"search_path", "role", "session_authorization", "all"})
#: The kinds of FETCH, MOVE and EXECUTE: their rows are those of the statement behind the name.
CARRIED_KINDS: Final = frozenset({"cursor", "prepared"})
#: What EXECUTE may run: it changes neither names nor settings, and the server plans it with its names resolved.
PLANNED_KINDS: Final = frozenset({"select", "insert", "update", "delete", "merge"})
#: What a portal may hold that outlives a change of the search path: its names are not resolved when it runs.
LASTING_KINDS: Final = PLANNED_KINDS | {"cursor", "transaction"}
#: An empty text decides nothing and does nothing.
EMPTY: Final = Decision(Verdict.ALLOW, "empty")


def decide(state: State, text: bytes) -> tuple[Decision, ...] | None:
    """One decision for each statement, or None when the session must first wait for a fresh catalog."""
    if awaits_catalog(state):
        return None
    decisions = decisions_of(state, state.context, text)
    if not state.retried and (missing := missing_relations(decisions)):
        state.retried = True
        state.phase = Phase.AWAITS_CATALOG
        state.wishes.append(RefreshCatalog(missing))
        return None
    state.retried = False
    if any(decision.runs is not None and awaits_name(state, decision.runs) for decision in decisions):
        return None
    decisions = tuple(fresh(state, decision) for decision in decisions) if state.catalog_dirty else decisions
    if state.watched and (len(decisions) != 1 or decisions[0].runs is not None):
        decisions = tuple(one_path_for_all(state, carried(state, decisions)))
    return decisions


def missing_relations(decisions: tuple[Decision, ...]) -> tuple[tuple[str, ...], ...]:
    """What a refused text names that the catalog does not know."""
    missing = tuple(name for decision in decisions if decision.missing for name in decision.missing)
    return missing if missing and refused(decisions) is not None else ()


def decide_one(state: State, text: bytes) -> Decision | None:
    """As `decide` for a Parse: the server itself refuses a text of several statements, unless one is ours to refuse."""
    decisions = decide(state, text)
    if decisions is None:
        return None
    if decisions and is_stale(state, decisions[0]):
        return refuse(decisions[0], PATH_MOVED)
    return refused(decisions) or (decisions[0] if decisions else EMPTY)


def is_stale(state: State, decision: Decision) -> bool:
    """Was it made by a search path that an earlier message may have moved? Statements that end a transaction have no
    names; and after a failed one, with nothing under way, the server refuses all others itself."""
    if not state.path_dirty or not state.watched or decision.kind == "transaction":
        return False
    ledger = state.ledger
    return state.status != FAILED or ledger.open_batch or bool(ledger.entries)


def awaits_catalog(state: State) -> bool:
    """Has this session's own DDL been committed since the catalog was read? Then the client's bytes wait for a new one.
    What is under way, or in a transaction, nobody else can see: see `fresh`."""
    if not state.catalog_dirty or not state.watched or state.retried or not at_rest(state):
        return False
    state.retried = True
    state.phase = Phase.AWAITS_CATALOG
    state.wishes.append(RefreshCatalog(()))
    return True


def at_rest(state: State) -> bool:
    """No transaction is open, and everything was answered."""
    return state.status == IDLE and not state.ledger.open_batch and not state.ledger.entries


def fresh(state: State, decision: Decision) -> Decision:
    """Refuses what the catalog may read wrongly after this session's own DDL: everything if it could not be read again,
    and in a transaction that dropped or renamed something, where two tables on the search path have one name."""
    if not state.watched or decision.kind == "transaction" or decision.verdict is not Verdict.ALLOW:
        return decision
    if state.catalog_dirty and at_rest(state):
        return refuse(decision, CATALOG_UNREAD)
    if state.uncovered and has_twins(state.context):
        return refuse(decision, UNCOVERED)
    return decision


def has_twins(context: PolicyContext) -> bool:
    """Are there two relations of one name in different schemas of the search path?"""
    schemas = {schema for schema in context.search_path if schema != "pg_catalog"}
    names = [relation.name for relation in context.catalog.relations if relation.schema in schemas]
    return len(names) != len(set(names))


def redecide(state: State, prepared: Prepared) -> Decision:
    """A statement prepared under another rulebook, catalog or search path is decided again when it is bound. By another
    search path the server reads the text again; with another catalog only its old tables may stand behind the text
    (a new temporary table is not noticed by the server), so the stricter of both decisions holds."""
    before = prepared.context
    if before is not state.context:
        decision = decide_again(state, state.context, prepared)
        if before.search_path == state.context.search_path and before.catalog is not state.context.catalog:
            decision = stricter(prepared.decision, decision)
        prepared.decision, prepared.context = decision, state.context
    return prepared.decision


def redecide_open(state: State, prepared: Prepared) -> Decision:
    """As `redecide` for what an open portal holds: its tables were fixed when it was opened, so it is decided by the
    search path of that time. What resolves names only when it runs is refused by another path."""
    before = prepared.context
    if before is state.context:
        return prepared.decision
    if before.policy is not state.policy:
        context = state.make_context(state.policy, before.search_path)
        prepared.decision, prepared.context = (
            stricter(prepared.decision, decide_again(state, context, prepared)),
            context,
        )
    decision = prepared.decision
    if before.search_path != state.context.search_path and state.watched and decision.kind not in LASTING_KINDS:
        return refuse(decision, PATH_MOVED)
    return decision


def decide_again(state: State, context: PolicyContext, prepared: Prepared) -> Decision:
    decisions = decisions_of(state, context, prepared.text)
    return refused(decisions) or (decisions[0] if decisions else EMPTY)


def stricter(old: Decision, new: Decision) -> Decision:
    """The new decision with the masks of both; of two masks on one column the stronger."""
    if new.verdict is not Verdict.ALLOW or (old.masks is None and not old.hides):
        return new
    masks = old.masks
    if masks is not None and new.masks is not None and len(masks) == len(new.masks):
        masks = tuple(stronger(a, b) for a, b in zip(masks, new.masks, strict=True))
    return replace(new, masks=masks or new.masks, width=new.width if masks is None else len(masks), hides=True)


def stronger(one: Mask | None, other: Mask | None) -> Mask | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda mask: STRENGTH[mask.kind])


STRENGTH: Final = {kind: number for number, kind in enumerate(MaskKind)}


def refused(decisions: tuple[Decision, ...]) -> Decision | None:
    for decision in decisions:
        if decision.verdict is not Verdict.ALLOW:
            return decision
    return None


def refuse(decision: Decision, refusal: Refusal) -> Decision:
    return replace(decision, verdict=Verdict.REFUSE, refusal=refusal, rules=(*decision.rules, refusal.rule))


# ---------------------------------------------------------------- what only the session knows


def carried(state: State, decisions: Iterable[Decision]) -> list[Decision]:
    """FETCH and EXECUTE take on what is known of the statement behind the name."""
    found: list[Decision] = []
    opened: dict[tuple[CarrierKind, str], Decision] = {}
    for decision in decisions:
        found.append(behind_name(state, decision, opened) if decision.runs else decision)
        if decision.defines:
            opened[(decision.defines.kind, decision.defines.name or "")] = decision
    return found


def behind_name(state: State, decision: Decision, opened: dict[tuple[CarrierKind, str], Decision]) -> Decision:
    """Refuses what carries rows that no plan covers: an unknown cursor, EXPLAIN or CREATE TABLE AS of a name.
    `opened`: what earlier statements of the same text define."""
    carrier = decision.runs
    if carrier is None or decision.verdict is not Verdict.ALLOW:
        return decision
    if decision.kind not in CARRIED_KINDS:
        return refuse(decision, NESTED_CARRIER)
    behind = opened.get((carrier.kind, carrier.name or ""))
    if behind is None and (known := find_named(state, carrier.kind, carrier.name or "")) is not None:
        behind = redecide(state, known) if carrier.kind is CarrierKind.STATEMENT else redecide_open(state, known)
        if carrier.kind is CarrierKind.STATEMENT and not executable(known, behind):
            return refuse(decision, behind.refusal or EXECUTES_MORE)
    if behind is None:
        return refuse(decision, _unknown(carrier))
    if behind.refusal is not None:
        return refuse(decision, behind.refusal)
    return replace(
        decision,
        tables=behind.tables,
        columns=behind.columns,
        masked_columns=behind.masked_columns,
        hides=decision.hides or behind.hides,
    )


def executable(known: Prepared, behind: Decision) -> bool:
    """EXECUTE also runs what a Parse message prepared, which can be any statement, one that moves names included."""
    return behind.kind in PLANNED_KINDS and (known.carried or behind.defines is None)


def find_named(state: State, kind: CarrierKind, name: str) -> Prepared | None:
    """The statement that a message sent now meets under the name; ask `awaits_name` before."""
    names, ledger = state.names, state.ledger
    sent = names.sent(kind).get(name)
    return sent.prepared if sent is not None and sent.batch == ledger.batch else names.held(kind, name)


def awaits_name(state: State, carrier: Carrier) -> bool:
    """Does what the name stands for depend on replies to an earlier batch? Then the client's bytes wait for them."""
    sent = state.names.sent(carrier.kind).get(carrier.name or "")
    if sent is None or sent.batch == state.ledger.batch or sent.batch < state.ledger.answered:
        return False
    state.phase = Phase.AWAITS_NAMES
    state.awaited_batch = sent.batch
    return True


def note_sent(state: State, kind: CarrierKind, name: str, prepared: Prepared | None) -> None:
    state.names.sent(kind)[name] = Sent(prepared, state.ledger.batch)


def effective(state: State, decision: Decision, depth: int = 8) -> Decision | None:
    """The decision whose plan the rows follow: for FETCH and EXECUTE that of the statement behind the name, as the
    server has it at this point of its replies. None: the gate does not know the name, or names stand for names (EXECUTE
    of a prepared FETCH of a cursor ...) more than `depth` times."""
    carrier = decision.runs
    if carrier is None:
        return decision
    name = carrier.name or ""
    if depth == 0:
        return None
    if carrier.kind is CarrierKind.STATEMENT:
        found = state.names.statements.get(name)
        return effective(state, redecide(state, found), depth - 1) if found else None
    portal = state.names.portals.get(name)
    return behind_portal(state, portal, depth - 1) if portal else None


def behind_portal(state: State, portal: Portal, depth: int = 8) -> Decision | None:
    """The decision that a portal's rows follow. The server computes all rows of FETCH and EXECUTE when they first run:
    what the name stands for later is of no matter to a portal that goes on."""
    decision = redecide_open(state, portal.prepared)
    if decision.runs is None:
        return decision
    if portal.behind is None:
        portal.behind = effective(state, decision, depth)
    return portal.behind


def one_path_for_all(state: State, decisions: list[Decision]) -> list[Decision]:
    """In a text of several statements a change of the search path must come last: what follows was read by the old."""
    found: list[Decision] = []
    moved = False
    for decision in decisions:
        moved_before = moved and decision.kind != "transaction"
        found.append(refuse(decision, PATH_MOVED) if moved_before and decision.verdict is Verdict.ALLOW else decision)
        moved = moved or moves_path(decision) or (state.path_moved and decision.kind == "transaction")
    return found


def moves_path(decision: Decision) -> bool:
    """May the meaning of unqualified names differ after this statement?"""
    if decision.changes_catalog:
        return True
    if decision.detail.startswith("DISCARD"):
        return True
    return bool(decision.settings) and any(setting.name in PATH_SETTINGS for setting in decision.settings)


def note_effects(state: State, decision: Decision) -> None:
    """A statement is being sent: remember what it may change."""
    if decision.changes_catalog:
        state.wishes.append(CatalogChanged())
    if decision.hides:
        state.hidden = True
    if not state.watched:
        return
    if decision.changes_catalog or decision.detail.startswith("DISCARD"):
        state.catalog_dirty = True
        state.uncovered = state.uncovered or decision.kind != "create"
    if moves_path(decision):
        state.path_dirty = state.path_moved = True
    elif decision.kind == "transaction" and state.path_moved:
        state.path_dirty = True


PATH_MOVED: Final = Refusal(
    "dbgate:search-path",
    MESSAGE,
    'rule "dbgate:search-path": an earlier statement of the same text or batch changes what names mean',
    "send the statements one at a time, or write schema-qualified names and set search_path in a query of its own",
)
EXECUTES_MORE: Final = Refusal(
    "dbgate:carrier",
    MESSAGE,
    'rule "dbgate:carrier": EXECUTE of a statement that is no SELECT, INSERT, UPDATE, DELETE or MERGE',
    "send that statement itself, not its name",
)
CATALOG_UNREAD: Final = Refusal(
    "dbgate:catalog",
    MESSAGE,
    'rule "dbgate:catalog": this session has changed the structure, and the gate could not read the catalog since',
    "try again in a moment",
    sqlstate="55000",
)
UNCOVERED: Final = Refusal(
    "dbgate:catalog",
    MESSAGE,
    'rule "dbgate:catalog": this transaction has changed or dropped something, and tables of the same name exist in '
    "several schemas of the search path; the gate cannot tell which one is meant",
    "end the transaction first, or set search_path to one schema before it begins",
)
NESTED_CARRIER: Final = Refusal(
    "dbgate:carrier",
    MESSAGE,
    'rule "dbgate:carrier": it runs a prepared statement or cursor by name inside another one; masks cannot follow',
    "write the query itself in place of the name",
)


def _unknown(carrier: Carrier) -> Refusal:
    return Refusal(
        "dbgate:carrier",
        MESSAGE,
        f'rule "dbgate:carrier": the gate saw nothing open {carrier.kind.value} "{carrier.name}" in this session',
        "open it with DECLARE or PREPARE in this session first",
        sqlstate="34000" if carrier.kind is CarrierKind.CURSOR else "26000",
    )
